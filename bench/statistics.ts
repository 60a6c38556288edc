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

/** How a figure compares with its baseline, over the rounds. */
export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Figures by round and, in it, by pass. Each is divided by the baseline's of the same pass; a round counts once. */
export function toRatio(
  figures: readonly (readonly number[])[],
  baseline: readonly (readonly number[])[],
): Ratio {
  const rounds = figures.map((passes, round) =>
    median(passes.map((figure, pass) => figure / baseline[round]![pass]!)),
  );
  return { median: median(rounds), lowest: Math.min(...rounds), highest: Math.max(...rounds) };
}

/** Largest distance from 1 that two identical things have shown: a smaller one must not be claimed. */
export function toSmallestClaim(identical: Ratio): number {
  return Math.max(Math.abs(identical.lowest - 1), Math.abs(identical.highest - 1));
}
