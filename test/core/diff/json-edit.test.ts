// Redacting and masking JSON text: what is covered is gone, and everything else is as it was, to the character.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EDIT_GROWTH_MAX, EDIT_LEVELS_MAX, EDIT_REPLACEMENTS_MAX } from '../../../src/core/diff/json-edit.ts';
import { maskJsonText } from '../../../src/core/diff/mask-json.ts';
import { compilePaths, type PathMatcher } from '../../../src/core/diff/path-matcher.ts';
import { redactJsonBody } from '../../../src/core/diff/redact-json.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

function redact(text: string, ...paths: readonly string[]): string | null {
  const body = redactJsonBody(Buffer.from(text), compilePaths(paths));
  return body === null ? null : Buffer.from(body).toString();
}

function mask(text: string, ...paths: readonly string[]): string | null {
  return maskJsonText(text, compilePaths(paths));
}

test('redaction keeps types, names, and every character that is not covered', () => {
  const table: readonly (readonly [string, readonly string[], string])[] = [
    ['{"a":"x","b":"y"}', ['a'], '{"a":"redacted","b":"y"}'],
    [' { "a" : "x" , "n":-1.5e3 } ', ['*'], ' { "a" : "redacted" , "n":0 } '],
    [
      '{"a":[1,"x",true,false,null,{"k":"v"},[]]}',
      ['a'],
      '{"a":[0,"redacted",false,false,null,{"k":"redacted"},[]]}',
    ],
    ['{"a":{"b":{"c":1}},"c":1}', ['a.b'], '{"a":{"b":{"c":0}},"c":1}'],
    ['[{"id":1,"n":2},{"id":3}]', ['[].id'], '[{"id":0,"n":2},{"id":0}]'],
    ['[[1,2],[3]]', ['[][]'], '[[0,0],[0]]'],
    ['"x"', ['$'], '"redacted"'],
    ['12', ['$'], '0'],
    ['12', ['a'], '12'],
    // Two keys of one name, and digits that no double has.
    [
      '{"a":"1","b":12345678901234567890,"a":"2"}',
      ['a'],
      '{"a":"redacted","b":12345678901234567890,"a":"redacted"}',
    ],
    // The same key, written otherwise.
    ['{"p\\u0061ss":"x","pass":"y"}', ['pass'], '{"p\\u0061ss":"redacted","pass":"redacted"}'],
    ['{"a":"\\"\\\\","b":"\\\\\\\\\\"}]"}', ['a'], '{"a":"redacted","b":"\\\\\\\\\\"}]"}'],
    ['{"a":"x","b":"a\\":\\"x"}', ['a'], '{"a":"redacted","b":"a\\":\\"x"}'],
    ['{"__proto__":{"a":1},"a":1}', ['__proto__.a'], '{"__proto__":{"a":0},"a":1}'],
    ['{"a" \n:\t"x"}', ['a'], '{"a" \n:\t"redacted"}'],
    ['{}', ['a'], '{}'],
    ['{"a":1}', [], '{"a":1}'],
  ];
  for (const [text, paths, expected] of table) assert.equal(redact(text, ...paths), expected, text);
});

test('a masked value is replaced as one, with all that it holds', () => {
  assert.equal(mask('{"a":{"b":[1,{"c":"x"}]},"d":1}', 'a'), '{"a":"(masked)","d":1}');
  assert.equal(
    mask('{"a":{"b":[1,{"c":"x"}]},"d":null}', 'a.b[]', 'd'),
    '{"a":{"b":["(masked)","(masked)"]},"d":"(masked)"}',
  );
  assert.equal(mask('{"a":{"b":1}}', 'a', 'a.b'), '{"a":"(masked)"}');
  assert.equal(mask('[1,2]', '$'), '"(masked)"');
  assert.equal(mask('[1, 2]', 'a'), '[1, 2]');
});

test('what is not JSON, or not to be looked through, is not returned', () => {
  for (const text of ['', ' ', '{', '{"a":1', '{"a":1}x', "{'a':1}", '[1,]', 'nul', '"a', '\u0000']) {
    assert.equal(redact(text, 'a'), null, text);
    assert.equal(mask(text, 'a'), null, text);
  }
  assert.equal(redactJsonBody(Buffer.from([0x22, 0xff, 0x22]), compilePaths(['a'])), null);
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  assert.equal(redact(nested(EDIT_LEVELS_MAX), 'a'), nested(EDIT_LEVELS_MAX));
  assert.equal(redact(nested(EDIT_LEVELS_MAX + 1), 'a'), null);
  assert.equal(redact(nested(1 << 19), 'a'), null);
  assert.equal(redact('['.repeat(1 << 20), 'a'), null);
});

test('no more values are replaced than the bound, and no text grows by more than its own', () => {
  const many = (count: number): string => `[${Array(count).fill('1').join()}]`;
  assert.equal(redact(many(EDIT_REPLACEMENTS_MAX), '$'), many(EDIT_REPLACEMENTS_MAX).replaceAll('1', '0'));
  assert.equal(redact(many(EDIT_REPLACEMENTS_MAX + 1), '$'), null);
  assert.equal(redact(many(EDIT_REPLACEMENTS_MAX + 1), 'a'), many(EDIT_REPLACEMENTS_MAX + 1));
  assert.equal(mask(many(EDIT_REPLACEMENTS_MAX + 1), '[]'), null);
  const grownBy8 = (count: number, more = ''): string => `["${'x'.repeat(8)}"${',""'.repeat(count)}${more}]`;
  const grown = redact(grownBy8(EDIT_GROWTH_MAX / 8), '$')!;
  assert.equal(grown.length, grownBy8(EDIT_GROWTH_MAX / 8).length + EDIT_GROWTH_MAX);
  assert.equal(redact(grownBy8(EDIT_GROWTH_MAX / 8, ',"1234567"'), '$'), null);
  assert.equal(redact(grownBy8(300_000), '$'), null);
});

test('exactly what the platform takes for JSON is edited', () => {
  const piece = fc.constantFrom(
    ...'{}[]:,"\\/ \t\n\f\u00a0-+.0123e5Etrufalsnxb',
    ...[
      'true',
      'null',
      '"a"',
      '"a":',
      '\\u00e9',
      '\\u12',
      '\\"',
      '1.5e-3',
      '{"a":[',
      ']}',
      '0',
      '\x1f',
      '\ud800',
    ],
  );
  const edited = fc
    .tuple(tree, fc.nat(), fc.nat(3), fc.array(piece, { maxLength: 2 }))
    .map(([value, at, cut, pieces]) => {
      const text = JSON.stringify(value);
      const from = at % (text.length + 1);
      return text.slice(0, from) + pieces.join('') + text.slice(from + cut);
    });
  const text = fc.oneof(
    edited,
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
  );
  let sound = 0;
  fc.assert(
    fc.property(text, (one) => {
      const result = mask(one, 'no such key');
      if (isJson(one)) sound++;
      assert.equal(result, isJson(one) ? one : null);
    }),
    { seed, numRuns: 20_000 },
  );
  assert.ok(sound > 1_000, `${sound} were JSON`);
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('a byte order mark does not hide what is covered', () => {
  const body = redactJsonBody(Buffer.from('\ufeff{"a":"x"}'), compilePaths(['a']));
  assert.equal(Buffer.from(body!).toString(), '{"a":"redacted"}');
});

/** The same by a value that is parsed. */
function replaceLeaves(value: unknown, paths: PathMatcher, isCovered: boolean, isWhole: boolean): unknown {
  const covered = isCovered || (paths !== null && paths.value !== null);
  if (covered && isWhole) return '(masked)';
  if (Array.isArray(value))
    return value.map((child) => replaceLeaves(child, paths?.stepElement() ?? null, covered, isWhole));
  if (value !== null && typeof value === 'object') {
    const pairs = Object.entries(value).map(
      ([key, child]) => [key, replaceLeaves(child, paths?.stepKey(key) ?? null, covered, isWhole)] as const,
    );
    return Object.fromEntries(pairs);
  }
  if (!covered || value === null) return value;
  return { string: 'redacted', number: 0, boolean: false }[typeof value as string];
}

const paths = fc.array(
  fc.constantFrom(
    '$',
    'a',
    'b',
    'a.b',
    'a[]',
    '*',
    '*.a',
    '[]',
    '[].a',
    'a[].b',
    '[""]',
    '*[]',
    '["\\""]',
    '__proto__',
  ),
  { maxLength: 3 },
);
const key = fc.constantFrom('a', 'b', '', '"', '\\', 'é', '__proto__', 'c:');
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.string({
      unit: fc.constantFrom('"', '\\', '{', ']', ':', ',', 'x', '\n', '\ud83d\ude00', '\ud800'),
      maxLength: 6,
    }),
    fc.oneof(
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    ),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(key, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

test('the result parses to what replacing the parsed values gives', () => {
  fc.assert(
    fc.property(tree, paths, fc.constantFrom('', ' ', '\n\t'), (value, list, space) => {
      const text = JSON.stringify(value, null, space);
      const plain: unknown = JSON.parse(text);
      const matcher = compilePaths(list);
      assert.deepEqual(JSON.parse(redact(text, ...list)!), replaceLeaves(plain, matcher, false, false));
      assert.deepEqual(JSON.parse(mask(text, ...list)!), replaceLeaves(plain, matcher, false, true));
    }),
    { seed, numRuns: 1_500 },
  );
});

test('no text that is covered survives, and all of the others do', () => {
  let count = 0;
  const secret = fc.constant(null).map(() => `secret-${++count}-`);
  const { document } = fc.letrec((tie) => ({
    document: fc.oneof(
      { maxDepth: 5 },
      secret,
      fc.array(tie('document'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('document'), { maxKeys: 3, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(document, paths, (value, list) => {
      const text = JSON.stringify(value);
      const kept = JSON.stringify(replaceLeaves(value, compilePaths(list), false, false));
      for (const result of [redact(text, ...list)!, mask(text, ...list)!]) {
        for (const word of text.match(/secret-\d+-/g) ?? [])
          assert.equal(result.includes(word), kept.includes(word), `${list} ${text}`);
      }
    }),
    { seed, numRuns: 1_000 },
  );
});
