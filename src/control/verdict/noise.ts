// Whether what was left out as noise is noise: does the control differ in it about as often as the shadow?
//
// Pure: tables of fields in, a check out. A field that differs now and then between two copies of one version is left out
// of every comparison; a shadow that differs in it always must not pass by that.

import type { FieldTable } from '../findings/field-table.ts';
import {
  type Check,
  EARLY_CONFIDENCE,
  EARLY_COUNT_MIN,
  type Excess,
  FAIL,
  INSUFFICIENT,
  NOT_JUDGED,
  PASS,
  toExcess,
} from './rules.ts';
import { toPercentText } from './text.ts';

/** A field that differs in so many of the control's comparisons is noise, whatever the shadow's come to. */
const PLAIN_SHARE_MIN = 0.5;
/** The same where the control differs in it nearly as often as the shadow: clocks do not tick apart each time. */
const LIKE_SHARE_MIN = 0.8;
/** An excess that is no larger is left alone where less is asked for: sides that are asked at other times differ so much. */
export const NOISE_EXCESS_MIN = 0.01;
const FIELDS_TOLD_MAX = 20;
/** Ends of the names of what a field stands in. */
const PARENT_ENDS = /[.[]/g;

interface Suspect {
  readonly field: string;
  readonly excess: Excess;
  /** Of the comparisons with the shadow, and of those with the control; null without any. */
  readonly ours: number;
  readonly theirs: number | null;
  readonly isSure: boolean;
}

/** Fields of which differences were left out, those of most comparisons first. */
export function findNoise(tables: readonly FieldTable[]): readonly string[] {
  const leftOut = new Map<string, number>();
  for (const { fields } of tables) {
    for (const [field, { differed, counted }] of fields) {
      if (differed > counted) leftOut.set(field, (leftOut.get(field) ?? 0) + differed - counted);
    }
  }
  const ranked = [...leftOut].sort(([, one], [, other]) => other - one);
  return ranked.slice(0, FIELDS_TOLD_MAX).map(([field]) => field);
}

export function checkNoise(tables: readonly FieldTable[], hasControl: boolean, maxMismatch: number): Check {
  const allowed = Math.max(maxMismatch, NOISE_EXCESS_MIN);
  const check = { name: 'noise', value: null, bound: null, threshold: allowed } as const;
  if (!hasControl) return { ...check, result: NOT_JUDGED, text: 'without a control nothing is noise' };
  const suspects = tables.flatMap((table) => findSuspects(table, allowed));
  const sure = suspects.filter(({ isSure }) => isSure);
  const [worst] = (sure.length > 0 ? sure : suspects).sort((one, other) => other.ours - one.ours);
  if (worst === undefined) {
    return { ...check, result: PASS, text: 'what was left out as noise differs as much without the shadow' };
  }
  const { field, excess, ours, theirs, isSure } = worst;
  const more = (isSure ? sure : suspects).length - 1;
  const others =
    more === 0 ? '' : more === 1 ? ', and so does 1 other field' : `, and so do ${more} other fields`;
  const control =
    theirs === null
      ? 'and the control tells nothing'
      : `between primary and control in ${toPercentText(theirs)}`;
  return {
    ...check,
    result: isSure ? FAIL : INSUFFICIENT,
    value: excess.share ?? ours,
    bound: isSure ? excess.lower : null,
    text: `${field} differs in ${toPercentText(ours)} of the comparisons and was left out as noise, ${control}${others}; ${toPercentText(allowed)} more is allowed`,
  };
}

/** Fields that were left out more often than the control explains. With many fields one of them would be so by chance: each must be the surer. */
function findSuspects(table: FieldTable, allowed: number): Suspect[] {
  const { compared, controlled, fields } = table;
  const noisy = [...fields].filter(([, { differed, counted }]) => differed > counted);
  const suspects: Suspect[] = [];
  for (const [field, { differed, counted }] of noisy) {
    const count = Math.min(differed - counted, compared);
    const ours = count / compared;
    const controlCount = Math.min(countControl(table, field), controlled);
    const theirs = controlled === 0 ? null : controlCount / controlled;
    // Nothing is known of nothing compared.
    if (compared === 0 || ours - (theirs ?? 0) <= allowed) continue;
    if (theirs !== null && theirs >= Math.min(PLAIN_SHARE_MIN, ours * LIKE_SHARE_MIN)) continue;
    // Each field has its part of what may go wrong.
    const confidence = 1 - (1 - EARLY_CONFIDENCE) / noisy.length;
    const excess = toExcess({ count, of: compared }, { count: controlCount, of: controlled }, confidence);
    const isSure = excess.lower > allowed && count >= EARLY_COUNT_MIN;
    suspects.push({ field, excess, ours, theirs, isSure });
  }
  return suspects;
}

/** How often the control differed in the field, or in what it stands in: an array that is in another order shifts all in it. */
function countControl({ fields }: FieldTable, field: string): number {
  let count = Math.max(toControlDiffered(field), toControlDiffered('body'));
  for (const { index } of field.matchAll(PARENT_ENDS)) {
    count = Math.max(count, toControlDiffered(field.slice(0, index)));
  }
  return count;

  function toControlDiffered(name: string): number {
    return fields.get(name)?.controlDiffered ?? 0;
  }
}
