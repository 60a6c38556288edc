// Two texts, line by line.
//
// What both begin and end with is left out, and what remains is bounded: so many lines, and so many that differ. The
// shortest list of changed lines is searched for by E. Myers' greedy algorithm ("An O(ND) Difference Algorithm and Its
// Variations", 1986); where that would be too long, lines are compared by their number.

import { DIFFS_MAX, MASKED } from './answer-diff.ts';
import type { DiffList } from './diff-list.ts';
import { cutText, cutTexts } from './preview.ts';

/** Lines of one side, between the equal beginning and the equal end, that are looked at. */
export const LINES_MAX = 1_000;
/** Lines that are taken out or put in. */
const EDITS_MAX = DIFFS_MAX;

const LINE_FEED = 0x0a;

interface Middle {
  /** Number of the first line, from 1. */
  readonly firstLine: number;
  readonly primary: readonly string[];
  readonly shadow: readonly string[];
  /** Whether lines follow that are not among them. */
  readonly isCut: boolean;
}

/** At most LINES_MAX lines of `text`, each with its end; an empty text has none. */
function splitLines(text: string): readonly string[] {
  const lines: string[] = [];
  let start = 0;
  while (start < text.length && lines.length < LINES_MAX) {
    const end = text.indexOf('\n', start);
    const next = end < 0 ? text.length : end + 1;
    lines.push(text.slice(start, next));
    start = next;
  }
  return lines;
}

/** What is left without the lines that both begin with and those that both end with. */
function findMiddle(primary: string, shadow: string): Middle {
  const length = Math.min(primary.length, shadow.length);
  let start = 0;
  let firstLine = 1;
  for (let at = 0; at < length; at++) {
    const code = primary.charCodeAt(at);
    if (code !== shadow.charCodeAt(at)) break;
    if (code === LINE_FEED) {
      start = at + 1;
      firstLine++;
    }
  }
  let primaryEnd = primary.length;
  let shadowEnd = shadow.length;
  const room = length - start;
  for (let back = 1; back <= room; back++) {
    const code = primary.charCodeAt(primary.length - back);
    if (code !== shadow.charCodeAt(shadow.length - back)) break;
    // The lines behind a line end are equal; that end itself belongs to the line before.
    if (code === LINE_FEED) {
      primaryEnd = primary.length - back + 1;
      shadowEnd = shadow.length - back + 1;
    }
  }
  const first = splitLines(primary.slice(start, primaryEnd));
  const second = splitLines(shadow.slice(start, shadowEnd));
  const isCut = first.length === LINES_MAX || second.length === LINES_MAX;
  return { firstLine, primary: first, shadow: second, isCut };
}

/** Lines as numbers: equal ones have the same. */
function toNumbers(lines: readonly string[], known: Map<string, number>): Int32Array {
  return Int32Array.from(lines, (line) => {
    const number = known.get(line) ?? known.size;
    known.set(line, number);
    return number;
  });
}

/** Pairs of indices of lines that stay; null when more than EDITS_MAX others do not. */
function findCommon(primary: Int32Array, shadow: Int32Array): (readonly [number, number])[] | null {
  const furthest = new Int32Array(2 * EDITS_MAX + 3);
  const middle = EDITS_MAX + 1;
  const history: Int32Array[] = [];
  for (let edits = 0; edits <= EDITS_MAX; edits++) {
    history.push(furthest.slice());
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const isDown =
        diagonal === -edits ||
        (diagonal !== edits && furthest[middle + diagonal - 1]! < furthest[middle + diagonal + 1]!);
      let x = isDown ? furthest[middle + diagonal + 1]! : furthest[middle + diagonal - 1]! + 1;
      while (x < primary.length && x - diagonal < shadow.length && primary[x] === shadow[x - diagonal]) x++;
      furthest[middle + diagonal] = x;
      if (x >= primary.length && x - diagonal >= shadow.length) return walkBack(history, primary, shadow);
    }
  }
  return null;
}

/** From the end along the way that was found. */
function walkBack(
  history: readonly Int32Array[],
  primary: Int32Array,
  shadow: Int32Array,
): (readonly [number, number])[] {
  const middle = EDITS_MAX + 1;
  const common: (readonly [number, number])[] = [];
  let x = primary.length;
  let y = shadow.length;
  for (let edits = history.length - 1; edits >= 0; edits--) {
    const furthest = history[edits]!;
    const diagonal = x - y;
    const isDown =
      diagonal === -edits ||
      (diagonal !== edits && furthest[middle + diagonal - 1]! < furthest[middle + diagonal + 1]!);
    const before = edits === 0 ? 0 : isDown ? diagonal + 1 : diagonal - 1;
    const startX = edits === 0 ? 0 : furthest[middle + before]!;
    const startY = startX - before;
    while (x > startX && y > startY && primary[x - 1] === shadow[y - 1]) common.push([--x, --y]);
    x = startX;
    y = startY;
  }
  return common.reverse();
}

/** Without a look at what was moved: a line for a line. */
function toSameNumbers(primary: Int32Array, shadow: Int32Array): (readonly [number, number])[] {
  const common: (readonly [number, number])[] = [];
  const length = Math.min(primary.length, shadow.length);
  for (let at = 0; at < length; at++) if (primary[at] === shadow[at]) common.push([at, at]);
  return common;
}

/** Adds what differs under `body`; `isMasked`: only where. */
export function diffText(primary: string, shadow: string, isMasked: boolean, list: DiffList): void {
  if (primary === shadow) return;
  const middle = findMiddle(primary, shadow);
  const known = new Map<string, number>();
  const first = toNumbers(middle.primary, known);
  const second = toNumbers(middle.shadow, known);
  const common = findCommon(first, second) ?? toSameNumbers(first, second);
  // What comes after the last common line may have its equal behind the cut.
  const isEndOpen = middle.isCut && common.length > 0;
  const stops = isEndOpen ? common : [...common, [first.length, second.length] as const];
  const kept = list.diffs.length;
  let x = 0;
  let y = 0;
  for (const [nextX, nextY] of stops) {
    // Lines that are taken out here stand for those that are put in here, one for one.
    for (; x < nextX || y < nextY; ) {
      const before = x < nextX ? middle.primary[x]! : null;
      const after = y < nextY ? middle.shadow[y]! : null;
      if (list.diffs.length === DIFFS_MAX) return;
      const line = middle.firstLine + x;
      // Always in terms of the primary: what a control and a shadow have there are told by the same name.
      const at = before === null ? `body:after line ${line - 1}` : `body:line ${line}`;
      if (!list.isNoise('body', 'text', at, { lines: [before, after] })) {
        const [left, right] = isMasked ? toMasked(before, after) : toShown(before, after);
        list.keep({ field: 'body', at, kind: 'text', primary: left, shadow: right });
      }
      if (before !== null) x++;
      if (after !== null) y++;
    }
    x = nextX + 1;
    y = nextY + 1;
  }
  // Noise alone says nothing of the lines that were not looked at.
  if (middle.isCut && (list.diffs.length === kept || list.isLearning)) list.isCut = true;
}

function toMasked(primary: string | null, shadow: string | null): [string | null, string | null] {
  return [primary === null ? null : MASKED, shadow === null ? null : MASKED];
}

/** Without line ends, unless one side alone has one. */
function toShown(primary: string | null, shadow: string | null): [string | null, string | null] {
  if (primary === null || shadow === null)
    return [
      primary === null ? null : cutText(trimEnd(primary)),
      shadow === null ? null : cutText(trimEnd(shadow)),
    ];
  const isEndEqual = primary.endsWith('\n') === shadow.endsWith('\n');
  return isEndEqual ? cutTexts(trimEnd(primary), trimEnd(shadow)) : cutTexts(primary, shadow);
}

function trimEnd(line: string): string {
  return line.endsWith('\n') ? line.slice(0, -1) : line;
}
