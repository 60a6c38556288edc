// From a job's head to a shadow's request: tables of what goes in and what comes out.
// What really goes over the wire is in worker.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONCAT_PREFIX, CONCAT_REPLACE, HOST_NODE, HOST_PASS } from '../../src/core/model.ts';
import { parseHead, toCopyHeaders, toCopyTarget, toShadowHeaders } from '../../src/mirror/copy.ts';
import { toMirror, toShadow } from './rig.ts';

test('a head is taken apart without changing a character', () => {
  const head = parseHead(
    'POST /a%2fb/?x=%20&y HTTP\r\nhost: h\r\nx-empty: \r\nx-colon: a: b:c\r\nx-\xe9: \xff\x80\r\n',
  );
  assert.deepEqual(head, {
    method: 'POST',
    rawTarget: '/a%2fb/?x=%20&y HTTP',
    headers: ['host', 'h', 'x-empty', '', 'x-colon', 'a: b:c', 'x-\xe9', '\xff\x80'],
  });
  assert.deepEqual(parseHead('GET /\r\n'), { method: 'GET', rawTarget: '/', headers: [] });
});

const TARGETS: readonly (readonly [
  path: string | null,
  mode: typeof CONCAT_REPLACE | typeof CONCAT_PREFIX,
  raw: string,
  copy: string,
])[] = [
  [null, CONCAT_REPLACE, '/a?b=1', '/a?b=1'],
  [null, CONCAT_PREFIX, '/a?', '/a?'],
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
    assert.equal(toCopyTarget(toMirror([], { path, pathConcatMode }), raw), copy);
  });
}

test('the loop mark replaces every line of its name and is appended otherwise', () => {
  assert.deepEqual(toCopyHeaders(['host', 'h'], 'api', 0), ['host', 'h', 'x-umbra-mirror', 'api']);
  assert.deepEqual(toCopyHeaders(['x-umbra-mirror', 'a', 'host', 'h', 'x-umbra-mirror', 'b'], 'api', 0), [
    'x-umbra-mirror',
    'api',
    'host',
    'h',
  ]);
});

test('a length is added for a body that the primary got in chunks, and only then', () => {
  assert.deepEqual(toCopyHeaders(['host', 'h'], 'r', 7).slice(-2), ['content-length', '7']);
  assert.equal(toCopyHeaders(['host', 'h'], 'r', 0).includes('content-length'), false);
  const known = toCopyHeaders(['content-length', '7', 'host', 'h'], 'r', 7);
  assert.deepEqual(known, ['content-length', '7', 'host', 'h', 'x-umbra-mirror', 'r']);
});

test('a shadow without edits gets the shared list itself', () => {
  const headers = ['host', 'h', 'a', '1'];
  assert.equal(toShadowHeaders(toShadow('http://s:80'), headers), headers);
});

test('the host is passed, the shadow’s own, or a literal', () => {
  const headers = ['a', '1', 'host', 'client.example'];
  const edit = (hostHeader: string): string[] =>
    toShadowHeaders(toShadow('http://s:81', { hostHeader, authority: 's:81' }), headers);
  assert.deepEqual(edit(HOST_PASS), ['a', '1', 'host', 'client.example']);
  assert.deepEqual(edit(HOST_NODE), ['a', '1', 'host', 's:81']);
  assert.deepEqual(edit('literal.example'), ['a', '1', 'host', 'literal.example']);
});

test('header edits remove first and then set, in place of the first line of that name', () => {
  const headers = ['host', 'h', 'a', '1', 'b', '2', 'a', '3', 'c', '4'];
  const before = [...headers];
  const edited = toShadowHeaders(
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
    headers,
  );
  assert.deepEqual(edited, ['host', 'h', 'a', 'new', 'c', 'kept', 'd', 'added']);
  assert.deepEqual(headers, before, 'the shared list is untouched');
});
