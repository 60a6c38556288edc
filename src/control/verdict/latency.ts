// What a verdict says of latencies: both sides, and by how much the shadow differs for the same request.
//
// Pure. Sorts what it is given, so its work is bounded by the pairs that are kept of a shadow.

import { toQuantile, toQuantileInterval } from '../../core/statistics.ts';
import { PAIRS_MAX } from '../findings/pair-ring.ts';
import { toRatio, toRounded } from './rules.ts';

interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface Latency {
  readonly pairs: number;
  readonly primary: Percentiles;
  readonly shadow: Percentiles;
  /** Shadow minus primary of each pair: the median with its bootstrap interval of 95 %, and the 99th percentile. */
  readonly difference: {
    readonly median: number | null;
    readonly low: number | null;
    readonly high: number | null;
    readonly p99: number | null;
  };
  readonly p99_ratio: number | null;
}

/** Of pairs of milliseconds: primary, shadow, primary, shadow… */
export function toLatency(pairs: Float32Array): Latency {
  const size = pairs.length >>> 1;
  const primary = new Float32Array(size);
  const shadow = new Float32Array(size);
  const difference = new Float32Array(size);
  for (let pair = 0; pair < size; pair++) {
    primary[pair] = pairs[2 * pair]!;
    shadow[pair] = pairs[2 * pair + 1]!;
    difference[pair] = shadow[pair]! - primary[pair]!;
  }
  for (const samples of [primary, shadow, difference]) samples.sort();
  const [ours, theirs] = [toPercentiles(shadow), toPercentiles(primary)];
  const interval = size === 0 ? null : toQuantileInterval(difference, 0.5);
  return {
    pairs: size,
    primary: theirs,
    shadow: ours,
    difference: {
      median: toQuantileMs(difference, 0.5),
      low: interval === null ? null : toRoundedMs(interval.low),
      high: interval === null ? null : toRoundedMs(interval.high),
      p99: toQuantileMs(difference, 0.99),
    },
    p99_ratio: toRounded(toRatio(theirs.p99, ours.p99)),
  };
}

/** A systematic sample of no more pairs than one shadow has, so that many shadows do not take longer to sort. */
export function joinPairs(samples: readonly Float32Array[]): Float32Array {
  const total = samples.reduce((sum, pairs) => sum + pairs.length / 2, 0);
  const stride = Math.max(1, Math.ceil(total / PAIRS_MAX));
  const joined: number[] = [];
  for (const pairs of samples) {
    for (let at = 0; at < pairs.length; at += 2 * stride) joined.push(pairs[at]!, pairs[at + 1]!);
  }
  return Float32Array.from(joined);
}

function toPercentiles(sorted: Float32Array): Percentiles {
  return {
    p50: toQuantileMs(sorted, 0.5),
    p95: toQuantileMs(sorted, 0.95),
    p99: toQuantileMs(sorted, 0.99),
  };
}

function toQuantileMs(sorted: Float32Array, part: number): number | null {
  return sorted.length === 0 ? null : toRoundedMs(toQuantile(sorted, part));
}

/** Whole microseconds. */
function toRoundedMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
