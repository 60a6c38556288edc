// Reports of mirror threads that have come and were not added up yet.
//
// Adds up so many in a turn of the loop and leaves the rest to the next ones, so that nobody on the control thread waits for
// all of them. Bounded in reports and in bytes: what comes beyond is lost, and counted.

import type { FindingsReport } from '../../core/findings.ts';
import type { FindingsStore } from './findings-store.ts';
import { estimateBytes } from './mismatch-store.ts';

export const REPORTS_PER_TURN = 64;
export const REPORTS_MAX = 4096;
export const REPORT_BYTES_MAX = 64 * 1024 * 1024;
/** Of what has a name and a few numbers: roughly. */
const ITEM_BYTES = 200;

interface Waiting {
  readonly report: FindingsReport;
  readonly bytes: number;
}

export class FindingsInbox {
  readonly #store: Pick<FindingsStore, 'accept' | 'lose'>;
  #waiting: Waiting[] = [];
  /** Of the first that waits; those before it are done. */
  #at = 0;
  #bytes = 0;
  /** Reports that this turn has room for. */
  #turnLeft = REPORTS_PER_TURN;
  #turn: NodeJS.Immediate | undefined;

  constructor(store: Pick<FindingsStore, 'accept' | 'lose'>) {
    this.#store = store;
  }

  get waiting(): number {
    return this.#waiting.length - this.#at;
  }

  push(report: FindingsReport): void {
    this.#turn ??= setImmediate(() => this.#begin());
    if (this.waiting === 0 && this.#turnLeft > 0) {
      this.#turnLeft--;
      this.#store.accept(report);
      return;
    }
    const bytes = toBytes(report);
    if (this.waiting >= REPORTS_MAX || this.#bytes + bytes > REPORT_BYTES_MAX) {
      this.#store.lose('report_no_room');
      return;
    }
    this.#waiting.push({ report, bytes });
    this.#bytes += bytes;
  }

  /** What waits is forgotten. */
  close(): void {
    clearImmediate(this.#turn);
    this.#waiting = [];
    this.#at = 0;
    this.#bytes = 0;
  }

  #begin(): void {
    this.#turn = undefined;
    this.#turnLeft = REPORTS_PER_TURN;
    for (; this.#turnLeft > 0 && this.waiting > 0; this.#turnLeft--) {
      const { report, bytes } = this.#waiting[this.#at++]!;
      this.#bytes -= bytes;
      this.#store.accept(report);
    }
    // The next turn has room for as many again.
    if (this.#turnLeft < REPORTS_PER_TURN) this.#turn = setImmediate(() => this.#begin());
    // What is done is let go of now and then: all at once, or half of the list.
    if (this.#at < Math.max(this.waiting, 1)) return;
    this.#waiting = this.#waiting.slice(this.#at);
    this.#at = 0;
  }
}

function toBytes({ mismatches, groups, fields, latencies }: FindingsReport): number {
  let bytes = (1 + groups.length + fields.length) * ITEM_BYTES + latencies.byteLength;
  for (const mismatch of mismatches) bytes += estimateBytes(mismatch);
  return bytes;
}
