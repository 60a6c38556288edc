// What comparing has found out about one revision of a route.
//
// Costs next to nothing until something was found. What the verdict counts from is kept here too: the state of the
// books at the moment when this revision, or a verdict that was asked for anew, began.

import type { FindingsReport } from '../../core/findings.ts';
import type { LedgerRow } from '../ledger.ts';
import { type FieldRoom, type FieldTable, GrowingFieldTable } from './field-table.ts';
import { MismatchStore } from './mismatch-store.ts';
import { PairRing, type PairRoom } from './pair-ring.ts';

/** Sums of a shadow's cells over all writers, by ShadowCell. */
export type CellSums = Float64Array;

/** What was left out of reports, or forgotten before its time. */
export interface Losses {
  /** Mismatches too large to be kept. */
  tooLarge: number;
  /** Groups that made place for others. */
  groups: number;
  /** Fields that made place for others, or whose names are too long. */
  fields: number;
}

/** What reports have told of a shadow since the verdict began. */
export interface Told {
  readonly compared: number;
  readonly mismatched: number;
  /** Comparisons in which differences were left out as noise. */
  readonly noisy: number;
  /** Comparisons by an older rule, or of reports that began before: they count for nothing. */
  readonly others: number;
}

/** What the findings of all routes may still take together. */
export type FindingsRoom = PairRoom & FieldRoom;

export class RouteFindings {
  readonly revision: string;
  readonly #room: FindingsRoom;
  readonly #row: LedgerRow;
  #sinceMs: number;
  /** By origin; shadows whose books were empty are left out. */
  #baseline: ReadonlyMap<string, CellSums>;
  #mismatches: MismatchStore | null = null;
  #tables: Map<string, GrowingFieldTable> | null = null;
  /** Since the verdict was asked for anew; null while that was never so, as `#tables` has the same then. */
  #verdictTables: Map<string, GrowingFieldTable> | null = null;
  #pairs: Map<string, PairRing> | null = null;
  /** By origin. */
  #told: Map<string, Told> | null = null;
  /** A report that began at this time or before tells of what was before the verdict was asked for anew. */
  #ignoredUntilMs = Number.NEGATIVE_INFINITY;

  constructor(row: LedgerRow, room: FindingsRoom, nowMs: number) {
    this.revision = row.entry.route.revision;
    this.#row = row;
    this.#room = room;
    this.#sinceMs = nowMs;
    this.#baseline = readBaseline(row);
  }

  /** Unix time from which `since`, `pairs` and with them the verdict count. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** What the books of the shadows, and of the control, said at `sinceMs`, by origin; nothing of those that were empty. */
  get baseline(): ReadonlyMap<string, CellSums> {
    return this.#baseline;
  }

  /** What a cell of a shadow's or the control's book has grown by since then. `cell` of ShadowCell. */
  since(origin: string, cell: number): number {
    const shadow = this.#row.shadows.find((each) => each.origin === origin);
    if (shadow === undefined) return 0;
    return shadow.book.sum(cell) - (this.#baseline.get(origin)?.[cell] ?? 0);
  }

  /** The same cell with what was there before. */
  sum(origin: string, cell: number): number {
    return this.#row.shadows.find((each) => each.origin === origin)?.book.sum(cell) ?? 0;
  }

  /**
   * Comparisons since then that were made by this revision's rule. Unlike the books' it leaves out copies that an older rule
   * had decided on; it comes up to half a second later, and lacks what a lost thread had to tell.
   */
  told(origin: string): Told {
    return this.#told?.get(origin) ?? NOTHING_TOLD;
  }

  /** Latencies in milliseconds since then, the newest 10,000: primary, shadow, primary, shadow…, the newest last. */
  pairs(origin: string): Float32Array {
    return this.#pairs?.get(origin)?.read() ?? new Float32Array(0);
  }

  /** Null while none was found. */
  get mismatches(): MismatchStore | null {
    return this.#mismatches;
  }

  /** By origin of the shadow. Of the whole revision. */
  get fieldTables(): ReadonlyMap<string, FieldTable> {
    return this.#tables ?? NO_TABLES;
  }

  /** By origin of the shadow. Since `sinceMs`, from the reports that `told` counts. */
  get verdictTables(): ReadonlyMap<string, FieldTable> {
    return this.#verdictTables ?? this.fieldTables;
  }

  add(report: FindingsReport, losses: Losses): void {
    const capacity = this.#row.entry.route.mirror?.compare?.maxMismatches ?? 0;
    if (report.groups.length > 0 || report.mismatches.length > 0) {
      this.#mismatches ??= new MismatchStore();
      for (const group of report.groups) losses.groups += this.#mismatches.countGroup(group);
      for (const mismatch of report.mismatches) {
        if (!this.#mismatches.add(report.shadow, mismatch, capacity)) losses.tooLarge++;
      }
    }
    this.#tables ??= new Map();
    losses.fields += this.#addFields(this.#tables, report);
    if (report.sinceMs <= this.#ignoredUntilMs) {
      this.addOther(report);
      return;
    }
    if (this.#verdictTables !== null) this.#addFields(this.#verdictTables, report);
    const told = this.told(report.shadow);
    // Every mismatch is in one of the groups, of which there are few.
    const mismatched = report.groups.reduce((sum, { count }) => sum + count, told.mismatched);
    this.#told ??= new Map();
    this.#told.set(report.shadow, {
      compared: told.compared + report.compared,
      mismatched,
      noisy: told.noisy + report.noisy,
      others: told.others,
    });
    if (report.latencies.length === 0) return;
    this.#pairs ??= new Map();
    const ring = this.#pairs.get(report.shadow) ?? new PairRing(this.#room);
    this.#pairs.set(report.shadow, ring);
    ring.add(report.latencies);
  }

  /** Of an older revision, or from before the verdict was asked for anew. */
  addOther({ shadow, compared }: FindingsReport): void {
    const told = this.told(shadow);
    this.#told ??= new Map();
    this.#told.set(shadow, { ...told, others: told.others + compared });
  }

  /** Mismatches and groups; what was counted stays. */
  clearMismatches(): void {
    this.#mismatches = null;
  }

  /** The verdict counts from now on; what is kept for reading stays. */
  resetVerdict(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#ignoredUntilMs = nowMs;
    this.#baseline = readBaseline(this.#row);
    this.#told = null;
    clearTables(this.#verdictTables);
    this.#verdictTables = new Map();
    this.#clearPairs();
  }

  /** Gives back what the store counts. */
  close(): void {
    this.#mismatches = null;
    clearTables(this.#tables);
    clearTables(this.#verdictTables);
    this.#tables = null;
    this.#verdictTables = null;
    this.#clearPairs();
  }

  /** Returns how many fields were left out or forgotten. */
  #addFields(tables: Map<string, GrowingFieldTable>, report: FindingsReport): number {
    const table = tables.get(report.shadow) ?? new GrowingFieldTable(this.#room);
    tables.set(report.shadow, table);
    return table.add(report.compared, report.controlled, report.fields);
  }

  #clearPairs(): void {
    for (const ring of this.#pairs?.values() ?? []) ring.clear();
    this.#pairs = null;
  }
}

const NOTHING_TOLD: Told = { compared: 0, mismatched: 0, noisy: 0, others: 0 };
const NO_TABLES: ReadonlyMap<string, FieldTable> = new Map();
const NO_BASELINE: ReadonlyMap<string, CellSums> = new Map();

function clearTables(tables: ReadonlyMap<string, GrowingFieldTable> | null): void {
  for (const table of tables?.values() ?? []) table.clear();
}

function readBaseline(row: LedgerRow): ReadonlyMap<string, CellSums> {
  let baseline: Map<string, CellSums> | null = null;
  for (const { origin, book } of row.shadows) {
    if (book.cells.every((value) => value === 0)) continue;
    baseline ??= new Map();
    baseline.set(origin, book.sums());
  }
  return baseline ?? NO_BASELINE;
}
