// What a comparison does when it fails itself: the thread goes on, the answers are compared by digest, and it is told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShadowBook, ShadowCell } from '../../src/core/book.ts';
import { compileDiffRules } from '../../src/core/diff/diff-rules.ts';
import { type Answer, CaptureBudget, toAnswer } from '../../src/mirror/answer.ts';
import { ComparedShadow, RuleComparer } from '../../src/mirror/comparer.ts';
import { FindingsPoster } from '../../src/mirror/findings.ts';
import { DETAIL, toDetail, toMirror, toRoute, toShadow } from './rig.ts';

type Diff = ConstructorParameters<typeof RuleComparer>[5];

const LINES = 'content-type: application/json\r\n';

function openComparer(diff?: Diff): { readonly comparer: RuleComparer; readonly told: unknown[][] } {
  const compare = toDetail();
  const mirror = toMirror([toShadow('http://s:80')], { compare });
  const told: unknown[][] = [];
  const host = {
    log: (...event: unknown[]) => {
      told.push(event);
      return true;
    },
    findings: new FindingsPoster('umbra-comparer-test'),
    onLogSuppressed: () => {},
  };
  const rules = compileDiffRules(DETAIL, []);
  return { comparer: new RuleComparer(host, toRoute('api', mirror), mirror, compare, rules, diff), told };
}

function toJson(text: string): Answer {
  return toAnswer(200, LINES, Buffer.from(text), new CaptureBudget(), 1000);
}

test('a defect of the comparison ends nothing: bodies are compared by digest, and it is told once a second', () => {
  const { comparer, told } = openComparer(() => {
    throw new TypeError('a bug at "s3cret"');
  });
  const same = comparer.diff(toJson('{"a":1}'), toJson('{"a":1}'));
  assert.deepEqual(same, { diffs: [], isCut: false, bodyMethod: 'digest', note: 'internal' });
  const other = comparer.diff(toJson('{"a":1}'), toJson('{"a":22}'));
  assert.deepEqual(
    other.diffs.map(({ field, kind }) => [field, kind]),
    [['body', 'digest']],
  );
  assert.match(other.diffs[0]!.primary!, /^7 bytes, sha256 [0-9a-f]{64}$/);
  assert.match(other.diffs[0]!.shadow!, /^8 bytes, sha256 [0-9a-f]{64}$/);
  assert.equal(told.length, 1);
  const [level, message, fields] = told[0] as [string, string, Record<string, string>];
  assert.deepEqual([level, message, fields.route], ['error', 'comparison failed', 'api']);
  assert.match(fields.cause!, /^TypeError\n +at .*comparer/);
  assert.doesNotMatch(fields.cause!, /s3cret/);
  const book = new ShadowBook(ShadowBook.allocate(1), 1);
  const control = new ComparedShadow(comparer, 'http://c:80', true, book.cells, book.row(0));
  control.onControl(other);
  const cells = [ShadowCell.compared, ShadowCell.mismatched, ShadowCell.reduced];
  assert.deepEqual(
    cells.map((cell) => book.sum(cell)),
    [1, 1, 1],
  );
});

test('a body that the thread had no room for is compared by its digest, and the note says so', () => {
  const { comparer, told } = openComparer();
  const body = Buffer.from('{"a":1}');
  const refused = toAnswer(200, LINES, body, new CaptureBudget(0), 1000);
  for (const [primary, shadow, note] of [
    [toJson('{"a":2}'), refused, 'there was no room to keep the bodies'],
    [refused, toJson('{"a":2}'), 'there was no room to keep the bodies'],
    [
      toAnswer(200, LINES, Buffer.alloc(2_000_000), new CaptureBudget(), 1000),
      toJson('{"a":2}'),
      "the primary's body is longer than max_body_capture",
    ],
  ] as const) {
    const diff = comparer.diff(primary, shadow);
    assert.deepEqual([diff.bodyMethod, diff.note, diff.diffs.length], ['digest', note, 1]);
  }
  assert.deepEqual(told, []);
});
