// What the comparison of two answers comes to, for those who count and tell it.

import type { AnswerDiff, FieldDiff } from '../core/diff/answer-diff.ts';
import { OTHERS } from '../core/findings.ts';

const HEADER_FIELD = 'header:';
const BODY_FIELD = 'body';
const STATUS_FIELD = 'status';
const NOTE_CUT = 'there are more differences than are listed';

/** The differences of two answers, and in what they are. */
export interface Outcome {
  readonly diff: AnswerDiff;
  readonly hasStatus: boolean;
  readonly hasHeader: boolean;
  readonly hasBody: boolean;
}

/** Stands for differences that there was no room or no time for. */
const CUT_DIFF: FieldDiff = {
  field: BODY_FIELD,
  at: `${BODY_FIELD}:${OTHERS}`,
  kind: 'value',
  primary: null,
  shadow: null,
};

/** Where something may differ that is not listed, nothing listed is no match. */
export function toWhole(diff: AnswerDiff): AnswerDiff {
  if (!diff.isCut || diff.diffs.length > 0) return diff;
  return { ...diff, diffs: [CUT_DIFF], note: diff.note ?? NOTE_CUT };
}

export function isBodyField(field: string): boolean {
  return field !== STATUS_FIELD && !field.startsWith(HEADER_FIELD);
}

export function toOutcome(diff: AnswerDiff): Outcome {
  let hasStatus = false;
  let hasHeader = false;
  let hasBody = false;
  for (const { field } of diff.diffs) {
    if (field === STATUS_FIELD) hasStatus = true;
    else if (field.startsWith(HEADER_FIELD)) hasHeader = true;
    else hasBody = true;
  }
  return { diff, hasStatus, hasHeader, hasBody };
}
