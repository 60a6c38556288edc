// Answers to be compared, and rules, by what a test says of them.

import type { AnswerContent, AnswerDiff, FieldDiff } from '../../../src/core/diff/answer-diff.ts';
import { compileDiffRules, type DiffRules } from '../../../src/core/diff/diff-rules.ts';
import { diffAnswers } from '../../../src/core/diff/differ.ts';
import type { DetailedDiff, Redaction } from '../../../src/core/model.ts';

export const CAPTURE_BYTES = 1024 * 1024;

export interface RuleEdits extends Partial<DetailedDiff> {
  readonly mask?: readonly string[];
  readonly redact?: Partial<Redaction>;
}

export function toRules(edits: RuleEdits = {}): DiffRules {
  const { mask = [], redact = {}, ...detail } = edits;
  const none = { ignoreHeaders: [], ignoreJsonFields: [], unordered: [], tolerances: [] };
  return compileDiffRules({ ...none, maxBodyCaptureBytes: CAPTURE_BYTES, ...detail }, mask, {
    headers: [],
    query: [],
    json: [],
    ...redact,
  });
}

/** `headers`: flat list. A text becomes UTF-8. */
export function toAnswer(
  body: string | Uint8Array,
  headers: readonly string[] = [],
  status = 200,
): AnswerContent {
  let lines = '';
  for (let at = 0; at < headers.length; at += 2) lines += `${headers[at]}: ${headers[at + 1]}\r\n`;
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return { status, lines, body: bytes, bodyBytes: bytes.length, digest: '' };
}

export const JSON_TYPE = ['Content-Type', 'application/json; charset=utf-8'];

export function diffJsonTexts(primary: string, shadow: string, edits: RuleEdits = {}): AnswerDiff {
  return diffAnswers(toAnswer(primary, JSON_TYPE), toAnswer(shadow, JSON_TYPE), toRules(edits));
}

/** In one line each: `kind at (field) primary → shadow`. */
export function toLines(diffs: readonly FieldDiff[]): string[] {
  return diffs.map(({ field, at, kind, primary, shadow }) => {
    const place = field === at ? at : `${at} (${field})`;
    return `${kind} ${place}: ${primary ?? 'nothing'} → ${shadow ?? 'nothing'}`;
  });
}
