// The metrics of routes and shadows: one definition each, with name, help, type and how it is read from the books.
//
// Only reads, and only when asked. Labels are route ids and origins from the configuration, and closed sets of
// reasons; nothing that a client sends may become one.

import {
  BREAKER_STATES,
  DROP_REASONS,
  FAIL_REASONS,
  type RouteBook,
  RouteCell,
  type ShadowBook,
  ShadowCell,
  SKIP_REASONS,
  UNCOMPARED_REASONS,
} from '../core/book.ts';
import type { Clock } from '../core/clock.ts';
import { HistogramReading } from '../core/histogram.ts';
import type { Ledger, LedgerRow } from './ledger.ts';
import { readBreakerState } from './mirrors.ts';

export type Labels = Record<string, string>;
/** `series` says whose sample it is: the same object for every sample of one route or shadow. */
export type Emit = (value: number, series?: Labels, labels?: Labels) => void;

export interface Definition {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly read: (emit: Emit) => void;
}

interface Labelled<Book> {
  readonly labels: Labels;
  readonly book: Book;
}

interface Series {
  readonly routes: readonly Labelled<RouteBook>[];
  /** Mirrored routes: the books of all their shadows. */
  readonly mirrors: readonly Labelled<readonly ShadowBook[]>[];
  readonly shadows: readonly Labelled<ShadowBook>[];
}

const QUANTILES = [0.5, 0.95, 0.99] as const;
const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;
/** What a client of a known route may be refused or fail with. */
const ROUTE_FAILURES = [
  'client_gone',
  'refused',
  'reset',
  'malformed',
  'overload',
  'no_primary',
  'queue_full',
  'queue_timeout',
  'connect_timeout',
  'send_timeout',
  'read_timeout',
  'internal',
  'body_too_large',
] as const satisfies readonly (keyof typeof RouteCell)[];
const MISMATCH_KINDS = {
  any: ShadowCell.mismatched,
  status: ShadowCell.status_mismatched,
  header: ShadowCell.header_mismatched,
  body: ShadowCell.body_mismatched,
} as const;

/** What the ledger holds of the current routes and their shadows. `clock` is core/clock.ts's. */
export function defineBookMetrics(ledger: Ledger, clock: Clock): Definition[] {
  const readSeries = createSeries(ledger);
  return [
    ...defineRoutes(readSeries, clock),
    defineLimitErrors(readSeries),
    ...defineShadowCounters(readSeries),
    ...defineShadowGauges(readSeries, clock),
  ];
}

export function counter(name: string, help: string, read: Definition['read']): Definition {
  return { name, help, type: 'counter', read };
}

export function gauge(name: string, help: string, read: Definition['read']): Definition {
  return { name, help, type: 'gauge', read };
}

/** The label sets of the current routes, built once for each set of routes. */
function createSeries(ledger: Ledger): () => Series {
  let rows: readonly LedgerRow[] = [];
  let series: Series = { routes: [], mirrors: [], shadows: [] };
  return () => {
    if (rows !== ledger.rows()) {
      rows = ledger.rows();
      series = {
        routes: rows.map((row) => ({ labels: { route: row.entry.route.id }, book: row.book })),
        mirrors: rows
          .filter((row) => row.shadows.length > 0)
          .map((row) => ({
            labels: { route: row.entry.route.id },
            book: row.shadows.map((shadow) => shadow.book),
          })),
        shadows: rows.flatMap((row) =>
          row.shadows.map((shadow) => ({
            labels: { route: row.entry.route.id, shadow: shadow.origin },
            book: shadow.book,
          })),
        ),
      };
    }
    return series;
  };
}

type ReadBook<Book> = (book: Book, emit: (value: number, labels?: Labels) => void) => void;

function perBook<Book>(readList: () => readonly Labelled<Book>[], read: ReadBook<Book>): Definition['read'] {
  return (emit) => {
    for (const { labels: series, book } of readList()) {
      read(book, (value, labels) => emit(value, series, labels));
    }
  };
}

function defineRoutes(readSeries: () => Series, clock: Clock): Definition[] {
  const perRoute = (read: ReadBook<RouteBook>) => perBook(() => readSeries().routes, read);
  return [
    counter(
      'umbra_route_requests_total',
      'Requests that a route took.',
      perRoute((book, emit) => emit(book.sum(RouteCell.requests))),
    ),
    counter(
      'umbra_requests_total',
      'Answers to clients by class of status.',
      perRoute((book, emit) => {
        for (const name of STATUS_CLASSES) emit(book.sum(RouteCell[`status_${name}`]), { class: name });
      }),
    ),
    counter(
      'umbra_request_failures_total',
      'Exchanges that failed, by reason.',
      perRoute((book, emit) => {
        for (const reason of ROUTE_FAILURES) emit(book.sum(RouteCell[reason]), { reason });
      }),
    ),
    counter(
      'umbra_retries_total',
      'Further attempts at a primary.',
      perRoute((book, emit) => emit(book.sum(RouteCell.retries))),
    ),
    gauge(
      'umbra_primary_latency_seconds',
      'Latency of the primary over the last minutes.',
      perRoute((book, emit) => emitLatency(book, clock(), emit)),
    ),
  ];
}

function defineLimitErrors(readSeries: () => Series): Definition {
  return counter(
    'umbra_limit_errors_total',
    'Exchanges whose copies a limit let pass because Redis did not count them.',
    perBook(
      () => readSeries().mirrors,
      (books, emit) => emit(books.reduce((sum, book) => sum + book.sum(ShadowCell.limit_errors), 0)),
    ),
  );
}

function defineShadowCounters(readSeries: () => Series): Definition[] {
  const perShadow = (read: ReadBook<ShadowBook>) => perBook(() => readSeries().shadows, read);
  const cell = (index: number) => perShadow((book, emit) => emit(book.sum(index)));
  const reasons = <Reason extends string>(names: readonly Reason[], toCell: (reason: Reason) => number) =>
    perShadow((book, emit) => {
      for (const reason of names) emit(book.sum(toCell(reason)), { reason });
    });
  return [
    counter(
      'umbra_mirror_matched_total',
      'Copies that were due: requests of a mirrored route.',
      cell(ShadowCell.matched),
    ),
    counter(
      'umbra_mirror_skipped_total',
      'Copies that were decided against, by reason.',
      reasons(SKIP_REASONS, (reason) => ShadowCell[`skip_${reason}`]),
    ),
    counter(
      'umbra_mirror_dropped_total',
      'Copies that were wanted and had no room, by reason.',
      reasons(DROP_REASONS, (reason) => ShadowCell[`drop_${reason}`]),
    ),
    counter(
      'umbra_mirror_received_total',
      'Copies that a mirror thread took over.',
      cell(ShadowCell.received),
    ),
    counter('umbra_mirror_sent_total', 'Copies handed to a connection of the shadow.', cell(ShadowCell.sent)),
    counter(
      'umbra_mirror_answered_total',
      'Copies that the shadow answered, whatever the status.',
      cell(ShadowCell.answered),
    ),
    counter(
      'umbra_mirror_failed_total',
      'Copies that got no answer, by reason.',
      reasons(FAIL_REASONS, (reason) => ShadowCell[`fail_${reason}`]),
    ),
    counter('umbra_mirror_compared_total', 'Answers that were compared.', cell(ShadowCell.compared)),
    counter(
      'umbra_mirror_mismatches_total',
      'Compared answers that differ: in anything, and in what.',
      perShadow((book, emit) => {
        for (const [kind, index] of Object.entries(MISMATCH_KINDS)) emit(book.sum(index), { kind });
      }),
    ),
    counter(
      'umbra_mirror_uncompared_total',
      'Answers with nothing to compare with, by reason.',
      reasons(UNCOMPARED_REASONS, (reason) => ShadowCell[`uncompared_${reason}`]),
    ),
    counter(
      'umbra_mirror_released_bytes_total',
      'Bytes of copies that mirror threads are through with; kept at the first shadow of a route.',
      cell(ShadowCell.released_bytes),
    ),
  ];
}

function defineShadowGauges(readSeries: () => Series, clock: Clock): Definition[] {
  const perShadow = (read: ReadBook<ShadowBook>) => perBook(() => readSeries().shadows, read);
  return [
    gauge(
      'umbra_mirror_in_flight',
      'Copies on their way.',
      perShadow((book, emit) => emit(book.inFlight())),
    ),
    gauge(
      'umbra_mirror_breaker_state',
      '1 for the state that the breaker is in, 0 for the others.',
      perShadow((book, emit) => {
        const current = readBreakerState(book);
        for (const state of BREAKER_STATES) emit(state === current ? 1 : 0, { state });
      }),
    ),
    gauge(
      'umbra_mirror_latency_seconds',
      'Latency of the shadow over the last minutes.',
      perShadow((book, emit) => emitLatency(book, clock(), emit)),
    ),
  ];
}

/** Nothing without samples: a latency of 0 would be a lie. */
function emitLatency(
  book: RouteBook | ShadowBook,
  nowMs: number,
  emit: (value: number, labels: Labels) => void,
): void {
  const reading = new HistogramReading();
  book.readLatency(reading, nowMs);
  for (const quantile of QUANTILES) {
    const ms = reading.quantileMs(quantile);
    if (ms !== null) emit(ms / 1000, { quantile: String(quantile) });
  }
}
