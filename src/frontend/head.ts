// Reads and guards the head of a client's request, before anything is forwarded.
//
// The listener's parser accepts framing that other servers read differently, so whatever could be read in two ways
// is refused here (RFC 9112 sections 3.2, 6.1, 6.3). What passes is kept as the upstream gets it: end-to-end
// headers in their order, lower-case names, one byte per character. One object serves many requests in turn.

import type { FailureReason } from '../core/failure.ts';
import {
  type HeaderNames,
  isFieldValue,
  isHost,
  isToken,
  type KnownHeader,
  parseConnection,
  REQUEST_ID,
  RequestHeader,
  removeHeaders,
} from '../core/headers.ts';
import type { Limits } from '../core/model.ts';

/** What is needed of the listener's request; valid only during its callback. */
export interface ClientRequest {
  /** As received; must be read before anything that changes case in place. */
  getCaseSensitiveMethod(): string;
  /** Path without query. */
  getUrl(): string;
  /** Without `?`; undefined when the target has none. */
  getQuery(): string | undefined;
  forEach(callback: (name: string, value: string) => void): void;
}

/** Origin-form, visible ASCII without `#` (RFC 9112 section 3.2.1, RFC 3986 section 3.5). */
const TARGET = /^\/[\x21\x22\x24-\x7e]*$/;
const PLAIN_VALUE = /^[\t\x20-\x7e]*$/;
const CONTENT_LENGTH = /^[0-9]{1,16}$/;
const CLOSE = /(?:^|,)[\t ]*close[\t ]*(?:,|$)/i;
/** RFC 9110 section 9.2.1. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
/** RFC 1035 section 2.3.4, and room for a port. */
const HOST_LENGTH_MAX = 255 + 6;

/** Makes ids of exchanges that are unique in time and space without asking anybody. */
export class RequestIds {
  readonly #prefix: string;
  #next = 0;

  constructor(thread: number) {
    this.#prefix = `${Date.now().toString(36)}${process.pid.toString(36)}${thread.toString(36)}-`;
  }

  next(): string {
    return this.#prefix + (this.#next++).toString(36);
  }
}

export class RequestHead {
  method = '';
  /** Raw path without query. */
  path = '';
  /** Raw request target. */
  target = '';
  /** As received. */
  host = '';
  /** Flat list for the upstream; the first pair is `host`. */
  readonly headers: string[] = [];
  /** Entries of `headers` that the client sent; those behind them tell the primary of the client. */
  received = 0;
  /** Text of the client's address. */
  address = '';
  /** Whether the request came by TLS. */
  secure = false;
  /** Of the request body in bytes; -1 when its length is not known beforehand. */
  contentLength = 0;
  /** What `content-length` says; -1 without. */
  declaredBytes = -1;
  chunked = false;
  /** Whether the connection must not be used again: its framing cannot be trusted beyond this request. */
  last = false;
  /** Whether the client asks, among other things in `Connection`, for the connection's end (RFC 9112 section 9.6). */
  closes = false;
  /** Whether the request carries the mark of a mirrored copy. */
  marked = false;
  requestId = '';

  readonly #ids: RequestIds;
  readonly #names: HeaderNames;
  readonly #onHeader: (name: string, value: string) => void;
  #failure: FailureReason | null = null;
  #lines = 0;
  #hosts = 0;
  #lengths = 0;
  #codings = 0;
  #forwardedFor = '';
  #forwardedProto = false;
  #forwardedHost = false;
  #nominated: readonly string[] | null = null;

  constructor(ids: RequestIds, names: HeaderNames) {
    this.#ids = ids;
    this.#names = names;
    this.#onHeader = (name, value) => this.#readHeader(name, value);
  }

  /** The client's own `x-forwarded-for`; empty without. */
  get forwardedFor(): string {
    return this.#forwardedFor;
  }

  /**
   * Reads all of the request's head. Null when it is sound; otherwise what it is refused with. `address` is the
   * client's, `secure` whether it came by TLS.
   */
  read(request: ClientRequest, limits: Limits, address: string, secure: boolean): FailureReason | null {
    this.#reset();
    this.address = address;
    this.secure = secure;
    this.method = request.getCaseSensitiveMethod();
    this.path = request.getUrl();
    const query = request.getQuery();
    this.target = query === undefined ? this.path : `${this.path}?${query}`;
    request.forEach(this.#onHeader);
    this.received = this.headers.length;
    return this.#failure ?? this.#judge(limits);
  }

  /** Adds what the primary is told of the client. */
  addForwarded(): void {
    const { headers, address, secure } = this;
    if (this.#nominated !== null) {
      removeHeaders(headers, this.#nominated);
      this.received = headers.length;
    }
    headers.push(
      'x-forwarded-for',
      this.#forwardedFor === '' ? address : `${this.#forwardedFor}, ${address}`,
    );
    if (!this.#forwardedProto) headers.push('x-forwarded-proto', secure ? 'https' : 'http');
    if (!this.#forwardedHost) headers.push('x-forwarded-host', this.host);
    if (this.requestId === '') {
      this.requestId = this.#ids.next();
      headers.push(REQUEST_ID, this.requestId);
    }
  }

  #reset(): void {
    this.headers.length = 0;
    this.headers.push('host', '');
    this.contentLength = 0;
    this.declaredBytes = -1;
    this.chunked = false;
    this.last = false;
    this.closes = false;
    this.marked = false;
    this.requestId = '';
    this.host = '';
    this.#failure = null;
    this.#lines = 0;
    this.#hosts = 0;
    this.#lengths = 0;
    this.#codings = 0;
    this.#forwardedFor = '';
    this.#forwardedProto = false;
    this.#forwardedHost = false;
    this.#nominated = null;
  }

  #readHeader(name: string, raw: string): void {
    this.#lines++;
    let value = raw;
    if (!PLAIN_VALUE.test(raw)) {
      if (!isFieldValue(raw)) {
        this.#failure = 'bad_request';
        return;
      }
      // The listener decoded UTF-8; back to the bytes, so that they go out as they came in.
      value = Buffer.from(raw, 'utf8').toString('latin1');
    }
    const known = this.#names.find(name);
    if (known.kind === RequestHeader.endToEnd) {
      this.headers.push(known.name, value);
      return;
    }
    this.#readSpecial(known, value);
  }

  #readSpecial({ kind, name }: KnownHeader, value: string): void {
    switch (kind) {
      case RequestHeader.hopByHop:
        return;
      case RequestHeader.host:
        this.#hosts++;
        this.host = value;
        return;
      case RequestHeader.contentLength:
        this.#lengths++;
        if (!CONTENT_LENGTH.test(value)) this.#failure = 'bad_request';
        this.contentLength = Number(value);
        this.declaredBytes = this.contentLength;
        this.headers.push(name, value);
        return;
      case RequestHeader.transferEncoding:
        this.#codings++;
        if (value !== 'chunked') this.#failure = 'bad_request';
        this.chunked = true;
        return;
      case RequestHeader.connection:
        this.#nominate(value);
        return;
      case RequestHeader.forwardedFor:
        if (value === '') return;
        this.#forwardedFor = this.#forwardedFor === '' ? value : `${this.#forwardedFor}, ${value}`;
        return;
      case RequestHeader.forwardedProto:
        this.#forwardedProto = true;
        break;
      case RequestHeader.forwardedHost:
        this.#forwardedHost = true;
        break;
      case RequestHeader.requestId:
        if (this.requestId === '') this.requestId = value;
        break;
      case RequestHeader.mirrorMark:
        this.marked = true;
        break;
      default:
        this.#failure = 'bad_request';
        return;
    }
    this.headers.push(name, value);
  }

  #nominate(value: string): void {
    const nominated = parseConnection(value);
    if (value !== 'keep-alive' && CLOSE.test(value)) this.closes = true;
    if (nominated === null) this.#failure = 'bad_request';
    else if (nominated.length > 0) {
      this.#nominated = this.#nominated === null ? nominated : this.#nominated.concat(nominated);
    }
  }

  /** Rules over the whole head. */
  #judge(limits: Limits): FailureReason | null {
    if (this.#lines > limits.headerCount) return 'headers_too_large';
    if (this.target.length > limits.targetBytes) return 'target_too_long';
    if (!isToken(this.method) || !TARGET.test(this.target)) return 'bad_request';
    if (this.#hosts !== 1 || this.host.length > HOST_LENGTH_MAX || !isHost(this.host)) return 'bad_request';
    this.headers[1] = this.host;
    if (this.#lengths + this.#codings > 1) return 'bad_request';
    if (this.chunked) {
      this.contentLength = -1;
      // The listener reads chunk extensions, bare LF and trailers in its own way; nothing after this body is safe.
      this.last = true;
    } else if (this.#lengths === 0) {
      // A length may be hidden from us behind a header without a name, so whatever usually has a body is the last one.
      this.last = !SAFE.has(this.method);
    }
    if (this.contentLength > limits.bodyBytes) return 'body_too_large';
    return null;
  }
}
