// Whether two numbers of JSON bodies are the same, or near enough.

import type { Tolerance } from '../model.ts';
import { ExactNumber } from './json-value.ts';

type JsonNumber = number | ExactNumber;

export function toApproximate(value: JsonNumber): number {
  return typeof value === 'number' ? value : value.approximate;
}

export function isSameNumber(
  primary: JsonNumber,
  shadow: JsonNumber,
  tolerances: readonly Tolerance[],
): boolean {
  if (primary instanceof ExactNumber && shadow instanceof ExactNumber && primary.equals(shadow)) return true;
  return tolerances.length > 0 && isWithin(toApproximate(primary), toApproximate(shadow), tolerances);
}

/** One tolerance that holds is enough. */
export function isWithin(primary: number, shadow: number, tolerances: readonly Tolerance[]): boolean {
  const difference = Math.abs(primary - shadow);
  // Of numbers beyond all doubles nobody knows how far they are apart.
  if (!Number.isFinite(difference)) return false;
  return tolerances.some(
    ({ largest, isRelative }) => difference <= (isRelative ? largest * Math.abs(primary) : largest),
  );
}
