// A comparison of the model → umbra's own YAML.
//
// Owns which keys say what, and in which order. Writes only what differs from what umbra does by itself.

import type { Compare, Thresholds, Tolerance } from '../../core/model.ts';
import { DEFAULTS } from '../defaults.ts';
import { toPercentText, toShare, toSizeBytes, toSizeText } from '../quantity.ts';
import { Block } from './yaml-text.ts';

/** `control` is the block of that backend, or null without one. */
export function toCompareBlock(compare: Compare, control: Block | null): Block {
  const defaults = DEFAULTS.compare;
  const { detail, mask, maxMismatches, thresholds } = compare;
  const block = new Block()
    .put('enabled', true)
    .putUnless(defaults.logMismatches, 'log_mismatches', compare.logMismatches)
    .putUnless(defaults.detailedDiff, 'detailed_diff', detail !== null);
  if (detail !== null) {
    block
      .putFilled('ignore_headers', detail.ignoreHeaders)
      .putFilled('ignore_json_fields', detail.ignoreJsonFields)
      .putFilled('unordered', detail.unordered);
    putTolerances(block, detail.tolerances);
  }
  block.putFilled('mask', mask);
  if (detail !== null && detail.maxBodyCaptureBytes !== toSizeBytes(defaults.maxBodyCapture)) {
    block.put('max_body_capture', toSizeText(detail.maxBodyCaptureBytes));
  }
  block.putUnless(defaults.maxMismatches, 'max_mismatches', maxMismatches);
  if (control !== null) block.put('control', control);
  return block.putFilled('verdict', toVerdictBlock(thresholds));
}

/** One for the whole body is written without its path. */
function putTolerances(block: Block, tolerances: readonly Tolerance[]): void {
  const [first] = tolerances;
  if (first === undefined) return;
  if (tolerances.length === 1 && first.path === '$') {
    block.put('tolerance', toAmount(first));
    return;
  }
  const amounts = new Block();
  for (const tolerance of tolerances) amounts.put(tolerance.path, toAmount(tolerance));
  block.put('tolerance', amounts);
}

function toAmount({ largest, isRelative }: Tolerance): string | number {
  // A share came from such a text.
  return isRelative ? toPercentText(largest)! : largest;
}

function toVerdictBlock({ minCompared, maxMismatch, maxError, maxP99Ratio }: Thresholds): Block {
  const defaults = DEFAULTS.verdict;
  const block = new Block().putUnless(defaults.minCompared, 'min_compared', minCompared);
  if (maxMismatch !== toShare(defaults.maxMismatch)) block.put('max_mismatch', toShareText(maxMismatch));
  if (maxError !== toShare(defaults.maxError)) block.put('max_error', toShareText(maxError));
  if (maxP99Ratio !== null) block.put('max_p99_ratio', maxP99Ratio);
  return block;
}

function toShareText(share: number): string | number {
  return toPercentText(share) ?? share;
}
