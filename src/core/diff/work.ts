// How much work one comparison of bodies may be, and how long it may take.
//
// Work is counted, so that the same bodies always end in the same way; the clock is the last resort against what was
// not foreseen, and is looked at so rarely that bodies of an ordinary length never meet it.

/** Steps of reading both bodies, about a tenth of a microsecond each. */
export const READ_STEPS_MAX = 540_000;
/** Values that are looked at; long texts that are sorted or hashed count as several. */
export const VISITS_MAX = 300_000;
/** Characters that cost as much as one visit. */
const VISIT_CHARACTERS = 32;
/** Bytes that are decoded and looked through in one step. */
const STEP_BYTES = 18;
/** Visits between two looks at the clock. */
const CHECK_VISITS = 1_000;
/** Many times what the counted work takes, because a thread may have to wait for its core. */
export const TIME_MAX_MS = 250;

/** Milliseconds since any moment. */
export type Clock = () => number;

export class Stopwatch {
  readonly #clock: Clock;
  readonly #endMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#endMs = clock() + TIME_MAX_MS;
  }

  get isLate(): boolean {
    return this.#clock() > this.#endMs;
  }
}

export class Work {
  #left: number;
  /** When so much is left, the clock is looked at. */
  #checkAt: number;
  readonly #watch: Stopwatch | null;

  constructor(visits: number, watch: Stopwatch | null = null) {
    this.#left = visits;
    this.#watch = watch;
    this.#checkAt = watch === null ? Number.NEGATIVE_INFINITY : visits - CHECK_VISITS;
  }

  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** Below zero when it is spent. */
  get left(): number {
    return this.#left;
  }

  visit(): void {
    this.#left--;
    if (this.#left <= this.#checkAt) this.#check();
  }

  /** False when there was not enough left: then what it is for must not be begun. */
  take(visits: number): boolean {
    this.#left = visits > this.#left ? -1 : this.#left - visits;
    if (this.#left <= this.#checkAt) this.#check();
    return this.#left >= 0;
  }

  /** False when there was not enough left. */
  visitText(characters: number): boolean {
    return this.take(1 + Math.trunc(characters / VISIT_CHARACTERS));
  }

  /** False when there was not enough left. */
  takeBytes(bytes: number): boolean {
    return this.take(Math.ceil(bytes / STEP_BYTES));
  }

  /** So many bytes can still be taken. */
  get bytesLeft(): number {
    return Math.max(this.#left, 0) * STEP_BYTES;
  }

  #check(): void {
    this.#checkAt = this.#left - CHECK_VISITS;
    if (this.#watch?.isLate === true) this.#left = -1;
  }
}
