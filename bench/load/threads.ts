// Processes and their threads as Linux shows them under /proc: which there are, and what each has used.
//
// Elsewhere there is no such view, and these figures are left out of the results.

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

/** The process and all that it has started, and they in turn. */
export function readTree(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readText(`/proc/${name}/stat`);
    // The parent is the second field after the name's closing bracket (proc(5)).
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const tree = [pid];
  for (const member of tree) for (const [child, parent] of parents) if (parent === member) tree.push(child);
  return tree;
}

/** USER_HZ, which Linux promises to programs whatever its own clock does. */
const TICK_NS = 10_000_000;

/** CPU time of a process and all that it has started, those that have ended included. */
export function readTreeCpuNs(pid: number): number {
  return readTree(pid).reduce((total, member) => {
    const stat = readText(`/proc/${member}/stat`);
    // cutime and cstime: children that ended and were waited for, with theirs.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ended = Number(fields[13] ?? 0) + Number(fields[14] ?? 0);
    return total + readProcessCpuNs(member) + ended * TICK_NS;
  }, 0);
}

/** Largest amount of memory that the process has held so far, in bytes (VmHWM of proc(5)). */
export function readPeakBytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** Empty when the process has just ended. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
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
  for (const tid of existsSync(`/proc/${pid}/task`) ? readdirSync(`/proc/${pid}/task`) : [])
    total += pick(readSchedstat(pid, Number(tid)));
  return total;
}

/** Of all threads of a gateway, these alone are nice. */
export function isMirrorThread({ nice }: ThreadUse, threads: readonly ThreadUse[]): boolean {
  return nice > Math.min(...threads.map((thread) => thread.nice));
}

/**
 * The front-end threads: by their name, or else those that did most between the two readings among those of ordinary
 * priority. The control thread sleeps under load and mirror threads are nice, so that is not a guess.
 */
export function findFrontends(
  before: readonly ThreadUse[],
  after: readonly ThreadUse[],
  count: number,
): ThreadUse[] {
  const named = after.filter((thread) => thread.name.startsWith(FRONTEND_NAME));
  if (named.length === count) return named;
  const used = new Map(before.map((thread) => [thread.tid, thread.cpuNs]));
  const growth = (thread: ThreadUse): number => thread.cpuNs - (used.get(thread.tid) ?? 0);
  const lowest = Math.min(...after.map((thread) => thread.nice));
  const ordinary = after.filter((thread) => thread.nice === lowest);
  return ordinary.toSorted((a, b) => growth(b) - growth(a)).slice(0, count);
}
