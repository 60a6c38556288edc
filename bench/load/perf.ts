// Counts instructions with `perf stat`, where the processor's counters can be used: of processes or of one thread,
// at full speed, user mode and kernel apart where the system allows it.

import { spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ProcessGroup, within } from './processes.ts';

export const USER_EVENT = 'instructions:u';
export const KERNEL_EVENT = 'instructions:k';
const ATTACH_LIMIT_MS = 5_000;
/** Between the counters being open and being on. */
const ATTACH_MARGIN_MS = 20;
const REPORT_LIMIT_MS = 5_000;

export type PerfTarget = { readonly pids: readonly number[] } | { readonly tid: number };

export interface Instructions {
  readonly user: number;
  /** NaN where only user mode may be counted. */
  readonly kernel: number;
}

/** A count under way. */
export interface PerfCount {
  stop(): Promise<Instructions>;
}

export class PerfCounter {
  readonly method: string;
  readonly #group: ProcessGroup;
  readonly #events: readonly string[];

  constructor(group: ProcessGroup, events: readonly string[]) {
    this.#group = group;
    this.#events = events;
    this.method = `perf stat, ${events.length === 2 ? 'user and kernel' : 'user mode only'}, at full speed`;
  }

  /** Resolves when the counter is on. */
  async start(target: PerfTarget): Promise<PerfCount> {
    const what = 'tid' in target ? ['-t', String(target.tid)] : ['-p', target.pids.join(',')];
    const perf = this.#group.spawn('perf', ['stat', '-x', ',', '-e', this.#events.join(','), ...what], {
      stdio: ['ignore', 'ignore', 'pipe'],
      cores: null,
    });
    let report = '';
    perf.stderr!.setEncoding('utf8').on('data', (text: string) => {
      report += text;
    });
    const ended = new Promise<void>((resolve) => perf.once('close', () => resolve()));
    await untilAttached(perf.pid!);
    return {
      stop: async () => {
        perf.kill('SIGINT');
        await within(REPORT_LIMIT_MS, 'perf stat', ended);
        const [user = Number.NaN, kernel = Number.NaN] = this.#events.map((event) =>
          parseCount(report, event),
        );
        if (!(user > 0)) throw new Error(`perf stat counted nothing:\n${report}`);
        return { user, kernel };
      },
    };
  }
}

/** Null when the machine has no counters, or lets nobody use them. */
export function createPerfCounter(group: ProcessGroup): PerfCounter | null {
  if (!isCountable(USER_EVENT)) return null;
  return new PerfCounter(group, isCountable(KERNEL_EVENT) ? [USER_EVENT, KERNEL_EVENT] : [USER_EVENT]);
}

function isCountable(event: string): boolean {
  const { status, stderr } = spawnSync('perf', ['stat', '-x', ',', '-e', event, 'true'], {
    encoding: 'utf8',
    timeout: ATTACH_LIMIT_MS,
  });
  return status === 0 && parseCount(stderr, event) > 0;
}

/** A line of `perf stat -x ,` is "count,unit,event,..."; NaN when the event was not counted. */
export function parseCount(report: string, event: string): number {
  const lines = report.split('\n').filter((text) => isEvent(text.split(',')[2] ?? '', event));
  return lines.length === 0
    ? Number.NaN
    : lines.reduce((total, line) => total + Number(line.split(',')[0]), 0);
}

/** Processors with two kinds of cores count each apart: `cpu_core/instructions:u/`. */
function isEvent(name: string, event: string): boolean {
  return name === event || name.replace(/^\w+\/(.*)\/$/, '$1') === event;
}

/** Waits until perf has opened its counters; what is counted is idle meanwhile, so a little early or late is no error. */
async function untilAttached(pid: number): Promise<void> {
  const deadline = performance.now() + ATTACH_LIMIT_MS;
  while (performance.now() < deadline) {
    if (hasCounters(pid)) return void (await sleep(ATTACH_MARGIN_MS));
    await sleep(2);
  }
  throw new Error('perf stat did not attach');
}

function hasCounters(pid: number): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((entry) => readlinkSync(`${folder}/${entry}`).includes('perf_event'));
  } catch {
    // A descriptor was closed between the two calls.
    return false;
  }
}
