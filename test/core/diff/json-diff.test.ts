// JSON bodies compared field by field: what each kind of difference looks like, what rules let pass, and what bounds it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DIFFS_MAX, VALUE_LENGTH_MAX } from '../../../src/core/diff/answer-diff.ts';
import { DiffList, FIELD_DIFFS_MAX } from '../../../src/core/diff/diff-list.ts';
import { diffJson } from '../../../src/core/diff/json-diff.ts';
import { formatField, LEVELS_MAX } from '../../../src/core/diff/json-path.ts';
import { type JsonValue, parseJson, toExactNumber } from '../../../src/core/diff/json-value.ts';
import { VISITS_MAX, Work } from '../../../src/core/diff/work.ts';
import { diffJsonTexts, type RuleEdits, toLines, toRules } from './answers.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

function find(primary: string, shadow: string, edits: RuleEdits = {}): string[] {
  const diff = diffJsonTexts(primary, shadow, edits);
  assert.equal(diff.isCut, false);
  assert.equal(diff.note, null);
  assert.equal(diff.bodyMethod, primary === shadow ? 'bytes' : 'json');
  return toLines(diff.diffs);
}

test('each kind of difference has its place, its field and both values', () => {
  const table: readonly (readonly [string, string, readonly string[]])[] = [
    ['{"a":1,"b":2}', ' {"b": 2, "a": 1}\n', []],
    ['{"a":1.0,"b":1e2,"c":-0}', '{"a":1,"b":100,"c":0}', []],
    ['{"a":1}', '{"a":2}', ['value body:a: 1 → 2']],
    ['{"a":"x"}', '{"a":"y"}', ['value body:a: "x" → "y"']],
    ['{"a":true}', '{"a":false}', ['value body:a: true → false']],
    ['{"a":1}', '{"a":"1"}', ['type body:a: 1 → "1"']],
    ['{"a":null}', '{"a":{}}', ['type body:a: null → {}']],
    ['{"a":[]}', '{"a":{}}', ['type body:a: [] → {}']],
    ['{"a":1,"b":{"c":[1,"x"]}}', '{"a":1}', ['missing body:b: {"c":[1,"x"]} → nothing']],
    ['{"a":1}', '{"a":1,"b":null}', ['extra body:b: nothing → null']],
    [
      '{"x":{"y":[{"z":1},{"z":2}]}}',
      '{"x":{"y":[{"z":1},{"z":3}]}}',
      ['value body:x.y[1].z (body:x.y[].z): 2 → 3'],
    ],
    ['[1,2]', '[1,3]', ['value body:[1] (body:[]): 2 → 3']],
    ['1', '2', ['value body: 1 → 2']],
    ['[]', '{}', ['type body: [] → {}']],
    [
      '{"a":[1,2,3]}',
      '{"a":[1,9]}',
      ['length body:a: 3 elements → 2 elements', 'value body:a[1] (body:a[]): 2 → 9'],
    ],
    ['[]', '[0]', ['length body: 0 elements → 1 element']],
    ['{"a":[1,2,3]}', '{"a":[3,1,2]}', ['order body:a: [1,2,3] → [3,1,2]']],
    [
      '[{"a":1,"b":2},{"c":3}]',
      '[{"c":3},{"b":2,"a":1}]',
      ['order body: [{"a":1,"b":2},{"c":3}] → [{"c":3},{"b":2,"a":1}]'],
    ],
    // One of them is no longer the same: that is no other order.
    [
      '[1,2,3]',
      '[2,1,4]',
      [
        'value body:[0] (body:[]): 1 → 2',
        'value body:[1] (body:[]): 2 → 1',
        'value body:[2] (body:[]): 3 → 4',
      ],
    ],
    ['{"a.b":{"":1}}', '{"a.b":{"":2}}', ['value body:["a.b"].[""]: 1 → 2']],
    ['{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}', ['value body:__proto__.a: 1 → 2']],
    ['{"__proto__":1}', '{}', ['missing body:__proto__: 1 → nothing']],
    [
      '{"constructor":1}',
      '{"toString":1}',
      ['missing body:constructor: 1 → nothing', 'extra body:toString: nothing → 1'],
    ],
    // The last of two equal keys counts.
    ['{"a":1,"a":2}', '{"a":2}', []],
    ['"\\ud800"', '"\\ud801"', ['value body: "\\ud800" → "\\ud801"']],
    ['"\\u0000"', '"\\u0001"', ['value body: "\\u0000" → "\\u0001"']],
    ['"\\u00e9"', '"é"', []],
  ];
  for (const [primary, shadow, lines] of table)
    assert.deepEqual(find(primary, shadow), lines, `${primary} ${shadow}`);
});

test('numbers that a double cannot hold are told apart by their digits', () => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ['12345678901234567890', '12345678901234567891', false],
    ['12345678901234567890', '12345678901234567890', true],
    ['9007199254740993', '9007199254740992', false],
    ['12345678901234567890', '1234567890123456789e1', true],
    ['12345678901234567890', '12345678901234567890.0', true],
    ['0.12345678901234567', '0.12345678901234568', false],
    ['1e400', '1e401', false],
    ['1e400', '10E399', true],
    ['1e-400', '0', false],
    ['1e-400', '0.1e-399', true],
    ['-1e400', '1e400', false],
    ['100000000000000000000000', '1e23', true],
    ['0.1', '1e-1', true],
    ['0e999', '0', true],
    [`1e${'9'.repeat(40)}`, `1e${'9'.repeat(39)}8`, false],
  ];
  for (const [primary, shadow, isSame] of table) {
    for (const wrap of ['[$, 1]', '{"a":$}', '{"a" : [ $ ]}', '$'])
      assert.equal(
        find(wrap.replace('$', primary), wrap.replace('$', shadow)).length === 0,
        isSame,
        `${primary} ${shadow}`,
      );
  }
  assert.deepEqual(find('[1e400]', '[1e401]'), ['value body:[0] (body:[]): 1e400 → 1e401']);
});

test('numbers of up to 15 digits are doubles, others keep their text', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = JSON.stringify(value);
      assert.equal(find(`[${text}]`, `[ ${text}]`).length, 0);
      const digits = text.replace(/^-?[0.]*|e.*$|\./g, '');
      if (digits.length <= 15 && Math.abs(value) < 1e200 && Math.abs(value) > 1e-200)
        assert.equal(toExactNumber(text), null, text);
    }),
    { seed, numRuns: 1_000 },
  );
});

test('ignored places, and all that lies below them, may differ', () => {
  const primary = '{"meta":{"time":1,"zone":{"a":1}},"items":[{"id":1,"n":1},{"id":2,"n":2}],"only":1}';
  const shadow = '{"meta":{"time":2,"zone":[]},"items":[{"id":3,"n":1},{"id":4,"n":3}],"more":2}';
  assert.deepEqual(find(primary, shadow, { ignoreJsonFields: ['meta', 'items[].id', 'only', 'more'] }), [
    'value body:items[1].n (body:items[].n): 2 → 3',
  ]);
  assert.deepEqual(find(primary, shadow, { ignoreJsonFields: ['*'] }), []);
  assert.deepEqual(find('[1,2]', '[3]', { ignoreJsonFields: ['[]'] }), [
    'length body: 2 elements → 1 element',
  ]);
});

test('unordered arrays are compared as sets of elements, the nearest of the others with each other', () => {
  const unordered = ['tags', 'items', 'deep[]', 'deep'];
  const table: readonly (readonly [string, string, readonly string[]])[] = [
    ['{"tags":["a","b","b"]}', '{"tags":["b","a","b"]}', []],
    ['{"tags":["a","b","b"]}', '{"tags":["b","a","a"]}', ['value body:tags[2] (body:tags[]): "b" → "a"']],
    ['{"tags":["a","b"]}', '{"tags":["b"]}', ['missing body:tags[0] (body:tags[]): "a" → nothing']],
    ['{"tags":["a"]}', '{"tags":["b","a"]}', ['extra body:tags[0] (body:tags[]): nothing → "b"']],
    ['{"tags":[1,2]}', '{"tags":["2",1]}', ['type body:tags[1] (body:tags[]): 2 → "2"']],
    [
      '{"items":[{"id":1,"n":"x"},{"id":2,"n":"x"},{"id":3,"n":"x"}]}',
      '{"items":[{"id":3,"n":"x"},{"id":2,"n":"z"},{"n":"y","id":1}]}',
      [
        'value body:items[0].n (body:items[].n): "x" → "y"',
        'value body:items[1].n (body:items[].n): "x" → "z"',
      ],
    ],
    // The other arrays keep their order.
    ['{"other":[1,2]}', '{"other":[2,1]}', ['order body:other: [1,2] → [2,1]']],
    ['{"deep":[[1,2],[3,4]]}', '{"deep":[[4,3],[2,1]]}', []],
    ['{"tags":[]}', '{"tags":{}}', ['type body:tags: [] → {}']],
  ];
  for (const [primary, shadow, lines] of table)
    assert.deepEqual(find(primary, shadow, { unordered }), lines, `${primary} ${shadow}`);
  assert.deepEqual(
    find('{"items":[{"id":1,"at":5},{"id":2,"at":6}]}', '{"items":[{"id":2,"at":7},{"id":1,"at":8}]}', {
      unordered: ['items'],
      ignoreJsonFields: ['items[].at'],
    }),
    [],
  );
});

test('numbers may differ by a tolerance, absolute or a share of the primary', () => {
  const absolute = { path: 'a', largest: 0.5, isRelative: false };
  const relative = { path: 'b[]', largest: 0.01, isRelative: true };
  const rules = { tolerances: [absolute, relative] };
  const table: readonly (readonly [string, string, boolean])[] = [
    ['{"a":1}', '{"a":1.5}', true],
    ['{"a":1}', '{"a":0.5}', true],
    ['{"a":1}', '{"a":1.75}', false],
    ['{"a":1}', '{"a":"1"}', false],
    ['{"b":1}', '{"b":1.001}', false],
    ['{"b":[100,-100]}', '{"b":[101,-99]}', true],
    ['{"b":[100]}', '{"b":[101.5]}', false],
    ['{"b":[0]}', '{"b":[0.001]}', false],
    ['{"b":[12345678901234567890]}', '{"b":[12345678901234567000]}', true],
    ['{"b":[1e400]}', '{"b":[1e401]}', false],
    ['{"b":[1e400]}', '{"b":[1]}', false],
    ['{"c":1}', '{"c":1.0001}', false],
  ];
  for (const [primary, shadow, isSame] of table)
    assert.equal(find(primary, shadow, rules).length === 0, isSame, `${primary} ${shadow}`);
  // Found again in any order, although their texts are all different.
  const set = { tolerances: [{ path: 'a[]', largest: 0.1, isRelative: false }], unordered: ['a'] };
  assert.deepEqual(find('{"a":[1,2,3]}', '{"a":[3.05,1.05,2.05]}', set), []);
});

test('long values are cut, around the first difference where that is far in', () => {
  const long = 'x'.repeat(5_000);
  const [same] = diffJsonTexts(`{"a":"${long}"}`, `{"a":"y${long}"}`).diffs;
  assert.equal(same!.primary!.length, VALUE_LENGTH_MAX);
  assert.ok(same!.primary!.startsWith('"xxx') && same!.shadow!.startsWith('"yxx'));
  const [late] = diffJsonTexts(`{"a":"${long}1${long}"}`, `{"a":"${long}2"}`).diffs;
  assert.ok(late!.primary!.includes('x1x') && late!.shadow!.includes('x2'));
  assert.ok(late!.primary!.length <= VALUE_LENGTH_MAX && late!.primary!.startsWith('"…x'));
  const [whole] = diffJsonTexts(`{"a":${JSON.stringify(Array(1_000).fill(long))}}`, '{"a":1}').diffs;
  assert.equal(whole!.primary!.length, VALUE_LENGTH_MAX);
  // Not within a pair of surrogates.
  for (const lead of ['', 'x']) {
    const [pair] = diffJsonTexts(`["${lead}${'😀'.repeat(300)}"]`, '[1]').diffs;
    assert.ok(pair!.primary!.isWellFormed());
  }
});

test('of one field a few differences are kept, so that the other fields have room', () => {
  const items = (at: number, last: number) =>
    JSON.stringify(
      Array.from({ length: 500 }, (_, id) => ({ id, at: at + id, name: id === 499 ? last : 0 })),
    );
  const { diffs, isCut } = diffJsonTexts(items(0, 1), items(1_000, 2));
  assert.equal(isCut, false);
  assert.equal(diffs.filter(({ field }) => field === 'body:[].at').length, FIELD_DIFFS_MAX);
  assert.deepEqual(toLines(diffs.filter(({ field }) => field === 'body:[].name')), [
    'value body:[499].name (body:[].name): 1 → 2',
  ]);
});

test('a full list is cut only when a field is not in it', () => {
  const rows = (value: number, count: number) => {
    const names = Array.from({ length: DIFFS_MAX / FIELD_DIFFS_MAX }, (_, at) => [`k${at}`, value]);
    return JSON.stringify({ rows: Array(count).fill(Object.fromEntries(names)), z: value });
  };
  const ignoreJsonFields = ['z'];
  for (const count of [FIELD_DIFFS_MAX, FIELD_DIFFS_MAX + 1]) {
    const full = diffJsonTexts(rows(1, count), rows(2, count), { ignoreJsonFields });
    assert.deepEqual([full.diffs.length, full.isCut], [DIFFS_MAX, false]);
    const over = diffJsonTexts(rows(1, count), rows(2, count));
    assert.deepEqual([over.diffs.length, over.isCut], [DIFFS_MAX, true]);
  }
});

test('more fields than there is room for are cut, and said to be', () => {
  const object = (count: number, value: number) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, value])));
  for (const [count, isCut] of [
    [DIFFS_MAX - 1, false],
    [DIFFS_MAX, false],
    [DIFFS_MAX + 1, true],
    [5_000, true],
  ] as const) {
    const diff = diffJsonTexts(object(count, 1), object(count, 2));
    assert.equal(diff.diffs.length, Math.min(count, DIFFS_MAX));
    assert.equal(diff.isCut, isCut);
  }
});

test('an array that was only reordered is one difference, however many elements moved', () => {
  const rows = Array.from({ length: 400 }, (_, id) => ({ id, [`key${id}`]: id }));
  const diff = diffJsonTexts(
    JSON.stringify({ rows, a: 1 }),
    JSON.stringify({ rows: rows.toReversed(), a: 2 }),
  );
  assert.deepEqual(
    diff.diffs.map(({ kind, at }) => `${kind} ${at}`),
    ['order body:rows', 'value body:a'],
  );
  assert.equal(diff.isCut, false);
});

test('keys of any length make fields of bounded length, by which their ancestor is named', () => {
  const long = 'k'.repeat(100_000);
  const diff = diffJsonTexts(`{"a":{"${long}":1}}`, `{"a":{"${long}":2}}`);
  assert.deepEqual(toLines(diff.diffs), ['value body:a: 1 → 2']);
  assert.deepEqual(
    diffJsonTexts(`{"a":{"${long}":1}}`, `{"a":{"${long}":2}}`, { ignoreJsonFields: ['a'] }).diffs,
    [],
  );
});

test('more levels than can be compared are compared by digest', () => {
  const nested = (levels: number, value: number) => '['.repeat(levels) + value + ']'.repeat(levels);
  const fits = diffJsonTexts(nested(LEVELS_MAX, 1), nested(LEVELS_MAX, 2));
  assert.deepEqual([fits.bodyMethod, fits.diffs[0]!.kind], ['json', 'value']);
  for (const unordered of [[], ['$']]) {
    const over = diffJsonTexts(nested(LEVELS_MAX + 1, 1), nested(LEVELS_MAX + 1, 2), { unordered });
    assert.deepEqual(
      [over.bodyMethod, over.note, over.diffs.length],
      ['digest', 'the JSON has more than 100 levels', 1],
    );
  }
  // Nor are the digits of numbers looked at there.
  const digits = (last: string) => nested(LEVELS_MAX + 1, 1).replace('1', `1234567890123456789${last}`);
  const exact = diffJsonTexts(digits('1'), digits('2'));
  assert.equal(exact.bodyMethod, 'digest');
});

/** What a comparison costs, in visits. */
function measure(primary: JsonValue, shadow: JsonValue, edits: RuleEdits = {}): number {
  const work = new Work(VISITS_MAX);
  diffJson(primary, shadow, toRules(edits), new DiffList(), work);
  return VISITS_MAX - work.left;
}

test('work grows with the bodies, not with their square, and ends at its bound', () => {
  const shuffled = (count: number): [JsonValue, JsonValue] => {
    const rows = Array.from({ length: count }, (_, id) => ({ id, group: id % 7, name: `row ${id}` }));
    const others = rows.toReversed().map((row) => ({ ...row, name: `${row.name}!` }));
    return [{ rows }, { rows: others }];
  };
  for (const edits of [{}, { unordered: ['rows'] }]) {
    const small = measure(...shuffled(100), edits);
    const large = measure(...shuffled(1_000), edits);
    assert.ok(large < small * 12, `${small} ${large}`);
    assert.ok(measure(...shuffled(100_000), edits) < VISITS_MAX + 1_000);
  }
  // Each level is sorted once more by the level above it.
  let nested: JsonValue = ['x'.repeat(10_000), 1];
  let other: JsonValue = ['x'.repeat(10_000), 2];
  for (let level = 0; level < LEVELS_MAX - 2; level++) {
    nested = [nested, level];
    other = [level, other];
  }
  const paths = Array.from({ length: LEVELS_MAX - 1 }, (_, level) => `$${'[]'.repeat(level)}`);
  assert.ok(measure(nested, other, { unordered: paths }) < VISITS_MAX + 1_000);
});

test('bodies that take more work than there is are never called equal', () => {
  const many = (last: number) => `[${'1,'.repeat(VISITS_MAX)}${last}]`;
  const late = diffJsonTexts(many(1), many(2));
  assert.deepEqual([late.bodyMethod, late.diffs.length, late.diffs[0]!.kind], ['digest', 1, 'digest']);
  assert.match(late.note!, /too many steps/);
  const list = (text: string) => JSON.stringify(Array.from({ length: 40_000 }, (_, at) => `${text} ${at}`));
  const unordered = { unordered: ['list'] };
  const early = diffJsonTexts(`{"a":1,"list":${list('x')}}`, `{"a":2,"list":${list('y')}}`, unordered);
  assert.deepEqual([early.bodyMethod, early.isCut, early.diffs.length], ['json', true, 1]);
  const none = diffJsonTexts(`{"a":1,"list":${list('x')}}`, `{"a":1,"list":${list('y')}}`, unordered);
  assert.deepEqual([none.bodyMethod, none.isCut, none.diffs[0]!.kind], ['digest', false, 'digest']);
});

const key = fc.oneof(
  fc.constantFrom('a', 'b', 'id', '__proto__', 'x.y', '', '[]'),
  fc.string({ maxLength: 4 }),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.integer(),
      fc.double({ noNaN: true }),
      fc.boolean(),
      fc.constant(null),
    ),
    fc.array(tie('tree'), { maxLength: 5 }),
    fc.dictionary(key, tie('tree'), { maxKeys: 5, noNullPrototype: true }),
  ),
}));

/** The same with keys in another order. */
function turn(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turn);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, child]) => [name, turn(child)]),
  );
}

test('a body is equal to itself, in whatever order its keys are', () => {
  fc.assert(
    fc.property(tree, (value) => {
      const diff = diffJsonTexts(JSON.stringify(value), JSON.stringify(turn(value), null, 1));
      assert.deepEqual(diff.diffs, []);
    }),
    { seed, numRuns: 1_000 },
  );
});

test('exchanging the sides exchanges missing and extra, and the values', () => {
  const opposite: Record<string, string> = { missing: 'extra', extra: 'missing' };
  fc.assert(
    fc.property(tree, tree, (first, second) => {
      const [one, two] = [JSON.stringify(first), JSON.stringify(second)];
      const forth = diffJsonTexts(one, two)
        .diffs.map((diff) => JSON.stringify(diff))
        .sort();
      const back = diffJsonTexts(two, one).diffs.map(({ field, at, kind, primary, shadow }) =>
        JSON.stringify({ field, at, kind: opposite[kind] ?? kind, primary: shadow, shadow: primary }),
      );
      // Which of many are kept depends on the order of keys.
      fc.pre(forth.length < FIELD_DIFFS_MAX);
      assert.deepEqual(forth, back.sort());
    }),
    { seed, numRuns: 1_000 },
  );
});

test('parsed values with a difference have one in the list, and equal ones have none', () => {
  fc.assert(
    fc.property(tree, tree, (first, second) => {
      const [one, two] = [JSON.stringify(first), JSON.stringify(second)];
      const isEqual = canonical(JSON.parse(one)) === canonical(JSON.parse(two));
      assert.equal(diffJsonTexts(one, two).diffs.length === 0, isEqual);
    }),
    { seed, numRuns: 1_000 },
  );
});

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical)}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value === 0 ? 0 : value);
  const members = Object.entries(value).map(([name, child]) => `${JSON.stringify(name)}:${canonical(child)}`);
  return `{${members.sort()}}`;
}

/** Leaves by their place, as many as there are. */
function findLeaves(
  value: unknown,
  place: readonly (string | number)[] = [],
): (readonly (string | number)[])[] {
  if (value === null || typeof value !== 'object') return [place];
  return Object.entries(value).flatMap(([name, child]) =>
    findLeaves(child, [...place, Array.isArray(value) ? Number(name) : name]),
  );
}

function editLeaf(value: unknown, [step, ...rest]: readonly (string | number)[], mark: string): unknown {
  if (step === undefined) return mark;
  if (Array.isArray(value))
    return value.map((child, at) => (at === step ? editLeaf(child, rest, mark) : child));
  return Object.fromEntries(
    Object.entries(value as object).map(([name, child]) => [
      name,
      name === step ? editLeaf(child, rest, mark) : child,
    ]),
  );
}

test('edits are found at exactly their fields, and nothing is left when those are ignored', () => {
  fc.assert(
    fc.property(tree, fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), (value, picks) => {
      const plain: unknown = JSON.parse(JSON.stringify(value));
      const leaves = findLeaves(plain);
      fc.pre(leaves.length > 0);
      const places = new Map(picks.map((pick) => [pick % leaves.length, leaves[pick % leaves.length]!]));
      let edited = plain;
      for (const [index, place] of places) edited = editLeaf(edited, place, `edited ${index} ${picks}`);
      const [one, two] = [JSON.stringify(plain), JSON.stringify(turn(edited))];
      const paths = [...new Set([...places.values()].map((place) => formatField(place)))].sort();
      const fields = new Set(diffJsonTexts(one, two).diffs.map(({ field }) => field));
      const expected = paths.map((path) => (path === '$' ? 'body' : `body:${path}`));
      assert.deepEqual([...fields].sort(), expected.sort());
      assert.deepEqual(diffJsonTexts(one, two, { ignoreJsonFields: paths }).diffs, []);
    }),
    { seed, numRuns: 1_000 },
  );
});

test('an unordered array is equal to every order of it', () => {
  const list = fc.array(tree, { maxLength: 8 });
  const pair = list.chain((items) =>
    fc.tuple(
      fc.constant(items),
      fc.shuffledSubarray(items, { minLength: items.length, maxLength: items.length }),
    ),
  );
  fc.assert(
    fc.property(pair, ([items, others]) => {
      const texts = [JSON.stringify({ items }), JSON.stringify({ items: others.map(turn) })] as const;
      assert.deepEqual(diffJsonTexts(...texts, { unordered: ['items'] }).diffs, []);
      const ordered = diffJsonTexts(...texts).diffs;
      assert.ok(
        ordered.every(({ kind, at }) => kind === 'order' && at === 'body:items'),
        JSON.stringify(ordered),
      );
    }),
    { seed, numRuns: 1_000 },
  );
});

test('text that is no JSON has no value, however deep it is', () => {
  for (const text of [
    '',
    '[',
    '['.repeat(1 << 17),
    `${'['.repeat(1 << 17)}1e999`,
    // Not valid once their long numbers are in quotes either.
    '{12345678901234567890:1}',
    '{12345678901234567890 :1}',
    '[012345678901234567890]',
    '[12345678901234567890.]',
    '[-]',
    '[1-12345678901234567890]',
    '["a"12345678901234567890]',
    '{"a":}',
    '01',
    '1e',
    'NaN',
  ])
    assert.deepEqual(parseJson(text), { problem: 'syntax' });
  const deep = '['.repeat(1 << 17) + ']'.repeat(1 << 17);
  assert.ok('value' in parseJson(deep));
  assert.equal(diffJsonTexts(deep, `${deep} `).bodyMethod, 'digest');
});
