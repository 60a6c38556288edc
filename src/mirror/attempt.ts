// One copy on its way: the client's handler, and the bounds that the client's own deadlines leave open.
//
// Reads a shadow's answer to the end and throws it away, hashing it when it is to be compared. Nothing that a
// shadow sends may throw here, and no answer may hold a place in flight for ever.

import type { FailReason } from '../core/book.ts';
import type { Clock } from '../core/clock.ts';
import type { Timeouts } from '../core/model.ts';
import type {
  UpstreamAttempt,
  UpstreamClient,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamReason,
  UpstreamRequest,
} from '../upstream/client.ts';
import { BodyDigest } from './comparer.ts';
import type { MirroredExchange } from './exchange.ts';

/**
 * A shadow that keeps its connection just alive enough for the deadlines between two reads or writes is cut off
 * after so many of them: one set for the request up to the answer's head, another for the answer's body.
 */
const DEADLINES_MAX = 10;
/** A longer answer is cut off. */
const ANSWER_BYTES_MAX = 2 ** 30;

/** How a client's reasons are counted. Its queue is never used (clients.ts), and only a stop aborts uncut. */
const FAIL_REASON_OF: Record<UpstreamReason, FailReason> = {
  refused: 'refused',
  reset: 'reset',
  malformed: 'malformed',
  queue_full: 'refused',
  queue_timeout: 'refused',
  connect_timeout: 'connect_timeout',
  send_timeout: 'send_timeout',
  read_timeout: 'read_timeout',
  client_gone: 'shutdown',
};

/** Why an attempt is ended from this side. */
export type CutReason = 'read_timeout' | 'malformed' | 'shutdown';

export interface AttemptOwner {
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  /** Called once. `reason` is null for an answer that came to its end. */
  onAttemptEnd(attempt: CopyAttempt, reason: FailReason | null): void;
}

export class CopyAttempt implements UpstreamHandler {
  readonly exchange: MirroredExchange;
  readonly startedMs: number;
  /** The shadow's, once its head has come. */
  status = 0;
  readonly #owner: AttemptOwner;
  readonly #digest: BodyDigest | null;
  #attempt: UpstreamAttempt | null = null;
  #cutAtMs: number;
  #cut: CutReason | null = null;
  #answerBytes = 0;

  constructor(owner: AttemptOwner, exchange: MirroredExchange) {
    const { connectMs, sendMs, readMs } = owner.timeouts;
    this.exchange = exchange;
    this.startedMs = owner.clock();
    this.#owner = owner;
    this.#digest = exchange.isHashed ? new BodyDigest() : null;
    this.#cutAtMs = this.startedMs + connectMs + DEADLINES_MAX * (sendMs + readMs);
  }

  /** Once, right after construction. */
  dispatch(client: UpstreamClient, request: UpstreamRequest): void {
    this.#attempt = client.dispatch(request, this);
  }

  /** SHA-256 of the answer's body; empty when it was not hashed. Once, at the end. */
  takeDigest(): string {
    return this.#digest?.finish() ?? '';
  }

  /** Ends it; onAttemptEnd() follows in a later turn. */
  cutOff(reason: CutReason): void {
    if (this.#cut !== null) return;
    this.#cut = reason;
    this.#attempt?.abort();
  }

  cutOffIfOverdue(nowMs: number): void {
    if (nowMs >= this.#cutAtMs) this.cutOff('read_timeout');
  }

  onStart(): void {}

  onDrain(): void {}

  onHead(status: number): void {
    this.status = status;
    this.#cutAtMs = this.#owner.clock() + DEADLINES_MAX * this.#owner.timeouts.readMs;
  }

  onHeadAlone(): void {}

  onBody(chunk: Uint8Array): void {
    if (this.#cut !== null) return;
    this.#answerBytes += chunk.length;
    if (this.#answerBytes > ANSWER_BYTES_MAX) this.cutOff('malformed');
    else this.#digest?.add(chunk);
  }

  onEnd(): void {
    this.#owner.onAttemptEnd(this, this.#cut);
  }

  onError(failure: UpstreamFailure): void {
    this.#owner.onAttemptEnd(this, this.#cut ?? FAIL_REASON_OF[failure.reason]);
  }
}
