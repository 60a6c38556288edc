// The answers of GET /mirrors/{route}/mismatches: bounded in entries, groups and bytes.
//
// Made piece by piece, so that nothing else on the control thread waits for one, and one at a time; readers who ask for the
// same while it has not begun share it. Nothing is made for readers who have gone.

import { setImmediate as yieldOnce } from 'node:timers/promises';
import type { KeptMismatch, MismatchStore } from '../findings/mismatch-store.ts';
import type { RouteFindings } from '../findings/route-findings.ts';
import type { LedgerRow } from '../ledger.ts';
import { SerialQueue } from '../serial-queue.ts';
import { EntryTexts } from './entry-text.ts';
import { toGroupHead, toMismatchesHead } from './mismatch-view.ts';

/** Of entries, and of groups. */
export const LIMIT_DEFAULT = 100;
export const LIMIT_MAX = 1000;
export const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
/** Groups leave entries as much. */
const GROUP_BYTES_MAX = ANSWER_BYTES_MAX / 2;
/** For the head of the answer, whose parts are bounded by the configuration. */
const HEAD_BYTES = 16 * 1024;
/** Between two pieces of so much others get their turn. */
const TURN_BYTES = 256 * 1024;

export interface Limits {
  readonly entries: number;
  readonly groups: number;
}

interface Build {
  readonly readers: (() => boolean)[];
  readonly done: Promise<Buffer | null>;
}

export class MismatchAnswers {
  readonly #texts = new EntryTexts();
  readonly #queue = new SerialQueue();
  /** Those that have not begun, by what is asked for. A cleared store is another one: nobody is told of what was in it. */
  readonly #waiting = new WeakMap<MismatchStore, Map<string, Build>>();
  #built = 0;

  /** Answers that were made. */
  get built(): number {
    return this.#built;
  }

  /** Texts of mismatches that were made. */
  get made(): number {
    return this.#texts.made;
  }

  /** JSON; null when nobody waited for it any more. `isWanted` tells whether the reader is still there. */
  async read(
    row: LedgerRow,
    { mismatches }: RouteFindings,
    limits: Limits,
    isWanted: () => boolean,
  ): Promise<Buffer | null> {
    if (mismatches === null) return toAnswer(toMismatchesHead(row, null), [], [], { groups: 0, entries: 0 });
    const waiting = this.#waiting.get(mismatches) ?? new Map<string, Build>();
    this.#waiting.set(mismatches, waiting);
    const key = `${limits.entries} ${limits.groups} ${row.entry.route.revision}`;
    const found = waiting.get(key);
    if (found !== undefined) {
      found.readers.push(isWanted);
      return found.done;
    }
    const readers = [isWanted];
    const done = this.#queue.run(async () => {
      // Readers whose requests came with the first one's are still to be heard.
      await yieldOnce();
      waiting.delete(key);
      return readers.some((isThere) => isThere()) ? this.#build(row, mismatches, limits) : null;
    });
    waiting.set(key, { readers, done });
    return done;
  }

  async #build(row: LedgerRow, store: MismatchStore, limits: Limits): Promise<Buffer> {
    this.#built++;
    const { route } = row.entry;
    const head = toMismatchesHead(row, store);
    const allGroups = store.groups();
    const allEntries = store.entries();
    const pieces = new Pieces();
    // Every group before the first example: an example is one of the entries.
    // They come with the most frequent first, and of those the one that was seen last.
    const heads = allGroups.slice(0, limits.groups).map((group) => ({
      group,
      start: JSON.stringify(toGroupHead(group)).slice(0, -1),
    }));
    let exampleBytesLeft = GROUP_BYTES_MAX;
    for (const { start } of heads) exampleBytesLeft -= Buffer.byteLength(start) + NO_EXAMPLE.length + 1;
    await pieces.addAll(heads, GROUP_BYTES_MAX, ({ group: { example }, start }) => {
      const text = example === null ? null : this.#texts.get(route, example);
      if (text === null || text.bytes > exampleBytesLeft) return start + NO_EXAMPLE;
      exampleBytesLeft -= text.bytes;
      return `${start},"example":${text.json}}`;
    });
    const groups = pieces.take();
    const entryBytesMax = ANSWER_BYTES_MAX - HEAD_BYTES - pieces.bytes;
    const newest: readonly KeptMismatch[] = allEntries.slice(0, limits.entries);
    await pieces.addAll(newest, entryBytesMax, (kept) => this.#texts.get(route, kept).json);
    const entries = pieces.take();
    return toAnswer(head, groups, entries, {
      groups: allGroups.length - groups.length,
      entries: allEntries.length - entries.length,
    });
  }
}

const NO_EXAMPLE = ',"example":null}';

/** Texts until there is no room for the next one. */
class Pieces {
  #pieces: string[] = [];
  #turnBytes = 0;
  #bytes = 0;

  /** Of all that were added. */
  get bytes(): number {
    return this.#bytes;
  }

  async addAll<Item>(
    items: readonly Item[],
    bytesMax: number,
    toText: (item: Item) => string,
  ): Promise<void> {
    let bytesLeft = bytesMax;
    for (const item of items) {
      const text = toText(item);
      // And a comma.
      const bytes = Buffer.byteLength(text) + 1;
      if (bytes > bytesLeft) return;
      bytesLeft -= bytes;
      this.#bytes += bytes;
      this.#pieces.push(text);
      this.#turnBytes += bytes;
      if (this.#turnBytes < TURN_BYTES) continue;
      this.#turnBytes = 0;
      await yieldOnce();
    }
  }

  take(): readonly string[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }
}

function toAnswer(
  head: object,
  groups: readonly string[],
  entries: readonly string[],
  leftOut: { readonly groups: number; readonly entries: number },
): Buffer {
  const start = JSON.stringify({ ...head, left_out: leftOut }).slice(0, -1);
  return Buffer.from(`${start},"groups":[${groups.join(',')}],"entries":[${entries.join(',')}]}`);
}
