// Bounds of shares and of quantiles: against published values, against sums that are written out, and against resampling.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  COUNT_MAX,
  toAtLeast,
  toQuantile,
  toQuantileInterval,
  toShareLower,
  toShareUpper,
} from '../../src/core/statistics.ts';

function assertNear(found: number, expected: number, relative: number, what: string): void {
  const error = Math.abs(found - expected) / Math.abs(expected);
  assert.ok(error <= relative, `${what}: ${found} is not ${expected}, off by ${error}`);
}

/** The probability of `count` or fewer, term by term. */
function sumUpTo(count: number, size: number, share: number): number {
  let ways = 1;
  let sum = 0;
  for (let k = 0; k <= count; k++) {
    sum += ways * share ** k * (1 - share) ** (size - k);
    ways = (ways * (size - k)) / (k + 1);
  }
  return sum;
}

test('zero in 10,000 is at most 0.03 %, and further bounds without a single case are (1 - p)^n = 0.05', () => {
  assertNear(toShareUpper(0, 10_000), 0.00029952836, 1e-8, '0 of 10,000');
  for (const size of [1, 2, 10, 30, 100, 1000, 1e6, COUNT_MAX]) {
    assertNear((-Math.log1p(-toShareUpper(0, size)) * size) / Math.log(20), 1, 1e-12, `0 of ${size}`);
    assertNear((Math.log(toShareLower(size, size)) * size) / Math.log(0.05), 1, 1e-3, `${size} of ${size}`);
  }
});

test('published exact bounds are met', () => {
  // Two-sided intervals of 95 %: each bound has 97.5 %.
  for (const [count, size, low, high] of [
    [7, 20, 0.1539092, 0.5921885],
    // R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 5.
    [81, 263, 0.2527, 0.3676],
    [15, 148, 0.0578, 0.1617],
    [0, 20, 0, 0.1684],
    [1, 29, 0.0009, 0.1776],
  ] as const) {
    const digits = low === 0.1539092 ? 5e-8 : 5e-5;
    const [lower, upper] = [toShareLower(count, size, 0.975), toShareUpper(count, size, 0.975)];
    assert.ok(Math.abs(lower - low) <= digits, `${count} of ${size}: ${lower}, not ${low}`);
    assert.ok(Math.abs(upper - high) <= digits, `${count} of ${size}: ${upper}, not ${high}`);
  }
});

test('for few samples the bounds are where the sum of the terms has the probability that is asked for', () => {
  for (const size of [1, 2, 3, 5, 8, 13, 21, 34, 55]) {
    for (let count = 0; count <= size; count++) {
      for (const confidence of [0.9, 0.95, 0.975, 0.999]) {
        const alpha = 1 - confidence;
        const what = `${count} of ${size} with ${confidence}`;
        const upper = toShareUpper(count, size, confidence);
        if (count === size) assert.equal(upper, 1);
        else assertNear(sumUpTo(count, size, upper), alpha, 1e-8, `upper, ${what}`);
        const lower = toShareLower(count, size, confidence);
        if (count === 0) assert.equal(lower, 0);
        else assertNear(1 - sumUpTo(count - 1, size, lower), alpha, 1e-8, `lower, ${what}`);
      }
    }
  }
});

test('for few in very many the bounds are those of Poisson', () => {
  // Chi-square quantiles halved; 0.95 and 0.05 with 2 (k + 1) and 2 k degrees of freedom.
  for (const [count, low, high] of [
    [1, 0.05129329, 4.74386452],
    [2, 0.35536151, 6.29579362],
    [5, 1.97014957, 10.51303491],
    [10, 5.4254057, 16.96222],
  ] as const) {
    for (const size of [1e9, COUNT_MAX]) {
      assertNear(toShareUpper(count, size) * size, high, 1e-6, `upper of ${count} in ${size}`);
      assertNear(toShareLower(count, size) * size, low, 1e-6, `lower of ${count} in ${size}`);
    }
  }
});

test('for very many samples the bounds are those of the normal distribution, and are had at once', () => {
  const Z = 1.6448536269514722;
  for (const [count, size] of [
    [5e11, 1e12],
    [1e11, 1e12],
    [3e5, 1e7],
    [1e8, 1e9],
  ] as const) {
    const share = count / size;
    const deviation = Math.sqrt((share * (1 - share)) / size);
    const startedAt = performance.now();
    const [lower, upper] = [toShareLower(count, size), toShareUpper(count, size)];
    assert.ok(performance.now() - startedAt < 1000);
    assertNear((upper - share) / deviation, Z, 5e-3, `upper, ${count} of ${size}`);
    assertNear((share - lower) / deviation, Z, 5e-3, `lower, ${count} of ${size}`);
  }
});

test('no count makes a bound that is no share, or that leaves out what was found', () => {
  const counts = fc
    .tuple(fc.double({ min: 0, max: 12, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([digits, part]) => {
      const size = Math.round(10 ** digits);
      return { size, count: Math.min(size, Math.round(size * part ** 4)) };
    });
  fc.assert(
    fc.property(counts, fc.constantFrom(0.9, 0.95, 0.975, 0.999), ({ count, size }, confidence) => {
      const lower = toShareLower(count, size, confidence);
      const upper = toShareUpper(count, size, confidence);
      assert.ok(lower >= 0 && upper <= 1);
      assert.ok(lower <= count / size && count / size <= upper);
      // More of them: both bounds rise. More samples without one: both fall.
      if (count < size) {
        assert.ok(toShareUpper(count + 1, size, confidence) >= upper * (1 - 1e-9));
        assert.ok(toShareLower(count + 1, size, confidence) >= lower * (1 - 1e-9));
      }
      assert.ok(toShareUpper(count, size + 1, confidence) <= upper * (1 + 1e-9));
      assert.ok(toShareLower(count, size + 1, confidence) <= lower * (1 + 1e-9));
    }),
    { numRuns: 500 },
  );
});

test('nearly all of very many lack what few of them have', () => {
  for (const size of [1e6, 1e9, COUNT_MAX]) {
    for (const missing of [1, 7, 1000]) {
      assert.equal(toShareUpper(size - missing, size), 1 - toShareLower(missing, size));
      assert.equal(toShareLower(size - missing, size), 1 - toShareUpper(missing, size));
    }
  }
});

test('without a sample everything is possible', () => {
  assert.equal(toShareUpper(0, 0), 1);
  assert.equal(toShareLower(0, 0), 0);
});

test('the probability of at least so many is the sum of the terms', () => {
  for (const size of [1, 4, 9, 30]) {
    for (let count = 0; count <= size + 1; count++) {
      for (const share of [0, 0.01, 0.3, 0.5, 0.9, 1]) {
        const expected = count > size ? 0 : 1 - (count === 0 ? 0 : sumUpTo(count - 1, size, share));
        assert.ok(
          Math.abs(toAtLeast(count, size, share) - expected) < 1e-12,
          `${count} of ${size} at ${share}`,
        );
      }
    }
  }
});

test('a quantile is the sample of the nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  assert.equal(toQuantile(hundred, 0.99), 99);
  assert.equal(toQuantile(hundred, 0.95), 95);
  assert.equal(toQuantile(hundred, 0.5), 50);
  assert.equal(toQuantile(hundred, 1), 100);
  assert.equal(toQuantile([7], 0.99), 7);
  assert.equal(toQuantile([1, 2, 3], 0.5), 2);
  assert.equal(toQuantile([1, 2], 0.5), 1);
});

/** mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('the interval of a quantile is the one that resampling comes to', () => {
  const random = createRandom(20_261_121);
  for (const [size, part] of [
    [25, 0.5],
    [40, 0.5],
    [301, 0.5],
    [200, 0.9],
  ] as const) {
    const ranks = Array.from({ length: size }, (_, index) => index + 1);
    const resamples = Array.from({ length: 20_000 }, () => {
      const drawn = new Float64Array(size);
      for (let index = 0; index < size; index++) drawn[index] = 1 + Math.floor(random() * size);
      return toQuantile(drawn.sort(), part);
    }).sort((one, other) => one - other);
    const { low, high } = toQuantileInterval(ranks, part);
    assert.ok(Math.abs(low - toQuantile(resamples, 0.025)) <= 1, `${size} at ${part}: low ${low}`);
    assert.ok(Math.abs(high - toQuantile(resamples, 0.975)) <= 1, `${size} at ${part}: high ${high}`);
  }
});

test('nineteen of twenty intervals hold the true median', () => {
  const random = createRandom(7);
  const rounds = 2000;
  let held = 0;
  for (let round = 0; round < rounds; round++) {
    const samples = Float64Array.from({ length: 101 }, () => -Math.log(1 - random())).sort();
    const { low, high } = toQuantileInterval(samples, 0.5);
    if (low <= Math.LN2 && Math.LN2 <= high) held++;
  }
  // Five standard deviations around 95 %.
  assert.ok(held / rounds > 0.925 && held / rounds < 0.975, `${held} of ${rounds}`);
});

test('the interval is the same for the same data, and a point when all samples are', () => {
  const samples = Float32Array.from({ length: 10_000 }, (_, index) => (index * 7919) % 10_007).sort();
  const startedAt = performance.now();
  const first = toQuantileInterval(samples, 0.5);
  assert.ok(performance.now() - startedAt < 200);
  assert.deepEqual(toQuantileInterval(samples, 0.5), first);
  assert.ok(first.low < toQuantile(samples, 0.5) && toQuantile(samples, 0.5) < first.high);
  assert.deepEqual(toQuantileInterval([3, 3, 3], 0.5), { low: 3, high: 3 });
  assert.deepEqual(toQuantileInterval([3], 0.5), { low: 3, high: 3 });
});
