// Writes one response to the client, with back pressure.
//
// Owns the rules of the listener's response object: nothing is called after it was ended or aborted, a body of
// known length is written by tryEnd() and never over- or underrun, a head without body carries its length as an
// ordinary header, a connection that must not be used again is closed or, where its response was already begun,
// left unread until the listener's idle timeout ends it, and nothing is corked that does not fit the cork buffer.
// One object serves many responses in turn.

import { FAILURES, type FailureReason, type FailureRow } from '../core/failure.ts';
import { writeResponseHead } from './response-head.ts';

/** What is used of the listener's response object. */
export interface ClientResponse {
  cork(callback: () => void): unknown;
  writeStatus(status: string): unknown;
  writeHeader(name: string, value: string | Uint8Array): unknown;
  /** Always chunked; false when the client is slower. Takes the whole chunk. */
  write(chunk: Uint8Array): boolean;
  /** May take a part only; see getWriteOffset(). */
  tryEnd(chunk: Uint8Array, totalBytes: number): [ok: boolean, done: boolean];
  end(body?: string | Uint8Array, closeConnection?: boolean): unknown;
  endWithoutBody(): unknown;
  getWriteOffset(): number;
  onWritable(handler: (offset: number) => boolean): unknown;
  onAborted(handler: () => void): unknown;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): unknown;
  getRemoteAddress(): ArrayBuffer;
  pause(): void;
  resume(): void;
  close(): unknown;
}

/**
 * The listener's cork buffer, bytes (LoopData::CORK_BUFFER_SIZE). When corked bytes are followed by more than fits
 * with them, the listener sends the corked ones first; if the socket takes only a part of those, it loses what
 * followed, without a word (AsyncSocket::uncork(), 20.x; seen once in 6,000 full sockets).
 */
const CORK_BYTES = 16 * 1024;
/** What the listener may add to a head: Date, and how the body is framed. */
const ADDED_BYTES = 128;
/** The size of a chunk, and the ends of its lines. */
const CHUNK_FRAME_BYTES = 16;

const NO_BYTES = new Uint8Array(0);

const ReplyState = { idle: 0, open: 1, headed: 2, flushed: 3, ended: 4 } as const;

export class Reply {
  #response: ClientResponse | null = null;
  #state: number = ReplyState.idle;
  #isHead = false;
  #failure: FailureReason = 'internal';
  #closes = false;
  /** Whether the client may still be sending what nobody will read. */
  #lingers = false;
  #status = 0;
  #statusText = '';
  #lines = '';
  /** At most what the head takes in the cork buffer. */
  #headBytes = 0;
  /** Announced length of the body; -1 when unknown. */
  #total = -1;
  #bodiless = false;
  /** Body bytes handed in so far. */
  #written = 0;
  /** What tryEnd() did not take, and its place in the body. */
  #rest: Uint8Array | null = null;
  #restAt = 0;
  #chunk: Uint8Array = NO_BYTES;
  #full = false;
  #watching = false;
  readonly #onDrain: () => void;
  readonly #onDefect: (error: unknown) => void;
  readonly #flushBound = (): void => this.#guard(this.#flush);
  readonly #flushWholeBound = (): void => this.#guard(this.#flushWhole);
  readonly #writeBound = (): void => this.#guard(this.#writeChunk);
  readonly #endBound = (): void => this.#guard(this.#endBody);
  readonly #failBound = (): void => this.#guard(this.#writeFailure);
  readonly #onWritableBound = (offset: number): boolean => {
    try {
      return this.#onWritable(offset);
    } catch (error) {
      this.#onDefect(error);
      return true;
    }
  };

  /**
   * `onDrain` is called when the client has caught up after write() returned false; `onDefect` with whatever was
   * thrown where it would have unwound into the listener's native code.
   */
  constructor(onDrain: () => void, onDefect: (error: unknown) => void) {
    this.#onDrain = onDrain;
    this.#onDefect = onDefect;
  }

  #guard(action: (this: this) => void): void {
    try {
      action.call(this);
    } catch (error) {
      this.#onDefect(error);
    }
  }

  /** `closes`: the client's connection must not be used again after this response. */
  open(response: ClientResponse, method: string, closes: boolean): void {
    this.#response = response;
    this.#state = ReplyState.open;
    this.#isHead = method === 'HEAD';
    this.#closes = closes;
    this.#lingers = false;
    this.#total = -1;
    this.#bodiless = false;
    this.#written = 0;
    this.#rest = null;
    this.#chunk = NO_BYTES;
    this.#full = false;
    this.#watching = false;
  }

  /**
   * As `closes` of open(), found out later. `lingers`: the client may still be sending. Then the connection is not
   * closed at once, which would reset it and could cost the client its answer (RFC 9112 section 9.6), but left unread
   * until the listener's idle timeout.
   */
  closeAfter(lingers: boolean): void {
    this.#closes = true;
    this.#lingers = lingers;
  }

  /** Whether the client may have got a part of the response: it can no longer be replaced by another. */
  get isBegun(): boolean {
    return this.#state >= ReplyState.flushed;
  }

  get isDone(): boolean {
    return this.#state === ReplyState.ended;
  }

  /** Takes the head, as the upstream tells it; it is written together with the first of the body, or by flush(). */
  setHead(status: number, statusText: string, contentLength: number, lines: string): void {
    this.#status = status;
    this.#statusText = statusText;
    this.#lines = lines;
    this.#headBytes = ADDED_BYTES + statusText.length + lines.length;
    this.#total = contentLength;
    this.#bodiless = this.#isHead || status === 204 || status === 304;
    this.#state = ReplyState.headed;
  }

  /**
   * Writes the head alone, if nothing was written yet. Where the body's length is not known the listener can only
   * send it with the first of the body.
   */
  flush(): void {
    if (this.#state === ReplyState.headed && !this.#bodiless && this.#total > 0) {
      this.#cork(this.#flushBound, this.#headBytes);
    }
  }

  /** Body bytes; false means wait for onDrain. A body longer than announced ends the connection. */
  write(chunk: Uint8Array): boolean {
    if (this.#state === ReplyState.ended || this.#bodiless || chunk.length === 0) return true;
    this.#written += chunk.length;
    if (this.#total !== -1 && this.#written > this.#total) {
      this.abort();
      return true;
    }
    this.#full = false;
    if (this.#total === -1) this.#writePieces(chunk);
    else this.#writeKnown(chunk);
    return !this.#full;
  }

  #writeKnown(chunk: Uint8Array): void {
    this.#chunk = chunk;
    if (this.#state === ReplyState.flushed) this.#response!.cork(this.#writeBound);
    else if (chunk.length === this.#total && this.#headBytes + chunk.length <= CORK_BYTES) {
      this.#response!.cork(this.#flushWholeBound);
    } else this.#cork(this.#writeBound, this.#headBytes);
  }

  /** The listener makes a chunk of each piece. */
  #writePieces(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && this.#state !== ReplyState.ended; ) {
      const taken = this.#state === ReplyState.headed ? this.#headBytes : 0;
      const room = CORK_BYTES - CHUNK_FRAME_BYTES - taken;
      const end = room > 0 ? at + room : chunk.length;
      this.#chunk = end < chunk.length || at > 0 ? chunk.subarray(at, end) : chunk;
      this.#cork(this.#writeBound, taken);
      at = end;
    }
  }

  /** Corks what is written, if the head of that many bytes, with which it begins, fits the cork buffer. */
  #cork(action: () => void, headBytes: number): void {
    if (headBytes < CORK_BYTES - CHUNK_FRAME_BYTES) this.#response!.cork(action);
    else action();
  }

  /** The body is complete. A body shorter than announced ends the connection. */
  end(): void {
    if (this.#state === ReplyState.ended) return;
    if (!this.#bodiless && this.#total !== -1 && this.#written < this.#total) {
      this.abort();
      return;
    }
    // With a rest, the last of tryEnd() completes the response.
    if (this.#rest !== null) return;
    this.#cork(this.#endBound, this.#state === ReplyState.headed ? this.#headBytes : 0);
  }

  /** Answers with a failure's status, if nothing was answered yet; otherwise ends the connection. */
  fail(reason: FailureReason): void {
    if (this.#state === ReplyState.ended) return;
    if (this.#state === ReplyState.flushed) {
      this.abort();
      return;
    }
    this.#failure = reason;
    this.#response!.cork(this.#failBound);
  }

  /** Ends the connection without completing the response. */
  abort(): void {
    if (this.#state === ReplyState.ended || this.#state === ReplyState.idle) return;
    const response = this.#response!;
    this.#finish();
    response.close();
  }

  /** The client is gone: the response object is dead. */
  forget(): void {
    this.#finish();
  }

  #finish(): void {
    this.#state = ReplyState.ended;
    this.#response = null;
    this.#lines = '';
    this.#rest = null;
    this.#chunk = NO_BYTES;
  }

  #writeHead(closes: boolean): void {
    const response = this.#response!;
    writeResponseHead(response, this.#status, this.#statusText, this.#lines);
    // The length of a body that follows is written by the listener.
    if (this.#bodiless && this.#status !== 204 && this.#total !== -1) {
      response.writeHeader('Content-Length', String(this.#total));
    }
    if (closes) response.writeHeader('Connection', 'close');
    this.#state = ReplyState.flushed;
  }

  #writeFailure(): void {
    const response = this.#response!;
    const { status, text, json }: FailureRow = FAILURES[this.#failure];
    const body = json === undefined ? `${text}\n` : `${json}\n`;
    const closes = this.#closes;
    const lingers = closes && this.#lingers;
    this.#finish();
    response.writeStatus(`${status} ${text}`);
    response.writeHeader(
      'content-type',
      json === undefined ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8',
    );
    if (!this.#isHead) {
      if (lingers) this.#linger(response);
      response.end(body, closes && !lingers);
      return;
    }
    response.writeHeader('Content-Length', String(body.length));
    if (closes) {
      response.writeHeader('Connection', 'close');
      response.pause();
    }
    response.endWithoutBody();
  }

  #flush(): void {
    this.#writeHead(this.#closes);
    this.#response!.tryEnd(NO_BYTES, this.#total);
  }

  /** Head and whole body at once. */
  #flushWhole(): void {
    const response = this.#response!;
    const chunk = this.#chunk;
    const closes = this.#closes;
    const lingers = closes && this.#lingers;
    this.#writeHead(false);
    if (lingers) this.#linger(response);
    this.#finish();
    response.end(chunk, closes && !lingers);
  }

  #linger(response: ClientResponse): void {
    response.writeHeader('Connection', 'close');
    response.pause();
  }

  #writeChunk(): void {
    const response = this.#response!;
    if (this.#state === ReplyState.headed) this.#writeHead(this.#closes);
    const chunk = this.#chunk;
    this.#chunk = NO_BYTES;
    if (this.#total === -1) {
      if (!response.write(chunk)) this.#watch();
      return;
    }
    this.#tryEnd(chunk, this.#written - chunk.length);
  }

  /** Offers bytes of a body of known length; keeps what was not taken. `at` is their place in the body. */
  #tryEnd(chunk: Uint8Array, at: number): boolean {
    const response = this.#response!;
    if (this.#closes) response.pause();
    const [ok, done] = response.tryEnd(chunk, this.#total);
    if (done) {
      this.#finish();
      return true;
    }
    if (ok) return true;
    const taken = response.getWriteOffset() - at;
    // The chunk is its giver's memory.
    this.#rest = new Uint8Array(chunk.subarray(taken));
    this.#restAt = at + taken;
    this.#watch();
    return false;
  }

  #watch(): void {
    this.#full = true;
    if (this.#watching) return;
    this.#watching = true;
    this.#response!.onWritable(this.#onWritableBound);
  }

  #onWritable(offset: number): boolean {
    if (this.#state === ReplyState.ended) return true;
    const rest = this.#rest;
    if (rest !== null) {
      this.#rest = null;
      const taken = offset - this.#restAt;
      if (!this.#tryEnd(rest.subarray(taken), offset)) return false;
    } else {
      // The listener leaves it to this handler to send what it keeps itself: uncorking does.
      this.#response!.cork(doNothing);
    }
    if (this.#full) {
      this.#full = false;
      this.#onDrain();
    }
    return true;
  }

  #endBody(): void {
    const response = this.#response!;
    if (this.#state === ReplyState.headed && !this.#bodiless && this.#total <= 0) {
      // No body byte came: an empty body of known length, whatever its framing was.
      this.#chunk = NO_BYTES;
      this.#flushWhole();
      return;
    }
    if (this.#state === ReplyState.headed) this.#writeHead(this.#closes);
    if (this.#closes) response.pause();
    this.#finish();
    if (this.#bodiless) response.endWithoutBody();
    else response.end();
  }
}

function doNothing(): void {}
