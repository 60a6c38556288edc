// The timer wheel: punctual within its ticks, whatever is armed, moved and disarmed meanwhile. The clock is the test's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TICK_MS, TimerWheel, WheelTimer } from '../../../src/upstream/http1/timer-wheel.ts';

class Recorder extends WheelTimer {
  readonly #onDue: () => void;

  constructor(onDue: () => void) {
    super();
    this.#onDue = onDue;
  }

  onDue(): void {
    assert.equal(this.dueTick, 0, 'disarmed');
    this.#onDue();
  }
}

class Rig {
  nowMs = 1_000;
  readonly wheel = new TimerWheel(() => this.nowMs);

  /** Lets so much time pass, tick by tick. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      this.nowMs += TICK_MS;
      this.wheel.advance();
    }
  }
}

for (const delayMs of [1, 19, 20, 21, 250, 4_000, 10_240, 10_300, 60_000, 3_600_000]) {
  test(`a delay of ${delayMs} ms is over after it, and at most two ticks later`, () => {
    const rig = new Rig();
    const armedMs = rig.nowMs;
    let dueMs = 0;
    const timer = new Recorder(() => {
      dueMs = rig.nowMs;
    });
    rig.wheel.arm(timer, rig.wheel.toTicks(delayMs));
    rig.pass(delayMs + 10 * TICK_MS);
    assert.ok(dueMs - armedMs >= delayMs && dueMs - armedMs <= delayMs + 2 * TICK_MS, `${dueMs - armedMs}`);
  });
}

test('timers come in the order of their ticks, and each once', () => {
  const rig = new Rig();
  const seen: number[] = [];
  const ticks = Array.from({ length: 3_000 }, (_, index) => ((index * 7_919) % 1_500) + 1);
  for (const each of ticks) rig.wheel.arm(new Recorder(() => seen.push(each)), each);
  rig.pass(1_600 * TICK_MS);
  assert.deepEqual(
    seen,
    ticks.toSorted((a, b) => a - b),
  );
});

test('a timer that is moved or disarmed is due at its new time, or never', () => {
  const rig = new Rig();
  const seen: string[] = [];
  const later = new Recorder(() => seen.push('later'));
  const sooner = new Recorder(() => seen.push('sooner'));
  const never = new Recorder(() => seen.push('never'));
  rig.wheel.arm(later, 5);
  rig.wheel.arm(sooner, 600);
  rig.wheel.arm(never, 5);
  rig.wheel.arm(later, 20);
  rig.wheel.armBy(sooner, 10);
  rig.wheel.armBy(sooner, 700);
  rig.wheel.disarm(never);
  rig.wheel.disarm(never);
  rig.pass(9 * TICK_MS);
  assert.deepEqual(seen, []);
  rig.pass(700 * TICK_MS);
  assert.deepEqual(seen, ['sooner', 'later']);
});

test('what is due may arm itself, and arm and disarm others that are due with it', () => {
  const rig = new Rig();
  const seen: string[] = [];
  const second = new Recorder(() => seen.push('second'));
  const third = new Recorder(() => seen.push('third'));
  const first: Recorder = new Recorder(() => {
    seen.push('first');
    rig.wheel.disarm(second);
    rig.wheel.arm(third, 3);
    if (seen.length < 4) rig.wheel.arm(first, 512);
  });
  const last = new Recorder(() => seen.push('last'));
  // The one that was armed last is looked at first.
  for (const timer of [last, third, second, first]) rig.wheel.arm(timer, 2);
  rig.pass(600 * TICK_MS);
  assert.deepEqual(seen, ['first', 'last', 'third', 'first', 'third']);
});

test('time in which the loop was held up counts for a quarter of a second', () => {
  const rig = new Rig();
  let isDue = false;
  rig.wheel.arm(
    new Recorder(() => {
      isDue = true;
    }),
    rig.wheel.toTicks(1_000),
  );
  rig.nowMs += 60_000;
  rig.wheel.advance();
  assert.equal(isDue, false);
  rig.pass(700);
  assert.equal(isDue, false);
  rig.pass(200);
  assert.equal(isDue, true);
});
