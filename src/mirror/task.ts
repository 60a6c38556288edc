// What goes to a mirror thread by message: piscina's tasks, and what the thread is given at its start.
//
// Messages are the long way, since each wakes a thread: rules, records that do not fit the ring, the end.

import type { RouteEntry, Writers } from '../core/book.ts';

/** A route's mirror as a mirror thread knows it. The key is unique in the process and never used again. */
export interface MirrorRule {
  readonly key: number;
  /** Its route has a mirror. */
  readonly entry: RouteEntry;
}

/** A piscina task. Answered with nothing as soon as the records are taken over, not when they are sent. */
export interface Batch {
  readonly kind: 'batch';
  readonly records: ArrayBuffer;
  /** Rules that this mirror thread has not been given yet and that records here or later name. */
  readonly rules: readonly MirrorRule[];
  /** Keys that no later record names. */
  readonly retired: readonly number[];
}

/** A piscina task, the last one. Answered when all copies have ended, or at the deadline after dropping the rest. */
export interface Stop {
  readonly kind: 'stop';
  /** On core/clock.ts. */
  readonly deadlineMs: number;
}

/** A piscina task: the thread has parked, and there is something in the ring. Answered at once. */
export interface Wake {
  readonly kind: 'wake';
}

export type MirrorTask = Batch | Wake | Stop;

/** What piscina gives a mirror thread at its start. */
export interface MirrorWorkerData {
  /** The thread's module; it exports `runTask(task: MirrorTask)`. */
  readonly workerFile: string;
  readonly writers: Writers;
  readonly frontend: number;
  readonly lane: number;
  readonly processBook: SharedArrayBuffer;
  /** ring.ts */
  readonly ring: SharedArrayBuffer;
  readonly logChannel: string;
  /** BroadcastChannel for what comparing finds out (core/findings.ts). */
  readonly findingsChannel: string;
}
