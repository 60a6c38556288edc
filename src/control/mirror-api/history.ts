// How comparisons went over the last hour: for each route one sample for every 10 s in which it had traffic.
//
// Reads the books in its own rhythm. Costs memory for routes with traffic alone, and for the first thousand of those.

import { type ShadowBook, ShadowCell } from '../../core/book.ts';
import { ROLE_SHADOW } from '../../core/model.ts';
import type { Ledger, LedgerRow } from '../ledger.ts';

export const INTERVAL_MS = 10_000;
/** An hour. */
export const SAMPLES_MAX = 360;
/** Routes that have a history; further ones get one when one of these goes. */
export const ROUTES_MAX = 1000;

/** What happened in the 10 s before that Unix time, over all shadows of the route. */
export type HistorySample = readonly [
  unixSeconds: number,
  compared: number,
  mismatched: number,
  matched: number,
  sent: number,
];

const CELLS = [ShadowCell.compared, ShadowCell.mismatched, ShadowCell.matched, ShadowCell.sent] as const;
const SAMPLE_VALUES = 1 + CELLS.length;

class SampleRing {
  readonly #values = new Float64Array(SAMPLES_MAX * SAMPLE_VALUES);
  #next = 0;
  #count = 0;

  add(unixSeconds: number, growth: readonly number[]): void {
    this.#values.set([unixSeconds, ...growth], this.#next * SAMPLE_VALUES);
    this.#next = (this.#next + 1) % SAMPLES_MAX;
    this.#count = Math.min(SAMPLES_MAX, this.#count + 1);
  }

  /** Oldest first. */
  read(sinceSeconds: number): HistorySample[] {
    const samples: HistorySample[] = [];
    for (let index = 0; index < this.#count; index++) {
      const place = (this.#next - this.#count + index + SAMPLES_MAX) % SAMPLES_MAX;
      const [seconds, compared, mismatched, matched, sent] = this.#values.subarray(
        place * SAMPLE_VALUES,
        (place + 1) * SAMPLE_VALUES,
      );
      if (seconds! > sinceSeconds) samples.push([seconds!, compared!, mismatched!, matched!, sent!]);
    }
    return samples;
  }
}

export interface HistoryOptions {
  readonly ledger: Ledger;
  /** Unix time. */
  readonly now?: () => number;
}

export class History {
  readonly #ledger: Ledger;
  readonly #now: () => number;
  readonly #rings = new Map<string, SampleRing>();
  /** What the books said at the last sample; books go on across reloads and so does this. */
  readonly #seen = new WeakMap<ShadowBook, readonly number[]>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ ledger, now = Date.now }: HistoryOptions) {
    this.#ledger = ledger;
    this.#now = now;
  }

  /** Samples by itself from now on; does not keep the process. */
  start(): void {
    this.#timer = setInterval(() => this.sample(), INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  sample(): void {
    const unixSeconds = Math.round(this.#now() / 1000);
    for (const id of this.#rings.keys()) {
      if (!this.#ledger.row(id)?.entry.route.mirror) this.#rings.delete(id);
    }
    for (const row of this.#ledger.rows()) {
      const growth = this.#readGrowth(row);
      if (growth === null) continue;
      this.#openRing(row.entry.route.id)?.add(unixSeconds, growth);
    }
  }

  /** Of the last hour, oldest first; nothing of a route that has no history. */
  read(id: string): HistorySample[] {
    const hourSeconds = (SAMPLES_MAX * INTERVAL_MS) / 1000;
    return this.#rings.get(id)?.read(this.#now() / 1000 - hourSeconds) ?? [];
  }

  #openRing(id: string): SampleRing | null {
    const known = this.#rings.get(id);
    if (known !== undefined) return known;
    if (this.#rings.size >= ROUTES_MAX) return null;
    const ring = new SampleRing();
    this.#rings.set(id, ring);
    return ring;
  }

  /** Null when nothing has happened. */
  #readGrowth({ shadows }: LedgerRow): readonly number[] | null {
    let growth: number[] | null = null;
    for (const { role, book } of shadows) {
      if (role !== ROLE_SHADOW) continue;
      const values = CELLS.map((cell) => book.sum(cell));
      const before = this.#seen.get(book) ?? NOTHING;
      if (values.every((value, index) => value === before[index])) continue;
      this.#seen.set(book, values);
      growth ??= [0, 0, 0, 0];
      for (const [index, value] of values.entries()) growth[index]! += value - before[index]!;
    }
    return growth;
  }
}

const NOTHING: readonly number[] = CELLS.map(() => 0);
