// What the parser refuses, cut anywhere, and each of its limits: at the most that it takes, one over it, and none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEAD_BYTES_MAX, ResponseParser } from '../../../src/upstream/http1/response-parser.ts';
import { checkSplit, toEveryByte } from './differential.ts';
import { readOurs } from './outcome.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const LENGTH = 'Content-Length: 3\r\n';

const control = Array.from({ length: 33 }, (_, code) => (code === 32 ? 0x7f : code)).filter(
  (code) => code !== 9,
);

/** Name, bytes, part of the error. */
const rows: readonly (readonly [string, string, string])[] = [
  ['a line end before it', `\r\n${OK}\r\n`, 'not an HTTP/1'],
  ['another protocol', 'HTTPS/1.1 200 OK\r\n\r\n', 'not an HTTP/1'],
  ['a protocol in lower case', 'http/1.1 200 OK\r\n\r\n', 'not an HTTP/1'],
  ['version 2', 'HTTP/2.0 200 OK\r\n\r\n', 'not an HTTP/1'],
  ['version 0.9', 'HTTP/0.9 200 OK\r\n\r\n', 'not an HTTP/1'],
  ['version 1.2', 'HTTP/1.2 200 OK\r\n\r\n', 'HTTP version'],
  ['version 1.10', 'HTTP/1.10 200 OK\r\n\r\n', 'HTTP version'],
  ['version 1', 'HTTP/1 200 OK\r\n\r\n', 'not an HTTP/1'],
  ['a tab before the status', 'HTTP/1.1\t200 OK\r\n\r\n', 'HTTP version'],
  ['two spaces before the status', 'HTTP/1.1  200 OK\r\n\r\n', 'three digits'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'three digits'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'three digits'],
  ['a status with a letter', 'HTTP/1.1 2O0 OK\r\n\r\n', 'three digits'],
  ['a tab after the status', 'HTTP/1.1 200\tOK\r\n\r\n', 'three digits'],
  ['status 099', 'HTTP/1.1 099 OK\r\n\r\n', 'below 100'],
  ['status 000', 'HTTP/1.1 000 OK\r\n\r\n', 'below 100'],
  ['LF alone after the status', 'HTTP/1.1 200\nA: b\r\n\r\n', 'three digits'],
  ['LF alone after the reason', 'HTTP/1.1 200 OK\nA: b\r\n\r\n', 'reason'],
  ['CR alone after the status', 'HTTP/1.1 200\rA: b\r\n\r\n', 'reason'],
  ['CR alone in the reason', 'HTTP/1.1 200 O\rK\r\n\r\n', 'reason'],
  ['CR twice after the reason', 'HTTP/1.1 200 OK\r\r\n\r\n', 'reason'],
  ['LF alone after a value', `${OK}A: b\n\r\n`, 'bare LF'],
  ['CR alone after a value', `${OK}A: b\rC: d\r\n\r\n`, 'bare CR'],
  ['CR twice after a value', `${OK}A: b\r\r\n\r\n`, 'bare CR'],
  ['LF alone for the empty line', `${OK}A: b\r\n\n`, 'name'],
  ['CR alone for the empty line', `${OK}A: b\r\n\rA: b\r\n\r\n`, 'bare CR'],
  ['a folded line', `${OK}A: b\r\n c\r\n\r\n`, 'name'],
  ['a line folded by a tab', `${OK}A: b\r\n\tc: d\r\n\r\n`, 'name'],
  ['a space before the first name', `${OK} A: b\r\n\r\n`, 'name'],
  ['a space before the colon', `${OK}A : b\r\n\r\n`, 'name'],
  ['a tab before the colon', `${OK}Content-Length\t: 3\r\n\r\nabc`, 'name'],
  ['a space within the name', `${OK}A B: c\r\n\r\n`, 'name'],
  ['no colon', `${OK}A\r\n\r\n`, 'name'],
  ['no name', `${OK}: b\r\n\r\n`, 'name'],
  ['a name beyond ASCII', `${OK}\xe9: b\r\n\r\n`, 'name'],
  ...['"', '(', ')', ',', '/', ';', '<', '=', '>', '?', '@', '[', '\\', ']', '{', '}'].map(
    (byte) => [`${byte} in a name`, `${OK}A${byte}B: c\r\n\r\n`, 'name'] as const,
  ),
  ...control.map(
    (code) => [`byte ${code} in a name`, `${OK}A${String.fromCharCode(code)}: b\r\n\r\n`, ''] as const,
  ),
  ...control.map(
    (code) => [`byte ${code} in a value`, `${OK}A: ${String.fromCharCode(code)}b\r\n\r\n`, ''] as const,
  ),
  ...control.map(
    (code) =>
      [`byte ${code} in a reason`, `HTTP/1.1 200 O${String.fromCharCode(code)}K\r\n\r\n`, ''] as const,
  ),

  ['two lengths', `${OK}${LENGTH}content-length: 4\r\n\r\nabc`, 'more than one content-length'],
  ['the same length twice', `${OK}${LENGTH}A: b\r\n${LENGTH}\r\nabc`, 'more than one content-length'],
  [
    'a length and a coding',
    `${OK}${LENGTH}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'with transfer-encoding',
  ],
  [
    'a coding and a length',
    `${OK}Transfer-Encoding: chunked\r\n${LENGTH}\r\n0\r\n\r\n`,
    'with transfer-encoding',
  ],
  ...['', ' ', '3,3', '3, 3', '3 3', '+3', '-3', '0x3', '3a', '3.0', '3;', '"3"', '\xb3', '3\xa0'].map(
    (value) =>
      [`a length of '${value}'`, `${OK}Content-Length: ${value}\r\n\r\nabc`, 'bad content-length'] as const,
  ),
  ...[
    '',
    'gzip',
    'identity',
    'gzip, chunked',
    'chunked, gzip',
    'chunked, chunked',
    'chunked,',
    'xchunked',
    'chunkedx',
    '"chunked"',
    'chunked;a=b',
    '\xa0chunked',
    'chun ked',
  ].map(
    (value) =>
      [`a coding of '${value}'`, `${OK}Transfer-Encoding: ${value}\r\n\r\n0\r\n\r\n`, 'unknown'] as const,
  ),
  [
    'chunked twice',
    `${OK}${'Transfer-Encoding: chunked\r\n'.repeat(2)}\r\n0\r\n\r\n`,
    'more than one transfer',
  ],
  ['a coding in HTTP/1.0', CHUNKED.replace('1.1', '1.0'), 'in HTTP/1.0'],
  ...[
    'a b',
    'close keep-alive',
    '"close"',
    '\xa0close',
    'close,\xa0',
    'content-length',
    'Content-Type',
    'set-cookie',
  ].map((value) => [`Connection: ${value}`, `${OK}Connection: ${value}\r\n\r\n`, 'bad connection'] as const),
  ['a switch of protocols', 'HTTP/1.1 101 Go\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n', 'unasked'],
  ['an interim length', `HTTP/1.1 100 Continue\r\n${LENGTH}\r\n${OK}\r\n`, 'interim'],
  ['an interim length of zero', `HTTP/1.1 103 Early\r\nContent-Length: 0\r\n\r\n${OK}\r\n`, 'interim'],
  ['an interim coding', `HTTP/1.1 199 A\r\nTransfer-Encoding: chunked\r\n\r\n${OK}\r\n`, 'interim'],
  ['a malformed interim response', `HTTP/1.1 100 Continue\r\nA : b\r\n\r\n${OK}\r\n`, 'name'],
  ['a line end after an interim one', `HTTP/1.1 100 Continue\r\n\r\n\r\n${OK}\r\n`, 'not an HTTP/1'],

  ['more bytes than its length', `${OK}${LENGTH}\r\nabcd`, 'bytes after'],
  ['a line end after its length', `${OK}${LENGTH}\r\nabc\r\n`, 'bytes after'],
  ['another after it', `${OK}${LENGTH}\r\nabc${OK}\r\n`, 'bytes after'],
  ['a body after a length of zero', `${OK}Content-Length: 0\r\n\r\nabc`, 'bytes after'],
  ['bytes after the last chunk', `${CHUNKED}0\r\n\r\n0`, 'bytes after'],
  ['a body to 204', `HTTP/1.1 204 No\r\n${LENGTH}\r\nabc`, 'bytes after'],
  ['a body to 304', `HTTP/1.1 304 No\r\n${LENGTH}\r\nabc`, 'bytes after'],

  ['no size', `${CHUNKED}\r\na\r\n`, 'bad chunk size'],
  ['an extension and no size', `${CHUNKED};a\r\n`, 'bad chunk size'],
  ['a space before a size', `${CHUNKED} 1\r\na\r\n0\r\n\r\n`, 'bad chunk size'],
  ['a space after a size', `${CHUNKED}1 \r\na\r\n0\r\n\r\n`, 'bad chunk size'],
  ['a space before an extension', `${CHUNKED}1 ;a\r\na\r\n0\r\n\r\n`, 'bad chunk size'],
  ...['+1', '-1', '0x1', '1g', '1,', '1.0', '\xb9'].map(
    (size) => [`a size of ${size}`, `${CHUNKED}${size}\r\na\r\n0\r\n\r\n`, 'bad chunk size'] as const,
  ),
  ['LF alone after a size', `${CHUNKED}1\na\r\n0\r\n\r\n`, 'bad chunk size'],
  ['CR alone after a size', `${CHUNKED}1\ra\r\n0\r\n\r\n`, 'bad chunk size'],
  ['LF alone after an extension', `${CHUNKED}1;a\na\r\n0\r\n\r\n`, 'bad chunk extension'],
  ['CR alone in an extension', `${CHUNKED}1;a\rb\r\na\r\n0\r\n\r\n`, 'bad chunk size'],
  ['a line end in a quoted extension', `${CHUNKED}1;a="\n"\r\na\r\n0\r\n\r\n`, 'bad chunk extension'],
  ['NUL in an extension', `${CHUNKED}1;a\0\r\na\r\n0\r\n\r\n`, 'bad chunk extension'],
  ['a chunk longer than its size', `${CHUNKED}1\r\nab\r\n0\r\n\r\n`, 'chunk does not end'],
  ['a chunk shorter than its size', `${CHUNKED}3\r\na\r\n0\r\n\r\n`, 'chunk does not end'],
  ['LF alone after a chunk', `${CHUNKED}1\r\na\n0\r\n\r\n`, 'chunk does not end'],
  ['CR alone after a chunk', `${CHUNKED}1\r\na\r0\r\n\r\n`, 'chunk does not end'],
  ['no line end after a chunk', `${CHUNKED}1\r\na0\r\n\r\n`, 'chunk does not end'],
  ['a folded trailer', `${CHUNKED}0\r\nA: b\r\n c\r\n\r\n`, 'bad trailer'],
  ['a space before a trailer', `${CHUNKED}0\r\n A: b\r\n\r\n`, 'bad trailer'],
  ['a space in a trailer name', `${CHUNKED}0\r\nA : b\r\n\r\n`, 'bad trailer'],
  ['a trailer without colon', `${CHUNKED}0\r\nA\r\n\r\n`, 'bad trailer'],
  ['a trailer without name', `${CHUNKED}0\r\n: b\r\n\r\n`, 'bad trailer'],
  ['LF alone after a trailer', `${CHUNKED}0\r\nA: b\n\r\n`, 'bad trailer'],
  ['CR alone after a trailer', `${CHUNKED}0\r\nA: b\rC: d\r\n\r\n`, 'bad trailer'],
  ['NUL in a trailer', `${CHUNKED}0\r\nA: \0\r\n\r\n`, 'bad trailer'],
  ['a trailer without name and LF', `${CHUNKED}0\r\n:\n`, 'bad trailer'],
  ['LF alone after the trailers', `${CHUNKED}0\r\nA: b\r\n\n`, 'bad trailer'],
  ['CR alone after the trailers', `${CHUNKED}0\r\n\rA`, 'bad trailer'],
];

test('what can be read in two ways is refused, cut anywhere', () => {
  for (const [name, text, error] of rows) {
    const bytes = Buffer.from(text, 'latin1');
    const whole = readOurs(bytes, false);
    assert.equal(whole.verdict, 'refused', name);
    assert.ok(whole.error.includes(error), `${name}: ${whole.error}`);
    assert.deepEqual([whole.hasHead, whole.body.length], [false, 0], `${name}: nothing of the read counts`);
    for (let cut = 0; cut <= bytes.length; cut++)
      checkSplit(whole, readOurs(bytes, false, [cut]), `${name} at ${cut}`);
    checkSplit(whole, readOurs(bytes, false, toEveryByte(bytes.length)), name);
  }
});

test('a body to HEAD is refused', () => {
  for (const head of [`${OK}${LENGTH}\r\n`, CHUNKED, `${OK}\r\n`]) {
    const { verdict, error } = readOurs(Buffer.from(`${head}a`), true);
    assert.deepEqual([verdict, error], ['refused', 'bytes after the response']);
  }
});

test('of a read that is refused nothing counts, of those before it all', () => {
  const parser = new ResponseParser();
  parser.open(false);
  const first = Buffer.from(`${OK}${LENGTH}\r\na`);
  assert.ok(parser.read(first, 0, first.length));
  assert.deepEqual([parser.hasHead, parser.bodyEnd - parser.bodyStart], [true, 1]);
  const second = Buffer.from('bcd');
  assert.equal(parser.read(second, 0, 3), false);
  assert.equal(parser.hasHead, false);
  assert.ok(!/[bcd]{3}/.test(parser.error.replace('bytes', '')), 'the error names no byte of it');
});

interface Limit {
  readonly name: string;
  readonly max: number;
  readonly min: number;
  readonly error: string;
  /** A response with so much of it. */
  toBytes(count: number): string;
}

function fill(before: string, after: string, length: number): string {
  return before + 'a'.repeat(length - before.length - after.length) + after;
}

const digits = (count: number): string => '3'.padStart(count, '0').slice(0, count);

const limits: readonly Limit[] = [
  {
    name: 'bytes of a head',
    max: HEAD_BYTES_MAX,
    min: `${OK}Content-Length: 0\r\nA:\r\n\r\n`.length,
    error: 'head too large',
    toBytes: (count) => fill(`${OK}Content-Length: 0\r\nA:`, '\r\n\r\n', count),
  },
  {
    name: 'bytes of an interim head',
    max: 65_536,
    min: 'HTTP/1.1 103 E\r\nA:\r\n\r\n'.length,
    error: 'head too large',
    toBytes: (count) =>
      `${fill('HTTP/1.1 103 E\r\nA:', '\r\n\r\n', count)}${fill(`${OK}A:`, '\r\n\r\n', 65_536)}`,
  },
  {
    name: 'header lines',
    max: 1_000,
    min: 0,
    error: 'too many header lines',
    toBytes: (count) => `${OK}${'A: b\r\n'.repeat(count)}\r\n`,
  },
  {
    name: 'interim responses',
    max: 16,
    min: 0,
    error: 'too many interim responses',
    toBytes: (count) => `${'HTTP/1.1 103 Early\r\n\r\n'.repeat(count)}${OK}${LENGTH}\r\nabc`,
  },
  {
    name: 'bytes of a size line',
    max: 4_096,
    min: 2,
    error: 'chunk extension too long',
    toBytes: (count) => `${CHUNKED}${fill('3;', '', count)}\r\nabc\r\n0\r\n\r\n`,
  },
  {
    name: 'digits of a size',
    max: 13,
    min: 1,
    error: 'chunk too large',
    toBytes: (count) => `${CHUNKED}${digits(count)}\r\nabc\r\n0\r\n\r\n`,
  },
  {
    name: 'bytes of trailers',
    max: 16_384,
    min: 'A:\r\n\r\n'.length,
    error: 'trailers too large',
    toBytes: (count) => `${CHUNKED}3\r\nabc\r\n0\r\n${fill('A:', '\r\n\r\n', count)}`,
  },
  {
    name: 'digits of a content-length',
    max: 15,
    min: 1,
    error: 'bad content-length',
    toBytes: (count) => `${OK}Content-Length: ${digits(count)}\r\n\r\nabc`,
  },
];

for (const { name, max, min, error, toBytes } of limits) {
  test(`${name}: ${min} to ${max} are taken, ${max + 1} are not`, () => {
    for (const count of [min, max, max + 1]) {
      const bytes = Buffer.from(toBytes(count), 'latin1');
      const whole = readOurs(bytes, false);
      assert.deepEqual(
        [whole.verdict, whole.error],
        count > max ? ['refused', error] : ['complete', ''],
        `${count}`,
      );
      const last = bytes.length;
      for (const cut of [1, 20, last >> 1, last - 6, last - 5, last - 4, last - 3, last - 2, last - 1]) {
        checkSplit(whole, readOurs(bytes, false, [Math.min(Math.max(0, cut), last)]), `${count} at ${cut}`);
      }
      const pieces = Array.from({ length: Math.floor(last / 1_000) }, (_, at) => (at + 1) * 1_000);
      checkSplit(whole, readOurs(bytes, false, pieces), `${count} in pieces`);
    }
  });
}

test('no digit is no size and no length', () => {
  for (const text of [`${CHUNKED}\r\nabc\r\n`, `${OK}Content-Length: \r\n\r\n`]) {
    assert.equal(readOurs(Buffer.from(text), false).verdict, 'refused');
  }
});

test('a head, a size line and trailers that never end are refused as soon as they are too large', () => {
  const endless: readonly (readonly [string, string, number])[] = [
    [`${OK}A: `, 'a', HEAD_BYTES_MAX],
    [OK, `A: ${'b'.repeat(95)}\r\n`, HEAD_BYTES_MAX],
    [`${CHUNKED}1;`, 'a', CHUNKED.length + 4_096],
    [`${CHUNKED}0\r\nA:`, 'a', CHUNKED.length + 3 + 16_384],
  ];
  for (const [start, more, max] of endless) {
    const text = start.padEnd(max + 1, more);
    assert.equal(readOurs(Buffer.from(text.slice(0, max)), false, [100, 1_000]).verdict, 'incomplete');
    assert.equal(readOurs(Buffer.from(text), false, [100, 1_000]).verdict, 'refused');
    assert.equal(readOurs(Buffer.from(text), false, [max]).verdict, 'refused');
    assert.equal(readOurs(Buffer.from(text), false).verdict, 'refused');
  }
});

test('a length of fifteen nines and a size of thirteen digits are counted exactly', () => {
  for (const head of [`${OK}Content-Length: 999999999999999\r\n\r\n`, `${CHUNKED}fffffffffffff\r\n`]) {
    const { verdict, hasHead } = readOurs(Buffer.from(`${head}abc`), false);
    assert.deepEqual([verdict, hasHead], ['incomplete', true]);
  }
});
