// Parses the head of a response (RFC 9112 sections 4 to 6): status line, header lines, and how the body is framed.
//
// Strict: what two parsers could read in two ways is an error, never a guess. The lines that go beyond this hop stay
// one text, as they came; nothing is made of a single header. One object reads one head after the other.

import { parseConnection, RESPONSE_HOP_BY_HOP } from '../../core/headers.ts';
import { readLatin1 } from '../../core/latin1.ts';
import { COLON, CR, HTAB, IS_TEXT, IS_TOKEN, LF, SPACE } from './characters.ts';

/** Header lines of one head; over it the head is malformed. The reader bounds its bytes. */
const LINES_MAX = 1_000;
/** 2^53 has sixteen digits. */
const LENGTH_DIGITS_MAX = 15;
/** Of `Keep-Alive: timeout`: more is as good as this. */
const SECONDS_MAX = 999_999_999;

export const HEAD_INCOMPLETE = -1;
export const HEAD_MALFORMED = -2;

const PREFIX = Buffer.from('HTTP/1.');
const ZERO = 0x30;
const NINE = 0x39;
const OK_FIRST = 0x4f;
const OK_SECOND = 0x4b;

interface SpecialName {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The header names that mean something to this hop, by their length. */
const SPECIAL_NAMES: readonly (readonly SpecialName[] | undefined)[] = toSpecialNames();
const SPECIAL_LENGTH_MAX = SPECIAL_NAMES.length - 1;

function toSpecialNames(): SpecialName[][] {
  const names: SpecialName[][] = [];
  for (const name of [...RESPONSE_HOP_BY_HOP, 'content-length']) {
    names[name.length] ??= [];
    names[name.length]!.push({ name, bytes: Buffer.from(name) });
  }
  return names;
}

const CASE_BIT = 0x20;

/** Whether the bytes are those letters, digits and hyphens, in whatever case. `text` is lower case. */
function isText(bytes: Buffer, start: number, end: number, text: Uint8Array): boolean {
  if (end - start !== text.length) return false;
  for (let at = 0; at < text.length; at++) {
    if ((bytes[start + at]! | CASE_BIT) !== text[at]) return false;
  }
  return true;
}

/** The special name that stands there, or null. */
function findSpecialName(bytes: Buffer, start: number, end: number): string | null {
  const length = end - start;
  const names = length > SPECIAL_LENGTH_MAX ? undefined : SPECIAL_NAMES[length];
  if (names === undefined) return null;
  for (const special of names) if (isText(bytes, start, end, special.bytes)) return special.name;
  return null;
}

const KEEP_ALIVE = Buffer.from('keep-alive');
const CLOSE = Buffer.from('close');
const TIMEOUT = Buffer.from('timeout=');

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
      const nameEnd = at++;
      const value = at;
      while (at < end && IS_TEXT[bytes[at]!] === 1) at++;
      if (at >= end) return HEAD_INCOMPLETE;
      if (bytes[at] !== CR) return this.#fail(bytes[at] === LF ? 'bare LF' : 'bad header value');
      if (at + 1 >= end) return HEAD_INCOMPLETE;
      if (bytes[at + 1] !== LF) return this.#fail('bare CR');
      at += 2;
      const name = findSpecialName(bytes, line, nameEnd);
      if (name === null) continue;
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
        return this.#readConnection(bytes, skipSpace(bytes, start, end), end);
      case 'keep-alive':
        this.#readKeepAlive(bytes, skipSpace(bytes, start, end), end);
        return true;
      default:
        return true;
    }
  }

  #readLength(bytes: Buffer, start: number, end: number): boolean {
    this.#lengths++;
    let at = skipSpace(bytes, start, end);
    const first = at;
    let length = 0;
    while (at < end && bytes[at]! >= ZERO && bytes[at]! <= NINE) length = length * 10 + bytes[at++]! - ZERO;
    const digits = at - first;
    at = skipSpace(bytes, at, end);
    this.contentLength = length;
    if (at === end && digits > 0 && digits <= LENGTH_DIGITS_MAX) return true;
    this.error = 'bad content-length';
    return false;
  }

  #readConnection(bytes: Buffer, start: number, end: number): boolean {
    if (isText(bytes, start, end, KEEP_ALIVE)) {
      this.#hasKeepAlive = true;
      return true;
    }
    if (isText(bytes, start, end, CLOSE)) {
      this.#hasClose = true;
      return true;
    }
    const value = toValue(bytes, start, end);
    const options = value.toLowerCase();
    for (const option of options.split(',')) {
      const name = option.trim();
      if (name === 'close') this.#hasClose = true;
      else if (name === 'keep-alive') this.#hasKeepAlive = true;
    }
    const nominated = parseConnection(value);
    if (nominated === null) {
      this.error = 'bad connection header';
      return false;
    }
    if (nominated.length > 0) this.#nominated = this.#nominated.concat(nominated);
    return true;
  }

  /** `timeout`, which usually comes first and is all that is of use. Of several headers the shortest holds. */
  #readKeepAlive(bytes: Buffer, start: number, end: number): void {
    const seconds = isText(bytes, start, Math.min(end, start + TIMEOUT.length), TIMEOUT)
      ? parseSeconds(bytes, start + TIMEOUT.length, end)
      : Number(/(?:^|[,;\s])timeout=(\d{1,9})/i.exec(toValue(bytes, start, end))?.[1] ?? -1);
    if (seconds === -1 || (this.keepAliveSeconds !== -1 && this.keepAliveSeconds < seconds)) return;
    this.keepAliveSeconds = seconds;
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

/** The digits that stand there; -1 without. */
function parseSeconds(bytes: Buffer, start: number, end: number): number {
  let seconds = -1;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) break;
    seconds = Math.min(Math.max(0, seconds) * 10 + digit, SECONDS_MAX);
  }
  return seconds;
}

/** Where the white space ends. */
function skipSpace(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === SPACE || bytes[at] === HTAB)) at++;
  return at;
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
