// The differences of one comparison, as they are found.
//
// Owns the bounds on their number. Of each field a few are kept, so that a long list of items with a time in each does
// not hide what else differs; and noise is told apart before anything is counted, so that it takes no room from the rest.

import {
  DIFFS_MAX,
  type DiffFacts,
  type DiffKind,
  type FieldDiff,
  LEARNT_MAX,
  NOISE_MAX,
  type NoiseFilter,
} from './answer-diff.ts';

/** Differences of one place of a JSON body, in different elements of arrays, that are kept. */
export const FIELD_DIFFS_MAX = 5;
/** Differences that are looked at, kept or not. */
export const FOUND_MAX = 5_000;
/** So many more that are noise. */
export const NOISE_FOUND_MAX = 50_000;
/** So many of them in headers, at most. */
export const HEADER_DIFFS_MAX = 50;

export interface ListMark {
  readonly found: number;
  readonly kept: number;
  readonly noiseFound: number;
  readonly noise: number;
}

export class DiffList {
  readonly diffs: FieldDiff[] = [];
  /** Fields of noise, each once. */
  readonly noise: string[] = [];
  readonly #filter: NoiseFilter | null;
  readonly #knownNoise = new Set<string>();
  #noiseFound = 0;
  /** Fields of what was found in JSON, in order; when learning, with their kinds. */
  readonly #found: string[] = [];
  readonly #counts = new Map<string, number>();
  /** Whether a field was found that there was no room for: there is no use in going on. */
  isFull = false;
  /** Whether there may be fields that are not listed. */
  isCut = false;
  /** As NoiseFilter.isLearning. */
  readonly isLearning: boolean;
  readonly #diffsMax: number;
  readonly #foundMax: number;
  readonly #fieldDiffsMax: number;

  constructor(filter: NoiseFilter | null = null) {
    this.#filter = filter;
    this.isLearning = filter?.isLearning === true;
    this.#diffsMax = this.isLearning ? LEARNT_MAX : DIFFS_MAX;
    this.#foundMax = this.isLearning ? NOISE_FOUND_MAX : FOUND_MAX;
    this.#fieldDiffsMax = this.isLearning ? 1 : FIELD_DIFFS_MAX;
  }

  /** As NoiseFilter.isReordered; null where no array is. */
  get isReordered(): ((field: string) => boolean) | null {
    return this.#filter?.isReordered ?? null;
  }

  /** How often something was found to differ, noise or not. */
  get found(): number {
    return this.#found.length + this.#noiseFound;
  }

  /** Whether the difference is noise; if so it is noted, and must not be kept. */
  isNoise(field: string, kind: DiffKind, at: string, facts?: DiffFacts): boolean {
    if (this.#filter?.covers(field, kind, at, facts) !== true) return false;
    this.#noiseFound++;
    if (this.#noiseFound === NOISE_FOUND_MAX) this.isFull = true;
    if (this.noise.length < NOISE_MAX && !this.#knownNoise.has(field)) {
      this.#knownNoise.add(field);
      this.noise.push(field);
    }
    return true;
  }

  /** Says that the field differs; whether the difference is to be kept. */
  find(field: string, kind: DiffKind, at: string, facts?: DiffFacts): boolean {
    if (this.isNoise(field, kind, at, facts)) return false;
    const key = this.isLearning ? `${kind} ${field}` : field;
    const count = this.#counts.get(key) ?? 0;
    const hasRoom = this.diffs.length < this.#diffsMax;
    if ((count === 0 && !hasRoom) || this.#found.length === this.#foundMax) {
      this.isFull = true;
      return false;
    }
    this.#found.push(key);
    this.#counts.set(key, count + 1);
    return count < this.#fieldDiffsMax && hasRoom;
  }

  keep(diff: FieldDiff): void {
    if (this.diffs.length < this.#diffsMax) this.diffs.push(diff);
    else this.isFull = true;
  }

  mark(): ListMark {
    return {
      found: this.#found.length,
      kept: this.diffs.length,
      noiseFound: this.#noiseFound,
      noise: this.noise.length,
    };
  }

  /** Forgets what was found since. Only while the list was not full then. */
  rewind(mark: ListMark): void {
    while (this.#found.length > mark.found) {
      const field = this.#found.pop()!;
      this.#counts.set(field, this.#counts.get(field)! - 1);
    }
    this.diffs.length = mark.kept;
    this.#noiseFound = mark.noiseFound;
    while (this.noise.length > mark.noise) this.#knownNoise.delete(this.noise.pop()!);
    this.isFull = false;
  }
}
