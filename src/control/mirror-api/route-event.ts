// What GET /events says of one route: the figures of GET /mirrors in short, and what its rule is (docs/admin.md).
//
// Owns how a change is noticed: by looking at the counters alone, so that a route in which nothing happens costs next to
// nothing each second.

import { RouteCell } from '../../core/book.ts';
import { type Mirror, ROLE_CONTROL, type Shadow } from '../../core/model.ts';
import type { LedgerRow } from '../ledger.ts';
import { type MirrorFigures, readTotals, type StoredCount } from '../mirrors.ts';
import { isPaused } from './pause.ts';

/** Numbers that differ when there is something new to say, besides latencies that grow old. */
export type Mark = readonly number[];

export function readMark({ entry, book, shadows }: LedgerRow, stored: StoredCount): Mark {
  let cells = 0;
  let words = 0;
  for (const [index, shadow] of shadows.entries()) {
    // Weighted by place, so that what moves from one cell to another shows.
    const { cells: values, words: states } = shadow.book;
    for (let at = 0; at < values.length; at++) cells += values[at]! * (at + 1);
    for (let at = 0; at < states.length; at++) words += Atomics.load(states, at) * (at + 1) * (index + 1);
  }
  return [
    cells,
    words,
    Atomics.load(book.words, 0),
    book.sum(RouteCell.requests),
    stored.countMismatches(entry.route.id, null),
  ];
}

export function isSameMark(one: Mark, other: Mark): boolean {
  return one.every((value, index) => value === other[index]);
}

/** JSON text. The route has a mirror. `nowMs` from core/clock.ts. */
export function toRouteEvent(row: LedgerRow, mirror: Mirror, stored: StoredCount, nowMs: number): string {
  const { skipped, dropped, errors, uncompared, ...figures } = readTotals(row, stored, nowMs);
  const isControl = ({ role }: Shadow): boolean => role === ROLE_CONTROL;
  return JSON.stringify({
    requests: row.book.sum(RouteCell.requests),
    ...figures,
    paused: isPaused(row),
    skipped: toHappened(skipped),
    dropped: toHappened(dropped),
    errors: toHappened(errors),
    uncompared: toHappened(uncompared),
    enabled: mirror.enabled,
    percentage: mirror.percentage,
    comparison: toComparison(mirror.compare),
    primaries: row.entry.route.backends.map(({ origin }) => origin),
    shadows: mirror.shadows.filter((shadow) => !isControl(shadow)).map(({ origin }) => origin),
    control: mirror.shadows.find(isControl)?.origin ?? null,
  } satisfies RouteEvent);
}

type RouteEvent = Omit<MirrorFigures, Reasons> &
  Record<Reasons, Record<string, number>> & {
    readonly paused: boolean;
    readonly requests: number;
    readonly enabled: boolean;
    readonly percentage: number;
    readonly comparison: 'none' | 'digest' | 'detailed';
    readonly primaries: readonly string[];
    readonly shadows: readonly string[];
    readonly control: string | null;
  };
type Reasons = 'skipped' | 'dropped' | 'errors' | 'uncompared';

function toHappened(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

function toComparison(compare: { readonly detail: unknown } | null): 'none' | 'digest' | 'detailed' {
  if (compare === null) return 'none';
  return compare.detail === null ? 'digest' : 'detailed';
}
