// Text compared line by line: which lines are said to differ, and where the search ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DIFFS_MAX, VALUE_LENGTH_MAX } from '../../../src/core/diff/answer-diff.ts';
import { DiffList } from '../../../src/core/diff/diff-list.ts';
import { diffText, LINES_MAX } from '../../../src/core/diff/text-diff.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

interface Line {
  /** Of the primary's line; without one, of the primary's line before it. */
  readonly number: number;
  readonly primary: string | null;
  readonly shadow: string | null;
}

function find(primary: string, shadow: string): Line[] {
  const list = new DiffList();
  diffText(primary, shadow, false, list);
  return list.diffs.map(({ field, at, kind, primary: before, shadow: after }) => {
    assert.deepEqual([field, kind], ['body', 'text']);
    const place = before === null ? /^body:after line (\d+)$/ : /^body:line (\d+)$/;
    return { number: Number(place.exec(at)![1]), primary: before, shadow: after };
  });
}

function toTexts(primary: string, shadow: string): string[] {
  return find(primary, shadow).map(
    ({ number, primary: before, shadow: after }) =>
      `${number}: ${JSON.stringify(before)} ${JSON.stringify(after)}`,
  );
}

test('lines that differ have their number and both texts', () => {
  const table: readonly (readonly [string, string, readonly string[]])[] = [
    ['a', 'b', ['1: "a" "b"']],
    ['a\nb\nc', 'a\nx\nc', ['2: "b" "x"']],
    ['a\nb\nc\n', 'a\nc\n', ['2: "b" null']],
    ['a\nc\n', 'a\nb\nc\n', ['1: null "b"']],
    ['a\nb\nc\nd\n', 'a\nx\nc\ny\nz\n', ['2: "b" "x"', '4: "d" "y"', '4: null "z"']],
    ['a\nb\n', 'a\nb', ['2: "b\\n" "b"']],
    ['a\r\nb\r\n', 'a\nb\n', ['1: "a\\r" "a"', '2: "b\\r" "b"']],
    ['', 'a\nb', ['0: null "a"', '0: null "b"']],
    ['a\n', '', ['1: "a" null']],
    ['a\na\na\n', 'a\na\n', ['3: "a" null']],
    ['x', 'x\n', ['1: "x" "x\\n"']],
    ['a\n\n\nb', 'a\n\nb', ['3: "" null']],
    ['same\n', 'same\n', []],
  ];
  for (const [primary, shadow, lines] of table)
    assert.deepEqual(toTexts(primary, shadow), lines, `${primary}|${shadow}`);
});

test('a line that was put in moves no other one', () => {
  const lines = Array.from({ length: 500 }, (_, at) => `line ${at}`);
  const others = lines.toSpliced(400, 1).toSpliced(100, 0, 'new');
  assert.deepEqual(toTexts(lines.join('\n'), others.join('\n')), ['100: null "new"', '401: "line 400" null']);
});

test('a line that was moved out of sight is not called missing', () => {
  const lines = Array.from({ length: 2 * LINES_MAX }, (_, at) => `line ${at}`);
  const others = ['new', ...lines.slice(0, -1), 'last'];
  assert.deepEqual(toTexts(lines.join('\n'), others.join('\n')), ['0: null "new"']);
});

test('long lines are shown around what differs', () => {
  const [line] = find(`${'x'.repeat(5_000)}1${'y'.repeat(5_000)}`, `${'x'.repeat(5_000)}2`);
  assert.ok(line!.primary!.includes('x1y') && line!.shadow!.endsWith('x2'));
  assert.equal(line!.primary!.length, VALUE_LENGTH_MAX);
});

test('texts with more that differs than is searched for are compared by line number, up to the bound', () => {
  const text = (mark: string, count: number) =>
    Array.from({ length: count }, (_, at) => `${mark} ${at}`).join('\n');
  for (const count of [DIFFS_MAX / 2, DIFFS_MAX, DIFFS_MAX + 1, LINES_MAX + 1, 50_000]) {
    const lines = find(text('a', count), text('b', count));
    assert.equal(lines.length, Math.min(count, DIFFS_MAX));
    assert.deepEqual(lines.at(-1), {
      number: lines.length,
      primary: `a ${lines.length - 1}`,
      shadow: `b ${lines.length - 1}`,
    });
  }
});

const line = fc.constantFrom('a', 'b', 'c', '', 'long line');
const text = fc.array(line, { maxLength: 30 }).map((lines) => lines.map((each) => `${each}\n`).join(''));

test('taking the lines out and putting the others in makes the shadow of the primary', () => {
  fc.assert(
    fc.property(text, text, (primary, shadow) => {
      const diffs = find(primary, shadow);
      const before = primary.split('\n').slice(0, -1);
      const removed = new Map(
        diffs.flatMap((diff) => (diff.primary === null ? [] : [[diff.number, diff.primary]])),
      );
      for (const [number, content] of removed) assert.equal(before[Number(number) - 1], content);
      const kept = before.filter((_, at) => !removed.has(at + 1));
      const added = diffs.flatMap((diff) => (diff.shadow === null ? [] : [diff.shadow]));
      const after = shadow.split('\n').slice(0, -1);
      assert.deepEqual([...kept, ...added].sort(), after.toSorted());
      assert.equal(diffs.length === 0, primary === shadow);
      // As few as the longest common subsequence leaves.
      const edits = removed.size + added.length;
      assert.equal(edits, before.length + after.length - 2 * measureCommon(before, after));
    }),
    { seed, numRuns: 1_000 },
  );
});

test('texts with no difference in the list are the same text', () => {
  const any = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r', '\0'), maxLength: 12 });
  fc.assert(
    fc.property(any, any, (primary, shadow) => {
      assert.equal(find(primary, shadow).length === 0, primary === shadow);
    }),
    { seed, numRuns: 2_000 },
  );
});

function measureCommon(first: readonly string[], second: readonly string[]): number {
  let row = new Array<number>(second.length + 1).fill(0);
  for (const element of first) {
    const next = [0];
    for (const [at, other] of second.entries())
      next.push(element === other ? row[at]! + 1 : Math.max(row[at + 1]!, next[at]!));
    row = next;
  }
  return row.at(-1)!;
}
