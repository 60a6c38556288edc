// How much numbers of JSON bodies may differ: at a place, and at all places below it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiffList } from '../../../src/core/diff/diff-list.ts';
import { compileDiffRules } from '../../../src/core/diff/diff-rules.ts';
import { diffJson } from '../../../src/core/diff/json-diff.ts';
import type { JsonValue } from '../../../src/core/diff/json-value.ts';
import { VISITS_MAX, Work } from '../../../src/core/diff/work.ts';
import type { Tolerance } from '../../../src/core/model.ts';
import { diffJsonTexts, toLines } from './answers.ts';

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

test('elements of an unordered array are found again by numbers that are near', () => {
  const edits = { unordered: ['$', '[].list'], tolerances: [absolute('[].v', 0.01), absolute('[].w', 0.01)] };
  const table: readonly (readonly [string, string, readonly string[]])[] = [
    ['[{"v":1},{"v":2}]', '[{"v":2.001},{"v":1.001}]', []],
    ['[{"v":1,"w":5},{"v":1.001,"w":2}]', '[{"v":1.001,"w":5},{"v":1.002,"w":2.001}]', []],
    ['[{"v":1,"n":"a"},{"v":1,"n":"b"}]', '[{"v":1.001,"n":"b"},{"v":1.002,"n":"a"}]', []],
    ['[{"v":1,"id":7},{"v":1.005,"id":8}]', '[{"v":1.006,"id":8},{"v":1.001,"id":7}]', []],
    ['[{"v":12345678901234567890},{"v":1}]', '[{"v":1.001},{"v":12345678901234567891}]', []],
    ['[{"v":1},{"v":2}]', '[{"v":2.5},{"v":1.001}]', ['value body:[1].v (body:[].v): 2 → 2.5']],
    ['[{"v":1},{"v":2}]', '[{"v":1.001}]', ['missing body:[1] (body:[]): {"v":2} → nothing']],
    ['[{"x":1},{"x":2}]', '[{"x":2.001},{"x":1}]', ['value body:[1].x (body:[].x): 2 → 2.001']],
  ];
  for (const [primary, shadow, lines] of table)
    assert.deepEqual(toLines(diffJsonTexts(primary, shadow, edits).diffs), lines, `${primary} ${shadow}`);
  // Arrays whose order counts keep it.
  const ordered = diffJsonTexts('[{"v":1},{"v":2}]', '[{"v":2.001},{"v":1.001}]', {
    tolerances: edits.tolerances,
  });
  assert.equal(ordered.diffs.length, 2);
});

test('many elements are paired within a tolerance in order of their numbers, within the work that there is', () => {
  const tolerances = [absolute('$', 0.01)];
  const rows = (count: number, shift: number) =>
    Array.from(
      { length: count },
      (_, at) => `{"v":${(at * 7_919) % 1_000}.5,"w":${at + shift},"n":${at % 3}}`,
    );
  const run = (count: number) =>
    diffJsonTexts(`[${rows(count, 0)}]`, `[${rows(count, 0.001).reverse()}]`, {
      unordered: ['$'],
      tolerances,
    });
  assert.deepEqual([run(1_000).diffs, run(1_000).bodyMethod], [[], 'json']);
  assert.equal(run(15_000).bodyMethod, 'digest');
});
