// A mirror thread's work: takes jobs over from its front end, limits them, and hands their copies to the shadows.
//
// Takes a batch over at once and never makes the front end wait for a shadow. Knows every copy from the moment
// that it is received to its end, so that a stop can tell when all is done. One per thread.

import assert from 'node:assert';
import type { Hash } from 'node:crypto';
import {
  LaneCell,
  laneWriter,
  ProcessBook,
  type RouteEntry,
  ShadowBook,
  ShadowCell,
  writerCount,
} from '../core/book.ts';
import { type Clock, createClock } from '../core/clock.ts';
import { type LogSink, openLogSink } from '../core/log.ts';
import { LIMIT_LOCAL, type Limit, type Mirror } from '../core/model.ts';
import { LimitWindow } from '../core/window.ts';
import type { CreateUpstreamClient } from '../upstream/client.ts';
import { ShadowClients } from './clients.ts';
import { PrimaryStreams, readPrimary } from './comparer.ts';
import { type ExchangeRule, MirroredExchange } from './exchange.ts';
import { type Job, PrimaryAnswer, type RecordVisitor, readBatch } from './job.ts';
import { type LimitedJob, Limiter, type RedisLimit } from './limiter.ts';
import { type ShadowHost, ShadowLane } from './shadow.ts';
import type { Batch, MirrorRule, MirrorWorkerData } from './task.ts';

/** How often waiting copies look for room that another thread has left. */
const RETRY_MS = 50;
/** How often attempts are checked against their whole time (attempt.ts). */
const SWEEP_MS = 1000;

/** A rule at work in this thread. */
interface RuleLane extends ExchangeRule {
  readonly key: number;
  readonly limit: { readonly settings: Limit; readonly window: LimitWindow } | null;
  /** One that Redis counts; `limit` is null then. */
  readonly redisLimit: RedisLimit | null;
  /** In the order of the mirror's shadows. */
  readonly shadows: ShadowLane[];
  /** Copies that were received and have not ended. */
  copies: number;
  /** No later record names it. */
  isRetired: boolean;
}

/** A job's copies while their limit is asked for. Their body is in memory of their own. */
class WaitingCopies implements LimitedJob {
  readonly bytes: number;
  readonly #exchange: MirroredExchange;
  readonly #shadows: readonly ShadowLane[];

  constructor(exchange: MirroredExchange, shadows: readonly ShadowLane[], bytes: number) {
    this.bytes = bytes;
    this.#exchange = exchange;
    this.#shadows = shadows;
  }

  send(nowMs: number): void {
    for (const shadow of this.#shadows) shadow.offer(this.#exchange, nowMs);
  }

  skip(): void {
    this.#exchange.skip();
    for (const shadow of this.#shadows) shadow.onLimit();
  }

  cutOff(): void {
    for (const shadow of this.#shadows) shadow.onCutOff(this.#exchange);
  }
}

export class MirrorSender implements ShadowHost, RecordVisitor {
  readonly clock: Clock = createClock();
  readonly log: LogSink;
  readonly writer: number;
  readonly #writers: number;
  readonly #clients: ShadowClients;
  readonly #laneCells: Float64Array;
  readonly #laneRow: number;
  readonly #streams = new PrimaryStreams();
  readonly #limiter = new Limiter(this);
  readonly #rules = new Map<number, RuleLane>();
  readonly #waiting = new Set<ShadowLane>();
  /** Copies of all rules that were received and have not ended. */
  #copies = 0;
  #retryTimer: NodeJS.Timeout | null = null;
  #sweepTimer: NodeJS.Timeout | null = null;
  /** Set while stopping: called when the last copy has ended. */
  #onIdle: (() => void) | null = null;

  constructor(data: MirrorWorkerData, createClient: CreateUpstreamClient) {
    const { writers, frontend, lane } = data;
    const processBook = new ProcessBook(data.processBook, writers);
    this.log = openLogSink(data.logChannel);
    this.writer = laneWriter(writers, frontend, lane);
    this.#writers = writerCount(writers);
    this.#clients = new ShadowClients(createClient);
    this.#laneCells = processBook.lanes;
    this.#laneRow = processBook.laneRow(frontend, lane);
    // A predecessor's copies do not wait any more.
    this.#laneCells[this.#laneRow + LaneCell.waiting] = 0;
  }

  take(batch: Batch): void {
    for (const rule of batch.rules) this.#learn(rule);
    readBatch(batch.records, this);
    if (batch.records.byteLength > 0) this.onBatch();
    for (const key of batch.retired) {
      const rule = this.#rule(key);
      rule.isRetired = true;
      this.#leaveIfDone(rule);
    }
  }

  /** Resolves when all copies have ended, the last ones by force at the deadline (core/clock.ts). */
  async stop(deadlineMs: number): Promise<void> {
    assert(this.#onIdle === null, 'a mirror thread was stopped twice');
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle = resolve;
    const timer = setTimeout(() => this.#shutDown(), Math.max(0, deadlineMs - this.clock()));
    if (this.#copies === 0) resolve();
    await promise;
    clearTimeout(timer);
    if (this.#retryTimer !== null) clearInterval(this.#retryTimer);
    if (this.#sweepTimer !== null) clearTimeout(this.#sweepTimer);
    this.#limiter.close();
    this.#clients.destroy();
  }

  /** Records have come together, and were read. */
  onBatch(): void {
    this.#count(LaneCell.batches, 1);
    this.#limiter.flush();
  }

  onJob(job: Job): void {
    this.#count(LaneCell.jobs, 1);
    const rule = this.#rule(job.rule);
    assert(job.shadows !== 0 && job.shadows < 2 ** rule.shadows.length, 'a job names an unknown shadow');
    const streamed = job.answer === PrimaryAnswer.streamed ? this.#streams.take(job.stream) : null;
    const named = rule.shadows.filter((_shadow, index) => (job.shadows >>> index) & 1);
    rule.copies += named.length;
    this.#copies += named.length;
    for (const shadow of named) shadow.onReceived();
    const nowMs = this.clock();
    if (rule.limit !== null) {
      const { settings, window } = rule.limit;
      if (!window.take(settings.count, settings.windowMs, nowMs)) {
        this.#skipByLimit(rule, job, named);
        return;
      }
    }
    if (rule.redisLimit !== null) {
      const verdict = rule.redisLimit.look(nowMs, job.bytes);
      if (verdict === 'skip') this.#skipByLimit(rule, job, named);
      else if (verdict === 'wait') this.#waitForLimit(rule, rule.redisLimit, job, named, streamed);
      if (verdict !== 'send') return;
    }
    const exchange = new MirroredExchange(rule, job, named.length);
    for (const shadow of named) shadow.offer(exchange, nowMs);
    // Only now: answers come in later turns, and a job whose copies were all dropped needs no hashing.
    if (rule.mirror.compare !== null && !exchange.isDropped) exchange.primary = readPrimary(job, streamed);
  }

  #skipByLimit(rule: RuleLane, job: Job, named: readonly ShadowLane[]): void {
    for (const shadow of named) shadow.onLimit();
    this.#release(rule, job.bytes);
  }

  #waitForLimit(
    rule: RuleLane,
    limit: RedisLimit,
    job: Job,
    named: readonly ShadowLane[],
    streamed: Hash | null,
  ): void {
    const exchange = new MirroredExchange(rule, job, named.length);
    exchange.keep();
    // At once, although the copies may be skipped: a digest takes less memory than the answer.
    if (rule.mirror.compare !== null) exchange.primary = readPrimary(job, streamed);
    limit.wait(new WaitingCopies(exchange, named, job.bytes));
  }

  onChunk(key: number, stream: number, chunk: Buffer, bytes: number): void {
    const rule = this.#rule(key);
    this.#streams.onChunk(stream, chunk);
    this.#release(rule, bytes);
  }

  onForget(key: number, stream: number, bytes: number): void {
    const rule = this.#rule(key);
    this.#streams.take(stream);
    this.#release(rule, bytes);
  }

  onWait(shadow: ShadowLane, change: number): void {
    this.#count(LaneCell.waiting, change);
    if (change < 0) return;
    this.#waiting.add(shadow);
    this.#retryTimer ??= setInterval(() => this.#retryWaiting(), RETRY_MS);
  }

  onSend(): void {
    this.#sweepTimer ??= setTimeout(() => this.#sweep(), SWEEP_MS);
  }

  onLogSuppressed(): void {
    this.#count(LaneCell.logs_suppressed, 1);
  }

  #count(cell: number, amount: number): void {
    const at = this.#laneRow + cell;
    this.#laneCells[at] = this.#laneCells[at]! + amount;
  }

  #learn({ key, entry }: MirrorRule): void {
    const { route, memory } = entry;
    const { mirror } = route;
    assert(mirror !== null && !this.#rules.has(key), 'a mirror rule without mirror, or given twice');
    const [first] = memory.shadows;
    assert(first !== undefined && memory.shadows.length === mirror.shadows.length);
    const routeBook = new ShadowBook(first, this.#writers);
    const row = routeBook.row(this.writer);
    const { cells } = routeBook;
    const rule: RuleLane = {
      key,
      route,
      mirror,
      limit: toLimit(mirror, memory.limit),
      redisLimit: this.#openRedisLimit(entry, cells, row + ShadowCell.limit_errors),
      shadows: [],
      releasedCells: cells,
      releasedAt: row + ShadowCell.released_bytes,
      copies: 0,
      isRetired: false,
    };
    const onCopyEnd = (): void => this.#onCopyEnd(rule);
    mirror.shadows.forEach((shadow, index) => {
      const client = this.#clients.acquire(shadow, mirror.timeouts);
      const book = memory.shadows[index]!;
      const setup = { route, mirror, shadow, book, writers: this.#writers, client, onCopyEnd };
      rule.shadows.push(new ShadowLane(this, setup));
    });
    this.#rules.set(key, rule);
  }

  #openRedisLimit(
    { route, memory }: RouteEntry,
    errorCells: Float64Array,
    errorsAt: number,
  ): RedisLimit | null {
    const limit = route.mirror?.limit ?? null;
    if (limit === null || memory.limit === null || limit.policy === LIMIT_LOCAL) return null;
    return this.#limiter.open({ route, limit, memory: memory.limit, errorCells, errorsAt });
  }

  #rule(key: number): RuleLane {
    const rule = this.#rules.get(key);
    assert(rule !== undefined, `mirror rule ${key} is unknown`);
    return rule;
  }

  #onCopyEnd(rule: RuleLane): void {
    rule.copies--;
    this.#copies--;
    this.#leaveIfDone(rule);
    if (this.#copies === 0) this.#onIdle?.();
  }

  #leaveIfDone(rule: RuleLane): void {
    if (!rule.isRetired || rule.copies > 0) return;
    this.#rules.delete(rule.key);
    rule.redisLimit?.close();
    for (const shadow of rule.shadows) this.#clients.release(shadow.client);
  }

  #release(rule: RuleLane, bytes: number): void {
    rule.releasedCells[rule.releasedAt] = rule.releasedCells[rule.releasedAt]! + bytes;
  }

  #retryWaiting(): void {
    const nowMs = this.clock();
    for (const shadow of this.#waiting) {
      shadow.retry(nowMs);
      if (shadow.waiting === 0) this.#waiting.delete(shadow);
    }
    if (this.#waiting.size > 0 || this.#retryTimer === null) return;
    clearInterval(this.#retryTimer);
    this.#retryTimer = null;
  }

  #sweep(): void {
    const nowMs = this.clock();
    for (const rule of this.#rules.values()) {
      for (const shadow of rule.shadows) shadow.cutOffOverdue(nowMs);
    }
    this.#sweepTimer = this.#copies > 0 ? setTimeout(() => this.#sweep(), SWEEP_MS) : null;
  }

  #shutDown(): void {
    this.#limiter.cutOff();
    for (const rule of this.#rules.values()) {
      for (const shadow of rule.shadows) shadow.shutDown();
    }
  }
}

function toLimit(mirror: Mirror, memory: SharedArrayBuffer | null): RuleLane['limit'] {
  if (mirror.limit === null || memory === null || mirror.limit.policy !== LIMIT_LOCAL) return null;
  return { settings: mirror.limit, window: new LimitWindow(memory) };
}
