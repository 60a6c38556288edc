// The story of one exchange: guard, route, primary, reply.
//
// One object per exchange, taken from a pool and given back when both sides have ended, so that the hot path makes
// no closure and no promise. It is itself the request and the handler that the upstream client is given. All that
// mirroring does hangs on one line, in #accept().

import { RouteCell } from '../core/book.ts';
import { FAILURES, type FailureReason } from '../core/failure.ts';
import type { ExchangeObserver, ObservedExchange } from '../core/observer.ts';
import type { ExpressionSubject } from '../core/request-variable.ts';
import type {
  UpstreamAttempt,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamReason,
  UpstreamRequest,
} from '../upstream/client.ts';
import { type ClientRequest, RequestHead } from './head.ts';
import { type ClientResponse, Reply } from './reply.ts';
import { isRepeatable } from './retry.ts';
import type { RouteTarget } from './table.ts';
import type { FrontendThread } from './thread.ts';
import { Upload, type UploadOwner } from './upload.ts';

/** After these the rest of the connection cannot be trusted. */
const SUSPECT: ReadonlySet<string> = new Set(['bad_request', 'headers_too_large', 'target_too_long']);

export class Exchange implements UpstreamRequest, UpstreamHandler, UploadOwner, ObservedExchange {
  readonly head: RequestHead;

  readonly #thread: FrontendThread;
  readonly #upload: Upload;
  readonly #reply: Reply;
  #response: ClientResponse | null = null;
  #target: RouteTarget | null = null;
  #observer: ExchangeObserver | null = null;
  #attempt: UpstreamAttempt | null = null;
  #live = false;
  #clientGone = false;
  /** A refusal that is answered in a later turn. */
  #refusal: FailureReason | null = null;
  /** Of the primary's answer. */
  #status = 0;
  #isCounted = false;
  #startedMs = 0;
  /** When the first attempt began; only of a route with a bound on that. */
  #triedMs = 0;
  #triesLeft = 0;
  #tried = 0;
  /** Empty until it is asked for. */
  #headText = '';
  #backend = 0;

  readonly #onAbortedBound: () => void;

  constructor(thread: FrontendThread) {
    this.#thread = thread;
    this.head = new RequestHead(thread.ids, thread.names);
    this.#upload = new Upload(this, thread.slots);
    this.#reply = new Reply(
      () => this.#onClientDrain(),
      (error) => this.onDefect(error),
    );
    this.#onAbortedBound = () => {
      try {
        this.#onAborted();
      } catch (error) {
        this.onDefect(error);
      }
    };
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

  /** Made when it is first asked for. */
  get headText(): string {
    if (this.#headText === '') {
      this.#headText = this.#thread.heads.write(this.head.method, this.head.target, this.head.headers);
    }
    return this.#headText;
  }

  get declaredBytes(): number {
    return this.head.declaredBytes;
  }

  get path(): string {
    return this.head.path;
  }

  get contentLength(): number {
    return this.head.contentLength;
  }

  get marked(): boolean {
    return this.head.marked;
  }

  get subject(): ExpressionSubject {
    return this.head;
  }

  get body(): Uint8Array | null {
    return this.#upload.body;
  }

  get streaming(): boolean {
    return this.#upload.isStreaming;
  }

  /** Whether its object may serve another exchange: nothing can call it any more. */
  get isReusable(): boolean {
    return this.#upload.isEnded;
  }

  /** Runs within the listener's callback, the only time when `request` may be read. */
  start(response: ClientResponse, request: ClientRequest, secure: boolean): void {
    response.onAborted(this.#onAbortedBound);
    this.#reset(response);
    try {
      this.#begin(response, request, secure);
    } catch (error) {
      this.onDefect(error);
    }
  }

  #begin(response: ClientResponse, request: ClientRequest, secure: boolean): void {
    const thread = this.#thread;
    const failure = this.head.read(request, thread.limits, thread.toClientAddress(response), secure);
    const closes = this.head.last || this.head.closes || thread.isDraining;
    this.#reply.open(response, this.head.method, closes);
    if (failure !== null) {
      this.#refuse(failure);
      return;
    }
    const target = thread.findTarget(this.head);
    if (target === null) this.#refuse('not_found');
    else if (!thread.hasRoom()) this.#refuse('overload');
    else this.#accept(target, response);
  }

  #accept(target: RouteTarget, response: ClientResponse): void {
    // Set and entered together: whoever has one leaves it.
    this.#target = target;
    target.enter();
    this.head.addForwarded();
    this.#startedMs = this.#thread.clock();
    this.#triesLeft = target.route.retries;
    this.#observer = target.observation === null ? null : target.observation.open(this, this.#startedMs);
    this.#upload.open(response, this.head.contentLength === 0, this.head.last, this.#thread.limits.bodyBytes);
  }

  // The client's side

  get isTaking(): boolean {
    return this.#live && !this.#clientGone && !this.#reply.isDone && this.#refusal === null;
  }

  onUploadReady(): void {
    this.#try(this.#target!);
  }

  onUploadPiece(bytes: Uint8Array): void {
    this.#observer?.onRequestBody(bytes);
  }

  onUploadEnd(): void {
    this.#observer?.onRequestEnd();
  }

  onUploadRefused(reason: 'body_too_large' | 'overload'): void {
    this.#observe()?.onRefused();
    this.#countFailure(reason);
    this.#putOffRefusal(reason);
    this.#attempt?.abort();
  }

  onUploadSettled(): void {
    this.#settle();
  }

  #onAborted(): void {
    if (!this.#live || this.#clientGone) return;
    this.#clientGone = true;
    this.#response = null;
    this.#upload.forget();
    if (!this.#reply.isDone) {
      this.#countFailure('client_gone');
      this.#reply.forget();
    }
    this.#observe()?.onClientGone();
    if (this.#attempt !== null) this.#attempt.abort();
    else this.#settle();
  }

  #onClientDrain(): void {
    // Even when the client has got all of it: a paused attempt would never come to its end.
    if (this.#attempt !== null) this.#attempt.resume();
    else this.#settle();
  }

  // The upstream's side

  #try(target: RouteTarget): void {
    const index = target.balancer.next(this.#tried);
    if (index === -1) {
      this.#fail('no_primary', 'no backend has a weight above 0');
      return;
    }
    if (this.#tried === 0 && target.route.retryTimeoutMs !== null) this.#triedMs = this.#thread.clock();
    this.#backend = index;
    this.#tried |= 1 << index;
    this.#upload.detach();
    this.head.headers[1] = target.hosts[index] ?? this.head.host;
    this.#headText = '';
    this.#attempt = target.clients[index]!.dispatch(this, this);
    this.#upload.attach(this.#attempt);
  }

  onStart(): void {}

  onDrain(): void {
    try {
      this.#upload.onDrain();
    } catch (error) {
      this.onDefect(error);
    }
  }

  onHead(status: number, statusText: string, contentLength: number, lines: string): void {
    try {
      this.#answer(status, statusText, contentLength, lines);
    } catch (error) {
      this.onDefect(error);
    }
  }

  onHeadAlone(): void {
    try {
      this.#reply.flush();
    } catch (error) {
      this.onDefect(error);
    }
  }

  onBody(chunk: Uint8Array): void {
    if (this.#reply.isDone) return;
    try {
      if (!this.#reply.write(chunk)) this.#attempt?.pause();
      this.#observer?.onAnswerBody(chunk);
    } catch (error) {
      this.onDefect(error);
    }
  }

  onEnd(): void {
    this.#attempt = null;
    try {
      this.#onAnswered();
    } catch (error) {
      this.onDefect(error);
    }
  }

  onError(failure: UpstreamFailure): void {
    this.#attempt = null;
    try {
      this.#onFailed(failure);
    } catch (error) {
      this.onDefect(error);
    }
  }

  #answer(status: number, statusText: string, contentLength: number, lines: string): void {
    if (this.#reply.isDone) return;
    // What is left of the request may never be read.
    if (!this.#upload.isEnded) this.#reply.closeAfter(true);
    this.#reply.setHead(status, statusText, contentLength, lines);
    this.#status = status;
    this.#observer?.onAnswerHead(status, lines);
  }

  #onAnswered(): void {
    if (!this.#clientGone) {
      const now = this.#thread.clock();
      const latencyMs = now - this.#startedMs;
      this.#target!.latency.record(latencyMs, now);
      this.#count(this.#status);
      this.#reply.end();
      this.#observe()?.onAnswerEnd(latencyMs);
    }
    if (this.#clientGone || this.#reply.isDone) this.#settle();
  }

  #onFailed(failure: UpstreamFailure): void {
    if (this.#clientGone || this.#reply.isDone || this.#refusal !== null) this.#settle();
    else if (this.#takesRetry(failure)) {
      const target = this.#target!;
      this.#triesLeft--;
      target.add(RouteCell.retries);
      this.#try(target);
    } else this.#fail(failure.reason, failure.cause);
  }

  #takesRetry(failure: UpstreamFailure): boolean {
    if (this.#triesLeft === 0 || this.#reply.isBegun || this.#upload.hasStreamed) return false;
    const { retryTimeoutMs } = this.#target!.route;
    if (retryTimeoutMs !== null && this.#thread.clock() - this.#triedMs > retryTimeoutMs) return false;
    const hasBody = this.body !== null || this.streaming;
    return isRepeatable(failure, this.head.method, hasBody) && this.#thread.takeRetry();
  }

  // Ends

  /** The primary gave no answer, or broke it off. */
  #fail(reason: UpstreamReason | 'no_primary', cause: string): void {
    const target = this.#target!;
    this.#observe()?.onAnswerFailed();
    // A route may have no backend at all.
    const backend = target.route.backends[this.#backend]?.origin ?? null;
    this.#thread.log('warn', 'primary failed', {
      route: target.route.id,
      backend,
      reason,
      cause,
      method: this.head.method,
      path: this.head.path.slice(0, 1024),
      request_id: this.head.requestId.slice(0, 256),
    });
    this.#countFailure(reason);
    if (!this.#upload.isEnded) this.#reply.closeAfter(true);
    this.#reply.fail(reason);
    if (this.#attempt === null) this.#settle();
  }

  /** A request that is not taken. What makes the connection suspect is answered in a later turn of the loop. */
  #refuse(reason: FailureReason): void {
    this.#thread.addRefused(reason);
    if (SUSPECT.has(reason) || this.head.contentLength !== 0) {
      this.#putOffRefusal(reason);
      return;
    }
    this.#reply.fail(reason);
    this.#settle();
  }

  /** Not within the listener's parser, which would go on reading, and take back the deadline that an answer sets. */
  #putOffRefusal(reason: FailureReason): void {
    this.#refusal = reason;
    setImmediate(answerRefusal, this);
  }

  /** Called by answerRefusal() alone. */
  refuseNow(): void {
    const reason = this.#refusal!;
    this.#refusal = null;
    // Of a request that was taken it is known whether its body has come; of another one nothing was read.
    const lingers = this.#target === null ? !SUSPECT.has(reason) : !this.#upload.isEnded;
    this.#reply.closeAfter(lingers);
    if (!this.#clientGone) this.#reply.fail(reason);
    this.#settle();
  }

  /** The exchange did not go well: counts why, and what the client has seen of it. */
  #countFailure(reason: keyof typeof FAILURES & keyof typeof RouteCell): void {
    this.#target?.add(RouteCell[reason]);
    this.#count(this.#reply.isBegun ? this.#status : FAILURES[reason].status);
  }

  /** Counts what the client was answered, once per exchange. */
  #count(status: number): void {
    if (this.#isCounted) return;
    this.#isCounted = true;
    this.#target?.addAnswer(status);
  }

  /** The observer, for its last call. */
  #observe(): ExchangeObserver | null {
    const observer = this.#observer;
    this.#observer = null;
    return observer;
  }

  /** A defect of ours: the client's connection is closed, everything else goes on. */
  onDefect(error: unknown): void {
    this.#thread.onDefect(error);
    const response = this.#response;
    const isDone = this.#reply.isDone;
    this.#countFailure('internal');
    this.#response = null;
    this.#clientGone = true;
    this.#reply.forget();
    try {
      this.#observe()?.onClientGone();
      if (response !== null && !isDone) {
        this.#upload.forget();
        response.close();
      }
    } catch (second) {
      this.#thread.onDefect(second);
    }
    if (this.#attempt !== null) this.#attempt.abort();
    else this.#settle();
  }

  #settle(): void {
    if (!this.#live || this.#upload.isPuttingOff || this.#refusal !== null || this.#attempt !== null) return;
    if (!this.#clientGone && !this.#reply.isDone) return;
    this.#live = false;
    this.#response = null;
    this.#upload.drop();
    this.#target?.leave();
    this.#target = null;
    this.#thread.release(this);
  }

  #reset(response: ClientResponse): void {
    this.#upload.reset();
    this.#response = response;
    this.#target = null;
    this.#observer = null;
    this.#attempt = null;
    this.#live = true;
    this.#clientGone = false;
    this.#refusal = null;
    this.#status = 0;
    this.#isCounted = false;
    this.#tried = 0;
    this.#headText = '';
    this.#backend = 0;
  }
}

function answerRefusal(exchange: Exchange): void {
  exchange.refuseNow();
}
