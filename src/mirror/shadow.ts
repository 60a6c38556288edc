// The copies of one rule to one shadow in this thread: room, breaker, waiting, sending, counting.
//
// A copy first takes its place in flight and then asks the breaker, so that the one copy of a half-open breaker
// never waits for room. Every copy that comes in ends in exactly one cell of this thread's row.

import assert from 'node:assert';
import { type DropReason, type FailReason, ShadowBook, ShadowCell, ShadowWord } from '../core/book.ts';
import type { Clock } from '../core/clock.ts';
import { HistogramWriter } from '../core/histogram.ts';
import type { LogSink } from '../core/log.ts';
import type { Mirror, Route, Shadow, Timeouts } from '../core/model.ts';
import { type AttemptOwner, CopyAttempt } from './attempt.ts';
import {
  admitByBreaker,
  isBreakerOpen,
  onBreakerFailure,
  onBreakerSuccess,
  releaseBreaker,
} from './breaker.ts';
import type { ShadowClient } from './clients.ts';
import { compareAnswers, countVerdict, logMismatch, type ShadowReading } from './comparer.ts';
import type { MirroredExchange } from './exchange.ts';
import { Fifo } from './fifo.ts';

/** What a shadow's copies need of the thread that they run in. */
export interface ShadowHost {
  readonly clock: Clock;
  readonly log: LogSink;
  /** This thread's place in the books. */
  readonly writer: number;
  /** Copies have begun (positive) or ceased (negative) to wait for room. */
  onWait(shadow: ShadowLane, change: number): void;
  onSend(): void;
  onLogSuppressed(): void;
}

/** A shadow of a rule, and what becomes of its copies. */
export interface ShadowSetup {
  readonly route: Route;
  readonly mirror: Mirror;
  readonly shadow: Shadow;
  readonly book: SharedArrayBuffer;
  readonly writers: number;
  readonly client: ShadowClient;
  /** A copy was dropped, or its attempt has ended. Called last. */
  readonly onCopyEnd: () => void;
}

export class ShadowLane implements AttemptOwner {
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  readonly client: ShadowClient;
  readonly #host: ShadowHost;
  readonly #setup: ShadowSetup;
  readonly #book: ShadowBook;
  readonly #row: number;
  readonly #inFlightWord: number;
  readonly #latency: HistogramWriter;
  readonly #waiting = new Fifo<MirroredExchange>();
  readonly #attempts = new Set<CopyAttempt>();

  constructor(host: ShadowHost, setup: ShadowSetup) {
    this.clock = host.clock;
    this.timeouts = setup.mirror.timeouts;
    this.client = setup.client;
    this.#host = host;
    this.#setup = setup;
    this.#book = new ShadowBook(setup.book, setup.writers);
    this.#row = this.#book.row(host.writer);
    this.#inFlightWord = ShadowWord.in_flight + host.writer;
    this.#latency = new HistogramWriter(setup.book, this.#book.histogramAt(host.writer));
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  onReceived(): void {
    this.#count(ShadowCell.received);
  }

  onLimit(): void {
    this.#count(ShadowCell.skip_limit);
    this.#setup.onCopyEnd();
  }

  /** A copy that was still waiting for its limit when the thread had to end. */
  onCutOff(exchange: MirroredExchange): void {
    this.#drop(exchange, 'shutdown');
  }

  /** Sends a copy, drops it, or lets it wait for room behind those that do already. */
  offer(exchange: MirroredExchange, nowMs: number): void {
    if (isBreakerOpen(this.#book, nowMs)) {
      this.#drop(exchange, 'breaker_open');
    } else if (this.#waiting.size === 0 && this.#takeRoom()) {
      this.#admit(exchange, nowMs);
    } else if (exchange.waitUntilMs <= nowMs) {
      this.#drop(exchange, 'queue_full');
    } else {
      exchange.keep();
      this.#waiting.push(exchange);
      this.#host.onWait(this, 1);
      // Not only at the next tick: another thread may have left room since the first one began to wait.
      if (this.#waiting.size > 1) this.retry(nowMs);
    }
  }

  /** Tries the waiting copies in their order: for when room may have come, the breaker opened, or time passed. */
  retry(nowMs: number): void {
    for (;;) {
      const exchange = this.#waiting.peek();
      if (exchange === undefined) return;
      if (exchange.waitUntilMs <= nowMs) {
        this.#dropFirst('queue_full');
      } else if (isBreakerOpen(this.#book, nowMs)) {
        this.#dropFirst('breaker_open');
      } else if (this.#takeRoom()) {
        this.#waiting.shift();
        this.#host.onWait(this, -1);
        this.#admit(exchange, nowMs);
      } else {
        return;
      }
    }
  }

  /** Drops what waits and ends what is in flight; the ends follow in later turns. */
  shutDown(): void {
    while (this.#waiting.size > 0) this.#dropFirst('shutdown');
    for (const attempt of this.#attempts) attempt.cutOff('shutdown');
  }

  /** Ends attempts that the client's deadlines do not end. */
  cutOffOverdue(nowMs: number): void {
    for (const attempt of this.#attempts) attempt.cutOffIfOverdue(nowMs);
  }

  onAttemptEnd(attempt: CopyAttempt, reason: FailReason | null): void {
    const nowMs = this.clock();
    this.#attempts.delete(attempt);
    if (reason === null) {
      this.#onAnswer(attempt, nowMs);
      onBreakerSuccess(this.#book);
    } else {
      this.#count(ShadowCell[`fail_${reason}`]);
      // A copy that this side gave up says nothing about the shadow, but it may have been the half-open one.
      if (reason === 'shutdown') releaseBreaker(this.#book, nowMs);
      else onBreakerFailure(this.#book, this.#setup.mirror.breaker, nowMs);
    }
    this.#giveRoom();
    if (this.#waiting.size > 0) this.retry(nowMs);
    this.#setup.onCopyEnd();
  }

  /** Room is announced before it is checked, so that two threads can never both take the last place. */
  #takeRoom(): boolean {
    Atomics.add(this.#book.words, this.#inFlightWord, 1);
    if (this.#book.inFlight() <= this.#setup.mirror.maxInFlight) return true;
    this.#giveRoom();
    return false;
  }

  #giveRoom(): void {
    Atomics.sub(this.#book.words, this.#inFlightWord, 1);
  }

  /** Has room; sends unless the breaker refuses. */
  #admit(exchange: MirroredExchange, nowMs: number): void {
    if (!admitByBreaker(this.#book, nowMs)) {
      this.#giveRoom();
      this.#drop(exchange, 'breaker_open');
      return;
    }
    const request = exchange.toRequest(this.#setup.shadow);
    const attempt = new CopyAttempt(this, exchange);
    this.#attempts.add(attempt);
    this.#count(ShadowCell.sent);
    attempt.dispatch(this.client.client, request);
    exchange.onSent();
    this.#host.onSend();
  }

  #drop(exchange: MirroredExchange, reason: DropReason): void {
    this.#count(ShadowCell[`drop_${reason}`]);
    exchange.onDropped();
    this.#setup.onCopyEnd();
  }

  #dropFirst(reason: DropReason): void {
    const exchange = this.#waiting.shift()!;
    this.#host.onWait(this, -1);
    this.#drop(exchange, reason);
  }

  #onAnswer(attempt: CopyAttempt, nowMs: number): void {
    const latencyMs = nowMs - attempt.startedMs;
    this.#count(ShadowCell.answered);
    this.#latency.record(latencyMs, nowMs);
    const { mirror } = this.#setup;
    const { primary } = attempt.exchange;
    if (mirror.compare === null) return;
    assert(primary !== null, 'an answer came before its primary’s was read');
    const answer: ShadowReading = { status: attempt.status, digest: attempt.takeDigest(), latencyMs };
    const verdict = compareAnswers(primary, answer);
    countVerdict(this.#book.cells, this.#row, verdict);
    if (!mirror.compare.logMismatches || verdict.uncompared !== null) return;
    if (verdict.statusMatch && verdict.bodyMatch) return;
    const { method, rawTarget, requestId } = attempt.exchange;
    const subject = {
      route: this.#setup.route.id,
      shadow: this.#setup.shadow.origin,
      method,
      path: rawTarget,
      requestId,
    };
    if (!logMismatch(this.#host.log, subject, primary, answer, verdict)) this.#host.onLogSuppressed();
  }

  #count(cell: number): void {
    const { cells } = this.#book;
    cells[this.#row + cell] = cells[this.#row + cell]! + 1;
  }
}
