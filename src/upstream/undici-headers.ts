// Header lists on their way into and out of undici.
//
// Never joins or reorders a field.

import { isResponseHopByHop, parseConnection } from '../core/headers.ts';

type ParsedHeaders = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Flat list of lower-case names and latin1 values in the order they came. undici always builds the parsed
 * object, and walking it costs a twentieth of decoding its raw list (0.04 against 0.8 µs for 8 fields), but
 * it gathers repeated names and moves numeric ones to the front; only then the raw list is decoded.
 */
export function toHeaderList(parsed: ParsedHeaders, raw: unknown): string[] {
  const list: string[] = [];
  for (const name in parsed) {
    const value = parsed[name];
    const first = name.charCodeAt(0);
    if (typeof value !== 'string' || (first >= 0x30 && first <= 0x39)) return decode(raw);
    list.push(name, value);
  }
  return list;
}

function decode(raw: unknown): string[] {
  const list: string[] = [];
  if (!Array.isArray(raw)) return list;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    list.push(latin1(raw[i]).toLowerCase(), latin1(raw[i + 1]));
  }
  return list;
}

function latin1(bytes: unknown): string {
  return Buffer.isBuffer(bytes) ? bytes.toString('latin1') : String(bytes);
}

const CONTENT_LENGTH = /^[0-9]{1,15}$/;

/** What `content-length` says; -1 without, -2 when it says nothing sound. */
export function toContentLength(headers: readonly string[]): number {
  let length = -1;
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at] !== 'content-length') continue;
    if (length !== -1 || !CONTENT_LENGTH.test(headers[at + 1]!)) return -2;
    length = Number(headers[at + 1]);
  }
  return length;
}

/** The lines that go beyond this hop, as in the contract; null when `Connection` says nothing sound. */
export function toEndToEndLines(headers: readonly string[]): string | null {
  const nominated: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at] !== 'connection') continue;
    const names = parseConnection(headers[at + 1]!);
    if (names === null) return null;
    nominated.push(...names);
  }
  let lines = '';
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!;
    if (name === 'content-length' || isResponseHopByHop(name) || nominated.includes(name)) continue;
    lines += `${name}: ${headers[at + 1]!}\r\n`;
  }
  return lines;
}
