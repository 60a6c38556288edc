// Guards: what the file may say, and what is made of a run's figures.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Findings } from '../../bench/load/findings.ts';
import { judge, parseGuards, toGuardLines } from '../../bench/load/guards.ts';
import type { RateSlice, RowFigures } from '../../bench/load/rounds.ts';
import { BODY_ROWS, JSON_ROWS, PEER_ROWS, type Row, SMALL_ROWS } from '../../bench/load/rows.ts';

const ROWS = [...SMALL_ROWS, ...PEER_ROWS, ...BODY_ROWS, ...JSON_ROWS];
const NAMES = ROWS.map(({ name }) => name);

function toRow(name: string): Row {
  return ROWS.find((row) => row.name === name)!;
}

function toSlice(p99Us: number): RateSlice {
  return { p50Us: 1, p90Us: 1, p99Us, frontendCpuUs: Number.NaN, lateP99Us: 1, copiesShare: 1 };
}

/** A round for each list, a slice for each value. */
function toFigures(name: string, p99Us: readonly (readonly number[])[]): RowFigures {
  const rounds = p99Us.map((values) => ({ rate: values.map(toSlice), busy: [], peakBytes: 0 }));
  return { row: toRow(name), rounds, latenciesUs: [] };
}

test('the guards of the repository are sound', () => {
  const text = readFileSync(new URL('../../bench/guards.yaml', import.meta.url), 'utf8');
  const guards = parseGuards(text, NAMES);
  assert.ok(guards.length >= 3);
});

test('every problem of a guards file is named, with its line', () => {
  const text = [
    'guards:',
    '  - { figure: p98, row: hung, baseline: off, max: 1.1 }',
    '  - { figure: p99, row: hang, baseline: off, max: 0, note: x }',
    '  - p99',
  ].join('\n');
  assert.throws(
    () => parseGuards(text, NAMES),
    (error: Error) => {
      for (const part of [
        /line 2: figure: one of p50, .*found "p98"/,
        /line 3: note: unknown key/,
        /line 3: row: one of direct, .*found "hang"/,
        /line 3: max: a number above 0, found 0/,
        /a guard is a map/,
      ]) {
        assert.match(error.message, part);
      }
      return true;
    },
  );
  assert.throws(() => parseGuards('guards: []', NAMES), /at least one guard is missing/);
  assert.throws(() => parseGuards('guards: [', NAMES), /bench\/guards\.yaml/);
});

test('a guard is judged by the median round, each slice divided by its neighbour', () => {
  const findings = new Findings(
    [toFigures('off', [[100, 10], [100], [100]]), toFigures('hung', [[110, 11], [500], [90]])],
    [],
  );
  const guard = { figure: 'p99', row: 'hung', baseline: 'off', max: 1.1 } as const;
  assert.deepEqual(judge(guard, findings), { verdict: 'held', reached: 1.1 });
  assert.deepEqual(judge({ ...guard, max: 1.09 }, findings).verdict, 'broken');
  assert.deepEqual(toGuardLines([guard], findings), ['held: p99 of hung ÷ off is 1.100, at most 1.10']);
});

test('a guard whose figure was not measured is not held', () => {
  const figures = [toFigures('off', [[100]]), toFigures('hung', [[100]])];
  const guard = { figure: 'frontend_instructions', row: 'hung', baseline: 'off', max: 1.06 } as const;
  // Counted in slow motion for one of the two rows only.
  for (const counted of [[], [{ row: 'off', perRequest: [5, 7], jobsPerBatch: 1, copiesShare: 1 }]]) {
    assert.equal(judge(guard, new Findings(figures, counted)).verdict, 'not measured');
  }
  const both = ['off', 'hung'].map((row, index) => ({
    row,
    perRequest: [100, 100 + index * 4, 900],
    jobsPerBatch: 1,
    copiesShare: 1,
  }));
  assert.deepEqual(judge(guard, new Findings(figures, both)), { verdict: 'held', reached: 1.04 });
});
