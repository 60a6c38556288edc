// What mirror threads report of comparisons, kept for each route since its revision.
//
// Takes what comes and never waits for anything. Whatever threads report, it is bounded: for a route, and for all of
// them together. Statistics are of one revision only: with another rule the same answers may differ in something else.

import type { FindingsReport } from '../../core/findings.ts';
import type { Ledger } from '../ledger.ts';
import { FindingsInbox } from './findings-inbox.ts';
import { type FindingsRoom, type Losses, RouteFindings } from './route-findings.ts';

/** Kept mismatches of all routes; beyond it the routes that have most give half of theirs up, until an eighth is free. */
export const MISMATCH_BYTES_MAX = 128 * 1024 * 1024;
/** Latency pairs of all routes: beyond it rings do not grow any more. */
export const PAIR_BYTES_MAX = 64 * 1024 * 1024;
/** Fields of all routes and shadows: beyond it further ones are not counted. */
export const FIELDS_TOTAL_MAX = 200_000;
/** What is made free at once when there is no room. */
const ROOM_SHARE = 1 / 8;
/**
 * What was lost: reports that came faster than they could be added up, of a route or shadow that is not there any more or of an older revision; mismatches that are too
 * large, or that had to go because all routes together have too many; groups and fields that made place for others.
 */
export const FINDINGS_LOSSES = [
  'report_no_room',
  'unknown_route',
  'old_revision',
  'mismatch_too_large',
  'mismatch_no_room',
  'group_no_room',
  'field_no_room',
] as const;
export type FindingsLoss = (typeof FINDINGS_LOSSES)[number];

export interface FindingsOptions {
  readonly ledger: Ledger;
  readonly mismatchBytesMax?: number;
  readonly pairBytesMax?: number;
  readonly fieldsMax?: number;
  /** Unix time. */
  readonly now?: () => number;
}

export class FindingsStore {
  readonly #ledger: Ledger;
  readonly #now: () => number;
  readonly #mismatchBytesMax: number;
  readonly #room: FindingsRoom;
  readonly #losses: Record<FindingsLoss, number>;
  #routes: ReadonlyMap<string, RouteFindings> = new Map();
  /** Of all routes. */
  #mismatchBytes = 0;
  /** Those that may have something to give back. */
  readonly #filled = new Map<string, RouteFindings>();

  constructor({ ledger, now = Date.now, mismatchBytesMax, pairBytesMax, fieldsMax }: FindingsOptions) {
    this.#ledger = ledger;
    this.#now = now;
    this.#mismatchBytesMax = mismatchBytesMax ?? MISMATCH_BYTES_MAX;
    this.#room = {
      pairBytesLeft: pairBytesMax ?? PAIR_BYTES_MAX,
      fieldsLeft: fieldsMax ?? FIELDS_TOTAL_MAX,
    };
    this.#losses = Object.fromEntries(FINDINGS_LOSSES.map((loss) => [loss, 0])) as Record<
      FindingsLoss,
      number
    >;
    this.follow();
  }

  /** To be called when the ledger has other routes: each new revision begins without findings. */
  follow(): void {
    const next = new Map<string, RouteFindings>();
    const nowMs = this.#now();
    for (const row of this.#ledger.rows()) {
      const { id, revision, mirror } = row.entry.route;
      if (mirror === null) continue;
      const known = this.#routes.get(id);
      next.set(id, known?.revision === revision ? known : new RouteFindings(row, this.#room, nowMs));
    }
    for (const [id, findings] of this.#filled) {
      if (next.get(id) === findings) continue;
      this.#change(findings, () => findings.close());
      this.#filled.delete(id);
    }
    this.#routes = next;
  }

  accept(report: FindingsReport): void {
    const findings = this.#routes.get(report.route);
    if (findings === undefined) {
      this.#losses.unknown_route++;
      return;
    }
    if (report.revision !== findings.revision) {
      this.#losses.old_revision++;
      findings.addOther(report);
      return;
    }
    const losses: Losses = { tooLarge: 0, groups: 0, fields: 0 };
    this.#change(findings, () => findings.add(report, losses));
    this.#filled.set(report.route, findings);
    this.#losses.mismatch_too_large += losses.tooLarge;
    this.#losses.group_no_room += losses.groups;
    this.#losses.field_no_room += losses.fields;
    if (this.#mismatchBytes > this.#mismatchBytesMax) this.#fitMismatches();
  }

  /** Of every mirrored route; undefined of all others. Another object for another revision. */
  route(id: string): RouteFindings | undefined {
    return this.#routes.get(id);
  }

  /** Ring and groups of a route. */
  clearMismatches(id: string): void {
    const findings = this.#routes.get(id);
    if (findings !== undefined) this.#change(findings, () => findings.clearMismatches());
  }

  /** The verdict of a route begins anew. */
  resetVerdict(id: string): void {
    this.#routes.get(id)?.resetVerdict(this.#now());
  }

  /** Kept mismatches of a route, or of one of its shadows. */
  countMismatches(id: string, shadow: string | null): number {
    const mismatches = this.#routes.get(id)?.mismatches ?? null;
    if (mismatches === null) return 0;
    return shadow === null ? mismatches.count : mismatches.countOf(shadow);
  }

  /** Something was lost before it came here. */
  lose(loss: FindingsLoss): void {
    this.#losses[loss]++;
  }

  losses(): Readonly<Record<FindingsLoss, number>> {
    return this.#losses;
  }

  /** Keeps the sum of what routes hold: looking at all of them for each report would take longer the more there are. */
  #change(findings: RouteFindings, change: () => void): void {
    const before = findings.mismatches?.bytes ?? 0;
    change();
    this.#mismatchBytes += (findings.mismatches?.bytes ?? 0) - before;
  }

  /** Makes room for many reports: this looks at all routes. */
  #fitMismatches(): void {
    const target = this.#mismatchBytesMax * (1 - ROOM_SHARE);
    const filled = [...this.#filled.values()]
      .filter(({ mismatches }) => mismatches !== null)
      .sort((one, other) => other.mismatches!.bytes - one.mismatches!.bytes);
    for (const [index, findings] of filled.entries()) {
      const next = filled[index + 1]?.mismatches?.bytes ?? 0;
      const mismatches = findings.mismatches!;
      for (let before = Number.POSITIVE_INFINITY; mismatches.bytes < before; ) {
        before = mismatches.bytes;
        this.#change(findings, () => {
          this.#losses.mismatch_no_room += mismatches.halve();
        });
        if (this.#mismatchBytes <= target) return;
        if (mismatches.bytes <= next) break;
      }
    }
  }
}

/** Subscribes the store to a channel of reports until it is closed. Does not keep the process. */
export function openFindings(store: FindingsStore, channelName: string): { close(): void } {
  const inbox = new FindingsInbox(store);
  const channel = new BroadcastChannel(channelName);
  channel.onmessage = (message: unknown) => {
    // Threads of this process post nothing else.
    inbox.push((message as { readonly data: FindingsReport }).data);
  };
  channel.unref();
  return {
    close: () => {
      channel.close();
      inbox.close();
    },
  };
}
