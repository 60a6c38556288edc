// Which processor cores the gateway may use, and which everybody else.
//
// Pinning keeps the load client, the primary and the shadow off the gateway's cores, so that what is measured is the
// gateway's own. Needs taskset and four cores; without them the system decides, and the report says so: on one core a
// gateway's threads wait for each other, which on two cores measures the scheduler (p99 of all mirrored ÷ off is 2 to 4
// with the gateway pinned to one of two cores, and 1 without).

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Lists for `taskset -c`; null when nothing is pinned. */
export interface Cores {
  readonly gateway: string;
  readonly others: string;
}

/** The gateway's must hold a front-end thread and a mirror thread. */
const CORES_MIN = 4;

/** Half of the cores each. */
export function planCores(cores: readonly number[]): Cores | null {
  if (cores.length < CORES_MIN) return null;
  const gatewayCount = cores.length >> 1;
  return {
    gateway: cores.slice(0, gatewayCount).join(','),
    others: cores.slice(gatewayCount).join(','),
  };
}

export function findCores(): Cores | null {
  const { status, stdout } = spawnSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
  if (status !== 0) return null;
  const cores = parseCoreList(stdout.slice(stdout.lastIndexOf(':') + 1));
  return cores.length === availableParallelism() ? planCores(cores) : null;
}

/** `0,2-4` as taskset writes it. */
export function parseCoreList(text: string): number[] {
  return text
    .trim()
    .split(',')
    .flatMap((part) => {
      const [first = Number.NaN, last = first] = part.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}
