// Whether the mirror of a route is paused: one word of its book, which front ends look at for each exchange.
//
// It outlives reloads and changes of the route, but neither the route nor the process: a route that is made anew under the
// same id is another one (ledger.ts).

import { type RouteBook, RouteWord } from '../../core/book.ts';

interface Paused {
  readonly book: RouteBook;
}

export function isPaused({ book }: Paused): boolean {
  return Atomics.load(book.words, RouteWord.paused) === 1;
}

/** Returns whether that is a change. */
export function setPaused({ book }: Paused, wanted: boolean): boolean {
  const word = wanted ? 1 : 0;
  return Atomics.exchange(book.words, RouteWord.paused, word) !== word;
}
