// What a kept difference holds in memory: its own texts, and not the bodies that they were cut out of.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { diffAnswers } from '../../../src/core/diff/differ.ts';
import { toAnswer, toRules } from './answers.ts';

const ROUNDS = 20;
/** Of heap, for the differences of all rounds. One body alone is as long. */
const KEPT_BYTES_MAX = 1024 * 1024;
const LENGTH = 1_000_000;

type Case = readonly [head: readonly string[], toBody: (round: number, side: string) => string];

const TEXT_TYPE = ['content-type', 'text/plain'];
const JSON_TYPE = ['content-type', 'application/json'];
const CASES: Readonly<Record<string, Case>> = {
  'long lines': [TEXT_TYPE, (round, side) => `${side}\n${`${side}${round}`.repeat(LENGTH / 4)}\nz${side}`],
  'short lines of a long text': [
    TEXT_TYPE,
    (round, side) => `${'x'.repeat(60)}${side}${round}\n`.repeat(LENGTH / 64),
  ],
  'long strings': [JSON_TYPE, (round, side) => `{"a":"${`${side}${round}`.repeat(LENGTH / 4)}"}`],
  'long numbers': [JSON_TYPE, (round, side) => `[1${round}${side === 'p' ? '1' : '2'}${'7'.repeat(LENGTH)}]`],
  'long header lines': [[], () => ''],
};

function toHead(round: number, side: string): readonly string[] {
  return [
    'x-a-name-that-is-not-short',
    `${side}${round}${'v'.repeat(40)}`,
    'x-long',
    `${round}`.repeat(LENGTH / 4),
  ];
}

/** Run in a process of its own, where memory can be collected on demand. */
function measure(name: string): number {
  const collect = global.gc;
  assert.ok(collect !== undefined);
  const [head, toBody] = CASES[name]!;
  const kept: unknown[] = [];
  const rules = toRules();
  const run = (round: number) => {
    const toSide = (side: string) =>
      toAnswer(toBody(round, side), head.length === 0 ? toHead(round, side) : head);
    kept.push(diffAnswers(toSide('p'), toSide('s'), rules).diffs);
  };
  run(0);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let round = 1; round <= ROUNDS; round++) run(round);
  collect();
  const bytes = process.memoryUsage().heapUsed - before;
  assert.equal(kept.length, ROUNDS + 1);
  return bytes;
}

const wanted = process.env.UMBRA_TEST_MEMORY_CASE;
if (wanted !== undefined) {
  console.log(`bytes ${measure(wanted)}`);
} else {
  for (const name of Object.keys(CASES)) {
    test(`differences in ${name} do not hold the bodies`, () => {
      const args = ['--no-warnings', '--expose-gc', import.meta.filename];
      const env = { ...process.env, UMBRA_TEST_MEMORY_CASE: name, NODE_TEST_CONTEXT: undefined };
      const { stdout, stderr } = spawnSync(process.execPath, args, {
        env,
        encoding: 'utf8',
        timeout: 60_000,
      });
      const bytes = /^bytes (-?\d+)$/m.exec(stdout)?.[1];
      assert.ok(bytes !== undefined, stderr);
      assert.ok(Number(bytes) < KEPT_BYTES_MAX, `${bytes} bytes`);
    });
  }
}
