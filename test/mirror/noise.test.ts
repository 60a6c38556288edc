// What is subtracted from a shadow's differences: the exchange's own noise, and that of the route.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiffKind, FieldDiff } from '../../src/core/diff/answer-diff.ts';
import { ExchangeNoise, NoiseProfile, subtractNoise } from '../../src/mirror/noise.ts';

function toDiff(field: string, kind: DiffKind = 'value'): FieldDiff {
  return { field, at: field, kind, primary: '1', shadow: '2' };
}

function toNoise(...diffs: FieldDiff[]): ExchangeNoise {
  return new ExchangeNoise({ diffs, isCut: false, bodyMethod: 'json', note: null });
}

/** Fields that are left of these. */
function left(diffs: readonly FieldDiff[], profile: NoiseProfile, noise: ExchangeNoise | null): string[] {
  return subtractNoise(diffs, profile, noise).map(({ field }) => field);
}

const QUIET = new NoiseProfile();

test('what differs from the control too is noise, and nothing else', () => {
  const diffs = ['status', 'header:etag', 'body:a', 'body:ab', 'body:a.b'].map((field) => toDiff(field));
  assert.deepEqual(left(diffs, QUIET, toNoise(toDiff('body:a'), toDiff('header:etag'))), [
    'status',
    'body:ab',
    'body:a.b',
  ]);
  assert.equal(subtractNoise(diffs, QUIET, toNoise(toDiff('body:x'))), diffs);
  assert.equal(subtractNoise(diffs, QUIET, null), diffs);
});

for (const kind of ['length', 'order'] as const) {
  test(`an array whose ${kind} differs from the control's shifts its elements, and nothing beside them`, () => {
    const diffs = ['body:items', 'body:items[].id', 'body:items[].a.b', 'body:itemsB[].id', 'body:n'];
    const noise = toNoise(toDiff('body:items', kind));
    const shadow = diffs.map((field) => toDiff(field));
    assert.deepEqual(left(shadow, QUIET, noise), ['body:itemsB[].id', 'body:n']);
    const root = toNoise(toDiff('body', kind));
    assert.deepEqual(left([toDiff('body:[].id'), toDiff('status')], QUIET, root), ['status']);
  });
}

test('an element that differs is no noise for its neighbours, nor the array for its elements when their values differ', () => {
  const diffs = ['body:items[].id', 'body:items[].name'].map((field) => toDiff(field));
  assert.deepEqual(left(diffs, QUIET, toNoise(toDiff('body:items[].id'))), ['body:items[].name']);
  assert.deepEqual(
    left(diffs, QUIET, toNoise(toDiff('body:items', 'type'))),
    diffs.map(({ field }) => field),
  );
});

test('a body compared by digest alone is noise where the control’s differs anywhere', () => {
  const digest = [toDiff('body', 'digest')];
  assert.deepEqual(left(digest, QUIET, toNoise(toDiff('body:time'))), []);
  assert.deepEqual(left(digest, QUIET, toNoise(toDiff('header:etag'))), ['body']);
  assert.deepEqual(left([toDiff('body', 'text')], QUIET, toNoise(toDiff('body:time'))), ['body']);
});

test('a field is noise of the route from three differences on, as long as they are 5 % of the comparisons', () => {
  const profile = new NoiseProfile();
  const diffs = [toDiff('body:time')];
  const fields = ['body:time'];
  profile.add(fields);
  profile.add(fields);
  assert.deepEqual(left(diffs, profile, null), fields);
  profile.add(fields);
  assert.deepEqual(left(diffs, profile, null), []);
  for (let quiet = 0; quiet < 57; quiet++) profile.add([]);
  assert.deepEqual(left(diffs, profile, null), [], '3 of 60');
  profile.add([]);
  assert.deepEqual(left(diffs, profile, null), fields, '3 of 61');
  profile.add(fields);
  assert.deepEqual(left(diffs, profile, null), [], '4 of 62');
});

test('noise of the route does not reach below its fields', () => {
  const profile = new NoiseProfile();
  for (let time = 0; time < 3; time++) profile.add(['body:items']);
  assert.deepEqual(left([toDiff('body:items', 'length'), toDiff('body:items[].id')], profile, null), [
    'body:items[].id',
  ]);
});

test('a profile remembers a thousand fields, and goes on counting those', () => {
  const profile = new NoiseProfile();
  const fields = Array.from({ length: 1001 }, (_, index) => `body:f${index}`);
  for (let time = 0; time < 3; time++) profile.add(fields);
  assert.equal(profile.isNoise('body:f0'), true);
  assert.equal(profile.isNoise('body:f999'), true);
  assert.equal(profile.isNoise('body:f1000'), false);
});
