// The objects of GET /mirrors: field names, sums and what a route makes of its shadows.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLedger } from '../../src/control/ledger.ts';
import { readMirror, readMirrors } from '../../src/control/mirrors.ts';
import {
  BreakerState,
  DROP_REASONS,
  FAIL_REASONS,
  type ShadowBook,
  ShadowCell,
  ShadowWord,
  SKIP_REASONS,
  UNCOMPARED_REASONS,
} from '../../src/core/book.ts';
import { HistogramWriter } from '../../src/core/histogram.ts';
import { OTHER_SHADOW, SHADOW, sampleRoute } from './sample.ts';

const NOW_MS = 6_000_000;
/** Nothing is kept. */
const STORED = { countMismatches: () => 0 };
const WRITERS = { frontends: 2, lanes: 1 };

const FIGURES = [
  'matched',
  'total_mirrored',
  'total_success',
  'total_errors',
  'total_compared',
  'total_mismatches',
  'status_mismatches',
  'header_mismatches',
  'body_mismatches',
  'mismatch_store_size',
  'noisy',
  'reduced',
  'answered_5xx',
  'primary_errors',
  'latency_p50_ms',
  'latency_p95_ms',
  'latency_p99_ms',
  'primary_latency_p50_ms',
  'primary_latency_p95_ms',
  'primary_latency_p99_ms',
  'skipped',
  'dropped',
  'errors',
  'uncompared',
  'in_flight',
  'breaker',
];

function add(book: ShadowBook, writer: number, cell: keyof typeof ShadowCell, count: number): void {
  const index = book.row(writer) + ShadowCell[cell];
  book.cells[index] = book.cells[index]! + count;
}

function zeros(reasons: readonly string[]): Record<string, number> {
  return Object.fromEntries(reasons.map((reason) => [reason, 0]));
}

test('a route that has seen nothing shows every field, with zeros and without latencies', () => {
  const ledger = createLedger(WRITERS);
  ledger.enter([sampleRoute({ id: 'api' })]);
  const report = readMirror(ledger, STORED, 'api', NOW_MS)!;
  assert.deepEqual(Object.keys(report), [...FIGURES, 'paused', 'shadows', 'control']);
  assert.deepEqual(Object.keys(report.shadows), [SHADOW]);
  assert.deepEqual(Object.keys(report.shadows[SHADOW]!), FIGURES);
  const { shadows, paused, control, ...figures } = report;
  assert.deepEqual([paused, control], [false, null]);
  assert.deepEqual(figures, shadows[SHADOW]);
  assert.deepEqual(figures.skipped, zeros(SKIP_REASONS));
  assert.deepEqual(figures.dropped, zeros(DROP_REASONS));
  assert.deepEqual(figures.errors, zeros(FAIL_REASONS));
  assert.deepEqual(figures.uncompared, zeros(UNCOMPARED_REASONS));
  assert.equal(figures.latency_p50_ms, null);
  assert.equal(figures.primary_latency_p99_ms, null);
  assert.equal(figures.breaker, 'closed');
  for (const [name, value] of Object.entries(figures)) {
    if (typeof value === 'number') assert.equal(value, 0, name);
  }
});

test('a route is the sum of its shadows, over all writers', () => {
  const ledger = createLedger(WRITERS);
  ledger.enter([sampleRoute({ id: 'api', shadows: [SHADOW, OTHER_SHADOW] })]);
  const [one, two] = ledger.row('api')!.shadows.map((shadow) => shadow.book);
  add(one!, 0, 'matched', 10);
  add(one!, 2, 'matched', 5);
  add(one!, 0, 'skip_sampled_out', 2);
  add(one!, 1, 'drop_breaker_open', 1);
  add(one!, 1, 'sent', 12);
  add(one!, 1, 'answered', 9);
  add(one!, 3, 'fail_reset', 3);
  add(one!, 1, 'compared', 8);
  add(one!, 1, 'mismatched', 4);
  add(one!, 1, 'status_mismatched', 1);
  add(one!, 1, 'header_mismatched', 2);
  add(one!, 1, 'body_mismatched', 3);
  add(one!, 1, 'uncompared_not_captured', 1);
  add(two!, 0, 'matched', 15);
  add(two!, 3, 'sent', 15);
  add(two!, 3, 'answered', 14);
  add(two!, 3, 'fail_read_timeout', 1);
  one!.words[ShadowWord.in_flight + 1] = 4;
  two!.words[ShadowWord.in_flight + 3] = 3;

  const report = readMirror(ledger, STORED, 'api', NOW_MS)!;
  assert.equal(report.matched, 30);
  assert.equal(report.total_mirrored, 27);
  assert.equal(report.total_success, 23);
  assert.equal(report.total_errors, 4);
  assert.equal(report.in_flight, 7);
  assert.deepEqual(report.errors, { ...zeros(FAIL_REASONS), reset: 3, read_timeout: 1 });
  assert.deepEqual(report.skipped, { ...zeros(SKIP_REASONS), sampled_out: 2 });
  assert.deepEqual(report.dropped, { ...zeros(DROP_REASONS), breaker_open: 1 });
  assert.deepEqual(report.uncompared, { ...zeros(UNCOMPARED_REASONS), not_captured: 1 });
  assert.equal(report.total_compared, 8);
  assert.equal(report.total_mismatches, 4);
  assert.equal(report.status_mismatches, 1);
  assert.equal(report.header_mismatches, 2);
  assert.equal(report.body_mismatches, 3);
  assert.equal(report.shadows[SHADOW]!.total_errors, 3);
  assert.equal(report.shadows[SHADOW]!.in_flight, 4);
  assert.equal(report.shadows[OTHER_SHADOW]!.matched, 15);
  assert.equal(report.shadows[OTHER_SHADOW]!.total_compared, 0);
  assert.equal(report.shadows[OTHER_SHADOW]!.in_flight, 3);
});

test('the breaker of a route is the worst among its shadows', () => {
  const ledger = createLedger(WRITERS);
  ledger.enter([sampleRoute({ id: 'api', shadows: [SHADOW, OTHER_SHADOW] })]);
  const [one, two] = ledger.row('api')!.shadows.map((shadow) => shadow.book);
  const { closed, half_open, open } = BreakerState;
  for (const [first, second, worst] of [
    [closed, closed, 'closed'],
    [closed, half_open, 'half_open'],
    [half_open, open, 'open'],
    [open, closed, 'open'],
  ] as const) {
    one!.words[ShadowWord.breaker_state] = first;
    two!.words[ShadowWord.breaker_state] = second;
    const report = readMirror(ledger, STORED, 'api', NOW_MS)!;
    assert.equal(report.breaker, worst);
    assert.equal(BreakerState[report.shadows[SHADOW]!.breaker], first);
    assert.equal(BreakerState[report.shadows[OTHER_SHADOW]!.breaker], second);
  }
});

test('latencies are milliseconds with three decimals at most, merged over shadows, and expire', () => {
  const ledger = createLedger(WRITERS);
  ledger.enter([sampleRoute({ id: 'api', shadows: [SHADOW, OTHER_SHADOW] })]);
  const row = ledger.row('api')!;
  const [one, two] = row.shadows.map((shadow) => shadow.book);
  const fast = new HistogramWriter(one!.buffer, one!.histogramAt(1));
  const slow = new HistogramWriter(two!.buffer, two!.histogramAt(3));
  const primary = new HistogramWriter(row.book.buffer, row.book.histogramAt(0));
  for (let sample = 0; sample < 100; sample++) {
    fast.record(2.5, NOW_MS);
    slow.record(800, NOW_MS);
    primary.record(1.25, NOW_MS);
  }
  const near = (value: number | null, exact: number): void => {
    assert.ok(value !== null && Math.abs(value - exact) <= exact * 0.065, `${value} is not near ${exact}`);
    assert.equal(value, Number(value.toFixed(3)));
  };
  const report = readMirror(ledger, STORED, 'api', NOW_MS)!;
  near(report.latency_p50_ms, 2.5);
  near(report.latency_p95_ms, 800);
  near(report.latency_p99_ms, 800);
  near(report.shadows[SHADOW]!.latency_p99_ms, 2.5);
  near(report.shadows[OTHER_SHADOW]!.latency_p50_ms, 800);
  for (const figures of [report, ...Object.values(report.shadows)]) {
    near(figures.primary_latency_p50_ms, 1.25);
    near(figures.primary_latency_p99_ms, 1.25);
  }
  const later = readMirror(ledger, STORED, 'api', NOW_MS + 5 * 60_000)!;
  assert.equal(later.latency_p50_ms, null);
  assert.equal(later.primary_latency_p50_ms, null);
});

test('only current routes with a mirror are shown, whatever their ids', () => {
  const ledger = createLedger(WRITERS);
  ledger.enter([
    sampleRoute({ id: 'plain', shadows: null }),
    sampleRoute({ id: '__proto__' }),
    sampleRoute({ id: 'api' }),
  ]);
  assert.deepEqual(Object.keys(readMirrors(ledger, STORED, NOW_MS)), ['__proto__', 'api']);
  assert.equal(readMirror(ledger, STORED, 'plain', NOW_MS), null);
  assert.equal(readMirror(ledger, STORED, 'constructor', NOW_MS), null);
  assert.notEqual(readMirror(ledger, STORED, '__proto__', NOW_MS), null);
  ledger.enter([]);
  assert.deepEqual(readMirrors(ledger, STORED, NOW_MS), {});
});
