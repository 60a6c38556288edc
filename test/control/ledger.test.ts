// The ledger: what a reload keeps, what it starts anew, and what is forgotten.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLedger, type Ledger, REMOVED_MAX } from '../../src/control/ledger.ts';
import { RouteCell, ShadowCell } from '../../src/core/book.ts';
import { LimitWindow } from '../../src/core/window.ts';
import { OTHER_SHADOW, type SampleRoute, SHADOW, sampleRoute } from './sample.ts';

const LIMIT = { count: 2, windowMs: 60_000, policy: 'local', redis: null } as const;

function openLedger(): Ledger {
  return createLedger({ frontends: 2, lanes: 1 });
}

/** Enters one route and returns its memory. */
function enterOne(ledger: Ledger, sample: SampleRoute) {
  return ledger.enter([sampleRoute(sample)])[0]!.memory;
}

test('an entry carries a buffer for each part, in the order of the shadows', () => {
  const ledger = openLedger();
  const entries = ledger.enter([
    sampleRoute({ id: 'a', shadows: [SHADOW, OTHER_SHADOW], limit: LIMIT }),
    sampleRoute({ id: 'b', shadows: null }),
  ]);
  assert.deepEqual(
    entries.map((entry) => entry.route.id),
    ['a', 'b'],
  );
  assert.equal(entries[0]!.memory.shadows.length, 2);
  assert.equal(entries[0]!.memory.limit?.byteLength, 16);
  assert.equal(entries[0]!.memory.cursor.byteLength, 4);
  assert.deepEqual(entries[1]!.memory.shadows, []);
  assert.equal(entries[1]!.memory.limit, null);
  const buffers = new Set([
    ledger.process.buffer,
    ...entries.flatMap(({ memory }) => [memory.book, memory.cursor, ...memory.shadows]),
  ]);
  assert.equal(buffers.size, 7);
  assert.deepEqual(
    ledger.row('a')!.shadows.map((shadow) => [shadow.origin, shadow.book.buffer]),
    [
      [SHADOW, entries[0]!.memory.shadows[0]],
      [OTHER_SHADOW, entries[0]!.memory.shadows[1]],
    ],
  );
});

test('an unchanged route keeps all of its memory', () => {
  const ledger = openLedger();
  const before = enterOne(ledger, { id: 'a', limit: LIMIT });
  const after = enterOne(ledger, { id: 'a', limit: LIMIT });
  assert.equal(after.book, before.book);
  assert.equal(after.shadows[0], before.shadows[0]);
  assert.equal(after.limit, before.limit);
  assert.equal(after.cursor, before.cursor);
});

test('a changed route keeps its counters and starts a new window', () => {
  const ledger = openLedger();
  const before = enterOne(ledger, { id: 'a', limit: LIMIT });
  new LimitWindow(before.limit!).take(1, 60_000, 1000);
  ledger.row('a')!.book.cells[RouteCell.requests] = 7;
  const after = enterOne(ledger, { id: 'a', revision: '2', limit: LIMIT });
  assert.equal(after.book, before.book);
  assert.equal(after.shadows[0], before.shadows[0]);
  assert.equal(ledger.row('a')!.book.sum(RouteCell.requests), 7);
  assert.notEqual(after.limit, before.limit);
  assert.notEqual(after.cursor, before.cursor);
  assert.equal(new LimitWindow(after.limit!).isClosed(1000), false);
  const back = enterOne(ledger, { id: 'a', revision: '1', limit: LIMIT });
  assert.equal(new LimitWindow(back.limit!).isClosed(1000), false, 'going back is an edit as well');
});

test('memory of a shadow follows its origin, not its place in the list', () => {
  const ledger = openLedger();
  const before = enterOne(ledger, { id: 'a', shadows: [SHADOW, OTHER_SHADOW] });
  const swapped = enterOne(ledger, { id: 'a', revision: '2', shadows: [OTHER_SHADOW, SHADOW] });
  assert.deepEqual(swapped.shadows, [before.shadows[1], before.shadows[0]]);
  assert.equal(swapped.shadows[0], before.shadows[1]);
  const without = enterOne(ledger, { id: 'a', revision: '3', shadows: [SHADOW] });
  assert.equal(without.shadows[0], before.shadows[0]);
  const again = enterOne(ledger, { id: 'a', revision: '4', shadows: [SHADOW, OTHER_SHADOW] });
  assert.equal(again.shadows[1], before.shadows[1]);
});

test('two routes never share the memory of one origin', () => {
  const ledger = openLedger();
  const [a, b] = ledger.enter([sampleRoute({ id: 'a' }), sampleRoute({ id: 'b' })]);
  assert.notEqual(a!.memory.shadows[0], b!.memory.shadows[0]);
});

test('a removed route is not shown, and counts on when it comes back, with a new window', () => {
  const ledger = openLedger();
  const before = enterOne(ledger, { id: 'a', limit: LIMIT });
  const shadow = ledger.row('a')!.shadows[0]!.book;
  shadow.cells[shadow.row(1) + ShadowCell.sent] = 5;
  assert.deepEqual(ledger.enter([]), []);
  assert.deepEqual(ledger.rows(), []);
  assert.equal(ledger.row('a'), undefined);
  const after = enterOne(ledger, { id: 'a', limit: LIMIT });
  assert.equal(after.book, before.book);
  assert.notEqual(after.limit, before.limit);
  assert.equal(ledger.row('a')!.shadows[0]!.book.sum(ShadowCell.sent), 5);
});

test(`${REMOVED_MAX} removed routes are remembered, and of one more the oldest is forgotten`, () => {
  const ledger = createLedger({ frontends: 1, lanes: 0 });
  const removed = Array.from({ length: REMOVED_MAX }, (_, index) => sampleRoute({ id: `r${index}` }));
  const oldest = enterOne(ledger, { id: 'oldest' });
  const books = ledger.enter(removed).map((entry) => entry.memory.book);
  // Now 'oldest' is the only removed one; the thousand follow it.
  ledger.enter([]);
  const entries = ledger.enter([sampleRoute({ id: 'r0' }), sampleRoute({ id: `r${REMOVED_MAX - 1}` })]);
  assert.equal(entries[0]!.memory.book, books[0]);
  assert.equal(entries[1]!.memory.book, books.at(-1));
  assert.notEqual(enterOne(ledger, { id: 'oldest' }).book, oldest.book);
});

test('two routes with one id are a fault of ours, and change nothing', () => {
  const ledger = openLedger();
  const before = enterOne(ledger, { id: 'a' });
  assert.throws(() => ledger.enter([sampleRoute({ id: 'b' }), sampleRoute({ id: 'b' })]), /two routes/);
  assert.deepEqual(
    ledger.rows().map((row) => row.entry.route.id),
    ['a'],
  );
  assert.equal(enterOne(ledger, { id: 'a' }).book, before.book);
});

test('rows stay the same array until routes are entered', () => {
  const ledger = openLedger();
  ledger.enter([sampleRoute({ id: 'a' })]);
  const rows = ledger.rows();
  assert.equal(ledger.rows(), rows);
  ledger.enter([sampleRoute({ id: 'a' })]);
  assert.notEqual(ledger.rows(), rows);
});
