// Monotonic time that all threads of the process agree on.
//
// `performance.now()` counts from the start of its own thread, so it cannot be compared across threads;
// CLOCK_MONOTONIC can. Times are milliseconds with decimals; the origin is the system's (boot on Linux).

/** Readings of both clocks. One of them takes microseconds, but for a thread that has to give its core away between the two. */
const READINGS = 16;

export type Clock = () => number;

export function createClock(): Clock {
  // What passes between two readings makes an offset too small, never too large: the largest is the best one.
  let offset = Number.NEGATIVE_INFINITY;
  for (let reading = 0; reading < READINGS; reading++) {
    offset = Math.max(offset, Number(process.hrtime.bigint()) / 1e6 - performance.now());
  }
  return () => performance.now() + offset;
}
