// How much of the machine others used while something was measured: processes that are not the benchmark's, and
// the host under a virtual machine.
//
// Tells a disturbed measurement from a slow one without looking at what was measured.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasThreadFigures, readTreeCpuNs } from './threads.ts';

/** USER_HZ, which Linux promises to programs whatever its own clock does. */
const TICK_NS = 10_000_000;

/** More than this of the machine used by others disturbs what is measured. */
const DISTURBED_SHARE = 0.08;
const WATCH_MS = 200;

export interface Reading {
  readonly atNs: number;
  /** Of all processors together. */
  readonly idleNs: number;
  readonly ownNs: number;
}

export class Surroundings {
  /** Measurements that were kept although disturbed, and all that were kept. */
  disturbed = 0;
  measured = 0;
  #patienceMs: number;
  #wasCalm = false;

  /** Waits for others no longer than so many milliseconds, all in all. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /**
   * Measures while others are quiet: waits for that, and measures anew when it was disturbed, as long as there is
   * patience left. What decides is the others' use of the machine, never the result.
   */
  async measure<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      if (!this.#wasCalm) await this.#untilCalm();
      const before = this.read();
      const result = await work();
      this.#wasCalm = this.othersShare(before) <= DISTURBED_SHARE;
      if (!this.#wasCalm && this.#patienceMs > 0) {
        this.#patienceMs -= (performance.now() * 1e6 - before.atNs) / 1e6;
        continue;
      }
      this.measured++;
      if (!this.#wasCalm) this.disturbed++;
      return result;
    }
  }

  async #untilCalm(): Promise<void> {
    while (this.#patienceMs > 0) {
      const before = this.read();
      await sleep(WATCH_MS);
      if (this.othersShare(before) <= DISTURBED_SHARE) return;
      this.#patienceMs -= WATCH_MS;
    }
  }

  read(): Reading {
    const atNs = performance.now() * 1e6;
    if (!hasThreadFigures) return { atNs, idleNs: 0, ownNs: 0 };
    // "cpu user nice system idle iowait ...", in ticks (proc(5)).
    const fields = readFileSync('/proc/stat', 'latin1').split('\n')[0]!.split(/ +/);
    const idleNs = (Number(fields[4]) + Number(fields[5])) * TICK_NS;
    return { atNs, idleNs, ownNs: readTreeCpuNs(process.pid) };
  }

  /** Share of the machine that others have used since then, 0 to 1; about 0.02 is the precision of half a second. */
  othersShare(since: Reading): number {
    if (!hasThreadFigures) return 0;
    const now = this.read();
    const capacityNs = (now.atNs - since.atNs) * availableParallelism();
    const othersNs = capacityNs - (now.idleNs - since.idleNs) - (now.ownNs - since.ownNs);
    return Math.max(0, othersNs / capacityNs);
  }
}
