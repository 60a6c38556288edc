// Medians, percentiles and spreads: the only arithmetic that the benchmarks' claims rest on.
//
// Nothing here smooths or drops a value. What is compared is compared within one round, as a ratio.

/** Nearest-rank quantile, `share` from 0 to 1. */
export function quantile(values: Float64Array | readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('a quantile of nothing');
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('a median of nothing');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How a figure compares with its baseline, round by round. */
export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Both arrays hold one figure per round, in the same order. */
export function toRatio(figures: readonly number[], baseline: readonly number[]): Ratio {
  const ratios = figures.map((figure, round) => figure / baseline[round]!);
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}

/** Largest distance from 1 that two identical things have shown: a smaller one must not be claimed. */
export function toSmallestClaim(identical: Ratio): number {
  return Math.max(Math.abs(identical.lowest - 1), Math.abs(identical.highest - 1));
}
