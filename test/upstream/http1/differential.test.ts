// Our parser against llhttp and undici, over random responses and over one example of each deliberate difference.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LLHTTP_DIFFERENCES, UNDICI_DIFFERENCES } from './differences.ts';
import {
  compareWithLlhttp,
  compareWithUndici,
  type Reading,
  readAnyway,
  runCases,
  type Tally,
} from './differential.ts';
import { Llhttp } from './llhttp.ts';

const SEED = 20_260_721;
const CASES_MIN = 5_000;
const BATCH = 1_000;
const RUN_MS = 5_000;

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n';
const FINAL = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc';

/** Name of the difference, bytes; with `HEAD` when the request was one. */
const examples: readonly (readonly [string, string, 'HEAD'?])[] = [
  ['we refuse: bytes after the response', `${FINAL}HTTP/1.1 500 No\r\n\r\n`],
  ['we refuse: bytes after the response', `${FINAL}\r\n`],
  ['we refuse: not an HTTP/1 response', `\r\n${FINAL}`],
  ['we refuse: not an HTTP/1 response', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['we refuse: status is below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['we refuse: bad reason phrase', 'HTTP/1.1 200 O\0K\r\n\r\n'],
  ['we refuse: too many interim responses', 'HTTP/1.1 103 Early\r\n\r\n'.repeat(17) + FINAL],
  ['we refuse: bad connection header', 'HTTP/1.1 200 OK\r\nConnection: a b\r\n\r\n'],
  [
    'we refuse: unknown transfer-encoding',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  ],
  ['we refuse: more than one transfer-encoding', `${CHUNKED}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['we refuse: transfer-encoding in HTTP/1.0', `${CHUNKED}\r\n0\r\n\r\n`.replace('1.1', '1.0')],
  ['we refuse: an interim response with a body', `HTTP/1.1 103 Early\r\nContent-Length: 3\r\n\r\n${FINAL}`],
  ['we refuse: unasked switch of protocols', 'HTTP/1.1 101 Go\r\n\r\nabc'],
  ['we refuse: bad content-length', 'HTTP/1.1 200 OK\r\nContent-Length: 0000000000000003\r\n\r\nabc'],
  ['we refuse: bad content-length', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n'],
  ['we refuse: chunk too large', `${CHUNKED}\r\n00000000000003\r\nabc\r\n0\r\n\r\n`],
  ['we read: chunked with a tab', `${CHUNKED.slice(0, -2)}\t\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
  ['we read: text of a chunk extension', `${CHUNKED}\r\n3; a b\r\nabc\r\n0\r\n\r\n`],
  ['we read: framing among the trailers', `${CHUNKED}\r\n3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n`],
  ['we read: a final response after an interim one that closes', `HTTP/1.0 103 Early\r\n\r\n${FINAL}`],
  ['we wait: the head is judged at its end', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n'],
  ['we keep: HEAD without a length', 'HTTP/1.1 200 OK\r\n\r\n', 'HEAD'],
  ['we keep: Proxy-Connection: close', FINAL.replace('C', 'Proxy-Connection: close\r\nC')],
  [
    'we close: Proxy-Connection: keep-alive in HTTP/1.0',
    FINAL.replace('1.1', '1.0').replace('C', 'Proxy-Connection: keep-alive\r\nC'),
  ],
  [
    'we close: close and keep-alive in HTTP/1.0',
    FINAL.replace('1.1', '1.0').replace('C', 'Connection: keep-alive, close\r\nC'),
  ],
  ['we close: 204 with a length or a coding', 'HTTP/1.1 204 None\r\nContent-Length: 3\r\n\r\n'],
];

const undiciExamples: readonly (readonly [string, string])[] = [
  ['we refuse: bytes after the response', `${FINAL}\r\n`],
  ['we refuse: transfer-encoding in HTTP/1.0', `${CHUNKED}\r\n0\r\n\r\n`.replace('1.1', '1.0')],
  ['we read: chunked with a tab', `${CHUNKED.slice(0, -2)}\t\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
  ['we read: text of a chunk extension', `${CHUNKED}\r\n3; a b\r\nabc\r\n0\r\n\r\n`],
  ['we read: framing among the trailers', `${CHUNKED}\r\n3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n`],
  ['we refuse: bad reason phrase', 'HTTP/1.1 200\r\rA: b\r\n\r\n'],
  ['we read: what follows a 100', `HTTP/1.1 100 Continue\r\n\r\n${FINAL}`],
  ['we read: a length with white space after it', FINAL.replace('3', '3 ')],
  ['same', FINAL],
  ['same', `${CHUNKED}\r\n3\r\nabc\r\n0\r\n\r\n`],
];

function toReading(text: string, method?: 'HEAD'): Reading {
  return { bytes: Buffer.from(text, 'latin1'), isHead: method === 'HEAD' };
}

test('each deliberate difference from llhttp shows in an example', () => {
  const llhttp = new Llhttp();
  for (const [name, text, method] of examples) {
    const one = toReading(text, method);
    assert.equal(compareWithLlhttp(one, readAnyway({ ...one, cuts: [] }), llhttp), name, text);
  }
  const shown = new Set(examples.map(([name]) => name));
  for (const { name, reason } of LLHTTP_DIFFERENCES) {
    assert.ok(shown.has(name), name);
    assert.notEqual(reason, '');
  }
});

test('deliberate differences from undici show in examples', async () => {
  for (const [name, text] of undiciExamples) {
    const one = toReading(text);
    assert.equal(await compareWithUndici(one, readAnyway({ ...one, cuts: [] })), name, text);
  }
  const shown = new Set([...examples, ...undiciExamples].map(([name]) => name));
  for (const { name } of UNDICI_DIFFERENCES) assert.ok(shown.has(name), name);
});

test(`random responses are read as llhttp and undici read them, however they are cut (seed ${SEED})`, async (t) => {
  const tally: Tally = new Map();
  const endMs = performance.now() + RUN_MS;
  let cases = 0;
  for (; cases < CASES_MIN || performance.now() < endMs; cases += BATCH) {
    await runCases({ seed: SEED, from: cases, to: cases + BATCH, step: 1, undiciEvery: 20 }, tally);
  }
  t.diagnostic(`${cases} cases`);
  for (const [name, count] of [...tally].sort()) t.diagnostic(`${name}: ${count}`);
  // The generator still makes enough of each kind.
  for (const verdict of ['complete', 'incomplete', 'refused']) {
    assert.ok((tally.get(`ours: ${verdict}`) ?? 0) > cases / 50, verdict);
  }
  assert.ok((tally.get('llhttp: same') ?? 0) > cases / 2);
});
