// What is kept of an answer: its bytes up to the bounds, else its digest; and that nothing of the budget is lost.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  type Answer,
  BodyCapture,
  BodyDigest,
  CaptureBudget,
  NONE_CAPTURED,
  toAnswer,
} from '../../src/mirror/answer.ts';

const BUDGET = 1000;

function toHash(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('base64');
}

function cut(body: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += size) pieces.push(body.subarray(at, at + size));
  return pieces;
}

/** Its reader is lent every piece in the same memory, as a client does it. */
function read(reader: BodyCapture | BodyDigest, body: Uint8Array, size: number): Answer {
  const lent = new Uint8Array(size);
  for (const piece of cut(body, size)) {
    lent.set(piece);
    reader.add(lent.subarray(0, piece.length));
    reader.add(lent.subarray(0, 0));
  }
  lent.fill(0);
  return reader.finish(200, 'a: b\r\n');
}

const BODY = Buffer.from(Array.from({ length: 300 }, (_, index) => index % 251));

for (const size of [1, 7, 299, 300, 1000]) {
  test(`a body of 300 bytes in pieces of ${size} is captured up to its bound, else hashed`, () => {
    for (const [bytesMax, isCaptured] of [
      [301, true],
      [300, true],
      [299, false],
      [0, false],
      [NONE_CAPTURED, false],
    ] as const) {
      const budget = new CaptureBudget(BUDGET);
      const answer = read(new BodyCapture(budget, bytesMax), BODY, size);
      assert.deepEqual([answer.status, answer.lines, answer.bodyBytes], [200, 'a: b\r\n', 300]);
      if (isCaptured) assert.deepEqual(Buffer.from(answer.body!), BODY);
      else assert.equal(answer.body, null);
      assert.equal(answer.digest, isCaptured ? '' : toHash(BODY));
      assert.equal(answer.toDigested().digest, toHash(BODY));
      assert.equal(budget.left === BUDGET, !isCaptured);
      answer.release(budget);
      answer.release(budget);
      assert.equal(budget.left, BUDGET);
    }
  });
}

test('without room in the thread a body is hashed, whatever came before', () => {
  const budget = new CaptureBudget(BUDGET);
  assert.ok(budget.take(701));
  const hashed = read(new BodyCapture(budget, 1000), BODY, 100);
  assert.equal(hashed.digest, toHash(BODY));
  assert.equal(budget.left, 299);
  budget.give(1);
  const captured = read(new BodyCapture(budget, 1000), BODY, 300);
  assert.equal(captured.bodyBytes, captured.body!.length);
  assert.equal(budget.left, 0);
  assert.equal(toAnswer(200, '', BODY, budget, 1000).digest, toHash(BODY));
  captured.release(budget);
  assert.equal(toAnswer(200, '', BODY, budget, 1000).body!.length, 300);
  assert.equal(budget.left, 0);
});

test('one rule has half of the thread’s room at most, and all of them together no more than there is', () => {
  const thread = new CaptureBudget(BUDGET);
  const [first, second, third] = [thread.openShare(), thread.openShare(), thread.openShare()];
  const capture = (budget: CaptureBudget, bytes: number): Answer =>
    toAnswer(200, '', Buffer.alloc(bytes), budget, BUDGET);
  const half = capture(first, BUDGET / 2);
  assert.equal(half.body?.length, BUDGET / 2);
  assert.equal(capture(first, 1).body, null);
  assert.equal(capture(second, BUDGET / 2 + 1).body, null);
  const other = capture(second, BUDGET / 2 - 1);
  assert.equal(other.body?.length, BUDGET / 2 - 1);
  assert.deepEqual([capture(third, 2).body, capture(third, 1).body?.length, thread.left], [null, 1, 0]);
  half.release(first);
  other.release(second);
  assert.deepEqual([first.left, second.left, thread.left], [BUDGET / 2, BUDGET / 2, BUDGET - 1]);
});

test('a body that breaks off gives its room back', () => {
  const budget = new CaptureBudget(BUDGET);
  const reader = new BodyCapture(budget, 1000);
  for (const piece of cut(BODY, 7)) reader.add(piece);
  assert.ok(budget.left < BUDGET);
  reader.discard();
  assert.equal(budget.left, BUDGET);
});

test('an empty body is empty bytes where bodies are captured, and the digest of nothing elsewhere', () => {
  const budget = new CaptureBudget(0);
  const nothing = Buffer.alloc(0);
  for (const captured of [
    new BodyCapture(budget, 0).finish(204, ''),
    toAnswer(204, '', nothing, budget, 0),
  ]) {
    assert.deepEqual([captured.body?.length, captured.digest], [0, '']);
  }
  for (const hashed of [
    new BodyCapture(budget, NONE_CAPTURED).finish(204, ''),
    new BodyDigest().finish(204, ''),
    toAnswer(204, '', nothing, budget, NONE_CAPTURED),
  ]) {
    assert.deepEqual([hashed.body, hashed.digest], [null, toHash(nothing)]);
  }
});

test('a digest reader says the same of one piece and of many', () => {
  for (const size of [1, 299, 300]) {
    const answer = read(new BodyDigest(), BODY, size);
    assert.deepEqual([answer.body, answer.bodyBytes, answer.digest], [null, 300, toHash(BODY)]);
  }
});

test('a captured body that is kept does not keep its batch', () => {
  const batch = Buffer.alloc(10_000, 'x');
  const budget = new CaptureBudget(BUDGET);
  const answer = toAnswer(200, '', batch.subarray(50, 60), budget, 100);
  assert.equal(answer.body!.buffer.byteLength, 10_000);
  answer.keep();
  assert.equal(answer.body!.buffer.byteLength, 10);
  const long = Buffer.alloc(100_000, 'x');
  assert.equal(toAnswer(200, '', long.subarray(50, 60), budget, 100).body!.buffer.byteLength, 10);
});
