// Numbers as short as a plot can bear: 1.2k, 350 µs, 2 s.
//
// For the eye only. Must never be parsed again, nor be the form in which a result is kept.

const PREFIXES = [
  { factor: 1e9, sign: 'G' },
  { factor: 1e6, sign: 'M' },
  { factor: 1e3, sign: 'k' },
  { factor: 1, sign: '' },
] as const;

/** Three significant digits, kept even where they are zeros: for measured values, 4.50 or 1.20k. */
export function toShortValue(value: number): string {
  if (value === 0) return '0';
  // Rounded first, or 999.7 would become 1000 instead of 1.00k.
  const rounded = Number(value.toPrecision(3));
  const { factor, sign } = PREFIXES.find((prefix) => Math.abs(rounded) >= prefix.factor) ?? PREFIXES[3];
  return `${(rounded / factor).toPrecision(3)}${sign}`;
}

/** The same without zeros at the end: for ticks, 4.5 or 1.2k. */
export function toShortTick(value: number): string {
  return toShortValue(value).replace(/^(-?\d+)(?:\.0+|(\.\d*?)0+)(?=\D*$)/, '$1$2');
}

/** Microseconds as µs, ms or s, at most three digits. */
export function toShortDuration(us: number): string {
  const rounded = Number(us.toPrecision(3));
  if (rounded >= 1e6) return `${rounded / 1e6} s`;
  if (rounded >= 1e3) return `${rounded / 1e3} ms`;
  return `${rounded} µs`;
}
