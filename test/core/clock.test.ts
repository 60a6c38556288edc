// Whether clocks that are made at different times, on a machine that has much to do, tell the same time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClock } from '../../src/core/clock.ts';

/** What reading both clocks takes, with room to spare. */
const SKEW_MS_MAX = 0.5;

/** How far it is behind the system's. */
function readLagMs(clock: () => number): number {
  let lagMs = Number.POSITIVE_INFINITY;
  for (let reading = 0; reading < 100; reading++) {
    lagMs = Math.min(lagMs, Number(process.hrtime.bigint()) / 1e6 - clock());
  }
  return lagMs;
}

test('a clock tells the system’s time although its thread was held up while it was made', (t) => {
  const { bigint } = process.hrtime;
  let held = 0;
  t.mock.method(process.hrtime, 'bigint', () => {
    const now = bigint.call(process.hrtime);
    // As when the thread has to give its core away just here, more often than not.
    if (held++ % 4 !== 3) {
      const until = performance.now() + 3;
      while (performance.now() < until);
    }
    return now;
  });
  const clock = createClock();
  t.mock.restoreAll();
  assert.ok(Math.abs(readLagMs(clock)) < SKEW_MS_MAX, `${readLagMs(clock)} ms`);
});
