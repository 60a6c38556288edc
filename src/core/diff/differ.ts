// Compares two answers under a route's rules.
//
// The entry of this folder. Answers that are the same make no object; whatever differs is found within the bounds of
// the parts, which never throw.

import { type AnswerContent, type AnswerDiff, NO_DIFF, type NoiseFilter } from './answer-diff.ts';
import { diffBodies, isSameBody, readBodies } from './body-diff.ts';
import { DiffList } from './diff-list.ts';
import type { DiffRules } from './diff-rules.ts';
import { diffHeaders, parseHeaderLines } from './header-diff.ts';
import type { Clock } from './work.ts';

function readClock(): number {
  return performance.now();
}

/** What `filter` covers is noise: it is not among the differences. `clock` is for tests. */
export function diffAnswers(
  primary: AnswerContent,
  shadow: AnswerContent,
  rules: DiffRules,
  filter: NoiseFilter | null = null,
  clock: Clock = readClock,
): AnswerDiff {
  const isSameHead = primary.status === shadow.status && primary.lines === shadow.lines;
  if (isSameHead && primary.body !== null && isSameBody(primary, shadow)) return NO_DIFF;
  const primaryHead = parseHeaderLines(primary.lines);
  const shadowHead = isSameHead ? primaryHead : parseHeaderLines(shadow.lines);
  const list = new DiffList(filter);
  if (primary.status !== shadow.status) reportStatus(primary.status, shadow.status, list);
  const pair = readBodies(primary, shadow, { primary: primaryHead, shadow: shadowHead }, rules);
  // What a body was packed in for the way is no part of an answer whose content is compared unpacked; and where no body
  // came, as to a HEAD or with 304, nothing was packed.
  const isBodyless = primary.bodyBytes === 0 && shadow.bodyBytes === 0;
  diffHeaders(primaryHead, shadowHead, rules, pair.isDecoded || isBodyless, list);
  const { method, note, isCut } = diffBodies(pair, primary, shadow, rules, list, clock);
  if (method === 'bytes' && list.found === 0 && list.diffs.length === 0) return NO_DIFF;
  return { diffs: list.diffs, isCut: isCut || list.isCut, bodyMethod: method, note, noise: list.noise };
}

function reportStatus(primary: number, shadow: number, list: DiffList): void {
  if (list.isNoise('status', 'value', 'status')) return;
  const [before, after] = [String(primary), String(shadow)];
  list.keep({ field: 'status', at: 'status', kind: 'value', primary: before, shadow: after });
}
