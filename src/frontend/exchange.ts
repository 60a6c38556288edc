// The story of one exchange: guard, route, primary, reply.
//
// One object per exchange, taken from a pool and given back when both sides have ended, so that the hot path makes
// no closure and no promise. It is itself the request and the handler that the upstream client is given. All that
// mirroring does hangs on one line, in #accept().

import { RouteCell } from '../core/book.ts';
import { FAILURES, type FailureReason } from '../core/failure.ts';
import type { ExchangeObserver } from '../core/observer.ts';
import type {
  UpstreamAttempt,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamReason,
  UpstreamRequest,
} from '../upstream/client.ts';
import { type ClientRequest, RequestHead } from './head.ts';
import { type ClientResponse, Reply } from './reply.ts';
import type { RouteTarget } from './table.ts';
import type { FrontendThread } from './thread.ts';

/** RFC 9110 section 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** A malformed answer is an answer: it is not asked for again. */
const RETRYABLE: ReadonlySet<string> = new Set([
  'refused',
  'reset',
  'connect_timeout',
  'read_timeout',
  'queue_full',
]);
/** After these the rest of the connection cannot be trusted, or is not worth reading. */
const CLOSING: ReadonlySet<string> = new Set([
  'bad_request',
  'headers_too_large',
  'target_too_long',
  'body_too_large',
]);
const NO_BYTES = new Uint8Array(0);

export class Exchange implements UpstreamRequest, UpstreamHandler {
  readonly head: RequestHead;
  body: Uint8Array | null = null;
  streaming = false;

  readonly #thread: FrontendThread;
  readonly #reply: Reply;
  #response: ClientResponse | null = null;
  #target: RouteTarget | null = null;
  #observer: ExchangeObserver | null = null;
  #attempt: UpstreamAttempt | null = null;
  #live = false;
  #clientGone = false;
  /** A refusal that is answered in a later turn. */
  #refusal: FailureReason | null = null;
  /** Body chunks that the upstream does not want yet; the client is paused meanwhile. */
  readonly #waiting: Uint8Array[] = [];
  #wanted = false;
  #paused = false;
  /** Body chunks of a request of doubtful framing, until the turn of the loop that brought them is over. */
  readonly #held: Uint8Array[] = [];
  #holds = false;
  #heldEnd = false;
  #requestEnded = true;
  #bodyBytes = 0;
  /** Whether body bytes were streamed away, so that the request cannot be sent again. */
  #streamed = false;
  /** Whether the upstream was told that the streamed body is complete. */
  #bodySent = false;
  #startedMs = 0;
  #triesLeft = 0;
  #tried = 0;
  #backend = 0;

  readonly #onAbortedBound: () => void;
  readonly #onDataBound: (chunk: ArrayBuffer, isLast: boolean) => void;
  readonly #flushBound: () => void;

  constructor(thread: FrontendThread) {
    this.#thread = thread;
    this.head = new RequestHead(thread.ids);
    this.#reply = new Reply(
      () => this.#onClientDrain(),
      (error) => this.#onDefect(error),
    );
    this.#onAbortedBound = () => {
      try {
        this.#onAborted();
      } catch (error) {
        this.#onDefect(error);
      }
    };
    this.#onDataBound = (chunk, isLast) => {
      try {
        this.#onData(chunk, isLast);
      } catch (error) {
        this.#onDefect(error);
      }
    };
    this.#flushBound = () => this.#reply.flush();
  }

  get method(): string {
    return this.head.method;
  }

  get target(): string {
    return this.head.target;
  }

  get headers(): string[] {
    return this.head.headers;
  }

  /** Whether its object may serve another exchange: nothing can call it any more. */
  get isReusable(): boolean {
    return this.#requestEnded;
  }

  /** Runs within the listener's callback, the only time when `request` may be read. */
  start(response: ClientResponse, request: ClientRequest, secure: boolean): void {
    response.onAborted(this.#onAbortedBound);
    this.#reset(response);
    try {
      this.#begin(response, request, secure);
    } catch (error) {
      this.#onDefect(error);
    }
  }

  #begin(response: ClientResponse, request: ClientRequest, secure: boolean): void {
    const thread = this.#thread;
    const failure = this.head.read(request, thread.limits);
    const closes = this.head.last || this.head.closes || thread.isDraining;
    this.#reply.open(response, this.head.method, closes);
    if (failure !== null) {
      this.#refuse(failure);
      return;
    }
    this.#target = thread.table.find(this.head);
    if (this.#target === null) this.#refuse('not_found');
    else if (!thread.hasRoom()) this.#refuse('overload');
    else this.#accept(this.#target, response, secure);
  }

  #accept(target: RouteTarget, response: ClientResponse, secure: boolean): void {
    target.enter();
    this.head.addForwarded(this.#thread.toClientAddress(response), secure);
    this.#startedMs = this.#thread.clock();
    this.#triesLeft = target.route.retries;
    this.#observer = target.observation === null ? null : target.observation.open(this.head, this.#startedMs);
    if (this.head.contentLength === 0) {
      if (this.head.last) {
        this.#hold(null, true);
        return;
      }
      this.#try(target);
      this.#observer?.onRequestEnd();
      return;
    }
    this.#requestEnded = false;
    response.onData(this.#onDataBound);
  }

  // The client's side

  #onData(chunk: ArrayBuffer, isLast: boolean): void {
    if (!this.#isTaking) {
      if (isLast) this.#requestEnded = true;
      return;
    }
    // The listener's memory is gone after this call.
    const bytes = Buffer.from(chunk.slice(0));
    this.#bodyBytes += bytes.length;
    if (this.#bodyBytes > this.#thread.limits.bodyBytes) {
      this.#requestEnded = isLast;
      this.#refuseBody();
    } else if (this.head.last) this.#hold(bytes, isLast);
    else this.#takeBody(bytes, isLast);
  }

  /**
   * Where the end of a request was found in a way that others may not share, nothing of it goes on before the next
   * turn of the loop: what followed in the same segment has then been read as another request, and a connection
   * that sends one too early is ended by the listener.
   */
  #hold(bytes: Uint8Array | null, isLast: boolean): void {
    if (bytes !== null && bytes.length > 0) this.#held.push(bytes);
    this.#heldEnd = isLast;
    if (this.#holds) return;
    this.#holds = true;
    setImmediate(takeHeld, this);
  }

  /** Called by takeHeld() alone. */
  takeHeldNow(): void {
    this.#holds = false;
    try {
      for (const bytes of this.#held) {
        if (this.#isTaking) this.#takeBody(bytes, false);
      }
      if (this.#heldEnd && this.#isTaking) this.#takeBody(NO_BYTES, true);
    } catch (error) {
      this.#onDefect(error);
    }
    this.#held.length = 0;
    this.#settle();
  }

  /** Whether what the client sends is still of use. */
  get #isTaking(): boolean {
    return this.#live && !this.#clientGone && !this.#reply.isDone;
  }

  #takeBody(bytes: Uint8Array, isLast: boolean): void {
    if (isLast) this.#endRequest();
    if (bytes.length > 0) this.#observer?.onRequestBody(bytes);
    if (this.streaming) this.#stream(bytes);
    else if (isLast) {
      this.body = bytes.length > 0 ? bytes : null;
      this.#try(this.#target!);
    } else {
      this.streaming = true;
      this.#waiting.push(bytes);
      this.#pause();
      this.#try(this.#target!);
    }
    if (isLast) this.#observer?.onRequestEnd();
  }

  /** All of the body is here. A client that stayed paused could go away without being noticed. */
  #endRequest(): void {
    this.#requestEnded = true;
    if (!this.#paused) return;
    this.#paused = false;
    this.#response?.resume();
  }

  #stream(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#waiting.push(bytes);
    if (this.#wanted) this.#pump();
    else this.#pause();
  }

  #pause(): void {
    if (this.#paused || this.#requestEnded) return;
    this.#paused = true;
    this.#response!.pause();
  }

  /** Gives the upstream what waits, as long as it wants more. */
  #pump(): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    while (this.#waiting.length > 0) {
      this.#streamed = true;
      if (attempt.write(this.#waiting.shift()!)) continue;
      this.#wanted = false;
      this.#pause();
      return;
    }
    if (this.#requestEnded) {
      if (!this.#bodySent) attempt.end();
      this.#bodySent = true;
    } else if (this.#paused && this.#response !== null && !this.#reply.isDone) {
      this.#paused = false;
      this.#response.resume();
    }
  }

  #onAborted(): void {
    if (!this.#live || this.#clientGone) return;
    this.#clientGone = true;
    this.#response = null;
    // No further body will come.
    this.#requestEnded = true;
    if (!this.#reply.isDone) {
      if (this.#reply.hasHead) this.#target?.add(RouteCell.client_gone);
      else this.#count('client_gone', FAILURES.client_gone.status);
      this.#reply.forget();
    }
    this.#observe()?.onClientGone();
    if (this.#attempt !== null) this.#attempt.abort();
    else this.#settle();
  }

  #onClientDrain(): void {
    if (this.#reply.isDone) this.#settle();
    else this.#attempt?.resume();
  }

  // The upstream's side

  #try(target: RouteTarget): void {
    const index = target.balancer.next(this.#tried);
    if (index === -1) {
      this.#fail('no_primary', 'every backend has weight 0');
      return;
    }
    this.#backend = index;
    this.#tried |= 1 << index;
    this.#wanted = false;
    this.head.headers[1] = target.hosts[index] ?? this.head.host;
    this.#attempt = target.clients[index]!.dispatch(this, this);
    // The upstream may have asked for the body before it was known by whom.
    if (this.#wanted) this.#pump();
  }

  onStart(): void {}

  onDrain(): void {
    this.#wanted = true;
    this.#pump();
  }

  onHead(status: number, statusText: string, headers: string[]): void {
    if (this.#reply.isDone) return;
    // What is left of the request may never be read.
    if (!this.#requestEnded) this.#reply.closeAfter();
    if (!this.#reply.setHead(status, statusText, headers)) {
      this.#attempt?.abort();
      this.#fail('malformed', 'more than one content-length');
      return;
    }
    this.#count(null, status);
    this.#observer?.onAnswerHead(status);
    // Runs when what one read brought is through: until then the body may join the head.
    queueMicrotask(this.#flushBound);
  }

  onBody(chunk: Uint8Array): void {
    if (this.#reply.isDone) return;
    if (!this.#reply.write(chunk)) this.#attempt?.pause();
    this.#observer?.onAnswerBody(chunk);
  }

  onEnd(): void {
    this.#attempt = null;
    if (!this.#clientGone) {
      const now = this.#thread.clock();
      const latencyMs = now - this.#startedMs;
      this.#target!.latency.record(latencyMs, now);
      this.#reply.end();
      this.#observe()?.onAnswerEnd(latencyMs);
    }
    if (this.#clientGone || this.#reply.isDone) this.#settle();
  }

  onError(failure: UpstreamFailure): void {
    this.#attempt = null;
    if (!this.#clientGone && !this.#reply.isDone) {
      if (this.#mayRetry(failure)) {
        this.#retry();
        return;
      }
      this.#fail(failure.reason, failure.cause);
      return;
    }
    this.#settle();
  }

  /** RFC 9110 section 9.2.2: what may have been processed is sent again only when that changes nothing. */
  #mayRetry(failure: UpstreamFailure): boolean {
    if (this.#triesLeft === 0 || this.#reply.hasHead || this.#streamed || !RETRYABLE.has(failure.reason))
      return false;
    if (failure.sent && (this.body !== null || this.streaming || !IDEMPOTENT.has(this.head.method)))
      return false;
    return this.#thread.takeRetry();
  }

  #retry(): void {
    const target = this.#target!;
    this.#triesLeft--;
    target.add(RouteCell.retries);
    this.#try(target);
  }

  // Ends

  /** The primary gave no answer, or broke it off. */
  #fail(reason: UpstreamReason | 'no_primary', cause: string): void {
    const target = this.#target!;
    this.#observe()?.onAnswerFailed();
    const { status } = FAILURES[reason];
    const backend = target.route.backends[this.#backend]!.origin;
    this.#thread.log('warn', 'primary failed', {
      route: target.route.id,
      backend,
      reason,
      cause,
      method: this.head.method,
      path: this.head.path.slice(0, 1024),
      request_id: this.head.requestId.slice(0, 256),
    });
    if (this.#reply.hasHead) target.add(RouteCell[reason]);
    else this.#count(reason, status);
    if (!this.#requestEnded) this.#reply.closeAfter();
    this.#reply.fail(reason);
    if (this.#attempt === null) this.#settle();
  }

  /** A request that is not taken. What makes the connection suspect is answered in a later turn of the loop. */
  #refuse(reason: FailureReason): void {
    this.#thread.addRefused(reason);
    const closes = CLOSING.has(reason) || this.head.contentLength !== 0;
    if (closes) {
      this.#reply.closeAfter();
      this.#refusal = reason;
      setImmediate(answerRefusal, this);
      return;
    }
    this.#reply.fail(reason);
    this.#settle();
  }

  /** Called by answerRefusal() alone. */
  refuseNow(): void {
    if (!this.#clientGone) this.#reply.fail(this.#refusal!);
    this.#refusal = null;
    this.#settle();
  }

  /** The body grew over its limit while it came in. */
  #refuseBody(): void {
    this.#observe()?.onRefused();
    this.#count('body_too_large', FAILURES.body_too_large.status);
    this.#reply.closeAfter();
    this.#reply.fail('body_too_large');
    if (this.#attempt !== null) this.#attempt.abort();
    else this.#settle();
  }

  /** Counts what the client was answered, once per exchange. */
  #count(reason: keyof typeof RouteCell | null, status: number): void {
    const target = this.#target;
    if (target === null) return;
    if (reason !== null) target.add(RouteCell[reason]);
    target.addAnswer(status);
  }

  /** The observer, for its last call. */
  #observe(): ExchangeObserver | null {
    const observer = this.#observer;
    this.#observer = null;
    return observer;
  }

  /** A defect of ours: the client's connection is closed, everything else goes on. */
  #onDefect(error: unknown): void {
    this.#thread.onDefect(error);
    const response = this.#response;
    const isDone = this.#reply.isDone;
    this.#response = null;
    this.#clientGone = true;
    this.#reply.forget();
    try {
      this.#observe()?.onClientGone();
      if (response !== null && !isDone) response.close();
    } catch (second) {
      this.#thread.onDefect(second);
    }
    if (this.#attempt !== null) this.#attempt.abort();
    else this.#settle();
  }

  #settle(): void {
    if (!this.#live || this.#holds || this.#refusal !== null || this.#attempt !== null) return;
    if (!this.#clientGone && !this.#reply.isDone) return;
    this.#live = false;
    this.#response = null;
    this.#target?.leave();
    this.#target = null;
    this.#thread.release(this);
  }

  #reset(response: ClientResponse): void {
    this.body = null;
    this.streaming = false;
    this.#response = response;
    this.#target = null;
    this.#observer = null;
    this.#attempt = null;
    this.#live = true;
    this.#clientGone = false;
    this.#refusal = null;
    this.#waiting.length = 0;
    this.#wanted = false;
    this.#paused = false;
    this.#held.length = 0;
    this.#holds = false;
    this.#heldEnd = false;
    this.#requestEnded = true;
    this.#bodyBytes = 0;
    this.#streamed = false;
    this.#bodySent = false;
    this.#tried = 0;
    this.#backend = 0;
  }
}

function answerRefusal(exchange: Exchange): void {
  exchange.refuseNow();
}

function takeHeld(exchange: Exchange): void {
  exchange.takeHeldNow();
}
