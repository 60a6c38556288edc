// When two bodies differ and that says nothing of a shadow: they could not be kept, or such bodies differ as a whole anyway.
//
// Only judges. What is blind is counted as uncompared (comparer.ts), never as a match.

import type { UncomparedReason } from '../core/book.ts';
import type { AnswerContent, AnswerDiff, NoiseFilter } from '../core/diff/answer-diff.ts';
import { DecodeRoom, decodeBody, parseCodings } from '../core/diff/body-content.ts';
import type { DiffRules } from '../core/diff/diff-rules.ts';
import { parseHeaderLines } from '../core/diff/header-diff.ts';

/** Its route would have kept it, the thread could not (answer.ts). */
export const NOTE_NO_ROOM = 'there was no room to keep the bodies';

const LINE_FEED = 0x0a;

/** Whether the thread had no room to keep a body that its route would have kept. */
export function isRefused({ body, bodyBytes }: AnswerContent, { maxBodyCaptureBytes }: DiffRules): boolean {
  return body === null && bodyBytes <= maxBodyCaptureBytes;
}

export function hasNoRoom({ note }: AnswerDiff): boolean {
  return note === NOTE_NO_ROOM;
}

/** That there is no body where there should be one can always be said. */
export function isOneEmpty(primary: AnswerContent, shadow: AnswerContent): boolean {
  return (primary.bodyBytes === 0) !== (shadow.bodyBytes === 0);
}

/** Without noise in lines of text. */
export function toLinelessFilter(filter: NoiseFilter | null): NoiseFilter | null {
  if (filter === null) return null;
  return { covers: (field, kind, at) => kind !== 'text' && filter.covers(field, kind, at) };
}

/** Why a body says nothing: `diff`, of primary and control, has it as a whole. Null: it does say something. */
export function findBlindness(
  diff: AnswerDiff,
  primary: AnswerContent,
  control: AnswerContent,
  { maxBodyCaptureBytes }: DiffRules,
): UncomparedReason | null {
  if (isOneEmpty(primary, control)) return null;
  if (hasNoRoom(diff)) return 'not_captured';
  if (diff.diffs.some(({ kind }) => kind === 'digest')) return 'body_is_noise';
  if (diff.bodyMethod !== 'text') return null;
  // Where every line is another one each time, as in a page of one line, a page that says what is wrong is just another one.
  const lines = diff.diffs.filter((each) => each.kind === 'text' && each.primary !== null).length;
  return lines > 0 && lines >= countLines(primary, maxBodyCaptureBytes) ? 'body_is_noise' : null;
}

/** Of text that could be read; a last line without an end is one. */
function countLines({ lines, body }: AnswerContent, bytesMax: number): number {
  if (body === null) return 0;
  const codings = parseCodings(parseHeaderLines(lines).get('content-encoding') ?? []);
  const content = decodeBody(body, codings, bytesMax, new DecodeRoom());
  if (typeof content === 'string') return 0;
  let count = content.length > 0 && content.at(-1) !== LINE_FEED ? 1 : 0;
  for (let at = content.indexOf(LINE_FEED); at >= 0; at = content.indexOf(LINE_FEED, at + 1)) count++;
  return count;
}
