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
import { ROLE_CONTROL, ROLE_SHADOW, type Shadow } from '../core/model.ts';
import { FINDINGS_LOSSES, type FindingsStore } from './findings/findings-store.ts';
import type { Ledger, LedgerRow } from './ledger.ts';
import { isPaused } from './mirror-api/pause.ts';
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
  /** Mirrored routes. */
  readonly mirrors: readonly Labelled<LedgerRow>[];
  readonly shadows: readonly Labelled<ShadowBook>[];
  readonly controls: readonly Labelled<ShadowBook>[];
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
export function defineBookMetrics(ledger: Ledger, findings: FindingsStore, clock: Clock): Definition[] {
  const readSeries = createSeries(ledger);
  const readShadows = () => readSeries().shadows;
  const readControls = () => readSeries().controls;
  return [
    ...defineRoutes(readSeries, clock),
    ...defineMirrors(readSeries, findings),
    ...defineCounters(readShadows, SHADOW_WORDS),
    ...defineComparison(readShadows),
    ...defineGauges(readShadows, SHADOW_WORDS, clock),
    // Under names of their own: a control's copies are no shadow's, and whoever adds shadows up must not count them.
    ...defineCounters(readControls, CONTROL_WORDS),
    ...defineControlComparison(readControls),
    ...defineGauges(readControls, CONTROL_WORDS, clock),
  ];
}

/** How metrics of shadows, and the same ones of controls, are called and explained. */
interface Words {
  readonly prefix: string;
  readonly noun: string;
}

const SHADOW_WORDS: Words = { prefix: 'umbra_mirror', noun: 'shadow' };
const CONTROL_WORDS: Words = { prefix: 'umbra_control', noun: 'control' };

export function counter(name: string, help: string, read: Definition['read']): Definition {
  return { name, help, type: 'counter', read };
}

export function gauge(name: string, help: string, read: Definition['read']): Definition {
  return { name, help, type: 'gauge', read };
}

/** The label sets of the current routes, built once for each set of routes. */
function createSeries(ledger: Ledger): () => Series {
  let rows: readonly LedgerRow[] = [];
  let series: Series = { routes: [], mirrors: [], shadows: [], controls: [] };
  return () => {
    if (rows !== ledger.rows()) {
      rows = ledger.rows();
      series = {
        routes: rows.map((row) => ({ labels: { route: row.entry.route.id }, book: row.book })),
        mirrors: rows
          .filter((row) => row.shadows.length > 0)
          .map((row) => ({ labels: { route: row.entry.route.id }, book: row })),
        shadows: rows.flatMap((row) => toLabelled(row, ROLE_SHADOW)),
        controls: rows.flatMap((row) => toLabelled(row, ROLE_CONTROL)),
      };
    }
    return series;
  };
}

function toLabelled(row: LedgerRow, wanted: Shadow['role']): Labelled<ShadowBook>[] {
  return row.shadows
    .filter(({ role }) => role === wanted)
    .map(({ origin, book }) => ({ labels: { route: row.entry.route.id, [wanted]: origin }, book }));
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

function defineMirrors(readSeries: () => Series, findings: FindingsStore): Definition[] {
  const perMirror = (read: ReadBook<LedgerRow>) => perBook(() => readSeries().mirrors, read);
  return [
    counter(
      'umbra_limit_errors_total',
      'Exchanges whose copies a limit let pass because Redis did not count them.',
      perMirror(({ shadows }, emit) =>
        emit(shadows.reduce((sum, { book }) => sum + book.sum(ShadowCell.limit_errors), 0)),
      ),
    ),
    gauge(
      'umbra_mirror_paused',
      'Whether the mirror of a route is paused.',
      perMirror((row, emit) => emit(isPaused(row) ? 1 : 0)),
    ),
    gauge(
      'umbra_mirror_mismatches_stored',
      'Mismatches of a route that are kept for reading.',
      perMirror(({ entry }, emit) => emit(findings.countMismatches(entry.route.id, null))),
    ),
    counter(
      'umbra_findings_lost_total',
      'Reports of comparisons, or parts of them, that were not kept, by reason.',
      (emit) => {
        const losses = findings.losses();
        for (const reason of FINDINGS_LOSSES) emit(losses[reason], undefined, { reason });
      },
    ),
  ];
}

type ReadBooks = () => readonly Labelled<ShadowBook>[];

function cellOf(readBooks: ReadBooks, index: number): Definition['read'] {
  return perBook(readBooks, (book, emit) => emit(book.sum(index)));
}

function reasonsOf<Reason extends string>(
  readBooks: ReadBooks,
  names: readonly Reason[],
  toCell: (reason: Reason) => number,
): Definition['read'] {
  return perBook(readBooks, (book, emit) => {
    for (const reason of names) emit(book.sum(toCell(reason)), { reason });
  });
}

function defineCounters(readBooks: ReadBooks, { prefix, noun }: Words): Definition[] {
  const cell = (index: number) => cellOf(readBooks, index);
  return [
    counter(
      `${prefix}_matched_total`,
      `Copies for the ${noun} that were due: requests of a mirrored route.`,
      cell(ShadowCell.matched),
    ),
    counter(
      `${prefix}_skipped_total`,
      `Copies for the ${noun} that were decided against, by reason.`,
      reasonsOf(readBooks, SKIP_REASONS, (reason) => ShadowCell[`skip_${reason}`]),
    ),
    counter(
      `${prefix}_dropped_total`,
      `Copies for the ${noun} that were wanted and had no room, by reason.`,
      reasonsOf(readBooks, DROP_REASONS, (reason) => ShadowCell[`drop_${reason}`]),
    ),
    counter(
      `${prefix}_received_total`,
      `Copies for the ${noun} that a mirror thread took over.`,
      cell(ShadowCell.received),
    ),
    counter(`${prefix}_sent_total`, `Copies handed to a connection of the ${noun}.`, cell(ShadowCell.sent)),
    counter(
      `${prefix}_answered_total`,
      `Copies that the ${noun} answered, whatever the status.`,
      cell(ShadowCell.answered),
    ),
    counter(
      `${prefix}_answered_5xx_total`,
      `Copies that the ${noun} answered with a status from 500 on.`,
      cell(ShadowCell.answered_5xx),
    ),
    counter(
      `${prefix}_failed_total`,
      `Copies for the ${noun} that got no answer, by reason.`,
      reasonsOf(readBooks, FAIL_REASONS, (reason) => ShadowCell[`fail_${reason}`]),
    ),
    counter(
      `${prefix}_compared_total`,
      `Answers of the ${noun} that were compared.`,
      cell(ShadowCell.compared),
    ),
    counter(
      `${prefix}_uncompared_total`,
      `Answers of the ${noun} with nothing to compare with, by reason.`,
      reasonsOf(readBooks, UNCOMPARED_REASONS, (reason) => ShadowCell[`uncompared_${reason}`]),
    ),
  ];
}

function defineComparison(readBooks: ReadBooks): Definition[] {
  const cell = (index: number) => cellOf(readBooks, index);
  return [
    counter(
      'umbra_mirror_mismatches_total',
      'Compared answers that differ, noise left out: in anything, and in what.',
      perBook(readBooks, (book, emit) => {
        for (const [kind, index] of Object.entries(MISMATCH_KINDS)) emit(book.sum(index), { kind });
      }),
    ),
    counter(
      'umbra_mirror_noisy_total',
      'Compared answers with differences that were left out as noise.',
      cell(ShadowCell.noisy),
    ),
    counter(
      'umbra_mirror_reduced_total',
      'Answers compared in detail whose bodies were compared by digest alone.',
      cell(ShadowCell.reduced),
    ),
    counter(
      'umbra_mirror_primary_errors_total',
      'Copies that have ended and whose primary gave no whole answer, or one from 500 on.',
      cell(ShadowCell.primary_errors),
    ),
    gauge(
      'umbra_mirror_awaiting_control',
      "Answers that wait for the control's before they are compared.",
      cell(ShadowCell.awaiting_control),
    ),
    counter(
      'umbra_mirror_released_bytes_total',
      'Bytes of copies that mirror threads are through with; kept at the first shadow of a route.',
      cell(ShadowCell.released_bytes),
    ),
  ];
}

function defineControlComparison(readBooks: ReadBooks): Definition[] {
  return [
    counter(
      'umbra_control_differed_total',
      "Compared answers of the control that differ from the primary's: in anything, and in what.",
      perBook(readBooks, (book, emit) => {
        for (const [kind, index] of Object.entries(MISMATCH_KINDS)) emit(book.sum(index), { kind });
      }),
    ),
  ];
}

function defineGauges(readBooks: ReadBooks, { prefix, noun }: Words, clock: Clock): Definition[] {
  return [
    gauge(
      `${prefix}_in_flight`,
      `Copies on their way to the ${noun}.`,
      perBook(readBooks, (book, emit) => emit(book.inFlight())),
    ),
    gauge(
      `${prefix}_breaker_state`,
      `1 for the state that the breaker of the ${noun} is in, 0 for the others.`,
      perBook(readBooks, (book, emit) => {
        const current = readBreakerState(book);
        for (const state of BREAKER_STATES) emit(state === current ? 1 : 0, { state });
      }),
    ),
    gauge(
      `${prefix}_latency_seconds`,
      `Latency of the ${noun} over the last minutes.`,
      perBook(readBooks, (book, emit) => emitLatency(book, clock(), emit)),
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
