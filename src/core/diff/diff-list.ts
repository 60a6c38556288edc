// The differences of one comparison, as they are found.
//
// Owns the bounds on their number. Of each field a few are kept, so that a long list of items with a time in each does
// not hide what else differs.

import { DIFFS_MAX, type FieldDiff } from './answer-diff.ts';

/** Differences of one place of a JSON body, in different elements of arrays, that are kept. */
export const FIELD_DIFFS_MAX = 5;
/** Differences that are looked at, kept or not. */
export const FOUND_MAX = 5_000;
/** So many of them in headers, at most. */
export const HEADER_DIFFS_MAX = 50;

export interface ListMark {
  readonly found: number;
  readonly kept: number;
}

export class DiffList {
  readonly diffs: FieldDiff[] = [];
  /** Fields of what was found in JSON, in order. */
  readonly #found: string[] = [];
  readonly #counts = new Map<string, number>();
  /** Whether a field was found that there was no room for: there is no use in going on. */
  isFull = false;
  /** Whether there may be fields that are not listed. */
  isCut = false;

  get found(): number {
    return this.#found.length;
  }

  /** Says that the field differs; whether the difference is to be kept. */
  find(field: string): boolean {
    const count = this.#counts.get(field) ?? 0;
    const hasRoom = this.diffs.length < DIFFS_MAX;
    if ((count === 0 && !hasRoom) || this.#found.length === FOUND_MAX) {
      this.isFull = true;
      return false;
    }
    this.#found.push(field);
    this.#counts.set(field, count + 1);
    return count < FIELD_DIFFS_MAX && hasRoom;
  }

  keep(diff: FieldDiff): void {
    if (this.diffs.length < DIFFS_MAX) this.diffs.push(diff);
    else this.isFull = true;
  }

  mark(): ListMark {
    return { found: this.#found.length, kept: this.diffs.length };
  }

  /** Forgets what was found since. Only while the list was not full then. */
  rewind(mark: ListMark): void {
    while (this.#found.length > mark.found) {
      const field = this.#found.pop()!;
      this.#counts.set(field, this.#counts.get(field)! - 1);
    }
    this.diffs.length = mark.kept;
    this.isFull = false;
  }
}
