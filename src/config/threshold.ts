// What a verdict asks for, as text: of a query, and of a command line.
//
// Owns their names and their syntax; bounds are those of the config file (umbra/compare-schema.ts).

import type { Thresholds } from '../core/model.ts';
import { PERCENT_PATTERN, toShare } from './quantity.ts';

/** As they are written in files and queries. */
export const THRESHOLD_NAMES = ['min_compared', 'max_mismatch', 'max_error', 'max_p99_ratio'] as const;
export type ThresholdName = (typeof THRESHOLD_NAMES)[number];

const FORMS: Record<ThresholdName, string> = {
  min_compared: 'a whole number from 1 on',
  max_mismatch: 'a share from 0 to 1, or a percentage such as 0.1%',
  max_error: 'a share from 0 to 1, or a percentage such as 0.1%',
  max_p99_ratio: 'a number above 0',
};

const FIELDS = {
  min_compared: 'minCompared',
  max_mismatch: 'maxMismatch',
  max_error: 'maxError',
  max_p99_ratio: 'maxP99Ratio',
} as const satisfies Record<ThresholdName, keyof Thresholds>;

const COUNT = /^[1-9][0-9]{0,15}$/;
const DECIMAL = /^[0-9]{1,16}(?:\.[0-9]{1,16})?(?:e-[0-9]{1,2})?$/;
const PERCENT = new RegExp(PERCENT_PATTERN);

/** What a text must be, to follow the words "must be". */
export function toThresholdForm(name: ThresholdName): string {
  return FORMS[name];
}

/** Null when the text is not of its form. */
export function parseThreshold(name: ThresholdName, text: string): number | null {
  if (name === 'min_compared') {
    const count = COUNT.test(text) ? Number(text) : Number.NaN;
    return Number.isSafeInteger(count) ? count : null;
  }
  if (name === 'max_p99_ratio') {
    const ratio = DECIMAL.test(text) ? Number(text) : 0;
    return ratio > 0 ? ratio : null;
  }
  if (PERCENT.test(text)) return toShare(text);
  const share = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return share <= 1 ? share : null;
}

/** The given ones in place of those of the route. */
export function overrideThresholds(
  thresholds: Thresholds,
  given: ReadonlyMap<ThresholdName, number>,
): Thresholds {
  const changed = [...given].map(([name, value]) => [FIELDS[name], value]);
  return { ...thresholds, ...Object.fromEntries(changed) };
}
