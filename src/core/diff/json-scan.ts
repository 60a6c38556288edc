// One look through JSON text before it is parsed: how much work its values are, and which numbers a double cannot hold.
//
// Says nothing of whether the text is valid. Such numbers are handed to the parser as marked strings, because asking the
// parser for the text of every number would cost ten times as much as parsing.

import { randomInt } from 'node:crypto';
import type { Work } from './work.ts';

/** Steps of reading, beside one for each comma and string. */
const OPENING_STEPS = 2;
const EXACT_STEPS = 5;
/** Of a member by which its object becomes unlike those before it: the parser has to make a shape for it, or to hash the key. */
const SHAPE_STEPS = 6;

/** Decimal digits that every double keeps, within these exponents. */
export const SAFE_DIGITS = 15;
export const SAFE_EXPONENT = 290;

/** Text that is shorter cannot take too many steps: what is known of its shapes makes no difference. */
const SHAPED_LENGTH_MIN = 32 * 1024;
/** Shapes that are remembered, each in the one place that its hash gives it. */
const SHAPES = 4_096;
/** Levels on which they are. */
const SHAPED_LEVELS_MAX = 100;

export interface JsonScan {
  /** Begin and end of each number that may be more than a double holds. */
  readonly exact: readonly number[];
  /** Of objects and arrays within each other. */
  readonly levels: number;
}

/**
 * The shapes of the objects of a text: which keys follow each other. Hashed with a factor that nobody knows, so that no
 * body is made of keys that are taken for each other.
 */
class ShapeMemory {
  readonly #factor = randomInt(2 ** 30) * 2 + 1;
  readonly #known = new Int32Array(SHAPES);
  /** Of the open object of each level. */
  readonly #shapes = new Int32Array(SHAPED_LEVELS_MAX + 1);

  open(level: number): void {
    if (level <= SHAPED_LEVELS_MAX) this.#shapes[level] = level;
  }

  /** Whether an object before had the same keys up to this one, which stands between its quotes. */
  isKnown(text: string, start: number, end: number, level: number): boolean {
    if (level > SHAPED_LEVELS_MAX || level < 0) return false;
    let hash = Math.imul(this.#shapes[level]! + 1, this.#factor);
    for (let at = start; at < end; at++)
      hash = Math.imul((hash ^ (hash >>> 15)) + text.charCodeAt(at), this.#factor);
    this.#shapes[level] = hash;
    const place = (hash ^ (hash >>> 13)) & (SHAPES - 1);
    if (this.#known[place] === hash) return true;
    this.#known[place] = hash;
    return false;
  }
}

/** Null when there is not enough work left. */
export function scanJson(text: string, work: Work): JsonScan | null {
  const exact: number[] = [];
  const shapes = text.length < SHAPED_LENGTH_MIN ? null : new ShapeMemory();
  const room = work.left;
  let steps = 0;
  let level = 0;
  let levels = 0;
  let at = 0;
  /** Of the string that was read last. */
  let start = 0;
  let end = 0;
  while (at < text.length && steps <= room) {
    const code = text.charCodeAt(at);
    if (code === 0x22 /* " */) {
      steps++;
      start = at;
      at = skipString(text, at);
      end = at;
    } else if (code === 0x2d /* - */ || (code >= 0x30 && code <= 0x39)) {
      const found = exact.length;
      at = skipNumber(text, at, exact);
      if (exact.length !== found) steps += EXACT_STEPS;
    } else {
      at++;
      if (code === 0x2c /* , */) {
        steps++;
      } else if (code === 0x3a /* : */) {
        if (shapes?.isKnown(text, start, end, level) !== true) steps += SHAPE_STEPS;
      } else if (code === 0x7b /* { */ || code === 0x5b /* [ */) {
        steps += OPENING_STEPS;
        level++;
        shapes?.open(level);
        if (level > levels) levels = level;
      } else if (code === 0x7d /* } */ || code === 0x5d /* ] */) {
        level--;
      }
    }
  }
  return work.take(steps) ? { exact, levels } : null;
}

/** Just behind the quote that ends it. */
function skipString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x22 /* " */) return at + 1;
    at += code === 0x5c /* \ */ ? 2 : 1;
  }
  return at;
}

/** Just behind it. Notes it when it has too many digits, or may have too large an exponent. */
function skipNumber(text: string, start: number, exact: number[]): number {
  /** From the first digit that is not 0; and up to the last such one. */
  let digits = 0;
  let significant = 0;
  let exponent = -1;
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x30 && code <= 0x39) {
      if (exponent >= 0) {
        if (exponent <= SAFE_EXPONENT) exponent = exponent * 10 + code - 0x30;
      } else if (code !== 0x30 || digits > 0) {
        digits++;
        if (code !== 0x30) significant = digits;
      }
    } else if (code === 0x65 /* e */ || code === 0x45 /* E */) {
      exponent = 0;
    } else if (code !== 0x2e /* . */ && code !== 0x2b /* + */ && code !== 0x2d /* - */) {
      break;
    }
  }
  const reach = Math.max(exponent, 0) + at - start;
  if (significant > SAFE_DIGITS || (significant > 0 && reach > SAFE_EXPONENT)) exact.push(start, at);
  return at;
}

/** Control characters that JSON can only write as `\u00…`, with digits that have no case. */
const MARKS = ['01', '02', '03', '04', '05', '06', '07', '10', '11', '12', '13', '14', '15', '16', '17'];
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

export interface MarkedText {
  readonly text: string;
  /** The first character of the strings that stand for numbers, and of no other string. */
  readonly mark: string;
}

/** The text with strings in the place of those numbers; null when it is not valid JSON, or uses every mark. */
export function markNumbers(text: string, exact: readonly number[]): MarkedText | null {
  const digits = MARKS.find((each) => !text.includes(`\\u00${each}`));
  if (digits === undefined) return null;
  const parts: string[] = [];
  let copied = 0;
  for (let index = 0; index < exact.length; index += 2) {
    const [start, end] = [exact[index]!, exact[index + 1]!];
    const source = text.slice(start, end);
    // What is no number, or stands where a key must, must not become valid by being put in quotes.
    if (!NUMBER.test(source) || isKey(text, end)) return null;
    parts.push(text.slice(copied, start), `"\\u00${digits}${source}"`);
    copied = end;
  }
  parts.push(text.slice(copied));
  return { text: parts.join(''), mark: String.fromCharCode(Number.parseInt(digits, 16)) };
}

function isKey(text: string, end: number): boolean {
  let at = end;
  while (text.charCodeAt(at) <= 0x20) at++;
  return text.charCodeAt(at) === 0x3a; /* : */
}
