// Both sides' latency distributions of a route, as JSON: GET /mirrors/{route}/latency (docs/admin.md).
//
// Only reads. Buckets are those of core/histogram.ts; empty ones are left out.

import { HistogramReading, WINDOW_MS } from '../../core/histogram.ts';
import { ROLE_CONTROL } from '../../core/model.ts';
import type { LedgerRow } from '../ledger.ts';

/** Lower and upper border in milliseconds, and how many samples. */
export type BucketView = readonly [lowMs: number, highMs: number, count: number];

export interface LatencyView {
  readonly window_seconds: number;
  readonly primary: readonly BucketView[];
  /** By origin. */
  readonly shadows: Record<string, readonly BucketView[]>;
  readonly control: readonly BucketView[] | null;
}

/** `nowMs` from core/clock.ts. */
export function toLatencyView({ book, shadows }: LedgerRow, nowMs: number): LatencyView {
  const read = (source: LedgerRow['book'] | LedgerRow['shadows'][number]['book']): BucketView[] => {
    const reading = new HistogramReading();
    source.readLatency(reading, nowMs);
    return reading.buckets();
  };
  const control = shadows.find(({ role }) => role === ROLE_CONTROL);
  return {
    window_seconds: WINDOW_MS / 1000,
    primary: read(book),
    shadows: Object.fromEntries(
      shadows.filter((shadow) => shadow !== control).map((shadow) => [shadow.origin, read(shadow.book)]),
    ),
    control: control === undefined ? null : read(control.book),
  };
}
