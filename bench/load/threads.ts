// The threads of a process as Linux shows them under /proc: which there are, and what each has used.
//
// Elsewhere there is no such view, and thread figures are left out of the results.

import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** How the gateway names its front-end threads, where it can. */
const FRONTEND_NAME = 'umbra-front';

export const hasThreadFigures = existsSync('/proc/self/task') && existsSync('/proc/self/schedstat');

export interface ThreadUse {
  readonly tid: number;
  readonly name: string;
  /** 0 is ordinary, 19 is most patient. */
  readonly nice: number;
  readonly cpuNs: number;
}

export function readCpuNs(pid: number, tid: number): number {
  return readSchedstat(pid, tid)[0]!;
}

/** "on-CPU ns, waiting ns, slices" (Documentation/scheduler/sched-stats.rst); zeros for a thread that has ended. */
function readSchedstat(pid: number, tid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'latin1').split(' ').map(Number);
  } catch {
    return [0, 0, 0];
  }
}

/** In the order in which the threads were started. */
export function readThreads(pid: number): ThreadUse[] {
  const tids = readdirSync(`/proc/${pid}/task`)
    .map(Number)
    .sort((a, b) => a - b);
  return tids.map((tid) => {
    const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, 'latin1');
    // The name may hold anything, so fields are counted from its closing bracket; nice is field 19 (proc(5)).
    const end = stat.lastIndexOf(')');
    const nice = Number(stat.slice(end + 2).split(' ')[16]);
    return { tid, name: stat.slice(stat.indexOf('(') + 1, end), nice, cpuNs: readCpuNs(pid, tid) };
  });
}

/** CPU time of all threads that are alive, in ns. */
export function readProcessCpuNs(pid: number): number {
  return sumSchedstat(pid, ([cpuNs]) => cpuNs!);
}

/** The same with the time for which they waited for a processor: it stands still only when they want nothing. */
export function readProcessDemandNs(pid: number): number {
  return sumSchedstat(pid, ([cpuNs, waitedNs]) => cpuNs! + waitedNs!);
}

function sumSchedstat(pid: number, pick: (fields: readonly number[]) => number): number {
  let total = 0;
  for (const tid of readdirSync(`/proc/${pid}/task`)) total += pick(readSchedstat(pid, Number(tid)));
  return total;
}

/**
 * The one front-end thread: by its name, or else the thread that did most between the two readings among those of
 * ordinary priority. The control thread sleeps under load and mirror threads are nice, so that is not a guess.
 */
export function findFrontend(before: readonly ThreadUse[], after: readonly ThreadUse[]): ThreadUse {
  const named = after.filter((thread) => thread.name.startsWith(FRONTEND_NAME));
  if (named.length === 1) return named[0]!;
  const used = new Map(before.map((thread) => [thread.tid, thread.cpuNs]));
  const growth = (thread: ThreadUse): number => thread.cpuNs - (used.get(thread.tid) ?? 0);
  const lowest = Math.min(...after.map((thread) => thread.nice));
  const ordinary = after.filter((thread) => thread.nice === lowest);
  return ordinary.toSorted((a, b) => growth(b) - growth(a))[0]!;
}
