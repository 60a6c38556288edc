// What a parser made of the bytes of one connection, in a form that all parsers share; and our parser run to it.

import assert from 'node:assert/strict';
import { ResponseParser } from '../../../src/upstream/http1/response-parser.ts';

export type Verdict = 'complete' | 'incomplete' | 'refused';

export interface Outcome {
  verdict: Verdict;
  /** Why it was refused. */
  error: string;
  /** Whether the final head was told. What follows is of it, and of what came before a refusal. */
  hasHead: boolean;
  status: number;
  statusText: string;
  /** Fields that go beyond this hop: `name:value`, without the white space around the value. */
  fields: string[];
  body: Buffer;
  /** Whether the connection may serve another request. */
  isPersistent: boolean;
  /** Whether the connection's end was its own. */
  isCloseDelimited: boolean;
}

export const NOTHING: Buffer = Buffer.alloc(0);

export function createOutcome(): Outcome {
  return {
    verdict: 'incomplete',
    error: '',
    hasHead: false,
    status: 0,
    statusText: '',
    fields: [],
    body: NOTHING,
    isPersistent: false,
    isCloseDelimited: false,
  };
}

/** A parser that expects a response and has read the text, one byte per character. */
export function openParser(text: string): ResponseParser {
  const parser = new ResponseParser();
  parser.open(false);
  readText(parser, text);
  return parser;
}

export function readText(parser: ResponseParser, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  assert.ok(parser.read(bytes, 0, bytes.length), parser.error);
}

/** Reads the bytes, cut where told, and then the connection's end. Leaves them as they are. */
export function readOurs(bytes: Buffer, isHead: boolean, cuts: readonly number[] = []): Outcome {
  const parser = new ResponseParser();
  const outcome = createOutcome();
  parser.open(isHead);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    // A copy that lies within something larger, as in a socket's read.
    const memory = Buffer.alloc(to - from + 2, '#');
    bytes.copy(memory, 1, from, to);
    from = to;
    if (!parser.read(memory, 1, memory.length - 1)) {
      assert.notEqual(parser.error, '');
      outcome.verdict = 'refused';
      outcome.error = parser.error;
      return outcome;
    }
    take(parser, outcome);
  }
  if (outcome.verdict === 'complete') return outcome;
  if (parser.finish()) {
    assert.ok(parser.isEnded && !parser.hasHead && parser.bodyEnd === parser.bodyStart);
    assert.ok(outcome.isCloseDelimited);
    outcome.verdict = 'complete';
  }
  return outcome;
}

/** Adds what one read brought. */
function take(parser: ResponseParser, outcome: Outcome): void {
  const { head, bytes, bodyStart, bodyEnd } = parser;
  if (parser.hasHead) {
    assert.equal(outcome.hasHead, false);
    outcome.hasHead = true;
    outcome.status = head.status;
    outcome.statusText = head.statusText;
    outcome.fields = toFields(head.lines);
    outcome.isCloseDelimited = parser.isCloseDelimited;
    outcome.isPersistent = head.isPersistent && !parser.isCloseDelimited;
  }
  assert.ok(bodyStart <= bodyEnd && bodyEnd <= bytes.length);
  if (bodyEnd > bodyStart) {
    assert.ok(outcome.hasHead);
    const piece = bytes.subarray(bodyStart, bodyEnd);
    outcome.body = Buffer.concat([outcome.body, piece]);
  }
  if (parser.isEnded) outcome.verdict = 'complete';
}

function toFields(lines: string): string[] {
  if (lines === '') return [];
  assert.ok(lines.endsWith('\r\n'));
  return lines
    .slice(0, -2)
    .split('\r\n')
    .map((line) => {
      const colon = line.indexOf(':');
      return `${line.slice(0, colon)}:${trim(line.slice(colon + 1))}`;
    });
}

/** Of the white space that HTTP knows. */
export function trim(value: string): string {
  return value.replace(/^[\t ]+|[\t ]+$/g, '');
}

/** How many of the bytes belong to the response; -1 when it does not end before the connection does. */
export function findEnd(bytes: Buffer, isHead: boolean): number {
  const parser = new ResponseParser();
  parser.open(isHead);
  for (let at = 0; at < bytes.length; at++) {
    if (!parser.read(Buffer.from(bytes.subarray(at, at + 1)), 0, 1)) return -1;
    if (parser.isEnded) return at + 1;
  }
  return -1;
}

/** One line for a failure's message. */
export function escapeBytes(bytes: Uint8Array): string {
  return JSON.stringify(Buffer.from(bytes).toString('latin1')).replace(
    /[\x7f-\xff]/g,
    (byte) => `\\x${byte.charCodeAt(0).toString(16)}`,
  );
}
