// APISIX's path patterns: what each becomes, and what no request could match.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findUriProblem, toPathPattern } from '../../src/config/path-pattern.ts';
import { PATH_EXACT, PATH_TEXT_PREFIX, PATH_WILDCARD } from '../../src/core/model.ts';

test('a pattern is exact, a prefix of the text, or has stars within', () => {
  const table: readonly (readonly [string, string, string])[] = [
    ['/', PATH_EXACT, '/'],
    ['/foo', PATH_EXACT, '/foo'],
    ['/foo/', PATH_EXACT, '/foo/'],
    ['/:id', PATH_EXACT, '/:id'],
    ['*', PATH_TEXT_PREFIX, ''],
    ['/*', PATH_TEXT_PREFIX, '/'],
    ['/foo*', PATH_TEXT_PREFIX, '/foo'],
    ['/foo/*', PATH_TEXT_PREFIX, '/foo/'],
    // A name for what the star stands for.
    ['/foo/*rest', PATH_TEXT_PREFIX, '/foo/'],
    // Inside a segment APISIX does not look beyond the star.
    ['/foo*bar', PATH_TEXT_PREFIX, '/foo'],
    ['/a/*/c', PATH_WILDCARD, '/a/*/c'],
    ['/a/*b/c', PATH_WILDCARD, '/a/*/c'],
    ['/a/*/c/*', PATH_WILDCARD, '/a/*/c/*'],
    ['/*/c', PATH_WILDCARD, '/*/c'],
    ['*/c', PATH_WILDCARD, '*/c'],
    ['/a/*/', PATH_WILDCARD, '/a/*/'],
  ];
  for (const [uri, match, path] of table) {
    assert.equal(findUriProblem(uri), null, uri);
    assert.deepEqual(toPathPattern(uri), { match, path }, uri);
  }
});

test('what could never match is refused', () => {
  assert.match(findUriProblem('')!, /1 to 4096 characters/);
  assert.equal(findUriProblem(`/${'a'.repeat(4095)}`), null);
  assert.match(findUriProblem(`/${'a'.repeat(4096)}`)!, /1 to 4096 characters/);
  assert.match(findUriProblem('foo')!, /must start with/);
  assert.match(findUriProblem('/a?b')!, /without query/);
  assert.match(findUriProblem('/a#b')!, /without query/);
  for (const uri of ['/a b', '/é', '/a\n']) assert.match(findUriProblem(uri)!, /visible ASCII/, uri);
  for (const uri of ['/a*b/*/c', '/*/a*b', '/*/a*b/c']) assert.match(findUriProblem(uri)!, /mixes a \*/, uri);
});
