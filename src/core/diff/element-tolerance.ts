// Which elements of two unordered arrays are equal within the tolerances of their numbers, among those that have no equal.
//
// Elements that are the same but for such numbers are found by their text; among them the nearest are paired. Each is
// compared with a few others at most.

import type { Tolerance } from '../model.ts';
import type { JsonRules } from './diff-rules.ts';
import { type Leftovers, type TolerantNumber, toElementKey } from './element-key.ts';
import type { JsonValue } from './json-value.ts';
import { isWithin } from './tolerance.ts';
import type { Work } from './work.ts';

/** Of the other side, in order of their numbers, that one element is compared with at most. */
const CANDIDATES_MAX = 64;

interface Candidate {
  readonly at: number;
  readonly numbers: readonly TolerantNumber[];
  isTaken: boolean;
}

/** Candidates by the text that they share; null when the work is spent. */
function group(
  indices: readonly number[],
  elements: readonly JsonValue[],
  rules: JsonRules,
  tolerances: readonly Tolerance[],
  work: Work,
  level: number,
): Map<string, Candidate[]> | null {
  const groups = new Map<string, Candidate[]>();
  for (const at of indices) {
    const numbers: TolerantNumber[] = [];
    const key = toElementKey(elements[at]!, rules, work, level, { tolerances, numbers });
    if (key === null) return null;
    if (numbers.length === 0) continue;
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [{ at, numbers, isTaken: false }]);
    else known.push({ at, numbers, isTaken: false });
  }
  for (const members of groups.values()) members.sort(compareNumbers);
  return groups;
}

function compareNumbers(first: Candidate, second: Candidate): number {
  for (const [index, { value }] of first.numbers.entries()) {
    const other = second.numbers[index]?.value ?? value;
    if (value !== other) return value < other ? -1 : 1;
  }
  return first.at - second.at;
}

function areWithin(first: Candidate, second: Candidate, work: Work): boolean {
  return first.numbers.every(({ value, tolerances }, index) => {
    work.visit();
    return isWithin(value, second.numbers[index]?.value ?? Number.NaN, tolerances);
  });
}

/** What has no equal within tolerances either; null when the work is spent. `tolerances`: of the places above. */
export function findLeftoversWithin(
  primary: readonly JsonValue[],
  shadow: readonly JsonValue[],
  left: Leftovers,
  rules: JsonRules,
  tolerances: readonly Tolerance[],
  work: Work,
  level: number,
): Leftovers | null {
  const groups = group(left.primary, primary, rules, tolerances, work, level);
  const others = groups === null ? null : group(left.shadow, shadow, rules, tolerances, work, level);
  if (groups === null || others === null) return null;
  const found = { primary: new Set<number>(), shadow: new Set<number>() };
  for (const [key, members] of groups) {
    const candidates = others.get(key) ?? [];
    for (const member of members) {
      const candidate = findWithin(member, candidates, work);
      if (work.isSpent) return null;
      if (candidate === null) continue;
      candidate.isTaken = true;
      found.primary.add(member.at);
      found.shadow.add(candidate.at);
    }
  }
  return {
    isMoved: left.isMoved,
    primary: left.primary.filter((at) => !found.primary.has(at)),
    shadow: left.shadow.filter((at) => !found.shadow.has(at)),
  };
}

/** The first of the nearest that is within; null when none is. */
function findWithin(member: Candidate, candidates: readonly Candidate[], work: Work): Candidate | null {
  let low = 0;
  let high = candidates.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareNumbers(candidates[middle]!, member) < 0) low = middle + 1;
    else high = middle;
  }
  const start = Math.max(low - CANDIDATES_MAX / 2, 0);
  for (const candidate of candidates.slice(start, start + CANDIDATES_MAX)) {
    work.visit();
    if (!candidate.isTaken && areWithin(member, candidate, work)) return candidate;
  }
  return null;
}
