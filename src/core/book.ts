// The books: every counter that crosses a thread border, in shared memory.
//
// Each book has one row per writer, and a row is written by one thread only, with plain loads and stores; readers
// add the rows up. Cells are doubles, so that they never wrap: an aligned 8-byte store is not torn on the 64-bit
// machines that umbra runs on. Nobody waits for anybody here.
//
// The sums that hold once traffic has ceased, for every shadow:
//   matched = skipped + dropped + sent        sent = answered + failed
//   answered = compared + uncompared          (where the route compares; a control likewise)

import { HISTOGRAM_BYTES, type HistogramReading } from './histogram.ts';
import type { Route } from './model.ts';

/** Decided not to send. */
export const SKIP_REASONS = [
  'condition',
  'sampled_out',
  'limit',
  'body_too_large',
  'loop',
  'incomplete',
  'disabled',
  'paused',
  'unredactable',
] as const;
/** Wanted to send, had no room. */
export const DROP_REASONS = ['queue_full', 'breaker_open', 'overload', 'shutdown', 'worker_lost'] as const;
/** Sent, but no answer came. */
export const FAIL_REASONS = [
  'refused',
  'connect_timeout',
  'reset',
  'malformed',
  'send_timeout',
  'read_timeout',
  'answer_too_large',
  'worker_lost',
  'shutdown',
] as const;
/**
 * Answered, but there was nothing to compare with: the primary failed, its answer was cut short, an answer could not be
 * kept, or the control's body is another one as a whole.
 */
export const UNCOMPARED_REASONS = [
  'primary_failed',
  'primary_incomplete',
  'not_captured',
  'body_is_noise',
] as const;

export type SkipReason = (typeof SKIP_REASONS)[number];
export type DropReason = (typeof DROP_REASONS)[number];
export type FailReason = (typeof FAIL_REASONS)[number];
export type UncomparedReason = (typeof UNCOMPARED_REASONS)[number];

/** Cells of a shadow's row. The order is the layout. */
export const ShadowCell = {
  matched: 0,
  skip_condition: 1,
  skip_sampled_out: 2,
  skip_limit: 3,
  skip_body_too_large: 4,
  skip_loop: 5,
  skip_incomplete: 6,
  skip_disabled: 7,
  skip_paused: 8,
  skip_unredactable: 9,
  drop_queue_full: 10,
  drop_breaker_open: 11,
  drop_overload: 12,
  drop_shutdown: 13,
  drop_worker_lost: 14,
  /** Copies that a mirror thread took over. */
  received: 15,
  sent: 16,
  answered: 17,
  fail_refused: 18,
  fail_connect_timeout: 19,
  fail_reset: 20,
  fail_malformed: 21,
  fail_send_timeout: 22,
  fail_read_timeout: 23,
  fail_answer_too_large: 24,
  fail_worker_lost: 25,
  fail_shutdown: 26,
  compared: 27,
  /** Comparisons with a difference that is not noise. */
  mismatched: 28,
  status_mismatched: 29,
  header_mismatched: 30,
  body_mismatched: 31,
  /** Comparisons in which differences were left out as noise. */
  noisy: 32,
  /** Comparisons in detail whose bodies were compared by digest alone: too long, too much work, or neither JSON nor text that can be read. */
  reduced: 33,
  /** Answers with a status from 500 on. */
  answered_5xx: 34,
  /** Sent copies of a comparing route that have ended and whose primary gave no answer, a part of one, or one from 500 on. */
  primary_errors: 35,
  uncompared_primary_failed: 36,
  uncompared_primary_incomplete: 37,
  uncompared_not_captured: 38,
  uncompared_body_is_noise: 39,
  /** In the row of a mirror lane, first shadow of a route only: bytes of the route's records it is through with. */
  released_bytes: 40,
  /** In the row of a mirror lane, first shadow of a route only: exchanges that a limit let pass because Redis did not count them. */
  limit_errors: 41,
  /** Answers that wait for the control's before they are compared: a gauge. */
  awaiting_control: 42,
} as const;
const SHADOW_CELLS = 43;

/** Cells of a route's row, written by front ends. */
export const RouteCell = {
  requests: 0,
  status_1xx: 1,
  status_2xx: 2,
  status_3xx: 3,
  status_4xx: 4,
  status_5xx: 5,
  retries: 6,
  client_gone: 7,
  refused: 8,
  reset: 9,
  malformed: 10,
  overload: 11,
  no_primary: 12,
  queue_full: 13,
  queue_timeout: 14,
  connect_timeout: 15,
  send_timeout: 16,
  read_timeout: 17,
  internal: 18,
  body_too_large: 19,
} as const;
const ROUTE_CELLS = 20;

/** What front ends are told of a route while they run, Int32. */
export const RouteWord = {
  /** 1 while its mirror is paused. */
  paused: 0,
} as const;
/** With padding, for the cells that follow. */
const ROUTE_WORDS = 2;

/** Cells of a front-end thread's own row. Gauges and totals that belong to no route. */
export const ThreadCell = {
  connections: 0,
  exchanges: 1,
  requests: 2,
  bad_request: 3,
  not_found: 4,
  target_too_long: 5,
  headers_too_large: 6,
  overload: 7,
  connections_refused: 8,
  /** Bytes held for copies: taps, outbox, and jobs that mirror threads have not sent yet. */
  queued_bytes: 9,
  loop_delay_ms: 10,
  mirror_threads: 11,
  mirror_threads_lost: 12,
  logs_suppressed: 13,
  retries_denied: 14,
  body_too_large: 15,
} as const;
const THREAD_CELLS = 16;

/** Cells of a mirror lane's row, written by its mirror thread. */
export const LaneCell = {
  /** Copies that wait for room at their shadow. */
  waiting: 0,
  logs_suppressed: 1,
  /** Times that jobs were taken over, and jobs. */
  batches: 2,
  jobs: 3,
} as const;
const LANE_CELLS = 4;

/** How many threads write. Writer indices are dense: each front end, followed by its mirror lanes. */
export interface Writers {
  readonly frontends: number;
  /** Mirror lanes of each front end. */
  readonly lanes: number;
}

export function writerCount(writers: Writers): number {
  return writers.frontends * (1 + writers.lanes);
}

export function frontendWriter(writers: Writers, frontend: number): number {
  return frontend * (1 + writers.lanes);
}

export function laneWriter(writers: Writers, frontend: number, lane: number): number {
  return frontend * (1 + writers.lanes) + 1 + lane;
}

/** Shared state words of a shadow, Int32, for Atomics. Followed by one in-flight word per writer. */
export const ShadowWord = {
  breaker_state: 0,
  breaker_failures: 1,
  in_flight: 2,
} as const;

/** Values of the breaker_state word; mirror/breaker.ts alone moves it. */
export const BreakerState = { closed: 0, open: 1, half_open: 2 } as const;

/** Names of the states, in the order of their values. */
export const BREAKER_STATES = ['closed', 'open', 'half_open'] as const;

export type BreakerStateName = (typeof BREAKER_STATES)[number];

function align8(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** A view of one shadow's book. Any number of views may exist on one buffer. */
export class ShadowBook {
  readonly buffer: SharedArrayBuffer;
  readonly writers: number;
  /** Rows of SHADOW_CELLS cells; see row(). */
  readonly cells: Float64Array;
  /** breaker and in-flight words; see ShadowWord. */
  readonly words: Int32Array;
  /** One cell: clock time in ms until which the breaker stays open. */
  readonly openUntil: Float64Array;
  readonly #histogramsAt: number;

  constructor(buffer: SharedArrayBuffer, writers: number) {
    this.buffer = buffer;
    this.writers = writers;
    const words = ShadowWord.in_flight + writers;
    let at = 0;
    this.openUntil = new Float64Array(buffer, at, 1);
    at += 8;
    this.words = new Int32Array(buffer, at, words);
    at += align8(words * 4);
    this.cells = new Float64Array(buffer, at, writers * SHADOW_CELLS);
    this.#histogramsAt = at + writers * SHADOW_CELLS * 8;
  }

  static allocate(writers: number): SharedArrayBuffer {
    const words = align8((ShadowWord.in_flight + writers) * 4);
    return new SharedArrayBuffer(8 + words + writers * (SHADOW_CELLS * 8 + HISTOGRAM_BYTES));
  }

  /** Index of a writer's first cell. */
  row(writer: number): number {
    return writer * SHADOW_CELLS;
  }

  sum(cell: number): number {
    let total = 0;
    for (let writer = 0; writer < this.writers; writer++) total += this.cells[writer * SHADOW_CELLS + cell]!;
    return total;
  }

  /** Every cell's sum, by ShadowCell. */
  sums(): Float64Array {
    const sums = new Float64Array(SHADOW_CELLS);
    for (let at = 0; at < this.cells.length; at++) {
      const cell = at % SHADOW_CELLS;
      sums[cell] = sums[cell]! + this.cells[at]!;
    }
    return sums;
  }

  /** Copies in flight over all threads. */
  inFlight(): number {
    let total = 0;
    for (let writer = 0; writer < this.writers; writer++) {
      total += Atomics.load(this.words, ShadowWord.in_flight + writer);
    }
    return total;
  }

  /** Byte offset of a writer's latency histogram. */
  histogramAt(writer: number): number {
    return this.#histogramsAt + writer * HISTOGRAM_BYTES;
  }

  readLatency(into: HistogramReading, nowMs: number): void {
    for (let writer = 0; writer < this.writers; writer++)
      into.add(this.buffer, this.histogramAt(writer), nowMs);
  }
}

/** A view of one route's book: what clients got and how long the primary took, written by front ends; and what they are told. */
export class RouteBook {
  readonly buffer: SharedArrayBuffer;
  readonly frontends: number;
  readonly cells: Float64Array;
  /** See RouteWord. Written by the control thread. */
  readonly words: Int32Array;

  constructor(buffer: SharedArrayBuffer, frontends: number) {
    this.buffer = buffer;
    this.frontends = frontends;
    this.words = new Int32Array(buffer, 0, ROUTE_WORDS);
    this.cells = new Float64Array(buffer, ROUTE_WORDS * 4, frontends * ROUTE_CELLS);
  }

  static allocate(frontends: number): SharedArrayBuffer {
    return new SharedArrayBuffer(ROUTE_WORDS * 4 + frontends * (ROUTE_CELLS * 8 + HISTOGRAM_BYTES));
  }

  row(frontend: number): number {
    return frontend * ROUTE_CELLS;
  }

  sum(cell: number): number {
    let total = 0;
    for (let frontend = 0; frontend < this.frontends; frontend++)
      total += this.cells[frontend * ROUTE_CELLS + cell]!;
    return total;
  }

  histogramAt(frontend: number): number {
    return ROUTE_WORDS * 4 + this.frontends * ROUTE_CELLS * 8 + frontend * HISTOGRAM_BYTES;
  }

  readLatency(into: HistogramReading, nowMs: number): void {
    for (let frontend = 0; frontend < this.frontends; frontend++)
      into.add(this.buffer, this.histogramAt(frontend), nowMs);
  }
}

/** The process's own rows: one per front end, one per mirror lane. */
export class ProcessBook {
  readonly buffer: SharedArrayBuffer;
  readonly writers: Writers;
  readonly threads: Float64Array;
  readonly lanes: Float64Array;

  constructor(buffer: SharedArrayBuffer, writers: Writers) {
    this.buffer = buffer;
    this.writers = writers;
    this.threads = new Float64Array(buffer, 0, writers.frontends * THREAD_CELLS);
    this.lanes = new Float64Array(
      buffer,
      writers.frontends * THREAD_CELLS * 8,
      writers.frontends * writers.lanes * LANE_CELLS,
    );
  }

  static allocate(writers: Writers): SharedArrayBuffer {
    return new SharedArrayBuffer(
      writers.frontends * THREAD_CELLS * 8 + writers.frontends * writers.lanes * LANE_CELLS * 8,
    );
  }

  threadRow(frontend: number): number {
    return frontend * THREAD_CELLS;
  }

  laneRow(frontend: number, lane: number): number {
    return (frontend * this.writers.lanes + lane) * LANE_CELLS;
  }

  sumThreads(cell: number): number {
    let total = 0;
    for (let row = 0; row < this.writers.frontends; row++) total += this.threads[row * THREAD_CELLS + cell]!;
    return total;
  }

  sumLanes(cell: number): number {
    let total = 0;
    const rows = this.writers.frontends * this.writers.lanes;
    for (let row = 0; row < rows; row++) total += this.lanes[row * LANE_CELLS + cell]!;
    return total;
  }
}

/** Shared memory that goes with one route to every thread. */
export interface RouteMemory {
  readonly book: SharedArrayBuffer;
  /** In the order of the mirror's shadows; empty without mirror. */
  readonly shadows: readonly SharedArrayBuffer[];
  /** core/window.ts; null without a limit. */
  readonly limit: SharedArrayBuffer | null;
  /** One Int32: the next place in the balancer's cycle, so that shares are exact over all threads. */
  readonly cursor: SharedArrayBuffer;
}

/** A route as it is handed to a thread. */
export interface RouteEntry {
  readonly route: Route;
  readonly memory: RouteMemory;
}
