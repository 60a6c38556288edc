// From a job's head to a shadow's request: tables of what goes in and what comes out.
// What really goes over the wire is in worker.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toCopyTarget } from '../../src/core/copy-target.ts';
import { CONCAT_PREFIX, CONCAT_REPLACE, HOST_NODE, HOST_PASS } from '../../src/core/model.ts';
import { SpanIds } from '../../src/core/trace-context.ts';
import { CopyRequest, toCopyHead, toShadowHead } from '../../src/mirror/copy.ts';
import { toHeadText } from './head.ts';
import { toMirror, toShadow } from './rig.ts';

const SPAN_IDS = new SpanIds();

const TARGETS: readonly (readonly [
  path: string,
  mode: typeof CONCAT_REPLACE | typeof CONCAT_PREFIX,
  raw: string,
  copy: string,
])[] = [
  ['/shadow', CONCAT_REPLACE, '/a/b', '/shadow'],
  ['/shadow', CONCAT_REPLACE, '/a/b?c=%2f', '/shadow?c=%2f'],
  ['/shadow', CONCAT_REPLACE, '/a?', '/shadow?'],
  ['/shadow', CONCAT_REPLACE, '/a?b?c', '/shadow?b?c'],
  ['/shadow/', CONCAT_REPLACE, '/', '/shadow/'],
  ['/shadow', CONCAT_PREFIX, '/a/b?c', '/shadow/a/b?c'],
  ['/shadow/', CONCAT_PREFIX, '/a', '/shadow//a'],
  ['/shadow', CONCAT_PREFIX, '/', '/shadow/'],
  ['/', CONCAT_PREFIX, '/%2f?', '//%2f?'],
  ['/shadow', CONCAT_PREFIX, '/a//../b?', '/shadow/a//../b?'],
];

for (const [path, pathConcatMode, raw, copy] of TARGETS) {
  test(`target ${raw} with path ${path} (${pathConcatMode}) becomes ${copy}`, () => {
    assert.equal(toCopyTarget(path, pathConcatMode, raw), copy);
  });
}

function toText(...lines: readonly string[]): string {
  return toHeadText(['GET /a?b', ...lines, ''].join('\r\n'));
}

test('the rule’s path goes into the request line, and nothing else changes', () => {
  const mirror = toMirror([], { path: '/shadow', pathConcatMode: CONCAT_REPLACE });
  const copy = toCopyHead(toText('host: h', 'x-a: /a?b'), mirror, 'api', 0);
  const rest = 'host: h\r\nx-a: /a?b\r\nx-umbra-mirror: api\r\n\r\n';
  assert.equal(copy, `GET /shadow?b HTTP/1.1\r\n${rest}`);
});

test('the loop mark is the last line', () => {
  const copy = toCopyHead(toText('host: h', 'x-umbra-mirrored: 1'), toMirror([]), 'api', 0);
  assert.equal(copy, toText('host: h', 'x-umbra-mirrored: 1', 'x-umbra-mirror: api'));
});

test('a length is added for a body that the primary got in chunks, and only then', () => {
  const add = (bodyBytes: number, ...lines: string[]): string =>
    toCopyHead(toText(...lines), toMirror([]), 'r', bodyBytes);
  assert.equal(add(7, 'host: h'), toText('host: h', 'x-umbra-mirror: r', 'content-length: 7'));
  assert.equal(add(0, 'host: h'), toText('host: h', 'x-umbra-mirror: r'));
  assert.equal(
    add(7, 'content-length: 7', 'host: h'),
    toText('content-length: 7', 'host: h', 'x-umbra-mirror: r'),
  );
});

test('a shadow without edits gets the shared head itself', () => {
  const text = toText('host: h', 'a: 1');
  assert.equal(toShadowHead(text, toShadow('http://s:80'), SPAN_IDS), text);
});

test('the host is passed, the shadow’s own, or a literal', () => {
  const edit = (hostHeader: string): string =>
    toShadowHead(
      toText('a: 1', 'host: client.example'),
      toShadow('http://s:81', { hostHeader, authority: 's:81' }),
      SPAN_IDS,
    );
  assert.equal(edit(HOST_PASS), toText('a: 1', 'host: client.example'));
  assert.equal(edit(HOST_NODE), toText('a: 1', 'host: s:81'));
  assert.equal(edit('literal.example'), toText('a: 1', 'host: literal.example'));
});

test('header edits remove first and then set, in place of the first line of that name', () => {
  const edited = toShadowHead(
    toText('host: h', 'a: 1', 'b: 2', 'a: 3', 'c: 4'),
    toShadow('http://s:80', {
      headers: {
        set: [
          ['a', 'new'],
          ['c', 'kept'],
          ['d', 'added'],
        ],
        remove: ['b', 'c'],
      },
    }),
    SPAN_IDS,
  );
  assert.equal(edited, toText('host: h', 'a: new', 'c: kept', 'd: added'));
});

test('a request for undici says the same as its text', () => {
  const request = new CopyRequest(toText('host: h', 'x-empty: ', 'content-length: 3'), Buffer.from('abc'));
  assert.deepEqual(
    [request.method, request.target, request.declaredBytes, request.headers],
    ['GET', '/a?b', 3, ['host', 'h', 'x-empty', '', 'content-length', '3']],
  );
});
