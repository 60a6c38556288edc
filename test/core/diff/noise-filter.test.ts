// Differences that a filter calls noise: they are named, and take no room from the others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AnswerDiff,
  DIFFS_MAX,
  LEARNT_MAX,
  NO_DIFF,
  NOISE_MAX,
  type NoiseFilter,
} from '../../../src/core/diff/answer-diff.ts';
import { FOUND_MAX, HEADER_DIFFS_MAX, NOISE_FOUND_MAX } from '../../../src/core/diff/diff-list.ts';
import { diffAnswers } from '../../../src/core/diff/differ.ts';
import { LINES_MAX } from '../../../src/core/diff/text-diff.ts';
import { JSON_TYPE, type RuleEdits, toAnswer, toLines, toRules } from './answers.ts';

const TEXT_TYPE = ['content-type', 'text/plain'];

/** Covers what `isNoise` says of it, in the form `kind at (field)`. */
function toFilter(isNoise: (text: string) => boolean): NoiseFilter {
  return { covers: (field, kind, at) => isNoise(`${kind} ${at} (${field})`) };
}

function diffBodies(primary: string, shadow: string, filter: NoiseFilter, edits: RuleEdits = {}): AnswerDiff {
  return diffAnswers(toAnswer(primary, JSON_TYPE), toAnswer(shadow, JSON_TYPE), toRules(edits), filter);
}

function toItems(count: number, time: number, total: number): string {
  return JSON.stringify({ items: Array.from({ length: count }, () => ({ time })), total });
}

test('what is covered is not a difference, and its field is named once', () => {
  const filter = toFilter((text) => text.includes('time') || text.startsWith('missing'));
  const diff = diffBodies(
    '{"time":1,"a":[{"time":1},{"time":2}],"b":1,"c":1}',
    '{"time":2,"a":[{"time":3},{"time":4}],"c":2}',
    filter,
  );
  assert.deepEqual(toLines(diff.diffs), ['value body:c: 1 → 2']);
  assert.deepEqual(diff.noise, ['body:time', 'body:a[].time', 'body:b']);
  assert.equal(diff.isCut, false);
});

test('without differences beside the noise, the bodies were compared all the same', () => {
  const { diffs, bodyMethod, noise, isCut, note } = diffBodies(
    '{"time":1}',
    '{"time":2}',
    toFilter(() => true),
  );
  assert.deepEqual([diffs, bodyMethod, noise, isCut, note], [[], 'json', ['body:time'], false, null]);
  assert.deepEqual(NO_DIFF.noise, []);
  assert.deepEqual(
    diffBodies(
      '{"time":1}',
      '{"time":1}',
      toFilter(() => true),
    ),
    NO_DIFF,
  );
  assert.deepEqual(diffAnswers(toAnswer('1', JSON_TYPE), toAnswer('2', JSON_TYPE), toRules()).noise, []);
});

test('noise takes no room of the others: fields, elements, and what is looked at', () => {
  const filter = toFilter((text) => !text.includes('total'));
  const keys = (value: number, total: number) =>
    JSON.stringify({
      ...Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`k${at}`, value])),
      total,
    });
  const many = diffBodies(keys(1, 1), keys(2, 2), filter);
  assert.deepEqual([toLines(many.diffs), many.isCut], [['value body:total: 1 → 2'], false]);
  assert.equal(many.noise.length, NOISE_MAX);
  const long = diffBodies(toItems(FOUND_MAX * 2, 1, 1), toItems(FOUND_MAX * 2, 2, 2), filter);
  assert.deepEqual(
    [toLines(long.diffs), long.isCut, long.noise],
    [['value body:total: 1 → 2'], false, ['body:items[].time']],
  );
});

test('to learn what is noise one difference of each field and kind is listed, without values, up to a bound', () => {
  const learner: NoiseFilter = { covers: () => false, isLearning: true };
  const items = diffBodies(
    '{"a":[{"t":1},{"t":2},{"t":3},{}]}',
    '{"a":[{"t":4},{"t":"5"},{},{"t":6}]}',
    learner,
  );
  assert.deepEqual(
    items.diffs.map(({ kind, field, primary, shadow }) => [kind, field, primary, shadow]),
    ['value', 'type', 'missing', 'extra'].map((kind) => [kind, 'body:a[].t', null, null]),
  );
  const toMany = (count: number, value: number): string =>
    JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, value])));
  const fits = diffBodies(toMany(LEARNT_MAX, 1), toMany(LEARNT_MAX, 2), learner);
  assert.deepEqual([fits.diffs.length, fits.isCut], [LEARNT_MAX, false]);
  const over = diffBodies(toMany(LEARNT_MAX + 1, 1), toMany(LEARNT_MAX + 1, 2), learner);
  assert.deepEqual([over.diffs.length, over.isCut], [LEARNT_MAX, true]);
});

test('more noise than is looked at is said to be cut', () => {
  const filter = toFilter((text) => !text.includes('total'));
  const list = (value: number, total: number) =>
    JSON.stringify({ items: Array(NOISE_FOUND_MAX).fill(value), total });
  const { diffs, isCut, noise } = diffBodies(list(1, 1), list(2, 2), filter);
  assert.deepEqual([diffs, isCut, noise], [[], true, ['body:items[]']]);
});

test('noise in elements does not hide that they moved, nor is it noise then', () => {
  const filter = toFilter((text) => text.includes('[]'));
  const diff = diffBodies('{"a":[1,2],"b":[3]}', '{"a":[2,1],"b":[4]}', filter);
  assert.deepEqual(toLines(diff.diffs), ['order body:a: [1,2] → [2,1]']);
  assert.deepEqual(diff.noise, ['body:b[]']);
});

test('status, headers and bodies as a whole may be covered too', () => {
  const asked: string[] = [];
  const filter = toFilter((text) => asked.push(text) > 0);
  const [one, two] = [
    toAnswer('a', ['x-a', '1', 'x-b', '1'], 200),
    toAnswer('b', ['x-a', '2', 'x-c', '1'], 500),
  ];
  const { diffs, noise } = diffAnswers(one, two, toRules(), filter);
  assert.deepEqual(diffs, []);
  assert.deepEqual(noise, ['status', 'header:x-a', 'header:x-b', 'header:x-c', 'body']);
  assert.deepEqual(asked, [
    'value status (status)',
    'value header:x-a (header:x-a)',
    'missing header:x-b (header:x-b)',
    'extra header:x-c (header:x-c)',
    'digest body (body)',
  ]);
  const head = (value: string) =>
    Array.from({ length: HEADER_DIFFS_MAX * 2 }, (_, at) => [`x-${at}`, value]).flat();
  const noisy = toFilter((text) => !text.includes('x-99 '));
  const many = diffAnswers(toAnswer('', head('1')), toAnswer('', head('2')), toRules(), noisy);
  assert.deepEqual([toLines(many.diffs), many.isCut], [['value header:x-99: 1 → 2'], false]);
});

/** The places of the lines in which two texts differ. */
function findPlaces(primary: string, other: string): Set<string> {
  const { diffs } = diffAnswers(toAnswer(primary, TEXT_TYPE), toAnswer(other, TEXT_TYPE), toRules());
  return new Set(diffs.map(({ at }) => at));
}

test('a line of the primary has the same place beside every other text', () => {
  const primary = 'time 1\nprice 5\nend\n';
  const noise = findPlaces(primary, 'header\ntime 2\nprice 5\nend\n');
  assert.deepEqual(noise, new Set(['body:line 1', 'body:after line 1']));
  const control = findPlaces(primary, 'time 2\nprice 5\nend\n');
  const filter: NoiseFilter = { covers: (_field, kind, at) => kind === 'text' && control.has(at) };
  const shadow = toAnswer('time 3\nnew\nprice 9\nend\nstack\n', TEXT_TYPE);
  const { diffs } = diffAnswers(toAnswer(primary, TEXT_TYPE), shadow, toRules(), filter);
  assert.deepEqual(toLines(diffs), [
    'text body:line 2 (body): price 5 → new',
    'text body:after line 2 (body): nothing → price 9',
    'text body:after line 3 (body): nothing → stack',
  ]);
});

test('lines that are noise take no room, and what lies beyond the lines that are looked at is said to be cut', () => {
  const lines = (mark: string, count: number, end: string) =>
    [...Array.from({ length: count }, (_, at) => `${mark} ${at}`), end].join('\n');
  const run = (count: number) => {
    const last = `body:line ${count + 1} `;
    const filter = toFilter((text) => !text.includes(last));
    const [one, two] = [
      toAnswer(lines('a', count, 'x'), TEXT_TYPE),
      toAnswer(lines('b', count, 'y'), TEXT_TYPE),
    ];
    return diffAnswers(one, two, toRules(), filter);
  };
  const fits = run(DIFFS_MAX * 3);
  assert.deepEqual(
    [toLines(fits.diffs), fits.isCut],
    [[`text body:line ${DIFFS_MAX * 3 + 1} (body): x → y`], false],
  );
  const over = run(LINES_MAX * 2);
  assert.deepEqual([over.diffs, over.isCut], [[], true]);
});
