// Durations, sizes and shares as they are written in config files.
//
// Owns their syntax and their conversion, both ways. Never rounds: a unit is exact or it is not used.

/** For JSON Schema; zero is syntax too, so that it is refused by its bound and not as nonsense. */
export const DURATION_PATTERN = '^(?:0|[1-9][0-9]{0,11})(?:ms|s|m|h)$';
export const SIZE_PATTERN = '^(?:0|[1-9][0-9]{0,11})(?:B|KiB|MiB|GiB)$';

/** A share of up to 100 %. So few digits that nothing of it is lost in a number. */
export const PERCENT_PATTERN = '^(?:100(?:\\.0{1,9})?|[1-9]?[0-9](?:\\.[0-9]{1,9})?)%$';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** Milliseconds. */
export const DAY_MS = 24 * 3_600_000;

/** Largest unit first, as the conversions to text need them. */
const DURATION_UNITS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;
const SIZE_UNITS = [
  ['GiB', GIB],
  ['MiB', MIB],
  ['KiB', KIB],
  ['B', 1],
] as const;

type Units = readonly (readonly [string, number])[];

const DURATION = new RegExp(DURATION_PATTERN);
const SIZE = new RegExp(SIZE_PATTERN);
const PERCENT = new RegExp(PERCENT_PATTERN);

/** Milliseconds, or null when the text is not a duration. */
export function toDurationMs(text: string): number | null {
  return DURATION.test(text) ? toAmount(text, DURATION_UNITS) : null;
}

/** Bytes, or null when the value is neither a size nor a whole number of bytes. */
export function toSizeBytes(value: string | number): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : null;
  return SIZE.test(value) ? toAmount(value, SIZE_UNITS) : null;
}

/** The shortest exact text, such as `90s` or `2m`. */
export function toDurationText(ms: number): string {
  return toText(ms, DURATION_UNITS);
}

/** The shortest exact text, such as `1536B` or `8MiB`. */
export function toSizeText(bytes: number): string {
  return toText(bytes, SIZE_UNITS);
}

function toAmount(text: string, units: Units): number {
  const digits = /^[0-9]+/.exec(text)![0];
  const unit = units.find(([name]) => name === text.slice(digits.length))!;
  return Number(digits) * unit[1];
}

function toText(amount: number, units: Units): string {
  const smallest = units[units.length - 1]!;
  const [name, factor] = amount === 0 ? smallest : units.find(([, size]) => amount % size === 0)!;
  return `${amount / factor}${name}`;
}

/** For texts that have passed the schema. */
export function readDuration(input: string | undefined, fallback: string): number {
  return toDurationMs(input ?? fallback)!;
}

/** For values that have passed the schema. */
export function readSize(input: string | number | undefined, fallback: string): number {
  return toSizeBytes(input ?? fallback)!;
}

/** 0 to 1, of a number or of a text that has passed the schema: `0.1%` is 0.001, and the nearest number to it. */
export function toShare(input: string | number): number {
  return typeof input === 'number' ? input : Number(`${input.slice(0, -1)}e-2`);
}

/** The text that toShare makes this share of, or null when it has too many digits for one. */
export function toPercentText(share: number): string | null {
  const percent = Number(`${share}e2`);
  // Of what has as many digits as a number can hold the product may be rounded; an exponent has one already.
  const digits = Number.isNaN(percent) ? (share * 100).toFixed(9).replace(/\.?0+$/, '') : String(percent);
  const text = `${digits}%`;
  return PERCENT.test(text) && toShare(text) === share ? text : null;
}
