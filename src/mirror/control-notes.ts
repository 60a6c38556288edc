// What a control's answer says of its exchange beyond the fields that differ: lines, arrays without elements, renamed members.
//
// Filled while primary and control are compared (NoiseFilter.isLearning), and asked by noise.ts. Bounded as that
// comparison is. Keeps no text of the answers.

import { type DiffFacts, type DiffKind, LEARNT_MAX, type NoiseFilter } from '../core/diff/answer-diff.ts';

/** What stands between what two lines begin and end with in common, when it is more than one value such as a time or an id. */
const LONG_MIDDLE_BYTES = 256;

type Lines = readonly [string | null, string | null];

/** Of the primary's line: so many characters at its ends are the control's as well. */
interface LineEnds {
  readonly start: number;
  readonly end: number;
}

export class ControlNotes implements NoiseFilter {
  readonly isLearning = true;
  /** Lines of the primary that differ. */
  lineCount = 0;
  /** What they hold in long stretches that differ. */
  longBytes = 0;
  /** By place; null where one side alone has a line. */
  readonly #lines = new Map<string, LineEnds | null>();
  readonly #emptied = new Set<string>();
  /** How many members at most, by the object's field. */
  readonly #renamed = new Map<string, number>();

  /** Notes what it is asked. Of lines only the first is listed as a difference: all have one field. */
  covers(field: string, kind: DiffKind, at: string, facts: DiffFacts = {}): boolean {
    const { lines, renamed } = facts;
    if (kind === 'text' && lines !== undefined) return this.#addLine(at, lines);
    if (facts.isOneEmpty === true && this.#emptied.size < LEARNT_MAX) this.#emptied.add(field);
    if (renamed !== undefined) {
      const members = this.#renamed.get(renamed.parent);
      if (members !== undefined || this.#renamed.size < LEARNT_MAX) {
        this.#renamed.set(renamed.parent, Math.max(members ?? 0, renamed.members));
      }
    }
    return false;
  }

  #addLine(at: string, [primary, control]: Lines): boolean {
    const isFirst = this.#lines.size === 0;
    if (primary !== null) this.lineCount++;
    if (primary === null || control === null) {
      this.#lines.set(at, null);
      return !isFirst;
    }
    const ends = findCommonEnds(primary, control);
    this.#lines.set(at, ends);
    const bytes = Buffer.byteLength(primary.slice(ends.start, primary.length - ends.end));
    if (bytes > LONG_MIDDLE_BYTES) this.longBytes += bytes;
    return !isFirst;
  }

  /** Whether a shadow's line differs from the primary's where the control's does, and nowhere else. */
  coversLine(at: string, [primary, shadow]: Lines): boolean {
    const ends = this.#lines.get(at);
    if (ends === undefined) return false;
    if (ends === null) return primary === null || shadow === null;
    return primary !== null && shadow !== null && hasEnds(shadow, primary, ends);
  }

  isEmptied(field: string): boolean {
    return this.#emptied.has(field);
  }

  /** Whether so many members of the object had other names in the control's answer too. */
  isRenamed(parent: string, members: number): boolean {
    return members <= (this.#renamed.get(parent) ?? 0);
  }
}

function hasEnds(line: string, primary: string, { start, end }: LineEnds): boolean {
  return (
    line.length >= start + end &&
    line.startsWith(primary.slice(0, start)) &&
    line.endsWith(primary.slice(primary.length - end))
  );
}

/**
 * Up to where a value begins, and from where it has ended: two values that differ may by chance begin or end alike, as
 * 10:59 and 10:58 do.
 */
function findCommonEnds(first: string, second: string): LineEnds {
  const length = Math.min(first.length, second.length);
  let start = 0;
  while (start < length && first.charCodeAt(start) === second.charCodeAt(start)) start++;
  while (start > 0 && isOfValue(first.charCodeAt(start - 1))) start--;
  let end = 0;
  const room = length - start;
  while (
    end < room &&
    first.charCodeAt(first.length - 1 - end) === second.charCodeAt(second.length - 1 - end)
  ) {
    end++;
  }
  while (end > 0 && isEndOfValue(first.charCodeAt(first.length - end))) end--;
  return { start, end };
}

/** Letters and digits of any script, and what stands within times, numbers, addresses and base64. */
function isOfValue(code: number): boolean {
  if (code > 0x7f) return true;
  const letter = code | 0x20;
  return (
    // From `-` to `:` there are also `.`, `/` and the digits.
    (code >= 0x2d && code <= 0x3a) ||
    (letter >= 0x61 && letter <= 0x7a) ||
    code === 0x2b /* + */ ||
    code === 0x5f /* _ */ ||
    code === 0x25 /* % */
  );
}

function isEndOfValue(code: number): boolean {
  return isOfValue(code) || code === 0x3d /* = */;
}
