// Counts a thread's instructions with valgrind's callgrind, where the processor's own counters cannot be used.
//
// User mode only, and in slow motion: the gateway runs some forty times slower and one thread at a time. Counts
// repeat within a few percent whatever else the machine does, and agree with perf's for the same program. Warm-up
// runs with counting off, so only the steady state is counted.

import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Gateway, Launcher } from './gateway.ts';

const OUT_NAME = 'callgrind';
const COMMAND_LIMIT_MS = 20_000;
/** The front end is the only thread that runs the listener's native code. */
const FRONTEND_CODE = /^c?ob=.*uws/m;

const run = promisify(execFile);

/** How umbra is started for it. */
export const CALLGRIND: Launcher = {
  toCommand: (folder) => [
    'valgrind',
    '--tool=callgrind',
    '--separate-threads=yes',
    '--instr-atstart=no',
    // V8 rewrites code that it has made before; without this valgrind would go on running the old one.
    '--smc-check=all-non-file',
    // Threads take turns; otherwise the nice ones get hardly any.
    '--fair-sched=yes',
    `--callgrind-out-file=${join(folder, OUT_NAME)}`,
  ],
  nodeFlags: [],
  readyLimitMs: 120_000,
  isSlowed: true,
};

export const CALLGRIND_METHOD = 'valgrind --tool=callgrind, user mode only, in slow motion';

export const hasCallgrind = spawnSync('valgrind', ['--version']).status === 0;

export interface CallgrindSession {
  /** Instructions of the front-end thread while the work runs. */
  count(work: () => Promise<void>): Promise<number>;
}

/** The gateway was started by CALLGRIND, has one front-end thread, and is warmed up. */
export async function openCallgrind(gateway: Gateway): Promise<CallgrindSession> {
  await tell(gateway, 'instrumentation', 'on');
  return {
    async count(work) {
      await tell(gateway, 'zero');
      await work();
      await tell(gateway, 'dump');
      return takeCount(gateway.folder);
    },
  };
}

async function tell(gateway: Gateway, ...command: readonly string[]): Promise<void> {
  await run('vgdb', [`--pid=${gateway.pid}`, ...command], { timeout: COMMAND_LIMIT_MS });
}

/**
 * Reads the thread's count from the dump, which has a file for each thread, and removes all of it. A thread is known by what it
 * ran: valgrind's numbers for them are given anew when one has ended.
 */
function takeCount(folder: string): number {
  const dumps = readdirSync(folder).filter((name) => name.startsWith(`${OUT_NAME}.`));
  const texts = dumps.map((dump) => readFileSync(join(folder, dump), 'latin1'));
  for (const dump of dumps) rmSync(join(folder, dump));
  const [own, ...others] = texts.filter((text) => FRONTEND_CODE.test(text));
  if (own === undefined || others.length > 0)
    throw new Error(
      `callgrind saw ${own === undefined ? 'no' : 'more than one'} front-end thread: ${dumps.join(' ')}`,
    );
  return Number(/^totals: (\d+)/m.exec(own)?.[1]);
}
