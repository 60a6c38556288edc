// Memory for body chunks that came before their upstream wanted them; kept and used again.
//
// The listener goes on reading a connection that was paused for as long as each read fills its buffer. Memory that
// was touched before takes a chunk faster than a client on the same machine can send the next one, so that the
// reading ends; fresh memory does not, and the chunks pile up. Bounded for the thread: whoever gets none has to go.

/** What the listener reads at once. */
const SLOT_BYTES = 512 * 1024;
/** Slots kept for reuse by a thread. */
const KEPT_MAX = 32;
/** Slots in use by a thread: 256 MiB. */
const USED_MAX = 512;

export class ChunkSlots {
  readonly #free: Uint8Array[] = [];
  #used = 0;

  /** A slot, or null when the thread has no more. Give it back by release(). */
  acquire(): Uint8Array | null {
    if (this.#used >= USED_MAX) return null;
    this.#used++;
    return this.#free.pop() ?? new Uint8Array(SLOT_BYTES);
  }

  /** The slot must not be used any more. */
  release(slot: Uint8Array): void {
    this.#used--;
    if (this.#free.length < KEPT_MAX) this.#free.push(slot);
  }
}

/** Bytes in the order in which they came, in slots. One object serves many uploads in turn. */
export class ChunkQueue {
  readonly #slots: ChunkSlots;
  readonly #queue: Uint8Array[] = [];
  /** Bytes taken out of the first slot, and written into the last. */
  #taken = 0;
  #written = 0;
  #bytes = 0;

  constructor(slots: ChunkSlots) {
    this.#slots = slots;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Copies the chunk; false when there is no room, which leaves the queue to be cleared. */
  push(chunk: ArrayBuffer): boolean {
    const bytes = new Uint8Array(chunk);
    for (let at = 0; at < bytes.length; ) {
      let slot = this.#queue.at(-1);
      if (slot === undefined || this.#written === SLOT_BYTES) {
        const fresh = this.#slots.acquire();
        if (fresh === null) return false;
        slot = fresh;
        this.#queue.push(slot);
        this.#written = 0;
      }
      const part = bytes.subarray(at, at + SLOT_BYTES - this.#written);
      slot.set(part, this.#written);
      this.#written += part.length;
      this.#bytes += part.length;
      at += part.length;
    }
    return true;
  }

  /** The next bytes, at most so many, in memory of their own. Not when empty. */
  take(bytesMax: number): Buffer {
    const first = this.#queue[0]!;
    const end = this.#queue.length === 1 ? this.#written : SLOT_BYTES;
    const piece = Buffer.from(first.subarray(this.#taken, Math.min(end, this.#taken + bytesMax)));
    this.#taken += piece.length;
    this.#bytes -= piece.length;
    if (this.#taken === end) {
      this.#queue.shift();
      this.#taken = 0;
      this.#slots.release(first);
    }
    return piece;
  }

  clear(): void {
    for (const slot of this.#queue) this.#slots.release(slot);
    this.#queue.length = 0;
    this.#taken = 0;
    this.#written = 0;
    this.#bytes = 0;
  }
}
