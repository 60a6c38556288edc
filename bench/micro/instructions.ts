// Instructions per call, counted by `perf stat` over processes that do nothing but call.
//
// Two numbers of calls, divided by their difference: start and compilation are the same in both. Counts user mode
// and all threads of the process, so collecting the calls' garbage is in it.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

const EVENT = 'instructions:u';
const REPEAT = join(import.meta.dirname, 'repeat.ts');
const PROCESS_LIMIT_MS = 60_000;
/** How long the calls of the shorter run take; the longer one makes three times as many. */
const SHORT_RUN_NS = 150e6;
const SHORT_RUN_BATCHES_MIN = 10;

const run = promisify(execFile);

/** Whether this machine's counters can be used. */
export async function canCountInstructions(): Promise<boolean> {
  return (await count(['true']).catch(() => Number.NaN)) > 0;
}

/** What a call takes beyond an empty one. `batchNs` is how long a batch takes, roughly. */
export async function countInstructions(title: string, batch: number, batchNs: number): Promise<number> {
  const batches = Math.max(SHORT_RUN_BATCHES_MIN, Math.ceil(SHORT_RUN_NS / Math.max(1, batchNs)));
  const call = await countPerCall(title, batch, batches, 'call');
  return call - (await countPerCall(title, batch, batches, 'empty'));
}

async function countPerCall(title: string, batch: number, batches: number, what: string): Promise<number> {
  const short = await count([process.execPath, REPEAT, title, String(batches), what]);
  const long = await count([process.execPath, REPEAT, title, String(3 * batches), what]);
  return (long - short) / (2 * batches * batch);
}

async function count(command: readonly string[]): Promise<number> {
  const parameters = ['stat', '-x', ',', '-e', EVENT, '--', ...command];
  return sumCounts((await run('perf', parameters, { timeout: PROCESS_LIMIT_MS })).stderr);
}

/**
 * Adds up what `perf stat -x ,` wrote: a line's first field is the count, and there is a line for each kind of core.
 * NaN when nothing was counted.
 */
export function sumCounts(report: string): number {
  const counts = report
    .split('\n')
    .filter((line) => line.includes('instructions'))
    .map((line) => Number.parseInt(line, 10))
    .filter((value) => Number.isFinite(value));
  return counts.length === 0 ? Number.NaN : counts.reduce((total, value) => total + value, 0);
}
