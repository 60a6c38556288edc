// JSON text as a value, with numbers that a double cannot hold kept apart from those that it can.
//
// Never throws and never recurses without a bound. Of keys that occur twice in an object the last one counts, as
// everywhere in JavaScript; `__proto__` is a key like any other.

import { LEVELS_MAX } from './json-path.ts';
import { markNumbers, SAFE_DIGITS, SAFE_EXPONENT, scanJson } from './json-scan.ts';
import { READ_STEPS_MAX, Work } from './work.ts';

export interface JsonObject {
  readonly [key: string]: JsonValue;
}
export type JsonValue = null | boolean | number | string | ExactNumber | readonly JsonValue[] | JsonObject;

export const JSON_KINDS = ['null', 'boolean', 'number', 'string', 'array', 'object'] as const;
export type JsonKind = (typeof JSON_KINDS)[number];

/** A number with more digits, or an exponent further out, than a double is sure to tell from its neighbours. */
export class ExactNumber {
  /** As it was written. */
  readonly source: string;
  #decimal: string | null = null;

  constructor(source: string) {
    this.source = source;
  }

  /** The same text for the same number, however it is written. */
  get decimal(): string {
    this.#decimal ??= toDecimal(this.source);
    return this.#decimal;
  }

  /** The nearest double; may be infinite. */
  get approximate(): number {
    return Number(this.source);
  }

  equals(other: ExactNumber): boolean {
    return this.source === other.source || this.decimal === other.decimal;
  }
}

export function toJsonKind(value: JsonValue): JsonKind {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value as 'boolean' | 'number' | 'string';
  if (Array.isArray(value)) return 'array';
  return value instanceof ExactNumber ? 'number' : 'object';
}

const NUMBER_PARTS = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;

const EXPONENT = /[eE]/;

interface Decimal {
  readonly sign: string;
  /** From the first that is not 0 to the last. */
  readonly digits: string;
  /** The point stands so many digits behind the first one. */
  readonly exponent: number;
}

/** Null for zero, and for what is no number. */
function parseDecimal(source: string): Decimal | null {
  const parts = NUMBER_PARTS.exec(source);
  if (parts === null) return null;
  const fraction = parts[3] ?? '';
  const digits = `${parts[2]}${fraction}`.replace(/^0+/, '');
  if (digits === '') return null;
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 0x30 /* 0 */) end--;
  const exponent = Number(parts[4] ?? 0) + digits.length - fraction.length;
  return { sign: parts[1]!, digits: digits.slice(0, end), exponent };
}

function toDecimal(source: string): string {
  const decimal = parseDecimal(source);
  // An exponent that is too long to be added to exactly gives a text that is as good as unique.
  if (decimal === null || !Number.isSafeInteger(decimal.exponent)) return source;
  return `${decimal.sign}0.${decimal.digits}e${decimal.exponent}`;
}

/** Null when a double holds it well enough to be told from every other number of as many digits. */
export function toExactNumber(source: string): ExactNumber | null {
  const decimal = parseDecimal(source);
  if (decimal === null) return null;
  const isSafe = decimal.digits.length <= SAFE_DIGITS && Math.abs(decimal.exponent) <= SAFE_EXPONENT;
  return isSafe ? null : new ExactNumber(source);
}

/** `work`: the text is too much of it. */
export type ParsedJson = { readonly value: JsonValue } | { readonly problem: 'syntax' | 'depth' | 'work' };

export function parseJson(text: string, work: Work = new Work(READ_STEPS_MAX)): ParsedJson {
  const scan = scanJson(text, work);
  if (scan === null) return { problem: 'work' };
  try {
    // The parser keeps its own stack, so that no depth harms it; what restores numbers does not.
    if (scan.exact.length === 0) return { value: JSON.parse(text) as JsonValue };
    const marked = markNumbers(text, scan.exact);
    if (marked === null) return { problem: 'syntax' };
    const value = JSON.parse(marked.text) as JsonValue;
    if (scan.levels > LEVELS_MAX) return { problem: 'depth' };
    return { value: restoreNumbers(value, marked.mark) };
  } catch {
    return { problem: 'syntax' };
  }
}

/** Puts numbers in the place of the strings that stand for them; within objects and arrays, which nobody else has yet. */
function restoreNumbers(value: JsonValue, mark: string): JsonValue {
  if (typeof value === 'string') return value.startsWith(mark) ? toNumber(value.slice(1)) : value;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    const elements = value as JsonValue[];
    for (let at = 0; at < elements.length; at++) elements[at] = restoreNumbers(elements[at]!, mark);
    return elements;
  }
  const members = value as Record<string, JsonValue>;
  for (const key of Object.keys(members)) members[key] = restoreNumbers(members[key]!, mark);
  return members;
}

/** Without an exponent, and shorter than any that is out of bounds, it was marked for its digits: they have been counted. */
function toNumber(source: string): JsonValue {
  if (source.length <= SAFE_EXPONENT && !EXPONENT.test(source)) return new ExactNumber(source);
  return toExactNumber(source) ?? Number(source);
}
