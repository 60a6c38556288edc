// The breaker's transitions, on shared memory and with a clock of its own.
// The breaker at work is in worker-breaker.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BREAKER_STATES, ShadowBook, ShadowWord } from '../../src/core/book.ts';
import {
  admitByBreaker,
  isBreakerOpen,
  onBreakerFailure,
  onBreakerSuccess,
  releaseBreaker,
} from '../../src/mirror/breaker.ts';

const settings = { failures: 3, openForMs: 1000 };

function createBook(): ShadowBook {
  return new ShadowBook(ShadowBook.allocate(2), 2);
}

function stateOf(book: ShadowBook): string {
  return BREAKER_STATES[book.words[ShadowWord.breaker_state]!]!;
}

function failTimes(book: ShadowBook, times: number, nowMs: number): void {
  for (let failure = 0; failure < times; failure++) onBreakerFailure(book, settings, nowMs);
}

test('a closed breaker admits all and opens at exactly the set number of failures', () => {
  const book = createBook();
  assert.equal(admitByBreaker(book, 0), true);
  failTimes(book, 2, 0);
  assert.equal(stateOf(book), 'closed');
  failTimes(book, 1, 0);
  assert.equal(stateOf(book), 'open');
  assert.equal(admitByBreaker(book, 999), false);
  assert.equal(isBreakerOpen(book, 999), true);
});

test('only failures in a row count', () => {
  const book = createBook();
  for (let round = 0; round < 5; round++) {
    failTimes(book, 2, 0);
    onBreakerSuccess(book);
  }
  assert.equal(stateOf(book), 'closed');
});

test('a breaker for one failure opens at the first', () => {
  const book = createBook();
  onBreakerFailure(book, { failures: 1, openForMs: 10 }, 5);
  assert.equal(stateOf(book), 'open');
  assert.equal(book.openUntil[0], 15);
});

test('when its time is over an open breaker admits exactly one copy', () => {
  const book = createBook();
  failTimes(book, 3, 0);
  assert.equal(isBreakerOpen(book, 1000), false);
  assert.equal(admitByBreaker(book, 1000), true);
  assert.equal(stateOf(book), 'half_open');
  assert.equal(admitByBreaker(book, 1000), false);
  assert.equal(isBreakerOpen(book, 5000), true);
});

test('the answer to that copy closes the breaker and starts the count anew', () => {
  const book = createBook();
  failTimes(book, 3, 0);
  admitByBreaker(book, 1000);
  onBreakerSuccess(book);
  assert.equal(stateOf(book), 'closed');
  failTimes(book, 2, 1000);
  assert.equal(stateOf(book), 'closed');
});

test('the failure of that copy opens the breaker again for its whole time', () => {
  const book = createBook();
  failTimes(book, 3, 0);
  admitByBreaker(book, 1000);
  onBreakerFailure(book, settings, 1500);
  assert.equal(stateOf(book), 'open');
  assert.equal(admitByBreaker(book, 2499), false);
  assert.equal(admitByBreaker(book, 2500), true);
});

test('late failures of copies from before do not lengthen the open time', () => {
  const book = createBook();
  failTimes(book, 3, 0);
  failTimes(book, 5, 900);
  assert.equal(book.openUntil[0], 1000);
});

test('a late answer of a copy from before does not close an open breaker', () => {
  const book = createBook();
  failTimes(book, 3, 0);
  onBreakerSuccess(book);
  assert.equal(stateOf(book), 'open');
});

test('releasing a half-open breaker lets the next copy find out; releasing another changes nothing', () => {
  const book = createBook();
  releaseBreaker(book, 0);
  assert.equal(stateOf(book), 'closed');
  failTimes(book, 3, 0);
  releaseBreaker(book, 0);
  assert.equal(book.openUntil[0], 1000);
  admitByBreaker(book, 1000);
  releaseBreaker(book, 1200);
  assert.equal(stateOf(book), 'open');
  assert.equal(admitByBreaker(book, 1200), true);
});

test('two views of one book share one breaker', () => {
  const book = createBook();
  const other = new ShadowBook(book.buffer, 2);
  failTimes(book, 2, 0);
  failTimes(other, 1, 0);
  assert.equal(admitByBreaker(book, 1000), true);
  assert.equal(admitByBreaker(other, 1000), false);
});
