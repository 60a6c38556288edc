// A mirror thread's work: takes jobs over from its front end, limits them, and hands their copies to the shadows.
//
// Takes a batch over at once and never makes the front end wait for a shadow. Knows every copy from the moment
// that it is received to its end, so that a stop can tell when all is done. One per thread.

import assert from 'node:assert';
import { LaneCell, laneWriter, ProcessBook, writerCount } from '../core/book.ts';
import { type Clock, createClock } from '../core/clock.ts';
import { type LogSink, openLogSink } from '../core/log.ts';
import { SpanIds } from '../core/trace-context.ts';
import type { CreateUpstreamClient } from '../upstream/client.ts';
import { type BodyCapture, CaptureBudget } from './answer.ts';
import { ShadowClients } from './clients.ts';
import type { ComparerHost } from './comparer.ts';
import { MirroredExchange } from './exchange.ts';
import { FindingsPoster } from './findings.ts';
import { type Job, PrimaryAnswer, type RecordVisitor, readBatch } from './job.ts';
import { type LimitedJob, Limiter, type RedisLimit } from './limiter.ts';
import { captureBytesMax, PrimaryStreams, readPrimary } from './primary.ts';
import { closeRule, openRule, type RuleLane, type RuleParts } from './rule.ts';
import type { ShadowHost, ShadowLane } from './shadow.ts';
import type { Batch, MirrorRule, MirrorWorkerData } from './task.ts';

/** How often waiting copies look for room that another thread has left. */
const RETRY_MS = 50;
/** How often attempts are checked against their whole time (attempt.ts). */
const SWEEP_MS = 1000;

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
    for (const shadow of this.#shadows) shadow.onSkip('limit');
  }

  cutOff(): void {
    for (const shadow of this.#shadows) shadow.onCutOff(this.#exchange);
  }
}

export class MirrorSender implements ShadowHost, ComparerHost, RecordVisitor {
  readonly clock: Clock = createClock();
  readonly log: LogSink;
  readonly findings: FindingsPoster;
  readonly writer: number;
  readonly #clients: ShadowClients;
  readonly #parts: RuleParts;
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
    this.findings = new FindingsPoster(data.findingsChannel);
    this.writer = laneWriter(writers, frontend, lane);
    this.#clients = new ShadowClients(createClient);
    this.#parts = {
      host: this,
      writers: writerCount(writers),
      clients: this.#clients,
      limiter: this.#limiter,
      spanIds: new SpanIds(),
      budget: new CaptureBudget(),
      onCopyEnd: (rule) => this.#onCopyEnd(rule),
    };
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
    this.findings.flush();
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

  onJob(received: Job): void {
    this.#count(LaneCell.jobs, 1);
    const rule = this.#rule(received.rule);
    const { shadows, answer } = received;
    assert(shadows !== 0 && shadows < 2 ** rule.shadows.length, 'a job names an unknown shadow');
    const streamed = answer === PrimaryAnswer.streamed ? this.#streams.take(received.stream) : null;
    const named = rule.shadows.filter((_shadow, index) => (shadows >>> index) & 1);
    rule.copies += named.length;
    this.#copies += named.length;
    for (const shadow of named) shadow.onReceived();
    // Before the limit is asked: what is not sent takes nothing of it.
    const job = rule.redactor === null ? received : rule.redactor.redact(received);
    if (job === null) {
      this.#skip('unredactable', rule, received, named, streamed);
      return;
    }
    // What a body has grown by counts for the queue too, and the other way round.
    if (job !== received) this.#release(rule, received.bytes - job.bytes);
    const nowMs = this.clock();
    if (rule.limit !== null) {
      const { settings, window } = rule.limit;
      if (!window.take(settings.count, settings.windowMs, nowMs)) {
        this.#skip('limit', rule, job, named, streamed);
        return;
      }
    }
    if (rule.redisLimit !== null) {
      const verdict = rule.redisLimit.look(nowMs, job.bytes);
      if (verdict === 'skip') this.#skip('limit', rule, job, named, streamed);
      else if (verdict === 'wait') this.#waitForLimit(rule, rule.redisLimit, job, named, streamed);
      if (verdict !== 'send') return;
    }
    const exchange = toExchange(rule, job, named);
    for (const shadow of named) shadow.offer(exchange, nowMs);
    // Only now: answers come in later turns, and a job whose copies were all dropped needs no hashing.
    if (exchange.isDropped) streamed?.discard();
    else this.#readPrimary(exchange, job, streamed);
  }

  #readPrimary(exchange: MirroredExchange, job: Job, streamed: BodyCapture | null): void {
    const { mirror, budget } = exchange.rule;
    exchange.comparison?.setPrimary(readPrimary(job, streamed, mirror, budget));
  }

  #skip(
    reason: 'limit' | 'unredactable',
    rule: RuleLane,
    job: Job,
    named: readonly ShadowLane[],
    streamed: BodyCapture | null,
  ): void {
    streamed?.discard();
    for (const shadow of named) shadow.onSkip(reason);
    this.#release(rule, job.bytes);
  }

  #waitForLimit(
    rule: RuleLane,
    limit: RedisLimit,
    job: Job,
    named: readonly ShadowLane[],
    streamed: BodyCapture | null,
  ): void {
    const exchange = toExchange(rule, job, named);
    // At once, although the copies may be skipped: a digest takes less memory than the answer.
    this.#readPrimary(exchange, job, streamed);
    exchange.keep();
    limit.wait(new WaitingCopies(exchange, named, job.bytes));
  }

  onChunk(key: number, stream: number, chunk: Buffer, bytes: number): void {
    const rule = this.#rule(key);
    this.#streams.onChunk(stream, chunk, rule.budget, captureBytesMax(rule.mirror));
    this.#release(rule, bytes);
  }

  onForget(key: number, stream: number, bytes: number): void {
    const rule = this.#rule(key);
    this.#streams.take(stream)?.discard();
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

  #learn(rule: MirrorRule): void {
    assert(!this.#rules.has(rule.key), 'a mirror rule was given twice');
    this.#rules.set(rule.key, openRule(this.#parts, rule));
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
    closeRule(this.#parts, rule);
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

function toExchange(rule: RuleLane, job: Job, named: readonly ShadowLane[]): MirroredExchange {
  // The control is the last one of all.
  return new MirroredExchange(rule, job, named.length, named.at(-1)!.isControl);
}
