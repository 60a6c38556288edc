// GET /metrics: every cell is shown once, every metric is documented, and nothing outlives a reload.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FindingsStore } from '../../src/control/findings/findings-store.ts';
import { createLedger, type Ledger } from '../../src/control/ledger.ts';
import { createMetrics, type Metrics } from '../../src/control/metrics.ts';
import { setPaused } from '../../src/control/mirror-api/pause.ts';
import type { CatalogStatus } from '../../src/control/route-catalog.ts';
import { LaneCell, RouteCell, ShadowCell, ShadowWord, ThreadCell } from '../../src/core/book.ts';
import { createClock } from '../../src/core/clock.ts';
import { HistogramWriter } from '../../src/core/histogram.ts';
import { sampleMismatch, sampleReport } from './findings-sample.ts';
import { CONTROL, OTHER_SHADOW, SHADOW, sampleRoute } from './sample.ts';

const NOW_MS = 6_000_000;

const CATALOG: CatalogStatus = {
  writes: 71,
  writeErrors: 73,
  isWritable: true,
  store: {
    lastSyncMs: 1_700_000_001_500,
    damaged: 103,
    failures: 107,
    restorations: 109,
    cacheFailures: 113,
  },
  lastChangeMs: 1_700_000_000_500,
  inForce: { file: 79, admin_api: 83 },
  idle: { shadowed: 89, invalid: 97, disabled: 101 },
};

interface Exposition {
  readonly types: ReadonlyMap<string, string>;
  /** Sample lines: everything before the value, then the value. */
  readonly samples: ReadonlyMap<string, number>;
}

function openMetrics(
  ledger: Ledger,
  clock = () => NOW_MS,
  findings = new FindingsStore({ ledger }),
): Metrics {
  return createMetrics({
    ledger,
    findings,
    version: '1.2.3',
    clock,
    isReady: () => true,
    readReload: () => ({ isSuccessful: true, succeededAtMs: 1_700_000_000_000 }),
    readLogsLost: () => 3,
    readUnread: () => 2,
    readCatalog: () => CATALOG,
  });
}

/** Reads the text strictly, so that a line Prometheus would refuse fails the test. */
function parseExposition(text: string): Exposition {
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  assert.ok(text.endsWith('\n'));
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const type = /^# TYPE ([a-z_:0-9]+) (counter|gauge|histogram|summary)$/.exec(line);
    if (type !== null) {
      assert.ok(!types.has(type[1]!), `two types of ${type[1]}`);
      types.set(type[1]!, type[2]!);
      continue;
    }
    const sample = /^([a-z_:0-9]+(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})?) (\S+)$/.exec(line);
    assert.ok(sample !== null, `not a sample: ${line}`);
    assert.ok(!samples.has(sample[1]!), `twice: ${sample[1]}`);
    samples.set(sample[1]!, Number(sample[2]));
  }
  return { types, samples };
}

function toName(series: string): string {
  return series.replace(/\{.*$/, '');
}

function toLabels(series: string): string[] {
  return [...series.matchAll(/([a-z_]+)="/g)].map((match) => match[1]!).sort();
}

/** Fills every cell of one route, one shadow and the process with a number of its own. */
function fill(ledger: Ledger): Map<string, number> {
  const expected = new Map<string, number>();
  const { book, shadows } = ledger.rows()[0]!;
  const shadow = shadows[0]!.book;
  let next = 1_000_003;
  const put = (name: string, cells: Float64Array, index: number) => {
    next += 7;
    cells[index] = next;
    expected.set(name, next);
  };
  for (const [name, cell] of Object.entries(ShadowCell)) put(`shadow ${name}`, shadow.cells, cell);
  for (const [name, cell] of Object.entries(RouteCell)) put(`route ${name}`, book.cells, cell);
  for (const [name, cell] of Object.entries(ThreadCell)) put(`thread ${name}`, ledger.process.threads, cell);
  for (const [name, cell] of Object.entries(LaneCell)) put(`lane ${name}`, ledger.process.lanes, cell);
  new HistogramWriter(shadow.buffer, shadow.histogramAt(0)).record(5, NOW_MS);
  new HistogramWriter(book.buffer, book.histogramAt(0)).record(5, NOW_MS);
  return expected;
}

test('every cell of the books is shown by exactly one sample', async () => {
  const ledger = createLedger({ frontends: 1, lanes: 1 });
  ledger.enter([sampleRoute({ id: 'api' })]);
  const expected = fill(ledger);
  const { samples } = parseExposition(await openMetrics(ledger).render());
  const values = [...samples.values()];
  // Shown in seconds, and together with the lines that the control thread lost.
  expected.set('thread loop_delay_ms', expected.get('thread loop_delay_ms')! / 1000);
  const suppressed = expected.get('thread logs_suppressed')! + expected.get('lane logs_suppressed')! + 3;
  assert.equal(samples.get('umbra_logs_suppressed_total'), suppressed);
  expected.delete('thread logs_suppressed');
  expected.delete('lane logs_suppressed');
  for (const [name, value] of expected) {
    assert.equal(values.filter((shown) => shown === value).length, 1, name);
  }
});

test('each number stands under its own name and labels', async () => {
  const ledger = createLedger({ frontends: 2, lanes: 1 });
  ledger.enter([sampleRoute({ id: 'api', shadows: [SHADOW, OTHER_SHADOW] })]);
  const { book, shadows } = ledger.row('api')!;
  const shadow = shadows[1]!.book;
  for (let writer = 0; writer < 4; writer++) shadow.cells[shadow.row(writer) + ShadowCell.skip_limit] = 2;
  shadow.cells[shadow.row(1) + ShadowCell.body_mismatched] = 9;
  shadow.words[ShadowWord.breaker_state] = 2;
  shadow.words[ShadowWord.in_flight + 3] = 6;
  book.cells[book.row(1) + RouteCell.status_2xx] = 11;
  book.cells[book.row(0) + RouteCell.connect_timeout] = 4;
  ledger.process.threads[ledger.process.threadRow(1) + ThreadCell.loop_delay_ms] = 250;
  ledger.process.threads[ledger.process.threadRow(1) + ThreadCell.not_found] = 8;
  const { samples, types } = parseExposition(await openMetrics(ledger).render());
  const where = `route="api",shadow="${OTHER_SHADOW}"`;
  const expected: Record<string, number> = {
    'umbra_build_info{version="1.2.3"}': 1,
    umbra_config_last_reload_successful: 1,
    'umbra_routes{source="file"}': 79,
    'umbra_routes{source="admin_api"}': 83,
    'umbra_routes_idle{reason="shadowed"}': 89,
    'umbra_routes_idle{reason="invalid"}': 97,
    'umbra_routes_idle{reason="disabled"}': 101,
    umbra_store_writes_total: 71,
    umbra_store_write_errors_total: 73,
    umbra_store_writable: 1,
    umbra_store_last_change_timestamp_seconds: 1_700_000_000.5,
    umbra_store_last_sync_timestamp_seconds: 1_700_000_001.5,
    umbra_store_damaged_resources: 103,
    umbra_store_failures_total: 107,
    umbra_store_restorations_total: 109,
    umbra_store_cache_failures_total: 113,
    umbra_config_last_reload_success_timestamp_seconds: 1_700_000_000,
    [`umbra_mirror_skipped_total{reason="limit",${where}}`]: 8,
    [`umbra_mirror_mismatches_total{kind="body",${where}}`]: 9,
    [`umbra_mirror_mismatches_total{kind="any",${where}}`]: 0,
    [`umbra_mirror_breaker_state{state="half_open",${where}}`]: 1,
    [`umbra_mirror_breaker_state{state="closed",${where}}`]: 0,
    [`umbra_mirror_breaker_state{state="open",${where}}`]: 0,
    [`umbra_mirror_in_flight{${where}}`]: 6,
    [`umbra_mirror_in_flight{route="api",shadow="${SHADOW}"}`]: 0,
    'umbra_requests_total{class="2xx",route="api"}': 11,
    'umbra_request_failures_total{reason="connect_timeout",route="api"}': 4,
    'umbra_loop_delay_seconds{thread="1"}': 0.25,
    'umbra_loop_delay_seconds{thread="0"}': 0,
    'umbra_refused_requests_total{reason="not_found"}': 8,
  };
  for (const [series, value] of Object.entries(expected)) assert.equal(samples.get(series), value, series);
  assert.ok(![...samples.keys()].some((series) => series.includes('latency')), 'no samples, no latency');
  for (const [name, type] of types) {
    if (!name.startsWith('umbra_')) continue;
    assert.equal(type === 'counter', name.endsWith('_total'), `${name} is a ${type}`);
  }
});

test('a control has metrics of its own, and no series among those of shadows', async () => {
  const ledger = createLedger({ frontends: 1, lanes: 1 });
  ledger.enter([sampleRoute({ id: 'api', control: CONTROL })]);
  const [shadow, control] = ledger.row('api')!.shadows.map(({ book }) => book);
  shadow!.cells[ShadowCell.sent] = 7;
  control!.cells[ShadowCell.sent] = 11;
  control!.cells[ShadowCell.fail_answer_too_large] = 2;
  control!.cells[ShadowCell.body_mismatched] = 3;
  control!.words[ShadowWord.in_flight] = 1;
  const { samples } = parseExposition(await openMetrics(ledger).render());
  const of = (name: string) => [...samples].filter(([series]) => toName(series) === name);
  assert.deepEqual(of('umbra_mirror_sent_total'), [
    [`umbra_mirror_sent_total{route="api",shadow="${SHADOW}"}`, 7],
  ]);
  const where = `route="api",control="${CONTROL}"`;
  assert.equal(samples.get(`umbra_control_sent_total{${where}}`), 11);
  assert.equal(samples.get(`umbra_control_failed_total{reason="answer_too_large",${where}}`), 2);
  assert.equal(samples.get(`umbra_control_differed_total{kind="body",${where}}`), 3);
  assert.equal(samples.get(`umbra_control_in_flight{${where}}`), 1);
  const mixed = [...samples.keys()].filter(
    (series) => series.includes(CONTROL) && !/^umbra_control_/.test(series),
  );
  assert.deepEqual(mixed, []);
});

test('pausing, kept mismatches and what was lost of findings are shown', async () => {
  const ledger = createLedger({ frontends: 1, lanes: 1 });
  ledger.enter([sampleRoute({ id: 'api' }), sampleRoute({ id: 'other' })]);
  const findings = new FindingsStore({ ledger });
  setPaused(ledger.row('api')!, true);
  findings.accept(sampleReport({ route: 'api', mismatches: [sampleMismatch(), sampleMismatch()] }));
  findings.accept(sampleReport({ route: 'gone' }));
  findings.accept(sampleReport({ route: 'api', revision: 'old' }));
  findings.accept(sampleReport({ route: 'api', revision: 'older' }));
  const { samples } = parseExposition(await openMetrics(ledger, undefined, findings).render());
  assert.deepEqual(
    [
      'umbra_mirror_paused{route="api"}',
      'umbra_mirror_paused{route="other"}',
      'umbra_mirror_mismatches_stored{route="api"}',
      'umbra_mirror_mismatches_stored{route="other"}',
      'umbra_findings_lost_total{reason="unknown_route"}',
      'umbra_findings_lost_total{reason="old_revision"}',
      'umbra_findings_lost_total{reason="field_no_room"}',
    ].map((series) => samples.get(series)),
    [1, 0, 2, 0, 1, 2, 0],
  );
});

test('docs/metrics.md and the exposition name the same metrics, types and labels', async () => {
  const ledger = createLedger({ frontends: 1, lanes: 1 });
  ledger.enter([sampleRoute({ id: 'api', control: CONTROL })]);
  fill(ledger);
  const control = ledger.rows()[0]!.shadows[1]!.book;
  new HistogramWriter(control.buffer, control.histogramAt(0)).record(5, NOW_MS);
  const { types, samples } = parseExposition(await openMetrics(ledger).render());
  const shown = new Map<string, string>();
  for (const [name, type] of types) {
    const labels = new Set([...samples.keys()].filter((series) => toName(series) === name).flatMap(toLabels));
    shown.set(name, `${type} | ${[...labels].sort().join(', ')}`.trim());
  }
  const documented = new Map<string, string>();
  const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  for (const [, name, type, labels] of page.matchAll(/^\| `([a-z0-9_]+)` \| (\w+) \|([^|]*)\| [^|]+ \|$/gm)) {
    const names = labels!
      .replaceAll('`', '')
      .split(',')
      .map((label) => label.trim());
    documented.set(name!, `${type} | ${names.sort().join(', ')}`.trim());
  }
  // Node's own come and go with what the process happens to do; ours are all here, always.
  const ours = ([name]: [string, string]) => name.startsWith('umbra_');
  assert.deepEqual([...documented].filter(ours).sort(), [...shown].filter(ours).sort());
  for (const name of [...shown.keys()].filter((each) => !each.startsWith('umbra_'))) {
    assert.match(name, /^(process|nodejs)_/);
    assert.ok(page.includes(`\`${name}\``), `${name} is not documented`);
  }
});

test('a removed route is gone from the next scrape and counts on when it returns', async () => {
  const ledger = createLedger({ frontends: 1, lanes: 1 });
  const metrics = openMetrics(ledger);
  ledger.enter([sampleRoute({ id: 'stays' }), sampleRoute({ id: 'goes' })]);
  const shadow = ledger.row('goes')!.shadows[0]!.book;
  shadow.cells[ShadowCell.sent] = 5;
  const series = `umbra_mirror_sent_total{route="goes",shadow="${SHADOW}"}`;
  assert.equal(parseExposition(await metrics.render()).samples.get(series), 5);
  ledger.enter([sampleRoute({ id: 'stays' })]);
  const without = await metrics.render();
  assert.ok(without.includes('route="stays"'));
  assert.ok(!without.includes('goes'));
  ledger.enter([sampleRoute({ id: 'goes' })]);
  shadow.cells[ShadowCell.sent] = 6;
  assert.equal(parseExposition(await metrics.render()).samples.get(series), 6);
});

test('quotes, backslashes and line breaks in a route id are escaped', async () => {
  const ledger = createLedger({ frontends: 1, lanes: 1 });
  ledger.enter([sampleRoute({ id: 'a"b\\c\nd' })]);
  const { samples } = parseExposition(await openMetrics(ledger).render());
  assert.equal(samples.get(`umbra_route_requests_total{route="a\\"b\\\\c\\nd"}`), 0);
});

test('scrapes at the same time share one text, later ones get a new one', async () => {
  const ledger = createLedger({ frontends: 1, lanes: 0 });
  const metrics = openMetrics(ledger, createClock());
  const [first, second] = await Promise.all([metrics.render(), metrics.render()]);
  assert.equal(first, second);
  ledger.process.threads[ThreadCell.connections] = 12;
  assert.match(await metrics.render(), /^umbra_connections 12$/m);
});

test('a thousand mirrored routes are shown in full', async (t) => {
  const ledger = createLedger({ frontends: 2, lanes: 1 });
  ledger.enter(Array.from({ length: 1000 }, (_, index) => sampleRoute({ id: `route-${index}` })));
  for (const { book, shadows } of ledger.rows()) {
    const shadow = shadows[0]!.book;
    new HistogramWriter(shadow.buffer, shadow.histogramAt(0)).record(5, NOW_MS);
    new HistogramWriter(book.buffer, book.histogramAt(0)).record(5, NOW_MS);
  }
  const metrics = openMetrics(ledger);
  for (const scrape of ['first', 'second']) {
    const begun = performance.now();
    const text = await metrics.render();
    const took = performance.now() - begun;
    t.diagnostic(`${scrape} scrape: ${took.toFixed(0)} ms, ${(text.length / 2 ** 20).toFixed(1)} MiB`);
    assert.equal(text.match(/^umbra_mirror_matched_total\{/gm)?.length, 1000);
    assert.equal(text.match(/^umbra_mirror_latency_seconds\{/gm)?.length, 3000);
  }
});
