// The mismatches of one route that are kept: a ring of single ones, and groups of those that differ in the same fields.
//
// Bounded in entries and in bytes; the oldest makes place. Values were masked where they were found.

import { type GroupDelta, type Mismatch, toSignatureFields } from '../../core/findings.ts';

/** Of the ring of one route, once more of the examples of its groups, and of the groups themselves. */
export const RING_BYTES_MAX = 4 * 1024 * 1024;
export const GROUPS_MAX = 250;
/** Groups beyond the bound until the oldest are taken out, so that this is not done for each new one. */
const GROUPS_SLACK = 50;
/** What an object, or a string, takes besides its characters: roughly. */
const OBJECT_BYTES = 100;
const STRING_BYTES = 16;

export interface KeptMismatch {
  readonly mismatch: Mismatch;
  /** Origin. */
  readonly shadow: string;
  readonly fields: readonly string[];
  readonly bytes: number;
}

export interface KeptGroup {
  readonly fields: readonly string[];
  count: number;
  firstMs: number;
  lastMs: number;
  /** The newest one that was reported in full; null when there was none, or no room. */
  example: KeptMismatch | null;
  /** Without the example. */
  readonly bytes: number;
}

export class MismatchStore {
  /** Newest last. */
  readonly #ring: KeptMismatch[] = [];
  /** By their fields; the one that was seen last stands last. */
  readonly #groups = new Map<string, KeptGroup>();
  #ringBytes = 0;
  #exampleBytes = 0;
  #groupBytes = 0;

  get count(): number {
    return this.#ring.length;
  }

  /** Of the ring. */
  get ringBytes(): number {
    return this.#ringBytes;
  }

  get bytes(): number {
    return this.#ringBytes + this.#exampleBytes + this.#groupBytes;
  }

  countOf(shadow: string): number {
    return this.#ring.reduce((count, kept) => count + (kept.shadow === shadow ? 1 : 0), 0);
  }

  /** Newest first. */
  entries(): KeptMismatch[] {
    // Several threads report, each in its own rhythm.
    return this.#ring
      .toReversed()
      .sort((one, other) => other.mismatch.timestampMs - one.mismatch.timestampMs);
  }

  /** The most frequent first. */
  groups(): KeptGroup[] {
    return [...this.#groups.values()].sort(
      (one, other) => other.count - one.count || other.lastMs - one.lastMs,
    );
  }

  /** Returns false when it is too large to be kept at all. */
  add(shadow: string, mismatch: Mismatch, capacity: number): boolean {
    if (capacity === 0) return true;
    const fields = toSignatureFields(mismatch.diffs);
    const kept = { mismatch, shadow, fields, bytes: estimateBytes(mismatch) };
    if (kept.bytes > RING_BYTES_MAX) return false;
    this.#ring.push(kept);
    this.#ringBytes += kept.bytes;
    while (this.#ring.length > capacity || this.#ringBytes > RING_BYTES_MAX) this.#forgetOldest();
    const group = this.#groups.get(JSON.stringify(fields));
    if (group === undefined) return true;
    this.#exampleBytes += kept.bytes - (group.example?.bytes ?? 0);
    group.example = kept;
    this.#fitExamples();
    return true;
  }

  /** Returns how many groups were forgotten for it. */
  countGroup(delta: GroupDelta): number {
    const key = JSON.stringify(delta.fields);
    const group = this.#groups.get(key) ?? this.#openGroup(delta);
    group.count += delta.count;
    group.firstMs = Math.min(group.firstMs, delta.firstMs);
    group.lastMs = Math.max(group.lastMs, delta.lastMs);
    this.#groups.delete(key);
    this.#groups.set(key, group);
    let forgotten = 0;
    if (this.#groups.size > GROUPS_MAX + GROUPS_SLACK) forgotten += this.#forgetGroups(GROUPS_MAX);
    while (this.#groupBytes > RING_BYTES_MAX) forgotten += this.#forgetGroups(this.#groups.size / 2);
    return forgotten;
  }

  /** Half of what takes memory goes, the oldest. Returns how many mismatches that were. */
  halve(): number {
    const before = this.#ring.length;
    if (this.#groupBytes > this.bytes / 2) this.#forgetGroups(this.#groups.size / 2);
    const target = this.#ringBytes / 2;
    while (this.#ringBytes > target) this.#forgetOldest();
    const examplesTarget = this.#exampleBytes / 2;
    for (const group of this.#groups.values()) {
      if (this.#exampleBytes <= examplesTarget) break;
      this.#forgetExample(group);
    }
    return before - this.#ring.length;
  }

  #openGroup({ fields, firstMs, lastMs }: GroupDelta): KeptGroup {
    let bytes = OBJECT_BYTES;
    for (const field of fields) bytes += STRING_BYTES + Buffer.byteLength(field);
    this.#groupBytes += bytes;
    return { fields, count: 0, firstMs, lastMs, example: null, bytes };
  }

  #forgetOldest(): void {
    this.#ringBytes -= this.#ring.shift()!.bytes;
  }

  #forgetGroups(left: number): number {
    let forgotten = 0;
    for (const [key, group] of this.#groups) {
      if (this.#groups.size <= left) break;
      this.#forgetExample(group);
      this.#groups.delete(key);
      this.#groupBytes -= group.bytes;
      forgotten++;
    }
    return forgotten;
  }

  #fitExamples(): void {
    for (const group of this.#groups.values()) {
      if (this.#exampleBytes <= RING_BYTES_MAX) return;
      this.#forgetExample(group);
    }
  }

  #forgetExample(group: KeptGroup): void {
    this.#exampleBytes -= group.example?.bytes ?? 0;
    group.example = null;
  }
}

/** What it takes in memory: roughly. */
export function estimateBytes(mismatch: Mismatch): number {
  let bytes = OBJECT_BYTES;
  const add = (text: string | null): void => {
    if (text !== null) bytes += STRING_BYTES + Buffer.byteLength(text);
  };
  for (const text of [mismatch.method, mismatch.target, mismatch.requestId, mismatch.requestBody]) add(text);
  for (const text of mismatch.requestHeaders) add(text);
  for (const { field, at, primary, shadow } of mismatch.diffs) {
    bytes += OBJECT_BYTES;
    for (const text of [field, at, primary, shadow]) add(text);
  }
  return bytes;
}
