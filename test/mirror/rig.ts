// Real mirror threads with the memory of one front end, as the tests of the mirror thread need them.
//
// Plays the front end: writes batches, hands rules over before they are named, and balances the books at the end.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BroadcastChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import {
  DROP_REASONS,
  FAIL_REASONS,
  LaneCell,
  ProcessBook,
  RouteBook,
  type RouteEntry,
  ShadowBook,
  ShadowCell,
  UNCOMPARED_REASONS,
  writerCount,
} from '../../src/core/book.ts';
import { createClock } from '../../src/core/clock.ts';
import type { FindingsReport } from '../../src/core/findings.ts';
import type { LogEvent } from '../../src/core/log.ts';
import {
  CONCAT_REPLACE,
  type Compare,
  type DetailedDiff,
  HOST_PASS,
  METHODS_ALL,
  type Mirror,
  type Redaction,
  ROLE_CONTROL,
  ROLE_SHADOW,
  type Route,
  type Shadow,
} from '../../src/core/model.ts';
import { LimitWindow } from '../../src/core/window.ts';
import { type JobFields, PrimaryAnswer } from '../../src/mirror/job.ts';
import { Outbox } from '../../src/mirror/outbox.ts';
import { allocateRing, RingWriter } from '../../src/mirror/ring.ts';
import type { MirrorRule, MirrorTask, MirrorWorkerData } from '../../src/mirror/task.ts';
import { toHeadText } from './head.ts';

const ENTRY = fileURLToPath(new URL('../../src/mirror/worker-entry.cts', import.meta.url));
const WORKER = fileURLToPath(new URL('../../src/mirror/worker.ts', import.meta.url));
const WAIT_MS_MAX = 20_000;
const DEFAULT_HEAD = 'GET /\r\nhost: example.com\r\n';

export const clock = createClock();

/** A rule, its books, and what was sent of it. */
export interface RigRule extends MirrorRule {
  readonly books: readonly ShadowBook[];
  /** Bytes of the records that name it. */
  bytes: number;
}

export interface RigJob {
  readonly head: string;
  readonly shadows: number;
  readonly answer: PrimaryAnswer;
  readonly status: number;
  readonly stream: number;
  readonly primaryLatencyMs: number;
  readonly tappedMs: number;
  readonly body: Uint8Array[];
  readonly answerBody: Uint8Array[];
  /** Header lines of the primary's answer. */
  readonly lines: string;
}

export function toShadow(origin: string, edits: Partial<Shadow> = {}): Shadow {
  return {
    origin,
    authority: origin.replace(/^https?:\/\//, ''),
    tls: null,
    client: 'auto',
    headers: { set: [], remove: [] },
    hostHeader: HOST_PASS,
    role: ROLE_SHADOW,
    ...edits,
  };
}

/** Compares status and digest, and says so in the log. */
export const COMPARE: Compare = {
  logMismatches: true,
  detail: null,
  mask: [],
  maxMismatches: 100,
  thresholds: { minCompared: 1000, maxMismatch: 0.01, maxError: 0.01, maxP99Ratio: null },
};

export const DETAIL: DetailedDiff = {
  ignoreHeaders: ['date', 'connection', 'keep-alive', 'transfer-encoding'],
  ignoreJsonFields: [],
  unordered: [],
  tolerances: [],
  maxBodyCaptureBytes: 1024 * 1024,
};

/** Compares in detail, without a word in the log. */
export function toDetail(detail: Partial<DetailedDiff> = {}, edits: Partial<Compare> = {}): Compare {
  return { ...COMPARE, logMismatches: false, ...edits, detail: { ...DETAIL, ...detail } };
}

export function toControl(origin: string, edits: Partial<Shadow> = {}): Shadow {
  return toShadow(origin, { role: ROLE_CONTROL, ...edits });
}

export const NO_REDACTION: Redaction = { headers: [], query: [], json: [] };

export function toMirror(shadows: readonly Shadow[], edits: Partial<Mirror> = {}): Mirror {
  return {
    enabled: true,
    percentage: 100,
    sampleByHeader: null,
    shadows,
    conditions: { methods: [], headers: [], pathRegex: null, vars: null },
    path: null,
    pathConcatMode: CONCAT_REPLACE,
    timeouts: { connectMs: 2000, sendMs: 5000, readMs: 5000 },
    limit: null,
    maxBodyBytes: 8 * 1024 * 1024,
    methods: METHODS_ALL,
    maxAnswerBytes: 2 ** 30,
    redact: NO_REDACTION,
    idempotencyKey: false,
    maxInFlight: 256,
    maxQueuedBytes: 64 * 1024 * 1024,
    breaker: { failures: 1_000_000, openForMs: 10_000 },
    compare: null,
    ...edits,
  };
}

export function toRoute(id: string, mirror: Mirror): Route {
  return {
    id,
    revision: '1',
    hosts: [],
    paths: [{ match: 'prefix', path: '/' }],
    methods: [],
    remoteAddrs: [],
    vars: null,
    priority: 0,
    backends: [],
    hostHeader: HOST_PASS,
    retries: 0,
    retryTimeoutMs: null,
    timeouts: { connectMs: 1000, sendMs: 1000, readMs: 1000 },
    mirror,
  };
}

/** Polls memory that other threads write; fails after a time that no healthy run needs. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const giveUpAt = performance.now() + WAIT_MS_MAX;
  while (!condition()) {
    assert.ok(performance.now() < giveUpAt, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** An outbox whose records all go into its batch. */
export function createOutbox(): Outbox {
  return new Outbox(new RingWriter(allocateRing()));
}

interface RigLane {
  readonly pool: Piscina<MirrorTask, void>;
  readonly known: Set<number>;
  readonly batch: Outbox;
  retired: number[];
  isStopped: boolean;
}

/** Closed, and its books balanced, when the test ends; open it before the shadows that it talks to. */
export function openRig(test: TestContext, lanes = 1): Rig {
  const rig = new Rig(lanes);
  test.after(() => rig.close());
  return rig;
}

export class Rig {
  readonly logs: LogEvent[] = [];
  /** What the threads have posted, in the order of its arrival. */
  readonly reports: FindingsReport[] = [];
  readonly processBook: ProcessBook;
  readonly #writers: { readonly frontends: 1; readonly lanes: number };
  readonly #lanes: RigLane[] = [];
  readonly #rules: RigRule[] = [];
  readonly #channel: BroadcastChannel;
  readonly #findings: BroadcastChannel;

  constructor(lanes = 1) {
    this.#writers = { frontends: 1, lanes };
    this.processBook = new ProcessBook(ProcessBook.allocate(this.#writers), this.#writers);
    const logChannel = `rig-${process.pid}-${Math.random()}`;
    this.#channel = new BroadcastChannel(logChannel);
    this.#channel.onmessage = (event) => this.logs.push((event as unknown as { data: LogEvent }).data);
    const findingsChannel = `${logChannel}-findings`;
    this.#findings = new BroadcastChannel(findingsChannel);
    this.#findings.onmessage = (event) =>
      this.reports.push((event as unknown as { data: FindingsReport }).data);
    for (let lane = 0; lane < lanes; lane++) {
      const workerData: MirrorWorkerData = {
        workerFile: WORKER,
        writers: this.#writers,
        frontend: 0,
        lane,
        processBook: this.processBook.buffer,
        ring: allocateRing(),
        logChannel,
        findingsChannel,
      };
      const pool = new Piscina<MirrorTask, void>({
        filename: ENTRY,
        name: 'runTask',
        minThreads: 1,
        maxThreads: 1,
        concurrentTasksPerWorker: 32,
        atomics: 'disabled',
        idleTimeout: Number.POSITIVE_INFINITY,
        workerData,
      });
      const batch = createOutbox();
      this.#lanes.push({ pool, known: new Set(), batch, retired: [], isStopped: false });
    }
  }

  /** A rule with memory of its own, or with that of another rule, as after a reload. */
  rule(mirror: Mirror, id = 'route', memoryOf: RigRule | null = null): RigRule {
    const writers = writerCount(this.#writers);
    const shadows = mirror.shadows.map(
      (_shadow, index) => memoryOf?.entry.memory.shadows[index] ?? ShadowBook.allocate(writers),
    );
    const entry: RouteEntry = {
      route: toRoute(id, mirror),
      memory: {
        book: RouteBook.allocate(1),
        shadows,
        limit: mirror.limit === null ? null : LimitWindow.allocate(),
        cursor: new SharedArrayBuffer(4),
      },
    };
    const books = shadows.map((memory) => new ShadowBook(memory, writers));
    const rule: RigRule = { key: this.#rules.length + 1, entry, books, bytes: 0 };
    this.#rules.push(rule);
    return rule;
  }

  job(rule: RigRule, job: Partial<RigJob> = {}, lane = 0): void {
    const fields: JobFields = {
      rule: rule.key,
      shadows: job.shadows ?? 2 ** rule.books.length - 1,
      answer: job.answer ?? PrimaryAnswer.none,
      status: job.status ?? 0,
      stream: job.stream ?? 0,
      primaryLatencyMs: job.primaryLatencyMs ?? 0,
      tappedMs: job.tappedMs ?? clock(),
      lines: job.lines ?? '',
    };
    const head = job.head ?? DEFAULT_HEAD;
    rule.bytes += this.#lanes[lane]!.batch.writeJob(
      fields,
      toHeadText(head),
      job.body ?? [],
      Buffer.concat(job.answerBody ?? []),
    );
  }

  chunk(rule: RigRule, stream: number, bytes: Uint8Array): void {
    rule.bytes += this.#lanes[0]!.batch.writeChunk(rule.key, stream, bytes);
  }

  forget(rule: RigRule, stream: number): void {
    rule.bytes += this.#lanes[0]!.batch.writeForget(rule.key, stream);
  }

  /** Sends a record of a rule that the first thread was never given. */
  sendUnknown(key: number): Promise<void> {
    const writer = createOutbox();
    writer.writeForget(key, 1);
    const lane = this.#lanes[0]!;
    lane.isStopped = true;
    return lane.pool.run({ kind: 'batch', records: writer.take(), rules: [], retired: [] });
  }

  /** The next batch of every lane says that no later record names the rule. */
  retire(rule: RigRule): void {
    for (const lane of this.#lanes) if (lane.known.has(rule.key)) lane.retired.push(rule.key);
  }

  /** Sends what was written; resolves when the threads have taken it over. */
  async flush(): Promise<void> {
    await Promise.all(
      this.#lanes.map((lane) => {
        const records = lane.batch.take();
        const rules = this.#rules.filter((rule) => !lane.known.has(rule.key));
        for (const rule of rules) lane.known.add(rule.key);
        const retired = lane.retired;
        lane.retired = [];
        const plain = rules.map(({ key, entry }) => ({ key, entry }));
        return lane.pool.run({ kind: 'batch', records, rules: plain, retired }, { transferList: [records] });
      }),
    );
  }

  /** Sum of a cell over all threads. */
  count(rule: RigRule, cell: keyof typeof ShadowCell, shadow = 0): number {
    return rule.books[shadow]!.sum(ShadowCell[cell]);
  }

  waiting(): number {
    return this.processBook.sumLanes(LaneCell.waiting);
  }

  /** Stops the threads; resolves when they have answered. */
  async stop(afterMs = WAIT_MS_MAX): Promise<void> {
    const deadlineMs = clock() + afterMs;
    const running = this.#lanes.filter((lane) => !lane.isStopped);
    for (const lane of running) lane.isStopped = true;
    await Promise.all(running.map((lane) => lane.pool.run({ kind: 'stop', deadlineMs })));
  }

  /** Waits for all copies, then holds the books against each other. */
  async close(): Promise<void> {
    try {
      await this.stop();
      for (const rule of this.#rules) this.#balance(rule);
      assert.equal(this.waiting(), 0, 'copies that wait');
    } finally {
      this.#channel.close();
      this.#findings.close();
      await Promise.all(this.#lanes.map((lane) => lane.pool.destroy()));
    }
  }

  #balance(rule: RigRule): void {
    const sharing = this.#rules.filter((other) => other.books[0]!.buffer === rule.books[0]!.buffer);
    const bytes = sharing.reduce((sum, other) => sum + other.bytes, 0);
    assert.equal(this.count(rule, 'released_bytes'), bytes, 'released bytes');
    rule.books.forEach((book, shadow) => {
      const count = (cell: keyof typeof ShadowCell): number => this.count(rule, cell, shadow);
      const sum = <T extends string>(reasons: readonly T[], prefix: 'drop' | 'fail' | 'uncompared'): number =>
        reasons.reduce((total, reason) => total + count(`${prefix}_${reason}` as keyof typeof ShadowCell), 0);
      const dropped = sum(DROP_REASONS, 'drop');
      const failed = sum(FAIL_REASONS, 'fail');
      const skipped = count('skip_limit') + count('skip_unredactable');
      assert.equal(count('received'), skipped + dropped + count('sent'), 'received');
      assert.equal(count('sent'), count('answered') + failed, 'sent');
      assert.equal(book.inFlight(), 0, 'in flight');
      if (rule.entry.route.mirror?.compare == null) return;
      const uncompared = sum(UNCOMPARED_REASONS, 'uncompared');
      assert.equal(count('answered'), count('compared') + uncompared, 'answered');
      assert.equal(count('awaiting_control'), 0, 'answers that wait for their control');
    });
  }
}
