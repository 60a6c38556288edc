// What the load benchmarks found, for people: two tables, the smallest difference that may be claimed, and the
// targets with what was reached.
//
// Every comparison is a ratio to `off` within the same run. No figure stands here that is not in the JSON.

import { median, quantile, type Ratio, toRatio, toSmallestClaim } from '../statistics.ts';
import { type Column, toFixed, toTable } from '../table.ts';
import type { InstructionRow } from './instructions.ts';
import type { SliceFigures, VariantFigures } from './rounds.ts';
import { HUNG, MIRROR, OFF, TWIN, type Variant } from './variants.ts';

export interface LoadResults {
  readonly variants: readonly Variant[];
  readonly ratePerSecond: number;
  readonly rateConnections: number;
  readonly busyConnections: number;
  readonly figures: readonly VariantFigures[];
  /** Empty when the machine has no way to count. */
  readonly instructions: readonly InstructionRow[];
  /** Null when there is none. */
  readonly instructionMethod: string | null;
  readonly disturbed: number;
  readonly measured: number;
}

/** Most that a ratio to `off` may be. */
const TARGETS = { instructions: 1.08, p50: 1.15, p99: 1.6 } as const;

interface Target {
  readonly title: string;
  readonly reached: number;
  readonly most: number;
  /** Smallest difference that may be claimed, as a share. */
  readonly claim: number;
}

type Load = 'rate' | 'busy';

export class LoadReport {
  readonly #results: LoadResults;

  constructor(results: LoadResults) {
    this.#results = results;
  }

  toText(): string {
    const { ratePerSecond, rateConnections, disturbed, measured } = this.#results;
    return [
      'A/A: two identical gateways, as far as this run could tell them apart. Do not claim smaller differences.',
      this.#claims(),
      'Front-end thread, per request',
      this.#costTable(),
      this.#costNotes(),
      `Latency at ${ratePerSecond} requests a second, open loop, ${rateConnections} connections (µs; client to client)`,
      this.#latencyTable(),
      '  p50 to p99: median over slices and rounds, with its ratio to off (lowest to highest round);\n' +
        '  all p99, all p99.9: of every request in the run; late p99: of the load client itself, not in the figures.\n' +
        `  ${disturbed} of ${measured} slices were disturbed by other processes.`,
      'Targets (ratio to off)',
      this.#targetTable(),
    ].join('\n\n');
  }

  #claims(): string {
    const claim = (title: string, ratio: Ratio | null): string =>
      ratio === null ? `${title} not measured` : `${title} ±${toFixed(toSmallestClaim(ratio) * 100, 1)} %`;
    const { instructions } = this.#results;
    return `  ${[
      claim('p50', this.#ratio(TWIN, 'rate', 'p50Us')),
      claim('p99', this.#ratio(TWIN, 'rate', 'p99Us')),
      claim('CPU at the rate', this.#ratio(TWIN, 'rate', 'cpuUs')),
      claim('CPU when busy', this.#ratio(TWIN, 'busy', 'cpuUs')),
      ...(instructions.length > 0 ? [claim('instructions', this.#instructionClaim())] : []),
    ].join(', ')}`;
  }

  #costTable(): string {
    const { variants, ratePerSecond, busyConnections, instructions } = this.#results;
    const connections = [...new Set(instructions.map((row) => row.connections))];
    const columns: Column<Variant>[] = [
      { title: '', cell: (variant) => variant.title },
      { title: `CPU µs at ${ratePerSecond}/s`, cell: (variant) => this.#figure(variant, 'rate', 'cpuUs', 1) },
      { title: '× off', cell: (variant) => toRatioText(this.#ratio(variant, 'rate', 'cpuUs')) },
      {
        title: `CPU µs busy (${busyConnections})`,
        cell: (variant) => this.#figure(variant, 'busy', 'cpuUs', 1),
      },
      { title: '× off', cell: (variant) => toRatioText(this.#ratio(variant, 'busy', 'cpuUs')) },
    ];
    for (const count of connections) {
      columns.push(
        {
          title: `kilo-instructions (${count})`,
          cell: (variant) => toFixed(this.#instructions(variant, count) / 1000, 1),
        },
        { title: '× off', cell: (variant) => toFixed(this.#instructionRatio(variant, count), 3) },
        {
          title: 'jobs/batch',
          cell: (variant) => toFixed(this.#row(variant, count)?.jobsPerBatch || Number.NaN, 1),
        },
      );
    }
    return toTable(columns, variants);
  }

  #costNotes(): string {
    const { instructionMethod, instructions } = this.#results;
    const lines = [
      '  CPU time: the thread’s own, from /proc/PID/task/TID/schedstat. In brackets: connections, closed loop.',
    ];
    if (instructionMethod === null) {
      lines.push('  Instructions: not counted; neither perf with hardware counters nor valgrind is there.');
    } else if (instructions.length === 0) {
      lines.push(`  Instructions: left out; a full run counts them (${instructionMethod}).`);
    } else {
      lines.push(`  Instructions: ${instructionMethod}. Median of segments.`);
    }
    const lost = instructions.filter((row) => row.copiesShare < 1);
    for (const row of lost) {
      lines.push(
        `  Beware: of ${row.variant} at ${row.connections} connections only ${toFixed(row.copiesShare * 100, 1)} % of the copies were sent.`,
      );
    }
    return lines.join('\n');
  }

  #latencyTable(): string {
    const columns: Column<Variant>[] = [{ title: '', cell: (variant) => variant.title }];
    for (const [title, key] of [
      ['p50', 'p50Us'],
      ['p90', 'p90Us'],
      ['p99', 'p99Us'],
    ] as const) {
      columns.push(
        { title, cell: (variant) => this.#figure(variant, 'rate', key, 0) },
        { title: '× off', cell: (variant) => toRatioText(this.#ratio(variant, 'rate', key)) },
      );
    }
    const pooled = (variant: Variant, share: number): string =>
      toFixed(quantile(this.#figures(variant).latenciesUs, share), 0);
    columns.push(
      { title: 'all p99', cell: (variant) => pooled(variant, 0.99) },
      { title: 'all p99.9', cell: (variant) => pooled(variant, 0.999) },
      { title: 'late p99', cell: (variant) => this.#figure(variant, 'rate', 'lateP99Us', 0) },
      {
        title: 'copies sent',
        cell: (variant) => {
          const { matched, sent } = this.#figures(variant).books;
          return matched === 0 ? '–' : `${toFixed((sent / matched) * 100, 1)} %`;
        },
      },
      {
        title: 'jobs/batch',
        cell: (variant) => {
          const { jobs, batches } = this.#figures(variant).books;
          return toFixed(jobs / batches, 1);
        },
      },
    );
    return toTable(columns, this.#results.variants);
  }

  #targetTable(): string {
    const connections = this.#results.instructions[0]?.connections ?? 0;
    const instructions = this.#instructionRatio(MIRROR, connections);
    const instructionClaim = this.#instructionClaim();
    const rows: Target[] = [
      {
        title: 'front-end instructions, all mirrored',
        reached: instructions,
        most: TARGETS.instructions,
        claim: instructionClaim === null ? 0 : toSmallestClaim(instructionClaim),
      },
      ...(['p50', 'p99'] as const).map((name) => ({
        title: `${name}, all mirrored`,
        reached: this.#ratio(MIRROR, 'rate', `${name}Us`).median,
        most: TARGETS[name],
        claim: toSmallestClaim(this.#ratio(TWIN, 'rate', `${name}Us`)),
      })),
    ];
    const columns: Column<Target>[] = [
      { title: '', cell: (row) => row.title },
      { title: 'reached', cell: (row) => toFixed(row.reached, 3) },
      { title: 'target', cell: (row) => `≤ ${toFixed(row.most, 2)}` },
      { title: '', cell: toVerdict },
    ];
    const hung = (key: 'p50Us' | 'p99Us'): string => toFixed(this.#ratio(HUNG, 'rate', key).median, 3);
    return (
      `${toTable(columns, rows)}\n` +
      `  shadow hangs: p50 ${hung('p50Us')}, p99 ${hung('p99Us')} (should be what A/A cannot tell from 1)`
    );
  }

  #figures(variant: Variant): VariantFigures {
    return this.#results.figures.find((entry) => entry.variant === variant.name)!;
  }

  #passes(variant: Variant, load: Load, key: keyof SliceFigures): number[][] {
    return this.#figures(variant).rounds.map((round) => round[load].map((slice) => slice[key]));
  }

  #figure(variant: Variant, load: Load, key: keyof SliceFigures, digits: number): string {
    return toFixed(median(this.#passes(variant, load, key).map(median)), digits);
  }

  #ratio(variant: Variant, load: Load, key: keyof SliceFigures): Ratio {
    return toRatio(this.#passes(variant, load, key), this.#passes(OFF, load, key));
  }

  #row(variant: Variant, connections: number): InstructionRow | undefined {
    return this.#results.instructions.find(
      (row) => row.variant === variant.name && row.connections === connections,
    );
  }

  #instructions(variant: Variant, connections: number): number {
    const row = this.#row(variant, connections);
    return row === undefined ? Number.NaN : median(row.perRequest);
  }

  #instructionRatio(variant: Variant, connections: number): number {
    return this.#instructions(variant, connections) / this.#instructions(OFF, connections);
  }

  /** Of the twin, over the numbers of connections; null when it was left out. */
  #instructionClaim(): Ratio | null {
    const rows = this.#results.instructions.filter((row) => row.variant === TWIN.name);
    if (rows.length === 0) return null;
    const ratios = rows.map((row) => this.#instructionRatio(TWIN, row.connections));
    return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
  }
}

/** A distance from the target that A/A shows as well is no verdict. */
function toVerdict({ reached, most, claim }: Target): string {
  if (Number.isNaN(reached)) return 'not measured';
  if (Math.abs(reached / most - 1) < claim) return 'too close to tell';
  return reached <= most ? 'met' : 'missed';
}

function toRatioText(ratio: Ratio): string {
  if (Number.isNaN(ratio.median)) return '–';
  const [middle, lowest, highest] = [ratio.median, ratio.lowest, ratio.highest].map((value) =>
    toFixed(value, 2),
  );
  return lowest === highest ? middle! : `${middle} (${lowest} to ${highest})`;
}
