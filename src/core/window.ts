// The window of a limit, shared by all threads of the process, without a lock.
//
// A local limit counts here: the window's start and its count live in one 64-bit word that is replaced by
// compare-and-swap, so two threads can never both take the last place. The window starts with its first copy. Of a limit
// that Redis counts (mirror/limiter.ts) only the last cell is used: until when the window is known to be full.

/** Counts that fit beside the start in the word. */
export const LIMIT_COUNT_MAX = 2 ** 24 - 1;
const COUNT_BITS = 24n;
const COUNT_MASK = 2n ** COUNT_BITS - 1n;

export class LimitWindow {
  readonly #word: BigInt64Array;
  readonly #closedUntil: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#word = new BigInt64Array(buffer, 0, 1);
    this.#closedUntil = new Float64Array(buffer, 8, 1);
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(16);
  }

  /** Takes one place; false when the window is full. For mirror threads. Times in ms, `nowMs` from core/clock.ts. */
  take(count: number, windowMs: number, nowMs: number): boolean {
    // Rounded up, and 1 at least: 0 is the word of a window that has not begun.
    const now = Math.max(1, Math.ceil(nowMs));
    for (;;) {
      const seen = Atomics.load(this.#word, 0);
      const start = Number(seen >> COUNT_BITS);
      const used = Number(seen & COUNT_MASK);
      const running = start !== 0 && nowMs < start + windowMs;
      if (running && used >= count) return false;
      const next = running ? seen + 1n : (BigInt(now) << COUNT_BITS) + 1n;
      if (Atomics.compareExchange(this.#word, 0, seen, next) !== seen) continue;
      const taken = running ? used + 1 : 1;
      if (taken >= count) this.#closedUntil[0] = (running ? start : now) + windowMs;
      return true;
    }
  }

  /** It is full until then: what somebody else has counted. On core/clock.ts. */
  close(untilMs: number): void {
    // Answers of several threads may come in any order; an earlier end than the one known is of an earlier window.
    if (untilMs > this.#closedUntil[0]!) this.#closedUntil[0] = untilMs;
  }

  /** Whether the window is known to be full: a plain read, for front ends. Never true while a place is left. */
  isClosed(nowMs: number): boolean {
    return nowMs < this.#closedUntil[0]!;
  }
}
