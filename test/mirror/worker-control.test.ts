// A control beside shadows in a real mirror thread: its noise is subtracted, and nobody waits for it for ever.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import type { ShadowCell } from '../../src/core/book.ts';
import type { Mirror } from '../../src/core/model.ts';
import { PrimaryAnswer } from '../../src/mirror/job.ts';
import {
  openRig,
  type Rig,
  type RigJob,
  type RigRule,
  toControl,
  toDetail,
  toMirror,
  toShadow,
  until,
} from './rig.ts';
import { findClosedPort, openHttpShadow } from './shadow-server.ts';

const JSON_LINES = 'content-type: application/json\r\n';
const JSON_TYPE = { 'content-type': 'application/json' };
const SHADOW = 0;
const CONTROL = 1;

type Respond = (response: ServerResponse) => void;

/** Shadows, and a control as the last one. */
async function openControlled(
  t: TestContext,
  shadow: Respond,
  control: Respond,
  edits: Partial<Mirror> = {},
): Promise<{ readonly rig: Rig; readonly rule: RigRule }> {
  const rig = openRig(t);
  const shadowServer = await openHttpShadow(t, shadow);
  const controlServer = await openHttpShadow(t, control);
  const shadows = [toShadow(shadowServer.origin), toControl(controlServer.origin)];
  return { rig, rule: rig.rule(toMirror(shadows, { compare: toDetail(), ...edits }), 'api') };
}

function inline(document: object, edits: Partial<RigJob> = {}): Partial<RigJob> {
  const answerBody = [Buffer.from(JSON.stringify(document))];
  return { answer: PrimaryAnswer.inline, status: 200, lines: JSON_LINES, answerBody, ...edits };
}

function answer(response: ServerResponse, document: object, status = 200): void {
  response.writeHead(status, JSON_TYPE).end(JSON.stringify(document));
}

/** Answers at once with a time of its own in each. */
function withTime(prefix: string, rest: object): Respond {
  let time = 0;
  return (response) => answer(response, { time: `${prefix}${time++}`, ...rest });
}

function counts(
  rig: Rig,
  rule: RigRule,
  shadow: number,
  cells: readonly (keyof typeof ShadowCell)[],
): number[] {
  return cells.map((cell) => rig.count(rule, cell, shadow));
}

const COMPARED = ['compared', 'mismatched', 'body_mismatched', 'noisy'] as const;

async function send(rig: Rig, rule: RigRule, jobs: readonly Partial<RigJob>[]): Promise<void> {
  for (const job of jobs) rig.job(rule, job);
  await rig.flush();
}

test('what differs from the control too is left out, from the first exchange on', async (t) => {
  const { rig, rule } = await openControlled(t, withTime('s', { id: 7 }), withTime('c', { id: 7 }));
  await send(
    rig,
    rule,
    Array.from({ length: 10 }, (_, job) => inline({ time: `p${job}`, id: 7 })),
  );
  await rig.stop();
  assert.deepEqual(counts(rig, rule, SHADOW, COMPARED), [10, 0, 0, 10]);
  assert.deepEqual(counts(rig, rule, CONTROL, COMPARED), [10, 10, 10, 0]);
  await until(() => rig.reports.length > 0, 'the report');
  const [report, ...others] = rig.reports;
  assert.deepEqual(others, []);
  assert.equal(report!.shadow, rule.entry.route.mirror!.shadows[SHADOW]!.origin);
  assert.deepEqual([report!.compared, report!.controlled, report!.groups], [10, 10, []]);
  assert.deepEqual(report!.fields, [
    { field: 'body:time', differed: 10, counted: 0, controlDiffered: 10, fresh: 0 },
  ]);
});

test('a real change is seen beside the noise, and shown without it', async (t) => {
  const { rig, rule } = await openControlled(t, withTime('s', { id: 8 }), withTime('c', { id: 7 }));
  await send(
    rig,
    rule,
    Array.from({ length: 10 }, (_, job) => inline({ time: `p${job}`, id: 7 })),
  );
  await rig.stop();
  assert.deepEqual(counts(rig, rule, SHADOW, COMPARED), [10, 10, 10, 10]);
  await until(() => rig.reports.length > 0, 'the report');
  const [report] = rig.reports;
  assert.deepEqual(
    report!.groups.map(({ fields, count }) => [fields, count]),
    [[['body:id'], 10]],
  );
  assert.ok(report!.mismatches.every(({ diffs }) => diffs.every(({ field }) => field === 'body:id')));
});

test('a shadow waits for a control that answers later, and its place in flight does not', async (t) => {
  const held: ServerResponse[] = [];
  const { rig, rule } = await openControlled(t, withTime('s', {}), (response) => held.push(response), {
    maxInFlight: 3,
  });
  for (let job = 1; job <= 3; job++) {
    await send(rig, rule, [inline({ time: 'p' })]);
    await until(() => held.length === job && rig.count(rule, 'answered') === job, 'the shadow’s answer');
  }
  assert.deepEqual(counts(rig, rule, SHADOW, ['compared', 'awaiting_control']), [0, 3]);
  assert.equal(rule.books[SHADOW]!.inFlight(), 0);
  for (const response of held) answer(response, { time: 'c' });
  await until(() => rig.count(rule, 'compared') === 3, 'the comparisons');
  assert.deepEqual(counts(rig, rule, SHADOW, [...COMPARED, 'awaiting_control']), [3, 0, 0, 3, 0]);
});

test('a control that answers first is there when the shadow does', async (t) => {
  const held: ServerResponse[] = [];
  const { rig, rule } = await openControlled(t, (response) => held.push(response), withTime('c', {}));
  await send(rig, rule, [inline({ time: 'p' })]);
  await until(() => held.length === 1 && rig.count(rule, 'compared', CONTROL) === 1, 'the control’s answer');
  answer(held[0]!, { time: 's' });
  await rig.stop();
  assert.deepEqual(counts(rig, rule, SHADOW, COMPARED), [1, 0, 0, 1]);
});

for (const [what, control, cell] of [
  ['breaks off', (response: ServerResponse) => response.destroy(), 'fail_reset'],
  ['is silent', () => {}, 'fail_read_timeout'],
  ['answers too much', (response: ServerResponse) => response.end('x'.repeat(1001)), 'fail_answer_too_large'],
] as const) {
  test(`a control that ${what} leaves the exchange without its noise`, async (t) => {
    const timeouts = { connectMs: 2000, sendMs: 2000, readMs: 300 };
    const edits = { timeouts, maxAnswerBytes: 1000 };
    const { rig, rule } = await openControlled(t, withTime('s', {}), control, edits);
    await send(rig, rule, [inline({ time: 'p' }), inline({ time: 'p' })]);
    await until(() => rig.count(rule, cell, CONTROL) === 2, 'the control’s end');
    await rig.stop();
    assert.deepEqual(counts(rig, rule, SHADOW, COMPARED), [2, 2, 2, 0]);
    assert.deepEqual(counts(rig, rule, CONTROL, COMPARED), [0, 0, 0, 0]);
    await until(() => rig.reports.length > 0, 'the report');
    assert.ok(rig.reports.every(({ controlled }) => controlled === 0));
  });
}

test('a control that refuses opens its breaker, and shadows are compared all the same', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, withTime('s', {}));
  const port = await findClosedPort();
  const mirror = toMirror([toShadow(shadow.origin), toControl(`http://127.0.0.1:${port}`)], {
    compare: toDetail(),
    breaker: { failures: 2, openForMs: 60_000 },
  });
  const rule = rig.rule(mirror, 'api');
  for (let job = 1; job <= 5; job++) {
    await send(rig, rule, [inline({ time: 'p' })]);
    await until(() => rig.count(rule, 'compared') === job, 'the comparison');
  }
  assert.deepEqual(counts(rig, rule, CONTROL, ['fail_refused', 'drop_breaker_open']), [2, 3]);
  assert.deepEqual(counts(rig, rule, SHADOW, COMPARED), [5, 5, 5, 0]);
});

test('a hung control holds no place of a shadow, and its own deadlines end the waiting', async (t) => {
  const { rig, rule } = await openControlled(t, withTime('s', {}), () => {}, {
    maxInFlight: 2,
    timeouts: { connectMs: 2000, sendMs: 2000, readMs: 400 },
  });
  // Copies wait from when they set out; the thread itself may take longer than that to begin.
  await send(rig, rule, [inline({ time: 'p' }, { shadows: 1 << SHADOW })]);
  await until(() => rig.count(rule, 'compared') === 1, 'the thread');
  await send(
    rig,
    rule,
    Array.from({ length: 20 }, () => inline({ time: 'p' })),
  );
  await until(() => rig.count(rule, 'answered') === 21, 'the shadow’s answers');
  await until(() => rig.count(rule, 'compared') === 21, 'the comparisons');
  await rig.stop();
  const ended = counts(rig, rule, CONTROL, ['fail_read_timeout', 'drop_queue_full']);
  assert.equal(ended[0]! + ended[1]!, 20);
  assert.ok(ended[0]! >= 2, 'those in flight were cut off');
});

test('what a hung control of one route holds up leaves another route its room', async (t) => {
  const { rig, rule } = await openControlled(t, withTime('s', {}), () => {});
  const other = await openHttpShadow(t, (response) =>
    response.writeHead(200, JSON_TYPE).end('{"b":1, "a":2}'),
  );
  const free = rig.rule(toMirror([toShadow(other.origin)], { compare: toDetail() }), 'free');
  // 72 MiB: more than the thread keeps.
  const answerBody = [Buffer.from(JSON.stringify({ time: 'p', rest: 'x'.repeat(1_000_000) }))];
  for (let batch = 0; batch < 9; batch++) {
    await send(
      rig,
      rule,
      Array.from({ length: 8 }, () => inline({}, { answerBody })),
    );
  }
  await until(() => rig.count(rule, 'answered') === 72, 'the answers');
  await send(rig, free, [inline({ a: 2, b: 1 })]);
  const ended = ['compared', 'uncompared_not_captured'] as const;
  await until(() => counts(rig, free, SHADOW, ended).includes(1), 'the comparison of the other route');
  assert.deepEqual(counts(rig, free, SHADOW, ['compared', 'mismatched', 'reduced']), [1, 0, 0]);
  assert.equal(rig.count(rule, 'awaiting_control'), 72);
  await rig.stop(0);
  // Of the first ones it was kept what they were, and that nothing was there of the last ones is no mismatch.
  const [compared, mismatched, uncompared] = counts(rig, rule, SHADOW, [
    'compared',
    'mismatched',
    'uncompared_not_captured',
  ]);
  assert.equal(compared, mismatched);
  assert.equal(compared! + uncompared!, 72);
  assert.ok(compared! >= 30 && compared! <= 33, `${compared} were kept`);
});

test('an exchange whose control answers with another status is compared as if there were none', async (t) => {
  const { rig, rule } = await openControlled(t, withTime('s', {}), (response) =>
    answer(response, { time: 'c' }, 503),
  );
  await send(
    rig,
    rule,
    Array.from({ length: 5 }, () => inline({ time: 'p' })),
  );
  await rig.stop();
  assert.deepEqual(counts(rig, rule, SHADOW, COMPARED), [5, 5, 5, 0]);
  assert.deepEqual(counts(rig, rule, CONTROL, [...COMPARED, 'status_mismatched']), [5, 5, 5, 0, 5]);
  await until(() => rig.reports.length > 0, 'the report');
  assert.ok(rig.reports.every(({ controlled }) => controlled === 0));
});

test('bodies of which each is another one as a whole are uncompared, and no report tells of them', async (t) => {
  let bodies = 0;
  const image: Respond = (response) =>
    response.writeHead(200, { 'content-type': 'image/png' }).end(`png ${bodies++}`);
  const { rig, rule } = await openControlled(t, image, image);
  const lines = 'content-type: image/png\r\n';
  const jobs = Array.from({ length: 5 }, () => inline({}, { lines, answerBody: [Buffer.from('png')] }));
  await send(rig, rule, jobs);
  await rig.stop();
  assert.deepEqual(counts(rig, rule, SHADOW, [...COMPARED, 'uncompared_body_is_noise']), [0, 0, 0, 0, 5]);
  assert.deepEqual(counts(rig, rule, CONTROL, COMPARED), [5, 5, 5, 0]);
  assert.deepEqual(rig.reports, []);
});

test('a control alone is compared for itself', async (t) => {
  const { rig, rule } = await openControlled(t, () => assert.fail('no copy is for it'), withTime('c', {}));
  const shadows = 1 << CONTROL;
  await send(rig, rule, [inline({ time: 'p' }, { shadows }), inline({ time: 'c1' }, { shadows })]);
  await rig.stop();
  assert.deepEqual(counts(rig, rule, CONTROL, ['compared', 'answered']), [2, 2]);
  assert.equal(rig.reports.length, 0);
});

test('without a primary’s answer neither shadow nor control is compared, and nobody waits', async (t) => {
  const held: ServerResponse[] = [];
  const { rig, rule } = await openControlled(t, withTime('s', {}), (response) => held.push(response));
  await send(rig, rule, [{ answer: PrimaryAnswer.failed }, { answer: PrimaryAnswer.notCaptured }]);
  await until(() => rig.count(rule, 'answered') === 2 && held.length === 2, 'the answers');
  const cells = ['uncompared_primary_failed', 'uncompared_not_captured', 'awaiting_control'] as const;
  assert.deepEqual(counts(rig, rule, SHADOW, cells), [1, 1, 0]);
  for (const response of held) answer(response, {});
  await rig.stop();
  assert.deepEqual(counts(rig, rule, CONTROL, cells), [1, 1, 0]);
});

test('a field that often differs from the control is noise also where the control gave no answer', async (t) => {
  let asked = 0;
  const { rig, rule } = await openControlled(t, withTime('s', {}), (response) => {
    asked++;
    if (asked <= 3) answer(response, { time: 'c' });
    else response.destroy();
  });
  for (let job = 1; job <= 6; job++) {
    await send(rig, rule, [inline({ time: 'p' })]);
    await until(() => rig.count(rule, 'compared') === job, 'the comparison');
  }
  assert.deepEqual(counts(rig, rule, SHADOW, COMPARED), [6, 0, 0, 6]);
});

test('a field that differs from the control now and then is noise also while it happens to agree', async (t) => {
  // As a time in seconds is: the control is asked in the same second, the shadow sometimes in the next one.
  let asked = 0;
  const control: Respond = (response) => answer(response, { time: asked++ % 4 === 0 ? 'c' : 'p' });
  const { rig, rule } = await openControlled(t, withTime('s', {}), control);
  for (let job = 1; job <= 12; job++) {
    await send(rig, rule, [inline({ time: 'p' })]);
    await until(() => rig.count(rule, 'compared') === job, 'the comparison');
  }
  // The control differs in the 1st, 5th and 9th exchange; from the 9th on the field is the route's noise.
  assert.deepEqual(counts(rig, rule, SHADOW, COMPARED), [12, 6, 6, 6]);
});

test('several shadows are compared against the same control', async (t) => {
  const rig = openRig(t);
  const equal = await openHttpShadow(t, withTime('a', { id: 7 }));
  const wrong = await openHttpShadow(t, withTime('b', { id: 8 }));
  const control = await openHttpShadow(t, withTime('c', { id: 7 }));
  const shadows = [toShadow(equal.origin), toShadow(wrong.origin), toControl(control.origin)];
  const rule = rig.rule(toMirror(shadows, { compare: toDetail() }), 'api');
  await send(
    rig,
    rule,
    Array.from({ length: 20 }, () => inline({ time: 'p', id: 7 })),
  );
  await rig.stop();
  assert.deepEqual(counts(rig, rule, 0, COMPARED), [20, 0, 0, 20]);
  assert.deepEqual(counts(rig, rule, 1, COMPARED), [20, 20, 20, 20]);
  assert.deepEqual(counts(rig, rule, 2, COMPARED), [20, 20, 20, 0]);
  await until(() => rig.reports.length === 2, 'the reports');
  assert.deepEqual(
    rig.reports.map(({ shadow, groups }) => [shadow, groups.length]),
    [
      [equal.origin, 0],
      [wrong.origin, 1],
    ],
  );
});

test('copies that are skipped, dropped or cut off at a stop leave nothing behind', async (t) => {
  const held: ServerResponse[] = [];
  const { rig, rule } = await openControlled(t, withTime('s', {}), (response) => held.push(response), {
    limit: { count: 4, windowMs: 60_000, policy: 'local', redis: null },
    maxInFlight: 2,
  });
  for (let job = 0; job < 6; job++) rig.chunk(rule, job + 1, Buffer.from('{"time":"p"}'));
  const streamed = { ...inline({}), answerBody: [], answer: PrimaryAnswer.streamed };
  await send(
    rig,
    rule,
    Array.from({ length: 6 }, (_, job) => ({ ...streamed, stream: job + 1 })),
  );
  await until(() => rig.count(rule, 'answered') === 4 && held.length === 2, 'what is sent');
  assert.deepEqual(counts(rig, rule, SHADOW, ['compared', 'awaiting_control', 'skip_limit']), [0, 4, 2]);
  await rig.stop(0);
  assert.deepEqual(counts(rig, rule, CONTROL, ['fail_shutdown', 'drop_shutdown', 'skip_limit']), [2, 2, 2]);
  assert.deepEqual(counts(rig, rule, SHADOW, ['compared', 'mismatched']), [4, 4]);
});
