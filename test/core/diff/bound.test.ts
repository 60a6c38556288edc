// What one comparison may cost, whatever the answers are: work is counted here, and time only by a clock of the test.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import type { AnswerDiff } from '../../../src/core/diff/answer-diff.ts';
import { DECODED_BYTES_MAX } from '../../../src/core/diff/body-content.ts';
import { diffAnswers } from '../../../src/core/diff/differ.ts';
import { scanJson } from '../../../src/core/diff/json-scan.ts';
import { parseJson } from '../../../src/core/diff/json-value.ts';
import { READ_STEPS_MAX, TIME_MAX_MS, Work } from '../../../src/core/diff/work.ts';
import { diffJsonTexts, JSON_TYPE, type RuleEdits, toAnswer, toRules } from './answers.ts';

const NOTE = 'the JSON takes too many steps to compare';
const RAISED = { maxBodyCaptureBytes: 1 << 30 };

function list(count: number, toText: (at: number) => string): string {
  return `[${Array.from({ length: count }, (_, at) => toText(at))}]`;
}

/** What reading it takes, and whether it is parsed at all. */
function measure(text: string): readonly [steps: number, isParsed: boolean] {
  const work = new Work(READ_STEPS_MAX);
  const parsed = parseJson(text, work);
  return [READ_STEPS_MAX - work.left, !('problem' in parsed && parsed.problem === 'work')];
}

test('what takes too long to parse is not parsed, however short its parts are', () => {
  const bodies = [
    `[${'['.repeat(524_000)}`,
    '['.repeat(524_000) + ']'.repeat(524_000),
    `{${list(80_000, (at) => `"k${at}":1e1`).slice(1, -1)}}`,
    list(70_000, (at) => `{"k${at}":1}`),
    list(349_000, () => '[]'),
    list(4_000_000, () => '1e1'),
  ];
  for (const body of bodies) {
    assert.equal(measure(body)[1], false, body.slice(0, 20));
    const { bodyMethod, note, diffs } = diffJsonTexts('1', body, RAISED);
    assert.deepEqual([bodyMethod, note, diffs.length], ['digest', NOTE, 1], body.slice(0, 20));
  }
});

test('reading is paid for by both bodies together', () => {
  // One step for each, and its comma: one of them can be read, and not both.
  const body = list(READ_STEPS_MAX * 0.6, () => '1');
  assert.equal(measure(body)[1], true);
  assert.equal(diffJsonTexts(body, '1').bodyMethod, 'json');
  assert.equal(diffJsonTexts(body, `${body} `).note, NOTE);
});

test('objects of the same keys cost less than those whose keys nobody else has', () => {
  const same = list(20_000, (at) => `{"id":${at},"name":1}`);
  const others = list(20_000, (at) => `{"i${at}":${at},"name":1}`);
  const turned = list(20_000, (at) => `{"${at % 150}":1,"${Math.trunc(at / 150)}x":1}`);
  const [cost, dear, pairs] = [measure(same)[0], measure(others)[0], measure(turned)[0]];
  assert.ok(dear > cost + 20_000 * 10, `${cost} ${dear}`);
  assert.ok(pairs > cost + 20_000 * 5, `${cost} ${pairs}`);
  // Two bodies of a megabyte with the rows of a table are compared.
  const row = (at: number) =>
    `{"id":${at},"name":"name ${at}","price":${at}.25,"ok":true,"tag":"t${at % 7}"}`;
  const rows = list(14_000, row);
  assert.deepEqual(diffJsonTexts(rows, `${rows} `).note, null);
});

test('long numbers are read without asking the parser for each value', () => {
  const scan = scanJson(
    '[1,1e1,-12345678901234567,"12345678901234567",{"a":0.000000000000000001}]',
    new Work(1e6),
  );
  assert.equal(scan!.exact.length, 2);
  const ids = (last: string) =>
    list(15_000, (at) => `{"id":123456789012345${10_000 + at},"n":${at}}`).replace(/.{3}$/, last);
  const diff = diffJsonTexts(ids('1}]'), ids('2}]'));
  assert.deepEqual([diff.bodyMethod, diff.note, diff.diffs.length], ['json', null, 1]);
  // Whatever the strings beside them begin with.
  for (const mark of ['\\u0001', '\\u0002', '\\\\u0001'])
    assert.deepEqual(
      diffJsonTexts(`["${mark}1",12345678901234567890]`, ` ["${mark}1",12345678901234567890]`).diffs,
      [],
      mark,
    );
  const marks = Array.from({ length: 32 }, (_, at) => `"\\u00${at.toString(16).padStart(2, '0')}"`);
  const all = diffJsonTexts(`[${marks},12345678901234567890]`, `[${marks},12345678901234567891]`);
  assert.equal(all.bodyMethod, 'digest');
});

test('differences cost the same at every depth', () => {
  const deep = (value: number, levels: number) => {
    const inner = list(6_000, () => String(value));
    return '{"abcdefgh":'.repeat(levels) + inner + '}'.repeat(levels);
  };
  const { diffs, isCut } = diffJsonTexts(deep(1, 95), deep(2, 95));
  assert.deepEqual([diffs.length, isCut], [5, true]);
  const field = `body:${Array(95).fill('abcdefgh').join('.')}[]`;
  assert.deepEqual(new Set(diffs.map((diff) => diff.field)), new Set([field]));
  assert.equal(diffs[4]!.at, `${field.slice(0, -1)}4]`);
});

test('unordered arrays take their share of the work, and are not called equal beyond it', () => {
  const rows = (count: number, mark: string) =>
    Array.from({ length: count }, (_, at) => `{"a":"x${at}","b":"${mark}${at}","c":1,"d":2,"e":${at}}`);
  const edits = { unordered: ['$'] };
  const turn = (count: number) =>
    diffJsonTexts(`[${rows(count, 'y')}]`, `[${rows(count, 'z').reverse()}]`, edits);
  assert.equal(turn(2_000).bodyMethod, 'json');
  assert.deepEqual([turn(9_000).bodyMethod, turn(9_000).note], ['digest', NOTE]);
});

test('the clock ends what the counted work did not, and is not asked for small bodies', () => {
  const run = (count: number, edits: RuleEdits, times: readonly number[]): readonly [AnswerDiff, number] => {
    let asked = 0;
    const clock = () => times[Math.min(asked++, times.length - 1)]!;
    const body = (value: number) =>
      toAnswer(`{"z":${value},"a":${list(count, String)},"b":${value}}`, JSON_TYPE);
    return [diffAnswers(body(1), body(2), toRules(edits), null, clock), asked];
  };
  const [small, asked] = run(100, {}, [0, TIME_MAX_MS + 1]);
  assert.deepEqual([small.isCut, small.diffs.length, asked], [false, 2, 1]);
  const [fast, checks] = run(20_000, {}, [0, TIME_MAX_MS]);
  assert.deepEqual([fast.isCut, fast.diffs.length], [false, 2]);
  assert.ok(checks > 10 && checks < 100, `${checks}`);
  // Late as soon as the bodies are read: nothing is known.
  const [late] = run(20_000, {}, [0, TIME_MAX_MS + 1]);
  assert.deepEqual([late.bodyMethod, late.note], ['digest', 'comparing the bodies took too long']);
  // Late within the walk, when something is known already.
  const [cut] = run(20_000, {}, [...Array<number>(checks - 5).fill(0), TIME_MAX_MS + 1]);
  assert.deepEqual([cut.bodyMethod, cut.isCut, cut.diffs.length], ['json', true, 1]);
  const [ignored] = run(20_000, { ignoreJsonFields: ['z'] }, [
    ...Array<number>(checks - 5).fill(0),
    TIME_MAX_MS + 1,
  ]);
  assert.deepEqual([ignored.bodyMethod, ignored.note], ['digest', 'comparing the bodies took too long']);
});

test('what is decoded is bounded for both bodies together, however much may be captured', () => {
  const coded = (length: number, text: string) =>
    toAnswer(zlib.gzipSync(JSON.stringify(text.repeat(length))), [...JSON_TYPE, 'content-encoding', 'gzip']);
  const half = DECODED_BYTES_MAX / 2;
  const fits = diffAnswers(coded(half - 2, 'a'), coded(half - 2, 'b'), toRules(RAISED));
  assert.deepEqual([fits.bodyMethod, fits.note], ['json', null]);
  const over = diffAnswers(coded(half - 2, 'a'), coded(half - 1, 'b'), toRules(RAISED));
  assert.deepEqual([over.bodyMethod, over.note], ['digest', 'the bodies are too long when they are decoded']);
  const type = ['content-type', 'text/plain'];
  const long = (end: string) => toAnswer(`${'a\n'.repeat(8_000_000)}${end}`, type);
  assert.equal(
    diffAnswers(long('1'), long('2'), toRules(RAISED)).note,
    'the text takes too many steps to compare',
  );
});
