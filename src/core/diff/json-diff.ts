// Two JSON bodies, field by field at any depth.
//
// Work, levels and differences are bounded; whoever asks learns which bound was reached. Recursion is no deeper than
// LEVELS_MAX. Places become text only where something differs.

import type { Tolerance } from '../model.ts';
import type { DiffFacts, DiffKind, Renamed } from './answer-diff.ts';
import { MASKED } from './answer-diff.ts';
import type { DiffList } from './diff-list.ts';
import type { DiffRules, JsonRules } from './diff-rules.ts';
import { areSameElements, findLeftovers, type Leftovers } from './element-key.ts';
import { pairElements } from './element-pairs.ts';
import { findLeftoversWithin } from './element-tolerance.ts';
import { LEVELS_MAX } from './json-path.ts';
import { type ExactNumber, type JsonObject, type JsonValue, toJsonKind } from './json-value.ts';
import { WalkedPlace } from './place-text.ts';
import { previewJson } from './preview.ts';
import { isContainer, NOT_SHOWN, type Shown, showValues, toCount } from './shown-values.ts';
import { isSameNumber } from './tolerance.ts';
import type { Work } from './work.ts';

/** What a difference costs beside its visit: its place and its values become text. */
const REPORT_VISITS = 5;

export type JsonDiffEnd = 'whole' | 'work' | 'depth';

/** Fills the list. `depth`: the bodies have more levels than can be compared, and nothing is said of those below. */
export function diffJson(
  primary: JsonValue,
  shadow: JsonValue,
  rules: DiffRules,
  list: DiffList,
  work: Work,
): JsonDiffEnd {
  const differ = new JsonDiffer(rules, list, work);
  differ.diff(primary, shadow, rules.json, rules.json?.value?.isMasked === true);
  if (differ.isTooDeep) return 'depth';
  return work.isSpent ? 'work' : 'whole';
}

class JsonDiffer {
  isTooDeep = false;
  readonly #rules: DiffRules;
  readonly #list: DiffList;
  readonly #work: Work;
  /** Where the walk is. */
  readonly #place = new WalkedPlace();
  /** Of that place, and of all above it. */
  #tolerances: readonly Tolerance[] = [];

  constructor(rules: DiffRules, list: DiffList, work: Work) {
    this.#rules = rules;
    this.#list = list;
    this.#work = work;
  }

  get #isOver(): boolean {
    return this.#list.isFull || this.#work.isSpent || this.isTooDeep;
  }

  diff(primary: JsonValue, shadow: JsonValue, rules: JsonRules, isCovered: boolean): void {
    this.#work.visit();
    if (primary === shadow || this.#work.isSpent) return;
    const rule = rules === null ? null : rules.value;
    if (rule?.isIgnored === true) return;
    const isMasked = isCovered || rule?.isMasked === true;
    const above = this.#tolerances;
    if (rule !== null && rule.tolerances.length > 0)
      this.#tolerances = above.length === 0 ? rule.tolerances : [...above, ...rule.tolerances];
    const kind = toJsonKind(primary);
    if (kind !== toJsonKind(shadow)) {
      this.#reportType(primary, shadow, isMasked);
    } else if (kind === 'object') {
      this.#diffObjects(primary as JsonObject, shadow as JsonObject, rules, isMasked);
    } else if (kind === 'array') {
      this.#diffArrays(primary as JsonValue[], shadow as JsonValue[], rules, isMasked);
    } else if (kind !== 'number' || !this.#isSameNumber(primary as number, shadow as number)) {
      this.#report('value', () => showValues(primary, shadow, isMasked));
    }
    this.#tolerances = above;
  }

  #isSameNumber(primary: number | ExactNumber, shadow: number | ExactNumber): boolean {
    const length = typeof primary === 'number' ? 0 : primary.source.length;
    return this.#work.visitText(length) && isSameNumber(primary, shadow, this.#tolerances);
  }

  /** A masked value, or an object or array where any place is masked: nobody knows what the shadow has moved into it. */
  #show(value: JsonValue, isMasked: boolean): string {
    return isMasked || (this.#rules.hasMask && isContainer(value)) ? MASKED : previewJson(value);
  }

  #reportType(primary: JsonValue, shadow: JsonValue, isMasked: boolean): void {
    // Where one side has an object the other may have what was in it.
    const isHidden = isMasked || (this.#rules.hasMask && (isContainer(primary) || isContainer(shadow)));
    this.#report('type', () => [this.#show(primary, isHidden), this.#show(shadow, isHidden)]);
  }

  /** Values become text only when the difference is kept. */
  #report(kind: DiffKind, show: () => Shown, facts?: DiffFacts): void {
    this.#work.take(REPORT_VISITS);
    const { field, at } = this.#place.text;
    if (!this.#list.find(field, kind, at, facts)) return;
    const [primary, shadow] = this.#list.isLearning ? NOT_SHOWN : show();
    this.#list.keep({ field, at, kind, primary, shadow });
  }

  /** Whether there is room for one more level. */
  #canDescend(): boolean {
    if (this.#place.level < LEVELS_MAX) return true;
    this.isTooDeep = true;
    return false;
  }

  #diffObjects(primary: JsonObject, shadow: JsonObject, rules: JsonRules, isMasked: boolean): void {
    if (!this.#canDescend()) return;
    const keys = Object.keys(primary);
    const others = Object.keys(shadow);
    const shared = countShared(keys, shadow);
    const members = keys.length === others.length ? keys.length - shared : 0;
    const renamed = members === 0 ? null : { parent: this.#place.text.field, members };
    for (const key of keys) {
      if (Object.hasOwn(shadow, key)) {
        const next = rules === null ? null : rules.stepKey(key);
        this.#place.push(key);
        this.diff(primary[key]!, shadow[key]!, next, isMasked || this.#rules.maskedKeys.has(key));
        this.#place.pop();
      } else {
        this.#reportMember(key, primary[key]!, 'missing', rules, isMasked, renamed);
      }
      if (this.#isOver) return;
    }
    if (others.length === shared) return;
    for (const key of others) {
      if (Object.hasOwn(primary, key)) continue;
      this.#reportMember(key, shadow[key]!, 'extra', rules, isMasked, renamed);
      if (this.#isOver) return;
    }
  }

  /** `rules` are those of the object. */
  #reportMember(
    key: string,
    value: JsonValue,
    kind: 'missing' | 'extra',
    rules: JsonRules,
    isMasked: boolean,
    renamed: Renamed | null,
  ): void {
    const next = rules === null ? null : rules.stepKey(key);
    const isHidden = isMasked || this.#rules.maskedKeys.has(key);
    this.#reportAlone(key, value, kind, next, isHidden, renamed === null ? undefined : { renamed });
  }

  /** A member or an element that only one side has. */
  #reportAlone(
    step: string | number,
    value: JsonValue,
    kind: 'missing' | 'extra',
    rules: JsonRules,
    isMasked: boolean,
    facts?: DiffFacts,
  ): void {
    this.#work.visit();
    if (this.#work.isSpent || rules?.value?.isIgnored === true) return;
    this.#place.push(step);
    const show = (): Shown => {
      const text = this.#show(value, isMasked || rules?.value?.isMasked === true);
      return kind === 'missing' ? [text, null] : [null, text];
    };
    this.#report(kind, show, facts);
    this.#place.pop();
  }

  #diffArrays(
    primary: readonly JsonValue[],
    shadow: readonly JsonValue[],
    rules: JsonRules,
    isMasked: boolean,
  ): void {
    if (!this.#canDescend()) return;
    const next = rules === null ? null : rules.stepElement();
    const isReordered = rules?.value?.isUnordered !== true && this.#isReordered();
    if (rules?.value?.isUnordered === true || isReordered) {
      this.#diffUnordered(primary, shadow, next, isMasked, isReordered);
      return;
    }
    if (primary.length !== shadow.length) {
      const show = (): Shown =>
        isMasked ? [MASKED, MASKED] : [toCount(primary.length), toCount(shadow.length)];
      this.#report('length', show, { isOneEmpty: primary.length * shadow.length === 0 });
    }
    if (next?.value?.isIgnored === true || this.#isOver) return;
    this.#diffElements(primary, shadow, next, isMasked);
  }

  /** Whether the array comes in another order each time. */
  #isReordered(): boolean {
    const { isReordered } = this.#list;
    return isReordered !== null && this.#work.take(REPORT_VISITS) && isReordered(this.#place.text.field);
  }

  #isLengthNoise(primary: readonly JsonValue[], shadow: readonly JsonValue[]): boolean {
    const { field, at } = this.#place.text;
    return this.#list.isNoise(field, 'length', at, { isOneEmpty: primary.length * shadow.length === 0 });
  }

  #diffElements(
    primary: readonly JsonValue[],
    shadow: readonly JsonValue[],
    next: JsonRules,
    isMasked: boolean,
  ): void {
    const mark = this.#list.mark();
    const common = Math.min(primary.length, shadow.length);
    const differing: number[] = [];
    let at = 0;
    for (; at < common && !this.#isOver; at++) {
      const found = this.#list.found;
      this.#place.push(at);
      this.diff(primary[at]!, shadow[at]!, next, isMasked);
      this.#place.pop();
      if (this.#list.found !== found || this.#list.isFull) differing.push(at);
    }
    if (primary.length !== shadow.length || this.#work.isSpent || this.isTooDeep) return;
    // Whatever was not looked at, because there was no room for more, may have moved too.
    for (; at < common; at++) differing.push(at);
    if (differing.length < 2) return;
    const isMoved = areSameElements(
      differing.map((index) => primary[index]!),
      differing.map((index) => shadow[index]!),
      next,
      this.#work,
      this.#place.level + 1,
    );
    if (!isMoved) return;
    this.#list.rewind(mark);
    this.#report('order', () => [
      this.#show(primary as JsonValue, isMasked),
      this.#show(shadow as JsonValue, isMasked),
    ]);
  }

  /**
   * Elements that only one side has are missing or extra; there is no difference in length beside them. `isReordered`: that
   * they have moved is noise, which is said.
   */
  #diffUnordered(
    primary: readonly JsonValue[],
    shadow: readonly JsonValue[],
    next: JsonRules,
    isMasked: boolean,
    isReordered: boolean,
  ): void {
    const left = this.#findLeftovers(primary, shadow, next);
    if (left === null) {
      // Not for the work: then for the depth.
      if (!this.#work.isSpent) this.isTooDeep = true;
      return;
    }
    if (isReordered && left.isMoved) this.#report('order', () => NOT_SHOWN);
    const { pairs, primary: missing, shadow: extra } = pairElements(primary, shadow, left, next, this.#work);
    for (const [primaryAt, shadowAt] of pairs) {
      if (this.#isOver) return;
      this.#place.push(primaryAt);
      this.diff(primary[primaryAt]!, shadow[shadowAt]!, next, isMasked);
      this.#place.pop();
    }
    // Only one of them is not empty, and they are what one array has more.
    if (isReordered && left.primary.length !== left.shadow.length && this.#isLengthNoise(primary, shadow))
      return;
    for (const at of missing) {
      if (this.#isOver) return;
      this.#reportAlone(at, primary[at]!, 'missing', next, isMasked);
    }
    for (const at of extra) {
      if (this.#isOver) return;
      this.#reportAlone(at, shadow[at]!, 'extra', next, isMasked);
    }
  }

  /** Elements that have no equal on the other side, not even within tolerances; null for want of work or levels. */
  #findLeftovers(
    primary: readonly JsonValue[],
    shadow: readonly JsonValue[],
    next: JsonRules,
  ): Leftovers | null {
    const level = this.#place.level + 1;
    const left = findLeftovers(primary, shadow, next, this.#work, level);
    if (left === null || !this.#rules.hasTolerance || left.primary.length * left.shadow.length === 0)
      return left;
    const tolerances = this.#tolerances;
    return findLeftoversWithin(primary, shadow, left, next, tolerances, this.#work, level);
  }
}

function countShared(keys: readonly string[], other: JsonObject): number {
  let shared = 0;
  for (const key of keys) if (Object.hasOwn(other, key)) shared++;
  return shared;
}
