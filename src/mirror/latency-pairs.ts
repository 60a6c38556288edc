// Latencies of comparisons in pairs, for a paired difference: a bounded systematic sample.

/** Of one report. */
const PAIRS_MAX = 2048;

export class LatencyPairs {
  #pairs: number[] = [];
  /** Every so manieth comparison is kept; a power of two. */
  #stride = 1;
  #seen = 0;

  add(primaryMs: number, shadowMs: number): void {
    if (this.#seen++ % this.#stride !== 0) return;
    // The one at hand is kept in the new stride too, since the bound is even.
    if (this.#pairs.length === PAIRS_MAX * 2) this.#thin();
    this.#pairs.push(primaryMs, shadowMs);
  }

  /** Primary, shadow, primary, shadow… The next sample begins. */
  take(): Float32Array {
    const pairs = Float32Array.from(this.#pairs);
    this.#pairs = [];
    this.#stride = 1;
    this.#seen = 0;
    return pairs;
  }

  /** Keeps every other pair. */
  #thin(): void {
    const thinned: number[] = [];
    for (let at = 0; at < this.#pairs.length; at += 4) thinned.push(this.#pairs[at]!, this.#pairs[at + 1]!);
    this.#pairs = thinned;
    this.#stride *= 2;
  }
}
