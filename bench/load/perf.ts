// Counts a thread's instructions with `perf stat`, where the processor's counters can be used.
//
// The gateway runs by itself, at full speed; kernel work is counted too where the system allows it.

import { spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { NATIVE } from './gateway.ts';
import type { CounterSession, InstructionCounter } from './instructions.ts';
import { type ProcessGroup, within } from './processes.ts';

const USER_EVENT = 'instructions:u';
const KERNEL_EVENT = 'instructions:k';
const ATTACH_LIMIT_MS = 5_000;
/** Between the counters being open and being on. */
const ATTACH_MARGIN_MS = 100;
const REPORT_LIMIT_MS = 5_000;

export function createPerfCounter(group: ProcessGroup): InstructionCounter | null {
  if (!isCountable(USER_EVENT)) return null;
  const hasKernel = isCountable(KERNEL_EVENT);
  const events = hasKernel ? [USER_EVENT, KERNEL_EVENT] : [USER_EVENT];
  return {
    method: `perf stat -t TID, ${hasKernel ? 'user and kernel' : 'user mode only'}, at full speed`,
    launcher: NATIVE,
    open: async (_gateway, tid) => openSession(group, events, tid),
  };
}

function isCountable(event: string): boolean {
  const { status, stderr } = spawnSync('perf', ['stat', '-x', ',', '-e', event, 'true'], {
    encoding: 'utf8',
    timeout: ATTACH_LIMIT_MS,
  });
  return status === 0 && sumCounts(stderr) > 0;
}

/** Adds up what `perf stat -x ,` wrote: the count is a line's first field. NaN when one was not counted. */
function sumCounts(report: string): number {
  const lines = report.split('\n').filter((line) => line.includes('instructions'));
  return lines.reduce((total, line) => total + Number(line.split(',')[0]), 0);
}

function openSession(group: ProcessGroup, events: readonly string[], tid: number): CounterSession {
  return {
    async count(work) {
      const parameters = ['stat', '-x', ',', '-e', events.join(','), '-t', String(tid)];
      const perf = group.spawn('perf', parameters, { stdio: ['ignore', 'ignore', 'pipe'] });
      let report = '';
      perf.stderr!.setEncoding('utf8').on('data', (text: string) => {
        report += text;
      });
      const ended = new Promise<void>((resolve) => perf.once('close', () => resolve()));
      await untilAttached(perf.pid!);
      await work();
      perf.kill('SIGINT');
      await within(REPORT_LIMIT_MS, 'perf stat', ended);
      const count = sumCounts(report);
      if (!(count > 0)) throw new Error(`perf stat counted nothing:\n${report}`);
      return count;
    },
  };
}

/** Waits until perf has opened its counters; the thread is idle meanwhile, so a little early or late is no error. */
async function untilAttached(pid: number): Promise<void> {
  const deadline = performance.now() + ATTACH_LIMIT_MS;
  while (performance.now() < deadline) {
    if (hasCounters(pid)) return void (await sleep(ATTACH_MARGIN_MS));
    await sleep(5);
  }
  throw new Error('perf stat did not attach');
}

function hasCounters(pid: number): boolean {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).some((entry) => {
    try {
      return readlinkSync(`${folder}/${entry}`).includes('perf_event');
    } catch {
      // Closed between the two calls.
      return false;
    }
  });
}
