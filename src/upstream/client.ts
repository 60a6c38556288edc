// The contract of an HTTP client towards an upstream, primary or shadow.
//
// One client serves one origin for one thread. It owns its connections, its bounded wait queue and all
// deadlines. It reports by calls on the handler, never by exceptions or promises: after dispatch() every
// attempt ends in exactly one onEnd() or onError(), in a later turn than dispatch() itself, and nothing is
// called after it. Strings of header values carry one byte per character (latin1).

import type { Backend, BackendTls, Timeouts } from '../core/model.ts';

/** Reasons are a subset of core/failure.ts, so that a primary's failure maps to its row. */
export type UpstreamReason =
  | 'refused'
  | 'reset'
  | 'malformed'
  | 'queue_full'
  | 'queue_timeout'
  | 'connect_timeout'
  | 'send_timeout'
  | 'read_timeout'
  | 'client_gone';

export interface UpstreamFailure {
  readonly reason: UpstreamReason;
  /** Whether any byte of the request may have reached the upstream. */
  readonly sent: boolean;
  /** For logs: the error's code and message. */
  readonly cause: string;
}

/** What is to be sent. Stays the same until the attempt's end. */
export interface UpstreamRequest {
  readonly method: string;
  /** Raw request target in origin-form; bytes 0x21 to 0x7e. */
  readonly target: string;
  /**
   * Flat list: name, value, name, value… End-to-end headers, checked by the front end's guard. Exactly one
   * `host`. `content-length` where the body's length is known; no `transfer-encoding`, `connection`, `expect`.
   */
  readonly headers: string[];
  /** Method, target and the same headers as they go over the wire, with the empty line (core/request-head.ts). */
  readonly headText: string;
  /** What `content-length` says; -1 when it is not among the headers. */
  readonly declaredBytes: number;
  /** The whole body, or null: none, or streamed by write() and end(). Owned by the caller, not changed. */
  readonly body: Uint8Array | null;
  /** Whether the body follows by write() and end(). */
  readonly streaming: boolean;
}

export interface UpstreamHandler {
  /**
   * A connection was given and the request is being written: from here on it may be processed. The only call that
   * may come within dispatch() itself; comes again when the request is sent once more.
   */
  onStart(): void;
  /** Streaming only: room for more. Called once when the first chunk is wanted, then after each full write(). */
  onDrain(): void;
  /**
   * The final response's head (never 1xx). `contentLength` as it says, -1 without. `lines`: the header lines that go
   * beyond this hop, without content-length, each with its line end, in order, duplicates as they came. It may come
   * before a streamed body was written whole; so may the end, and the rest of the body is then not wanted.
   */
  onHead(status: number, statusText: string, contentLength: number, lines: string): void;
  /** Nothing of the body came along with the head: it may be passed on alone. */
  onHeadAlone(): void;
  /** The chunk is the client's own memory and holds only during the call. */
  onBody(chunk: Uint8Array): void;
  onEnd(): void;
  onError(failure: UpstreamFailure): void;
}

/** Handle of one attempt. All calls are harmless after its end. */
export interface UpstreamAttempt {
  /**
   * Streams a body chunk, not before the first onDrain(); false means wait for the next one. The chunk is owned by
   * the client from here on. More bytes than a declared content-length, or an end() after fewer, end the attempt as
   * `malformed`.
   */
  write(chunk: Uint8Array): boolean;
  /** Ends a streamed body. */
  end(): void;
  /** Stops onBody() and onEnd() until resume(); at most what one read brought is held meanwhile. */
  pause(): void;
  resume(): void;
  /** Ends the attempt with onError('client_gone'), in a later turn; its connection may be closed. */
  abort(): void;
}

export interface UpstreamSettings {
  readonly origin: string;
  readonly tls: BackendTls | null;
  readonly client: Backend['client'];
  readonly timeouts: Timeouts;
  readonly connectionsMax: number;
  readonly queueMax: number;
  readonly queueTimeoutMs: number;
}

export interface UpstreamClient {
  dispatch(request: UpstreamRequest, handler: UpstreamHandler): UpstreamAttempt;
  /** Attempts that were dispatched and have not ended. */
  readonly active: number;
  /** Lets running attempts end, then closes the connections. */
  close(): Promise<void>;
  /** Ends everything at once; running attempts fail with `reset`. */
  destroy(): void;
}

export type CreateUpstreamClient = (settings: UpstreamSettings) => UpstreamClient;
