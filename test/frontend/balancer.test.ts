// Weighted round robin: exact shares over a cycle, spread smoothly, and never a backend of weight 0.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CLIENT_AUTO, type WeightedBackend } from '../../src/core/model.ts';
import { Balancer, layCycle } from '../../src/frontend/balancer.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

function createBalancer(
  weights: readonly number[],
  cursor = new SharedArrayBuffer(4),
  priorities: readonly number[] = [],
): Balancer {
  const backends = weights.map(
    (weight, index): WeightedBackend => ({
      origin: `http://b${index}:80`,
      authority: `b${index}`,
      tls: null,
      client: CLIENT_AUTO,
      priority: priorities[index] ?? 0,
      weight,
    }),
  );
  return new Balancer(backends, cursor);
}

test('3, 2, 1 and 0 get 6, 4, 2 and none of 12', () => {
  const balancer = createBalancer([3, 2, 1, 0]);
  const counts = [0, 0, 0, 0];
  for (let index = 0; index < 12; index++) counts[balancer.next(0)]!++;
  assert.deepEqual(counts, [6, 4, 2, 0]);
});

test('every cycle has exactly the weights’ shares, wherever it begins', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 8 }), (weights) => {
      const cycle = layCycle(weights);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [index, weight] of weights.entries()) {
        const share = cycle.filter((backend) => backend === index).length;
        assert.equal(share * total, weight * cycle.length);
      }
    }),
    { seed, numRuns: 1_000 },
  );
});

test('a heavy backend is not chosen in one block', () => {
  assert.deepEqual([...layCycle([5, 1, 1])], [0, 0, 1, 0, 2, 0, 0]);
});

test('two balancers that share a cursor make one cycle together', () => {
  const cursor = new SharedArrayBuffer(4);
  const [one, other] = [createBalancer([2, 1], cursor), createBalancer([2, 1], cursor)];
  const chosen = [one.next(0), other.next(0), one.next(0), other.next(0), one.next(0), other.next(0)];
  assert.deepEqual(chosen, [...layCycle([2, 1]), ...layCycle([2, 1])]);
});

test('what was tried is passed over while another is left', () => {
  const balancer = createBalancer([1, 1, 1]);
  for (let round = 0; round < 9; round++) assert.equal(balancer.next(0b101), 1);
  assert.notEqual(balancer.next(0b111), -1);
  assert.equal(createBalancer([1]).next(0b1), 0);
});

test('a lower priority is for exchanges that have tried all of the higher ones', () => {
  const balancer = createBalancer([1, 1, 1, 0, 1], undefined, [0, 5, 5, 9, -1]);
  const [first, second] = [0b00010, 0b00100];
  assert.deepEqual([balancer.next(0), balancer.next(0), balancer.next(0)], [1, 2, 1]);
  for (let round = 0; round < 4; round++) {
    assert.equal(balancer.next(first), 2);
    assert.equal(balancer.next(second), 1);
    assert.equal(balancer.next(first | second), 0);
    assert.equal(balancer.next(first | second | 0b00001), 4);
  }
  const all = [balancer.next(0b10111), balancer.next(0b10111)];
  assert.deepEqual(all.toSorted(), [1, 2], 'when all were tried the highest is tried again');
});

test('retries in a lower tier leave the shares of the highest exact, and have exact ones themselves', () => {
  const balancer = createBalancer([3, 1, 2, 1], undefined, [1, 1, 0, 0]);
  const counts = [0, 0, 0, 0];
  for (let index = 0; index < 24; index++) {
    counts[balancer.next(0)]!++;
    if (index % 2 === 0) counts[balancer.next(0b0011)]!++;
  }
  assert.deepEqual(counts, [18, 6, 8, 4]);
});

test('with 32 backends the last has a bit too', () => {
  const ones = new Array<number>(32).fill(1);
  const balancer = createBalancer([...ones], undefined, [...new Array<number>(31).fill(1), 0]);
  assert.equal(balancer.next(0x7fffffff), 31);
  assert.equal(createBalancer(ones).next(0x7fffffff), 31);
  assert.notEqual(balancer.next(-1), 31);
});

test('without any weight there is no backend', () => {
  assert.equal(createBalancer([0, 0]).next(0), -1);
  assert.equal(createBalancer([]).next(0), -1);
});
