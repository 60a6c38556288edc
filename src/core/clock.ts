// Monotonic time that all threads of the process agree on.
//
// `performance.now()` counts from the start of its own thread, so it cannot be compared across threads;
// CLOCK_MONOTONIC can. Times are milliseconds with decimals; the origin is the system's (boot on Linux).

export type Clock = () => number;

export function createClock(): Clock {
  const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  return () => performance.now() + offset;
}
