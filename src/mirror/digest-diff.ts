// Two answers by status, number of bytes and digest alone.

import type { AnswerContent, AnswerDiff, FieldDiff } from '../core/diff/answer-diff.ts';

const SAME: AnswerDiff = { diffs: [], isCut: false, bodyMethod: 'digest', note: null, noise: [] };

/** `note`: why not in detail; null where nobody asked for that. With `hasMask` no digest is shown. */
export function diffDigests(
  primary: AnswerContent,
  shadow: AnswerContent,
  hasMask: boolean,
  note: string | null,
): AnswerDiff {
  const isStatusEqual = primary.status === shadow.status;
  const isBodyEqual = primary.digest === shadow.digest;
  if (isStatusEqual && isBodyEqual && note === null) return SAME;
  const diffs: FieldDiff[] = [];
  if (!isStatusEqual) {
    const [before, after] = [String(primary.status), String(shadow.status)];
    diffs.push({ field: 'status', at: 'status', kind: 'value', primary: before, shadow: after });
  }
  if (!isBodyEqual) {
    const [before, after] = [toDigestText(primary, hasMask), toDigestText(shadow, hasMask)];
    diffs.push({ field: 'body', at: 'body', kind: 'digest', primary: before, shadow: after });
  }
  return { ...SAME, diffs, note };
}

/** Not the digest where places are masked: a short secret could be found by trying. */
function toDigestText({ bodyBytes, digest }: AnswerContent, hasMask: boolean): string {
  const length = bodyBytes === 1 ? '1 byte' : `${bodyBytes} bytes`;
  if (bodyBytes === 0 || hasMask) return length;
  return `${length}, sha256 ${Buffer.from(digest, 'base64').toString('hex')}`;
}
