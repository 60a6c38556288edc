// The limit of a route: taking a place in the window, and the front end's look at whether it is closed.

import assert from 'node:assert/strict';
import { LIMIT_COUNT_MAX, LimitWindow } from '../../../src/core/window.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';

const BATCH = 1_000;
const WINDOW_MS = 1_000;
/** Of a machine that has run for three weeks. */
const START_MS = 1.8e9;
/** A window begins anew every 100,000 calls and is never full. */
const STEP_MS = 0.01;

function openTake(): OpenCase {
  const window = new LimitWindow(LimitWindow.allocate());
  let nowMs = START_MS;
  return repeat(
    () => {
      const small = new LimitWindow(LimitWindow.allocate());
      assert.deepEqual(
        Array.from({ length: 3 }, () => small.take(2, WINDOW_MS, START_MS)),
        [true, true, false],
      );
    },
    () => {
      nowMs += STEP_MS;
      return window.take(LIMIT_COUNT_MAX, WINDOW_MS, nowMs);
    },
  );
}

function openFull(ask: (window: LimitWindow) => boolean, isTrue: boolean): OpenCase {
  const window = new LimitWindow(LimitWindow.allocate());
  return repeat(
    () => {
      assert.equal(window.isClosed(START_MS), false);
      assert.ok(window.take(1, WINDOW_MS, START_MS));
      assert.equal(ask(window), isTrue);
    },
    () => ask(window) === isTrue,
  );
}

export const limit: readonly MicroCase[] = [
  { name: 'take, places left', batch: BATCH, open: openTake },
  {
    name: 'take, full',
    batch: BATCH,
    open: () => openFull((window) => window.take(1, WINDOW_MS, START_MS + 1), false),
  },
  {
    name: 'is it closed',
    batch: BATCH,
    open: () => openFull((window) => window.isClosed(START_MS + 1), true),
  },
];
