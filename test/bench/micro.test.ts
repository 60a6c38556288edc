// The micro-benchmarks, run for one sample each: they still call what they say, and nothing is left out.
//
// No figure is looked at closely: a test machine may be as slow as it likes.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sumCounts } from '../../bench/micro/instructions.ts';
import { measureMicro, toMicroTable } from '../../bench/micro/micro.ts';
import { findCases, SUBJECTS } from '../../bench/micro/subjects.ts';

const MICRO = new URL('../../bench/micro/', import.meta.url);

test('every file of a subject is registered under its name', () => {
  const files = readdirSync(new URL('subjects', MICRO)).map((file) => file.replace(/\.ts$/, ''));
  assert.deepEqual(Object.keys(SUBJECTS).sort(), files.sort());
  for (const [subject, cases] of Object.entries(SUBJECTS)) assert.ok(cases.length > 0, subject);
});

test('every case measures what it should, and has a row', async () => {
  const rows = await measureMicro({ timeMs: 0, iterations: 1, countsInstructions: false });
  const expected = ['baseline: empty call', ...findCases('').map(({ title }) => title)];
  assert.deepEqual(
    rows.map(({ subject, name }) => `${subject}: ${name}`),
    expected,
  );
  assert.equal(new Set(expected).size, expected.length);
  for (const { name, callNs, lowNs, highNs, batch, calls, instructions } of rows) {
    for (const figure of [callNs, lowNs, highNs]) assert.ok(Number.isFinite(figure), name);
    assert.ok(calls >= batch && calls % batch === 0, name);
    assert.equal(instructions, null);
  }
  const table = toMicroTable(rows);
  for (const title of expected) assert.ok(table.includes(title), title);
  assert.ok(table.includes('Instructions per call are left out'));
  assert.ok(toMicroTable(rows.map((row) => ({ ...row, instructions: 1_234 }))).includes('1234'));
});

test('a filter leaves the empty call and what it names', async () => {
  const rows = await measureMicro({
    timeMs: 0,
    iterations: 1,
    filter: 'limit: take',
    countsInstructions: false,
  });
  assert.deepEqual(
    rows.map(({ name }) => name),
    ['empty call', 'take, places left', 'take, full'],
  );
});

test('the process that instructions are counted of makes the calls, or empty ones', async () => {
  const run = promisify(execFile);
  const file = fileURLToPath(new URL('repeat.ts', MICRO));
  for (const what of ['call', 'empty']) {
    await run(process.execPath, [file, 'limit: take, full', '3', what]);
  }
  await assert.rejects(run(process.execPath, [file, 'no such case', '3', 'call']), /no case is called/);
});

test('instructions are added up over kinds of cores, and are not a number where there are none', () => {
  assert.equal(sumCounts('1234567,,instructions:u,1000,100.00,,\n'), 1_234_567);
  assert.equal(
    sumCounts('20,,cpu_core/instructions:u/,9,90.00,,\n3,,cpu_atom/instructions:u/,1,10.00,,\n'),
    23,
  );
  assert.ok(Number.isNaN(sumCounts('<not supported>,,instructions:u,0,100.00,,\n')));
  assert.ok(Number.isNaN(sumCounts('')));
});
