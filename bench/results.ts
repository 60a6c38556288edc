// Writes what a run found under bench/results: JSON for machines, SVG for people.
//
// Latencies are written as percentiles: the whole of them is many megabytes.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import type { Findings } from './load/findings.ts';
import type { InstructionRow } from './load/instructions.ts';
import type { PaceFigures } from './load/pace.ts';
import { drawPlots } from './load/plots.ts';
import type { ProfileShares } from './load/profile.ts';
import type { RecoveryFigures } from './load/recovery.ts';
import type { RowFigures } from './load/rounds.ts';
import type { Machine } from './machine.ts';
import type { MicroRow } from './micro/micro.ts';

const RESULTS_FOLDER = join(import.meta.dirname, 'results');
const SHARES = [0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1];

export interface Results {
  readonly machine: Machine;
  readonly findings: Findings;
  readonly figures: readonly RowFigures[];
  readonly instructions: readonly InstructionRow[];
  readonly instructionMethod: string | null;
  readonly recoveries: readonly RecoveryFigures[];
  readonly paces: readonly PaceFigures[];
  readonly micro: readonly MicroRow[];
  readonly profiles: readonly ProfileShares[];
  readonly disturbed: number;
  readonly measured: number;
}

/** Returns the files, relative to where the process runs. */
export function writeResults({ findings, figures, ...rest }: Results): string[] {
  const { machine } = rest;
  const folder = join(RESULTS_FOLDER, machine.startedAt.replace(/[:.]/g, '-'));
  mkdirSync(folder, { recursive: true });
  const rows = figures.map(({ row, rounds, latenciesUs }) => ({
    ...row,
    rounds,
    requestsAtRate: latenciesUs.length,
    latencyUs: Object.fromEntries(SHARES.map((share) => [share, findings.latency(row.name, share)])),
  }));
  const files = [{ name: 'results.json', text: `${JSON.stringify({ ...rest, rows }, replacer, 2)}\n` }];
  const subtitle = `umbra ${machine.umbra}, Node ${machine.node}, ${machine.processor}, ${machine.cores} cores, ${machine.startedAt.slice(0, 10)}`;
  for (const { name, svg } of drawPlots(findings, rest.recoveries, subtitle)) {
    files.push({ name: `${name}.svg`, text: svg });
  }
  return files.map(({ name, text }) => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return relative(process.cwd(), file);
  });
}

/** JSON has no infinity, and null is what was not measured. */
function replacer(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? 'infinite' : value;
}
