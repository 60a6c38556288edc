// Figures of a verdict in words: counts, shares, times.
//
// Pure.

import type { Tally } from './rules.ts';

export function toCountText(count: number): string {
  return count.toLocaleString('en-US');
}

/** At most three significant digits, which is what such figures are good for. */
export function toNumberText(value: number): string {
  return String(Number(value.toPrecision(3)));
}

export function toMsText(ms: number): string {
  return `${Math.abs(ms) >= 1000 ? Math.round(ms).toLocaleString('en-US') : toNumberText(ms)} ms`;
}

/** Two significant digits, of 10 % and more three; towards 1 for a bound that must not be passed, -1 for one that must be reached. */
export function toPercentText(share: number, rounding: -1 | 0 | 1 = 0): string {
  const percent = share * 100;
  if (percent === 0) return '0 %';
  const digits = Math.floor(Math.log10(Math.abs(percent)));
  const decimals = Math.max(0, digits >= 1 ? 2 - digits : 1 - digits);
  const steps = percent * 10 ** decimals;
  // What is a whole number of steps but for its last bits stays what it is.
  const whole =
    rounding === 0 ? Math.round(steps) : rounding === 1 ? Math.ceil(steps - 1e-9) : Math.floor(steps + 1e-9);
  return `${Number((whole / 10 ** decimals).toPrecision(3))} %`;
}

/** A count, of how many, and its share. */
export function toPartText(count: number, of: number): string {
  return `${toCountText(count)} of ${toCountText(of)} (${toPercentText(of === 0 ? 0 : count / of)})`;
}

export function toTallyText({ count, of }: Tally): string {
  return `${toCountText(count)} of ${toCountText(of)}`;
}
