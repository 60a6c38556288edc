// The local limit: exact over real threads, and at the borders of the window.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { LIMIT_COUNT_MAX, LimitWindow } from '../../src/core/window.ts';

const WINDOW_MS = 60_000;

function openWindow(): LimitWindow {
  return new LimitWindow(LimitWindow.allocate());
}

/** Each thread waits for the others, then takes `attempts` times at each of the clock values. */
const HAMMER = `
const { parentPort, workerData } = require('node:worker_threads');
const { module, buffer, gate, threads, count, windowMs, clock, attempts } = workerData;
import(module).then(({ LimitWindow }) => {
  const window = new LimitWindow(buffer);
  const word = new Int32Array(gate);
  if (Atomics.add(word, 0, 1) + 1 === threads) Atomics.notify(word, 0);
  for (let seen = Atomics.load(word, 0); seen < threads; seen = Atomics.load(word, 0)) Atomics.wait(word, 0, seen);
  let taken = 0;
  for (const nowMs of clock) {
    for (let attempt = 0; attempt < attempts; attempt++) if (window.take(count, windowMs, nowMs)) taken++;
  }
  parentPort.postMessage(taken);
});
`;

async function hammer(threads: number, count: number, clock: readonly number[], attempts: number) {
  const buffer = LimitWindow.allocate();
  const workerData = {
    module: new URL('../../src/core/window.ts', import.meta.url).href,
    buffer,
    gate: new SharedArrayBuffer(4),
    threads,
    count,
    windowMs: WINDOW_MS,
    clock,
    attempts,
  };
  const taken = await Promise.all(
    Array.from({ length: threads }, () => {
      const worker = new Worker(HAMMER, { eval: true, workerData });
      return new Promise<number>((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    }),
  );
  return { total: taken.reduce((sum, part) => sum + part, 0), buffer };
}

test('four threads that hammer one window take exactly its count', async () => {
  for (const count of [1, 2, 100, 5000]) {
    const { total, buffer } = await hammer(4, count, [1000.25], 20_000);
    assert.equal(total, count);
    assert.equal(new LimitWindow(buffer).isClosed(1000.25), true);
  }
});

test('four threads that hammer ten windows in a row take exactly ten times the count', async () => {
  const clock = Array.from({ length: 10 }, (_, index) => 1000 + index * WINDOW_MS);
  const { total } = await hammer(4, 250, clock, 2000);
  assert.equal(total, 2500);
});

test('only two copies in 60 seconds is exactly two', () => {
  const window = openWindow();
  assert.equal(window.take(2, WINDOW_MS, 1000), true);
  assert.equal(window.isClosed(1000), false);
  assert.equal(window.take(2, WINDOW_MS, 1001), true);
  assert.equal(window.isClosed(1001), true);
  assert.equal(window.take(2, WINDOW_MS, 1002), false);
  assert.equal(window.take(2, WINDOW_MS, 1000 + WINDOW_MS - 1), false);
  assert.equal(window.isClosed(1000 + WINDOW_MS - 1), true);
  assert.equal(window.isClosed(1000 + WINDOW_MS), false);
  assert.equal(window.take(2, WINDOW_MS, 1000 + WINDOW_MS), true);
});

test('the window starts with its first copy, not with the clock', () => {
  const window = openWindow();
  assert.equal(window.take(1, WINDOW_MS, 59_999), true);
  assert.equal(window.take(1, WINDOW_MS, 60_001), false);
  assert.equal(window.take(1, WINDOW_MS, 119_998), false);
  assert.equal(window.take(1, WINDOW_MS, 119_999), true);
});

test('a clock between two milliseconds never shortens the window', () => {
  const window = openWindow();
  assert.equal(window.take(1, 1000, 5000), true);
  assert.equal(window.take(1, 1000, 5999.5), false);
  assert.equal(window.isClosed(5999.5), true);
  assert.equal(window.take(1, 1000, 6000), true);
});

test('a clock that has just begun is a window like any other', () => {
  const window = openWindow();
  assert.equal(window.isClosed(0), false);
  assert.equal(window.take(1, WINDOW_MS, 0), true);
  assert.equal(window.take(1, WINDOW_MS, 0), false);
});

test('the count holds at its largest value', () => {
  const buffer = LimitWindow.allocate();
  const full = new LimitWindow(buffer);
  assert.equal(full.take(LIMIT_COUNT_MAX, WINDOW_MS, 1000), true);
  // The low 24 bits are the count: one place is left.
  new BigInt64Array(buffer, 0, 1)[0] = (1000n << 24n) + BigInt(LIMIT_COUNT_MAX - 1);
  assert.equal(full.take(LIMIT_COUNT_MAX, WINDOW_MS, 1001), true);
  assert.equal(full.take(LIMIT_COUNT_MAX, WINDOW_MS, 1002), false);
  assert.equal(full.take(LIMIT_COUNT_MAX, WINDOW_MS, 1000 + WINDOW_MS), true);
});

test('a window is never closed while a place is left, and never gives more than its count', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 50 }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.array(fc.double({ min: 0, max: 20, noNaN: true }), { minLength: 1, maxLength: 200 }),
      (count, windowMs, startMs, steps) => {
        const window = openWindow();
        const takenAt: number[] = [];
        let nowMs = startMs;
        for (const step of steps) {
          nowMs += step;
          const isClosed = window.isClosed(nowMs);
          if (!window.take(count, windowMs, nowMs)) continue;
          assert.equal(isClosed, false, `closed at ${nowMs} with a place left`);
          takenAt.push(nowMs);
        }
        // A window lasts from its first copy to the whole millisecond that completes it.
        let first = 0;
        for (let index = 0; index < takenAt.length; index++) {
          if (takenAt[index]! >= Math.max(1, Math.ceil(takenAt[first]!)) + windowMs) first = index;
          assert.ok(index - first < count, `${index - first + 1} copies within ${windowMs} ms`);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a window that was counted elsewhere is closed until the latest end that is known', () => {
  const window = openWindow();
  window.close(1000);
  assert.equal(window.isClosed(999), true);
  assert.equal(window.isClosed(1000), false);
  window.close(500);
  assert.equal(window.isClosed(999), true);
  window.close(2000);
  assert.equal(window.isClosed(1999), true);
});
