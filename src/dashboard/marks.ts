// Texts of two answers taken apart for showing: where they part, and what in them cannot be seen.
//
// Works on strings alone. Never tears a character that takes two of JavaScript's units, and keeps every unit of the text.

export interface Parts {
  readonly before: string;
  /** What lies between the common begin and the common end; may be empty. */
  readonly middle: string;
  readonly after: string;
}

/** Both texts, split at their common begin and their common end. */
export function splitDifference(primary: string, shadow: string): readonly [Parts, Parts] {
  const shorter = Math.min(primary.length, shadow.length);
  let begin = 0;
  while (begin < shorter && primary[begin] === shadow[begin]) begin++;
  if (isInPair(primary, begin) || isInPair(shadow, begin)) begin--;
  let end = 0;
  while (end < shorter - begin && primary.at(-1 - end) === shadow.at(-1 - end)) end++;
  if (isInPair(primary, primary.length - end) || isInPair(shadow, shadow.length - end)) end--;
  return [cut(primary, begin, end), cut(shadow, begin, end)];
}

function cut(text: string, begin: number, end: number): Parts {
  const last = text.length - end;
  return { before: text.slice(0, begin), middle: text.slice(begin, last), after: text.slice(last) };
}

/** Whether the border before that unit lies within a surrogate pair. */
function isInPair(text: string, at: number): boolean {
  return /[\ud800-\udbff]/.test(text[at - 1] ?? '') && /[\udc00-\udfff]/.test(text[at] ?? '');
}

export interface Piece {
  readonly text: string;
  /** Whether the text names what cannot be seen: `U+200B`. */
  readonly isName: boolean;
}

/** Controls, format characters (of writing direction too), fillers, halves of pairs, and blanks other than the blank. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Z}\u2800]+/gu;
/** These are seen as what they are. */
const SEEN = /^[ \n]*$/;

/** What would be invisible, or would change how its neighbours are shown, by name. */
export function toPieces(text: string): Piece[] {
  const pieces: Piece[] = [];
  const add = (more: string, isName: boolean): void => {
    if (more === '') return;
    const last = pieces.at(-1);
    if (last !== undefined && last.isName === isName) {
      pieces[pieces.length - 1] = { text: `${last.text}${isName ? ' ' : ''}${more}`, isName };
    } else pieces.push({ text: more, isName });
  };
  let at = 0;
  for (const { 0: run, index } of text.matchAll(UNSEEN)) {
    add(text.slice(at, index), false);
    for (const character of run) {
      if (SEEN.test(character)) add(character, false);
      else add(toName(character), true);
    }
    at = index + run.length;
  }
  add(text.slice(at), false);
  return pieces;
}

function toName(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
}
