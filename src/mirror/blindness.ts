// When two bodies differ and that says nothing of a shadow: they could not be kept, or such bodies differ as a whole anyway.
//
// Only judges. What is blind is counted as uncompared (comparer.ts), never as a match.

import type { UncomparedReason } from '../core/book.ts';
import type { AnswerContent, AnswerDiff, NoiseFilter } from '../core/diff/answer-diff.ts';
import { DecodeRoom, decodeBody, parseCodings } from '../core/diff/body-content.ts';
import { isWorkNote } from '../core/diff/body-diff.ts';
import type { DiffRules } from '../core/diff/diff-rules.ts';
import { parseHeaderLines } from '../core/diff/header-diff.ts';
import type { ControlNotes } from './control-notes.ts';
import type { ExchangeNoise } from './noise.ts';
import { isBodyField } from './outcome.ts';

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
  return {
    ...filter,
    covers: (field, kind, at, facts) => kind !== 'text' && filter.covers(field, kind, at, facts),
  };
}

/** Why a body says nothing: `diff` and `notes`, of primary and control, have it as a whole. Null: it does say something. */
export function findBlindness(
  diff: AnswerDiff,
  notes: ControlNotes,
  primary: AnswerContent,
  control: AnswerContent,
  { maxBodyCaptureBytes }: DiffRules,
): UncomparedReason | null {
  if (isOneEmpty(primary, control)) return null;
  if (hasNoRoom(diff)) return 'not_captured';
  if (diff.diffs.some(({ kind }) => kind === 'digest')) return 'body_is_noise';
  if (diff.bodyMethod !== 'text' || notes.lineCount === 0) return null;
  const size = measureText(primary, maxBodyCaptureBytes);
  // Where every line is another one each time, as in a page of one line, a page that says what is wrong is just another one;
  // and so where most of it stands between two values of one line.
  return notes.lineCount >= size.lines || notes.longBytes * 2 >= size.bytes ? 'body_is_noise' : null;
}

/** Why the body of `diff`, of primary and shadow, says nothing beside what the control's did. */
export function toBlindness(
  { diffs, isCut, note }: AnswerDiff,
  noise: ExchangeNoise | null,
): UncomparedReason | null {
  if (noise === null || noise.blindness !== null) return noise?.blindness ?? null;
  // Nobody has looked whether it differs as the control's does.
  if (isWorkNote(note)) return noise.hasBody ? 'body_is_noise' : null;
  // Both were cut short, and what was looked at is noise.
  const isNoise = noise.isCut && isCut && !diffs.some(({ field }) => isBodyField(field));
  return isNoise ? 'body_is_noise' : null;
}

/** Of text that could be read; a last line without an end is one. */
function measureText({ lines, body }: AnswerContent, bytesMax: number): { lines: number; bytes: number } {
  if (body === null) return { lines: 0, bytes: 0 };
  const codings = parseCodings(parseHeaderLines(lines).get('content-encoding') ?? []);
  const content = decodeBody(body, codings, bytesMax, new DecodeRoom());
  if (typeof content === 'string') return { lines: 0, bytes: 0 };
  let count = content.length > 0 && content.at(-1) !== LINE_FEED ? 1 : 0;
  for (let at = content.indexOf(LINE_FEED); at >= 0; at = content.indexOf(LINE_FEED, at + 1)) count++;
  return { lines: count, bytes: content.length };
}
