// Compares two answers under a route's rules.
//
// The entry of this folder. Answers that are the same make no object; whatever differs is found within the bounds of
// the parts, which never throw.

import { type AnswerContent, type AnswerDiff, type FieldDiff, NO_DIFF } from './answer-diff.ts';
import { diffBodies, isSameBody, readBodies } from './body-diff.ts';
import { DiffList } from './diff-list.ts';
import type { DiffRules } from './diff-rules.ts';
import { diffHeaders, parseHeaderLines } from './header-diff.ts';

export function diffAnswers(primary: AnswerContent, shadow: AnswerContent, rules: DiffRules): AnswerDiff {
  const isSameHead = primary.status === shadow.status && primary.lines === shadow.lines;
  if (isSameHead && primary.body !== null && isSameBody(primary, shadow)) return NO_DIFF;
  const primaryHead = parseHeaderLines(primary.lines);
  const shadowHead = isSameHead ? primaryHead : parseHeaderLines(shadow.lines);
  const list = new DiffList();
  if (primary.status !== shadow.status) list.keep(toStatusDiff(primary.status, shadow.status));
  const pair = readBodies(primary, shadow, { primary: primaryHead, shadow: shadowHead }, rules);
  diffHeaders(
    primaryHead,
    shadowHead,
    // What a body was packed in for the way is no part of an answer whose content is compared unpacked.
    (name) => rules.ignoredHeaders.has(name) || (pair.isDecoded && name === 'content-encoding'),
    list,
  );
  const { method, note, isCut } = diffBodies(pair, primary, shadow, rules, list);
  if (method === 'bytes' && list.diffs.length === 0) return NO_DIFF;
  return { diffs: list.diffs, isCut: isCut || list.isCut, bodyMethod: method, note };
}

function toStatusDiff(primary: number, shadow: number): FieldDiff {
  return {
    field: 'status',
    at: 'status',
    kind: 'value',
    primary: String(primary),
    shadow: String(shadow),
  };
}
