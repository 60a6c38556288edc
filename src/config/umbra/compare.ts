// The comparison of a mirror → model: of umbra's own dialect, and of the plugin umbra-compare.
//
// Owns the rules of comparisons that a schema cannot say. Like all of the translation it reports and goes on.

import {
  type Compare,
  type DetailedDiff,
  ROLE_CONTROL,
  SHADOWS_MAX,
  type Shadow,
  type Thresholds,
  type Tolerance,
} from '../../core/model.ts';
import { DEFAULTS } from '../defaults.ts';
import type { Path } from '../problem.ts';
import { readSize, toShare } from '../quantity.ts';
import type { Loose } from '../shape.ts';
import type { CompareInput } from './compare-schema.ts';
import { checkJsonPath, toJsonPaths } from './json-paths.ts';
import { listGiven, toShadow } from './shadow.ts';
import type { PartTranslation } from './upstream.ts';

type Input = Loose<CompareInput>;

export interface Comparison {
  /** Null when it is not enabled. */
  readonly compare: Compare | null;
  /** The shadows, and the control behind them. */
  readonly shadows: readonly Shadow[];
}

/** Everything is checked, also what has no effect because of another key. */
export function toComparison(
  input: Input,
  shadows: readonly Shadow[],
  at: Path,
  translation: PartTranslation,
): Comparison {
  const defaults = DEFAULTS.compare;
  const control = toControl(input, shadows, at, translation);
  const detail = toDetail(input, at, translation);
  const mask = toJsonPaths(input.mask, [...at, 'mask'], translation);
  if (!(input.enabled ?? defaults.enabled)) return { compare: null, shadows };
  const compare: Compare = {
    logMismatches: input.log_mismatches ?? defaults.logMismatches,
    detail: (input.detailed_diff ?? defaults.detailedDiff) ? detail : null,
    mask,
    maxMismatches: input.max_mismatches ?? defaults.maxMismatches,
    thresholds: toThresholds(input.verdict ?? {}),
  };
  return { compare, shadows: control === null ? shadows : [...shadows, control] };
}

function toControl(
  input: Input,
  shadows: readonly Shadow[],
  at: Path,
  translation: PartTranslation,
): Shadow | null {
  if (input.control === undefined) return null;
  const { report } = translation;
  const path = [...at, 'control'];
  const control = toShadow(input.control, ROLE_CONTROL, path, translation);
  if (input.detailed_diff !== true && !report.hasProblemUnder(at, ['detailed_diff'])) {
    const message = 'needs detailed_diff: true, because noise is told apart field by field';
    report.add({ path, rule: 'conflict', message, atKey: true });
  }
  if (control.origin !== '' && shadows.some(({ origin }) => origin === control.origin)) {
    const message = 'has the same origin as a shadow: it is to be a copy of the primary';
    report.add({ path: [...path, 'url'], rule: 'duplicate', message, found: input.control.url });
  }
  if (shadows.length >= SHADOWS_MAX) {
    const message = `must be one of at most ${SHADOWS_MAX} that get copies, the shadows included`;
    report.add({ path, rule: 'range', message, found: shadows.length + 1, atKey: true });
  }
  return control;
}

function toDetail(input: Input, at: Path, translation: PartTranslation): DetailedDiff {
  return {
    ignoreHeaders: toHeaderNames(input.ignore_headers),
    ignoreJsonFields: toJsonPaths(input.ignore_json_fields, [...at, 'ignore_json_fields'], translation),
    unordered: toJsonPaths(input.unordered, [...at, 'unordered'], translation),
    tolerances: toTolerances(input.tolerance, [...at, 'tolerance'], translation),
    maxBodyCaptureBytes: readSize(input.max_body_capture, DEFAULTS.compare.maxBodyCapture),
  };
}

/** Lower case, each once. */
function toHeaderNames(inputs: Input['ignore_headers']): readonly string[] {
  return [...new Set(listGiven(inputs).map(([, name]) => name.toLowerCase()))];
}

/** A tolerance without a path is that of the whole body. */
function toTolerances(
  input: Input['tolerance'],
  at: Path,
  translation: PartTranslation,
): readonly Tolerance[] {
  if (input === undefined) return [];
  if (typeof input !== 'object') return [toTolerance('$', input)];
  const tolerances: Tolerance[] = [];
  for (const [path, amount] of Object.entries(input)) {
    checkJsonPath(path, [...at, path], true, translation);
    if (amount !== undefined) tolerances.push(toTolerance(path, amount));
  }
  return tolerances;
}

function toTolerance(path: string, amount: string | number): Tolerance {
  return { path, largest: toShare(amount), isRelative: typeof amount === 'string' };
}

function toThresholds(input: NonNullable<Input['verdict']>): Thresholds {
  const defaults = DEFAULTS.verdict;
  return {
    minCompared: input.min_compared ?? defaults.minCompared,
    maxMismatch: toShare(input.max_mismatch ?? defaults.maxMismatch),
    maxError: toShare(input.max_error ?? defaults.maxError),
    maxP99Ratio: input.max_p99_ratio ?? null,
  };
}
