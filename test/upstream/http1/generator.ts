// Responses for the differential test: right ones of every kind, and what becomes of them when something is wrong.
//
// A case is made of its seed alone. Most responses are right; some are wrong by design, and most of the rest is
// changed afterwards (mutator.ts). Texts hold one byte per character.

import { mutate } from './mutator.ts';
import { Random } from './random.ts';

export interface Case {
  /** To a HEAD request. */
  readonly isHead: boolean;
  readonly bytes: Buffer;
  /** Where the reads end. */
  readonly cuts: readonly number[];
}

const TOKEN = "!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz";
const VALUE = 'abcXYZ019 \t,;:="\\()[]{}<>@?/!\x80\xa0\xe9\xff';
/** Much like a message's frame, so that what is misread is told from the rest. */
const BODY = 'ab0123456789abcdef\r\n\r\n:; HT/.\0\xff';
const FIELDS = [
  'Content-Type: text/plain',
  'content-type:text/html;charset=utf-8',
  'Set-Cookie: a=b; Path=/',
  'Set-Cookie: c=d',
  'Server:\tx',
  'ETag: "a,b"',
  'X-Empty:',
  'X-Blank: \t ',
  'X-Tail: a \t ',
  'Vary:  Accept , Cookie',
  'x-hop: 1',
  'X-Hop: 2',
  'Date: Thu, 01 Jan 1970 00:00:00 GMT',
  'Proxy-Connection: keep-alive',
  'Proxy-Connection: close',
  'Upgrade: h2c',
  'TE: trailers',
  'Trailer: x-sum',
  'Content-Length-X: 3',
  'X-Content-Length: 3',
  'transfer-encodin: chunked',
];
const CONNECTIONS = [
  'close',
  'Close',
  'keep-alive',
  'Keep-Alive',
  'KEEP-ALIVE, x-hop',
  'close, keep-alive',
  'keep-alive,close',
  'x-hop',
  ', X-HOP ,,',
  'upgrade',
  'te, close',
  'closed',
  'keep-alive2',
  '',
  'a b',
  'content-length',
  'transfer-encoding',
  'clo\xa0se',
  'close\xa0',
];
const KEEP_ALIVES = ['timeout=5', 'timeout=5, max=100', 'max=3', 'timeout=x', ''];
const REASONS = [' OK', ' OK', ' OK', ' Not Found', ' ', '', '  two', ' \xe9t\xe9', ' a\tb', ' "x"'];
const EXTENSIONS = [
  '',
  '',
  '',
  ';a',
  ';a=b',
  ';a="b c"',
  ';a;b=c;d',
  ';a="\\""',
  ';',
  ';a=',
  '; a',
  ';a b',
  ';="',
];
const TRAILERS = [
  'X-Sum: 1',
  'x-other:',
  'Content-MD5: \xff',
  'Content-Length: 3',
  'Transfer-Encoding: chunked',
];
const CODINGS = [
  'chunked',
  'Chunked',
  'CHUNKED ',
  '\tchunked',
  'chunked\t',
  'gzip, chunked',
  'chunked, gzip',
  'gzip',
  'identity',
  'xchunked',
  'chunked, chunked',
  ',chunked',
  '"chunked"',
  '',
];
const LENGTHS = [
  '+3',
  '-3',
  '3,3',
  '3, 3',
  '0x3',
  '3 3',
  '',
  ' ',
  '3a',
  '03',
  '3.0',
  '999999999999999',
  '1000000000000000',
];

export function createCase(seed: number): Case {
  const random = new Random(seed);
  const isHead = random.once(8);
  let text = toResponse(random, isHead);
  if (random.once(25)) text += toResponse(random, false);
  // Two in five stay as they are.
  const mutations = Math.max(0, random.below(5) - 1);
  for (let left = mutations; left > 0; left--) text = mutate(text, random);
  const bytes = Buffer.from(text, 'latin1');
  return { isHead, bytes, cuts: toCuts(random, bytes.length) };
}

/** Up to seven, in order, some of them the same: an empty read is one too. */
export function toCuts(random: Random, length: number): number[] {
  return Array.from({ length: random.below(8) }, () => random.below(length + 1)).sort((a, b) => a - b);
}

/** One response, with the interim ones before it. */
function toResponse(random: Random, isHead: boolean): string {
  const status = toStatus(random);
  const isBodyless = isHead || status === '204' || status === '304';
  const lines = Array.from({ length: toCount(random) }, () => toField(random));
  const framing = toFraming(random, isBodyless);
  // There is no coding in HTTP/1.0.
  const version = random.once(framing.body.includes('0\r\n\r\n') ? 40 : 5) ? 'HTTP/1.0' : 'HTTP/1.1';
  for (const line of framing.lines) lines.splice(random.below(lines.length + 1), 0, line);
  while (random.once(4)) lines.splice(random.below(lines.length + 1), 0, toHopField(random));
  const head = `${version} ${status}${random.pick(REASONS)}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
  return toInterim(random) + head + framing.body;
}

function toStatus(random: Random): string {
  const common = ['200', '200', '200', '200', '201', '204', '206', '301', '304', '404', '500'];
  return random.once(8) ? String(90 + random.below(910)).padStart(3, '0') : random.pick(common);
}

function toCount(random: Random): number {
  if (random.once(200)) return 30 + random.below(40);
  return random.below(6);
}

function toField(random: Random): string {
  if (random.once(3))
    return `${random.pick(TOKEN.split(''))}${random.text(TOKEN, 8)}:${random.text(VALUE, 12)}`;
  return random.pick(FIELDS);
}

function toHopField(random: Random): string {
  const name = random.once(2) ? 'Connection' : 'connection';
  if (random.once(5)) return `Keep-Alive: ${random.pick(KEEP_ALIVES)}`;
  return `${name}: ${random.pick(CONNECTIONS)}`;
}

function toInterim(random: Random): string {
  if (!random.once(8)) return '';
  const count = random.once(20) ? 14 + random.below(6) : 1 + random.below(2);
  let text = '';
  for (let left = count; left > 0; left--) {
    const status = random.once(4) ? 100 + random.below(100) : random.pick([100, 102, 103]);
    const field = random.once(12)
      ? 'Content-Length: 2\r\n'
      : `${random.once(6) ? toHopField(random) : toField(random)}\r\n`;
    text += `HTTP/1.1 ${status}${random.pick(REASONS)}\r\n${field}\r\n`;
  }
  return text;
}

interface Framing {
  readonly lines: string[];
  readonly body: string;
}

function toFraming(random: Random, isBodyless: boolean): Framing {
  const size = random.once(100) ? 500 + random.below(3000) : 24;
  const body = random.text(BODY, size);
  const framing = toFramingOf(random, body);
  if (!isBodyless) return framing;
  return { lines: random.once(3) ? [] : framing.lines, body: random.once(10) ? framing.body : '' };
}

function toFramingOf(random: Random, body: string): Framing {
  switch (random.below(16)) {
    case 0:
    case 1:
      return { lines: [], body };
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
      return { lines: [`Content-Length:${random.pick([' ', '', ' \t', '  '])}${body.length}`], body };
    case 7:
      return toOddFraming(random, body);
    default:
      return { lines: [`${toCodingName(random)}: chunked`], body: toChunked(random, body) };
  }
}

function toCodingName(random: Random): string {
  return random.pick(['Transfer-Encoding', 'transfer-encoding', 'TRANSFER-ENCODING']);
}

/** Most of these are wrong. */
function toOddFraming(random: Random, body: string): Framing {
  const length = `Content-Length: ${body.length}`;
  const chunked = toChunked(random, body);
  switch (random.below(6)) {
    case 0:
      return { lines: [length, length], body };
    case 1:
      return { lines: [length, `content-length: ${body.length + 1}`], body };
    case 2:
      return { lines: [length, 'Transfer-Encoding: chunked'], body: chunked };
    case 3:
      return { lines: ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], body: chunked };
    case 4:
      return { lines: [`Content-Length:${random.pick(LENGTHS)}`], body };
    default:
      return { lines: [`Transfer-Encoding:${random.pick([' ', ''])}${random.pick(CODINGS)}`], body: chunked };
  }
}

function toChunked(random: Random, body: string): string {
  let text = '';
  for (let at = 0; at < body.length; ) {
    const size = Math.min(body.length - at, 1 + random.below(random.once(3) ? body.length : 4));
    text += `${toSize(random, size)}\r\n${body.slice(at, at + size)}\r\n`;
    at += size;
  }
  text += `${toSize(random, 0)}\r\n`;
  while (random.once(6)) text += `${random.once(4) ? toField(random) : random.pick(TRAILERS)}\r\n`;
  return `${text}\r\n`;
}

function toSize(random: Random, size: number): string {
  const digits = random.once(2) ? size.toString(16) : size.toString(16).toUpperCase();
  const zeros = random.once(8) ? '0'.repeat(random.below(14)) : '';
  const extension = random.once(6) ? random.pick(EXTENSIONS) : '';
  return zeros + digits + extension;
}
