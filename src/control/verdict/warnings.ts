// Why a verdict may not be what it seems: a biased sample, a shadow that was spared, a comparison that saw little.
//
// Only words, for people: no result depends on them.

import {
  type BreakerStateName,
  DROP_REASONS,
  FAIL_REASONS,
  ShadowCell,
  SKIP_REASONS,
  UNCOMPARED_REASONS,
} from '../../core/book.ts';
import { METHODS_SAFE, type Mirror } from '../../core/model.ts';
import type { FieldTable } from '../findings/field-table.ts';
import type { Told } from '../findings/route-findings.ts';
import { toCountText, toPartText } from './text.ts';

/** What was seen of one shadow since the verdict began. */
export interface Sample {
  /** Growth of a cell of ShadowCell. */
  readonly count: (cell: number) => number;
  /** The cell as it is, with what was there before: what is on its way now, whenever it began. */
  readonly countAll: (cell: number) => number;
  readonly told: Told;
  /** Latencies in milliseconds: primary, shadow, primary, shadow… */
  readonly pairs: Float32Array;
  readonly tables: readonly FieldTable[];
  readonly breaker: BreakerStateName;
}

/** Of the route. */
export interface Circumstances {
  readonly mirror: Mirror;
  /** Growth of a cell of the control's; null without one. */
  readonly countControl: ((cell: number) => number) | null;
  readonly isPaused: boolean;
}

/** From this share on what is missing may be what differs. */
const MISSING_SHARE_MAX = 0.05;
/** A control that answers less often than this finds little noise. */
const CONTROLLED_SHARE_MIN = 0.5;
/** Of the control's answers, with another status than the primary's. The same version has next to none. */
const OTHER_STATUS_SHARE_MAX = 0.01;

const SKIPS = SKIP_REASONS.map((reason) => ShadowCell[`skip_${reason}`]);
const DROPS = DROP_REASONS.map((reason) => ShadowCell[`drop_${reason}`]);
const FAILURES = FAIL_REASONS.map((reason) => ShadowCell[`fail_${reason}`]);

/** Each one line. */
export function toWarnings(sample: Sample, circumstances: Circumstances): readonly string[] {
  return [
    ...toStateWarnings(sample),
    ...toChoiceWarnings(sample, circumstances.mirror),
    ...toLossWarnings(sample),
    ...toComparisonWarnings(sample, circumstances),
  ];
}

/** That no copies are sent at all, or few, is a check of its own (rules.ts). */
function toStateWarnings({ count, told }: Sample): string[] {
  const warnings: string[] = [];
  // Read first: what ends while this is reckoned was decided on before.
  const ended = count(ShadowCell.answered) + sumOf(count, FAILURES);
  const matched = count(ShadowCell.matched);
  if (matched === 0) warnings.push('no request has come since the verdict began');
  const sent = matched - sumOf(count, SKIPS) - sumOf(count, DROPS);
  if (ended > sent) {
    warnings.push(
      `${toCountText(ended - sent)} copies or more were decided on before the verdict began: they count among the errors`,
    );
  }
  const compared = count(ShadowCell.compared);
  const untold = compared - told.compared - told.others;
  if (isMuch(untold, compared)) {
    warnings.push(`${toPartText(untold, compared)} comparisons do not count yet, or their reports are lost`);
  }
  return warnings;
}

/** Which requests are looked at at all. */
function toChoiceWarnings({ count }: Sample, mirror: Mirror): string[] {
  const warnings: string[] = [];
  const { methods, headers, vars, pathRegex } = mirror.conditions;
  if (mirror.percentage < 100) warnings.push(`${mirror.percentage} % of the requests are mirrored`);
  if (mirror.methods === METHODS_SAFE) warnings.push('requests that write are not mirrored (methods: safe)');
  if (methods.length + headers.length > 0 || vars !== null || pathRegex !== null) {
    warnings.push('requests outside of the conditions are not mirrored');
  }
  const matched = count(ShadowCell.matched);
  for (const reason of ['limit', 'body_too_large', 'unredactable'] as const) {
    const skipped = count(ShadowCell[`skip_${reason}`]);
    if (isMuch(skipped, matched))
      warnings.push(`${toPartText(skipped, matched)} requests were skipped: ${reason}`);
  }
  return warnings;
}

function toLossWarnings({ count }: Sample): string[] {
  const warnings: string[] = [];
  const skipped = SKIP_REASONS.reduce((sum, reason) => sum + count(ShadowCell[`skip_${reason}`]), 0);
  const due = count(ShadowCell.matched) - skipped;
  const reasons = DROP_REASONS.filter((reason) => count(ShadowCell[`drop_${reason}`]) > 0);
  const dropped = reasons.reduce((sum, reason) => sum + count(ShadowCell[`drop_${reason}`]), 0);
  if (isMuch(dropped, due)) {
    warnings.push(`${toPartText(dropped, due)} copies that were due were dropped: ${reasons.join(', ')}`);
  }
  const answered = count(ShadowCell.answered);
  const uncompared = answered - count(ShadowCell.compared);
  if (isMuch(uncompared, answered)) {
    const reasons = UNCOMPARED_REASONS.filter((reason) => count(ShadowCell[`uncompared_${reason}`]) > 0);
    const text = `${toPartText(uncompared, answered)} answers had nothing to be compared with`;
    warnings.push(reasons.length === 0 ? text : `${text}: ${reasons.join(', ')}`);
  }
  const sent = count(ShadowCell.sent);
  const failed = FAIL_REASONS.reduce((sum, reason) => sum + count(ShadowCell[`fail_${reason}`]), 0);
  if (isMuch(failed, sent)) warnings.push(`${toPartText(failed, sent)} copies got no answer to compare`);
  return warnings;
}

function toComparisonWarnings({ count, tables }: Sample, { mirror, countControl }: Circumstances): string[] {
  const warnings: string[] = [];
  const compared = count(ShadowCell.compared);
  const reduced = count(ShadowCell.reduced);
  if (mirror.compare?.detail === null) {
    warnings.push('headers are not compared, and bodies by their digest alone, without detailed_diff');
  }
  if (reduced > 0) {
    warnings.push(
      `${toPartText(reduced, compared)} comparisons saw the digest of the body alone: it was too long, too much work, or neither JSON nor text that can be read`,
    );
  }
  const seen = tables.reduce((sum, table) => sum + table.compared, 0);
  const controlled = tables.reduce((sum, table) => sum + table.controlled, 0);
  if (countControl === null) return warnings;
  if (controlled < seen * CONTROLLED_SHARE_MIN) {
    warnings.push(
      `the control took part in ${toPartText(controlled, seen)} comparisons only: noise may be missed`,
    );
  }
  const otherStatus = countControl(ShadowCell.status_mismatched);
  const answers = countControl(ShadowCell.compared);
  if (otherStatus > answers * OTHER_STATUS_SHARE_MAX) {
    warnings.push(
      `the control answers otherwise than the primary, with another status in ${toPartText(otherStatus, answers)} comparisons: is it the same version?`,
    );
  }
  return warnings;
}

export function sumOf(count: Sample['count'], cells: readonly number[]): number {
  return cells.reduce((sum, cell) => sum + count(cell), 0);
}

function isMuch(count: number, of: number): boolean {
  return count > of * MISSING_SHARE_MAX;
}
