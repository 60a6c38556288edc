// JSON text as a value, with numbers that a double cannot hold kept apart from those that it can.
//
// Never throws and never recurses without a bound. Of keys that occur twice in an object the last one counts, as
// everywhere in JavaScript; `__proto__` is a key like any other.

import { LEVELS_MAX } from './json-path.ts';

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
  /** The same text for the same number, however it is written. */
  readonly decimal: string;

  constructor(source: string, decimal: string) {
    this.source = source;
    this.decimal = decimal;
  }

  /** The nearest double; may be infinite. */
  get approximate(): number {
    return Number(this.source);
  }
}

export function toJsonKind(value: JsonValue): JsonKind {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value as 'boolean' | 'number' | 'string';
  if (Array.isArray(value)) return 'array';
  return value instanceof ExactNumber ? 'number' : 'object';
}

/**
 * A quick look for numbers that may need their text: 16 or more digits and points, or an exponent, after what may stand
 * before a number. It also finds such text in strings, which costs time and changes nothing.
 */
const LONG_NUMBER = /(?:^|[\s,:[])-?[0-9](?:[0-9.]{15}|[0-9.]{0,15}[eE][+-]?[0-9])/;
const NUMBER_PARTS = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;
/** Decimal digits that every double keeps, within these exponents. */
const SAFE_DIGITS = 15;
const SAFE_EXPONENT = 290;

/** Null when a double holds it well enough to be told from every other number of as many digits. */
export function toExactNumber(source: string): ExactNumber | null {
  const parts = NUMBER_PARTS.exec(source);
  if (parts === null) return null;
  const fraction = parts[3] ?? '';
  const digits = `${parts[2]}${fraction}`.replace(/^0+/, '');
  if (digits === '') return null;
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 0x30 /* 0 */) end--;
  // An exponent that is too long to be added to exactly gives a text that is as good as unique.
  const exponent = Number(parts[4] ?? 0) + digits.length - fraction.length;
  if (end <= SAFE_DIGITS && Math.abs(exponent) <= SAFE_EXPONENT) return null;
  const isExact = Number.isSafeInteger(exponent);
  return new ExactNumber(source, isExact ? `${parts[1]}0.${digits.slice(0, end)}e${exponent}` : source);
}

interface SourceContext {
  readonly source?: string;
}

function revive(_key: string, value: unknown, context?: SourceContext): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  return toExactNumber(context.source) ?? value;
}

function isWithinLevels(value: JsonValue, levels: number): boolean {
  if (value === null || typeof value !== 'object') return true;
  if (levels === 0) return false;
  const children = Array.isArray(value) ? value : Object.values(value);
  return children.every((child) => isWithinLevels(child, levels - 1));
}

export type ParsedJson = { readonly value: JsonValue } | { readonly problem: 'syntax' | 'depth' };

export function parseJson(text: string): ParsedJson {
  try {
    // The parser keeps its own stack, so that no depth harms it; what revives values does not.
    const value = JSON.parse(text) as JsonValue;
    if (!LONG_NUMBER.test(text)) return { value };
    if (!isWithinLevels(value, LEVELS_MAX)) return { problem: 'depth' };
    return { value: JSON.parse(text, revive) as JsonValue };
  } catch {
    return { problem: 'syntax' };
  }
}
