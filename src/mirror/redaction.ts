// What a copy does not tell its shadow: values of named headers, query parameters and places in JSON bodies.
//
// Replaces values and nothing else: names, order and every other byte stay. What must be redacted and cannot be is not
// sent at all. The primary's request is never touched: this works on a mirror thread's own copy of it.

import { redactJsonBody } from '../core/diff/redact-json.ts';
import type { Redaction } from '../core/model.ts';
import {
  findHeadLine,
  findHeadLines,
  readTarget,
  removeHeadLines,
  setEachHeadLine,
  setHeadLine,
  setTarget,
} from '../core/request-head.ts';
import type { Job } from './job.ts';

/** What stands for a value. */
export const REDACTED = 'redacted';

/** A longer JSON body is not redacted, and so not sent. */
const JSON_BYTES_MAX = 1024 * 1024;
/** How a message is framed says nothing of anybody, and without it the copy would be another message. */
const FRAMING: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding']);
/** What vouches for a body's bytes: RFC 9530, RFC 3230, RFC 1864. */
const BODY_DIGESTS = ['content-digest', 'repr-digest', 'digest', 'content-md5'];
/** White space of JSON (RFC 8259 section 2), and what stands in front of it in other encodings: byte order marks and zero. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0x00, 0xef, 0xbb, 0xbf, 0xfe, 0xff]);
/** Objects, arrays and strings. Numbers and words begin like any text and count by their media type alone. */
const OPENINGS: ReadonlySet<number> = new Set([0x7b, 0x5b, 0x22]);

/** The job as its copies are made of it, redacted once for all shadows; itself without rules; null: not to be sent. */
export function redactJob(job: Job, redact: Redaction): Job | null {
  const { headers, query, json } = redact;
  if (headers.length + query.length + json.length === 0) return job;
  const { body } = job;
  const redacted = redactBody(job.headText, body, json);
  if (redacted === null) return null;
  let { headText } = job;
  // The body first: what it is, its header lines say.
  if (redacted !== body) headText = setBodyLines(headText, redacted.length);
  return { ...job, headText: redactHead(headText, redact), body: redacted };
}

/** A head with the values of named headers and query parameters replaced. */
export function redactHead(headText: string, { headers, query }: Redaction): string {
  let edited = redactHeadLines(headText, headers);
  if (query.length === 0) return edited;
  const target = readTarget(edited);
  const redacted = redactTarget(target, query);
  if (redacted !== target) edited = setTarget(edited, redacted);
  return edited;
}

/** Every line of these names (lower case) stays, without its value. */
function redactHeadLines(headText: string, names: readonly string[]): string {
  let edited = headText;
  for (const name of names) {
    if (!FRAMING.has(name)) edited = setEachHeadLine(edited, name, REDACTED);
  }
  return edited;
}

/**
 * A target with the values of these query parameters replaced. Names are compared decoded; a parameter without `=` has no
 * value. Parameters end at `&`; one may also begin after a `;`, as some servers read it, but none ends there: a secret may have one.
 */
export function redactTarget(target: string, names: readonly string[]): string {
  const query = target.indexOf('?') + 1;
  if (names.length === 0 || query === 0) return target;
  let redacted = target.slice(0, query);
  for (let at = query; ; ) {
    const next = target.indexOf('&', at);
    const end = next === -1 ? target.length : next;
    const value = findValue(target, at, end, names);
    redacted += value === -1 ? target.slice(at, end) : target.slice(at, value) + REDACTED;
    if (next === -1) return redacted;
    redacted += '&';
    at = next + 1;
  }
}

/** Where the value of the first named parameter begins, or -1. */
function findValue(target: string, from: number, end: number, names: readonly string[]): number {
  for (let at = from; at < end; ) {
    const semicolon = target.indexOf(';', at);
    const partEnd = semicolon === -1 || semicolon > end ? end : semicolon;
    const equals = target.indexOf('=', at);
    if (equals !== -1 && equals < partEnd && names.includes(decodeName(target.slice(at, equals)))) {
      return equals + 1;
    }
    at = partEnd + 1;
  }
  return -1;
}

/** Percent-decoded, `+` as a space; what is no sound escape stands for itself. */
function decodeName(raw: string): string {
  if (!raw.includes('%') && !raw.includes('+')) return raw;
  const bytes = raw
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  // One character for each byte by now: the front end lets no other target in.
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The same object when there is nothing to redact. Null: there may be, and nobody can tell. */
function redactBody(headText: string, body: Buffer, paths: readonly string[]): Buffer | null {
  if (paths.length === 0 || body.length === 0) return body;
  // What it is when it is decoded, nobody knows.
  if (!hasPlainBody(headText)) return null;
  if (!isJson(headText, body)) return body;
  if (body.length > JSON_BYTES_MAX) return null;
  const redacted = redactJsonBody(body, paths);
  if (redacted === null) return null;
  const bytes = Buffer.from(redacted.buffer, redacted.byteOffset, redacted.length);
  return bytes.equals(body) ? body : bytes;
}

function hasPlainBody(headText: string): boolean {
  return findHeadLines(headText, 'content-encoding').every((value) =>
    value.split(',').every((coding) => /^[\t ]*(?:identity)?[\t ]*$/i.test(coding)),
  );
}

/** Whether it says that it is JSON of any kind, or begins like it whatever it says. */
function isJson(headText: string, body: Uint8Array): boolean {
  const types = findHeadLines(headText, 'content-type');
  // Up to the parameters, and not trusting there to be just one type.
  if (types.some((value) => /^[^;]*json/i.test(value))) return true;
  let at = 0;
  while (at < body.length && BLANKS.has(body[at]!)) at++;
  return at < body.length && OPENINGS.has(body[at]!);
}

/** A changed body has another length, and nothing vouches for it. */
function setBodyLines(headText: string, bytes: number): string {
  let edited = headText;
  for (const name of BODY_DIGESTS) edited = removeHeadLines(edited, name);
  if (findHeadLine(edited, 'content-length') === null) return edited;
  return setHeadLine(edited, 'content-length', String(bytes));
}
