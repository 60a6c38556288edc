// Paths into JSON: what they may be written like, what is wrong with others, and that places are read back as they were.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatField,
  formatJsonPath,
  formatPlace,
  isPathProblem,
  type JsonPath,
  type JsonPlace,
  LEVELS_MAX,
  PATH_LENGTH_MAX,
  parseJsonPath,
  parseJsonPlace,
} from '../../../src/core/diff/json-path.ts';
import { compilePaths, compilePathValues } from '../../../src/core/diff/path-matcher.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

/** Keys as texts, and the other steps by their names. */
function parse(text: string): readonly string[] | string {
  const path = parseJsonPath(text);
  if (isPathProblem(path)) return path.problem;
  return path.map((step) => (step.kind === 'key' ? `=${step.key}` : step.kind));
}

test('paths are keys, any key and any element, from the root', () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ['$', []],
    ['meta', ['=meta']],
    ['$.meta', ['=meta']],
    ['meta.timestamp', ['=meta', '=timestamp']],
    ['items[]', ['=items', 'element']],
    ['items[].id', ['=items', 'element', '=id']],
    ['items[][].id', ['=items', 'element', 'element', '=id']],
    ['[]', ['element']],
    ['$[]', ['element']],
    ['[].id', ['element', '=id']],
    ['$[][].id', ['element', 'element', '=id']],
    ['*', ['any_key']],
    ['*[].*', ['any_key', 'element', 'any_key']],
    ['["a.b"]', ['=a.b']],
    ['$["a.b"]', ['=a.b']],
    ['$.["a.b"]', ['=a.b']],
    ['x.["a.b"][].c', ['=x', '=a.b', 'element', '=c']],
    ['x["a.b"].c', ['=x', '=a.b', '=c']],
    ['["*"]', ['=*']],
    ['["$"]', ['=$']],
    ['x.$', ['=x', '=$']],
    ['$ref.a', ['=$ref', '=a']],
    ['[""]', ['=']],
    ['["]"]["\\""]', ['=]', '="']],
    ['["\\u00e9\\n"]', ['=é\n']],
    ['first name.last-name_2', ['=first name', '=last-name_2']],
    ['__proto__.constructor', ['=__proto__', '=constructor']],
  ];
  for (const [text, steps] of table) assert.deepEqual(parse(text), steps, text);
});

test('what is no path has a problem that says where', () => {
  const table: readonly (readonly [string, RegExp])[] = [
    ['', /is empty/],
    ['.', /a key is missing \(character 1\)/],
    ['a.', /a key is missing at the end \(character 3\)/],
    ['$.', /a key is missing at the end \(character 3\)/],
    ['a..b', /a key is missing \(character 3\)/],
    ['.a', /a key is missing \(character 1\)/],
    ['a.[]', /a key is missing \(character 3\)/],
    ['a[', /`\[` is not closed \(character 2\)/],
    ['a[3]', /an index has no place in a path; `\[\]` is any element \(character 2\)/],
    ['a[x]', /between brackets/],
    ["a['x']", /between brackets/],
    ['a[]b', /a dot is missing \(character 4\)/],
    ['["a"', /not followed by `\]` \(character 1\)/],
    ['["a', /not a JSON string/],
    ['["\\x"]', /not a JSON string/],
    ['a]', /a dot is missing \(character 2\)/],
    ['"a"', /must be written in/],
    ['a*', /stands for a whole key/],
    [' a', /white space at its edge/],
    ['a .b', /white space at its edge/],
    ['a\u2028b', /such characters/],
    ['a'.repeat(PATH_LENGTH_MAX + 1), /longer than 1024 characters/],
    ['[]'.repeat(LEVELS_MAX + 1), /more than 100 levels/],
  ];
  for (const [text, problem] of table) {
    const found = parse(text);
    assert.equal(typeof found, 'string', text);
    assert.match(found as string, problem, text);
  }
  assert.equal(parse('[]'.repeat(LEVELS_MAX)).length, LEVELS_MAX);
  assert.equal(parse('a'.repeat(PATH_LENGTH_MAX)).length, 1);
});

const key = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({
    unit: fc.constantFrom('.', '[', ']', '"', '\\', '*', '$', ' ', 'a', '\ud800', '\n'),
    maxLength: 6,
  }),
  fc.constantFrom('__proto__', 'constructor', '', '*', '$', '[]', '$.a', '0', 'toString'),
);
const place = fc.array(fc.oneof(key, fc.nat({ max: 2 ** 31 })), { maxLength: 8 });

function generalise(steps: JsonPlace): JsonPath {
  return steps.map((step) => (typeof step === 'number' ? { kind: 'element' } : { kind: 'key', key: step }));
}

test('a place and its field are read back as they were, whatever the keys', () => {
  fc.assert(
    fc.property(place, (steps) => {
      const text = formatPlace(steps);
      assert.deepEqual(parseJsonPlace(text), steps, text);
      const field = formatField(steps);
      assert.deepEqual(parseJsonPath(field), generalise(steps), field);
      assert.equal(formatJsonPath(generalise(steps)), field);
      // So that it can stand in one line of a file.
      assert.doesNotMatch(field, /[\x00-\x1f]/);
      assert.ok(field.isWellFormed());
    }),
    { seed, numRuns: 2_000 },
  );
});

test('places with different steps have different texts', () => {
  fc.assert(
    fc.property(place, place, (first, second) => {
      fc.pre(JSON.stringify(first) !== JSON.stringify(second));
      assert.notEqual(formatPlace(first), formatPlace(second));
    }),
    { seed, numRuns: 1_000 },
  );
});

test('any path that is parsed is formatted to one that means the same', () => {
  const text = fc.string({
    unit: fc.constantFrom('.', '[', ']', '"', '*', '$', 'a', ' ', '\\'),
    maxLength: 12,
  });
  fc.assert(
    fc.property(text, (written) => {
      const path = parseJsonPath(written);
      if (!isPathProblem(path)) assert.deepEqual(parseJsonPath(formatJsonPath(path)), path, written);
    }),
    { seed, numRuns: 3_000 },
  );
});

/** Whether the places's steps lead to a covered place, may lead to one, or neither. */
function follow(paths: readonly string[], steps: JsonPlace): 'covered' | 'below' | null {
  let state = compilePaths(paths);
  for (const step of steps) {
    if (state === null || state.value !== null) break;
    state = typeof step === 'number' ? state.stepElement() : state.stepKey(step);
  }
  return state === null ? null : state.value === null ? 'below' : 'covered';
}

test('a set of paths covers the places that one of them leads to, and what lies below', () => {
  const paths = ['meta.time', 'items[].id', '*.secret', 'items[].deep.*.x', '["a.b"]', '[].root'];
  const table: readonly (readonly [JsonPlace, ReturnType<typeof follow>])[] = [
    [[], 'below'],
    [['meta'], 'below'],
    [['meta', 'time'], 'covered'],
    [['meta', 'time', 'zone', 3], 'covered'],
    [['meta', 'secret'], 'covered'],
    [['meta', 'other'], null],
    [['anything', 'secret'], 'covered'],
    [['anything', 'other'], null],
    [['items'], 'below'],
    [['items', 7], 'below'],
    [['items', 7, 'id'], 'covered'],
    [['items', 'id'], null],
    [['items', 'secret'], 'covered'],
    [['items', 0, 'deep', 'any', 'x'], 'covered'],
    [['items', 0, 'deep', 'any', 'y'], null],
    [['a.b'], 'covered'],
    [['a', 'b'], null],
    [[4, 'root'], 'covered'],
    [['__proto__', 'secret'], 'covered'],
    [['constructor'], 'below'],
  ];
  for (const [steps, expected] of table) assert.equal(follow(paths, steps), expected, formatPlace(steps));
  assert.equal(follow(['$'], []), 'covered');
  assert.equal(follow([], ['a']), null);
});

const step = fc.oneof(fc.constantFrom('a', 'b', '__proto__'), fc.constant('*'), fc.constant('[]'));
const steps = fc.array(step, { minLength: 1, maxLength: 5 });

/** As the steps say, without a trie. */
function isAt(path: readonly string[], at: JsonPlace): boolean {
  return (
    path.length === at.length &&
    path.every((part, index) => {
      const found = at[index]!;
      if (typeof found === 'number') return part === '[]';
      return part === '*' || part === found;
    })
  );
}

test('values are those of the paths that end at a place, as when each path is looked at alone', () => {
  const at = fc.array(fc.oneof(fc.constantFrom('a', 'b', 'c', '__proto__'), fc.constant(0)), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 6 }), at, (paths, target) => {
      const entries = paths.map((path, index) => {
        const text = path.reduce((all, part) => all + (part === '[]' || all === '' ? part : `.${part}`), '');
        return [text, [index]] as const;
      });
      let state = compilePathValues<readonly number[]>(entries, (first, second) => [...first, ...second]);
      for (const part of target)
        state = typeof part === 'number' ? (state?.stepElement() ?? null) : (state?.stepKey(part) ?? null);
      const expected = paths.flatMap((path, index) => (isAt(path, target) ? [index] : []));
      assert.deepEqual([...(state?.value ?? [])].sort(), expected);
    }),
    { seed, numRuns: 2_000 },
  );
});

test('a set keeps a bounded number of states, and is right beyond them', () => {
  // Each level of such paths doubles the states that can be reached.
  const paths = Array.from({ length: 14 }, (_, at) =>
    [...Array(at).fill('*'), 'a', ...Array(13 - at).fill('*')].join('.'),
  );
  const root = compilePaths(paths);
  for (let word = 0; word < 1 << 14; word++) {
    let state = root;
    for (let bit = 0; bit < 14; bit++) state = state?.stepKey((word >> bit) & 1 ? 'a' : 'b') ?? null;
    assert.equal(state?.value ?? null, word === 0 ? null : true, String(word));
  }
});
