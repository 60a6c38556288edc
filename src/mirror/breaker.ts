// The breaker of one shadow: state words in its book, shared by all threads of the process.
//
// closed: copies go. open: none, until its time is over. half_open: one copy is on its way to find out, nothing
// else goes. Front ends only look; mirror threads move it, by compare-and-swap.

import { BreakerState, type ShadowBook, ShadowWord } from '../core/book.ts';
import type { Breaker } from '../core/model.ts';

/** Whether a copy would be refused now: a plain look, for front ends. */
export function isBreakerOpen(book: ShadowBook, nowMs: number): boolean {
  const state = book.words[ShadowWord.breaker_state];
  if (state === BreakerState.closed) return false;
  return state === BreakerState.half_open || nowMs < book.openUntil[0]!;
}

/** Asks to send one copy now. After true, the copy must end in onBreakerSuccess() or onBreakerFailure(). */
export function admitByBreaker(book: ShadowBook, nowMs: number): boolean {
  const state = Atomics.load(book.words, ShadowWord.breaker_state);
  if (state === BreakerState.closed) return true;
  if (state === BreakerState.half_open || nowMs < book.openUntil[0]!) return false;
  return moveBreaker(book, BreakerState.open, BreakerState.half_open);
}

export function onBreakerSuccess(book: ShadowBook): void {
  if (Atomics.load(book.words, ShadowWord.breaker_failures) !== 0) {
    Atomics.store(book.words, ShadowWord.breaker_failures, 0);
  }
  moveBreaker(book, BreakerState.half_open, BreakerState.closed);
}

export function onBreakerFailure(book: ShadowBook, breaker: Breaker, nowMs: number): void {
  const failures = Atomics.add(book.words, ShadowWord.breaker_failures, 1) + 1;
  const state = Atomics.load(book.words, ShadowWord.breaker_state);
  if (state === BreakerState.open) return;
  if (state === BreakerState.closed && failures < breaker.failures) return;
  openBreaker(book, state, nowMs + breaker.openForMs);
}

/** A thread that died may have held the one copy of half_open: lets the next copy find out. */
export function releaseBreaker(book: ShadowBook, nowMs: number): void {
  openBreaker(book, BreakerState.half_open, nowMs);
}

function openBreaker(book: ShadowBook, from: number, untilMs: number): void {
  if (Atomics.load(book.words, ShadowWord.breaker_state) !== from) return;
  // Before the state, so that nobody sees it open with an old time.
  book.openUntil[0] = untilMs;
  moveBreaker(book, from, BreakerState.open);
}

function moveBreaker(book: ShadowBook, from: number, to: number): boolean {
  return Atomics.compareExchange(book.words, ShadowWord.breaker_state, from, to) === from;
}
