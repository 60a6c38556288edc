// Weighted round robin: exact over a cycle, smooth within it, and one cycle for all that share a cursor.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { WeightedBackend } from '../../src/core/model.ts';
import { Balancer, layCycle } from '../../src/frontend/balancer.ts';

const SEED = Date.now() & 0x7fff_ffff;

function toBackends(weights: readonly number[]): WeightedBackend[] {
  return weights.map((weight, index) => ({
    origin: `http://b${index}:80`,
    authority: `b${index}`,
    tls: null,
    weight,
  }));
}

function count(places: Iterable<number>, backends: number): number[] {
  const counts = new Array<number>(backends).fill(0);
  for (const place of places) counts[place]!++;
  return counts;
}

const weights = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 8 });

describe('balancer', () => {
  it('the cycle is that of nginx', () => {
    assert.deepEqual([...layCycle([5, 1, 1])], [0, 0, 1, 0, 2, 0, 0]);
    assert.deepEqual([...layCycle([3, 2, 1, 0])], [0, 1, 0, 2, 1, 0]);
    assert.deepEqual([...layCycle([1, 1])], [0, 1]);
    assert.deepEqual([...layCycle([7])], [0]);
    assert.deepEqual([...layCycle([0, 0])], []);
    assert.equal(layCycle([65_535, 65_534]).length, 131_069);
  });

  it(`a cycle has exactly the shares, as short as can be (seed ${SEED})`, () => {
    const property = fc.property(weights, (given) => {
      const cycle = layCycle(given);
      const counts = count(cycle, given.length);
      const total = given.reduce((sum, weight) => sum + weight, 0);
      if (total === 0) {
        assert.equal(cycle.length, 0);
        return;
      }
      for (const [index, weight] of given.entries())
        assert.equal(counts[index]! * total, weight * cycle.length);
      const divides = (by: number): boolean => counts.every((each) => each % by === 0);
      for (let by = 2; by <= 30; by++) assert.equal(divides(by), false, `divisible by ${by}`);
    });
    fc.assert(property, { seed: SEED, numRuns: 1_000 });
  });

  it(`no backend runs ahead of its share by more than one request per other backend (seed ${SEED})`, () => {
    const property = fc.property(weights, (given) => {
      const cycle = layCycle(given);
      const total = given.reduce((sum, weight) => sum + weight, 0);
      const counts = new Array<number>(given.length).fill(0);
      for (const [place, index] of cycle.entries()) {
        counts[index]!++;
        for (const [other, weight] of given.entries()) {
          const due = ((place + 1) * weight) / total;
          assert.ok(Math.abs(counts[other]! - due) < given.length, `${given} at ${place}`);
        }
      }
    });
    fc.assert(property, { seed: SEED, numRuns: 500 });
  });

  it(`balancers that share a cursor have exact shares together, whoever asks (seed ${SEED})`, () => {
    const property = fc.property(weights, fc.infiniteStream(fc.nat(2)), (given, turns) => {
      const length = layCycle(given).length;
      if (length === 0) return;
      const cursor = new SharedArrayBuffer(4);
      const balancers = [0, 1, 2].map(() => new Balancer(toBackends(given), cursor));
      const chosen: number[] = [];
      for (const turn of turns) {
        chosen.push(balancers[turn]!.next(0));
        if (chosen.length === 3 * length) break;
      }
      const once = count(layCycle(given), given.length);
      assert.deepEqual(
        count(chosen, given.length),
        once.map((each) => each * 3),
      );
    });
    fc.assert(property, { seed: SEED, numRuns: 200 });
  });

  it(`another attempt takes a backend that was not tried, as long as there is one (seed ${SEED})`, () => {
    const property = fc.property(weights, fc.nat(255), fc.nat(1_000), (given, tried, start) => {
      const cursor = new SharedArrayBuffer(4);
      new Uint32Array(cursor)[0] = start;
      const next = new Balancer(toBackends(given), cursor).next(tried);
      const usable = [...given.keys()].filter((index) => given[index]! > 0);
      const left = usable.filter((index) => (tried & (1 << index)) === 0);
      if (usable.length === 0) assert.equal(next, -1);
      else assert.ok((left.length > 0 ? left : usable).includes(next));
    });
    fc.assert(property, { seed: SEED, numRuns: 2_000 });
  });

  it('goes on when the cursor starts again at zero', () => {
    const cursor = new SharedArrayBuffer(4);
    new Uint32Array(cursor)[0] = 0xffff_ffff;
    const balancer = new Balancer(toBackends([3, 2, 1]), cursor);
    const chosen = Array.from({ length: 7 }, () => balancer.next(0)).slice(1);
    assert.deepEqual(count(chosen, 3), [3, 2, 1]);
  });
});
