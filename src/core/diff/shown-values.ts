// What of two JSON values is shown where they differ.

import { MASKED } from './answer-diff.ts';
import { type JsonValue, toJsonKind } from './json-value.ts';
import { cutAround, previewJson } from './preview.ts';

/** Texts of a pair of values; null where there is none. */
export type Shown = readonly [string | null, string | null];

export const NOT_SHOWN: Shown = [null, null];

export function isContainer(value: JsonValue): boolean {
  const kind = toJsonKind(value);
  return kind === 'object' || kind === 'array';
}

export function toCount(length: number): string {
  return length === 1 ? '1 element' : `${length} elements`;
}

/** Of values that are neither objects nor arrays. */
export function showValues(primary: JsonValue, shadow: JsonValue, isMasked: boolean): Shown {
  if (isMasked) return [MASKED, MASKED];
  if (typeof primary !== 'string' || typeof shadow !== 'string')
    return [previewJson(primary), previewJson(shadow)];
  const [first, second] = cutAround(primary, shadow);
  return [previewJson(first), previewJson(second)];
}
