// Owns the text of GET /metrics: what every book says, by name, type and labels (docs/metrics.md).
//
// Reads the books only when somebody scrapes, and keeps no number and no label set between scrapes, so a route
// that was removed is gone from the next one. Labels come from the configuration or from closed sets of reasons,
// never from a request.

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { LaneCell, ThreadCell } from '../core/book.ts';
import type { Clock } from '../core/clock.ts';
import { counter, type Definition, defineBookMetrics, gauge, type Labels } from './book-metrics.ts';
import type { Ledger } from './ledger.ts';

export interface ReloadStatus {
  /** Whether the last attempt to load the configuration was accepted; the first load counts. */
  readonly isSuccessful: boolean;
  /** Unix time in milliseconds of the last one that was. */
  readonly succeededAtMs: number;
}

export interface MetricsOptions {
  readonly ledger: Ledger;
  readonly version: string;
  readonly clock: Clock;
  readonly readReload: () => ReloadStatus;
  /** Log lines lost on the control thread's side (control/logs.ts). */
  readonly readLogsLost: () => number;
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

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const { ledger, clock } = options;
  for (const definition of [...defineProcess(options), ...defineBookMetrics(ledger, clock)]) {
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

function defineProcess({ ledger, version, readReload, readLogsLost }: MetricsOptions): Definition[] {
  return [
    gauge('umbra_build_info', 'Always 1; the label says which version runs.', (emit) => emit(1, { version })),
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
  ];
}
