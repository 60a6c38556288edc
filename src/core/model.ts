// The route model: what every dialect is translated into, and what the threads are given.
//
// Plain data only, because it crosses threads by structured clone. Values are already parsed: durations are
// milliseconds, sizes are bytes, names of headers are lower case. Nothing here is optional; defaults were
// applied by config/.

/** Host header rule: the request's own, the backend's authority, or (any other string) that literal name. */
export const HOST_PASS = 'pass';
export const HOST_NODE = 'node';

/** How `https://` backends are trusted. */
export interface BackendTls {
  /** Whether the certificate chain and name are verified. */
  readonly verify: boolean;
  /** PEM text of additional certificate authorities, or null for the system's. */
  readonly ca: string | null;
}

/** Which HTTP client is used: umbra's own for `http://` and undici for `https://`, or undici for both. */
export const CLIENT_AUTO = 'auto';
export const CLIENT_UNDICI = 'undici';

/** Where requests or copies go. */
export interface Backend {
  /** Scheme, host and port, as in `http://production:9000`; the port is always written out. */
  readonly origin: string;
  /** What `Host` says under `host_header: node`: the port only when it is not the scheme's own. */
  readonly authority: string;
  /** Null for `http://` origins. */
  readonly tls: BackendTls | null;
  readonly client: typeof CLIENT_AUTO | typeof CLIENT_UNDICI;
}

export interface WeightedBackend extends Backend {
  /** 0 (never chosen) to 65535. */
  readonly weight: number;
  /** Backends of a lower priority are used only by exchanges that have tried all of the higher ones. */
  readonly priority: number;
}

/** Deadlines in milliseconds: for a connection; between two writes; for the first and between further bytes. */
export interface Timeouts {
  readonly connectMs: number;
  readonly sendMs: number;
  readonly readMs: number;
}

export interface HeaderEdits {
  /** Pairs of lower-case name and value; each replaces every line of that name. */
  readonly set: readonly (readonly [string, string])[];
  /** Lower-case names. */
  readonly remove: readonly string[];
}

/** Most shadows of one mirror: their places are bits of a word. */
export const SHADOWS_MAX = 16;

/** What a copy is for: to be compared with the primary, or to show what differs between two answers of the same version. */
export const ROLE_SHADOW = 'shadow';
export const ROLE_CONTROL = 'control';

export interface Shadow extends Backend {
  readonly headers: HeaderEdits;
  readonly hostHeader: string;
  readonly role: typeof ROLE_SHADOW | typeof ROLE_CONTROL;
}

export const CONDITION_PRESENT = 'present';
export const CONDITION_ABSENT = 'absent';
export const CONDITION_EQUALS = 'equals';

export interface HeaderCondition {
  /** Lower case. */
  readonly name: string;
  readonly kind: typeof CONDITION_PRESENT | typeof CONDITION_ABSENT | typeof CONDITION_EQUALS;
  /** Lower case; empty unless kind is `equals`. */
  readonly value: string;
}

/**
 * A condition on what a request is made of, in the form of APISIX's `vars` (core/expression.ts): a list of comparisons such
 * as `["arg_name", "==", "json"]` and of further lists, optionally begun by OR, AND, !OR or !AND. Valid, once it is in the model.
 */
export type Expression = readonly unknown[];

/** All must hold. Empty lists and null hold always. */
export interface Conditions {
  readonly methods: readonly string[];
  readonly headers: readonly HeaderCondition[];
  readonly vars: Expression | null;
  /** Source of a regular expression over the raw path without query; it compiles. */
  readonly pathRegex: string | null;
}

export interface RedisNode {
  /** Name or bare address. */
  readonly host: string;
  readonly port: number;
}

/** A Redis server, or a cluster of them, and how it is spoken to. */
export interface RedisSettings {
  /** One server, or some nodes of a cluster by which the others are found. */
  readonly nodes: readonly RedisNode[];
  readonly isCluster: boolean;
  /** Null when none is wanted. */
  readonly username: string | null;
  readonly password: string | null;
  /** 0 in a cluster. */
  readonly database: number;
  readonly tls: boolean;
  /** What a command may take, the connection included. */
  readonly timeoutMs: number;
}

export const LIMIT_LOCAL = 'local';
export const LIMIT_REDIS = 'redis';
export const LIMIT_REDIS_CLUSTER = 'redis-cluster';

export interface Limit {
  /** Mirrored exchanges per window, 1 to LIMIT_COUNT_MAX (core/window.ts). */
  readonly count: number;
  readonly windowMs: number;
  readonly policy: typeof LIMIT_LOCAL | typeof LIMIT_REDIS | typeof LIMIT_REDIS_CLUSTER;
  /** Null for local. */
  readonly redis: RedisSettings | null;
}

export interface Breaker {
  /** Consecutive failures that open it. */
  readonly failures: number;
  readonly openForMs: number;
}

/** Numbers at such a place of a JSON body may differ by so much. */
export interface Tolerance {
  /** core/diff/json-path.ts */
  readonly path: string;
  /** Largest difference, or largest share of the primary's value (0.01 is 1 %). */
  readonly largest: number;
  readonly isRelative: boolean;
}

/** Comparison field by field. Paths are those of core/diff/json-path.ts, and valid once they are in the model. */
export interface DetailedDiff {
  /** Lower-case names. */
  readonly ignoreHeaders: readonly string[];
  readonly ignoreJsonFields: readonly string[];
  /** Arrays whose elements may come in any order. */
  readonly unordered: readonly string[];
  readonly tolerances: readonly Tolerance[];
  /** A longer body is compared by its digest. */
  readonly maxBodyCaptureBytes: number;
}

/** What a verdict asks for; shares are 0 to 1. */
export interface Thresholds {
  /** Fewer comparisons are too little data. */
  readonly minCompared: number;
  /** Of the comparisons. */
  readonly maxMismatch: number;
  /** Of the copies: those that failed or were answered with 5xx, beyond the primary's own share. */
  readonly maxError: number;
  /** The shadow's p99 divided by the primary's; null: not judged. */
  readonly maxP99Ratio: number | null;
}

export interface Compare {
  readonly logMismatches: boolean;
  /** Null: only status and digest of the body are compared. */
  readonly detail: DetailedDiff | null;
  /** Places in JSON bodies (core/diff/json-path.ts) whose values are never stored, shown or logged. */
  readonly mask: readonly string[];
  /** Mismatches that are kept for each route. */
  readonly maxMismatches: number;
  readonly thresholds: Thresholds;
}

/** What a copy does not tell its shadow: values of these are replaced, names and types stay. */
export interface Redaction {
  /** Lower-case names. */
  readonly headers: readonly string[];
  /** Names of parameters of queries and forms (core/parameters.ts). */
  readonly query: readonly string[];
  /** Places in JSON bodies (core/diff/json-path.ts). */
  readonly json: readonly string[];
}

/** Every method; or those that change nothing (RFC 9110 section 9.2.1). */
export const METHODS_ALL = 'all';
export const METHODS_SAFE = 'safe';

export const CONCAT_REPLACE = 'replace';
export const CONCAT_PREFIX = 'prefix';

export interface Mirror {
  readonly enabled: boolean;
  /** 0 to 100, decimals allowed. */
  readonly percentage: number;
  /** Lower-case name of the header whose value decides the sample, or null for a random one. */
  readonly sampleByHeader: string | null;
  readonly methods: typeof METHODS_ALL | typeof METHODS_SAFE;
  /** At least one in the role of a shadow; then at most one in that of a control. Origins differ from each other. */
  readonly shadows: readonly Shadow[];
  readonly conditions: Conditions;
  readonly path: string | null;
  readonly pathConcatMode: typeof CONCAT_REPLACE | typeof CONCAT_PREFIX;
  readonly timeouts: Timeouts;
  readonly limit: Limit | null;
  readonly maxBodyBytes: number;
  /** A shadow's answer that is longer is cut off. */
  readonly maxAnswerBytes: number;
  readonly redact: Redaction;
  /** Whether copies that write get an Idempotency-Key, when they have none. */
  readonly idempotencyKey: boolean;
  /** Per shadow, over all threads of the process. */
  readonly maxInFlight: number;
  /** Per front-end thread: bytes of this route's copies that wait to be sent. */
  readonly maxQueuedBytes: number;
  readonly breaker: Breaker;
  readonly compare: Compare | null;
}

/** The whole path; a prefix of it on segment borders; a prefix of its text. */
export const PATH_EXACT = 'exact';
export const PATH_PREFIX = 'prefix';
export const PATH_TEXT_PREFIX = 'text_prefix';
/** APISIX's pattern with a `*` for a whole segment before its end, which stands for any text; may end in `*` too. */
export const PATH_WILDCARD = 'wildcard';

export interface PathPattern {
  readonly match: typeof PATH_EXACT | typeof PATH_PREFIX | typeof PATH_TEXT_PREFIX | typeof PATH_WILDCARD;
  /** Raw, as requests have it. Without the `*` that a text prefix was written with. */
  readonly path: string;
}

export interface Route {
  readonly id: string;
  /** Changes whenever anything of the route changes; a limit counts per revision. */
  readonly revision: string;
  /** Lower case, exact or `*.suffix`; empty for every host. */
  readonly hosts: readonly string[];
  /** At least one; a request matches any of them. */
  readonly paths: readonly PathPattern[];
  /** Empty for every method. */
  readonly methods: readonly string[];
  /** Client addresses, single or as address/bits; empty for every client. */
  readonly remoteAddrs: readonly string[];
  /** Null for no further condition. */
  readonly vars: Expression | null;
  readonly priority: number;
  /** May be empty: then every request is answered 503. */
  readonly backends: readonly WeightedBackend[];
  readonly hostHeader: string;
  /** Further attempts after the first one. */
  readonly retries: number;
  /** No further attempt begins later than this after the first one; null for no such bound. */
  readonly retryTimeoutMs: number | null;
  readonly timeouts: Timeouts;
  readonly mirror: Mirror | null;
}

export interface TlsFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface Listener {
  readonly host: string;
  /** 0 lets the system choose (tests). */
  readonly port: number;
  readonly tls: TlsFiles | null;
}

/** Bounds of the edge and of one front-end thread. */
export interface Limits {
  /** Request line and headers; over it 431. */
  readonly headerBytes: number;
  /** Header lines; over it 431. */
  readonly headerCount: number;
  /** Request target; over it 414. */
  readonly targetBytes: number;
  /** Request body; over it 413. Infinity when not limited. */
  readonly bodyBytes: number;
  /** Exchanges in flight in one front-end thread; over it 503. */
  readonly inFlight: number;
  /** Connections from one client address to one front-end thread; over it the new one is closed. */
  readonly connectionsPerAddress: number;
  /** Connections to one primary origin from one front-end thread. */
  readonly upstreamConnections: number;
  /** Requests that may wait for one of those; over it 503. */
  readonly upstreamQueue: number;
  readonly upstreamQueueMs: number;
  /** A front-end loop that is late by this much sends no copies (drop: overload). */
  readonly overloadDelayMs: number;
}

/** Which shape the bodies of the Admin API have: that of APISIX 3, or the one before. */
export const ADMIN_API_V3 = 'v3';
export const ADMIN_API_DEFAULT = 'default';

export interface AdminSettings {
  readonly host: string;
  readonly port: number;
  /** Null when none was configured. */
  readonly key: string | null;
  /** A second key, good for reading alone. */
  readonly viewerKey: string | null;
  /** Whether writes and the Admin API ask for a key at all. */
  readonly keyRequired: boolean;
  /** Where the key is kept that is generated when none is configured. */
  readonly keyFile: string;
  /** Client addresses that may use the Admin API, single or as address/bits; empty for every one. */
  readonly allow: readonly string[];
  readonly apiVersion: typeof ADMIN_API_V3 | typeof ADMIN_API_DEFAULT;
  /** Whether the listeners for traffic serve the Admin API too, under the same path. */
  readonly onProxyPort: boolean;
}

/** Where routes of the Admin API live. */
export type StoreSettings =
  | { readonly type: 'file'; readonly path: string }
  | {
      readonly type: 'redis';
      readonly redis: RedisSettings;
      /** Key prefix, so that several groups of gateways can share a server. */
      readonly prefix: string;
      /** Local file with the last known routes, for a start without Redis. */
      readonly cachePath: string;
    };

/** Thread counts, resolved from `auto`. */
export interface Threads {
  readonly frontend: number;
  /** Mirror threads of each front end. */
  readonly mirror: number;
}

export interface Config {
  readonly listeners: readonly Listener[];
  readonly admin: AdminSettings;
  readonly threads: Threads;
  readonly store: StoreSettings;
  readonly shutdownTimeoutMs: number;
  readonly limits: Limits;
  /** Of the files; those of the Admin API come on top. */
  readonly routes: readonly Route[];
  /** Deadlines of mirrors that are written in APISIX's form, also of those that come by the Admin API. */
  readonly apisixMirrorTimeouts: Timeouts;
  /** What was accepted but has no effect here, each in one line with its place. */
  readonly notices: readonly string[];
}
