// What differs between two answers of the same version, and so says nothing about a shadow.
//
// A difference between primary and control is noise in that exchange; one that has been there often is noise of the route,
// also in exchanges whose control gave no answer. Noise is of a kind: a value that is another one each time excuses another
// value, not a missing one. Status and bodies as a whole are never noise. One profile for each rule and thread; nothing
// here is ever shared or stored.

import type { UncomparedReason } from '../core/book.ts';
import type { DiffFacts, DiffKind, FieldDiff, NoiseFilter } from '../core/diff/answer-diff.ts';
import { canBeNoise, isOftenNoise, NOISE_SHARE_MIN } from '../core/findings.ts';
import { ControlNotes } from './control-notes.ts';
import { toOwnText } from './memory.ts';
import { isBodyField } from './outcome.ts';

/** Fields, each with a kind, that a profile knows. Others are not remembered: they are noise in their exchange alone. */
const PROFILE_FIELDS_MAX = 1000;
/** Controlled comparisons after which all that is known counts half: what is no noise any more is unlearnt. */
const HALVED_AFTER = 1000;
/** Of a full profile: controlled comparisons until rare fields are looked for again. */
const CLEARED_AFTER = 100;

/** Kinds of noise. A field that one side alone has may be missing as well as extra. */
type NoiseClass = 'presence' | 'type' | 'value' | 'length' | 'order';

/** Null: never by its field. */
const NOISE_CLASS: Readonly<Record<DiffKind, NoiseClass | null>> = {
  missing: 'presence',
  extra: 'presence',
  type: 'type',
  value: 'value',
  length: 'length',
  order: 'order',
  text: null,
  digest: null,
};

const BODY = 'body';

function toKey(noiseClass: NoiseClass, field: string): string {
  return `${noiseClass} ${field}`;
}

/** Whether noise of some kind excuses a difference. `hasNoise` is asked by key. */
function isExcused(field: string, kind: DiffKind, hasNoise: (key: string) => boolean): boolean {
  const own = NOISE_CLASS[kind];
  if (own === null) return false;
  // What is sometimes of another type has another value all the more.
  return hasNoise(toKey(own, field)) || (own === 'value' && hasNoise(toKey('type', field)));
}

/** What was seen to differ between primary and control of a rule. */
export class NoiseProfile {
  readonly #differed = new Map<string, number>();
  /** Both count as `#differed` does: halved now and then. */
  #controlled = 0;
  #untilHalved = HALVED_AFTER;
  #untilCleared = 0;
  /** Whether an array has ever come in another order. */
  #hasOrder = false;

  /** One comparison with the control. */
  add(noise: ExchangeNoise): void {
    this.#controlled++;
    this.#untilCleared--;
    for (const [key, field] of noise.keys) {
      if (!canBeNoise(field)) continue;
      const differed = this.#differed.get(key);
      if (differed !== undefined) this.#differed.set(key, differed + 1);
      else if (this.#hasRoom()) this.#differed.set(toOwnText(key), 1);
    }
    this.#hasOrder ||= noise.reordered.size > 0;
    if (--this.#untilHalved === 0) this.#halve();
  }

  get hasOrder(): boolean {
    return this.#hasOrder;
  }

  isNoise(field: string, kind: DiffKind, facts?: DiffFacts): boolean {
    // Arrays of any length but none are usual; that nothing is left has to be the control's case as well.
    if (facts?.isOneEmpty === true) return false;
    return this.#differed.size > 0 && isExcused(field, kind, (key) => this.#isOften(key));
  }

  #isOften(key: string): boolean {
    return isOftenNoise(this.#differed.get(key) ?? 0, this.#controlled);
  }

  /** A full profile gives up what has become rare, but does not look for it with each field that it has no room for. */
  #hasRoom(): boolean {
    if (this.#differed.size < PROFILE_FIELDS_MAX) return true;
    if (this.#untilCleared > 0) return false;
    this.#untilCleared = CLEARED_AFTER;
    const rare = this.#controlled * NOISE_SHARE_MIN;
    for (const [key, differed] of this.#differed) if (differed < rare) this.#differed.delete(key);
    return this.#differed.size < PROFILE_FIELDS_MAX;
  }

  #halve(): void {
    this.#untilHalved = HALVED_AFTER;
    this.#controlled = Math.floor(this.#controlled / 2);
    for (const [key, differed] of this.#differed) {
      if (differed === 1) this.#differed.delete(key);
      else this.#differed.set(key, Math.floor(differed / 2));
    }
  }
}

/** What a control's answer, of the primary's status, says of its own exchange. */
export class ExchangeNoise {
  /** Each once. */
  readonly fields: ReadonlySet<string>;
  /** Fields by kind and field. */
  readonly keys: ReadonlyMap<string, string>;
  /** Why the body of this exchange says nothing of a shadow; null when it does. */
  readonly blindness: UncomparedReason | null;
  /**
   * An array of another length shifts what stands in it: differences in its elements follow from that and are noise in this
   * exchange, though never of the route.
   */
  readonly #shifted: readonly string[];
  /** Fields of arrays that hold the same elements in another order. */
  readonly reordered: ReadonlySet<string>;
  /** Whether anything differs in the body. */
  readonly hasBody: boolean;
  /** Whether not all that differs was looked at. */
  readonly isCut: boolean;
  readonly #notes: ControlNotes;

  constructor(
    diffs: readonly FieldDiff[],
    blindness: UncomparedReason | null = null,
    notes: ControlNotes = new ControlNotes(),
    isCut = false,
  ) {
    const fields = new Set<string>();
    const keys = new Map<string, string>();
    const shifted: string[] = [];
    const reordered = new Set<string>();
    for (const { field, kind } of diffs) {
      fields.add(field);
      const noiseClass = NOISE_CLASS[kind];
      if (noiseClass !== null) keys.set(toKey(noiseClass, field), field);
      if (kind === 'length') shifted.push(toElementPrefix(field));
      if (kind === 'order') reordered.add(field);
    }
    this.fields = fields;
    this.keys = keys;
    this.blindness = blindness;
    this.#shifted = shifted;
    this.reordered = reordered;
    this.hasBody = diffs.some(({ field }) => isBodyField(field));
    this.isCut = isCut;
    this.#notes = notes;
  }

  covers(field: string, kind: DiffKind, at: string, { lines, isOneEmpty, renamed }: DiffFacts = {}): boolean {
    // All lines have one field: only the same line is excused.
    if (kind === 'text') return lines !== undefined && this.#notes.coversLine(at, lines);
    if (NOISE_CLASS[kind] === null) return false;
    if (renamed !== undefined && this.#notes.isRenamed(renamed.parent, renamed.members)) return true;
    if (isOneEmpty === true && !this.#notes.isEmptied(field)) return false;
    return (
      isExcused(field, kind, (key) => this.keys.has(key)) ||
      this.#shifted.some((prefix) => field.startsWith(prefix))
    );
  }
}

/** What is left out of a comparison with a shadow. `noise`: what the control said, or null without its answer. */
export function toNoiseFilter(profile: NoiseProfile, noise: ExchangeNoise | null): NoiseFilter {
  const hasOrder = profile.hasOrder || (noise !== null && noise.reordered.size > 0);
  return {
    covers: (field, kind, at, facts) =>
      field !== 'status' &&
      (profile.isNoise(field, kind, facts) || noise?.covers(field, kind, at, facts) === true),
    isReordered: hasOrder
      ? (field) => noise?.reordered.has(field) === true || profile.isNoise(field, 'order')
      : null,
  };
}

function toElementPrefix(field: string): string {
  return field === BODY ? `${BODY}:[]` : `${field}[]`;
}
