// The newest latency pairs of one shadow: what the primary took, and what the shadow took, for the same request.
//
// Owns its memory, which grows with what comes and never beyond PAIRS_MAX, nor beyond what the store has for all of them.

/** Pairs of one shadow that are kept. */
export const PAIRS_MAX = 10_000;
const PAIRS_MIN = 250;
const PAIR_BYTES = 8;

/** What all rings of a store may still take together. */
export interface PairRoom {
  pairBytesLeft: number;
}

export class PairRing {
  readonly #room: PairRoom;
  #values = new Float32Array(0);
  /** Place of the next pair, and how many there are. */
  #next = 0;
  #count = 0;

  constructor(room: PairRoom) {
    this.#room = room;
  }

  get count(): number {
    return this.#count;
  }

  /** `pairs`: primary, shadow, primary, shadow…, the newest last. */
  add(pairs: Float32Array): void {
    for (let at = 0; at + 1 < pairs.length; at += 2) {
      if (this.#count === this.#values.length / 2) this.#grow();
      const capacity = this.#values.length / 2;
      if (capacity === 0) return;
      this.#values[this.#next * 2] = pairs[at]!;
      this.#values[this.#next * 2 + 1] = pairs[at + 1]!;
      this.#next = (this.#next + 1) % capacity;
      if (this.#count < capacity) this.#count++;
    }
  }

  /** A copy, the newest last. */
  read(): Float32Array {
    const read = new Float32Array(this.#count * 2);
    const oldest = this.#count < this.#values.length / 2 ? 0 : this.#next;
    const end = this.#values.subarray(oldest * 2, this.#count * 2);
    read.set(end);
    read.set(this.#values.subarray(0, oldest * 2), end.length);
    return read;
  }

  /** Gives its memory back. */
  clear(): void {
    this.#room.pairBytesLeft += this.#values.byteLength;
    this.#values = new Float32Array(0);
    this.#next = 0;
    this.#count = 0;
  }

  /** To twice the size, while there is room; without it the oldest make place. */
  #grow(): void {
    const before = this.#values.length / 2;
    const capacity = Math.min(PAIRS_MAX, Math.max(PAIRS_MIN, before * 2));
    const bytes = (capacity - before) * PAIR_BYTES;
    if (bytes === 0 || bytes > this.#room.pairBytesLeft) return;
    this.#room.pairBytesLeft -= bytes;
    const grown = new Float32Array(capacity * 2);
    grown.set(this.read());
    this.#values = grown;
    this.#next = before;
  }
}
