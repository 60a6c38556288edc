// What is noise: the exchange's own, that of the route, by kind; and what never is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DIFF_KINDS, type DiffKind, type FieldDiff } from '../../src/core/diff/answer-diff.ts';
import { ControlNotes } from '../../src/mirror/control-notes.ts';
import { ExchangeNoise, NoiseProfile, toNoiseFilter } from '../../src/mirror/noise.ts';

function toDiff(field: string, kind: DiffKind = 'value', at = field): FieldDiff {
  return { field, at, kind, primary: '1', shadow: '2' };
}

function toNoise(...diffs: FieldDiff[]): ExchangeNoise {
  return new ExchangeNoise(diffs);
}

/** Fields that are left of these. */
function left(diffs: readonly FieldDiff[], profile: NoiseProfile, noise: ExchangeNoise | null): string[] {
  const filter = toNoiseFilter(profile, noise);
  return diffs.filter(({ field, kind, at }) => !filter.covers(field, kind, at)).map(({ field }) => field);
}

const QUIET = new NoiseProfile();
const NOTHING = toNoise();

function learn(profile: NoiseProfile, times: number, noise: ExchangeNoise): void {
  for (let time = 0; time < times; time++) profile.add(noise);
}

test('what differs from the control too is noise, and nothing else', () => {
  const fields = ['status', 'header:etag', 'body:a', 'body:ab', 'body:a.b'];
  const diffs = fields.map((field) => toDiff(field));
  assert.deepEqual(left(diffs, QUIET, toNoise(toDiff('body:a'), toDiff('header:etag'))), [
    'status',
    'body:ab',
    'body:a.b',
  ]);
  assert.deepEqual(left(diffs, QUIET, toNoise(toDiff('body:x'))), fields);
  assert.deepEqual(left(diffs, QUIET, null), fields);
});

for (const [noisy, covered] of [
  ['value', ['value']],
  ['missing', ['missing', 'extra']],
  ['extra', ['missing', 'extra']],
  ['type', ['type', 'value']],
  ['length', ['length']],
  ['order', ['order']],
  ['digest', []],
] as const) {
  test(`${noisy} that is noise covers ${covered.join(', ') || 'nothing'} of its field, in its exchange and later`, () => {
    const noise = toNoise(toDiff('body:a', noisy));
    const profile = new NoiseProfile();
    learn(profile, 3, noise);
    for (const kind of DIFF_KINDS) {
      const expected = (covered as readonly DiffKind[]).includes(kind) ? [] : ['body:a'];
      assert.deepEqual(left([toDiff('body:a', kind)], QUIET, noise), expected, kind);
      assert.deepEqual(left([toDiff('body:a', kind)], profile, null), expected, kind);
    }
  });
}

test('a status is noise never, whatever is known', () => {
  const profile = new NoiseProfile();
  const noise = toNoise(toDiff('status'));
  learn(profile, 100, noise);
  assert.deepEqual(left([toDiff('status')], profile, noise), ['status']);
});

test('a body that is compared by its digest is noise never', () => {
  const profile = new NoiseProfile();
  const noise = toNoise(toDiff('body', 'digest'), toDiff('body:time'));
  learn(profile, 100, noise);
  assert.deepEqual(left([toDiff('body', 'digest')], profile, noise), ['body']);
});

test('a line of text is noise where the same line differs from the control, and nowhere later', () => {
  const profile = new NoiseProfile();
  const noise = toLineNoise('a', 'b');
  learn(profile, 100, noise);
  const filter = toNoiseFilter(profile, noise);
  const quiet = toNoiseFilter(profile, NOTHING);
  for (const at of ['body:line 1', 'body:line 2', 'body:after line 1']) {
    const facts = { lines: ['a', 'c'] } as const;
    assert.equal(filter.covers('body', 'text', at, facts), at === 'body:line 1', at);
    assert.equal(quiet.covers('body', 'text', at, facts), false, at);
  }
});

/** Of a control that differs in the first line. */
function toLineNoise(primary: string | null, control: string | null): ExchangeNoise {
  const notes = new ControlNotes();
  notes.covers('body', 'text', 'body:line 1', { lines: [primary, control] });
  return new ExchangeNoise([toDiff('body', 'text', 'body:line 1')], null, notes);
}

for (const [primary, control, excused, counted] of [
  [
    '<p id=7>price 5</p>',
    '<p id=8>price 5</p>',
    ['<p id=123>price 5</p>'],
    ['<p id=9>price 6</p>', '<p>', ''],
  ],
  ['at 10:58:59', 'at 10:58:51', ['at 11:00:00'], ['on 10:58:58', '10:58:58']],
  ['0,0.125', '0,0.173', ['0,0.9', '0,7'], ['1,0.1']],
  ['a="Zm9v"', 'a="YmE=="', ['a="YQ="'], ['a="YQ', 'b="Zg"']],
  ['x<', 'x<<', ['x<y<'], ['x', 'y<']],
  ['5', '55', ['', '1', 'all is lost'], []],
] as const) {
  test(`a line that is ${primary} and at the control ${control} may differ there alone`, () => {
    const filter = toNoiseFilter(QUIET, toLineNoise(primary, control));
    const covers = (line: string | null): boolean =>
      filter.covers('body', 'text', 'body:line 1', { lines: [primary, line] });
    for (const line of [control, ...excused]) assert.equal(covers(line), true, line);
    for (const line of [...counted, null]) assert.equal(covers(line), false, `${line}`);
  });
}

test('a line that the control does not have may be missing or another one', () => {
  const filter = toNoiseFilter(QUIET, toLineNoise('a', null));
  assert.equal(filter.covers('body', 'text', 'body:line 1', { lines: ['a', null] }), true);
  const extra = toNoiseFilter(QUIET, toLineNoise(null, 'a'));
  assert.equal(extra.covers('body', 'text', 'body:line 1', { lines: [null, 'b'] }), true);
});

test('a body that is another one as a whole is noise in its exchange, never of the route', () => {
  for (const kind of ['value', 'type', 'length', 'order'] as const) {
    const profile = new NoiseProfile();
    const noise = toNoise(toDiff('body', kind));
    learn(profile, 100, noise);
    assert.deepEqual(left([toDiff('body', kind)], profile, noise), []);
    assert.deepEqual(left([toDiff('body', kind)], profile, null), ['body']);
  }
});

test("an array whose length differs from the control's shifts its elements, and nothing beside them", () => {
  const fields = ['body:items[].id', 'body:items[].a.b', 'body:itemsB[].id', 'body:n'];
  const noise = toNoise(toDiff('body:items', 'length'));
  for (const below of ['missing', 'extra', 'value', 'type', 'length'] as const) {
    const shadow = fields.map((field) => toDiff(field, below));
    assert.deepEqual(left(shadow, QUIET, noise), ['body:itemsB[].id', 'body:n'], below);
  }
  const root = toNoise(toDiff('body', 'length'));
  assert.deepEqual(left([toDiff('body:[].id'), toDiff('status')], QUIET, root), ['status']);
  const profile = new NoiseProfile();
  learn(profile, 3, noise);
  assert.deepEqual(left([toDiff('body:items', 'length'), toDiff('body:items[].id')], profile, null), [
    'body:items[].id',
  ]);
});

test("an array whose order differs from the control's is reordered, and its elements are not excused", () => {
  const noise = toNoise(toDiff('body:items', 'order'));
  assert.deepEqual(left([toDiff('body:items[].id')], QUIET, noise), ['body:items[].id']);
  const isReordered = (profile: NoiseProfile, of: ExchangeNoise | null, field = 'body:items') =>
    toNoiseFilter(profile, of).isReordered?.(field) ?? null;
  assert.equal(isReordered(QUIET, noise), true);
  assert.equal(isReordered(QUIET, noise, 'body:others'), false);
  assert.equal(isReordered(QUIET, NOTHING), null);
  const profile = new NoiseProfile();
  learn(profile, 2, noise);
  assert.equal(isReordered(profile, null), false);
  learn(profile, 1, noise);
  assert.equal(isReordered(profile, null), true);
});

test('that nothing is left of an array is noise only where the control says so', () => {
  const noise = toNoise(toDiff('body:items', 'length'));
  const profile = new NoiseProfile();
  learn(profile, 3, noise);
  const covers = (of: ExchangeNoise | null, isOneEmpty: boolean): boolean =>
    toNoiseFilter(profile, of).covers('body:items', 'length', 'body:items', { isOneEmpty });
  assert.deepEqual([covers(null, false), covers(noise, false)], [true, true]);
  assert.deepEqual([covers(null, true), covers(noise, true)], [false, false]);
  const notes = new ControlNotes();
  notes.covers('body:items', 'length', 'body:items', { isOneEmpty: true });
  assert.equal(covers(new ExchangeNoise([toDiff('body:items', 'length')], null, notes), true), true);
});

test('an element that differs is no noise for its neighbours, nor the array for its elements when their values differ', () => {
  const diffs = ['body:items[].id', 'body:items[].name'].map((field) => toDiff(field));
  assert.deepEqual(left(diffs, QUIET, toNoise(toDiff('body:items[].id'))), ['body:items[].name']);
  assert.deepEqual(
    left(diffs, QUIET, toNoise(toDiff('body:items', 'type'))),
    diffs.map(({ field }) => field),
  );
});

test('a field is noise of the route from three differences on, as long as they are 5 % of the comparisons', () => {
  const profile = new NoiseProfile();
  const diffs = [toDiff('body:time')];
  const fields = ['body:time'];
  const noise = toNoise(...diffs);
  learn(profile, 2, noise);
  assert.deepEqual(left(diffs, profile, null), fields);
  learn(profile, 1, noise);
  assert.deepEqual(left(diffs, profile, null), []);
  learn(profile, 57, NOTHING);
  assert.deepEqual(left(diffs, profile, null), [], '3 of 60');
  learn(profile, 1, NOTHING);
  assert.deepEqual(left(diffs, profile, null), fields, '3 of 61');
  learn(profile, 1, noise);
  assert.deepEqual(left(diffs, profile, null), [], '4 of 62');
});

test('noise that has ceased is unlearnt, and noise that goes on is not', () => {
  const profile = new NoiseProfile();
  const diffs = ['body:old', 'body:new'].map((field) => toDiff(field));
  learn(profile, 100_000, toNoise(...diffs));
  learn(profile, 5000, toNoise(toDiff('body:new')));
  assert.deepEqual(left(diffs, profile, null), ['body:old']);
  learn(profile, 100_000, toNoise(toDiff('body:new')));
  assert.deepEqual(left(diffs, profile, null), ['body:old']);
});

test('a profile remembers a thousand fields; a full one gives up those that are rare', () => {
  const profile = new NoiseProfile();
  const fields = Array.from({ length: 1001 }, (_, index) => toDiff(`body:f${index}`));
  const all = toNoise(...fields);
  learn(profile, 3, all);
  assert.deepEqual(left(fields, profile, null), ['body:f1000']);
  // They are 3 of 70 now; the newcomer finds room, and is noise of the route in its turn.
  learn(profile, 67, NOTHING);
  learn(profile, 100, toNoise(toDiff('body:f1000')));
  assert.deepEqual(
    left(fields, profile, null),
    fields.slice(0, 1000).map(({ field }) => field),
  );
});
