// Memory for the beginnings of primaries' answers, lent to the exchanges of one front end in turn.
//
// A piece of memory for each answer would cost the front end more than all else that comparing does: 5,000 instructions,
// against 500 to copy 2 KiB into a piece that is there.

/** A longer answer goes ahead of its job in pieces, instead of being kept until it is complete. */
export const INLINE_ANSWER_MAX = 16 * 1024;
/** Lent at one time: 64 MiB. Further answers go ahead of their jobs. */
const LENT_MAX = 4096;
/** Kept for the next ones. */
const SPARE_MAX = 64;

export class AnswerMemory {
  readonly #spare: Buffer[] = [];
  #lent = 0;

  /** INLINE_ANSWER_MAX bytes of anything; null when too many are lent. To be given back. */
  take(): Buffer | null {
    if (this.#lent === LENT_MAX) return null;
    this.#lent++;
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(INLINE_ANSWER_MAX);
  }

  give(memory: Buffer): void {
    this.#lent--;
    if (this.#spare.length < SPARE_MAX) this.#spare.push(memory);
  }
}
