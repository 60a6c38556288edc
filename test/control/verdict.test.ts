// The verdict over real books and a real findings store: what is counted, from when on, and what it comes to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FindingsStore } from '../../src/control/findings/findings-store.ts';
import { createLedger, type Ledger } from '../../src/control/ledger.ts';
import { readVerdict, VerdictProblem } from '../../src/control/verdict/path.ts';
import { type Check, type CheckName, toExcess, toResult } from '../../src/control/verdict/rules.ts';
import { toPercentText } from '../../src/control/verdict/text.ts';
import type { Verdict } from '../../src/control/verdict/verdict.ts';
import { BreakerState, RouteWord, ShadowCell, ShadowWord } from '../../src/core/book.ts';
import type { FindingsReport } from '../../src/core/findings.ts';
import type { Compare, Mirror, Route, Thresholds } from '../../src/core/model.ts';
import { toShareLower, toShareUpper } from '../../src/core/statistics.ts';
import { sampleReport } from './findings-sample.ts';
import { CONTROL, OTHER_SHADOW, SHADOW, sampleRoute } from './sample.ts';

const DIGEST_NOTE = 'headers are not compared, and bodies by their digest alone, without detailed_diff';
const DETAIL = {
  ignoreHeaders: [],
  ignoreJsonFields: [],
  unordered: [],
  tolerances: [],
  maxBodyCaptureBytes: 1024,
};
const BEGIN_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

type Cell = keyof typeof ShadowCell;
type Counts = Partial<Record<Cell, number>>;

interface Opening {
  readonly shadows?: readonly string[];
  readonly control?: string;
  readonly thresholds?: Partial<Thresholds>;
  readonly mirror?: Partial<Mirror>;
  readonly compare?: Partial<Compare> | null;
}

function toRoute(
  { shadows = [SHADOW], control, thresholds, mirror, compare = {} }: Opening,
  revision = '1',
): Route {
  const route = sampleRoute({ id: 'api', shadows, control: control ?? null, revision });
  const sample = route.mirror!;
  const changed: Compare | null =
    compare === null
      ? null
      : { ...sample.compare!, ...compare, thresholds: { ...sample.compare!.thresholds, ...thresholds } };
  return { ...route, mirror: { ...sample, ...mirror, compare: changed } };
}

class Scene {
  readonly ledger: Ledger = createLedger({ frontends: 2, lanes: 1 });
  readonly findings: FindingsStore;
  #nowMs = BEGIN_MS;
  #revision = '1';

  constructor(opening: Opening = {}) {
    this.ledger.enter([toRoute(opening), sampleRoute({ id: 'plain', shadows: null })]);
    this.findings = new FindingsStore({ ledger: this.ledger, now: () => this.#nowMs });
  }

  enter(route: Route, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#revision = route.revision;
    this.ledger.enter([route]);
    this.findings.follow();
  }

  reset(nowMs: number): void {
    this.#nowMs = nowMs;
    this.findings.resetVerdict('api');
  }

  book(origin = SHADOW) {
    return this.ledger.row('api')!.shadows.find((shadow) => shadow.origin === origin)!.book;
  }

  add(counts: Counts, origin = SHADOW, writer = 1): void {
    const book = this.book(origin);
    for (const [cell, count] of Object.entries(counts) as [Cell, number][]) {
      const index = book.row(writer) + ShadowCell[cell];
      book.cells[index] = book.cells[index]! + count;
    }
  }

  /** So many copies that were answered and compared, as books and reports tell of it. */
  addCompared(compared: number, mismatched = 0, origin = SHADOW): void {
    const sent = { matched: compared, sent: compared, answered: compared, compared, mismatched };
    this.add(sent, origin);
    this.tell(compared, mismatched, { shadow: origin });
  }

  /** What a thread reports of comparisons. */
  tell(compared: number, mismatched: number, more: Partial<FindingsReport> = {}): void {
    const group = { fields: ['status'], firstMs: 0, lastMs: 0 };
    const groups = mismatched === 0 ? [] : [{ ...group, count: mismatched }];
    this.findings.accept(sampleReport({ revision: this.#revision, compared, groups, ...more }));
  }

  report(
    latencies: readonly number[],
    fields: readonly (readonly [field: string, differed: number, counted: number, control?: number])[] = [],
    { compared = 0, controlled = 0, noisy = 0, origin = SHADOW } = {},
  ): void {
    this.findings.accept(
      sampleReport({
        revision: this.#revision,
        shadow: origin,
        compared,
        controlled,
        noisy,
        fields: fields.map(([field, differed, counted, controlDiffered = 0]) => ({
          field,
          differed,
          counted,
          controlDiffered,
          fresh: 0,
        })),
        latencies: Float32Array.from(latencies),
      }),
    );
  }

  read(query = '', id = 'api'): Verdict {
    return readVerdict(this, id, new URLSearchParams(query));
  }
}

function toCheck(verdict: Pick<Verdict, 'checks'>, name: CheckName): Check {
  return verdict.checks.find((check) => check.name === name)!;
}

function toResults({ checks }: Pick<Verdict, 'checks'>): Record<string, string> {
  return Object.fromEntries(checks.map(({ name, result }) => [name, result]));
}

test('10,000 comparisons without a mismatch pass: at most 0.03 %', () => {
  const scene = new Scene();
  scene.addCompared(10_000);
  const verdict = scene.read();
  assert.equal(verdict.result, 'pass');
  assert.deepEqual(toResults(verdict), {
    compared: 'pass',
    mismatch: 'pass',
    error: 'pass',
    p99_ratio: 'not_judged',
    sample: 'pass',
    noise: 'not_judged',
  });
  assert.equal(
    toCheck(verdict, 'sample').text,
    '0 of 10,000 copies found no room or were lost, the primary failed in 0 of 10,000',
  );
  assert.equal(verdict.route, 'api');
  assert.equal(verdict.revision, '1');
  assert.equal(verdict.since, '2026-01-02T03:04:05.000Z');
  assert.equal(verdict.compared, 10_000);
  assert.equal(verdict.mismatch_share, 0);
  assert.equal(verdict.mismatch_upper, 0.000299528);
  assert.equal(verdict.mismatch_lower, 0);
  assert.equal(toCheck(verdict, 'mismatch').text, '0 of 10,000 differ (at most 0.03 %); 1 % is allowed');
  assert.deepEqual(verdict.errors, {
    shadow: { share: 0, count: 0, of: 10_000 },
    primary: { share: 0, count: 0, of: 10_000 },
    excess: 0,
    excess_upper: 0.000299528,
    excess_lower: -0.000299528,
  });
  assert.deepEqual(verdict.warnings, [DIGEST_NOTE]);
});

test('nothing at all is too little data, with every field there', () => {
  const verdict = new Scene().read();
  assert.equal(verdict.result, 'insufficient');
  assert.equal(verdict.mismatch_share, null);
  assert.equal(verdict.mismatch_upper, 1);
  assert.equal(verdict.mismatch_lower, 0);
  assert.equal(verdict.errors.excess, null);
  assert.deepEqual(verdict.latency_ms, {
    pairs: 0,
    primary: { p50: null, p95: null, p99: null },
    shadow: { p50: null, p95: null, p99: null },
    difference: { median: null, low: null, high: null, p99: null },
    p99_ratio: null,
  });
  assert.deepEqual(verdict.warnings, ['no request has come since the verdict began', DIGEST_NOTE]);
  assert.equal(JSON.stringify(verdict).includes('null'), true);
});

test('one comparison fewer than asked for is too little, and exactly so many are enough', () => {
  const scene = new Scene({ thresholds: { minCompared: 1000 } });
  scene.addCompared(999);
  assert.equal(scene.read().result, 'insufficient');
  assert.equal(toCheck(scene.read(), 'compared').text, '999 compared, at least 1,000 are needed');
  scene.addCompared(1);
  assert.equal(scene.read().result, 'pass');
});

test('a share of mismatches passes by its upper bound, fails by its lower one, and is open between', () => {
  for (const [mismatched, result] of [
    [0, 'pass'],
    [4, 'pass'],
    // 5 of 1,000: at most 1.05 %.
    [5, 'insufficient'],
    [15, 'insufficient'],
    // 16 of 1,000: more than 1.004 %.
    [16, 'fail'],
    [1000, 'fail'],
  ] as const) {
    const scene = new Scene();
    scene.addCompared(1000, mismatched);
    const verdict = scene.read();
    assert.equal(verdict.result, result, `${mismatched}: ${toCheck(verdict, 'mismatch').text}`);
    const { bound, threshold } = toCheck(verdict, 'mismatch');
    assert.equal(threshold, 0.01);
    assert.equal(bound, result === 'fail' ? verdict.mismatch_lower : verdict.mismatch_upper);
  }
});

test('a failure that is certain does not wait for the number of comparisons that a pass needs', () => {
  for (const [compared, mismatched, result] of [
    // One unlucky comparison decides nothing.
    [1, 1, 'insufficient'],
    [100, 1, 'insufficient'],
    [3, 2, 'insufficient'],
    [30, 2, 'insufficient'],
    // Certain enough, and yet but two.
    [2, 2, 'insufficient'],
    [4, 3, 'fail'],
    [30, 15, 'fail'],
    [999, 300, 'fail'],
  ] as const) {
    const scene = new Scene();
    scene.addCompared(compared, mismatched);
    assert.equal(scene.read().result, result, `${mismatched} of ${compared}`);
  }
});

test('without data nothing passes, whatever is allowed', () => {
  const scene = new Scene({ thresholds: { maxMismatch: 1, maxError: 1 } });
  assert.deepEqual(toResults(scene.read()), {
    compared: 'insufficient',
    mismatch: 'insufficient',
    error: 'insufficient',
    p99_ratio: 'not_judged',
    sample: 'insufficient',
    noise: 'not_judged',
  });
  assert.equal(toCheck(scene.read(), 'sample').text, 'no copy was due');
});

test('of several results the worst counts, and no result is no pass', () => {
  assert.equal(toResult(['pass', 'not_judged']), 'pass');
  assert.equal(toResult(['pass', 'insufficient']), 'insufficient');
  assert.equal(toResult(['pass', 'insufficient', 'fail']), 'fail');
  assert.equal(toResult([]), 'insufficient');
});

test('a threshold of zero means none among those that were compared', () => {
  const scene = new Scene({ thresholds: { maxMismatch: 0, maxError: 0, minCompared: 100 } });
  scene.addCompared(99);
  assert.equal(scene.read().result, 'insufficient');
  scene.addCompared(1);
  assert.equal(scene.read().result, 'pass');
  scene.addCompared(1, 1);
  assert.equal(scene.read().result, 'fail');
  const early = new Scene({ thresholds: { maxMismatch: 0 } });
  early.addCompared(2, 1);
  assert.equal(early.read().result, 'fail');
});

test('a threshold of zero for errors fails with the first one beyond those of the primary', () => {
  for (const [shadow, primary, result] of [
    [0, 0, 'pass'],
    [3, 3, 'pass'],
    [2, 3, 'pass'],
    [1, 0, 'fail'],
    [4, 3, 'fail'],
  ] as const) {
    const scene = new Scene({ thresholds: { maxError: 0, minCompared: 100 } });
    scene.addCompared(99);
    scene.add({ answered_5xx: shadow, primary_errors: primary });
    const isFailure = result === 'fail';
    assert.equal(toCheck(scene.read(), 'error').result, isFailure ? 'fail' : 'insufficient');
    scene.addCompared(1);
    const check = toCheck(scene.read(), 'error');
    assert.equal(check.result, result, check.text);
    if (isFailure) assert.equal(check.bound, null);
    if (isFailure) assert.match(check.text, /^errors in \d of 100, of the primary in \d; 0 % more than/);
  }
});

test('errors of the shadow count beyond those of the primary for the same copies', () => {
  for (const [shadow, primary, result] of [
    [0, 0, 'pass'],
    [50, 50, 'pass'],
    [0, 500, 'pass'],
    [80, 0, 'pass'],
    [110, 0, 'insufficient'],
    [200, 0, 'fail'],
    [700, 500, 'fail'],
    [600, 500, 'insufficient'],
  ] as const) {
    const scene = new Scene();
    scene.addCompared(10_000);
    scene.add({ answered_5xx: shadow, primary_errors: primary });
    const verdict = scene.read();
    assert.equal(toCheck(verdict, 'error').result, result, toCheck(verdict, 'error').text);
    assert.equal(verdict.result, result);
    assert.equal(verdict.errors.excess, Number(((shadow - primary) / 10_000).toPrecision(6)));
  }
});

test('copies without an answer are errors, but for those that umbra lost itself', () => {
  const scene = new Scene();
  scene.add({ matched: 1500, sent: 1500, answered: 1400, compared: 1400, answered_5xx: 7 });
  scene.add({ fail_refused: 1, fail_connect_timeout: 2, fail_reset: 3, fail_malformed: 4 });
  scene.add({ fail_send_timeout: 5, fail_read_timeout: 6, fail_answer_too_large: 7 });
  scene.add({ fail_worker_lost: 40, fail_shutdown: 32, primary_errors: 3 });
  const { errors, failed } = scene.read();
  assert.deepEqual(errors.shadow, { share: Number((35 / 1428).toPrecision(6)), count: 35, of: 1428 });
  assert.deepEqual(errors.primary, { share: Number((3 / 1428).toPrecision(6)), count: 3, of: 1428 });
  assert.equal(failed.worker_lost, 40);
});

test('a shadow that answers nothing fails after a few copies, before the breaker lets no more through', () => {
  const scene = new Scene();
  scene.add({ matched: 3, sent: 3, fail_refused: 3 });
  assert.equal(scene.read().result, 'insufficient');
  scene.add({ matched: 5000, sent: 3, fail_refused: 3, drop_breaker_open: 4997 });
  scene.book().words[ShadowWord.breaker_state] = BreakerState.open;
  const verdict = scene.read();
  assert.equal(verdict.result, 'fail');
  assert.deepEqual(toResults(verdict), {
    compared: 'insufficient',
    mismatch: 'insufficient',
    error: 'fail',
    p99_ratio: 'not_judged',
    sample: 'insufficient',
    noise: 'not_judged',
  });
  assert.equal(verdict.dropped.breaker_open, 4997);
  assert.match(toCheck(verdict, 'sample').text, /^the breaker is open: /);
  assert.match(
    verdict.warnings.join('\n'),
    /4,997 of 5,003 \(99\.9 %\) copies that were due were dropped: breaker_open/,
  );
});

test('bounds of the excess are as wide as those of both sides, squared and added', () => {
  const excess = toExcess({ count: 0, of: 1000 }, { count: 0, of: 1000 });
  assert.equal(excess.upper, toShareUpper(0, 1000));
  assert.equal(excess.lower, -toShareUpper(0, 1000));
  const { share, upper, lower } = toExcess({ count: 20, of: 1000 }, { count: 10, of: 1000 });
  assert.ok(Math.abs(share! - 0.01) < 1e-12);
  const [ours, theirs] = [toShareUpper(20, 1000), toShareLower(10, 1000)];
  assert.ok(Math.abs(upper - 0.01 - Math.hypot(ours - 0.02, 0.01 - theirs)) < 1e-12);
  const [least, most] = [toShareLower(20, 1000), toShareUpper(10, 1000)];
  assert.ok(Math.abs(0.01 - lower - Math.hypot(0.02 - least, most - 0.01)) < 1e-12);
});

test('latencies are told of both sides, and the difference of each pair with its interval', () => {
  const scene = new Scene();
  scene.addCompared(2000);
  const pairs = Array.from({ length: 1000 }, (_, index) => {
    const primary = 1 + ((index * 617) % 1000) / 100;
    return [primary, primary + 2 + (((index * 331) % 1000) - 500) / 1000];
  });
  scene.report(pairs.flat());
  const { latency_ms } = scene.read();
  assert.equal(latency_ms.pairs, 1000);
  assert.deepEqual(latency_ms.primary, { p50: 5.99, p95: 10.49, p99: 10.89 });
  const { median, low, high, p99 } = latency_ms.difference;
  assert.equal(median, 1.999);
  assert.ok(low! >= 1.96 && low! < median! && median! < high! && high! <= 2.04, `${low} to ${high}`);
  assert.equal(p99, 2.489);
  assert.ok(Math.abs(latency_ms.p99_ratio! - latency_ms.shadow.p99! / 10.89) < 1e-5);
  assert.deepEqual(scene.read().latency_ms, latency_ms);
});

test('the ratio of p99 is judged when it is asked for, from a hundred pairs on', () => {
  const scene = new Scene({ thresholds: { maxP99Ratio: 1.5 } });
  scene.addCompared(2000);
  scene.report(Array.from({ length: 99 }, () => [10, 14.9]).flat());
  assert.equal(toCheck(scene.read(), 'p99_ratio').result, 'insufficient');
  assert.equal(scene.read().result, 'insufficient');
  scene.report([10, 14.9]);
  assert.equal(toCheck(scene.read(), 'p99_ratio').value, 1.49);
  assert.equal(scene.read().result, 'pass');
  scene.report([10, 15.1, 10, 15.1]);
  assert.equal(scene.read().result, 'fail');
  assert.equal(scene.read('max_p99_ratio=1.6').result, 'pass');
});

test('the verdict counts from the revision on, and anew when it is told to', () => {
  const scene = new Scene();
  scene.addCompared(5000, 500);
  scene.report([1, 2]);
  assert.equal(scene.read().result, 'fail');
  scene.reset(BEGIN_MS + 1000);
  assert.equal(scene.read().result, 'insufficient');
  assert.equal(scene.read().since, '2026-01-02T03:04:06.000Z');
  assert.equal(scene.read().latency_ms.pairs, 0);
  scene.addCompared(2000, 1);
  assert.deepEqual([scene.read().compared, scene.read().mismatched, scene.read().result], [2000, 1, 'pass']);
  scene.enter(toRoute({}, '2'), BEGIN_MS + 2000);
  const verdict = scene.read();
  assert.deepEqual([verdict.revision, verdict.since], ['2', '2026-01-02T03:04:07.000Z']);
  assert.deepEqual([verdict.compared, verdict.matched, verdict.result], [0, 0, 'insufficient']);
});

test('a route passes when each of its shadows does, and the worst one says why not', () => {
  const scene = new Scene({ shadows: [SHADOW, OTHER_SHADOW] });
  scene.addCompared(100_000);
  scene.addCompared(1000, 100, OTHER_SHADOW);
  scene.report([1, 2, 3, 4]);
  scene.report([5, 6], [], { origin: OTHER_SHADOW });
  const verdict = scene.read();
  assert.equal(verdict.result, 'fail');
  assert.equal(verdict.shadows[SHADOW]!.result, 'pass');
  assert.equal(verdict.shadows[OTHER_SHADOW]!.result, 'fail');
  assert.deepEqual([verdict.compared, verdict.mismatched], [101_000, 100]);
  assert.equal(toCheck(verdict, 'mismatch').result, 'fail');
  assert.match(toCheck(verdict, 'mismatch').text, /^http:\/\/other:9000: 100 of 1,000 differ/);
  assert.equal(verdict.latency_ms.pairs, 3);
  assert.equal(verdict.shadows[OTHER_SHADOW]!.latency_ms.pairs, 1);

  const open = new Scene({ shadows: [SHADOW, OTHER_SHADOW] });
  open.addCompared(100_000);
  assert.equal(open.read().result, 'insufficient');
});

test('the control is no shadow: it is neither judged nor counted, and its silence is told', () => {
  const scene = new Scene({ control: CONTROL });
  // Not all of it is told yet: what is told of noise is told of the same comparisons.
  scene.add({ matched: 2040, sent: 2040, answered: 2040, compared: 2040, noisy: 1240 });
  scene.add({ matched: 2000, sent: 2000, fail_refused: 2000 }, CONTROL);
  scene.report(
    [],
    [
      ['body:id', 900, 0, 5],
      ['header:x-trace', 1200, 1, 6],
      ['body:price', 3, 3],
    ],
    { compared: 2000, controlled: 10, noisy: 1200 },
  );
  const verdict = scene.read();
  assert.equal(verdict.result, 'pass');
  assert.deepEqual(Object.keys(verdict.shadows), [SHADOW]);
  assert.equal(verdict.matched, 2040);
  assert.deepEqual(verdict.noise, { comparisons: 1200, fields: ['header:x-trace', 'body:id'] });
  assert.match(verdict.warnings.join('\n'), /control took part in 10 of 2,000 \(0\.5 %\) comparisons only/);
  scene.report([], [], { compared: 2000, controlled: 2000 });
  assert.doesNotMatch(scene.read().warnings.join('\n'), /control/);
});

test('a shadow that is down most of the time is not spared by its breaker', () => {
  const scene = new Scene();
  scene.addCompared(4000);
  scene.add({ matched: 12_000, sent: 9, fail_refused: 9, drop_breaker_open: 11_991 });
  const verdict = scene.read();
  assert.equal(verdict.result, 'fail');
  assert.deepEqual(toResults(verdict), {
    compared: 'pass',
    mismatch: 'pass',
    error: 'fail',
    p99_ratio: 'not_judged',
    sample: 'pass',
    noise: 'not_judged',
  });
  assert.deepEqual(verdict.errors.shadow, { share: 0.75, count: 12_000, of: 16_000 });
  assert.deepEqual(verdict.errors.primary, { share: 0, count: 0, of: 4009 });
  assert.match(
    toCheck(verdict, 'error').text,
    /^errors in 12,000 of 16,000, 11,991 of them not sent as the breaker was open, of the primary in 0 of 4,009 \(more than 74/,
  );
});

test('what keeps the sample from standing for the traffic keeps the verdict from a pass, and never from a failure', () => {
  type State = (scene: Scene) => void;
  const breaker = (state: number): State => {
    return (scene) => {
      scene.book().words[ShadowWord.breaker_state] = state;
    };
  };
  const drop = (reason: Cell, count: number): State => {
    return (scene) => scene.add({ matched: count, [reason]: count });
  };
  const cases: readonly (readonly [
    what: string,
    opening: Opening,
    state: State | null,
    text: RegExp | null,
  ])[] = [
    ['nothing', {}, null, null],
    ['open', {}, breaker(BreakerState.open), /^the breaker is open/],
    ['half open', {}, breaker(BreakerState.half_open), /^the breaker is half open/],
    ['off', { mirror: { enabled: false } }, null, /^the mirror is switched off$/],
    ['0 %', { mirror: { percentage: 0 } }, null, /^0 % of the requests are mirrored$/],
    ['1 %', { mirror: { percentage: 1 } }, null, null],
    [
      'paused',
      {},
      (scene) => void Atomics.store(scene.ledger.row('api')!.book.words, RouteWord.paused, 1),
      /^the mirror is paused$/,
    ],
    ['5 %', {}, drop('drop_queue_full', 526), null],
    ['more', {}, drop('drop_queue_full', 527), /^527 of 10,527 \(5 %\) copies that were due found no room/],
    ['overload', {}, drop('drop_overload', 1000), /^1,000 of 11,000 \(9\.1 %\) copies/],
    ['lost', {}, drop('drop_worker_lost', 1000), /^1,000 of 11,000/],
    ['skipped', {}, drop('skip_limit', 100_000), null],
    ['ended', {}, drop('drop_shutdown', 1000), null],
    ['primary', {}, (scene) => scene.add({ primary_errors: 500 }), null],
    [
      'worse primary',
      {},
      (scene) => scene.add({ primary_errors: 501 }),
      /^the primary itself failed in 501 of 10,000 \(5 %\), which tries nothing: at most 5 % may be$/,
    ],
    [
      'both fail',
      {},
      (scene) => scene.add({ primary_errors: 10_000, answered_5xx: 10_000 }),
      /^the primary itself failed in 10,000 of 10,000 \(100 %\)/,
    ],
  ];
  for (const [what, opening, state, text] of cases) {
    const scene = new Scene(opening);
    scene.addCompared(10_000);
    state?.(scene);
    const verdict = scene.read();
    assert.equal(verdict.result, text === null ? 'pass' : 'insufficient', what);
    assert.equal(toCheck(verdict, 'sample').result, verdict.result, what);
    if (text !== null) assert.match(toCheck(verdict, 'sample').text, text);
    scene.addCompared(1000, 1000);
    assert.equal(scene.read().result, 'fail', what);
  }
});

test('what was compared by an older rule does not count, and errors of its copies are told', () => {
  const scene = new Scene();
  scene.addCompared(5000, 500);
  scene.add({ matched: 300, sent: 300 });
  scene.enter(toRoute({}, '2'), BEGIN_MS + 2000);
  // They come in late: of 200 the report was on its way, and of 300 the copies.
  scene.tell(200, 100, { revision: '1' });
  scene.add({ answered: 290, compared: 290, mismatched: 290, fail_reset: 10, answered_5xx: 40 });
  scene.tell(290, 290, { revision: '1' });
  const late = scene.read();
  assert.deepEqual([late.compared, late.mismatched, late.errors.shadow.count], [0, 0, 50]);
  assert.deepEqual(late.warnings.slice(0, 2), [
    'no request has come since the verdict began',
    '300 copies or more were decided on before the verdict began: they count among the errors',
  ]);
  scene.addCompared(10_000, 3);
  const verdict = scene.read();
  assert.deepEqual([verdict.compared, verdict.mismatched, verdict.result], [10_000, 3, 'pass']);
  assert.equal(verdict.warnings.filter((warning) => warning.includes('do not count yet')).length, 0);
});

test('reports that began before the verdict was asked for anew do not count', () => {
  const scene = new Scene();
  scene.addCompared(5000, 500);
  // The reports of these are on their way.
  scene.add({ matched: 80, sent: 80, answered: 80, compared: 80, mismatched: 80 });
  scene.reset(BEGIN_MS + 1000);
  scene.tell(80, 80, { sinceMs: BEGIN_MS + 1000, latencies: Float32Array.of(1, 2) });
  assert.deepEqual([scene.read().compared, scene.read().latency_ms.pairs], [0, 0]);
  scene.add({ matched: 2000, sent: 2000, answered: 2000, compared: 2000, mismatched: 1 });
  scene.tell(2000, 1, { sinceMs: BEGIN_MS + 1001, latencies: Float32Array.of(1, 2) });
  const verdict = scene.read();
  assert.deepEqual([verdict.compared, verdict.mismatched, verdict.latency_ms.pairs], [2000, 1, 1]);
  assert.equal(verdict.result, 'pass');
});

test('comparisons whose reports are lost are told, and too many of them keep the verdict from a pass', () => {
  const scene = new Scene({ compare: { detail: DETAIL } });
  scene.addCompared(1900);
  scene.add({ matched: 100, sent: 100, answered: 100, compared: 100 });
  assert.deepEqual([scene.read().warnings, scene.read().result], [[], 'pass']);
  scene.add({ matched: 10, sent: 10, answered: 10, compared: 10 });
  const text = '110 of 2,010 (5.5 %) comparisons do not count yet, or their reports are lost';
  assert.deepEqual([scene.read().warnings, scene.read().result], [[text], 'insufficient']);
  assert.equal(toCheck(scene.read(), 'sample').text, `${text}: at most 5 % may be`);
});

test('what may bias the sample is told', () => {
  const scene = new Scene({
    mirror: {
      enabled: false,
      percentage: 12.5,
      methods: 'safe',
      conditions: { methods: ['GET'], headers: [], vars: null, pathRegex: null },
    },
  });
  Atomics.store(scene.ledger.row('api')!.book.words, RouteWord.paused, 1);
  scene.add({ matched: 1000, skip_sampled_out: 500, skip_limit: 51, skip_body_too_large: 50 });
  scene.add({ drop_queue_full: 10, drop_overload: 20, sent: 369, answered: 340, fail_reset: 29 });
  scene.add({ compared: 300, mismatched: 1, uncompared_not_captured: 40 });
  scene.tell(300, 1);
  const text = scene.read().warnings.join('\n');
  assert.equal(
    toCheck(scene.read(), 'sample').text,
    'the mirror is switched off; the mirror is paused; 30 of 399 (7.5 %) copies that were due found no room or were lost: at most 5 % may be; 40 of 340 (11.8 %) answers had nothing to be compared with: at most 5 % may be',
  );
  for (const expected of [
    /^12\.5 % of the requests are mirrored$/m,
    /methods: safe/,
    /outside of the conditions/,
    /51 of 1,000 \(5\.1 %\) requests were skipped: limit/,
    /30 of 399 \(7\.5 %\) copies that were due were dropped: queue_full, overload/,
    /40 of 340 \(11\.8 %\) answers had nothing to be compared with: not_captured$/m,
    /29 of 369 \(7\.9 %\) copies got no answer/,
    /digest alone, without detailed_diff/,
  ]) {
    assert.match(text, expected);
  }
  // 5 % are not more than 5 %.
  assert.doesNotMatch(text, /body_too_large/);
});

test('copies that do not end, as of a shadow that hangs, keep the verdict from a pass and never fail it', () => {
  for (const [open, thresholds, error, mismatch] of [
    // Of so much traffic there are always some on their way.
    [20, {}, 'pass', 'pass'],
    [21, {}, 'insufficient', 'insufficient'],
    [105, {}, 'insufficient', 'insufficient'],
    [105, { maxError: 0.05 }, 'pass', 'insufficient'],
    [105, { maxMismatch: 0.05 }, 'insufficient', 'pass'],
    [2, { maxError: 0, maxMismatch: 0 }, 'pass', 'pass'],
    [3, { maxError: 0, maxMismatch: 0 }, 'insufficient', 'insufficient'],
  ] as const) {
    const scene = new Scene({ thresholds });
    scene.addCompared(2000);
    scene.add({ matched: open, sent: open });
    const verdict = scene.read();
    const results = [toCheck(verdict, 'error').result, toCheck(verdict, 'mismatch').result];
    assert.deepEqual(results, [error, mismatch], `${open} ${JSON.stringify(thresholds)}`);
    // The last ones end, and well.
    scene.add({ answered: open, compared: open });
    scene.tell(open, 0);
    assert.equal(scene.read().result, 'pass');
  }
  const scene = new Scene();
  scene.addCompared(1093);
  // Wherever they wait: for the primary's end, for room, or for the shadow.
  scene.add({ matched: 58, received: 40, sent: 20 });
  assert.equal(
    toCheck(scene.read(), 'error').text,
    "errors in 0 of 1,093, of the primary in 0 (at most 0.28 %); 1 % more than the primary's is allowed, and 58 of 1,151 (5 %) copies have not ended: with them it could be more than 1 %",
  );
});

test('copies that hung already when the verdict was asked for anew are open still', () => {
  const scene = new Scene();
  scene.add({ matched: 58, sent: 58 });
  scene.reset(BEGIN_MS + 1000);
  scene.addCompared(1093);
  assert.equal(toCheck(scene.read(), 'error').result, 'insufficient');
  scene.add({ answered: 58, compared: 58 });
  scene.tell(58, 0);
  assert.equal(scene.read().result, 'pass');
});

test('answers that wait for the control are open for the comparison alone', () => {
  const scene = new Scene({ control: CONTROL });
  scene.addCompared(2000);
  scene.add({ matched: 30, sent: 30, answered: 30, awaiting_control: 30 });
  assert.deepEqual(
    [toCheck(scene.read(), 'error').result, toCheck(scene.read(), 'mismatch').result],
    ['pass', 'insufficient'],
  );
});

test('answers that had nothing to be compared with keep the verdict from a pass when they are many', () => {
  const scene = new Scene();
  scene.addCompared(1900);
  scene.add({ matched: 100, sent: 100, answered: 100, uncompared_not_captured: 100 });
  assert.equal(scene.read().result, 'pass');
  scene.add({ matched: 10, sent: 10, answered: 10, uncompared_body_is_noise: 10 });
  assert.equal(scene.read().result, 'insufficient');
  assert.equal(
    toCheck(scene.read(), 'sample').text,
    '110 of 2,010 (5.5 %) answers had nothing to be compared with: at most 5 % may be',
  );
});

test('a field that is noise must differ from the control about as often as from the shadow', () => {
  type Row = readonly [field: string, differed: number, counted: number, control?: number];
  for (const [what, fields, controlled, result] of [
    ['nothing', [], 2000, 'pass'],
    ['as often', [['body:total', 240, 0, 230]], 2000, 'pass'],
    ['always, by the control at times', [['body:total', 2000, 0, 200]], 2000, 'fail'],
    ['the same with fewer answers of the control', [['body:total', 2000, 0, 20]], 200, 'fail'],
    ['clocks of a millisecond', [['body:at', 2000, 0, 1920]], 2000, 'pass'],
    ['the same on some paths', [['body:at', 600, 0, 550]], 2000, 'pass'],
    ['half', [['body:id', 2000, 0, 1000]], 2000, 'pass'],
    ['less than half', [['body:id', 2000, 0, 900]], 2000, 'fail'],
    // 14 % and 10 %, which is not sure of a difference of 1 % where this is one of two fields.
    [
      'undecided',
      [
        ['body:a', 280, 0, 200],
        ['body:b', 9, 0, 9],
      ],
      2000,
      'insufficient',
    ],
    // What counts is no noise: the mismatches tell.
    ['counted', [['body:total', 2000, 1990, 10]], 2000, 'pass'],
    ['no control', [['body:total', 2000, 0, 0]], 0, 'insufficient'],
    [
      'shifted',
      [
        ['body:items[].id', 500, 0, 0],
        ['body:items', 0, 0, 480],
      ],
      2000,
      'pass',
    ],
    [
      'only its neighbour',
      [
        ['body:items[].id', 500, 0, 0],
        ['body:item', 0, 0, 480],
      ],
      2000,
      'fail',
    ],
  ] as readonly (readonly [string, readonly Row[], number, string])[]) {
    const scene = new Scene({ control: CONTROL });
    scene.add({ matched: 2000, sent: 2000, answered: 2000, compared: 2000 });
    scene.report([], fields, { compared: 2000, controlled });
    const check = toCheck(scene.read(), 'noise');
    assert.equal(check.result, result, `${what}: ${check.text}`);
    assert.equal(scene.read().result, result, what);
  }
});

test('noise that the control does not explain is named, with the shares of both', () => {
  const scene = new Scene({ control: CONTROL });
  scene.add({ matched: 1000, sent: 1000, answered: 1000, compared: 1000 });
  scene.report(
    [],
    [
      ['body:total', 1000, 0, 100],
      ['body:tax', 900, 0, 100],
    ],
    { compared: 1000, controlled: 1000 },
  );
  const { text, value, threshold } = toCheck(scene.read(), 'noise');
  assert.equal(
    text,
    'body:total differs in 100 % of the comparisons and was left out as noise, between primary and control in 10 %, and so does 1 other field; 1 % more is allowed',
  );
  assert.deepEqual([value, threshold], [0.9, 0.01]);
  assert.equal(toCheck(scene.read('max_mismatch=95%'), 'noise').result, 'pass');
});

test('noise is judged since the verdict was asked for anew, from the reports that count', () => {
  const scene = new Scene({ control: CONTROL });
  const report = (differed: number, control: number): void => {
    scene.add({ matched: 1000, sent: 1000, answered: 1000, compared: 1000 });
    scene.report([], [['body:total', differed, 0, control]], {
      compared: 1000,
      controlled: 1000,
      noisy: differed,
    });
  };
  report(1000, 100);
  assert.equal(scene.read().result, 'fail');
  scene.reset(BEGIN_MS + 1000);
  assert.deepEqual(scene.read().noise, { comparisons: 0, fields: [] });
  // It was on its way.
  const late = { field: 'body:total', differed: 500, counted: 0, controlDiffered: 50, fresh: 0 };
  scene.tell(500, 0, { sinceMs: BEGIN_MS + 1000, controlled: 500, noisy: 500, fields: [late] });
  assert.deepEqual(scene.read().noise, { comparisons: 0, fields: [] });
  report(100, 110);
  assert.deepEqual(scene.read().noise, { comparisons: 100, fields: ['body:total'] });
  assert.equal(scene.read().result, 'pass');
  scene.reset(BEGIN_MS + 2000);
  report(1000, 0);
  assert.equal(scene.read().result, 'fail');
});

test('of many noisy fields none fails by chance alone', () => {
  const scene = new Scene({ control: CONTROL });
  scene.add({ matched: 2000, sent: 2000, answered: 2000, compared: 2000 });
  // 5 % more than the control: for one field this is sure, for one of four hundred it is not.
  const rows = Array.from({ length: 400 }, (_, at) => [`body:f${at}`, at === 0 ? 300 : 200, 0, 200] as const);
  scene.report([], rows.slice(0, 1), { compared: 2000, controlled: 2000 });
  assert.equal(toCheck(scene.read(), 'noise').result, 'fail');
  const many = new Scene({ control: CONTROL });
  many.add({ matched: 2000, sent: 2000, answered: 2000, compared: 2000 });
  many.report([], rows, { compared: 2000, controlled: 2000 });
  assert.equal(toCheck(many.read(), 'noise').result, 'insufficient');
});

test('a control that answers with another status more often than one time in a hundred is told', () => {
  const scene = new Scene({ control: CONTROL, compare: { detail: DETAIL } });
  scene.addCompared(1000);
  scene.report([], [], { compared: 1000, controlled: 1000 });
  scene.add({ compared: 1000, mismatched: 500, header_mismatched: 500, status_mismatched: 10 }, CONTROL);
  assert.deepEqual(scene.read().warnings, []);
  scene.add({ status_mismatched: 1 }, CONTROL);
  assert.deepEqual(scene.read().warnings, [
    'the control answers otherwise than the primary, with another status in 11 of 1,000 (1.1 %) comparisons: is it the same version?',
  ]);
});

test('comparisons by digest alone are told where detail was asked for', () => {
  const scene = new Scene({ compare: { detail: DETAIL } });
  scene.addCompared(1000, 2);
  assert.deepEqual(scene.read().warnings, []);
  scene.add({ reduced: 3 });
  assert.match(
    scene.read().warnings.join(),
    /3 of 1,000 \(0\.3 %\) comparisons saw the digest of the body alone: it was too long, too much work, or neither JSON/,
  );
});

test('parameters take the place of the thresholds of the route', () => {
  const scene = new Scene({
    thresholds: { minCompared: 5000, maxMismatch: 0.5, maxError: 0.25, maxP99Ratio: 3 },
  });
  assert.deepEqual(scene.read().thresholds, {
    min_compared: 5000,
    max_mismatch: 0.5,
    max_error: 0.25,
    max_p99_ratio: 3,
  });
  assert.deepEqual(
    scene.read('min_compared=7&max_mismatch=0.1%25&max_error=0.002&max_p99_ratio=1.25').thresholds,
    {
      min_compared: 7,
      max_mismatch: 0.001,
      max_error: 0.002,
      max_p99_ratio: 1.25,
    },
  );
  assert.equal(scene.read('max_mismatch=1e-4&api_key=x').thresholds.max_mismatch, 0.0001);
  assert.equal(scene.read('max_mismatch=100%&max_error=0').thresholds.max_mismatch, 1);
});

test('a parameter that is not understood is refused, and named', () => {
  const scene = new Scene();
  for (const [query, message] of [
    ['min_compared=0', /^min_compared must be a whole number from 1 on, found "0"$/],
    ['min_compared=1.5', /whole number/],
    ['min_compared=-3', /whole number/],
    ['min_compared=99999999999999999', /whole number/],
    ['min_compared=', /found ""/],
    [
      'max_mismatch=1.01',
      /^max_mismatch must be a share from 0 to 1, or a percentage such as 0\.1%, found "1\.01"$/,
    ],
    ['max_mismatch=101%25', /found "101%"/],
    ['max_mismatch=NaN', /share/],
    ['max_mismatch=-0.1', /share/],
    ['max_error=Infinity', /share/],
    ['max_error=0x1', /share/],
    ['max_p99_ratio=0', /^max_p99_ratio must be a number above 0/],
    ['max_p99_ratio=fast', /number above 0/],
    ['max_mismatches=1', /^there is no parameter "max_mismatches"; there are min_compared, max_mismatch/],
    ['min_compared=1&min_compared=2', /given twice/],
    [`min_compared=${'9'.repeat(5000)}`, /…"$/],
  ] as const) {
    assert.throws(
      () => scene.read(query),
      (error) => error instanceof VerdictProblem && error.status === 400 && message.test(error.message),
      query,
    );
  }
});

test('a route that is unknown, or mirrors nothing, has no verdict; one that does not compare cannot have one', () => {
  const scene = new Scene({ compare: null });
  for (const [id, status] of [
    ['api', 409],
    ['plain', 404],
    ['other', 404],
    ['__proto__', 404],
  ] as const) {
    assert.throws(
      () => scene.read('', id),
      (error) => error instanceof VerdictProblem && error.status === status && error.message.includes(id),
      id,
    );
  }
});

test('a share is told with two digits, a bound away from the comfortable side', () => {
  for (const [share, rounding, text] of [
    [0, 0, '0 %'],
    [1, 0, '100 %'],
    [0.000299528, 1, '0.03 %'],
    [0.000304, 1, '0.031 %'],
    [0.000304, 0, '0.03 %'],
    [0.000309, -1, '0.03 %'],
    [0.01, 1, '1 %'],
    [0.01, -1, '1 %'],
    [0.0999, 1, '10 %'],
    [0.11764, 0, '11.8 %'],
    [0.99999, -1, '99.9 %'],
    [3e-12, 1, '3e-10 %'],
    [-0.0123, 0, '-1.2 %'],
  ] as const) {
    assert.equal(toPercentText(share, rounding), text);
  }
});

test('the verdict of a route with as many shadows and pairs as there may be takes no longer than 250 ms of the processor', () => {
  const shadows = Array.from({ length: 16 }, (_, index) => `http://shadow-${index}:9000`);
  const scene = new Scene({ shadows });
  for (const origin of shadows) {
    scene.addCompared(1e9, 12_345, origin);
    scene.report(
      Array.from({ length: 20_000 }, (_, index) => (index * 7919) % 10_007),
      [],
      { origin },
    );
  }
  const before = process.cpuUsage();
  const verdict = scene.read();
  const { user, system } = process.cpuUsage(before);
  const took = (user + system) / 1000;
  assert.equal(verdict.latency_ms.pairs, 10_000);
  for (const shadow of Object.values(verdict.shadows)) assert.equal(shadow.latency_ms.pairs, 10_000);
  assert.ok(took < 250, `${took} ms`);
});
