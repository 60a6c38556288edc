// GET /mirrors/{route}/verdict: may one switch to the shadow?
//
// Turns what was counted since the verdict began into the object that is answered (docs/verdict.md). Only reads: counters
// are the books' (core/book.ts), their beginning and the latencies the findings store's. Work is bounded by the pairs that
// are kept of each shadow.

import {
  type BreakerStateName,
  DROP_REASONS,
  type DropReason,
  FAIL_REASONS,
  type FailReason,
  RouteWord,
  ShadowCell,
  SKIP_REASONS,
  type SkipReason,
  UNCOMPARED_REASONS,
  type UncomparedReason,
} from '../../core/book.ts';
import { type Mirror, ROLE_CONTROL, type Thresholds } from '../../core/model.ts';
import type { RouteFindings } from '../findings/route-findings.ts';
import type { LedgerRow } from '../ledger.ts';
import { readBreakerState, toCounts } from '../mirrors.ts';
import { joinPairs, type Latency, toLatency } from './latency.ts';
import { checkNoise, findNoise } from './noise.ts';
import {
  CHECK_NAMES,
  type Check,
  judge,
  type Result,
  type Tally,
  toExcess,
  toResult,
  toRounded,
  toShare,
} from './rules.ts';
import { type Circumstances, type Sample, sumOf, toWarnings } from './warnings.ts';

/** Failures that are umbra's own say nothing of the shadow. */
const OWN_FAILURES: readonly FailReason[] = ['worker_lost', 'shutdown'];
const SHADOW_FAILURES = FAIL_REASONS.filter((reason) => !OWN_FAILURES.includes(reason)).map(
  (reason) => ShadowCell[`fail_${reason}`],
);

/** Reasons to drop a copy that are umbra's, and leave a gap in what is compared; those of the breaker are the shadow's. */
const OWN_DROPS = [ShadowCell.drop_queue_full, ShadowCell.drop_overload, ShadowCell.drop_worker_lost];
const SKIPS = SKIP_REASONS.map((reason) => ShadowCell[`skip_${reason}`]);

const DROPS = DROP_REASONS.map((reason) => ShadowCell[`drop_${reason}`]);
const FAILURES = FAIL_REASONS.map((reason) => ShadowCell[`fail_${reason}`]);
const UNCOMPARED = UNCOMPARED_REASONS.map((reason) => ShadowCell[`uncompared_${reason}`]);

const BADNESS = { not_judged: 0, pass: 1, insufficient: 2, fail: 3 } as const satisfies Record<
  Check['result'],
  number
>;

interface ErrorShare extends Tally {
  readonly share: number | null;
}

/** Shares are 0 to 1, and null without data; bounds are those of 95 % on their side. */
export interface VerdictFigures {
  readonly result: Result;
  readonly compared: number;
  readonly mismatched: number;
  readonly mismatch_share: number | null;
  readonly mismatch_upper: number;
  readonly mismatch_lower: number;
  readonly noise: { readonly comparisons: number; readonly fields: readonly string[] };
  readonly errors: {
    readonly shadow: ErrorShare;
    readonly primary: ErrorShare;
    readonly excess: number | null;
    readonly excess_upper: number;
    readonly excess_lower: number;
  };
  readonly latency_ms: Latency;
  readonly matched: number;
  readonly sent: number;
  readonly skipped: Record<SkipReason, number>;
  readonly dropped: Record<DropReason, number>;
  readonly failed: Record<FailReason, number>;
  readonly uncompared: Record<UncomparedReason, number>;
  readonly checks: readonly Check[];
  /** Why the result may not be what it seems; each one line. */
  readonly warnings: readonly string[];
}

export interface Verdict extends VerdictFigures {
  readonly route: string;
  readonly revision: string;
  /** RFC 3339. */
  readonly since: string;
  readonly thresholds: {
    readonly min_compared: number;
    readonly max_mismatch: number;
    readonly max_error: number;
    readonly max_p99_ratio: number | null;
  };
  readonly shadows: Record<string, VerdictFigures>;
}

/** The verdict on a route that compares. */
export function toVerdict(
  row: LedgerRow,
  mirror: Mirror,
  findings: RouteFindings,
  thresholds: Thresholds,
): Verdict {
  const { route } = row.entry;
  const control = mirror.shadows.find(({ role }) => role === ROLE_CONTROL)?.origin;
  const circumstances = {
    mirror,
    countControl: control === undefined ? null : (cell: number) => findings.since(control, cell),
    isPaused: Atomics.load(row.book.words, RouteWord.paused) === 1,
  };
  const others = row.shadows.filter((_, place) => mirror.shadows[place]!.role !== ROLE_CONTROL);
  const samples = others.map(({ origin, book }) => readSample(origin, readBreakerState(book), findings));
  const shadows = samples.map((sample, place) => {
    const warnings = toWarnings(sample, circumstances);
    const figures = toFigures(
      sample,
      thresholds,
      control !== undefined,
      warnings,
      toObstacles(sample, circumstances),
    );
    return [others[place]!.origin, figures] as const;
  });
  const all = shadows.map(([, figures]) => figures);
  const together = all.length === 1 ? all[0]! : toTogether(samples, shadows, thresholds);
  return {
    route: route.id,
    revision: route.revision,
    since: new Date(findings.sinceMs).toISOString(),
    ...together,
    thresholds: {
      min_compared: thresholds.minCompared,
      max_mismatch: thresholds.maxMismatch,
      max_error: thresholds.maxError,
      max_p99_ratio: thresholds.maxP99Ratio,
    },
    shadows: Object.fromEntries(shadows),
  };
}

/** What keeps copies from the shadow now. */
function toObstacles({ breaker }: Sample, { mirror, isPaused }: Circumstances): string[] {
  const obstacles: string[] = [];
  if (!mirror.enabled) obstacles.push('the mirror is switched off');
  else if (mirror.percentage === 0) obstacles.push('0 % of the requests are mirrored');
  if (isPaused) obstacles.push('the mirror is paused');
  if (breaker === 'open')
    obstacles.push('the breaker is open: the shadow failed too often and gets no copies');
  if (breaker === 'half_open') {
    obstacles.push('the breaker is half open: the shadow failed too often and gets few copies');
  }
  return obstacles;
}

function readSample(origin: string, breaker: BreakerStateName, findings: RouteFindings): Sample {
  return {
    count: (cell) => findings.since(origin, cell),
    countAll: (cell) => findings.sum(origin, cell),
    told: findings.told(origin),
    pairs: findings.pairs(origin),
    tables: [findings.verdictTables.get(origin)].filter((table) => table !== undefined),
    breaker,
  };
}

/** The route passes when each of its shadows does, whatever their sums say. */
function toTogether(
  samples: readonly Sample[],
  shadows: readonly (readonly [string, VerdictFigures])[],
  thresholds: Thresholds,
): VerdictFigures {
  const sum: Sample = {
    count: (cell) => samples.reduce((total, sample) => total + sample.count(cell), 0),
    countAll: (cell) => samples.reduce((total, sample) => total + sample.countAll(cell), 0),
    told: {
      compared: samples.reduce((total, { told }) => total + told.compared, 0),
      mismatched: samples.reduce((total, { told }) => total + told.mismatched, 0),
      noisy: samples.reduce((total, { told }) => total + told.noisy, 0),
      others: samples.reduce((total, { told }) => total + told.others, 0),
    },
    pairs: joinPairs(samples.map(({ pairs }) => pairs)),
    tables: samples.flatMap((sample) => sample.tables),
    breaker: 'closed',
  };
  const warnings = shadows.flatMap(([origin, figures]) =>
    figures.warnings.map((warning) => `${origin}: ${warning}`),
  );
  return {
    // The checks are the worst ones: those of the sums are not looked at.
    ...toFigures(sum, thresholds, false, warnings, []),
    result: toResult(shadows.map(([, { result }]) => result)),
    checks: CHECK_NAMES.map((_, place) => findWorst(shadows, place)),
  };
}

/** The worst shadow's check, with its origin in the text. */
function findWorst(shadows: readonly (readonly [string, VerdictFigures])[], place: number): Check {
  const checks = shadows.map(([origin, { checks }]) => {
    const check = checks[place]!;
    return { ...check, text: `${origin}: ${check.text}` };
  });
  return checks.reduce((worst, check) => (BADNESS[check.result] > BADNESS[worst.result] ? check : worst));
}

function toFigures(
  sample: Sample,
  thresholds: Thresholds,
  hasControl: boolean,
  warnings: readonly string[],
  obstacles: readonly string[],
): VerdictFigures {
  const { count } = sample;
  const latency = toLatency(sample.pairs);
  const compared = count(ShadowCell.compared);
  const failures = sumOf(count, SHADOW_FAILURES);
  const ended = count(ShadowCell.answered) + failures;
  // A shadow that is down gets nearly nothing: its breaker must not make it look well.
  const spared = count(ShadowCell.drop_breaker_open);
  const mismatches = toTally(sample.told.mismatched, sample.told.compared);
  const shadowErrors = toTally(failures + count(ShadowCell.answered_5xx) + spared, ended + spared);
  const primaryErrors = toTally(count(ShadowCell.primary_errors), ended);
  const checks = [
    ...judge(
      {
        mismatches,
        shadowErrors,
        spared,
        primaryErrors,
        dropped: toTally(sumOf(count, OWN_DROPS), count(ShadowCell.matched) - sumOf(count, SKIPS)),
        open: countOpen(sample),
        waiting: Math.max(0, sample.countAll(ShadowCell.awaiting_control)),
        uncompared: toTally(sumOf(count, UNCOMPARED), count(ShadowCell.answered)),
        untold: toTally(Math.max(0, compared - sample.told.compared - sample.told.others), compared),
        obstacles,
        pairs: latency.pairs,
        primaryP99Ms: latency.primary.p99,
        shadowP99Ms: latency.shadow.p99,
      },
      thresholds,
    ),
    checkNoise(sample.tables, hasControl, thresholds.maxMismatch),
  ];
  const mismatch = toShare(mismatches);
  const excess = toExcess(shadowErrors, primaryErrors);
  return {
    result: toResult(checks.map(({ result }) => result)),
    compared: mismatches.of,
    mismatched: mismatches.count,
    mismatch_share: toRounded(mismatch.share),
    mismatch_upper: toRounded(mismatch.upper),
    mismatch_lower: toRounded(mismatch.lower),
    noise: { comparisons: sample.told.noisy, fields: findNoise(sample.tables) },
    errors: {
      shadow: toErrorShare(shadowErrors),
      primary: toErrorShare(primaryErrors),
      excess: toRounded(excess.share),
      excess_upper: toRounded(excess.upper),
      excess_lower: toRounded(excess.lower),
    },
    latency_ms: latency,
    matched: count(ShadowCell.matched),
    sent: count(ShadowCell.sent),
    skipped: toCounts(SKIP_REASONS, (reason) => count(ShadowCell[`skip_${reason}`])),
    dropped: toCounts(DROP_REASONS, (reason) => count(ShadowCell[`drop_${reason}`])),
    failed: toCounts(FAIL_REASONS, (reason) => count(ShadowCell[`fail_${reason}`])),
    uncompared: toCounts(UNCOMPARED_REASONS, (reason) => count(ShadowCell[`uncompared_${reason}`])),
    checks: checks.map((check) => ({
      ...check,
      value: toRounded(check.value),
      bound: toRounded(check.bound),
    })),
    warnings,
  };
}

/**
 * Copies that are due and have not come to an end, whenever they were decided on: they wait for the primary's answer, for
 * room, or for the shadow.
 */
function countOpen({ countAll }: Sample): number {
  const ended = countAll(ShadowCell.answered) + sumOf(countAll, FAILURES);
  const kept = sumOf(countAll, SKIPS) + sumOf(countAll, DROPS);
  return Math.max(0, countAll(ShadowCell.matched) - kept - ended);
}

/** Counters are read one after the other while threads write them: a part must not come out above its whole. */
function toTally(count: number, of: number): Tally {
  return { count: Math.min(count, of), of };
}

function toErrorShare(tally: Tally): ErrorShare {
  return { share: toRounded(tally.of === 0 ? null : tally.count / tally.of), ...tally };
}
