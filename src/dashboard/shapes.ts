// The JSON that the dashboard reads, as far as it reads it (docs/admin.md).
//
// Types alone. A test holds them against the types of those who write it (test/dashboard/shapes.test.ts).

export type Counts = Readonly<Record<string, number>>;

/** Of a route's shadows together, of one shadow, or of the control. */
export interface Figures {
  readonly matched: number;
  readonly total_mirrored: number;
  readonly total_success: number;
  readonly total_errors: number;
  readonly total_compared: number;
  readonly total_mismatches: number;
  readonly noisy: number;
  readonly reduced: number;
  readonly answered_5xx: number;
  readonly primary_errors: number;
  readonly latency_p50_ms: number | null;
  readonly latency_p95_ms: number | null;
  readonly latency_p99_ms: number | null;
  readonly primary_latency_p50_ms: number | null;
  readonly primary_latency_p95_ms: number | null;
  readonly primary_latency_p99_ms: number | null;
  readonly skipped: Counts;
  readonly dropped: Counts;
  readonly errors: Counts;
  readonly uncompared: Counts;
  readonly in_flight: number;
  readonly breaker: string;
}

export type Comparison = 'none' | 'digest' | 'detailed';

/** Of GET /events. */
export interface LiveRoute extends Figures {
  readonly paused: boolean;
  readonly requests: number;
  readonly enabled: boolean;
  readonly percentage: number;
  readonly comparison: Comparison;
  readonly shadows: readonly string[];
  readonly control: string | null;
}

export interface MirrorsEvent {
  /** Unix time in milliseconds. */
  readonly at: number;
  /** Whether these are all routes. */
  readonly full: boolean;
  readonly routes: Readonly<Record<string, LiveRoute>>;
  readonly removed: readonly string[];
}

/** Of GET /mirrors/{route}. */
export interface MirrorObject extends Figures {
  readonly shadows: Readonly<Record<string, Figures>>;
  readonly control: Figures | null;
}

export interface Entry {
  readonly timestamp: string;
  readonly method: string;
  readonly path: string;
  /** Origin of the shadow. */
  readonly backend: string;
  readonly request_id: string | null;
  readonly detail: {
    readonly status_diff: { readonly primary: number; readonly mirror: number } | null;
    readonly header_diffs: readonly {
      readonly header: string;
      readonly kind: string;
      readonly primary: string | null;
      readonly mirror: string | null;
    }[];
    readonly body_diffs: readonly {
      readonly path: string;
      readonly kind: string;
      readonly primary: string | null;
      readonly mirror: string | null;
    }[];
    readonly body_method: string;
    readonly note: string | null;
    readonly is_cut: boolean;
  };
  readonly latency_ms: { readonly primary: number; readonly mirror: number };
  readonly fields: readonly string[];
  /** Null when the route has no such backend any more. */
  readonly curl: { readonly primary: string | null; readonly mirror: string | null };
  /** Why the commands lack the request's body; null when they do not. */
  readonly request_note: string | null;
}

export interface Group {
  readonly signature: string;
  readonly fields: readonly string[];
  readonly count: number;
  readonly first_seen: string;
  readonly last_seen: string;
  readonly example: Entry | null;
}

export interface Mismatches {
  readonly total_mismatches: number;
  readonly stored_count: number;
  readonly capacity: number;
  /** What is kept and not in this answer. */
  readonly left_out: { readonly groups: number; readonly entries: number };
  readonly groups: readonly Group[];
  readonly entries: readonly Entry[];
}

export interface FieldLine {
  readonly field: string;
  readonly differed: number;
  readonly differed_share: number;
  readonly counted: number;
  readonly control_differed: number;
  /** 0 without a control. */
  readonly control_share: number;
  readonly state: 'counted' | 'noise' | 'proposed';
  readonly rule: string | null;
}

export interface Fields {
  readonly compared: number;
  readonly controlled: number;
  readonly fields: readonly FieldLine[];
}

/** Low and high border in milliseconds, and how many latencies lie between. */
export type Bucket = readonly [lowMs: number, highMs: number, count: number];

export interface Latency {
  readonly window_seconds: number;
  readonly primary: readonly Bucket[];
  readonly shadows: Readonly<Record<string, readonly Bucket[]>>;
  readonly control: readonly Bucket[] | null;
}

export type Sample = readonly [
  unixSeconds: number,
  compared: number,
  mismatched: number,
  matched: number,
  sent: number,
];

export interface History {
  readonly interval_seconds: number;
  readonly samples: readonly Sample[];
}

export interface Ignored {
  readonly applied: boolean;
  /** A line of YAML. */
  readonly rule: string;
  /** Of a route of a file: where the line goes. */
  readonly place?: string;
}

export interface Check {
  readonly name: string;
  readonly result: 'pass' | 'fail' | 'insufficient' | 'not_judged';
  readonly text: string;
}

export interface Verdict {
  readonly result: 'pass' | 'fail' | 'insufficient';
  /** RFC 3339. */
  readonly since: string;
  readonly checks: readonly Check[];
  readonly warnings: readonly string[];
}
