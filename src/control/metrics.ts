// Owns the text of GET /metrics: what every book says, by name, type and labels (docs/metrics.md).
//
// Reads the books only when somebody scrapes, and keeps no number and no label set between scrapes, so a route
// that was removed is gone from the next one. Labels come from the configuration or from closed sets of reasons,
// never from a request.

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { LaneCell, ThreadCell } from '../core/book.ts';
import type { Clock } from '../core/clock.ts';
import {
  counter,
  type Definition,
  defineBookMetrics,
  type Emit,
  gauge,
  type Labels,
} from './book-metrics.ts';
import type { FindingsStore } from './findings/findings-store.ts';
import type { Ledger } from './ledger.ts';
import type { CatalogStatus } from './route-catalog.ts';

export interface ReloadStatus {
  /** Whether the last attempt to load the configuration was accepted; the first load counts. */
  readonly isSuccessful: boolean;
  /** Unix time in milliseconds of the last one that was. */
  readonly succeededAtMs: number;
}

export interface MetricsOptions {
  readonly ledger: Ledger;
  readonly findings: FindingsStore;
  readonly version: string;
  readonly clock: Clock;
  /** What GET /readyz says. */
  readonly isReady: () => boolean;
  readonly readReload: () => ReloadStatus;
  /** Log lines lost on the control thread's side (control/logs.ts). */
  readonly readLogsLost: () => number;
  /** Answers and connections of the admin listeners that were given up because clients do not read. */
  readonly readUnread: () => number;
  readonly readCatalog: () => CatalogStatus;
}

export interface Metrics {
  readonly contentType: string;
  /** The whole exposition. Scrapes that arrive while one is being written share it. */
  render(): Promise<string>;
}

interface Sample {
  value: number;
  labels: Labels;
  /** Labels that many samples have in common: prom-client writes each such object out once and remembers it. */
  sharedLabels: Labels;
}

const NO_LABELS: Labels = {};
/** What the edge refuses before a route is known. */
const EDGE_REFUSALS = [
  'bad_request',
  'not_found',
  'target_too_long',
  'headers_too_large',
  'body_too_large',
  'overload',
] as const satisfies readonly (keyof typeof ThreadCell)[];

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const { ledger, clock } = options;
  for (const definition of [
    ...defineProcess(options),
    ...defineCatalog(options.readCatalog),
    ...defineThreads(ledger),
    ...defineBookMetrics(ledger, options.findings, clock),
  ]) {
    registerDefinition(registry, definition);
  }
  let defaults: Registry | null = null;
  let rendering: Promise<string> | null = null;

  async function renderOnce(): Promise<string> {
    // Some of prom-client's own metrics watch the loop from then on: not before the first scrape.
    defaults ??= openDefaults();
    return (await registry.metrics()) + (await defaults.metrics());
  }
  return {
    contentType: registry.contentType,
    render() {
      rendering ??= renderOnce().finally(() => {
        rendering = null;
      });
      return rendering;
    },
  };
}

function openDefaults(): Registry {
  const defaults = new Registry();
  // Ten wake-ups a second for the loop delay, instead of a hundred.
  collectDefaultMetrics({ register: defaults, eventLoopMonitoringPrecision: 100 });
  return defaults;
}

/** Lets prom-client write samples that are read at that moment, instead of sets of its own. */
function registerDefinition(registry: Registry, definition: Definition): void {
  const { name, help, read } = definition;
  const Base = definition.type === 'counter' ? Counter : Gauge;
  const metric = new Base({ name, help, registers: [registry] });
  const get = metric.get.bind(metric);
  metric.get = async () => {
    const values: Sample[] = [];
    read((value, series = NO_LABELS, labels = NO_LABELS) => {
      values.push({ value, labels, sharedLabels: series });
    });
    return { ...(await get()), values };
  };
}

function defineProcess(options: MetricsOptions): Definition[] {
  const { ledger, version, isReady, readReload, readLogsLost, readUnread } = options;
  return [
    gauge('umbra_build_info', 'Always 1; the label says which version runs.', (emit) => emit(1, { version })),
    gauge('umbra_ready', 'Whether clients should be sent here, as GET /readyz says.', (emit) =>
      emit(isReady() ? 1 : 0),
    ),
    gauge(
      'umbra_config_last_reload_successful',
      'Whether the last load of the configuration was accepted.',
      (emit) => emit(readReload().isSuccessful ? 1 : 0),
    ),
    gauge(
      'umbra_config_last_reload_success_timestamp_seconds',
      'Unix time of the last accepted load of the configuration.',
      (emit) => emit(readReload().succeededAtMs / 1000),
    ),
    counter(
      'umbra_logs_suppressed_total',
      'Log lines that were not written because there were too many.',
      (emit) =>
        emit(
          ledger.process.sumThreads(ThreadCell.logs_suppressed) +
            ledger.process.sumLanes(LaneCell.logs_suppressed) +
            readLogsLost(),
        ),
    ),
    counter(
      'umbra_admin_unread_total',
      'Answers and connections of the admin listener that were given up because clients do not read.',
      (emit) => emit(readUnread()),
    ),
  ];
}

function defineCatalog(read: () => CatalogStatus): Definition[] {
  return [
    gauge('umbra_routes', 'Routes in force, by where they stand.', (emit) => {
      for (const [source, count] of Object.entries(read().inForce)) emit(count, { source });
    }),
    gauge('umbra_routes_idle', 'Stored routes that are not in force, by reason.', (emit) => {
      for (const [reason, count] of Object.entries(read().idle)) emit(count, { reason });
    }),
    counter('umbra_store_writes_total', 'Changes that were stored.', (emit) => emit(read().writes)),
    counter('umbra_store_write_errors_total', 'Changes that could not be stored.', (emit) =>
      emit(read().writeErrors),
    ),
    gauge('umbra_store_writable', 'Whether a change would be stored now.', (emit) =>
      emit(read().isWritable ? 1 : 0),
    ),
    gauge(
      'umbra_store_last_change_timestamp_seconds',
      'Unix time of the newest change of what the store holds; 0 when it never held anything.',
      (emit) => emit(read().lastChangeMs / 1000),
    ),
    gauge(
      'umbra_store_last_sync_timestamp_seconds',
      'Unix time when a shared store was last read; 0 before, and for a store in a file.',
      (emit) => emit((read().store.lastSyncMs ?? 0) / 1000),
    ),
    gauge('umbra_store_damaged_resources', 'Resources of a shared store that cannot be read.', (emit) =>
      emit(read().store.damaged),
    ),
    counter(
      'umbra_store_failures_total',
      'Times that a shared store could not be read, or gave no answer to a change.',
      (emit) => emit(read().store.failures),
    ),
    counter(
      'umbra_store_restorations_total',
      'Times that this gateway put its routes back into a shared store that had lost them.',
      (emit) => emit(read().store.restorations),
    ),
    counter(
      'umbra_store_cache_failures_total',
      'Times that the routes of a shared store could not be kept on disk.',
      (emit) => emit(read().store.cacheFailures),
    ),
  ];
}

function defineThreads({ process }: Ledger): Definition[] {
  const sum = (cell: number) => (emit: Emit) => emit(process.sumThreads(cell));
  return [
    gauge('umbra_connections', 'Open client connections.', sum(ThreadCell.connections)),
    gauge('umbra_exchanges_in_flight', 'Exchanges that have begun and not ended.', sum(ThreadCell.exchanges)),
    counter(
      'umbra_edge_requests_total',
      'Requests that front ends have read, refused ones included.',
      sum(ThreadCell.requests),
    ),
    counter('umbra_refused_requests_total', 'Requests refused before a route took them.', (emit) => {
      for (const reason of EDGE_REFUSALS) emit(process.sumThreads(ThreadCell[reason]), { reason });
    }),
    counter(
      'umbra_refused_connections_total',
      'Client connections closed at once: too many from one address.',
      sum(ThreadCell.connections_refused),
    ),
    counter(
      'umbra_retries_denied_total',
      'Retries that were due but not made: too many at that moment.',
      sum(ThreadCell.retries_denied),
    ),
    gauge('umbra_loop_delay_seconds', 'How late the event loop of a front-end thread runs.', (emit) => {
      for (let thread = 0; thread < process.writers.frontends; thread++) {
        const delayMs = process.threads[process.threadRow(thread) + ThreadCell.loop_delay_ms]!;
        emit(delayMs / 1000, { thread: String(thread) });
      }
    }),
    gauge('umbra_mirror_threads', 'Mirror threads that run.', sum(ThreadCell.mirror_threads)),
    counter(
      'umbra_mirror_threads_lost_total',
      'Mirror threads that ended unasked and were replaced.',
      sum(ThreadCell.mirror_threads_lost),
    ),
    gauge(
      'umbra_mirror_queue_bytes',
      'Bytes held for copies that are not sent yet.',
      sum(ThreadCell.queued_bytes),
    ),
    gauge('umbra_mirror_waiting', 'Copies in mirror threads that wait for room at their shadow.', (emit) =>
      emit(process.sumLanes(LaneCell.waiting)),
    ),
    counter('umbra_mirror_batches_total', 'Times that mirror threads took jobs over.', (emit) =>
      emit(process.sumLanes(LaneCell.batches)),
    ),
    counter('umbra_mirror_jobs_total', 'Jobs that mirror threads took over.', (emit) =>
      emit(process.sumLanes(LaneCell.jobs)),
    ),
  ];
}
