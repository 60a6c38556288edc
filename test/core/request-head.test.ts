// The head of a request as text: what goes in comes out again, and edits change their own lines alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addHeadLine,
  findHeadLine,
  findHeadLines,
  HeadWriter,
  parseHeadText,
  readMethod,
  readTarget,
  removeHeadLines,
  setEachHeadLine,
  setHeadLine,
  setTarget,
} from '../../src/core/request-head.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

const token = fc.string({ unit: fc.constantFrom(...'abcxyz-09'), minLength: 1, maxLength: 12 });
const value = fc.string({ unit: fc.constantFrom(...' :,/aZ9\t"é\xff'), maxLength: 60 });
const target = fc.string({ unit: fc.constantFrom(...'/a%?&=.~'), maxLength: 40 }).map((rest) => `/${rest}`);
const headers = fc.array(fc.tuple(token, value), { maxLength: 30 }).map((pairs) => pairs.flat());

test('what is written is read again, whatever its size', () => {
  const writer = new HeadWriter();
  fc.assert(
    fc.property(token, target, headers, fc.boolean(), (method, at, list, isLong) => {
      const lines = isLong ? [...list, 'x-long', 'a'.repeat(40_000)] : list;
      const text = writer.write(method, at, lines);
      assert.ok(text.startsWith(`${method} ${at} HTTP/1.1\r\n`) && text.endsWith('\r\n\r\n'));
      assert.deepEqual(parseHeadText(text), { method, target: at, headers: lines });
      assert.deepEqual([readMethod(text), readTarget(text)], [method, at]);
    }),
    { seed, numRuns: 300 },
  );
});

test('one byte per character, and no line more than was given', () => {
  const text = new HeadWriter().write('GET', '/', ['host', 'h', 'x-a', '\xe9\xff']);
  assert.equal(text, 'GET / HTTP/1.1\r\nhost: h\r\nx-a: \xe9\xff\r\n\r\n');
  assert.equal(new HeadWriter().write('GET', '/', []), 'GET / HTTP/1.1\r\n\r\n');
});

const HEAD = 'GET /a?b HTTP/1.1\r\nhost: h\r\na: 1\r\nab: 2\r\na: 3\r\n\r\n';

test('lines are found, added, set and removed by their whole name', () => {
  assert.deepEqual(
    ['a', 'ab', 'b', 'host', 'get'].map((name) => findHeadLine(HEAD, name)),
    ['1', '2', null, 'h', null],
  );
  assert.equal(addHeadLine(HEAD, 'z', ''), `${HEAD.slice(0, -2)}z: \r\n\r\n`);
  assert.equal(setHeadLine(HEAD, 'a', 'x'), 'GET /a?b HTTP/1.1\r\nhost: h\r\na: x\r\nab: 2\r\n\r\n');
  assert.equal(removeHeadLines(HEAD, 'a'), 'GET /a?b HTTP/1.1\r\nhost: h\r\nab: 2\r\n\r\n');
  assert.equal(removeHeadLines(HEAD, 'b'), HEAD);
  assert.equal(setTarget(HEAD, '/z'), HEAD.replace('/a?b', '/z'));
});

test('all lines of a name are found and set in their places, whatever their values look like', () => {
  assert.deepEqual(findHeadLines(HEAD, 'a'), ['1', '3']);
  assert.deepEqual(findHeadLines(HEAD, 'b'), []);
  assert.equal(
    setEachHeadLine(HEAD, 'a', 'a: 7'),
    HEAD.replace('a: 1', 'a: a: 7').replace('a: 3', 'a: a: 7'),
  );
  assert.equal(setEachHeadLine(HEAD, 'a', ''), HEAD.replace('a: 1', 'a: ').replace('a: 3', 'a: '));
  assert.equal(setEachHeadLine(HEAD, 'b', 'x'), HEAD);
});
