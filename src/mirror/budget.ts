// How many more bytes of one kind a thread may keep.
//
// Owns a number and no memory. Whoever took bytes gives them back.

export class ByteBudget {
  readonly #parent: ByteBudget | null;
  #left: number;

  constructor(bytes: number, parent: ByteBudget | null = null) {
    this.#left = bytes;
    this.#parent = parent;
  }

  /** Without a look at what others have left. */
  get left(): number {
    return this.#left;
  }

  /** Every true one is paid back by give(). */
  take(bytes: number): boolean {
    if (bytes > this.#left || (this.#parent !== null && !this.#parent.take(bytes))) return false;
    this.#left -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#left += bytes;
    this.#parent?.give(bytes);
  }
}
