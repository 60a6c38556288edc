// Memory for body chunks that came before their upstream wanted them; kept and used again.
//
// The listener goes on reading a connection that was paused for as long as each read fills its buffer. Memory that
// was touched before takes a chunk faster than a client on the same machine can send the next one, so that the
// reading ends; fresh memory does not, and the chunks pile up.

/** What the listener reads at once. */
const SLOT_BYTES = 512 * 1024;
/** Slots kept for reuse by a thread; more are made when they are needed, and let go afterwards. */
const KEPT_MAX = 32;

export class ChunkSlots {
  readonly #free: Uint8Array[] = [];

  /** A copy of the chunk. Give its memory back by release(). */
  keep(chunk: ArrayBuffer): Uint8Array {
    const bytes = new Uint8Array(chunk);
    if (bytes.length > SLOT_BYTES) return bytes.slice();
    const slot = this.#free.pop() ?? new Uint8Array(SLOT_BYTES);
    slot.set(bytes);
    return slot.subarray(0, bytes.length);
  }

  /** `kept` must not be used any more. */
  release(kept: Uint8Array): void {
    if (kept.buffer.byteLength !== SLOT_BYTES || this.#free.length >= KEPT_MAX) return;
    this.#free.push(new Uint8Array(kept.buffer));
  }
}
