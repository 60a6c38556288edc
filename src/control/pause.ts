// Whether the mirror of a route is paused: one word of its book, which front ends look at for each exchange.
//
// It belongs to the route's id and outlives reloads and changes of the route, but not the process.

import { RouteWord } from '../core/book.ts';
import type { LedgerRow } from './ledger.ts';

export function isPaused({ book }: LedgerRow): boolean {
  return Atomics.load(book.words, RouteWord.paused) === 1;
}

/** Returns whether that is a change. */
export function setPaused({ book }: LedgerRow, wanted: boolean): boolean {
  const word = wanted ? 1 : 0;
  return Atomics.exchange(book.words, RouteWord.paused, word) !== word;
}
