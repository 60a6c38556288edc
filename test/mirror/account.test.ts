// A front end's record of what it handed over, and the sums that it puts right when a mirror thread is lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BreakerState,
  DROP_REASONS,
  FAIL_REASONS,
  ShadowBook,
  ShadowCell,
  ShadowWord,
} from '../../src/core/book.ts';
import { ShadowAccount } from '../../src/mirror/account.ts';

/** Writers: the front end, then its two lanes, then another front end's. */
const WRITERS = 6;
const LANES = [1, 2];

type CellName = keyof typeof ShadowCell;

class Rig {
  readonly book = new ShadowBook(ShadowBook.allocate(WRITERS), WRITERS);
  readonly account = new ShadowAccount('route origin', this.book, LANES);

  /** As the lane's mirror thread does. */
  add(lane: number, cell: CellName, amount = 1): void {
    const at = this.book.row(LANES[lane]!) + ShadowCell[cell];
    this.book.cells[at] = this.book.cells[at]! + amount;
  }

  hand(lane: number, copies: number, bytes = 0): void {
    for (let copy = 0; copy < copies; copy++) this.account.addHanded(lane);
    this.account.addPushed(lane, bytes);
  }

  read(lane: number, cell: CellName): number {
    return this.book.cells[this.book.row(LANES[lane]!) + ShadowCell[cell]]!;
  }
}

test('bytes wait from their hand-over until the mirror thread is through with them', () => {
  const rig = new Rig();
  assert.equal(rig.account.waitingBytes(), 0);
  rig.hand(0, 1, 100);
  rig.hand(1, 1, 50);
  assert.equal(rig.account.waitingBytes(), 150);
  rig.add(0, 'released_bytes', 100);
  assert.equal(rig.account.waitingBytes(), 50);
  rig.add(1, 'released_bytes', 50);
  assert.equal(rig.account.waitingBytes(), 0);
});

test('an account is settled when every copy has ended and every byte is back, not before', () => {
  const rig = new Rig();
  const steps: (readonly [() => void, boolean])[] = [
    [() => rig.hand(0, 4, 10), false],
    [() => rig.add(0, 'received', 4), false],
    [() => rig.add(0, 'skip_limit'), false],
    [() => rig.add(0, 'skip_unredactable'), false],
    [() => rig.add(0, 'drop_queue_full'), false],
    [() => rig.add(0, 'sent'), false],
    [() => rig.add(0, 'answered'), false],
    [() => rig.add(0, 'released_bytes', 10), true],
    [() => rig.hand(1, 1), false],
    [() => rig.add(1, 'sent'), false],
    [() => rig.add(1, 'fail_reset'), true],
    // A piece of an answer whose job never came.
    [() => rig.hand(1, 0, 48), false],
    [() => rig.add(1, 'released_bytes', 48), true],
  ];
  assert.ok(rig.account.isSettled());
  for (const [index, [step, settled]] of steps.entries()) {
    step();
    assert.equal(rig.account.isSettled(), settled, `step ${index}`);
  }
});

test('a lost thread leaves what it had sent as failed and the rest as dropped', () => {
  const rig = new Rig();
  rig.hand(0, 20, 1_000);
  rig.hand(1, 4, 70);
  rig.add(0, 'received', 12);
  rig.add(0, 'skip_limit', 1);
  rig.add(0, 'drop_queue_full', 2);
  rig.add(0, 'sent', 7);
  rig.add(0, 'answered', 3);
  rig.add(0, 'fail_reset', 1);
  rig.add(0, 'released_bytes', 300);
  Atomics.store(rig.book.words, ShadowWord.in_flight + LANES[0]!, 3);
  Atomics.store(rig.book.words, ShadowWord.in_flight + LANES[1]!, 2);
  rig.account.settleLost(0, 5);
  assert.equal(rig.read(0, 'fail_worker_lost'), 3);
  assert.equal(rig.read(0, 'drop_worker_lost'), 10);
  assert.equal(rig.book.inFlight(), 2, 'the other lane’s are still under way');
  assert.equal(rig.account.waitingBytes(), 70);
  assert.equal(rig.account.isSettled(), false);
  // Once more changes nothing.
  rig.account.settleLost(0, 6);
  assert.equal(rig.read(0, 'fail_worker_lost'), 3);
  assert.equal(rig.read(0, 'drop_worker_lost'), 10);
  rig.account.settleLost(1, 7);
  assert.equal(rig.read(1, 'drop_worker_lost'), 4);
  assert.ok(rig.account.isSettled());
});

test('answers that waited for their control’s when the thread was lost are uncompared, once', () => {
  const rig = new Rig();
  rig.hand(0, 5);
  rig.add(0, 'received', 5);
  rig.add(0, 'sent', 5);
  rig.add(0, 'answered', 5);
  rig.add(0, 'compared', 3);
  rig.add(0, 'awaiting_control', 2);
  rig.add(1, 'awaiting_control', 1);
  rig.account.settleLost(0, 1);
  rig.account.settleLost(0, 2);
  assert.equal(rig.read(0, 'uncompared_not_captured'), 2);
  assert.equal(rig.read(0, 'awaiting_control'), 0);
  assert.equal(rig.read(1, 'awaiting_control'), 1, 'the other lane’s still wait');
});

test('an account that is opened again on a settled book begins where that ended', () => {
  const rig = new Rig();
  rig.hand(0, 5, 500);
  rig.add(0, 'received', 2);
  rig.add(0, 'sent', 2);
  rig.add(0, 'answered', 2);
  rig.account.settleLost(0, 1);
  const again = new ShadowAccount('route origin', rig.book, LANES);
  assert.ok(again.isSettled());
  assert.equal(again.waitingBytes(), 0);
  again.addHanded(0);
  assert.equal(again.isSettled(), false);
  again.settleLost(0, 2);
  assert.equal(rig.read(0, 'drop_worker_lost'), 4);
});

test('the half-open breaker is released for the next copy, an open or closed one stays as it is', () => {
  const { closed, open, half_open } = BreakerState;
  for (const [before, after] of [
    [closed, closed],
    [open, open],
    [half_open, open],
  ] as const) {
    const rig = new Rig();
    rig.book.openUntil[0] = 1_000;
    Atomics.store(rig.book.words, ShadowWord.breaker_state, before);
    rig.account.settleLost(0, 10);
    assert.equal(Atomics.load(rig.book.words, ShadowWord.breaker_state), after);
    assert.equal(rig.book.openUntil[0], before === half_open ? 10 : 1_000);
  }
});

test('the sums hold at whatever point of its work a thread is lost, again and again', () => {
  const step = fc.record({
    lane: fc.constantFrom(0, 1),
    hand: fc.nat(20),
    // Shares of what could go on, in thousandths.
    decide: fc.nat(1_000),
    send: fc.nat(1_000),
    end: fc.nat(1_000),
    lose: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const rig = new Rig();
      const open = LANES.map(() => ({ waiting: 0, flying: 0 }));
      let matched = 0;
      for (const { lane, hand, decide, send, end, lose } of steps) {
        const state = open[lane]!;
        rig.hand(lane, hand, hand * 8);
        matched += hand;
        state.waiting += hand;
        const decided = Math.floor((state.waiting * decide) / 1_000);
        const sent = Math.floor((decided * send) / 1_000);
        rig.add(lane, 'received', decided);
        rig.add(lane, 'sent', sent);
        rig.add(lane, 'drop_breaker_open', decided - sent);
        rig.add(lane, 'released_bytes', decided * 8);
        state.waiting -= decided;
        state.flying += sent;
        const ended = Math.floor((state.flying * end) / 1_000);
        rig.add(lane, ended % 2 === 0 ? 'answered' : 'fail_read_timeout', ended);
        state.flying -= ended;
        if (!lose) continue;
        rig.account.settleLost(lane, 1);
        open[lane] = { waiting: 0, flying: 0 };
      }
      for (const lane of [0, 1]) rig.account.settleLost(lane, 1);
      const sum = (cells: readonly CellName[]): number =>
        cells.reduce((total, cell) => total + rig.book.sum(ShadowCell[cell]), 0);
      assert.equal(matched, sum([...DROP_REASONS.map((reason) => `drop_${reason}` as const), 'sent']));
      assert.equal(
        sum(['sent']),
        sum([...FAIL_REASONS.map((reason) => `fail_${reason}` as const), 'answered']),
      );
      assert.equal(rig.account.waitingBytes(), 0);
      assert.ok(rig.account.isSettled());
    }),
  );
});
