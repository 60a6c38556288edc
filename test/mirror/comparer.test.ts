// What comparing two answers comes to: what a control's answer excuses and what it never does, and a comparison that fails
// itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ShadowBook, ShadowCell } from '../../src/core/book.ts';
import type { AnswerDiff } from '../../src/core/diff/answer-diff.ts';
import { compileDiffRules } from '../../src/core/diff/diff-rules.ts';
import { diffAnswers } from '../../src/core/diff/differ.ts';
import type { DetailedDiff } from '../../src/core/model.ts';
import { type Answer, CaptureBudget, toAnswer } from '../../src/mirror/answer.ts';
import { ComparedShadow, RuleComparer } from '../../src/mirror/comparer.ts';
import { FindingsPoster } from '../../src/mirror/findings.ts';
import { DETAIL, toDetail, toMirror, toRoute, toShadow } from './rig.ts';

type Diff = ConstructorParameters<typeof RuleComparer>[5];

const JSON_LINES = 'content-type: application/json\r\n';
const TEXT_LINES = 'content-type: text/html\r\n';
const IMAGE_LINES = 'content-type: image/png\r\n';
const NO_ROOM = 'there was no room to keep the bodies';

class Bench {
  readonly told: unknown[][] = [];
  readonly comparer: RuleComparer;
  readonly control: ComparedShadow;
  readonly #book = new ShadowBook(ShadowBook.allocate(1), 1);

  constructor(diff?: Diff, edits: Partial<DetailedDiff> = {}) {
    const detail = { ...DETAIL, ...edits };
    const compare = toDetail(detail);
    const mirror = toMirror([toShadow('http://s:80')], { compare });
    const host = {
      log: (...event: unknown[]) => {
        this.told.push(event);
        return true;
      },
      findings: new FindingsPoster('umbra-comparer-test'),
      onLogSuppressed: () => {},
    };
    const rules = compileDiffRules(detail, []);
    this.comparer = new RuleComparer(host, toRoute('api', mirror), mirror, compare, rules, diff);
    this.control = new ComparedShadow(this.comparer, 'http://c:80', true, this.#book.cells, 0);
  }

  /** Of the control's row. */
  counts(...cells: (keyof typeof ShadowCell)[]): number[] {
    return cells.map((cell) => this.#book.sum(ShadowCell[cell]));
  }

  /** Fields and kinds that count, or why nothing can be said. */
  judge(primary: Answer, control: Answer | null, shadow: Answer): readonly string[] | string {
    const noise = control === null ? null : this.control.onControl(primary, control);
    const outcome = this.comparer.compareShadow(primary, shadow, noise);
    return typeof outcome === 'string' ? outcome : outcome.diffs.map(({ field, kind }) => `${field} ${kind}`);
  }
}

function toOne(body: string | Uint8Array, lines = JSON_LINES, status = 200, budget = new CaptureBudget()) {
  return toAnswer(status, lines, Buffer.from(body as string), budget, DETAIL.maxBodyCaptureBytes);
}

/** One that there was no room to keep. */
function toRefused(body: string, lines = JSON_LINES, status = 200): Answer {
  return toOne(body, lines, status, new CaptureBudget(0));
}

const PRIMARY = '{"ts":1,"a":{"b":5},"items":[1,2]}';
const CONTROL = '{"ts":2,"a":{"b":5},"items":[1,2]}';

for (const [what, shadow, counted] of [
  ['another value of the noise', '{"ts":3,"a":{"b":5},"items":[1,2]}', []],
  ['a broken body', '{"ts":3,', ['body digest']],
  ['an empty body', '', ['body digest']],
  ['HTML', '<html>all is lost</html>', ['body digest']],
  ['null', 'null', ['body type']],
  ['nothing in place of the noise', '{"a":{"b":5},"items":[1,2]}', ['body:ts missing']],
  ['another type in place of the noise', '{"ts":null,"a":{"b":5},"items":[1,2]}', ['body:ts type']],
  ['a change beside the noise', '{"ts":3,"a":{"b":6},"items":[1,2]}', ['body:a.b value']],
] as const) {
  test(`of a shadow with ${what} ${counted.join() || 'nothing'} counts, in the exchange and by the profile`, () => {
    const bench = new Bench();
    assert.deepEqual(bench.judge(toOne(PRIMARY), toOne(CONTROL), toOne(shadow)), counted);
    for (let time = 0; time < 5; time++) bench.control.onControl(toOne(PRIMARY), toOne(CONTROL));
    assert.deepEqual(bench.judge(toOne(PRIMARY), null, toOne(shadow)), counted);
  });
}

test('noise in many fields hides no other field', () => {
  const toMany = (ts: number, total: number): Answer =>
    toOne(
      JSON.stringify({ ...Object.fromEntries(Array.from({ length: 90 }, (_, at) => [`k${at}`, ts])), total }),
    );
  assert.deepEqual(new Bench().judge(toMany(1, 1), toMany(2, 1), toMany(3, 1)), []);
  assert.deepEqual(new Bench().judge(toMany(1, 1), toMany(2, 1), toMany(3, 9)), ['body:total value']);
  const toLong = (ts: number, total: number): Answer =>
    toOne(JSON.stringify({ items: Array.from({ length: 6000 }, () => ({ ts })), total }));
  assert.deepEqual(new Bench().judge(toLong(1, 1), toLong(2, 1), toLong(3, 9)), ['body:total value']);
});

test('of more fields than are listed each is learnt, and a page of more lines than are listed is another one', () => {
  const toMany = (ts: number, total: number, count = 150): Answer => {
    const members = Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, { ts }]));
    return toOne(JSON.stringify({ ...members, total }));
  };
  const bench = new Bench();
  for (let time = 0; time < 3; time++)
    assert.deepEqual(bench.judge(toMany(1, 1), toMany(2, 1), toMany(3, 1)), []);
  assert.deepEqual(bench.judge(toMany(1, 1), toMany(2, 1), toMany(3, 9)), ['body:total value']);
  assert.deepEqual(bench.judge(toMany(1, 1), null, toMany(3, 9)), ['body:total value']);
  assert.deepEqual(bench.counts('compared', 'mismatched', 'noisy'), [4, 4, 0]);
  const toLines = (mark: number): Answer =>
    toOne(Array.from({ length: 150 }, (_, at) => `${at},${mark}\n`).join(''), TEXT_LINES);
  assert.equal(bench.judge(toLines(1), toLines(2), toLines(3)), 'body_is_noise');
});

test('where the control’s comparison was cut short, noise alone says nothing of a shadow', () => {
  const toLong = (ts: number, price = 5): Answer =>
    toOne(JSON.stringify({ price, items: Array.from({ length: 45_000 }, () => ({ ts })) }));
  const toTall = (mark: number, price = 5): Answer =>
    toOne(
      `${price}\n${Array.from({ length: 3000 }, (_, at) => (at % 3 ? 'same' : `${at},${mark}`)).join('\n')}`,
      TEXT_LINES,
    );
  for (const [toBody, counted] of [
    [toLong, 'body:price value'],
    [toTall, 'body text'],
  ] as const) {
    const bench = new Bench();
    assert.equal(bench.judge(toBody(1), toBody(2), toBody(3)), 'body_is_noise');
    assert.deepEqual(bench.judge(toBody(1), toBody(2), toBody(3, 6)), [counted]);
    assert.deepEqual(bench.judge(toBody(1), toBody(2), toBody(1)), []);
  }
});

test('a shadow’s body that there was no time for says nothing where the control’s differs', () => {
  const note = 'comparing the bodies took too long';
  const digest = { field: 'body', at: 'body', kind: 'digest', primary: null, shadow: null } as const;
  const late: AnswerDiff = { diffs: [digest], isCut: false, bodyMethod: 'digest', note, noise: [] };
  let isLate = false;
  const bench = new Bench((...given) => (isLate ? late : diffAnswers(...given)));
  const judge = (control: string): readonly string[] | string => {
    isLate = false;
    const noise = bench.control.onControl(toOne('{"a":1}'), toOne(control));
    isLate = true;
    const outcome = bench.comparer.compareShadow(toOne('{"a":1}'), toOne('{"a":2}'), noise);
    return typeof outcome === 'string' ? outcome : outcome.diffs.map(({ kind }) => kind);
  };
  assert.equal(judge('{"a":3}'), 'body_is_noise');
  assert.deepEqual(judge('{"a":1}'), ['digest']);
});

test('an array that the control has in another order is compared whatever its order is', () => {
  const toItems = (...items: unknown[]): Answer => toOne(JSON.stringify({ items, total: 2 }));
  const [a, b, c] = [1, 2, 3].map((id) => ({ id, price: id * 10 }));
  const bench = new Bench();
  const boom = { error: 'boom' };
  for (const control of [toItems(c, b, a), toItems(b, a, c), toItems(c, a, b), null]) {
    const judge = (shadow: Answer) => bench.judge(toItems(a, b, c), control, shadow);
    assert.deepEqual(judge(toItems(b, c, a)), []);
    assert.deepEqual(judge(toItems(c, { ...a, price: 11 }, b)), ['body:items[].price value']);
    assert.deepEqual(new Set(judge(toItems(boom, boom, boom))).size, 3);
    assert.deepEqual(judge(toItems(c, b)), ['body:items[] missing']);
    assert.deepEqual(judge(toItems(c, b, a, boom)), ['body:items[] extra']);
  }
  const moved = bench.comparer.compareShadow(toItems(a, b), toItems(b, a), null);
  assert.ok(typeof moved !== 'string');
  assert.deepEqual(moved.noise, ['body:items']);
  const still = bench.comparer.compareShadow(toItems(a, b), toItems(a, { ...b, price: 1 }), null);
  assert.ok(typeof still !== 'string');
  assert.deepEqual(still.noise, []);
});

test('an array of another order and another length each time is compared by what both have', () => {
  const toItems = (...ids: number[]): Answer => toOne(JSON.stringify({ items: ids.map((id) => ({ id })) }));
  const bench = new Bench();
  for (let time = 0; time < 3; time++) {
    bench.control.onControl(toItems(1, 2, 3), toItems(3, 1, 2));
    bench.control.onControl(toItems(1, 2, 3), toItems(1, 2));
  }
  assert.deepEqual(bench.judge(toItems(1, 2, 3), null, toItems(3, 1)), []);
  assert.deepEqual(bench.judge(toItems(1, 2, 3), null, toItems(4, 3, 2, 1)), []);
  assert.deepEqual(bench.judge(toItems(1, 2, 3), null, toItems(3, 9)), ['body:items[].id value']);
  assert.deepEqual(bench.judge(toItems(1, 2, 3), null, toItems()), [
    'body:items[] missing',
    'body:items[] missing',
    'body:items[] missing',
  ]);
});

test('a line that differs is excused where the control’s does, and a page that is nearly all of it is uncompared', () => {
  const toPage = (nonce: number, text = '<h1>price 5</h1>', mark = ''): Answer =>
    toOne(`<!doctype html>\n<html nonce=${nonce}>${text}${mark}</html>\n`, TEXT_LINES);
  const bench = new Bench();
  assert.deepEqual(bench.judge(toPage(0.12), toPage(0.17), toPage(7)), []);
  assert.deepEqual(bench.judge(toPage(0.12), toPage(0.17), toPage(7, 'Internal error')), ['body text']);
  const other = toOne('<!doctype html>\nInternal error\n', TEXT_LINES);
  assert.deepEqual(bench.judge(toPage(0.12), toPage(0.17), other), ['body text']);
  const long = '<p>five</p>'.repeat(30);
  const judge = (text: string) =>
    bench.judge(toPage(1, long, '<i>1'), toPage(2, long, '<i>2'), toPage(3, text, '<i>3'));
  assert.equal(judge(long), 'body_is_noise');
  assert.equal(judge('Internal error'), 'body_is_noise');
});

test('keys that are ids may have other names where the control’s have, as many of them', () => {
  const toMap = (id: string, edits: object = {}): Answer =>
    toOne(JSON.stringify({ map: { [id]: { a: 1 }, total: 5, ...edits } }));
  const bench = new Bench();
  assert.deepEqual(bench.judge(toMap('u1'), toMap('u2'), toMap('u3')), []);
  assert.deepEqual(bench.judge(toMap('u1'), toMap('u1'), toMap('u3')), [
    'body:map.u1 missing',
    'body:map.u3 extra',
  ]);
  assert.deepEqual(
    bench.judge(toMap('u1'), toMap('u2'), toMap('u3', { error: 1 })),
    ['body:map.error extra', 'body:map.u3 extra'].reverse(),
  );
  const swapped = bench.judge(toMap('u1'), toMap('u2'), toMap('u3', { total: undefined, error: 1 }));
  assert.deepEqual(swapped, ['body:map.total missing', 'body:map.u3 extra', 'body:map.error extra']);
  assert.deepEqual(bench.judge(toMap('u1'), toMap('u2'), toMap('u3', { total: 6 })), [
    'body:map.total value',
  ]);
});

test('a comparison that was cut short with nothing found is no match, and says so', () => {
  const cut: AnswerDiff = { diffs: [], isCut: true, bodyMethod: 'json', note: null, noise: ['body:t'] };
  const outcome = new Bench(() => cut).comparer.compareShadow(toOne('1'), toOne('2'), null);
  assert.ok(typeof outcome !== 'string');
  assert.deepEqual(outcome, {
    ...cut,
    diffs: [{ field: 'body', at: 'body:(others)', kind: 'value', primary: null, shadow: null }],
    note: 'there are more differences than are listed',
  });
});

test('lines of text are noise where the control’s differ, and nowhere else', () => {
  const html = (time: number, price: number | string): Answer =>
    toOne(`<p>${time}</p>\n<b>${price}</b>\n`, TEXT_LINES);
  const bench = new Bench();
  assert.deepEqual(bench.judge(html(1, 5), html(2, 5), html(3, 5)), []);
  assert.deepEqual(bench.judge(html(1, 5), html(2, 5), html(3, 'all is lost')), ['body text']);
  assert.deepEqual(bench.judge(html(1, 5), html(1, 5), html(3, 5)), ['body text']);
  assert.deepEqual(bench.judge(html(1, 5), null, html(3, 5)), ['body text']);
  const none = bench.judge(html(1, 5), html(2, 6), toOne('', TEXT_LINES));
  assert.deepEqual([...new Set(none)], ['body text'], 'an empty page is none of those that differ');
  const emptied = bench.judge(html(1, 5), toOne('', TEXT_LINES), html(3, 6));
  assert.deepEqual(emptied, ['body text', 'body text'], 'an empty control excuses nothing');
});

for (const [what, lines, toBody] of [
  ['an image', IMAGE_LINES, (id: number) => `png ${id}`],
  ['a page of one line', TEXT_LINES, (id: number) => `<p>${id}</p>`],
  [
    'a page of one line that is packed',
    `${TEXT_LINES}content-encoding: gzip\r\n`,
    (id: number) => gzipSync(`<p>${id}</p>\n`),
  ],
] as const) {
  test(`where ${what} is another one each time, its exchange is uncompared`, () => {
    const bench = new Bench();
    const one = (id: number, edits = '', status = 200): Answer => toOne(toBody(id), lines + edits, status);
    assert.equal(bench.judge(one(1), one(2), one(3)), 'body_is_noise');
    // An equal one too: what remains would be matches alone.
    assert.equal(bench.judge(one(1), one(2), one(1)), 'body_is_noise');
    assert.deepEqual(bench.judge(one(1), one(2), one(3, '', 500)), ['status value']);
    assert.deepEqual(bench.judge(one(1), one(2), one(3, 'x-a: 1\r\n')), ['header:x-a extra']);
    const empty = bench.judge(one(1), one(2), toOne('', lines));
    assert.ok(Array.isArray(empty) && empty.length === 1 && empty[0]!.startsWith('body '), `${empty}`);
    assert.deepEqual(bench.counts('compared', 'mismatched', 'body_mismatched'), [5, 5, 5]);
    assert.notEqual(bench.judge(one(1), one(1), one(3)), 'body_is_noise');
    assert.deepEqual(bench.judge(one(1), one(1), one(1)), []);
  });
}

test('a control with another status excuses nothing and teaches nothing, and counts as one that differs', () => {
  const bench = new Bench();
  const lines = `${JSON_LINES}retry-after: 1\r\n`;
  for (let time = 0; time < 5; time++) {
    const failed = toOne('{"ts":2,"error":1}', lines, 503);
    assert.deepEqual(bench.judge(toOne('{"ts":1}'), failed, toOne('{"ts":3,"error":2}', lines)), [
      'header:retry-after extra',
      'body:ts value',
      'body:error extra',
    ]);
  }
  assert.deepEqual(bench.counts('compared', 'mismatched', 'status_mismatched'), [5, 5, 5]);
  assert.deepEqual(bench.judge(toOne('{"ts":1}'), null, toOne('{"ts":3}')), ['body:ts value']);
});

test('a body that the thread had no room for leaves its exchange uncompared, unless more than the body differs', () => {
  const bench = new Bench();
  const kept = toOne('{"a":2}');
  const refused = toRefused('{"a":1}');
  assert.equal(bench.judge(kept, null, refused), 'not_captured');
  assert.equal(bench.judge(refused, null, kept), 'not_captured');
  assert.equal(bench.judge(refused, null, toOne('{"a":1}')), 'not_captured');
  assert.deepEqual(bench.judge(refused, null, toOne('{"a":2}', JSON_LINES, 500)), ['status value']);
  assert.deepEqual(bench.judge(refused, null, toOne('')), ['body digest']);
  assert.equal(bench.judge(kept, refused, toOne('{"a":3}')), 'not_captured');
  assert.deepEqual(bench.counts('compared', 'uncompared_not_captured'), [0, 1]);
  const tall = toOne(Buffer.alloc(2_000_000));
  const outcome = bench.comparer.compareShadow(tall, kept, null);
  assert.ok(typeof outcome !== 'string');
  assert.equal(outcome.note, "the primary's body is longer than max_body_capture");
  assert.notEqual(outcome.note, NO_ROOM);
  assert.deepEqual(bench.told, []);
});

test('a defect of the comparison ends nothing: bodies are compared by digest, and it is told once a second', () => {
  const bench = new Bench(() => {
    throw new TypeError('a bug at "s3cret"');
  });
  const same = bench.comparer.compareShadow(toOne('{"a":1}'), toOne('{"a":1}'), null);
  assert.deepEqual(same, { diffs: [], isCut: false, bodyMethod: 'digest', note: 'internal', noise: [] });
  const other = bench.comparer.compareShadow(toOne('{"a":1}'), toOne('{"a":22}'), null);
  assert.ok(typeof other !== 'string');
  assert.deepEqual(
    other.diffs.map(({ field, kind }) => [field, kind]),
    [['body', 'digest']],
  );
  assert.match(other.diffs[0]!.primary!, /^7 bytes, sha256 [0-9a-f]{64}$/);
  assert.match(other.diffs[0]!.shadow!, /^8 bytes, sha256 [0-9a-f]{64}$/);
  assert.equal(bench.told.length, 1);
  const [level, message, fields] = bench.told[0] as [string, string, Record<string, string>];
  assert.deepEqual([level, message, fields.route], ['error', 'comparison failed', 'api']);
  assert.match(fields.cause!, /^TypeError\n +at .*comparer/);
  assert.doesNotMatch(fields.cause!, /s3cret/);
  bench.control.onControl(toOne('{"a":1}'), toOne('{"a":22}'));
  assert.deepEqual(bench.counts('compared', 'mismatched', 'reduced'), [1, 1, 1]);
});
