// What a run found, by row and figure: medians over rounds, and ratios between rows of the same run.
//
// The report, the guards and the plots ask here and nowhere else, so that they cannot disagree.

import { median, quantile, type Ratio, toRatio } from '../statistics.ts';
import type { InstructionRow } from './instructions.ts';
import type { BusySlice, RateSlice, RoundFigures, RowFigures } from './rounds.ts';
import type { Row } from './rows.ts';

/** How each figure is read from a round: one number for each pass. The names are what guards use. */
const READERS = {
  p50: rate((slice) => slice.p50Us),
  p90: rate((slice) => slice.p90Us),
  p99: rate((slice) => slice.p99Us),
  late_p99: rate((slice) => slice.lateP99Us),
  frontend_cpu_at_rate: rate((slice) => slice.frontendCpuUs),
  copies_at_rate: rate((slice) => slice.copiesShare),
  requests_per_second: busy((slice) => slice.requestsPerSecond),
  cpu: busy((slice) => slice.cpuUs),
  frontend_cpu: busy((slice) => slice.frontendCpuUs),
  user_instructions: busy((slice) => slice.userInstructions),
  kernel_instructions: busy((slice) => slice.kernelInstructions),
  copies: busy((slice) => slice.copiesShare),
  peak_bytes: ({ peakBytes }: RoundFigures) => [peakBytes > 0 ? peakBytes : Number.NaN],
} as const;

export type FigureName = keyof typeof READERS | 'frontend_instructions';

export const FIGURE_NAMES: readonly string[] = [...Object.keys(READERS), 'frontend_instructions'];

function rate(read: (slice: RateSlice) => number): (round: RoundFigures) => number[] {
  return (round) => round.rate.map(read);
}

function busy(read: (slice: BusySlice) => number): (round: RoundFigures) => number[] {
  return (round) => round.busy.map(read);
}

export class Findings {
  readonly rows: readonly Row[];
  readonly #figures: ReadonlyMap<string, RowFigures>;
  readonly #instructions: readonly InstructionRow[];

  /** `instructions`: those of a counter that does not run in the rounds; empty when that is not needed. */
  constructor(figures: readonly RowFigures[], instructions: readonly InstructionRow[]) {
    this.rows = figures.map(({ row }) => row);
    this.#figures = new Map(figures.map((entry) => [entry.row.name, entry]));
    this.#instructions = instructions;
  }

  has(row: string): boolean {
    return this.#figures.has(row);
  }

  /** Median over passes and rounds; NaN when it was not measured. */
  figure(row: string, name: FigureName): number {
    const rounds = this.#rounds(row, name).filter((passes) => passes.length > 0);
    return rounds.length === 0 ? Number.NaN : median(rounds.map(median));
  }

  /** To the other row, in the same pass of the same round; NaN when either was not measured. */
  ratio(row: string, baseline: string, name: FigureName): Ratio {
    const figures = this.#rounds(row, name);
    const base = this.#rounds(baseline, name);
    // A counter that does not run in the rounds has not counted every row.
    const isThere =
      figures.length > 0 &&
      figures.length === base.length &&
      figures.every((passes, round) => passes.length > 0 && passes.length <= base[round]!.length);
    if (!isThere) return { median: Number.NaN, lowest: Number.NaN, highest: Number.NaN };
    return toRatio(figures, base);
  }

  /** Over all requests of the run at the fixed rate, in µs; infinite when the answer never came. */
  latency(row: string, share: number): number {
    const latencies = this.latencies(row);
    return latencies.length === 0 ? Number.NaN : quantile(latencies, share);
  }

  latencies(row: string): readonly number[] {
    return this.#figures.get(row)?.latenciesUs ?? [];
  }

  #rounds(row: string, name: FigureName): number[][] {
    const entry = this.#figures.get(row);
    if (name !== 'frontend_instructions') return entry?.rounds.map(READERS[name]) ?? [];
    const counted = this.#instructions.find((other) => other.row === row);
    if (counted !== undefined) return [[median(counted.perRequest)]];
    return entry?.rounds.map((round) => round.busy.map((slice) => slice.frontendInstructions)) ?? [];
  }
}
