// One copy on its way: the client's handler, and the bounds that the client's own deadlines leave open.
//
// Reads a shadow's answer to the end and throws it away, unless it is to be compared. Nothing that a shadow sends may
// throw here, and no answer may hold a place in flight for ever.

import type { FailReason } from '../core/book.ts';
import type { Clock } from '../core/clock.ts';
import type { Mirror } from '../core/model.ts';
import type {
  UpstreamAttempt,
  UpstreamClient,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamReason,
  UpstreamRequest,
} from '../upstream/client.ts';
import type { Answer, BodyReader } from './answer.ts';
import type { MirroredExchange } from './exchange.ts';

/**
 * A shadow that keeps its connection just alive enough for the deadlines between two reads or writes is cut off
 * after so many of them: one set for the request up to the answer's head, another for the answer's body.
 */
const DEADLINES_MAX = 10;

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
export type CutReason = 'read_timeout' | 'answer_too_large' | 'shutdown';

export interface AttemptOwner {
  readonly clock: Clock;
  readonly mirror: Mirror;
  /** Called once. `reason` is null for an answer that came to its end. */
  onAttemptEnd(attempt: CopyAttempt, reason: FailReason | null): void;
}

export class CopyAttempt implements UpstreamHandler {
  readonly exchange: MirroredExchange;
  readonly startedMs: number;
  /** The shadow's, once its head has come. */
  status = 0;
  readonly #owner: AttemptOwner;
  /** Null when nobody looks at the answer. */
  readonly #reader: BodyReader | null;
  #attempt: UpstreamAttempt | null = null;
  #cutAtMs: number;
  #cut: CutReason | null = null;
  #answerBytes = 0;
  /** The answer's header lines, where they are compared. */
  #lines = '';

  constructor(owner: AttemptOwner, exchange: MirroredExchange) {
    const { connectMs, sendMs, readMs } = owner.mirror.timeouts;
    this.exchange = exchange;
    this.startedMs = owner.clock();
    this.#owner = owner;
    this.#reader = exchange.openReader();
    this.#cutAtMs = this.startedMs + connectMs + DEADLINES_MAX * (sendMs + readMs);
  }

  /** Once, right after construction. */
  dispatch(client: UpstreamClient, request: UpstreamRequest): void {
    this.#attempt = client.dispatch(request, this);
  }

  /** What came, for the comparison; null when nobody is to look at it. Once, after an answer's end. */
  takeAnswer(): Answer | null {
    return this.#reader?.finish(this.status, this.#lines) ?? null;
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

  onHead(status: number, _statusText: string, _contentLength: number, lines: string): void {
    const { clock, mirror } = this.#owner;
    this.status = status;
    if (this.#reader !== null && mirror.compare?.detail != null) this.#lines = lines;
    this.#cutAtMs = clock() + DEADLINES_MAX * mirror.timeouts.readMs;
  }

  onHeadAlone(): void {}

  onBody(chunk: Uint8Array): void {
    if (this.#cut !== null) return;
    this.#answerBytes += chunk.length;
    if (this.#answerBytes > this.#owner.mirror.maxAnswerBytes) this.cutOff('answer_too_large');
    else this.#reader?.add(chunk);
  }

  onEnd(): void {
    if (this.#cut !== null) this.#reader?.discard();
    this.#owner.onAttemptEnd(this, this.#cut);
  }

  onError(failure: UpstreamFailure): void {
    this.#reader?.discard();
    this.#owner.onAttemptEnd(this, this.#cut ?? FAIL_REASON_OF[failure.reason]);
  }
}
