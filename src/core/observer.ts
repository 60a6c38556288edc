// What may watch an exchange from aside: the one branch of the data's way.
//
// An observer is told, never asked: its calls return nothing, must not throw and must not keep the caller waiting.

import type { ExpressionSubject } from './request-variable.ts';

/** An exchange as its observer sees it. Valid until the observer's last call; header lists are not copies. */
export interface ObservedExchange {
  readonly method: string;
  /** Raw path without query. */
  readonly path: string;
  readonly target: string;
  /** Flat list as the primary gets it. */
  readonly headers: readonly string[];
  /** The same as it goes over the wire (core/request-head.ts). */
  readonly headText: string;
  /** Of the request body in bytes; -1 when not known beforehand. */
  readonly contentLength: number;
  /** Whether the request is itself a mirrored copy. */
  readonly marked: boolean;
  /** What conditions can ask of it. */
  readonly subject: ExpressionSubject;
}

/** Calls come in this order; each may be left out; the last is one of the four that end it. */
export interface ExchangeObserver {
  /** The chunk is shared: it may be kept, never changed. */
  onRequestBody(chunk: Uint8Array): void;
  /** The request is complete and with the primary. */
  onRequestEnd(): void;
  /** `lines`: the header lines that go to the client, as in upstream/client.ts. */
  onAnswerHead(status: number, lines: string): void;
  /** The chunk holds only during the call. */
  onAnswerBody(chunk: Uint8Array): void;
  /** Ends it: the primary's answer is complete. `latencyMs` from the first attempt to the answer's end. */
  onAnswerEnd(latencyMs: number): void;
  /** Ends it: the primary gave no answer, or only a part of it. */
  onAnswerFailed(): void;
  /** Ends it: the client went away. */
  onClientGone(): void;
  /** Ends it: the request was refused while its body came in. */
  onRefused(): void;
}

/** A route's observer factory; null when this exchange is not to be watched. `nowMs` from core/clock.ts. */
export interface Observation {
  open(exchange: ObservedExchange, nowMs: number): ExchangeObserver | null;
  /** No exchange will be opened any more, and all that were have ended. */
  retire(): void;
}
