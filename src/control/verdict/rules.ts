// The rules of a verdict: what the figures of a shadow come to, against what is asked of it.
//
// Pure: figures and thresholds in, checks out. Never reads a book or a clock. A check that passes or fails does so with the
// confidence of core/statistics.ts; anything in between is insufficient data, and not a pass.

import type { Thresholds } from '../../core/model.ts';
import { CONFIDENCE, toShareLower, toShareUpper } from '../../core/statistics.ts';
import { toCountText, toMsText, toNumberText, toPartText, toPercentText, toTallyText } from './text.ts';

export const PASS = 'pass';
export const FAIL = 'fail';
export const INSUFFICIENT = 'insufficient';
export const NOT_JUDGED = 'not_judged';

export type Result = typeof PASS | typeof FAIL | typeof INSUFFICIENT;

/**
 * While there are fewer comparisons than asked for, a failure must be as sure as this: verdicts are looked at again and
 * again while they come in, and a first unlucky one must not decide.
 */
export const EARLY_CONFIDENCE = 0.999;
/** Even the surest share of one or two is no more than bad luck. */
export const EARLY_COUNT_MIN = 3;
/** Of fewer pairs there is no 99th percentile. */
export const P99_PAIRS_MIN = 100;
/** What may be missing: of the copies that are due, of the answers, of the reports; and of the primary's answers what may be errors. */
export const SAMPLE_LOSS_MAX = 0.05;

/** Where a threshold is 0: copies that may be on their way, of all. There are always some while traffic comes. */
export const OPEN_SHARE_MIN = 0.001;

export const CHECK_NAMES = ['compared', 'mismatch', 'error', 'p99_ratio', 'sample', 'noise'] as const;
export type CheckName = (typeof CHECK_NAMES)[number];

/** One thing that was asked; shares are 0 to 1. */
export interface Check {
  readonly name: CheckName;
  readonly result: Result | typeof NOT_JUDGED;
  /** What was found; null without data. */
  readonly value: number | null;
  /** How bad it may be, or after a failure how good, given the data; null where no bound is reckoned. */
  readonly bound: number | null;
  readonly threshold: number | null;
  /** For people, in one line. */
  readonly text: string;
}

/** A count, and of how many. */
export interface Tally {
  readonly count: number;
  readonly of: number;
}

/** A share and its bounds, each with 95 %; null without data. */
export interface Share extends Tally {
  readonly share: number | null;
  readonly upper: number;
  readonly lower: number;
}

export interface Findings {
  readonly mismatches: Tally;
  /** Of the copies that have ended, and of those that the breaker kept from being sent. */
  readonly shadowErrors: Tally;
  /** Of these: kept back by the breaker. */
  readonly spared: number;
  /** Of the copies that have ended. */
  readonly primaryErrors: Tally;
  /** Copies that are due and have not ended, and answers that are not compared yet. Nobody knows what they come to. */
  readonly open: number;
  readonly waiting: number;
  /** Answers that had nothing to be compared with, of all. */
  readonly uncompared: Tally;
  /** Comparisons whose report has not come, of all. */
  readonly untold: Tally;
  /** Copies that umbra had no room for or lost, of those that were due. */
  readonly dropped: Tally;
  /** Why no copies, or few, are sent now; for people. */
  readonly obstacles: readonly string[];
  /** Compared pairs of latencies, and the 99th percentiles of both sides in milliseconds. */
  readonly pairs: number;
  readonly primaryP99Ms: number | null;
  readonly shadowP99Ms: number | null;
}

export function toShare({ count, of }: Tally, confidence = CONFIDENCE): Share {
  return {
    count,
    of,
    share: of === 0 ? null : count / of,
    upper: toShareUpper(count, of, confidence),
    lower: toShareLower(count, of, confidence),
  };
}

export interface Excess {
  /** The shadow's share minus the primary's; null without data. */
  readonly share: number | null;
  readonly upper: number;
  readonly lower: number;
}

/**
 * Bounds of a difference of shares from the bounds of each, by squaring and adding (R. G. Newcombe, Statistics in Medicine 17
 * (1998), method 10, here with exact bounds). It takes both sides to fail independently; where they fail at the same
 * requests the truth is nearer to the estimate than these bounds.
 */
export function toExcess(shadow: Tally, primary: Tally, confidence = CONFIDENCE): Excess {
  const ours = toShare(shadow, confidence);
  const theirs = toShare(primary, confidence);
  if (ours.share === null || theirs.share === null) return { share: null, upper: 1, lower: -1 };
  const share = ours.share - theirs.share;
  return {
    share,
    upper: share + Math.hypot(ours.upper - ours.share, theirs.share - theirs.lower),
    lower: share - Math.hypot(ours.share - ours.lower, theirs.upper - theirs.share),
  };
}

/** All but `noise` (noise.ts). */
export function judge(findings: Findings, thresholds: Thresholds): readonly Check[] {
  return [
    checkCompared(findings, thresholds),
    checkMismatch(findings, thresholds),
    checkError(findings, thresholds),
    checkP99Ratio(findings, thresholds),
    checkSample(findings),
  ];
}

/** Fails when any does, and passes only when all that are judged do. */
export function toResult(results: readonly Check['result'][]): Result {
  if (results.includes(FAIL)) return FAIL;
  return results.length === 0 || results.includes(INSUFFICIENT) ? INSUFFICIENT : PASS;
}

function checkCompared({ mismatches }: Findings, { minCompared }: Thresholds): Check {
  const isEnough = mismatches.of >= minCompared;
  const found = `${toCountText(mismatches.of)} compared`;
  return {
    name: 'compared',
    result: isEnough ? PASS : INSUFFICIENT,
    value: mismatches.of,
    bound: null,
    threshold: minCompared,
    text: isEnough ? found : `${found}, at least ${toCountText(minCompared)} are needed`,
  };
}

function checkMismatch(findings: Findings, { minCompared, maxMismatch }: Thresholds): Check {
  const { mismatches, open, waiting } = findings;
  const { count, of, share, upper, lower } = toShare(mismatches);
  const isEarly = of < minCompared;
  const sure = isEarly ? toShare(mismatches, EARLY_CONFIDENCE).lower : lower;
  // Nothing can be shown to be zero; who asks for it means none among those that were compared. One ends every hope of it.
  const isBad = maxMismatch === 0 ? count > 0 : sure > maxMismatch && hasEnough(count, isEarly);
  const isGood = maxMismatch === 0 ? of >= minCompared : upper <= maxMismatch;
  const held = toHeld(mismatches, open + waiting, 0, maxMismatch);
  const result = toCheckResult(share, isBad, isGood && held === null);
  const found = share === null ? 'nothing compared' : `${toCountText(count)} of ${toCountText(of)} differ`;
  const bounds = toBoundsText(share, { upper, lower: sure }, isGood ? PASS : result);
  return {
    name: 'mismatch',
    result,
    value: share,
    bound: result === FAIL ? sure : upper,
    threshold: maxMismatch,
    text: `${found}${bounds}; ${toPercentText(maxMismatch)} is allowed${isGood ? toHeldText(held) : ''}`,
  };
}

function checkError(findings: Findings, { minCompared, maxError }: Thresholds): Check {
  const { shadowErrors, primaryErrors } = findings;
  const { share, upper, lower } = toExcess(shadowErrors, primaryErrors);
  const isEarly = shadowErrors.of < minCompared;
  const sure = isEarly ? toExcess(shadowErrors, primaryErrors, EARLY_CONFIDENCE).lower : lower;
  // As with mismatches: none beyond those of the primary, and the first one is too much.
  const isExcess = share !== null && share > 0;
  const isBad = maxError === 0 ? isExcess : sure > maxError && hasEnough(shadowErrors.count, isEarly);
  const isGood = maxError === 0 ? shadowErrors.of >= minCompared : upper <= maxError;
  const held = toHeld(shadowErrors, findings.open, toShare(primaryErrors).share ?? 0, maxError);
  const result = toCheckResult(share, isBad, isGood && held === null);
  // A single one fails where none is allowed, and shows nothing of all traffic: then there is no bound to tell of.
  const hasBound = result !== FAIL || sure > 0;
  const bounds = hasBound ? toBoundsText(share, { upper, lower: sure }, isGood ? PASS : result) : '';
  return {
    name: 'error',
    result,
    value: share,
    bound: result !== FAIL ? upper : hasBound ? sure : null,
    threshold: maxError,
    text: `${toErrorText(findings, share)}${bounds}; ${toPercentText(maxError)} more than the primary's is allowed${isGood ? toHeldText(held) : ''}`,
  };
}

interface Held extends Tally {
  readonly allowed: number;
}

/**
 * What keeps a check from passing: copies that have not come to an end, such as those of a shadow that hangs, would be too
 * many if all of them came to a bad one. Null when they would not. `base` is the share that is granted beforehand.
 */
function toHeld({ count, of }: Tally, open: number, base: number, threshold: number): Held | null {
  const allowed = Math.max(threshold, OPEN_SHARE_MIN);
  if (open === 0 || (count + open) / (of + open) - base <= allowed) return null;
  return { count: open, of: of + open, allowed };
}

function toHeldText(held: Held | null): string {
  if (held === null) return '';
  const { count, of, allowed } = held;
  return `, and ${toPartText(count, of)} copies have not ended: with them it could be more than ${toPercentText(allowed)}`;
}

function toErrorText({ shadowErrors, spared, primaryErrors }: Findings, share: number | null): string {
  if (share === null) return 'no copy has ended';
  const breaker = spared === 0 ? '' : `, ${toCountText(spared)} of them not sent as the breaker was open`;
  // Of the same copies, as long as all of them were sent.
  const of = spared === 0 ? '' : ` of ${toCountText(primaryErrors.of)}`;
  return `errors in ${toTallyText(shadowErrors)}${breaker}, of the primary in ${toCountText(primaryErrors.count)}${of}`;
}

function hasEnough(count: number, isEarly: boolean): boolean {
  return !isEarly || count >= EARLY_COUNT_MIN;
}

function toCheckResult(share: number | null, isBad: boolean, isGood: boolean): Result {
  // Without data nothing is good, whatever is allowed.
  if (share === null) return INSUFFICIENT;
  return isBad ? FAIL : isGood ? PASS : INSUFFICIENT;
}

function checkP99Ratio(findings: Findings, { maxP99Ratio }: Thresholds): Check {
  const { pairs, primaryP99Ms, shadowP99Ms } = findings;
  const value = toRatio(primaryP99Ms, shadowP99Ms);
  const found =
    primaryP99Ms === null || shadowP99Ms === null
      ? 'no latencies'
      : `p99 ${toMsText(shadowP99Ms)}, of the primary ${toMsText(primaryP99Ms)}`;
  const check = { name: 'p99_ratio', value, bound: null, threshold: maxP99Ratio } as const;
  if (maxP99Ratio === null) return { ...check, result: NOT_JUDGED, text: found };
  if (value === null || pairs < P99_PAIRS_MIN) {
    const text = `${toCountText(pairs)} pairs of latencies, at least ${P99_PAIRS_MIN} are needed`;
    return { ...check, result: INSUFFICIENT, text };
  }
  const text = `${found}: ${toNumberText(value)} times, ${toNumberText(maxP99Ratio)} is allowed`;
  return { ...check, result: value <= maxP99Ratio ? PASS : FAIL, text };
}

/** Whether what was compared stands for the traffic at all. It never fails a shadow, but without it there is no pass. */
function checkSample({ dropped, primaryErrors, uncompared, untold, obstacles }: Findings): Check {
  const reasons = [...obstacles];
  const most = `at most ${toPercentText(SAMPLE_LOSS_MAX)} may be`;
  const limit = ({ count, of }: Tally, toText: (part: string) => string): void => {
    if (count > of * SAMPLE_LOSS_MAX) reasons.push(`${toText(toPartText(count, of))}: ${most}`);
  };
  if (dropped.of <= 0) reasons.push('no copy was due');
  limit(dropped, (part) => `${part} copies that were due found no room or were lost`);
  limit(primaryErrors, (part) => `the primary itself failed in ${part}, which tries nothing`);
  limit(uncompared, (part) => `${part} answers had nothing to be compared with`);
  limit(untold, (part) => `${part} comparisons do not count yet, or their reports are lost`);
  const found = `${toTallyText(dropped)} copies found no room or were lost, the primary failed in ${toTallyText(primaryErrors)}`;
  return {
    name: 'sample',
    result: reasons.length === 0 ? PASS : INSUFFICIENT,
    value: dropped.of <= 0 ? null : dropped.count / dropped.of,
    bound: null,
    threshold: SAMPLE_LOSS_MAX,
    text: reasons.length === 0 ? found : reasons.join('; '),
  };
}

export function toRatio(primaryP99Ms: number | null, shadowP99Ms: number | null): number | null {
  return primaryP99Ms === null || shadowP99Ms === null || primaryP99Ms <= 0
    ? null
    : shadowP99Ms / primaryP99Ms;
}

/** Which side is of interest depends on how it ended. */
function toBoundsText(
  share: number | null,
  { upper, lower }: { readonly upper: number; readonly lower: number },
  result: Result,
): string {
  if (share === null) return '';
  if (result === PASS) return ` (at most ${toPercentText(upper, 1)})`;
  if (result === FAIL) return ` (more than ${toPercentText(lower, -1)})`;
  return ` (anything from ${toPercentText(lower, -1)} to ${toPercentText(upper, 1)})`;
}

/** Six significant digits: more than any of these figures has. */
export function toRounded(value: number): number;
export function toRounded(value: number | null): number | null;
export function toRounded(value: number | null): number | null {
  return value === null || Number.isInteger(value) ? value : Number(value.toPrecision(6));
}
