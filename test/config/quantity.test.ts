// Durations and sizes: their syntax, their bounds, and that text and amount are two forms of one thing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  GIB,
  PERCENT_PATTERN,
  toDurationMs,
  toDurationText,
  toPercentText,
  toShare,
  toSizeBytes,
  toSizeText,
} from '../../src/config/quantity.ts';

const seed = Date.now() | 0;

test('a duration is a whole number and one of ms, s, m and h', () => {
  const known = { '500ms': 500, '2s': 2000, '1m': 60_000, '24h': 86_400_000, '0s': 0, '999ms': 999 };
  for (const [text, ms] of Object.entries(known)) assert.equal(toDurationMs(text), ms, text);
});

test('what is not a duration has no milliseconds', () => {
  const wrong = [
    '',
    '5',
    's',
    '1.5s',
    '-1s',
    '+1s',
    '01s',
    '1 s',
    '1S',
    '1d',
    '1s ',
    '1m30s',
    '1us',
    '9'.repeat(13),
  ];
  for (const text of wrong) assert.equal(toDurationMs(text), null, text);
});

test('a size is a whole number of B, KiB, MiB or GiB, or of bytes', () => {
  const known = { '512B': 512, '64KiB': 65_536, '8MiB': 8_388_608, '1GiB': GIB, '0B': 0 };
  for (const [text, bytes] of Object.entries(known)) assert.equal(toSizeBytes(text), bytes, text);
  assert.equal(toSizeBytes(0), 0);
  assert.equal(toSizeBytes(1024), 1024);
});

test('what is not a size has no bytes', () => {
  const wrong = [
    '',
    '512',
    'MiB',
    '1.5MiB',
    '-1B',
    '1kib',
    '1KB',
    '1K',
    '1 MiB',
    '01B',
    '1TiB',
    -1,
    1.5,
    Number.NaN,
  ];
  for (const value of wrong) assert.equal(toSizeBytes(value), null, String(value));
});

test(`every duration comes back from its text (seed ${seed})`, () => {
  const property = fc.property(fc.nat({ max: 10 ** 11 }), (ms) => {
    assert.equal(toDurationMs(toDurationText(ms)), ms);
  });
  fc.assert(property, { seed });
});

test(`every size comes back from its text (seed ${seed})`, () => {
  const property = fc.property(fc.nat({ max: 10 ** 12 }), (bytes) => {
    assert.equal(toSizeBytes(toSizeText(bytes)), bytes);
  });
  fc.assert(property, { seed });
});

test('a share is a percentage or a number, and is read as the nearest number', () => {
  const shares = ['0%', '0.1%', '0.07%', '33.3%', '100%', '100.000%', 0.001, 1].map(toShare);
  assert.deepEqual(shares, [0, 0.001, 0.0007, 0.333, 1, 1, 0.001, 1]);
  const texts = [0, 0.001, 0.0007, 1e-11, 0.999_999_999_99, 1, 1e-12, 1 / 3, 2].map(toPercentText);
  assert.deepEqual(texts, ['0%', '0.1%', '0.07%', '0.000000001%', '99.999999999%', '100%', null, null, null]);
});

test(`every percentage comes back from its share (seed ${seed})`, () => {
  const property = fc.property(fc.bigInt({ min: 0n, max: 100_000_000_000n }), (units) => {
    const share = Number(`${units}e-11`);
    const text = toPercentText(share);
    assert.ok(text !== null && new RegExp(PERCENT_PATTERN).test(text), String(share));
    assert.equal(toShare(text), share);
  });
  fc.assert(property, { seed, numRuns: 2000 });
});

test('texts use the largest unit that is exact', () => {
  assert.equal(toDurationText(90_000), '90s');
  assert.equal(toDurationText(120_000), '2m');
  assert.equal(toDurationText(0), '0ms');
  assert.equal(toSizeText(1536), '1536B');
  assert.equal(toSizeText(8 * 1024 * 1024), '8MiB');
  assert.equal(toSizeText(0), '0B');
});
