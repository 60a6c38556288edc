// Elements of an array as texts that are the same exactly when the elements are equal under the rules.
//
// So that elements are found again wherever they stand, in one pass. Numbers within a tolerance have different texts; they
// may be left out and collected, and whoever asks for that compares them.

import type { Tolerance } from '../model.ts';
import type { JsonRules } from './diff-rules.ts';
import { LEVELS_MAX } from './json-path.ts';
import { ExactNumber, type JsonObject, type JsonValue } from './json-value.ts';
import { toApproximate } from './tolerance.ts';
import type { Work } from './work.ts';

const IGNORED = '-';
const TOLERANT = '~';
/** What things cost here beside a visit for each value: texts are joined and sorted, and those of elements hashed. */
const ELEMENT_VISITS = 5;
const MEMBER_VISITS = 1;
const EXACT_VISITS = 8;

/** A number that was left out of a text. */
export interface TolerantNumber {
  readonly value: number;
  readonly tolerances: readonly Tolerance[];
}

/** Collects numbers that have a tolerance, in the order of the text; those of nested unordered arrays as they stand. */
export interface Tolerant {
  /** Of the places above. */
  readonly tolerances: readonly Tolerance[];
  readonly numbers: TolerantNumber[];
}

/** With its length in front, so that no text can be taken for another one and what follows it. */
function toText(text: string): string {
  return `"${text.length}:${text}`;
}

/** Null when the work is spent, or the value has more than so many levels below it. `tolerant`: null for exact texts. */
export function toElementKey(
  value: JsonValue,
  rules: JsonRules,
  work: Work,
  level: number,
  tolerant: Tolerant | null = null,
): string | null {
  const rule = rules === null ? null : rules.value;
  if (rule?.isIgnored === true) return IGNORED;
  if (typeof value === 'string') return work.visitText(value.length) ? toText(value) : null;
  if (!work.take(1)) return null;
  let inner = tolerant;
  if (tolerant !== null && rule !== null && rule.tolerances.length > 0)
    inner = { tolerances: [...tolerant.tolerances, ...rule.tolerances], numbers: tolerant.numbers };
  const isNumber = typeof value === 'number' || value instanceof ExactNumber;
  if (isNumber && inner !== null && inner.tolerances.length > 0) {
    inner.numbers.push({ value: toApproximate(value), tolerances: inner.tolerances });
    return TOLERANT;
  }
  if (value === null || typeof value !== 'object') return String(value);
  if (value instanceof ExactNumber)
    return work.take(EXACT_VISITS) && work.visitText(value.source.length) ? `#${value.decimal}` : null;
  if (level >= LEVELS_MAX) return null;
  return Array.isArray(value)
    ? toArrayKey(value, rules, work, level, inner)
    : toObjectKey(value as JsonObject, rules, work, level, inner);
}

function toArrayKey(
  elements: readonly JsonValue[],
  rules: JsonRules,
  work: Work,
  level: number,
  tolerant: Tolerant | null,
): string | null {
  const next = rules === null ? null : rules.stepElement();
  const keys: string[] = [];
  for (const element of elements) {
    const key = toElementKey(element, next, work, level + 1, tolerant);
    if (key === null) return null;
    keys.push(key);
  }
  if (rules?.value?.isUnordered === true) keys.sort();
  const text = keys.join(',');
  return work.visitText(text.length) ? `[${text}]` : null;
}

function toObjectKey(
  object: JsonObject,
  rules: JsonRules,
  work: Work,
  level: number,
  tolerant: Tolerant | null,
): string | null {
  let text = '';
  const names = Object.keys(object);
  if (!work.take(names.length * MEMBER_VISITS)) return null;
  for (const name of names.sort()) {
    const next = rules === null ? null : rules.stepKey(name);
    if (next?.value?.isIgnored === true) continue;
    const key = toElementKey(object[name]!, next, work, level + 1, tolerant);
    if (key === null) return null;
    text += toText(name) + key;
  }
  return work.visitText(text.length) ? `{${text}}` : null;
}

/** Whether both hold the same elements, in whatever order. False also when that cannot be said. */
export function areSameElements(
  first: readonly JsonValue[],
  second: readonly JsonValue[],
  rules: JsonRules,
  work: Work,
  level: number,
): boolean {
  if (first.length !== second.length) return false;
  if (!work.take((first.length + second.length) * ELEMENT_VISITS)) return false;
  const counts = new Map<string, number>();
  for (const element of second) {
    const key = toElementKey(element, rules, work, level);
    if (key === null) return false;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for (const element of first) {
    const key = toElementKey(element, rules, work, level);
    const count = key === null ? 0 : (counts.get(key) ?? 0);
    if (key === null || count === 0) return false;
    counts.set(key, count - 1);
  }
  return true;
}

/** Indices of elements that have no equal on the other side; null when the work is spent. */
export interface Leftovers {
  readonly primary: readonly number[];
  readonly shadow: readonly number[];
  /** Whether an element has its equal at another place. */
  readonly isMoved: boolean;
}

export function findLeftovers(
  primary: readonly JsonValue[],
  shadow: readonly JsonValue[],
  rules: JsonRules,
  work: Work,
  level: number,
): Leftovers | null {
  if (!work.take((primary.length + shadow.length) * ELEMENT_VISITS)) return null;
  const places = new Map<string, number[]>();
  // Backwards, so that the first of several equal ones is taken first.
  for (let at = shadow.length - 1; at >= 0; at--) {
    const key = toElementKey(shadow[at]!, rules, work, level);
    if (key === null) return null;
    const known = places.get(key);
    if (known === undefined) places.set(key, [at]);
    else known.push(at);
  }
  const left: number[] = [];
  let isMoved = false;
  for (let at = 0; at < primary.length; at++) {
    const key = toElementKey(primary[at]!, rules, work, level);
    if (key === null) return null;
    const place = places.get(key)?.pop();
    if (place === undefined) left.push(at);
    else if (place !== at) isMoved = true;
  }
  const unmatched = [...places.values()].flat();
  return { primary: left, shadow: unmatched.sort((a, b) => a - b), isMoved };
}
