// Reads the bytes of one connection into responses, one for each request (RFC 9112).
//
// Parses all that one read brought before anybody hears of it, so that bytes which should not be there are found
// before the answer that they follow is passed on. Keeps nothing but an incomplete head. Body bytes are moved
// together within the read's own memory: one read brings at most one piece of body.

import { COLON, CR, HEX_VALUE, IS_TEXT, IS_TOKEN, LF, SEMICOLON } from './characters.ts';
import { HEAD_INCOMPLETE, HEAD_MALFORMED, ResponseHead } from './response-head.ts';

/** Status line and headers of one head; over it the response is malformed. */
export const HEAD_BYTES_MAX = 64 * 1024;
/** Interim responses (1xx) before the final one. */
const INTERIM_MAX = 16;
/** A chunk's size line, extensions and all, without its line end. */
const SIZE_LINE_BYTES_MAX = 4 * 1024;
/** 2^52 bytes; more is no size. */
const SIZE_DIGITS_MAX = 13;
const TRAILER_BYTES_MAX = 16 * 1024;

const State = {
  /** Nothing can be made of what comes. */
  malformed: -1,
  /** No response is expected. */
  idle: 0,
  head: 1,
  length: 2,
  /** To the end of the connection. */
  close: 3,
  size: 4,
  extension: 5,
  sizeEnd: 6,
  data: 7,
  dataEnd: 8,
  dataEndLf: 9,
  trailerStart: 10,
  trailerName: 11,
  trailerValue: 12,
  trailerLf: 13,
  lastLf: 14,
} as const;

export class ResponseParser {
  readonly head = new ResponseHead();
  /** What the last read() brought: the final head, a piece of body, the end. */
  hasHead = false;
  bytes: Buffer = NOTHING;
  bodyStart = 0;
  bodyEnd = 0;
  isEnded = false;
  /** What is wrong, if read() returned false; it names no bytes of the response. */
  error = '';

  #state: number = State.idle;
  #isHead = false;
  #interim = 0;
  /** Body bytes that are still to come, of the whole or of the chunk. */
  #left = 0;
  #digits = 0;
  /** Of the size line or the trailers. */
  #lineBytes = 0;
  /** The beginning of a head that is not complete. */
  #held: Buffer = NOTHING;

  /** A request was written; its response is to come. `isHead`: to a HEAD request, so without a body. */
  open(isHead: boolean): void {
    this.#state = State.head;
    this.#isHead = isHead;
    this.#interim = 0;
    this.isEnded = false;
  }

  /** Whether a response is expected and not a byte of it has come. */
  get isUntouched(): boolean {
    return this.#state === State.head && this.#held.length === 0 && this.#interim === 0;
  }

  /** Whether the response's end is the connection's. */
  get isCloseDelimited(): boolean {
    return this.#state === State.close;
  }

  /** Takes a read's bytes, which it may move about. False: the response is malformed, and nothing of the read counts. */
  read(bytes: Buffer, start: number, end: number): boolean {
    this.hasHead = false;
    this.isEnded = false;
    this.bytes = bytes;
    this.bodyStart = start;
    this.bodyEnd = start;
    let at = start;
    let stop = end;
    if (this.#state === State.head) {
      if (this.#held.length > 0) {
        const more = bytes.subarray(start, end);
        this.bytes = Buffer.concat([this.#held, more]);
        at = 0;
        stop = this.bytes.length;
        if (!more.includes(LF) && stop <= HEAD_BYTES_MAX) {
          this.#held = this.bytes;
          return true;
        }
      }
      at = this.#readHeads(at, stop);
      if (at < 0) return at === HEAD_INCOMPLETE;
    }
    return this.#readBody(at, stop);
  }

  /** The connection has ended. False: within a response. */
  finish(): boolean {
    this.hasHead = false;
    this.bodyEnd = this.bodyStart;
    this.isEnded = this.#state === State.close;
    if (!this.isEnded) return false;
    this.#state = State.idle;
    return true;
  }

  #fail(error: string): false {
    this.#state = State.malformed;
    this.error = error;
    return false;
  }

  /** Returns where the final head ends, HEAD_INCOMPLETE or HEAD_MALFORMED. */
  #readHeads(start: number, end: number): number {
    const { bytes, head } = this;
    for (let at = start; ; ) {
      const next = head.parse(bytes, at, end);
      if (next === HEAD_MALFORMED) {
        this.#fail(head.error);
        return next;
      }
      if (next === HEAD_INCOMPLETE ? end - at > HEAD_BYTES_MAX : next - at > HEAD_BYTES_MAX) {
        this.#fail('head too large');
        return HEAD_MALFORMED;
      }
      if (next === HEAD_INCOMPLETE) {
        this.#held = at === end ? NOTHING : Buffer.from(bytes.subarray(at, end));
        return next;
      }
      at = next;
      if (head.status >= 200) {
        this.#held = NOTHING;
        this.#frame();
        return at;
      }
      if (++this.#interim > INTERIM_MAX) {
        this.#fail('too many interim responses');
        return HEAD_MALFORMED;
      }
    }
  }

  /** How the body is framed (RFC 9112 section 6.3). */
  #frame(): void {
    const { head } = this;
    this.hasHead = true;
    if (this.#isHead || head.status === 204 || head.status === 304) this.#left = 0;
    else if (head.isChunked) {
      this.#openSize();
      return;
    } else if (head.contentLength === -1) {
      this.#state = State.close;
      return;
    } else this.#left = head.contentLength;
    this.#state = State.length;
  }

  #openSize(): void {
    this.#state = State.size;
    this.#left = 0;
    this.#digits = 0;
    this.#lineBytes = 0;
  }

  #readBody(start: number, end: number): boolean {
    this.bodyStart = start;
    this.bodyEnd = start;
    let at = start;
    if (this.#state === State.length) {
      const take = Math.min(this.#left, end - start);
      this.#left -= take;
      at += take;
      this.bodyEnd = at;
      if (this.#left === 0) this.#end();
    } else if (this.#state === State.close) {
      this.bodyEnd = end;
      return true;
    } else if (this.#state >= State.size) at = this.#readChunked(start, end);
    else if (this.#state === State.malformed) return false;
    if (at < 0) return false;
    return at === end || this.#fail('bytes after the response');
  }

  #end(): void {
    this.#state = State.idle;
    this.isEnded = true;
  }

  /** Returns where the body ends or the read does; -1 when it is malformed. */
  #readChunked(start: number, end: number): number {
    let at = start;
    while (at < end && this.#state !== State.idle) {
      if (this.#state === State.data) at = this.#readData(at, end);
      else if (this.#state < State.trailerStart ? !this.#readSizeByte(at++) : !this.#readTrailerByte(at++))
        return -1;
    }
    return at;
  }

  #readData(at: number, end: number): number {
    const take = Math.min(this.#left, end - at);
    if (this.bodyEnd === this.bodyStart) {
      this.bodyStart = at;
      this.bodyEnd = at;
    } else if (this.bodyEnd !== at) this.bytes.copyWithin(this.bodyEnd, at, at + take);
    this.bodyEnd += take;
    this.#left -= take;
    if (this.#left === 0) this.#state = State.dataEnd;
    return at + take;
  }

  /** The frame around a chunk's data (RFC 9112 section 7.1). */
  #readSizeByte(at: number): boolean {
    const byte = this.bytes[at]!;
    switch (this.#state) {
      case State.dataEnd:
        if (byte !== CR) return this.#fail('chunk does not end where its size says');
        this.#state = State.dataEndLf;
        return true;
      case State.dataEndLf:
        if (byte !== LF) return this.#fail('chunk does not end where its size says');
        this.#openSize();
        return true;
      case State.size:
        if (HEX_VALUE[byte] !== 255) {
          this.#left = this.#left * 16 + HEX_VALUE[byte]!;
          return ++this.#digits <= SIZE_DIGITS_MAX || this.#fail('chunk too large');
        }
        if (this.#digits === 0 || (byte !== CR && byte !== SEMICOLON)) return this.#fail('bad chunk size');
        this.#state = byte === CR ? State.sizeEnd : State.extension;
        this.#lineBytes = this.#digits + 1;
        return true;
      case State.extension:
        if (byte === CR) {
          this.#state = State.sizeEnd;
          return true;
        }
        if (IS_TEXT[byte] === 0) return this.#fail('bad chunk extension');
        return ++this.#lineBytes <= SIZE_LINE_BYTES_MAX || this.#fail('chunk extension too long');
      default:
        if (byte !== LF) return this.#fail('bad chunk size');
        this.#state = this.#left === 0 ? State.trailerStart : State.data;
        this.#lineBytes = 0;
        return true;
    }
  }

  /** Trailers are checked and dropped (RFC 9110 section 6.5.1 allows it). */
  #readTrailerByte(at: number): boolean {
    const byte = this.bytes[at]!;
    if (++this.#lineBytes > TRAILER_BYTES_MAX) return this.#fail('trailers too large');
    switch (this.#state) {
      case State.trailerStart:
        if (byte === CR) this.#state = State.lastLf;
        else if (IS_TOKEN[byte] === 1) this.#state = State.trailerName;
        else return this.#fail('bad trailer');
        return true;
      case State.trailerName:
        if (byte === COLON) this.#state = State.trailerValue;
        else if (IS_TOKEN[byte] === 0) return this.#fail('bad trailer');
        return true;
      case State.trailerValue:
        if (byte === CR) this.#state = State.trailerLf;
        else if (IS_TEXT[byte] === 0) return this.#fail('bad trailer');
        return true;
      case State.trailerLf:
        if (byte !== LF) return this.#fail('bad trailer');
        this.#state = State.trailerStart;
        return true;
      default:
        if (byte !== LF) return this.#fail('bad trailer');
        this.#end();
        return true;
    }
  }
}

const NOTHING: Buffer = Buffer.alloc(0);
