// Which elements of two unordered arrays are the same thing with a difference, among those that have no equal.
//
// Elements that share a member which nobody else has (an id, a name) belong together. What then remains is paired in
// order of its value or place. Work is proportional to the members; nothing is compared with everything.

import type { JsonRules } from './diff-rules.ts';
import type { Leftovers } from './element-key.ts';
import { ExactNumber, JSON_KINDS, type JsonValue, toJsonKind } from './json-value.ts';
import { toApproximate } from './tolerance.ts';
import type { Work } from './work.ts';

export interface ElementPairs {
  /** Primary's and shadow's index. */
  readonly pairs: readonly (readonly [number, number])[];
  readonly primary: readonly number[];
  readonly shadow: readonly number[];
}

/** What a mark costs: it is made, counted and looked up. */
const MARK_VISITS = 2;
/** More than one element has it. */
const SHARED = -1;

/** Texts of the members that may tell an element from others: strings and numbers. */
function toMarks(element: JsonValue, rules: JsonRules, work: Work): string[] {
  if (toJsonKind(element) !== 'object') return [];
  const marks: string[] = [];
  for (const [name, value] of Object.entries(element as Record<string, JsonValue>)) {
    const isText = typeof value === 'string';
    if (!isText && toJsonKind(value) !== 'number') continue;
    if (rules !== null && rules.stepKey(name)?.value?.isIgnored === true) continue;
    const length = isText ? value.length : value instanceof ExactNumber ? value.source.length : 0;
    if (!work.take(MARK_VISITS) || !work.visitText(name.length + length)) break;
    const text = isText ? value : value instanceof ExactNumber ? value.decimal : String(value);
    marks.push(`${isText ? 's' : 'n'}${name.length}:${name}${text}`);
  }
  return marks;
}

/** The place of each mark that only one of the elements has. */
function indexMarks(marks: ReadonlyMap<number, readonly string[]>): Map<string, number> {
  const owners = new Map<string, number>();
  for (const [at, texts] of marks) {
    for (const text of texts) owners.set(text, owners.has(text) ? SHARED : at);
  }
  return owners;
}

function findBest(
  marks: readonly string[],
  owners: ReadonlyMap<string, number>,
  free: ReadonlySet<number>,
): number {
  const votes = new Map<number, number>();
  let best = SHARED;
  for (const mark of marks) {
    const owner = owners.get(mark) ?? SHARED;
    if (owner === SHARED || !free.has(owner)) continue;
    const count = (votes.get(owner) ?? 0) + 1;
    votes.set(owner, count);
    if (count > (votes.get(best) ?? 0)) best = owner;
  }
  return best;
}

/** By type and, of numbers, by value; else as they stand. So numbers within a tolerance of each other meet. */
function sortByValue(indices: readonly number[], elements: readonly JsonValue[]): number[] {
  const toNumber = (value: JsonValue): number =>
    typeof value === 'number' || value instanceof ExactNumber ? toApproximate(value) : 0;
  const ranked = indices.map((at) => ({
    at,
    kind: JSON_KINDS.indexOf(toJsonKind(elements[at]!)),
    value: toNumber(elements[at]!),
  }));
  // Infinite values are equal to each other: their difference is no number.
  ranked.sort((a, b) => a.kind - b.kind || (a.value === b.value ? a.at - b.at : a.value < b.value ? -1 : 1));
  return ranked.map(({ at }) => at);
}

/** `rules` are those of the elements. */
export function pairElements(
  primary: readonly JsonValue[],
  shadow: readonly JsonValue[],
  left: Leftovers,
  rules: JsonRules,
  work: Work,
): ElementPairs {
  const toAllMarks = (indices: readonly number[], elements: readonly JsonValue[]) =>
    new Map(indices.map((at) => [at, toMarks(elements[at]!, rules, work)] as const));
  const primaryMarks = toAllMarks(left.primary, primary);
  const shadowMarks = toAllMarks(left.shadow, shadow);
  const primaryOwners = indexMarks(primaryMarks);
  const shadowOwners = indexMarks(shadowMarks);
  const free = new Set(left.shadow);
  const pairs: [number, number][] = [];
  const rest: number[] = [];
  for (const [at, marks] of primaryMarks) {
    // A mark that several of the primary's have says nothing of this one.
    const own = marks.filter((mark) => primaryOwners.get(mark) === at);
    const best = findBest(own, shadowOwners, free);
    if (best === SHARED) {
      rest.push(at);
    } else {
      free.delete(best);
      pairs.push([at, best]);
    }
  }
  const primaryRest = sortByValue(rest, primary);
  const shadowRest = sortByValue([...free], shadow);
  const common = Math.min(primaryRest.length, shadowRest.length);
  for (let index = 0; index < common; index++) pairs.push([primaryRest[index]!, shadowRest[index]!]);
  pairs.sort((a, b) => a[0] - b[0]);
  return { pairs, primary: primaryRest.slice(common), shadow: shadowRest.slice(common) };
}
