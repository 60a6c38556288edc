// Chooses the primary backend of an attempt: weighted round robin, in tiers of priority.
//
// The cycle of a tier is laid out once, smoothly, as nginx does it. The place in the highest tier's is a shared word, so
// shares are exact over one cycle of all front-end threads together; lower tiers, which only retries reach, keep a place
// for each thread. Owns no health state: a failed attempt moves on to another.

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

/** Backends of one priority. */
class Tier {
  readonly #cycle: Uint16Array;
  readonly #cursor: Uint32Array;
  /** A bit for each of its backends. */
  readonly #members: number;

  constructor(cycle: Uint16Array, cursor: Uint32Array) {
    this.#cycle = cycle;
    this.#cursor = cursor;
    this.#members = cycle.reduce((bits, index) => bits | (1 << index), 0);
  }

  hasUntried(tried: number): boolean {
    return (this.#members & ~tried) !== 0;
  }

  next(tried: number): number {
    const length = this.#cycle.length;
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

export class Balancer {
  /** Null when no backend has a weight above 0. */
  readonly #highest: Tier | null;
  /** From the higher priorities to the lower ones. */
  readonly #lower: readonly Tier[];

  constructor(backends: readonly WeightedBackend[], cursor: SharedArrayBuffer) {
    const weighted = backends.filter((backend) => backend.weight > 0);
    const priorities = [...new Set(weighted.map((backend) => backend.priority))].sort((a, b) => b - a);
    const [highest = null, ...lower] = priorities.map((priority, index) => {
      const weights = backends.map((backend) => (backend.priority === priority ? backend.weight : 0));
      return new Tier(layCycle(weights), index === 0 ? new Uint32Array(cursor) : new Uint32Array(1));
    });
    this.#highest = highest;
    this.#lower = lower;
  }

  /** Whether there is nobody to choose. */
  get isEmpty(): boolean {
    return this.#highest === null;
  }

  /**
   * Index of the next backend, or -1 when all have weight 0. `tried` holds a bit for each backend (below 32) that
   * this exchange has tried; those are passed over while another is left, and a lower tier waits for all of the higher.
   */
  next(tried: number): number {
    const highest = this.#highest;
    if (highest === null) return -1;
    if (tried !== 0 && this.#lower.length > 0 && !highest.hasUntried(tried)) {
      for (const tier of this.#lower) if (tier.hasUntried(tried)) return tier.next(tried);
    }
    return highest.next(tried);
  }
}
