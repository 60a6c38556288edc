// Parameters whose values a shadow must not see: by which spellings of their names they are found, and that nothing else changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { redactTarget } from '../../src/mirror/redaction.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

const NAMES = ['token', 'Api Key', 'ü[]'];

const TARGETS: readonly (readonly [raw: string, redacted: string])[] = [
  ['/a', '/a'],
  ['/a?', '/a?'],
  ['/token=1', '/token=1'],
  ['/a;token=1?b=2', '/a;token=1?b=2'],
  ['/a?token=1', '/a?token=redacted'],
  ['/a?token=', '/a?token=redacted'],
  ['/a?token', '/a?token'],
  ['/a?token&token=1&token', '/a?token&token=redacted&token'],
  ['/a?b=%2f&token=1&token=%20x+y&&=&c', '/a?b=%2f&token=redacted&token=redacted&&=&c'],
  ['/a?%74oken=1&t%6Fken=2&%54oken=3', '/a?%74oken=redacted&t%6Fken=redacted&%54oken=redacted'],
  ['/a?%2574oken=1', '/a?%2574oken=1'],
  [
    '/a?api+key=1&api%20key=2&api%2bkey=3&apikey=4',
    '/a?api+key=redacted&api%20key=redacted&api%2bkey=3&apikey=4',
  ],
  ['/a?%C3%BC[]=1&%c3%bc%5B%5d=2&%FC[]=3', '/a?%C3%BC[]=redacted&%c3%bc%5B%5d=redacted&%FC[]=3'],
  ['/a?%zz=1&%=2&token%=3&%7=4', '/a?%zz=1&%=2&token%=3&%7=4'],
  ['/a?token=a=b=c&mytoken=1&tokens=2&Token=3', '/a?token=redacted&mytoken=1&tokens=2&Token=redacted'],
  ['/a?TOKEN=1&API%20key=2&%C3%9C[]=3', '/a?TOKEN=redacted&API%20key=redacted&%C3%9C[]=redacted'],
  // As servers read lists and nested values, and what some of them trim.
  [
    '/a?token[]=1&token[0]=2&token%5Ba%5D[b]=3&token[=4&token+[]=5',
    '/a?token[]=redacted&token[0]=redacted&token%5Ba%5D[b]=redacted&token[=redacted&token+[]=redacted',
  ],
  [
    '/a?token%20=1&+token=2&%09token%0a=3&to+ken=4',
    '/a?token%20=redacted&+token=redacted&%09token%0a=redacted&to+ken=4',
  ],
  [
    '/a?%C3%BC[][0]=1&%C3%BC=2&%C3%BC[1]=3&[token]=4&[]=5',
    '/a?%C3%BC[][0]=redacted&%C3%BC=2&%C3%BC[1]=3&[token]=4&[]=5',
  ],
  ['/a?b?token=1', '/a?b?token=1'],
  ['/a?token=?token=1', '/a?token=redacted'],
  // A server that separates by semicolons finds the name; a secret that has one is gone whole.
  ['/a?b=1;token=2&c=3', '/a?b=1;token=redacted&c=3'],
  ['/a?b;token=2;c=3&d', '/a?b;token=redacted&d'],
  ['/a?token=s;ecret&c=3;;d=4;', '/a?token=redacted&c=3;;d=4;'],
];

for (const [raw, redacted] of TARGETS) {
  test(`target ${raw} becomes ${redacted}`, () => {
    assert.equal(redactTarget(raw, NAMES), redacted);
    assert.equal(redactTarget(raw, []), raw);
    // What is redacted stays so.
    assert.equal(redactTarget(redacted, NAMES), redacted);
  });
}

test('names are compared as PHP reads them', () => {
  const raws = [
    'access.token',
    'access%20token',
    'access+token',
    'access[token',
    'access%5Btoken',
    'access_token%00x',
  ];
  const others = [
    'accesstoken',
    'access-token',
    'access[token]',
    'access_token_x',
    '%00access_token',
    'access',
  ];
  for (const name of ['access_token', 'access.token', 'Access token', 'access[token']) {
    for (const raw of [...raws, 'access_token', 'ACCESS.token[0]', 'access_token [a]']) {
      assert.equal(redactTarget(`/a?${raw}=1&b=2`, [name]), `/a?${raw}=redacted&b=2`, name);
    }
    for (const raw of others) assert.equal(redactTarget(`/a?${raw}=1`, [name]), `/a?${raw}=1`, name);
  }
  assert.equal(
    redactTarget('/a?user[pass.word]=1&user.pass=2', ['user[pass_word]']),
    '/a?user[pass.word]=redacted&user.pass=2',
  );
});

/** Some way to write a name in a query. */
const spelling = (name: string): fc.Arbitrary<string> =>
  fc
    .tuple(
      ...[...Buffer.from(name)].map((byte) => fc.tuple(fc.constant(byte), fc.integer({ min: 0, max: 2 }))),
    )
    .map((bytes) =>
      bytes
        .map(([byte, way]) => {
          const hex = byte.toString(16).padStart(2, '0');
          if (way === 0 && /[a-z[\]]/.test(String.fromCharCode(byte))) return String.fromCharCode(byte);
          if (way === 0 && byte === 0x20) return '+';
          return `%${way === 1 ? hex : hex.toUpperCase()}`;
        })
        .join(''),
    );
const raw = fc.string({ unit: fc.constantFrom(...'abkot/?%+=2F_'), maxLength: 12 });
const spelledName = fc.constantFrom(...NAMES).chain(spelling);

test('nothing but the values of named parameters changes, however the names are written', () => {
  const parameter = fc.oneof(
    raw.map((text) => [text, text] as const).filter(([text]) => redactsNothing(text)),
    fc.tuple(spelledName, raw).map(([name, value]) => [`${name}=${value}`, `${name}=redacted`] as const),
    spelledName.map((name) => [name, name] as const),
  );
  const path = raw.map((text) => `/${text.replaceAll('?', '')}`);
  fc.assert(
    fc.property(path, fc.array(parameter, { maxLength: 12 }), (at, parameters) => {
      const join = (which: 0 | 1): string => `${at}?${parameters.map((pair) => pair[which]).join('&')}`;
      assert.equal(redactTarget(join(0), NAMES), join(1));
    }),
    { seed },
  );
});

/** By the platform's own reading of queries. */
function redactsNothing(parameter: string): boolean {
  return [...new URLSearchParams(`_&${parameter}`).keys()].every((name) => !isNamed(name));
}

/** None of the names made here has brackets that are not its own. */
function isNamed(name: string): boolean {
  return NAMES.some((named) => named.toLowerCase() === name.trim().toLowerCase());
}

test('a query is read as the platform reads it: other parameters have their names and values, named ones have neither value nor gain one', () => {
  const part = fc.oneof(raw, spelledName, fc.constantFrom('&', '&', '='), spelledName);
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
      const query = parts.join('');
      // Behind an empty parameter, because the platform takes a question mark off the front.
      const before = [...new URLSearchParams(`&${query}`)];
      const after = [...new URLSearchParams(`&${redactTarget(`/?${query}`, NAMES).slice(2)}`)];
      assert.equal(after.length, before.length);
      after.forEach(([name, value], at) => {
        assert.equal(name, before[at]![0]);
        if (!isNamed(name)) assert.equal(value, before[at]![1]);
        else assert.ok(value === 'redacted' || (value === '' && before[at]![1] === ''), value);
      });
    }),
    { seed },
  );
});
