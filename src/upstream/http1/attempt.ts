// One attempt: the caller's handle of a request, from the wait queue to its end.
//
// Keeps the promise that its handler hears of exactly one end, in a later turn than the call that caused it. A call
// that comes after the end does nothing: by then the connection may serve another attempt.

import type {
  UpstreamAttempt,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamReason,
  UpstreamRequest,
} from '../client.ts';
import type { Connection } from './connection.ts';

/** What the client that made the attempt does for it. */
export interface AttemptOwner {
  /** Takes a waiting attempt out of the queue. */
  leave(attempt: Attempt): void;
  /** Calls attempt.report() in a later turn. */
  postpone(attempt: Attempt): void;
  /** The attempt has ended and its handler is about to hear of it. */
  settle(): void;
}

export class Attempt implements UpstreamAttempt {
  readonly request: UpstreamRequest;
  readonly handler: UpstreamHandler;
  /** That it has or waits for; null while it is in the queue, and after its end. */
  connection: Connection | null = null;
  /** Whether a byte of the request may have been written. */
  isSent = false;
  /** Whether it was sent once already, over a connection that turned out to be closed. */
  isRepeated = false;
  isPaused = false;
  /** Whether the end was told or is about to be. */
  isDone = false;

  // The queue's.
  isWaiting = false;
  next: Attempt | null = null;
  previous: Attempt | null = null;
  queuedTick = 0;

  readonly #owner: AttemptOwner;
  #failure: UpstreamFailure | null = null;

  constructor(owner: AttemptOwner, request: UpstreamRequest, handler: UpstreamHandler) {
    this.#owner = owner;
    this.request = request;
    this.handler = handler;
  }

  // The caller's side.

  write(chunk: Uint8Array): boolean {
    return this.connection === null ? true : this.connection.write(chunk);
  }

  end(): void {
    this.connection?.endBody();
  }

  pause(): void {
    if (this.isPaused || this.isDone) return;
    this.isPaused = true;
    this.connection?.pause();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.connection?.resume();
  }

  abort(): void {
    this.stop('client_gone', 'aborted by the caller');
  }

  // The client's side.

  /** Ends the attempt; its handler hears of it in a later turn. */
  stop(reason: UpstreamReason, cause: string): void {
    if (this.isDone) return;
    this.#fail(reason, cause);
    this.#owner.postpone(this);
  }

  /** As stop(), for a turn that is not the caller's: the handler hears of it at once. */
  fail(reason: UpstreamReason, cause: string): void {
    if (this.isDone) return;
    this.#fail(reason, cause);
    this.report();
  }

  /** The response is complete, and the connection free for another attempt. */
  finish(): void {
    this.isDone = true;
    this.connection = null;
    this.report();
  }

  report(): void {
    this.#owner.settle();
    try {
      if (this.#failure === null) this.handler.onEnd();
      else this.handler.onError(this.#failure);
    } catch (error) {
      surface(error);
    }
  }

  /** A handler that throws is a defect of ours: the process hears of it. */
  fault(error: unknown): void {
    surface(error);
    this.stop('reset', 'handler threw');
  }

  #fail(reason: UpstreamReason, cause: string): void {
    this.isDone = true;
    this.#failure = { reason, sent: this.isSent, cause };
    const { connection } = this;
    this.connection = null;
    if (this.isWaiting) this.#owner.leave(this);
    connection?.drop();
  }
}

/** For logs: the error's code and message. */
export function toCause(error: (Error & { code?: string }) | null): string {
  if (error === null) return 'no connection';
  return error.code === undefined ? error.message : `${error.code}: ${error.message}`;
}

/** Throws a defect where nothing of ours is on the stack. */
function surface(error: unknown): void {
  process.nextTick(rethrow, error);
}

function rethrow(error: unknown): never {
  throw error;
}
