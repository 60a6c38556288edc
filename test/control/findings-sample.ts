// Reports and mismatches for the tests of control/: complete ones, in which a test says only what it is about.
//
// Data only.

import type { FieldDiff } from '../../src/core/diff/answer-diff.ts';
import { type FindingsReport, type Mismatch, toSignatureFields } from '../../src/core/findings.ts';
import { SHADOW } from './sample.ts';

export const NAME_DIFF: FieldDiff = {
  field: 'body:name',
  at: 'body:name',
  kind: 'value',
  primary: '"Alice"',
  shadow: '"alice"',
};

export function sampleMismatch(more: Partial<Mismatch> = {}): Mismatch {
  return {
    timestampMs: 1_700_000_000_000,
    method: 'GET',
    target: '/api/users/123?full=1',
    requestId: 'r-1',
    primaryStatus: 200,
    shadowStatus: 200,
    primaryLatencyMs: 12.5,
    shadowLatencyMs: 20.25,
    diffs: [NAME_DIFF],
    isCut: false,
    bodyMethod: 'json',
    note: null,
    requestHeaders: ['host', 'api.example.com', 'accept', '*/*'],
    requestBody: null,
    requestNote: null,
    ...more,
  };
}

/** With the groups that its mismatches make. */
export function sampleReport(more: Partial<FindingsReport> = {}): FindingsReport {
  const { mismatches = [] } = more;
  return {
    route: 'api',
    revision: '1',
    shadow: SHADOW,
    // After whatever has begun.
    sinceMs: Number.MAX_SAFE_INTEGER,
    compared: mismatches.length,
    controlled: 0,
    noisy: 0,
    groups: mismatches.map(({ diffs, timestampMs }) => ({
      fields: toSignatureFields(diffs),
      count: 1,
      firstMs: timestampMs,
      lastMs: timestampMs,
    })),
    mismatches,
    fields: [],
    latencies: new Float32Array(0),
    ...more,
  };
}
