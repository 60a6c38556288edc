// Shares and nested samples.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSampled, toSamplePlace } from '../../src/core/sampling.ts';

test('a key’s place is the same in every process and release', () => {
  // FNV-1a and MurmurHash3's finalizer, worked out by another implementation.
  const known: Record<string, number> = {
    '': 2_872_998_923,
    a: 444_641_715,
    'user-1': 2_005_895_916,
    '\xc3\xa9': 2_387_039_943,
  };
  for (const [key, hash] of Object.entries(known)) assert.equal(toSamplePlace(key) * 2 ** 32, hash, key);
});

test('a place lies in [0, 1)', () => {
  fc.assert(
    fc.property(fc.string(), (key) => {
      const place = toSamplePlace(key);
      assert.ok(place >= 0 && place < 1);
    }),
  );
});

test('0 % is nobody and 100 % everybody, with a key and without', () => {
  fc.assert(
    fc.property(fc.option(fc.string()), (key) => {
      assert.equal(isSampled(0, key), false);
      assert.equal(isSampled(100, key), true);
    }),
  );
});

test('the same key always falls the same way, and whoever is in a share is in every larger one', () => {
  const percentage = fc.double({ min: 0, max: 100, noNaN: true });
  fc.assert(
    fc.property(fc.string(), percentage, percentage, (key, one, other) => {
      const [small, large] = [Math.min(one, other), Math.max(one, other)];
      assert.equal(isSampled(small, key), isSampled(small, key));
      if (isSampled(small, key)) assert.ok(isSampled(large, key));
    }),
  );
});

/** Three standard deviations of a binomial count. */
function toTolerance(count: number, percentage: number): number {
  return 3 * Math.sqrt((count * percentage * (100 - percentage)) / 10_000);
}

const KEYS: Record<string, (index: number) => string> = {
  'counted users': (index) => `user-${index}`,
  numbers: (index) => String(index),
  'long ids': (index) => `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
  addresses: (index) => `10.${index & 255}.${(index >> 8) & 255}.1`,
};

for (const [what, toKey] of Object.entries(KEYS)) {
  test(`shares of 20,000 keys are within three standard deviations: ${what}`, () => {
    const count = 20_000;
    for (const percentage of [0.5, 5, 10, 33.3, 50, 90]) {
      let chosen = 0;
      for (let index = 0; index < count; index++) if (isSampled(percentage, toKey(index))) chosen++;
      const expected = (count * percentage) / 100;
      const tolerance = toTolerance(count, percentage);
      assert.ok(Math.abs(chosen - expected) <= tolerance, `${chosen} for ${percentage} %, not ${expected}`);
    }
  });
}

test('without a key the share is random, and right on the whole', () => {
  const count = 100_000;
  for (const percentage of [1, 50, 99]) {
    // Once in 370 runs chance alone is outside; twice in a row is a defect.
    const isWithin = (): boolean => {
      let chosen = 0;
      for (let index = 0; index < count; index++) if (isSampled(percentage, null)) chosen++;
      return Math.abs(chosen - (count * percentage) / 100) <= toTolerance(count, percentage);
    };
    assert.ok(isWithin() || isWithin(), `${percentage} %`);
  }
});
