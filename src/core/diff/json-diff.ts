// Two JSON bodies, field by field at any depth.
//
// Work, levels and differences are bounded; whoever asks learns which bound was reached. Recursion is no deeper than
// LEVELS_MAX. Places become text only where something differs.

import type { Tolerance } from '../model.ts';
import type { DiffKind } from './answer-diff.ts';
import { MASKED } from './answer-diff.ts';
import type { DiffList } from './diff-list.ts';
import type { JsonRules } from './diff-rules.ts';
import { areSameElements, findLeftovers } from './element-key.ts';
import { pairElements } from './element-pairs.ts';
import { countShownSteps, formatField, formatPlace, LEVELS_MAX } from './json-path.ts';
import { ExactNumber, type JsonObject, type JsonValue, toJsonKind } from './json-value.ts';
import { cutTexts, previewJson } from './preview.ts';
import type { Work } from './work.ts';

export type JsonDiffEnd = 'whole' | 'work' | 'depth';

/** Fills the list. `depth`: the bodies have more levels than can be compared, and nothing is said of those below. */
export function diffJson(
  primary: JsonValue,
  shadow: JsonValue,
  rules: JsonRules,
  list: DiffList,
  work: Work,
): JsonDiffEnd {
  const differ = new JsonDiffer(list, work);
  differ.diff(primary, shadow, rules, rules?.value?.isMasked === true);
  if (differ.isTooDeep) return 'depth';
  return work.isSpent ? 'work' : 'whole';
}

/** Texts of a pair of values; null where there is none. */
type Shown = readonly [string | null, string | null];

class JsonDiffer {
  isTooDeep = false;
  readonly #list: DiffList;
  readonly #work: Work;
  /** Where the walk is. */
  readonly #place: (string | number)[] = [];
  /** Of that place, and of all above it. */
  #tolerances: readonly Tolerance[] = [];

  constructor(list: DiffList, work: Work) {
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
      this.#report('type', () => [
        previewJson(primary, rules, isMasked),
        previewJson(shadow, rules, isMasked),
      ]);
    } else if (kind === 'object') {
      this.#diffObjects(primary as JsonObject, shadow as JsonObject, rules, isMasked);
    } else if (kind === 'array') {
      this.#diffArrays(primary as JsonValue[], shadow as JsonValue[], rules, isMasked);
    } else if (kind !== 'number' || !isSameNumber(primary as number, shadow as number, this.#tolerances)) {
      this.#report('value', () => showValues(primary, shadow, isMasked));
    }
    this.#tolerances = above;
  }

  /** Values become text only when the difference is kept. */
  #report(kind: DiffKind, show: () => Shown): void {
    const shown = countShownSteps(this.#place);
    const place = shown === this.#place.length ? this.#place : this.#place.slice(0, shown);
    const isRoot = place.length === 0;
    const field = isRoot ? 'body' : `body:${formatField(place)}`;
    if (!this.#list.find(field)) return;
    const at = isRoot ? 'body' : `body:${formatPlace(place)}`;
    const [primary, shadow] = show();
    this.#list.keep({ field, at, kind, primary, shadow });
  }

  /** Whether there is room for one more level. */
  #canDescend(): boolean {
    if (this.#place.length < LEVELS_MAX) return true;
    this.isTooDeep = true;
    return false;
  }

  #diffObjects(primary: JsonObject, shadow: JsonObject, rules: JsonRules, isMasked: boolean): void {
    if (!this.#canDescend()) return;
    const keys = Object.keys(primary);
    let shared = 0;
    for (const key of keys) {
      if (Object.hasOwn(shadow, key)) {
        shared++;
        const next = rules === null ? null : rules.stepKey(key);
        this.#place.push(key);
        this.diff(primary[key]!, shadow[key]!, next, isMasked);
        this.#place.pop();
      } else {
        this.#reportAlone(
          key,
          primary[key]!,
          'missing',
          rules === null ? null : rules.stepKey(key),
          isMasked,
        );
      }
      if (this.#isOver) return;
    }
    const others = Object.keys(shadow);
    if (others.length === shared) return;
    for (const key of others) {
      if (Object.hasOwn(primary, key)) continue;
      this.#reportAlone(key, shadow[key]!, 'extra', rules === null ? null : rules.stepKey(key), isMasked);
      if (this.#isOver) return;
    }
  }

  /** A member or an element that only one side has. */
  #reportAlone(
    step: string | number,
    value: JsonValue,
    kind: 'missing' | 'extra',
    rules: JsonRules,
    isMasked: boolean,
  ): void {
    this.#work.visit();
    if (this.#work.isSpent || rules?.value?.isIgnored === true) return;
    this.#place.push(step);
    this.#report(kind, () => {
      const text = previewJson(value, rules, isMasked);
      return kind === 'missing' ? [text, null] : [null, text];
    });
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
    if (rules?.value?.isUnordered === true) {
      this.#diffUnordered(primary, shadow, next, isMasked);
      return;
    }
    if (primary.length !== shadow.length) {
      this.#report('length', () =>
        isMasked ? [MASKED, MASKED] : [toCount(primary.length), toCount(shadow.length)],
      );
    }
    if (next?.value?.isIgnored === true || this.#isOver) return;
    this.#diffElements(primary, shadow, rules, next, isMasked);
  }

  #diffElements(
    primary: readonly JsonValue[],
    shadow: readonly JsonValue[],
    rules: JsonRules,
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
      this.#place.length + 1,
    );
    if (!isMoved) return;
    this.#list.rewind(mark);
    this.#report('order', () => [
      previewJson(primary as JsonValue, rules, isMasked),
      previewJson(shadow as JsonValue, rules, isMasked),
    ]);
  }

  /** Elements that only one side has are missing or extra; there is no difference in length beside them. */
  #diffUnordered(
    primary: readonly JsonValue[],
    shadow: readonly JsonValue[],
    next: JsonRules,
    isMasked: boolean,
  ): void {
    const level = this.#place.length + 1;
    const left = findLeftovers(primary, shadow, next, this.#work, level);
    if (left === null) {
      // Not for the work: then for the depth.
      if (!this.#work.isSpent) this.isTooDeep = true;
      return;
    }
    const { pairs, primary: missing, shadow: extra } = pairElements(primary, shadow, left, next, this.#work);
    for (const [primaryAt, shadowAt] of pairs) {
      if (this.#isOver) return;
      this.#place.push(primaryAt);
      this.diff(primary[primaryAt]!, shadow[shadowAt]!, next, isMasked);
      this.#place.pop();
    }
    for (const at of missing) {
      if (this.#isOver) return;
      this.#reportAlone(at, primary[at]!, 'missing', next, isMasked);
    }
    for (const at of extra) {
      if (this.#isOver) return;
      this.#reportAlone(at, shadow[at]!, 'extra', next, isMasked);
    }
  }
}

function toCount(length: number): string {
  return length === 1 ? '1 element' : `${length} elements`;
}

function showValues(primary: JsonValue, shadow: JsonValue, isMasked: boolean): Shown {
  if (isMasked || typeof primary !== 'string' || typeof shadow !== 'string')
    return [previewJson(primary, null, isMasked), previewJson(shadow, null, isMasked)];
  const [first, second] = cutTexts(primary, shadow);
  return [previewJson(first, null, false), previewJson(second, null, false)];
}

type JsonNumber = number | ExactNumber;

function isSameNumber(primary: JsonNumber, shadow: JsonNumber, tolerances: readonly Tolerance[]): boolean {
  if (primary instanceof ExactNumber && shadow instanceof ExactNumber && primary.decimal === shadow.decimal)
    return true;
  if (tolerances.length === 0) return false;
  const first = typeof primary === 'number' ? primary : primary.approximate;
  const second = typeof shadow === 'number' ? shadow : shadow.approximate;
  const difference = Math.abs(first - second);
  // Of numbers beyond all doubles nobody knows how far they are apart.
  if (!Number.isFinite(difference)) return false;
  return tolerances.some(
    ({ largest, isRelative }) => difference <= (isRelative ? largest * Math.abs(first) : largest),
  );
}
