// What mirror threads find out by comparing, on its way to the control thread (control/findings-store.ts).
//
// A thread gathers for a while and posts a report of bounded size; counters of the books go their own way.

import type { FieldDiff } from './diff/answer-diff.ts';

/** One exchange in which a shadow did not answer as the primary did. What is masked or redacted is so here already. */
export interface Mismatch {
  /** Unix time. */
  readonly timestampMs: number;
  readonly method: string;
  /** Raw target as the client sent it. */
  readonly target: string;
  readonly requestId: string | null;
  readonly primaryStatus: number;
  readonly shadowStatus: number;
  readonly primaryLatencyMs: number;
  readonly shadowLatencyMs: number;
  /** After noise; never empty. */
  readonly diffs: readonly FieldDiff[];
  readonly isCut: boolean;
  /** How bodies were compared, and why not in detail (core/diff/answer-diff.ts). */
  readonly bodyMethod: string;
  readonly note: string | null;
  /** Flat list: what went to the primary, without what umbra added; values of credentials are masked. */
  readonly requestHeaders: readonly string[];
  /** Null without one, or when it was not kept; `requestNote` then says why. */
  readonly requestBody: string | null;
  readonly requestNote: string | null;
}

/** Mismatches that differ in the same fields. */
export interface GroupDelta {
  /** The differing fields, sorted; at most SIGNATURE_FIELDS_MAX of them. */
  readonly fields: readonly string[];
  /** Since the last report. */
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** What was seen of one field since the last report. */
export interface FieldDelta {
  readonly field: string;
  /** Comparisons in which it differed between primary and shadow. */
  readonly differed: number;
  /** Of these: not noise. */
  readonly counted: number;
  /** Comparisons in which it differed between primary and control. */
  readonly controlDiffered: number;
  /** Of `differed`: with values on both sides that were not seen before. */
  readonly fresh: number;
}

export interface FindingsReport {
  readonly route: string;
  readonly revision: string;
  /** Origin. */
  readonly shadow: string;
  /** Unix time of the first comparison in it. */
  readonly sinceMs: number;
  /** Comparisons since the last report, and those that a control took part in. */
  readonly compared: number;
  readonly controlled: number;
  /** Comparisons in which differences were left out as noise. */
  readonly noisy: number;
  readonly groups: readonly GroupDelta[];
  /** Newest last; not every mismatch is among them. */
  readonly mismatches: readonly Mismatch[];
  readonly fields: readonly FieldDelta[];
  /** Latencies in milliseconds of comparisons, in pairs: primary, shadow, primary, shadow… Not every comparison is among them. */
  readonly latencies: Float32Array;
}

/** A field is noise of the route when it has differed from the control so often, and in such a share of the controlled comparisons. */
const NOISE_COUNT_MIN = 3;
export const NOISE_SHARE_MIN = 0.05;

export function isOftenNoise(differed: number, controlled: number): boolean {
  return differed >= NOISE_COUNT_MIN && differed >= controlled * NOISE_SHARE_MIN;
}

/** Another status is never noise of the route, nor is a body as a whole: all that goes wrong may be in there. */
export function canBeNoise(field: string): boolean {
  return field !== 'status' && field !== 'body';
}

export const SIGNATURE_FIELDS_MAX = 32;
/** Stands for groups (as their one field) and for fields that a report has no room for. */
export const OTHERS = '(others)';

/** What a mismatch is grouped by, in GroupDelta and in the store alike. */
export function toSignatureFields(diffs: readonly FieldDiff[]): string[] {
  return [...new Set(diffs.map(({ field }) => field))].sort().slice(0, SIGNATURE_FIELDS_MAX);
}
