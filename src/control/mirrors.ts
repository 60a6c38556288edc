// Turns the books of mirrored routes into the objects of GET /mirrors.
//
// Field names are part of the Admin API (docs/admin.md). Only reads, and reads every number afresh: nothing is
// cached, and nothing here is on a request's path.

import {
  BREAKER_STATES,
  BreakerState,
  type BreakerStateName,
  DROP_REASONS,
  type DropReason,
  FAIL_REASONS,
  type FailReason,
  type RouteBook,
  type ShadowBook,
  ShadowCell,
  ShadowWord,
  SKIP_REASONS,
  type SkipReason,
  UNCOMPARED_REASONS,
  type UncomparedReason,
} from '../core/book.ts';
import { HistogramReading } from '../core/histogram.ts';
import { ROLE_CONTROL } from '../core/model.ts';
import type { FindingsStore } from './findings/findings-store.ts';
import type { Ledger, LedgerRow } from './ledger.ts';
import { isPaused } from './mirror-api/pause.ts';

/** Latencies are milliseconds over the rolling window of core/histogram.ts; null without samples. */
export interface MirrorFigures {
  readonly matched: number;
  readonly total_mirrored: number;
  readonly total_success: number;
  readonly total_errors: number;
  readonly total_compared: number;
  readonly total_mismatches: number;
  readonly status_mismatches: number;
  readonly header_mismatches: number;
  readonly body_mismatches: number;
  readonly mismatch_store_size: number;
  readonly noisy: number;
  readonly reduced: number;
  readonly answered_5xx: number;
  readonly primary_errors: number;
  readonly latency_p50_ms: number | null;
  readonly latency_p95_ms: number | null;
  readonly latency_p99_ms: number | null;
  readonly primary_latency_p50_ms: number | null;
  readonly primary_latency_p95_ms: number | null;
  readonly primary_latency_p99_ms: number | null;
  readonly skipped: Record<SkipReason, number>;
  readonly dropped: Record<DropReason, number>;
  readonly errors: Record<FailReason, number>;
  readonly uncompared: Record<UncomparedReason, number>;
  readonly in_flight: number;
  readonly breaker: BreakerStateName;
}

export interface ControlFigures extends MirrorFigures {
  readonly origin: string;
}

/** A route's figures are those of its shadows together, without the control; the shadows are keyed by origin. */
export interface MirrorReport extends MirrorFigures {
  readonly paused: boolean;
  readonly shadows: Record<string, MirrorFigures>;
  readonly control: ControlFigures | null;
}

/** How many mismatches are kept of a route, or of one of its shadows. */
export type StoredCount = Pick<FindingsStore, 'countMismatches'>;

/** From harmless to bad: a route shows the worst state among its shadows. */
const BREAKER_RANKS = { closed: 0, half_open: 1, open: 2 } as const satisfies Record<
  BreakerStateName,
  number
>;

/** Every mirrored route by id. `nowMs` from core/clock.ts. */
export function readMirrors(
  ledger: Ledger,
  stored: StoredCount,
  nowMs: number,
): Record<string, MirrorReport> {
  const reports: [string, MirrorReport][] = [];
  for (const row of ledger.rows()) {
    const report = readRow(row, stored, nowMs);
    if (report !== null) reports.push([row.entry.route.id, report]);
  }
  // fromEntries defines own properties, so an id like __proto__ is one as well.
  return Object.fromEntries(reports);
}

/** One route; null when it is unknown or has no mirror. */
export function readMirror(
  ledger: Ledger,
  stored: StoredCount,
  id: string,
  nowMs: number,
): MirrorReport | null {
  const row = ledger.row(id);
  return row === undefined ? null : readRow(row, stored, nowMs);
}

/** Name of a shadow's breaker state at this moment. */
export function readBreakerState(book: ShadowBook): BreakerStateName {
  const state = Atomics.load(book.words, ShadowWord.breaker_state);
  return BREAKER_STATES[state] ?? BREAKER_STATES[BreakerState.closed];
}

/** Null without mirror. */
function readRow(row: LedgerRow, stored: StoredCount, nowMs: number): MirrorReport | null {
  const { id, mirror } = row.entry.route;
  if (mirror === null) return null;
  const primary = readPrimaryLatency(row.book, nowMs);
  const control = row.shadows.find(({ role }) => role === ROLE_CONTROL);
  const shadows = row.shadows.filter((shadow) => shadow !== control);
  return {
    ...readTotals(row, stored, nowMs),
    paused: isPaused(row),
    shadows: Object.fromEntries(
      shadows.map(({ origin, book }) => [
        origin,
        toFigures([book], primary, stored.countMismatches(id, origin), nowMs),
      ]),
    ),
    control:
      control === undefined
        ? null
        : { origin: control.origin, ...toFigures([control.book], primary, 0, nowMs) },
  };
}

/** All shadows of a route together, without its control. */
export function readTotals(row: LedgerRow, stored: StoredCount, nowMs: number): MirrorFigures {
  const books = row.shadows.filter(({ role }) => role !== ROLE_CONTROL).map(({ book }) => book);
  const primary = readPrimaryLatency(row.book, nowMs);
  return toFigures(books, primary, stored.countMismatches(row.entry.route.id, null), nowMs);
}

function readPrimaryLatency(book: RouteBook, nowMs: number): HistogramReading {
  const reading = new HistogramReading();
  book.readLatency(reading, nowMs);
  return reading;
}

function toFigures(
  books: readonly ShadowBook[],
  primary: HistogramReading,
  storedCount: number,
  nowMs: number,
): MirrorFigures {
  const sum = (cell: number): number => books.reduce((total, book) => total + book.sum(cell), 0);
  const latency = new HistogramReading();
  for (const book of books) book.readLatency(latency, nowMs);
  const errors = toCounts(FAIL_REASONS, (reason) => sum(ShadowCell[`fail_${reason}`]));
  return {
    matched: sum(ShadowCell.matched),
    total_mirrored: sum(ShadowCell.sent),
    total_success: sum(ShadowCell.answered),
    total_errors: FAIL_REASONS.reduce((total, reason) => total + errors[reason], 0),
    total_compared: sum(ShadowCell.compared),
    total_mismatches: sum(ShadowCell.mismatched),
    status_mismatches: sum(ShadowCell.status_mismatched),
    header_mismatches: sum(ShadowCell.header_mismatched),
    body_mismatches: sum(ShadowCell.body_mismatched),
    mismatch_store_size: storedCount,
    noisy: sum(ShadowCell.noisy),
    reduced: sum(ShadowCell.reduced),
    answered_5xx: sum(ShadowCell.answered_5xx),
    primary_errors: sum(ShadowCell.primary_errors),
    latency_p50_ms: toMs(latency, 0.5),
    latency_p95_ms: toMs(latency, 0.95),
    latency_p99_ms: toMs(latency, 0.99),
    primary_latency_p50_ms: toMs(primary, 0.5),
    primary_latency_p95_ms: toMs(primary, 0.95),
    primary_latency_p99_ms: toMs(primary, 0.99),
    skipped: toCounts(SKIP_REASONS, (reason) => sum(ShadowCell[`skip_${reason}`])),
    dropped: toCounts(DROP_REASONS, (reason) => sum(ShadowCell[`drop_${reason}`])),
    errors,
    uncompared: toCounts(UNCOMPARED_REASONS, (reason) => sum(ShadowCell[`uncompared_${reason}`])),
    in_flight: books.reduce((total, book) => total + book.inFlight(), 0),
    breaker: toWorstBreaker(books),
  };
}

/** Every reason is present, also those that never happened. */
export function toCounts<Reason extends string>(
  reasons: readonly Reason[],
  count: (reason: Reason) => number,
): Record<Reason, number> {
  return Object.fromEntries(reasons.map((reason) => [reason, count(reason)])) as Record<Reason, number>;
}

function toWorstBreaker(books: readonly ShadowBook[]): BreakerStateName {
  let worst: BreakerStateName = 'closed';
  for (const book of books) {
    const state = readBreakerState(book);
    if (BREAKER_RANKS[state] > BREAKER_RANKS[worst]) worst = state;
  }
  return worst;
}

/** Rounded to whole microseconds, which is all that the histogram knows. */
function toMs(reading: HistogramReading, quantile: number): number | null {
  const ms = reading.quantileMs(quantile);
  return ms === null ? null : Math.round(ms * 1000) / 1000;
}
