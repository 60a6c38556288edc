// Chooses the primary backend of an attempt: weighted round robin.
//
// The cycle is laid out once, smoothly, as nginx does it; the place in it is a shared word, so shares are exact
// over one cycle of all front-end threads together. Owns no health state: a failed attempt moves on to another.

import type { WeightedBackend } from '../core/model.ts';

/** Indices of backends in the order of one full cycle; a backend of weight 0 is not in it. */
export function layCycle(weights: readonly number[]): Uint16Array {
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  if (divisor === 0) return new Uint16Array(0);
  const shares = weights.map((weight) => weight / divisor);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const cycle = new Uint16Array(total);
  const credit = shares.map(() => 0);
  for (let place = 0; place < total; place++) {
    let best = -1;
    for (let index = 0; index < shares.length; index++) {
      if (shares[index] === 0) continue;
      credit[index] = credit[index]! + shares[index]!;
      if (best === -1 || credit[index]! > credit[best]!) best = index;
    }
    credit[best] = credit[best]! - total;
    cycle[place] = best;
  }
  return cycle;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

export class Balancer {
  readonly #cycle: Uint16Array;
  readonly #cursor: Uint32Array;

  constructor(backends: readonly WeightedBackend[], cursor: SharedArrayBuffer) {
    this.#cycle = layCycle(backends.map((backend) => backend.weight));
    this.#cursor = new Uint32Array(cursor);
  }

  /**
   * Index of the next backend, or -1 when all have weight 0. `tried` holds a bit for each backend (below 32) that
   * this exchange has tried; those are passed over while another is left.
   */
  next(tried: number): number {
    const length = this.#cycle.length;
    if (length === 0) return -1;
    if (length === 1) return this.#cycle[0]!;
    const place = Atomics.add(this.#cursor, 0, 1) % length;
    const first = this.#cycle[place]!;
    if (tried === 0 || (tried & (1 << first)) === 0) return first;
    for (let step = 1; step < length; step++) {
      const other = this.#cycle[(place + step) % length]!;
      if ((tried & (1 << other)) === 0) return other;
    }
    return first;
  }
}
