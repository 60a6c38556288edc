// One exchange's comparison in every order of ends: each answer is counted once, and all captured memory is given back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShadowBook, ShadowCell } from '../../src/core/book.ts';
import { compileDiffRules } from '../../src/core/diff/diff-rules.ts';
import { SpanIds } from '../../src/core/trace-context.ts';
import { CaptureBudget, toAnswer } from '../../src/mirror/answer.ts';
import { ComparedShadow, RuleComparer } from '../../src/mirror/comparer.ts';
import { MirroredExchange } from '../../src/mirror/exchange.ts';
import { FindingsPoster } from '../../src/mirror/findings.ts';
import { type Job, PrimaryAnswer } from '../../src/mirror/job.ts';
import { type PrimaryReading, readPrimary } from '../../src/mirror/primary.ts';
import { DETAIL, toControl, toDetail, toMirror, toRoute, toShadow } from './rig.ts';

const BUDGET = 1_000_000;
const LINES = 'content-type: application/json\r\n';

class Rig {
  readonly budget = new CaptureBudget(BUDGET);
  readonly shadows: readonly ComparedShadow[];
  readonly books: readonly ShadowBook[];
  readonly #comparer: RuleComparer;

  /** The last one is the control, if there is one. */
  constructor(shadows: number, hasControl: boolean) {
    const all = Array.from({ length: shadows }, (_, index) => toShadow(`http://s:${index + 1}`));
    if (hasControl) all.push(toControl('http://c:1'));
    const compare = toDetail();
    const mirror = toMirror(all, { compare });
    const findings = new FindingsPoster('umbra-comparison-test');
    const host = { log: () => true, findings, onLogSuppressed: () => {} };
    const rules = compileDiffRules(DETAIL, []);
    this.#comparer = new RuleComparer(host, toRoute('api', mirror), mirror, compare, rules);
    this.books = all.map(() => new ShadowBook(ShadowBook.allocate(1), 1));
    this.shadows = all.map(
      ({ origin, role }, index) =>
        new ComparedShadow(this.#comparer, origin, role === 'control', this.books[index]!.cells, 0),
    );
  }

  open(hasControl: boolean): MirroredExchange {
    const { route, mirror } = this.#comparer;
    const rule = {
      ...{ route, mirror, comparer: this.#comparer, budget: this.budget, spanIds: new SpanIds() },
      ...{ releasedCells: new Float64Array(1), releasedAt: 0 },
    };
    return new MirroredExchange(rule, toJob(PrimaryAnswer.inline), this.shadows.length, hasControl);
  }

  setPrimary(exchange: MirroredExchange, answer: PrimaryAnswer): PrimaryReading {
    const primary = readPrimary(toJob(answer), null, this.#comparer.mirror, this.budget);
    exchange.comparison!.setPrimary(primary);
    return primary;
  }

  sum(shadow: number, cells: readonly (keyof typeof ShadowCell)[]): number {
    return cells.reduce((total, cell) => total + this.books[shadow]!.sum(ShadowCell[cell]), 0);
  }
}

const BODY = Buffer.from(`{"time":"p","rest":"${'x'.repeat(500)}"}`);
/** With neighbours, as in a batch. */
const BATCH = Buffer.concat([Buffer.alloc(5000), BODY]);

function toJob(answer: PrimaryAnswer): Job {
  const none = Buffer.alloc(0);
  return {
    ...{ rule: 1, shadows: 1, answer, status: 200, stream: 0, primaryLatencyMs: 1, tappedMs: 0, bytes: 100 },
    ...{
      headText: 'GET / HTTP/1.1\r\nhost: h\r\n\r\n',
      lines: LINES,
      body: none,
      answerBody: BATCH.subarray(5000),
    },
  };
}

test('in whatever order copies end, each answer is counted once and no captured byte is kept', () => {
  const ends = fc.array(fc.constantFrom('answered', 'failed', 'dropped', 'early drop'), {
    minLength: 1,
    maxLength: 4,
  });
  const scene = fc.record({
    ends,
    hasControl: fc.boolean(),
    order: fc.array(fc.nat(100), { minLength: 5, maxLength: 5 }),
    isComparable: fc.boolean(),
  });
  fc.assert(
    fc.property(scene, ({ ends: shadowEnds, hasControl, order, isComparable }) => {
      const shadows = hasControl ? shadowEnds.length - 1 : shadowEnds.length;
      const rig = new Rig(Math.max(1, shadows), hasControl && shadows > 0);
      const control = hasControl && shadows > 0;
      const exchange = rig.open(control);
      const comparison = exchange.comparison!;
      const endOf = (index: number): string => shadowEnds[index] ?? 'answered';
      const later = rig.shadows
        .map((_shadow, index) => index)
        .filter((index) => endOf(index) !== 'early drop');
      for (const [index, shadow] of rig.shadows.entries()) {
        if (endOf(index) === 'early drop') comparison.onDropped(shadow);
      }
      if (later.length > 0) {
        rig.setPrimary(exchange, isComparable ? PrimaryAnswer.inline : PrimaryAnswer.failed);
      }
      later.sort((first, second) => order[first]! - order[second]!);
      for (const index of later) {
        const shadow = rig.shadows[index]!;
        const answer = toAnswer(200, LINES, Buffer.from(`{"time":"${index}"}`), rig.budget, 1000);
        if (endOf(index) === 'answered') comparison.onAnswered(shadow, answer, 1);
        else answer.release(rig.budget);
        if (endOf(index) === 'failed') comparison.onFailed(shadow);
        if (endOf(index) === 'dropped') comparison.onDropped(shadow);
      }
      assert.equal(rig.budget.left, BUDGET);
      for (const index of rig.shadows.keys()) {
        const answered = endOf(index) === 'answered' ? 1 : 0;
        const sent = answered + (endOf(index) === 'failed' ? 1 : 0);
        assert.equal(rig.sum(index, ['compared']), isComparable ? answered : 0);
        assert.equal(rig.sum(index, ['uncompared_primary_failed']), isComparable ? 0 : answered);
        assert.equal(rig.sum(index, ['primary_errors']), isComparable ? 0 : sent);
        assert.equal(rig.sum(index, ['awaiting_control']), 0);
      }
    }),
    { numRuns: 500 },
  );
});

test('an exchange that is skipped after its primary was read gives the captured bytes back', () => {
  const rig = new Rig(2, true);
  const exchange = rig.open(true);
  rig.setPrimary(exchange, PrimaryAnswer.inline);
  assert.equal(rig.budget.left, BUDGET - BODY.length);
  exchange.skip();
  assert.equal(rig.budget.left, BUDGET);
});

for (const waits of ['before', 'after', 'never'] as const) {
  test(`a primary’s answer is kept until the last copy has ended; copies wait for room ${waits} it is read`, () => {
    const rig = new Rig(2, true);
    const exchange = rig.open(true);
    const [first, second, control] = rig.shadows;
    if (waits === 'before') exchange.keep();
    const { answer: kept } = rig.setPrimary(exchange, PrimaryAnswer.inline);
    if (waits === 'after') exchange.keep();
    assert.equal(kept!.body!.buffer.byteLength === BODY.length, waits !== 'never');
    const answer = (): ReturnType<typeof toAnswer> => toAnswer(200, LINES, BODY, rig.budget, 1000);
    exchange.comparison!.onAnswered(control!, answer(), 1);
    exchange.comparison!.onAnswered(first!, answer(), 1);
    assert.equal(rig.budget.left, BUDGET - BODY.length);
    exchange.comparison!.onAnswered(second!, answer(), 1);
    assert.equal(rig.budget.left, BUDGET);
    assert.deepEqual(
      [0, 1, 2].map((index) => rig.sum(index, ['compared'])),
      [1, 1, 1],
    );
  });
}
