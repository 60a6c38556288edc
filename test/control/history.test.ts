// The history of routes: an hour of samples, for a bounded number of routes, and for none that is gone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLedger, type Ledger } from '../../src/control/ledger.ts';
import { History, INTERVAL_MS, ROUTES_MAX, SAMPLES_MAX } from '../../src/control/mirror-api/history.ts';
import { ShadowCell } from '../../src/core/book.ts';
import { OTHER_SHADOW, SHADOW, sampleRoute } from './sample.ts';

function open(ledger: Ledger) {
  let nowMs = 1_700_000_000_000;
  const history = new History({ ledger, now: () => nowMs });
  const step = (): void => {
    nowMs += INTERVAL_MS;
    history.sample();
  };
  const wait = (ms: number): void => {
    nowMs += ms;
  };
  return { history, step, wait };
}

function count(ledger: Ledger, id: string, shadow = 0): void {
  const { book } = ledger.row(id)!.shadows[shadow]!;
  for (const cell of [ShadowCell.matched, ShadowCell.sent, ShadowCell.compared]) {
    book.cells[cell] = book.cells[cell]! + 1;
  }
}

test('the newest samples of an hour are kept, oldest first, and none that is older', () => {
  const ledger = createLedger({ frontends: 1, lanes: 0 });
  ledger.enter([sampleRoute({ id: 'api', shadows: [SHADOW, OTHER_SHADOW] })]);
  const { history, step, wait } = open(ledger);
  for (const samples of [0, 1, SAMPLES_MAX - 1, 1, 1, SAMPLES_MAX + 5]) {
    const expected = Math.min(SAMPLES_MAX, history.read('api').length + samples);
    for (let sample = 0; sample < samples; sample++) {
      count(ledger, 'api', sample % 2);
      step();
    }
    const read = history.read('api');
    assert.equal(read.length, expected);
    for (const [at, [seconds, ...counts]] of read.entries()) {
      if (at > 0) assert.equal(seconds, read[at - 1]![0] + INTERVAL_MS / 1000);
      assert.deepEqual(counts, [1, 0, 1, 1]);
    }
  }
  wait(1_800_000);
  assert.equal(history.read('api').length, SAMPLES_MAX / 2);
  wait(1_800_000);
  assert.deepEqual(history.read('api'), []);
});

test('counts go on across a reload and a removal: nothing is counted twice', () => {
  const ledger = createLedger({ frontends: 1, lanes: 0 });
  const routes = [sampleRoute({ id: 'api' })];
  ledger.enter(routes);
  const { history, step } = open(ledger);
  count(ledger, 'api');
  step();
  ledger.enter([sampleRoute({ id: 'api', revision: '2' })]);
  step();
  assert.equal(history.read('api').length, 1);
  ledger.enter([]);
  step();
  assert.deepEqual(history.read('api'), []);
  ledger.enter(routes);
  step();
  assert.deepEqual(history.read('api'), []);
  count(ledger, 'api');
  step();
  assert.deepEqual(
    history.read('api').map(([, ...counts]) => counts),
    [[1, 0, 1, 1]],
  );
});

test('a thousand routes have a history; one more gets one when another goes', () => {
  const ledger = createLedger({ frontends: 1, lanes: 0 });
  const routes = Array.from({ length: ROUTES_MAX + 1 }, (_, index) => sampleRoute({ id: `route-${index}` }));
  ledger.enter(routes);
  const { history, step } = open(ledger);
  const last = `route-${ROUTES_MAX}`;
  for (const { id } of routes) count(ledger, id);
  step();
  assert.equal(history.read(`route-${ROUTES_MAX - 1}`).length, 1);
  assert.equal(history.read(last).length, 0);
  ledger.enter(routes.slice(1));
  count(ledger, last);
  step();
  assert.equal(history.read(last).length, 1);
  assert.equal(history.read('route-0').length, 0);
});
