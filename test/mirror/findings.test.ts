// What is gathered of comparisons between two reports: exact counts, and every bound at its edge.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiffKind, FieldDiff } from '../../src/core/diff/answer-diff.ts';
import { type FindingsReport, type Mismatch, OTHERS } from '../../src/core/findings.ts';
import { type Finding, FindingsPoster, type ShadowFindings } from '../../src/mirror/findings.ts';
import { ExchangeNoise } from '../../src/mirror/noise.ts';

const SUBJECT = { route: 'api', revision: '7', shadow: 'http://s:80' };

function openFindings(): ShadowFindings {
  return new FindingsPoster('umbra-findings-test').open(SUBJECT);
}

function toDiff(field: string, value = 'p', kind: DiffKind = 'value'): FieldDiff {
  return { field, at: field, kind, primary: value, shadow: `${value}s` };
}

/** An example that says which one it is by its path. */
function toDraft(name: string, bytes = 100): Finding['draft'] {
  return { bytes, toMismatch: () => ({ target: name }) as Mismatch };
}

function toFinding(edits: Partial<Finding> = {}): Finding {
  const diffs = edits.diffs ?? [];
  const nothing = { timestampMs: 1000, primaryLatencyMs: 1, shadowLatencyMs: 2, noise: null, draft: null };
  return { ...nothing, diffs, leftOut: [], ...edits };
}

function mismatch(fields: readonly string[], name: string, timestampMs = 1000, bytes = 100): Finding {
  return toFinding({ diffs: fields.map((field) => toDiff(field)), draft: toDraft(name, bytes), timestampMs });
}

function targets(report: FindingsReport): string[] {
  return report.mismatches.map(({ target }) => target);
}

test('a report says of what it is, how many were compared, and all of it once', () => {
  const findings = openFindings();
  const noise = new ExchangeNoise([toDiff('body:t')]);
  findings.add(toFinding());
  findings.add(toFinding({ noise }));
  findings.add(toFinding({ leftOut: ['body:t'], noise }));
  findings.add(mismatch(['status', 'body:a', 'body:a'], 'x', 1005));
  findings.add(mismatch(['body:a', 'status'], 'y', 1007));
  const { latencies, mismatches, fields, sinceMs, ...report } = findings.take();
  assert.equal(sinceMs, 1000);
  assert.deepEqual(report, {
    ...SUBJECT,
    compared: 5,
    controlled: 2,
    noisy: 1,
    groups: [{ fields: ['body:a', 'status'], count: 2, firstMs: 1005, lastMs: 1007 }],
  });
  assert.deepEqual(mismatches, [{ target: 'x' }, { target: 'y' }]);
  assert.deepEqual([...latencies], [1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
  assert.deepEqual(fields, [
    { field: 'body:t', differed: 1, counted: 0, controlDiffered: 2, fresh: 0 },
    { field: 'status', differed: 2, counted: 2, controlDiffered: 0, fresh: 1 },
    { field: 'body:a', differed: 2, counted: 2, controlDiffered: 0, fresh: 1 },
  ]);
  findings.add(mismatch(['status'], 'z', 2000));
  findings.add(mismatch(['status'], 'z', 2001));
  assert.equal(findings.take().sinceMs, 2000);
  const next = findings.take();
  assert.deepEqual(
    [next.compared, next.controlled, next.groups, next.fields, next.mismatches],
    [0, 0, [], [], []],
  );
});

test('values are fresh while they are new on both sides, over all reports', () => {
  const findings = openFindings();
  const add = (primary: string | null, shadow: string | null): void =>
    findings.add(toFinding({ diffs: [{ ...toDiff('body:id'), primary, shadow }] }));
  add('1', 'a');
  add('2', 'b');
  add('2', 'c');
  add('3', 'c');
  add(null, 'd');
  add('4', null);
  assert.deepEqual(findings.take().fields, [
    { field: 'body:id', differed: 6, counted: 6, controlDiffered: 0, fresh: 2 },
  ]);
  add('1', 'e');
  add('5', 'f');
  assert.equal(findings.take().fields[0]!.fresh, 1);
  // The 64 latest of each side are remembered.
  for (let value = 100; value < 163; value++) add(`${value}`, `${value}`);
  assert.equal(findings.take().fields[0]!.fresh, 63);
  add('5', 'g');
  assert.equal(findings.take().fields[0]!.fresh, 0);
  add('1', 'h');
  assert.equal(findings.take().fields[0]!.fresh, 1, 'an early value is forgotten');
});

test('the newest twenty mismatches are kept, but each group has one as long as it may', () => {
  const findings = openFindings();
  findings.add(mismatch(['body:rare'], 'rare'));
  for (let index = 0; index < 30; index++) findings.add(mismatch(['status'], `s${index}`));
  const report = findings.take();
  assert.deepEqual(targets(report), ['rare', ...Array.from({ length: 19 }, (_, index) => `s${index + 11}`)]);
  assert.deepEqual(
    report.groups.map(({ count }) => count),
    [1, 30],
  );
  for (let index = 0; index < 21; index++) findings.add(mismatch([`body:${index}`], `g${index}`));
  assert.deepEqual(targets(findings.take())[0], 'g1');
});

test('mismatches of a report hold 256 KiB at most, and one that is longer alone is only counted', () => {
  const findings = openFindings();
  const half = 128 * 1024;
  for (const name of ['a', 'b']) findings.add(mismatch(['status'], name, 1, half));
  assert.deepEqual(targets(findings.take()), ['a', 'b']);
  for (const name of ['a', 'b']) findings.add(mismatch(['status'], name, 1, half));
  findings.add(mismatch(['status'], 'c', 1, 1));
  assert.deepEqual(targets(findings.take()), ['b', 'c']);
  findings.add(mismatch(['status'], 'd', 1, 2 * half + 1));
  const report = findings.take();
  assert.deepEqual([targets(report), report.groups[0]!.count], [[], 1]);
});

test('mismatches of a thread hold 16 MiB at most until they are posted', () => {
  const poster = new FindingsPoster('umbra-findings-test');
  const all = Array.from({ length: 65 }, () => poster.open(SUBJECT));
  // With the group: 256 KiB.
  const bytes = 256 * 1024 - 256 - 4 * 'status'.length;
  for (const findings of all) findings.add(mismatch(['status'], 'x', 1, bytes));
  assert.deepEqual(
    all.map((findings) => findings.take().mismatches.length),
    [...Array.from({ length: 64 }, () => 1), 0],
  );
  all[64]!.add(mismatch(['status'], 'x', 1, bytes));
  assert.equal(all[64]!.take().mismatches.length, 1);
});

test('a field of which one part is noise and another is not differed once', () => {
  const findings = openFindings();
  findings.add(toFinding({ diffs: [toDiff('body'), toDiff('body')], leftOut: ['body', 'body:t'] }));
  assert.deepEqual(findings.take().fields, [
    { field: 'body', differed: 1, counted: 1, controlDiffered: 0, fresh: 1 },
    { field: 'body:t', differed: 1, counted: 0, controlDiffered: 0, fresh: 0 },
  ]);
});

/** As long as a field may be. */
function toLongField(name: string): string {
  return `body:${name.padEnd(500, 'x')}`;
}

test('names of groups weigh: of a thread they hold 16 MiB at most together with mismatches, and the rest are one', () => {
  const poster = new FindingsPoster('umbra-findings-test');
  const fields = Array.from({ length: 32 }, (_, index) => toLongField(`${index}`));
  // 199 groups of 32 such names are 12.3 MiB.
  const all = [poster.open(SUBJECT), poster.open(SUBJECT)];
  const add = (to: ShadowFindings): void => {
    for (let group = 0; group < 190; group++) {
      const own = fields.map((field) => `${field}${group}`);
      to.add(toFinding({ diffs: own.map((field) => toDiff(field)), draft: toDraft('x', 1e9) }));
    }
  };
  for (const findings of all) add(findings);
  const [first, second] = all.map((findings) => findings.take());
  assert.equal(first!.groups.length, 190);
  assert.ok(second!.groups.length > 1 && second!.groups.length < 100, `${second!.groups.length} groups`);
  const last = second!.groups.at(-1)!;
  assert.deepEqual([last.fields, last.count], [[OTHERS], 191 - second!.groups.length]);
  add(all[1]!);
  assert.equal(all[1]!.take().groups.length, 190, 'what was reported has no weight any more');
});

test('names of fields weigh as long as they are remembered: 16 MiB of a thread', () => {
  const poster = new FindingsPoster('umbra-findings-test');
  const all = Array.from({ length: 8 }, () => poster.open(SUBJECT));
  const diffs = Array.from({ length: 990 }, (_, index) => toDiff(toLongField(`${index}`)));
  const add = (to: ShadowFindings): number => {
    to.add(toFinding({ diffs }));
    return to.take().fields.length;
  };
  const counts = all.map(add);
  assert.deepEqual(
    counts.slice(0, 6),
    Array.from({ length: 6 }, () => 990),
  );
  assert.ok(counts[6]! < 990 && counts[7] === 1, `${counts}`);
  poster.close(all[0]!);
  assert.equal(add(poster.open(SUBJECT)), 990);
});

test('groups beyond two hundred are counted as one', () => {
  const findings = openFindings();
  for (let time = 0; time < 2; time++) {
    for (let index = 0; index < 250; index++) findings.add(mismatch([`body:${index}`], 'x', index));
  }
  const { groups } = findings.take();
  assert.equal(groups.length, 200);
  assert.ok(groups.slice(0, 199).every(({ count }) => count === 2));
  assert.deepEqual(groups[199], { fields: [OTHERS], count: 102, firstMs: 199, lastMs: 249 });
});

test('a group has at most 32 fields', () => {
  const findings = openFindings();
  const fields = Array.from({ length: 40 }, (_, index) => `body:${index + 10}`);
  findings.add(mismatch(fields, 'x'));
  assert.deepEqual(findings.take().groups[0]!.fields, fields.slice(0, 32));
});

test('fields beyond a thousand are counted as one, each once for a comparison', () => {
  const findings = openFindings();
  const diffs = Array.from({ length: 1100 }, (_, index) => toDiff(`body:${index}`));
  for (let time = 0; time < 2; time++) findings.add(toFinding({ diffs }));
  const { fields } = findings.take();
  assert.equal(fields.length, 1000);
  assert.ok(fields.every(({ differed, counted }) => differed === 2 && counted === 2));
  assert.equal(fields[999]!.field, OTHERS);
});

for (const [comparisons, pairs, stride] of [
  [2048, 2048, 1],
  [2049, 1025, 2],
  [4096, 2048, 2],
  [4097, 1025, 4],
  [100_000, 1563, 64],
] as const) {
  test(`of ${comparisons} latencies every ${stride}th is in the report`, () => {
    const findings = openFindings();
    for (let index = 0; index < comparisons; index++) {
      findings.add(toFinding({ primaryLatencyMs: index, shadowLatencyMs: index + 0.5 }));
    }
    const { latencies } = findings.take();
    assert.equal(latencies.length, pairs * 2);
    for (let pair = 0; pair < pairs; pair++) {
      assert.equal(latencies[pair * 2], pair * stride);
      assert.equal(latencies[pair * 2 + 1], pair * stride + 0.5);
    }
  });
}
