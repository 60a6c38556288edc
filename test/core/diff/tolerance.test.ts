// How much numbers of JSON bodies may differ: at a place, and at all places below it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiffList } from '../../../src/core/diff/diff-list.ts';
import { compileDiffRules } from '../../../src/core/diff/diff-rules.ts';
import { diffJson } from '../../../src/core/diff/json-diff.ts';
import type { JsonValue } from '../../../src/core/diff/json-value.ts';
import { VISITS_MAX, Work } from '../../../src/core/diff/work.ts';
import type { Tolerance } from '../../../src/core/model.ts';

const PRIMARY = { a: 1, b: { c: 10, d: [100, { e: -100 }] }, f: 'x' };
const SHADOW = { a: 1.5, b: { c: 10.5, d: [100.5, { e: -100.5 }] }, f: 'y' };

function listFields(...tolerances: readonly Tolerance[]): readonly string[] {
  const rules = compileDiffRules(
    { ignoreHeaders: [], ignoreJsonFields: [], unordered: [], tolerances, maxBodyCaptureBytes: 1 },
    [],
  );
  const list = new DiffList();
  diffJson(PRIMARY as JsonValue, SHADOW as JsonValue, rules, list, new Work(VISITS_MAX));
  return list.diffs.map(({ field }) => field);
}

function absolute(path: string, largest: number): Tolerance {
  return { path, largest, isRelative: false };
}

test('a tolerance of the root is one of all numbers, and of nothing else', () => {
  const all = ['body:a', 'body:b.c', 'body:b.d[]', 'body:b.d[].e', 'body:f'];
  assert.deepEqual(listFields(), all);
  assert.deepEqual(listFields(absolute('$', 0.5)), ['body:f']);
  assert.deepEqual(listFields(absolute('$', 0.49)), all);
  assert.deepEqual(listFields({ path: '$', largest: 0.05, isRelative: true }), ['body:a', 'body:f']);
});

test('one of a place holds there and below, beside those of places above it, and ends with it', () => {
  assert.deepEqual(listFields(absolute('b', 0.5)), ['body:a', 'body:f']);
  assert.deepEqual(listFields(absolute('b.d', 0.5)), ['body:a', 'body:b.c', 'body:f']);
  assert.deepEqual(listFields(absolute('b.d[].e', 0.5)), ['body:a', 'body:b.c', 'body:b.d[]', 'body:f']);
  assert.deepEqual(listFields(absolute('$', 0.5), absolute('b', 0)), ['body:f'], 'one that holds is enough');
  assert.deepEqual(listFields(absolute('$', 0), absolute('b', 0.5)), ['body:a', 'body:f']);
});
