// What a micro-benchmark is made of: how a case is described, and the loop that every case is called in.
//
// A case says after each call whether the result was right. So the engine cannot leave the work out, and a run
// that did something else than it should is known as such: it never becomes a row.

export interface MicroCase {
  readonly name: string;
  /** Calls in one sample: 1,000, or fewer where they would take much longer than a millisecond. */
  readonly batch: number;
  readonly open: () => OpenCase;
}

/** A case with everything that its calls need. */
export interface OpenCase {
  /** Looks closely, once, at what is going to be measured; throws when it is wrong. */
  readonly check: () => void | Promise<void>;
  /** What is timed. Makes so many calls, `batch` at most, and returns how many had the right result. */
  readonly run: (calls: number) => number | Promise<number>;
  /** Runs before every sample and is not timed: makes inputs that are used up by being used. */
  readonly refresh: (() => void) | null;
  readonly close: (() => Promise<void>) | null;
}

/** A case whose calls are independent of each other. `call` gets its index in the batch. */
export function repeat(
  check: () => void,
  call: (index: number) => boolean,
  refresh: (() => void) | null = null,
): OpenCase {
  return { check, run: (calls) => callEach(call, calls), refresh, close: null };
}

/**
 * One loop for all cases. It has seen more than one function before anything is timed, so the engine inlines none of
 * them: every call costs what the empty one does, and its own work.
 */
function callEach(call: (index: number) => boolean, calls: number): number {
  let right = 0;
  for (let index = 0; index < calls; index++) if (call(index)) right++;
  return right;
}

/** What the loop and a call that does nothing cost; subtracted from every other case. */
export const EMPTY: MicroCase = {
  name: 'empty call',
  batch: 1_000,
  open: () =>
    repeat(
      () => {},
      (index) => index >= 0,
    ),
};
