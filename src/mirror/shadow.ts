// The copies of one rule to one shadow in this thread: room, breaker, waiting, sending, counting.
//
// A copy first takes its place in flight and then asks the breaker, so that the one copy of a half-open breaker
// never waits for room. Every copy that comes in ends in exactly one cell of this thread's row.

import { type DropReason, type FailReason, ShadowBook, ShadowCell, ShadowWord } from '../core/book.ts';
import type { Clock } from '../core/clock.ts';
import { HistogramWriter } from '../core/histogram.ts';
import { type Mirror, ROLE_CONTROL, type Shadow } from '../core/model.ts';
import { type AttemptOwner, CopyAttempt } from './attempt.ts';
import {
  admitByBreaker,
  isBreakerOpen,
  onBreakerFailure,
  onBreakerSuccess,
  releaseBreaker,
} from './breaker.ts';
import type { ShadowClient } from './clients.ts';
import { ComparedShadow, type RuleComparer } from './comparer.ts';
import type { MirroredExchange } from './exchange.ts';
import { Fifo } from './fifo.ts';

/** What a shadow's copies need of the thread that they run in. */
export interface ShadowHost {
  readonly clock: Clock;
  /** This thread's place in the books. */
  readonly writer: number;
  /** Copies have begun (positive) or ceased (negative) to wait for room. */
  onWait(shadow: ShadowLane, change: number): void;
  onSend(): void;
}

/** A shadow of a rule, and what becomes of its copies. */
export interface ShadowSetup {
  readonly mirror: Mirror;
  readonly shadow: Shadow;
  /** Null unless the route compares. */
  readonly comparer: RuleComparer | null;
  readonly book: SharedArrayBuffer;
  readonly writers: number;
  readonly client: ShadowClient;
  /** A copy was dropped, or its attempt has ended. Called last. */
  readonly onCopyEnd: () => void;
}

export class ShadowLane implements AttemptOwner {
  readonly clock: Clock;
  readonly mirror: Mirror;
  readonly client: ShadowClient;
  readonly #host: ShadowHost;
  readonly #setup: ShadowSetup;
  readonly #book: ShadowBook;
  readonly #row: number;
  readonly #inFlightWord: number;
  readonly #latency: HistogramWriter;
  /** Null unless the route compares. */
  readonly #compared: ComparedShadow | null;
  readonly #waiting = new Fifo<MirroredExchange>();
  readonly #attempts = new Set<CopyAttempt>();

  constructor(host: ShadowHost, setup: ShadowSetup) {
    this.clock = host.clock;
    this.mirror = setup.mirror;
    this.client = setup.client;
    this.#host = host;
    this.#setup = setup;
    this.#book = new ShadowBook(setup.book, setup.writers);
    this.#row = this.#book.row(host.writer);
    this.#inFlightWord = ShadowWord.in_flight + host.writer;
    this.#latency = new HistogramWriter(setup.book, this.#book.histogramAt(host.writer));
    const { comparer, shadow } = setup;
    this.#compared =
      comparer === null
        ? null
        : new ComparedShadow(comparer, shadow.origin, this.isControl, this.#book.cells, this.#row);
  }

  get isControl(): boolean {
    return this.#setup.shadow.role === ROLE_CONTROL;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  onReceived(): void {
    this.#count(ShadowCell.received);
  }

  /** Received, and not to be sent. */
  onSkip(reason: 'limit' | 'unredactable'): void {
    this.#count(ShadowCell[`skip_${reason}`]);
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

  /** Its rule has left: nothing is compared any more. */
  close(): void {
    this.#compared?.close();
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
      if (this.#compared !== null) attempt.exchange.comparison?.onFailed(this.#compared);
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
    if (this.#compared !== null) exchange.comparison?.onDropped(this.#compared);
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
    if (attempt.status >= 500) this.#count(ShadowCell.answered_5xx);
    this.#latency.record(latencyMs, nowMs);
    const { comparison } = attempt.exchange;
    if (this.#compared !== null) comparison?.onAnswered(this.#compared, attempt.takeAnswer(), latencyMs);
  }

  #count(cell: number): void {
    const { cells } = this.#book;
    cells[this.#row + cell] = cells[this.#row + cell]! + 1;
  }
}
