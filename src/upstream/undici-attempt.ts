// One attempt: the caller's handle, undici's handler and undici's options, all in one object, because
// tens of thousands of these are made every second.
//
// Owns the way of one request through undici and the promise that its handler hears of exactly one end, in a
// later turn than dispatch(). Never waits for anything itself: the queue and the clocks are its owner's.

import type { Dispatcher } from 'undici';
import type {
  UpstreamAttempt,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamReason,
  UpstreamRequest,
} from './client.ts';
import { isRequestFault, surface, toUpstreamFailure } from './undici-failure.ts';
import { toContentLength, toEndToEndLines, toHeaderList } from './undici-headers.ts';
import {
  PHASE_ANSWERED,
  PHASE_HANDED,
  PHASE_NEW,
  PHASE_OVER,
  PHASE_STARTED,
  PHASE_WAITING,
} from './undici-phase.ts';
import { Upload } from './undici-upload.ts';

/** A thrown or passed reason whose stack nobody needs: undici only hands it back to us. */
const STOPPED = Object.freeze(new Error('attempt was stopped'));

/** What the client that made the attempt does for it. */
export interface AttemptOwner {
  readonly readMs: number;
  /** Host name of the origin, the same for every request: undici opens a new TLS connection when it changes. */
  readonly serverName: string;
  /** Takes a waiting attempt out of the queue. */
  leave(attempt: Attempt): void;
  /** undici is through with the attempt. A broken connection's state is not to be trusted any more. */
  release(attempt: Attempt, broken: boolean): void;
  /** Calls attempt.report() in a later turn. */
  postpone(attempt: Attempt): void;
  /** The attempt has ended and its handler is about to hear of it. */
  settle(attempt: Attempt): void;
  /** Calls attempt.sweep() every now and then until unwatch(). */
  watch(attempt: Attempt): void;
  unwatch(attempt: Attempt): void;
}

export class Attempt implements UpstreamAttempt, Dispatcher.DispatchHandler, Dispatcher.DispatchOptions {
  // undici's options.
  readonly path: string;
  readonly method: string;
  readonly headers: string[];
  readonly body: Uint8Array | Upload | null;
  readonly servername: string;
  readonly headersTimeout: number;
  /** Keep the connection after HEAD, and after DELETE or GET with a body: the framing is strict on both sides. */
  readonly reset = false;
  /** With one request per connection neither holds anything back, and undici repeats nothing by itself. */
  readonly idempotent = true;
  readonly blocking = false;

  // The owner's.
  phase = PHASE_NEW;
  slot = -1;
  next: Attempt | null = null;
  previous: Attempt | null = null;
  queuedAt = 0;

  private readonly owner: AttemptOwner;
  private readonly handler: UpstreamHandler;
  private readonly upload: Upload | null;
  private controller: Dispatcher.DispatchController | null = null;
  /** Whether an end was reported or is about to be: nothing but report() may follow. */
  private done = false;
  private failure: UpstreamFailure | null = null;
  private hasBody = false;
  private paused = false;
  private resuming = false;
  /** Chunks that undici delivered although paused: it reads on to the end when the upstream closes. */
  private held: Uint8Array[] | null = null;
  private sentAt = 0;

  constructor(owner: AttemptOwner, request: UpstreamRequest, handler: UpstreamHandler) {
    this.owner = owner;
    this.handler = handler;
    this.path = request.target;
    this.method = request.method;
    this.headers = request.headers;
    this.servername = owner.serverName;
    this.upload = request.streaming ? new Upload(request.declaredBytes, () => this.tellRoom()) : null;
    this.body = this.upload ?? request.body;
    // undici's deadline for the head runs while a stream is still being sent; sweep() knows better.
    this.headersTimeout = request.streaming ? 0 : owner.readMs;
  }

  // The caller's side.

  write(chunk: Uint8Array): boolean {
    if (this.done || this.upload === null) return true;
    if (this.upload.fits(chunk)) return this.upload.accept(chunk);
    this.stop('malformed', 'request body is longer than its content-length');
    return true;
  }

  end(): void {
    if (this.done || this.upload === null || this.upload.finish()) return;
    this.stop('malformed', 'request body is shorter than its content-length');
  }

  pause(): void {
    this.paused = true;
    this.controller?.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (this.done || this.resuming || this.controller === null) return;
    // Not from here: undici's parser is one per thread, and this may be called while it parses another answer.
    this.resuming = true;
    process.nextTick(flow, this);
  }

  abort(): void {
    this.stop('client_gone', 'aborted by the caller');
  }

  // The owner's side.

  /** Ends the attempt; its handler hears of it in a later turn. */
  stop(reason: UpstreamReason, cause: string): void {
    if (this.done) return;
    this.fail({ reason, sent: this.phase >= PHASE_STARTED, cause });
    this.owner.postpone(this);
    this.withdraw();
  }

  /** Delivers the end, the one time. */
  report(): void {
    this.owner.settle(this);
    try {
      if (this.failure === null) this.handler.onEnd();
      else this.handler.onError(this.failure);
    } catch (error) {
      surface(error);
    }
  }

  /** Checks the deadlines of a streamed request, which undici does not know or knows only coarsely. */
  sweep(nowMs: number, sendMs: number, readMs: number): void {
    if (this.upload === null || this.phase !== PHASE_STARTED) return;
    if (this.sentAt !== 0) {
      if (nowMs - this.sentAt >= readMs) this.stop('read_timeout', `no response within ${readMs} ms`);
    } else if (this.upload.stalledMs(nowMs) >= sendMs) {
      this.stop('send_timeout', `upstream took nothing of the body for ${sendMs} ms`);
    }
  }

  /** Goes on after resume(): what was held first, then the end or undici. */
  flow(): void {
    this.resuming = false;
    while (this.held !== null && !this.paused && !this.done) {
      const chunk = this.held.shift();
      if (this.held.length === 0) this.held = null;
      if (chunk !== undefined) this.deliver(chunk);
    }
    if (this.done) return;
    if (this.phase !== PHASE_OVER) {
      if (!this.paused) this.controller?.resume();
      return;
    }
    // The end waits for resume(); the owner has to know of it, because undici does not any more.
    if (this.paused) this.owner.watch(this);
    else this.finish();
  }

  // undici's side.

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // undici drops a request whose start throws, and keeps the connection: nothing was written.
    if (this.done) throw STOPPED;
    this.phase = PHASE_STARTED;
    this.controller = controller;
    if (this.paused) controller.pause();
    try {
      this.handler.onStart();
    } catch (error) {
      this.fault(error);
    }
    if (this.upload === null || this.done) return;
    this.owner.watch(this);
    this.upload.start(performance.now());
  }

  onBodySent(): void {
    this.upload?.count();
  }

  onRequestSent(): void {
    if (this.upload !== null) this.sentAt = performance.now();
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    parsed: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2],
    statusText = '',
  ): void {
    if (status < 200 || this.done) return;
    this.phase = PHASE_ANSWERED;
    if (this.upload !== null) this.owner.unwatch(this);
    const headers = toHeaderList(parsed, controller.rawHeaders);
    const contentLength = toContentLength(headers);
    const lines = toEndToEndLines(headers);
    if (contentLength === -2 || lines === null) {
      this.stop('malformed', contentLength === -2 ? 'bad content-length' : 'bad connection header');
      return;
    }
    // Runs when what one read brought is through.
    process.nextTick(tellHeadAlone, this);
    try {
      this.handler.onHead(status, statusText, contentLength, lines);
    } catch (error) {
      this.fault(error);
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.done) return;
    if (!this.paused && this.held === null) this.deliver(chunk);
    else if (this.held === null) this.held = [chunk];
    else this.held.push(chunk);
  }

  onResponseEnd(): void {
    this.over(false);
    // A caller that dispatches the next request in onEnd() must not do so inside undici's parser.
    process.nextTick(flow, this);
  }

  onResponseError(controller: Dispatcher.DispatchController | null, error: unknown): void {
    if (this.phase === PHASE_OVER) return;
    // Null (not undefined) means that it was thrown by dispatch(), not told by a connection.
    const broken = controller === null && !isRequestFault(error);
    if (!this.done) {
      this.fail(toUpstreamFailure(error, this.phase >= PHASE_STARTED, this.phase >= PHASE_ANSWERED));
      this.owner.postpone(this);
    }
    this.over(broken);
  }

  /** Called by tellHeadAlone() alone. */
  tellHeadAlone(): void {
    if (this.done || this.hasBody) return;
    try {
      this.handler.onHeadAlone();
    } catch (error) {
      this.fault(error);
    }
  }

  private tellRoom(): void {
    if (this.done) return;
    try {
      this.handler.onDrain();
    } catch (error) {
      this.fault(error);
    }
  }

  private deliver(chunk: Uint8Array): void {
    this.hasBody = true;
    try {
      this.handler.onBody(chunk);
    } catch (error) {
      this.fault(error);
    }
  }

  private finish(): void {
    this.done = true;
    this.report();
  }

  private fail(failure: UpstreamFailure): void {
    this.done = true;
    this.failure = failure;
    this.held = null;
  }

  /** Takes the request back from wherever it is. */
  private withdraw(): void {
    if (this.phase === PHASE_WAITING) this.owner.leave(this);
    if (this.phase < PHASE_HANDED) this.phase = PHASE_OVER;
    if (this.phase === PHASE_STARTED || this.phase === PHASE_ANSWERED) this.controller?.abort(STOPPED);
    this.upload?.destroy();
  }

  /** undici is through with it; it may call again all the same. */
  private over(broken: boolean): void {
    if (this.upload !== null) {
      this.owner.unwatch(this);
      this.upload.destroy();
    }
    this.phase = PHASE_OVER;
    this.owner.release(this, broken);
  }

  /** A handler that throws is a defect of ours: the process hears of it, undici does not. */
  private fault(error: unknown): void {
    surface(error);
    this.stop('reset', 'handler threw');
  }
}

function flow(attempt: Attempt): void {
  attempt.flow();
}

function tellHeadAlone(attempt: Attempt): void {
  attempt.tellHeadAlone();
}
