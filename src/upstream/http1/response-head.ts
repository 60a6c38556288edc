// Parses the head of a response (RFC 9112 sections 4 to 6): status line, header lines, and how the body is framed.
//
// Strict: what two parsers could read in two ways is an error, never a guess. The lines that go beyond this hop stay
// one text, as they came; nothing is made of a single header. One object reads one head after the other.

import { isResponseHopByHop, parseConnection } from '../../core/headers.ts';
import { readLatin1 } from '../../core/latin1.ts';
import { COLON, CR, HTAB, IS_TEXT, IS_TOKEN, LF, SPACE } from './characters.ts';

/** Header lines of one head; over it the head is malformed. The reader bounds its bytes. */
const LINES_MAX = 1_000;
/** 2^53 has sixteen digits. */
const LENGTH_DIGITS_MAX = 15;

export const HEAD_INCOMPLETE = -1;
export const HEAD_MALFORMED = -2;

const PREFIX = Buffer.from('HTTP/1.');
const ZERO = 0x30;
const NINE = 0x39;
const OK_FIRST = 0x4f;
const OK_SECOND = 0x4b;

/** Length of each header name that means something to this hop. */
const SPECIAL_LENGTHS = new Set(
  [
    'connection',
    'content-length',
    'date',
    'keep-alive',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
  ].map((name) => name.length),
);
const IS_SPECIAL_LENGTH = Uint8Array.from({ length: 32 }, (_, length) =>
  SPECIAL_LENGTHS.has(length) ? 1 : 0,
);

export class ResponseHead {
  status = 0;
  statusText = '';
  /** The header lines that go on to the client, each with its line end; without content-length. One byte per character. */
  lines = '';
  /** Of the body, by content-length; -1 without. */
  contentLength = -1;
  isChunked = false;
  /** Whether the connection may be used again, as far as the head says. */
  isPersistent = true;
  /** What `Keep-Alive: timeout` says, in seconds; -1 without. */
  keepAliveSeconds = -1;
  /** What is wrong, after HEAD_MALFORMED. */
  error = '';

  #minor = 1;
  #lengths = 0;
  #codings = 0;
  #hasClose = false;
  #hasKeepAlive = false;
  #nominated: readonly string[] = [];

  /**
   * Parses the head that begins at `start`. Returns where it ends, or HEAD_INCOMPLETE, or HEAD_MALFORMED with
   * `error` set. An incomplete head is parsed from its beginning the next time.
   */
  parse(bytes: Buffer, start: number, end: number): number {
    const line = this.#parseStatusLine(bytes, start, end);
    return line < 0 ? line : this.#parseLines(bytes, line, end);
  }

  #fail(error: string): number {
    this.error = error;
    return HEAD_MALFORMED;
  }

  #parseStatusLine(bytes: Buffer, start: number, end: number): number {
    for (let at = 0; at < PREFIX.length; at++) {
      if (start + at >= end) return HEAD_INCOMPLETE;
      if (bytes[start + at] !== PREFIX[at]) return this.#fail('not an HTTP/1 response');
    }
    // "1 200" and then a line end, or a space and the reason. Some leave out the space that belongs there.
    if (start + 13 >= end) return HEAD_INCOMPLETE;
    const minor = bytes[start + 7]! - ZERO;
    if ((minor !== 0 && minor !== 1) || bytes[start + 8] !== SPACE) return this.#fail('unknown HTTP version');
    let status = 0;
    for (let at = start + 9; at < start + 12; at++) {
      const code = bytes[at]!;
      if (code < ZERO || code > NINE) return this.#fail('status is not three digits');
      status = status * 10 + code - ZERO;
    }
    if (status < 100) return this.#fail('status is below 100');
    let at = start + 12;
    if (bytes[at] === SPACE) at++;
    else if (bytes[at] !== CR) return this.#fail('status is not three digits');
    const reason = at;
    while (at < end && IS_TEXT[bytes[at]!] === 1) at++;
    if (at + 1 >= end)
      return at < end && bytes[at] !== CR ? this.#fail('bad reason phrase') : HEAD_INCOMPLETE;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return this.#fail('bad reason phrase');
    this.status = status;
    const isOk = at - reason === 2 && bytes[reason] === OK_FIRST && bytes[reason + 1] === OK_SECOND;
    this.statusText = isOk ? 'OK' : readLatin1(bytes, reason, at);
    this.#minor = minor;
    return at + 2;
  }

  #parseLines(bytes: Buffer, start: number, end: number): number {
    this.#reset();
    let at = start;
    let kept = start;
    for (let count = 0; ; count++) {
      const line = at;
      if (at >= end) return HEAD_INCOMPLETE;
      if (bytes[at] === CR) {
        if (at + 1 >= end) return HEAD_INCOMPLETE;
        if (bytes[at + 1] !== LF) return this.#fail('bare CR');
        if (kept < line) this.#keep(bytes, kept, line);
        return this.#judge(at + 2);
      }
      if (count === LINES_MAX) return this.#fail('too many header lines');
      while (at < end && IS_TOKEN[bytes[at]!] === 1) at++;
      if (at >= end) return HEAD_INCOMPLETE;
      if (bytes[at] !== COLON || at === line) return this.#fail('bad header name');
      const nameLength = at - line;
      at++;
      const value = at;
      while (at < end && IS_TEXT[bytes[at]!] === 1) at++;
      if (at >= end) return HEAD_INCOMPLETE;
      if (bytes[at] !== CR) return this.#fail(bytes[at] === LF ? 'bare LF' : 'bad header value');
      if (at + 1 >= end) return HEAD_INCOMPLETE;
      if (bytes[at + 1] !== LF) return this.#fail('bare CR');
      at += 2;
      if (nameLength >= 32 || IS_SPECIAL_LENGTH[nameLength] === 0) continue;
      const name = readLatin1(bytes, line, line + nameLength).toLowerCase();
      if (name !== 'content-length' && !isResponseHopByHop(name)) continue;
      if (kept < line) this.#keep(bytes, kept, line);
      kept = at;
      if (!this.#readSpecial(name, bytes, value, at - 2)) return HEAD_MALFORMED;
    }
  }

  #reset(): void {
    this.lines = '';
    this.contentLength = -1;
    this.isChunked = false;
    this.keepAliveSeconds = -1;
    this.#lengths = 0;
    this.#codings = 0;
    this.#hasClose = false;
    this.#hasKeepAlive = false;
    this.#nominated = [];
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.lines += readLatin1(bytes, start, end);
  }

  #readSpecial(name: string, bytes: Buffer, start: number, end: number): boolean {
    switch (name) {
      case 'content-length':
        return this.#readLength(bytes, start, end);
      case 'transfer-encoding':
        this.#codings++;
        if (toValue(bytes, start, end).toLowerCase() === 'chunked') return true;
        this.error = 'unknown transfer-encoding';
        return false;
      case 'connection':
        return this.#readConnection(toValue(bytes, start, end));
      case 'keep-alive':
        this.#readKeepAlive(toValue(bytes, start, end));
        return true;
      default:
        return true;
    }
  }

  #readLength(bytes: Buffer, start: number, end: number): boolean {
    this.#lengths++;
    let at = start;
    while (at < end && (bytes[at] === SPACE || bytes[at] === HTAB)) at++;
    const first = at;
    let length = 0;
    while (at < end && bytes[at]! >= ZERO && bytes[at]! <= NINE) length = length * 10 + bytes[at++]! - ZERO;
    const digits = at - first;
    while (at < end && (bytes[at] === SPACE || bytes[at] === HTAB)) at++;
    this.contentLength = length;
    if (at === end && digits > 0 && digits <= LENGTH_DIGITS_MAX) return true;
    this.error = 'bad content-length';
    return false;
  }

  /** Of several the shortest holds. */
  #readKeepAlive(value: string): void {
    const seconds = Number(/(?:^|[,;\s])timeout=(\d{1,9})/i.exec(value)?.[1] ?? -1);
    if (seconds === -1 || (this.keepAliveSeconds !== -1 && this.keepAliveSeconds < seconds)) return;
    this.keepAliveSeconds = seconds;
  }

  #readConnection(value: string): boolean {
    const options = value.toLowerCase();
    if (options === 'keep-alive') {
      this.#hasKeepAlive = true;
      return true;
    }
    for (const option of options.split(',')) {
      const name = option.trim();
      if (name === 'close') this.#hasClose = true;
      else if (name === 'keep-alive') this.#hasKeepAlive = true;
    }
    // A no-break space is none of HTTP's white space, but one of JavaScript's.
    const nominated = value.includes('\xa0') ? null : parseConnection(value);
    if (nominated === null) {
      this.error = 'bad connection header';
      return false;
    }
    if (nominated.length > 0) this.#nominated = this.#nominated.concat(nominated);
    return true;
  }

  /** Rules over the whole head (RFC 9112 sections 6.1, 6.3 and 9.3). */
  #judge(end: number): number {
    if (this.#lengths > 1) return this.#fail('more than one content-length');
    if (this.#codings > 1) return this.#fail('more than one transfer-encoding');
    if (this.#codings === 1) {
      if (this.#lengths === 1) return this.#fail('content-length with transfer-encoding');
      if (this.#minor === 0) return this.#fail('transfer-encoding in HTTP/1.0');
      this.isChunked = true;
    }
    if (this.status < 200 && this.#lengths + this.#codings > 0)
      return this.#fail('an interim response with a body');
    if (this.status === 101) return this.#fail('unasked switch of protocols');
    this.isPersistent = !this.#hasClose && (this.#minor === 1 || this.#hasKeepAlive);
    // It must not say so (RFC 9110 section 8.6). Should it send such a body, nothing else may be read from there.
    if (this.status === 204 && (this.contentLength > 0 || this.isChunked)) this.isPersistent = false;
    if (this.#nominated.length > 0) this.lines = removeLines(this.lines, this.#nominated);
    return end;
  }
}

/** Without the white space around it. */
function toValue(bytes: Buffer, start: number, end: number): string {
  return readLatin1(bytes, start, end).replace(/^[\t ]+|[\t ]+$/g, '');
}

function removeLines(lines: string, names: readonly string[]): string {
  const removed = new Set(names);
  return lines
    .split(/(?<=\n)/)
    .filter((line) => !removed.has(line.slice(0, line.indexOf(':')).toLowerCase()))
    .join('');
}
