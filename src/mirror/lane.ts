// Hands copies to one mirror thread: the outbox, its bounds, and the piscina pool of that one thread.
//
// Records go through the ring, which costs no message; a batch goes by message when the ring is full, a record is too
// long for it, or a rule has to go ahead. Never throws, never awaits on behalf of its caller: a client must not be able to tell whether mirroring is on.
// Each pool has one thread, so that the records of one exchange meet in one place and a lost thread is known by
// the lane that lost it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { Clock } from '../core/clock.ts';
import { workerFile } from '../core/worker-file.ts';
import { Outbox } from './outbox.ts';
import { allocateRing, RingWriter } from './ring.ts';
import type { Batch, MirrorRule, MirrorTask, MirrorWorkerData, Stop, Wake } from './task.ts';

/** A batch leaves when it has this many records or bytes, or is this old. */
const RECORDS_MAX = 128;
const BATCH_BYTES_MAX = 256 * 1024;
const FLUSH_MS = 2;
/** Batches that the thread has not taken over yet; further records wait here. */
const UNDER_WAY_MAX = 8;
/** Bytes that may wait here, whatever the routes allow; over it the mirror threads are overloaded. */
const WAITING_BYTES_MAX = 128 * 1024 * 1024;
/** Rules in one message: to copy thousands at once would keep clients waiting. */
const RULES_MAX = 100;
const NICE_INCREMENT = 10;
const HEAP_MEGABYTES = 512;
const RESTART_MS = 1_000;
const STOP_MARGIN_MS = 1_000;

export interface LaneOptions {
  readonly workerData: Omit<MirrorWorkerData, 'ring'>;
  readonly clock: Clock;
  /** The thread is gone; what had been handed to it is lost. */
  readonly onLost: () => void;
  /** A thread is there (again). */
  readonly onReady: () => void;
  readonly onDefect: (error: unknown) => void;
}

const ENTRY_FILE = workerFile(import.meta.url, './worker-entry.cts');
const WAKE: Wake = { kind: 'wake' };

export class Lane {
  readonly outbox: Outbox;
  readonly #options: LaneOptions;
  readonly #ringMemory = allocateRing();
  readonly #ring = new RingWriter(this.#ringMemory);
  readonly #flushTimer: NodeJS.Timeout;
  #pool: Piscina;
  #thread: Worker | null = null;
  /** In the batch that is being written. */
  #records = 0;
  /** Batches. */
  #underWay = 0;
  #closed = false;
  #incarnation = 0;
  #timerSet = true;
  /** The thread has failed a batch and is on its way out. */
  #failing = false;
  /**
   * Batches that the thread was too busy to take, in their order; the outbox holds what came after them. Kept apart,
   * so that a backlog leaves piece by piece and never in one long copy.
   */
  #sealed: ArrayBuffer[] = [];
  #sealedBytes = 0;
  #newRules: MirrorRule[] = [];
  #retiredRules: number[] = [];
  /** Every rule that records may name, for a thread that takes the place of a lost one. */
  readonly #rules = new Map<number, MirrorRule>();
  /** A failure shows in several places; it is told once. */
  #toldDefect: unknown = null;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.outbox = new Outbox(this.#ring);
    // Fires once for nothing; after that it is only refreshed, which costs less than a new timer for each batch.
    this.#flushTimer = setTimeout(() => this.#onFlushTimer(), FLUSH_MS);
    this.#pool = this.#openPool();
  }

  /** Grows whenever a thread is lost: what was streamed to an earlier one is gone. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /** Whether more records wait than the mirror thread can be expected to get through. */
  get isOverloaded(): boolean {
    return this.#sealedBytes + this.outbox.bytes > WAITING_BYTES_MAX;
  }

  /** Whether nothing waits here. */
  get isEmpty(): boolean {
    return this.#sealed.length === 0 && this.#records === 0 && this.#ring.isEmpty;
  }

  /** For tests: batches that the thread has not taken over yet. */
  get underWay(): number {
    return this.#underWay;
  }

  /** For tests and health: the thread that serves the lane, or null while there is none. */
  get thread(): Worker | null {
    return this.#thread;
  }

  addRule(rule: MirrorRule): void {
    this.#rules.set(rule.key, rule);
    this.#newRules.push(rule);
    // No record that names it may come before it.
    this.outbox.indirect();
  }

  /** No record will name it any more, but those that wait here may. */
  retireRule(key: number): void {
    this.#retiredRules.push(key);
    // The thread closes connections that only this rule used: do not wait for the next copy.
    this.#armTimer();
  }

  /** A record was written to the outbox. */
  onRecord(): void {
    if (this.outbox.isDirect) {
      this.#wakeIfParked();
      return;
    }
    this.#records++;
    if (this.#records < RECORDS_MAX && this.outbox.bytes < BATCH_BYTES_MAX) this.#armTimer();
    else if (this.#newRules.length > RULES_MAX) this.#armTimer();
    else if (this.#canSend) this.#send();
    else this.#seal();
  }

  /** Sends what waits, lets the thread finish for so long, then ends it. */
  async stop(graceMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#flushTimer);
    if (this.#thread !== null && !this.#failing) {
      while (this.#sealed.length > 0 || this.#records > 0) this.#send();
      const stop: Stop = { kind: 'stop', deadlineMs: this.#options.clock() + graceMs };
      const answered = this.#pool.run(stop).catch(this.#options.onDefect);
      // A thread that hangs is not waited for much longer than it was told.
      await Promise.race([answered, sleep(graceMs + STOP_MARGIN_MS, undefined, { ref: false })]);
    }
    const thread = this.#thread;
    const exited = thread === null ? null : new Promise((resolve) => thread.once('exit', resolve));
    await this.#pool.destroy();
    await exited;
    this.#lose();
  }

  /** A thread on its way out needs no waking, and its successor must not be woken in its place. */
  #wakeIfParked(): void {
    if (!this.#failing && !this.#closed && this.#ring.takeParked()) this.#run(WAKE);
  }

  #armTimer(): void {
    if (this.#timerSet || this.#closed) return;
    this.#timerSet = true;
    this.#flushTimer.refresh();
  }

  #onFlushTimer(): void {
    this.#timerSet = false;
    this.#flush();
  }

  get #canSend(): boolean {
    return !this.#closed && this.#thread !== null && !this.#failing && this.#underWay < UNDER_WAY_MAX;
  }

  /**
   * Sends what waits, as far as the thread takes it. A batch that is not full waits for those under way: when they have
   * been taken over, it goes into the ring.
   */
  #flush(): void {
    if (this.#sealed.length === 0 && this.#underWay > 0) return;
    while (this.#canSend) {
      if (this.#sealed.length === 0 && this.#records === 0 && this.#retiredRules.length === 0) return;
      if (this.#newRules.length > RULES_MAX) {
        this.#sendRules();
        // The rest in a later turn, with the records behind them.
        this.#armTimer();
        return;
      }
      this.#send();
    }
  }

  #seal(): void {
    const records = this.outbox.take();
    this.#sealed.push(records);
    this.#sealedBytes += records.byteLength;
    this.#records = 0;
  }

  #sendRules(): void {
    const rules = this.#newRules.splice(0, RULES_MAX);
    this.#underWay++;
    this.#run({ kind: 'batch', records: new ArrayBuffer(0), rules, retired: [] });
  }

  /** Sends the oldest batch. Rules go with the first one, and are retired with the last. */
  #send(): void {
    while (this.#newRules.length > RULES_MAX) this.#sendRules();
    if (this.#sealed.length === 0) this.#seal();
    const records = this.#sealed.shift()!;
    this.#sealedBytes -= records.byteLength;
    const isLast = this.#sealed.length === 0 && this.#records === 0;
    const retired = isLast ? this.#retiredRules : [];
    const batch: Batch = { kind: 'batch', records, rules: this.#newRules, retired };
    this.#newRules = [];
    if (isLast) this.#dropRetired();
    this.#underWay++;
    this.#run(batch, [records]);
  }

  #run(task: MirrorTask, transferList: ArrayBuffer[] = []): void {
    const thread = this.#thread;
    this.#pool.run(task, { transferList }).then(
      () => {
        if (task.kind === 'batch') this.#onTaken(thread);
      },
      (error: unknown) => this.#onFailed(thread, error),
    );
  }

  #onTaken(thread: Worker | null): void {
    if (thread !== this.#thread) return;
    this.#underWay--;
    if (this.#sealed.length > 0) this.#flush();
    else if (this.#retiredRules.length > 0 || this.#newRules.length > 0 || this.#underWay > 0)
      this.#armTimer();
    else if (this.outbox.direct()) {
      this.#records = 0;
      this.#wakeIfParked();
    } else this.#armTimer();
  }

  /** The thread is gone, or it threw: then nobody knows how far it came, and it has to go. */
  #onFailed(thread: Worker | null, error: unknown): void {
    if (thread === null || thread !== this.#thread || this.#failing) return;
    this.#failing = true;
    this.#tell(error);
    void thread.terminate();
  }

  /** The thread is about to exit. Until it has, piscina would keep a batch for the thread that takes its place. */
  #onThreadError(thread: Worker, error: unknown): void {
    if (thread !== this.#thread) return;
    this.#failing = true;
    this.#tell(error);
  }

  #tell(error: unknown): void {
    if (error === this.#toldDefect) return;
    this.#toldDefect = error;
    this.#options.onDefect(error);
  }

  #openPool(): Piscina {
    const pool = new Piscina({
      filename: ENTRY_FILE,
      name: 'runTask',
      workerData: { ...this.#options.workerData, ring: this.#ringMemory } satisfies MirrorWorkerData,
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      // A wake-up and a stop come on top.
      concurrentTasksPerWorker: UNDER_WAY_MAX + 2,
      // Used by a stop alone, which sends all that waits.
      maxQueue: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
      niceIncrement: NICE_INCREMENT,
      recordTiming: false,
      workerHistogram: false,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
    });
    // Piscina tells of a thread, but not which; there is only one. A pool's first thread counts as ready at once.
    pool.on('workerCreate', () => this.#onCreate(pool));
    pool.on('error', (error: unknown) => this.#tell(error));
    return pool;
  }

  #onCreate(pool: Piscina): void {
    const thread = pool.threads[0];
    if (thread === undefined || thread === this.#thread || pool !== this.#pool) return;
    if (this.#thread !== null) {
      // It writes into the books until it has exited; they are put right before its successor begins.
      this.#thread.once('exit', () => this.#onCreate(pool));
      return;
    }
    this.#thread = thread;
    this.#failing = false;
    thread.once('error', (error: unknown) => this.#onThreadError(thread, error));
    thread.once('exit', (code) => this.#onExit(thread, code));
    this.#newRules = [...this.#rules.values()];
    this.#options.onReady();
    if (this.#sealed.length > 0 || this.#records > 0) this.#armTimer();
  }

  #onExit(thread: Worker, code: number): void {
    if (thread !== this.#thread) return;
    if (!this.#closed && !this.#failing) this.#tell(new Error(`mirror thread exited with code ${code}`));
    this.#thread = null;
    this.#lose();
    if (!this.#closed) setTimeout(() => this.#reopenIfDead(), RESTART_MS).unref();
  }

  /** Gives up whatever the thread had, and what waits here as well: simpler to tell than half of it. */
  #lose(): void {
    this.#thread = null;
    this.#incarnation++;
    this.#underWay = 0;
    this.#ring.reset();
    this.outbox.indirect();
    this.outbox.take();
    this.#records = 0;
    this.#sealed = [];
    this.#sealedBytes = 0;
    this.#dropRetired();
    this.#options.onLost();
  }

  #dropRetired(): void {
    for (const key of this.#retiredRules) this.#rules.delete(key);
    this.#retiredRules = [];
  }

  /** Piscina gives up on a thread that failed before it was ready; the lane does not. */
  #reopenIfDead(): void {
    if (this.#closed || this.#thread !== null) return;
    void this.#pool.destroy();
    this.#pool = this.#openPool();
    setTimeout(() => this.#reopenIfDead(), RESTART_MS).unref();
  }
}
