// The fields that differed on a route, as JSON: GET /mirrors/{route}/fields (docs/admin.md).
//
// Owns what is proposed as noise where no control says what is. A proposal changes nothing.

import { toIgnoreLine, toIgnoreRule } from '../../config/ignore-rule.ts';
import { canBeNoise, isOftenNoise } from '../../core/findings.ts';
import type { FieldCounts, FieldTable } from '../findings/field-table.ts';

/** A field is proposed when it differs in so many comparisons of so many, and nearly each time with values not seen before. */
const PROPOSED_COMPARED_MIN = 20;
const PROPOSED_SHARE_MIN = 0.9;

export const STATE_COUNTED = 'counted';
export const STATE_NOISE = 'noise';
export const STATE_PROPOSED = 'proposed';

export interface FieldView {
  readonly field: string;
  readonly differed: number;
  /** Of the comparisons. */
  readonly differed_share: number;
  readonly counted: number;
  readonly control_differed: number;
  /** Of the comparisons that a control took part in. */
  readonly control_share: number;
  readonly state: typeof STATE_COUNTED | typeof STATE_NOISE | typeof STATE_PROPOSED;
  /** The line of YAML that would ignore it; null when no rule can. */
  readonly rule: string | null;
}

export interface FieldsView {
  readonly route: string;
  readonly compared: number;
  readonly controlled: number;
  readonly fields: readonly FieldView[];
  readonly proposals: readonly string[];
}

interface Merged {
  readonly counts: FieldCounts;
  isProposed: boolean;
}

/** All shadows together; what one of them differs in nearly always is proposed too. */
export function toFieldsView(
  route: string,
  tables: ReadonlyMap<string, FieldTable>,
  hasControl: boolean,
): FieldsView {
  const merged = new Map<string, Merged>();
  let compared = 0;
  let controlled = 0;
  for (const table of tables.values()) {
    compared += table.compared;
    controlled += table.controlled;
    for (const [field, counts] of table.fields) {
      const isProposed = !hasControl && isLikeNoise(counts, table.compared);
      merged.set(field, merge(merged.get(field), counts, isProposed));
    }
  }
  const fields = [...merged]
    .map(([field, { counts, isProposed }]) =>
      toFieldView(field, counts, { compared, controlled, isProposed }),
    )
    .sort((one, other) => other.differed - one.differed || (one.field < other.field ? -1 : 1));
  const proposals = fields.filter(({ state }) => state === STATE_PROPOSED).map(({ field }) => field);
  return { route, compared, controlled, fields, proposals };
}

function isLikeNoise({ differed, fresh }: Readonly<FieldCounts>, compared: number): boolean {
  return (
    compared >= PROPOSED_COMPARED_MIN &&
    differed >= compared * PROPOSED_SHARE_MIN &&
    fresh >= differed * PROPOSED_SHARE_MIN
  );
}

function merge(before: Merged | undefined, counts: Readonly<FieldCounts>, isProposed: boolean): Merged {
  if (before === undefined) return { counts: { ...counts }, isProposed };
  before.counts.differed += counts.differed;
  before.counts.counted += counts.counted;
  before.counts.controlDiffered += counts.controlDiffered;
  before.counts.fresh += counts.fresh;
  before.isProposed ||= isProposed;
  return before;
}

interface Whole {
  readonly compared: number;
  readonly controlled: number;
  readonly isProposed: boolean;
}

function toFieldView(
  field: string,
  { differed, counted, controlDiffered }: FieldCounts,
  { compared, controlled, isProposed }: Whole,
): FieldView {
  const rule = toIgnoreRule(field);
  // As the mirror threads judge, if they all saw the same.
  const isNoise = canBeNoise(field) && isOftenNoise(controlDiffered, controlled);
  // What no rule can ignore is no use as a proposal.
  const unruled = isProposed && rule !== null ? STATE_PROPOSED : STATE_COUNTED;
  return {
    field,
    differed,
    differed_share: toShare(differed, compared),
    counted,
    control_differed: controlDiffered,
    control_share: toShare(controlDiffered, controlled),
    state: isNoise ? STATE_NOISE : unruled,
    rule: rule === null ? null : toIgnoreLine(rule),
  };
}

function toShare(count: number, of: number): number {
  return of === 0 ? 0 : count / of;
}
