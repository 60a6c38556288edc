// What the parser takes: each framing, cut anywhere; and its states. What it refuses: response-refusal.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseParser } from '../../../src/upstream/http1/response-parser.ts';
import { checkSplit, toEveryByte } from './differential.ts';
import { openParser, readOurs, readText } from './outcome.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

interface Row {
  readonly name: string;
  readonly bytes: string;
  readonly isHead?: boolean;
  readonly status?: number;
  readonly statusText?: string;
  readonly fields?: readonly string[];
  readonly body?: string;
  /** Default: true. */
  readonly isPersistent?: boolean;
}

const rows: readonly Row[] = [
  {
    name: 'a body by length',
    bytes: `${OK}A: b\r\nContent-Length: 5\r\n\r\nhello`,
    fields: ['A:b'],
    body: 'hello',
  },
  { name: 'an empty body by length', bytes: `${OK}Content-Length: 0\r\n\r\n` },
  {
    name: 'a length with white space and zeros',
    bytes: `${OK}content-LENGTH:\t 003 \t\r\n\r\nabc`,
    body: 'abc',
  },
  { name: 'a body to the end', bytes: `${OK}\r\nhello\r\n\r\n`, body: 'hello\r\n\r\n', isPersistent: false },
  { name: 'an empty body to the end', bytes: `${OK}\r\n`, isPersistent: false },
  { name: 'HTTP/1.0 to the end', bytes: 'HTTP/1.0 200 OK\r\n\r\nabc', body: 'abc', isPersistent: false },
  { name: 'no chunk', bytes: `${CHUNKED}0\r\n\r\n` },
  { name: 'one chunk', bytes: `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`, body: 'hello' },
  {
    name: 'chunks with digits of both cases and zeros',
    bytes: `${CHUNKED}a\r\n0123456789\r\n0B\r\nabcdefghijk\r\n00001\r\n\r\r\n2\r\n\r\n\r\n000\r\n\r\n`,
    body: '0123456789abcdefghijk\r\r\n',
  },
  {
    name: 'chunk extensions',
    bytes: `${CHUNKED}2;a\r\nab\r\n1;a=b;c="d;e\\"f" ; g\r\nc\r\n1;\t\xff\r\nd\r\n0;x\r\n\r\n`,
    body: 'abcd',
  },
  {
    name: 'trailers, which are dropped',
    bytes: `${CHUNKED}1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Length: 7\r\nSet-Cookie:\r\n\r\n`,
    body: 'a',
  },
  {
    name: 'a coding of other case',
    bytes: `${OK}TRANSFER-encoding:\tChunKed \r\n\r\n1\r\na\r\n0\r\n\r\n`,
    body: 'a',
  },
  {
    name: 'no space and no reason phrase',
    bytes: 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n',
    statusText: '',
  },
  {
    name: 'a space and no reason phrase',
    bytes: 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n',
    statusText: '',
  },
  {
    name: 'a reason phrase of odd bytes',
    bytes: 'HTTP/1.1 200  a\tb\xe9\r\nContent-Length: 0\r\n\r\n',
    statusText: ' a\tb\xe9',
  },
  {
    name: 'a reason phrase of two bytes',
    bytes: 'HTTP/1.1 200 Ok\r\nContent-Length: 0\r\n\r\n',
    statusText: 'Ok',
  },
  { name: 'OK to another status', bytes: 'HTTP/1.1 500 OK\r\nContent-Length: 0\r\n\r\n', status: 500 },
  {
    name: 'the highest status',
    bytes: 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n',
    status: 999,
    statusText: 'Odd',
  },
  {
    name: 'fields as they came',
    bytes: `${OK}b: 2\r\nA:1\r\nb:\t3 \t\r\nX-Empty:\r\n!#$%&'*+-.^_\`|~0aZ: "\xe9\xa0,;"\r\nContent-Length: 0\r\n\r\n`,
    fields: ['b:2', 'A:1', 'b:3', 'X-Empty:', '!#$%&\'*+-.^_`|~0aZ:"\xe9\xa0,;"'],
  },
  {
    name: 'interim responses before it',
    bytes: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 103\r\nLink: </a>\r\nConnection: close\r\n\r\n${OK}A: b\r\nContent-Length: 1\r\n\r\nx`,
    fields: ['A:b'],
    body: 'x',
  },
  {
    name: 'the answer to HEAD with a length',
    bytes: `${OK}Content-Length: 5\r\n\r\n`,
    isHead: true,
  },
  { name: 'the answer to HEAD without a length', bytes: `${OK}A: b\r\n\r\n`, isHead: true, fields: ['A:b'] },
  { name: 'the answer to HEAD with a coding', bytes: CHUNKED, isHead: true },
  { name: '204', bytes: 'HTTP/1.1 204 OK\r\n\r\n', status: 204 },
  { name: '204 with a length of zero', bytes: 'HTTP/1.1 204 OK\r\nContent-Length: 0\r\n\r\n', status: 204 },
  {
    name: '204 with a length',
    bytes: 'HTTP/1.1 204 OK\r\nContent-Length: 5\r\n\r\n',
    status: 204,
    isPersistent: false,
  },
  {
    name: '204 with a coding',
    bytes: 'HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    status: 204,
    isPersistent: false,
  },
  { name: '304 with a length', bytes: 'HTTP/1.1 304 OK\r\nContent-Length: 5\r\n\r\n', status: 304 },
];

for (const { name, bytes: text, isHead = false, ...row } of rows) {
  test(`a response with ${name} is read, cut anywhere`, () => {
    const bytes = Buffer.from(text, 'latin1');
    const whole = readOurs(bytes, isHead);
    assert.equal(whole.verdict, 'complete', whole.error);
    assert.equal(whole.status, row.status ?? 200);
    assert.equal(whole.statusText, row.statusText ?? 'OK');
    assert.deepEqual(whole.fields, row.fields ?? []);
    assert.equal(whole.body.toString('latin1'), row.body ?? '');
    assert.equal(whole.isPersistent, row.isPersistent ?? true);
    for (let cut = 0; cut <= bytes.length; cut++) {
      checkSplit(whole, readOurs(bytes, isHead, [cut]), `cut at ${cut}`);
      checkSplit(whole, readOurs(bytes, isHead, [cut, Math.min(cut + 2, bytes.length)]), `cut around ${cut}`);
    }
    checkSplit(whole, readOurs(bytes, isHead, toEveryByte(bytes.length)), 'cut at every byte');
    // None of its beginnings is a whole response, unless the connection's end is its own.
    for (let to = 0; to < bytes.length && !/to the end/.test(name); to++) {
      assert.equal(readOurs(bytes.subarray(0, to), isHead).verdict, 'incomplete', `the first ${to}`);
    }
  });
}

function isRefused(parser: ResponseParser, text: string): boolean {
  const bytes = Buffer.from(text, 'latin1');
  return !parser.read(bytes, 0, bytes.length);
}

function toBody({ bytes, bodyStart, bodyEnd }: ResponseParser): string {
  return bytes.toString('latin1', bodyStart, bodyEnd);
}

test('chunks that one read brings are one piece; what each read brought is told once', () => {
  const parser = openParser(`${CHUNKED}3\r\nabc\r\n2;x\r\nde\r\n4\r\nf`);
  assert.deepEqual([parser.hasHead, toBody(parser), parser.isEnded], [true, 'abcdef', false]);
  readText(parser, 'ghi\r\n1\r\nj\r\n');
  assert.deepEqual([parser.hasHead, toBody(parser), parser.isEnded], [false, 'ghij', false]);
  readText(parser, '1\r\n');
  assert.deepEqual([parser.hasHead, toBody(parser), parser.isEnded], [false, '', false]);
  readText(parser, '');
  assert.deepEqual([parser.hasHead, toBody(parser), parser.isEnded], [false, '', false]);
  readText(parser, 'k\r\n0\r\nx: y\r\n\r\n');
  assert.deepEqual([parser.hasHead, toBody(parser), parser.isEnded], [false, 'k', true]);
});

test('a size may be any number', () => {
  for (let size = 1; size < 300; size++) {
    const body = 'x'.repeat(size);
    for (const digits of [size.toString(16), size.toString(16).toUpperCase().padStart(4, '0')]) {
      const parser = openParser(`${CHUNKED}${digits}\r\n${body}\r\n0\r\n\r\n`);
      assert.ok(parser.isEnded && toBody(parser) === body, digits);
    }
  }
});

test('after a response the next one can be read, and not before it is opened', () => {
  const parser = openParser(`${CHUNKED}1\r\na\r\n0\r\n\r\n`);
  for (const isHead of [false, true, false]) {
    assert.equal(parser.isUntouched, false);
    parser.open(isHead);
    assert.ok(parser.isUntouched && !parser.isEnded);
    readText(parser, 'HTTP/1.1 100 Continue\r\n\r\n');
    assert.equal(parser.isUntouched, false);
    readText(parser, 'HTTP/1.1 40');
    readText(parser, `4 No\r\nContent-Length: 1\r\n\r\n${isHead ? '' : 'b'}`);
    assert.deepEqual([parser.head.status, toBody(parser), parser.isEnded], [404, isHead ? '' : 'b', true]);
  }
  assert.ok(isRefused(parser, '\r'));
});

test('bytes while no response is expected are an error, and nothing is read after one', () => {
  const parser = new ResponseParser();
  assert.ok(isRefused(parser, 'H'));
  assert.equal(parser.error, 'bytes after the response');
  for (const text of ['\n', '\r\n', OK, '0\r\n\r\n'])
    assert.ok(isRefused(parser, text), JSON.stringify(text));
  assert.equal(parser.isEnded, false);
});

test('an attempt is untouched until its first byte', () => {
  assert.equal(openParser('').isUntouched, true);
  assert.equal(openParser('H').isUntouched, false);
  assert.equal(openParser(`${OK}\r\n`).isUntouched, false);
});

test("the connection's end completes nothing but a body without another end", () => {
  const ends: readonly (readonly [string, boolean])[] = [
    ['', false],
    ['HTTP/1.1 2', false],
    [`${OK}A: b\r\n`, false],
    ['HTTP/1.1 100 Continue\r\n\r\n', false],
    [`${OK}Content-Length: 1\r\n\r\n`, false],
    [`${OK}Content-Length: 2\r\n\r\na`, false],
    ...[
      '',
      '1',
      '1;a',
      '1\r',
      '1\r\n',
      '1\r\na',
      '1\r\na\r',
      '1\r\na\r\n',
      '0\r\n',
      '0\r\na',
      '0\r\na:',
      '0\r\na:\r',
    ].map((chunks) => [CHUNKED + chunks, false] as const),
    [`${CHUNKED}0\r\n\r`, false],
    [`${OK}Content-Length: 0\r\n\r\n`, false],
    [`${OK}\r\n`, true],
    [`${OK}\r\nabc`, true],
  ];
  for (const [text, isComplete] of ends) {
    const parser = openParser(text);
    assert.equal(parser.isCloseDelimited, isComplete, text);
    assert.equal(parser.finish(), isComplete, text);
    assert.deepEqual([parser.hasHead, toBody(parser), parser.isEnded], [false, '', isComplete], text);
    assert.equal(parser.finish(), false, 'once');
  }
  assert.equal(new ResponseParser().finish(), false);
});

test('a read lies anywhere in its memory, and what is around it stays', () => {
  const parser = new ResponseParser();
  parser.open(false);
  const text = `${CHUNKED}1\r\na\r\n2\r\nbc\r\n0\r\n\r\n`;
  const bytes = Buffer.from(`<<${text}>>`);
  assert.ok(parser.read(bytes, 2, bytes.length - 2), parser.error);
  assert.deepEqual([toBody(parser), parser.isEnded], ['abc', true]);
  assert.equal(bytes.toString('latin1', 0, 2) + bytes.toString('latin1', bytes.length - 2), '<<>>');
});
