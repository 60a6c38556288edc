// Comparison in a real mirror thread: inline and streamed primary answers against real shadow answers.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { LaneCell, type ShadowCell } from '../../src/core/book.ts';
import { PrimaryAnswer } from '../../src/mirror/job.ts';
import {
  COMPARE,
  clock,
  openRig,
  type Rig,
  type RigJob,
  type RigRule,
  toMirror,
  toShadow,
  until,
} from './rig.ts';
import { openHttpShadow } from './shadow-server.ts';

const HEAD = 'GET /a%20b?c\r\nhost: h\r\nx-request-id: id-7\r\n';

interface Comparing {
  readonly rig: Rig;
  readonly rule: RigRule;
  readonly origin: string;
}

async function openComparing(
  t: TestContext,
  respond: (response: ServerResponse) => void,
  logMismatches = true,
): Promise<Comparing> {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, respond);
  const mirror = toMirror([toShadow(shadow.origin)], { compare: { ...COMPARE, logMismatches } });
  return { rig, rule: rig.rule(mirror, 'api'), origin: shadow.origin };
}

function inline(status: number, body: string): Partial<RigJob> {
  const answerBody = body === '' ? [] : [Buffer.from(body)];
  return { head: HEAD, answer: PrimaryAnswer.inline, status, answerBody, primaryLatencyMs: 1.5 };
}

const COMPARED = ['compared', 'mismatched', 'status_mismatched', 'body_mismatched'] as const;
const UNCOMPARED = [
  'uncompared_primary_failed',
  'uncompared_primary_incomplete',
  'uncompared_not_captured',
] as const;

function counts({ rig, rule }: Comparing, cells: readonly (keyof typeof ShadowCell)[]): number[] {
  return cells.map((cell) => rig.count(rule, cell));
}

for (const [what, status, body, expected] of [
  ['equal answers', 200, 'same', [1, 0, 0, 0]],
  ['another status', 404, 'same', [1, 1, 1, 0]],
  ['another body', 200, 'other', [1, 1, 0, 1]],
  ['another status and body', 500, '', [1, 1, 1, 1]],
] as const) {
  test(`${what}: counted as such, and logged only when they differ`, async (t) => {
    const comparing = await openComparing(t, (response) => response.writeHead(status).end(body));
    const { rig, rule, origin } = comparing;
    rig.job(rule, inline(200, 'same'));
    await rig.flush();
    await rig.stop();
    assert.deepEqual(counts(comparing, COMPARED), expected);
    const isMismatch = expected[1] === 1;
    await until(() => rig.logs.length === (isMismatch ? 1 : 0), 'the log');
    if (!isMismatch) return;
    const { level, message, fields } = rig.logs[0]!;
    const { shadow_latency_ms: latencyMs, ...others } = fields;
    assert.deepEqual([level, message], ['warn', 'mirror mismatch']);
    assert.deepEqual(others, {
      route: 'api',
      shadow: origin,
      method: 'GET',
      path: '/a%20b?c',
      request_id: 'id-7',
      primary_status: 200,
      shadow_status: status,
      status_match: status === 200,
      body_match: body === 'same',
      fields: [...(body === 'same' ? [] : ['body']), ...(status === 200 ? [] : ['status'])].join(', '),
      primary_latency_ms: 1.5,
    });
    assert.ok(typeof latencyMs === 'number' && latencyMs > 0);
  });
}

test('mismatches are counted and not logged when logging is off', async (t) => {
  const comparing = await openComparing(t, (response) => response.end('other'), false);
  comparing.rig.job(comparing.rule, inline(200, 'same'));
  await comparing.rig.flush();
  await comparing.rig.stop();
  assert.deepEqual(counts(comparing, COMPARED), [1, 1, 0, 1]);
  assert.equal(comparing.rig.logs.length, 0);
});

test('of many mismatches in a second some are logged and the others counted', async (t) => {
  const { rig, rule } = await openComparing(t, (response) => response.end('other'));
  for (let job = 0; job < 300; job++) rig.job(rule, inline(200, 'same'));
  await rig.flush();
  await rig.stop();
  const suppressed = rig.processBook.sumLanes(LaneCell.logs_suppressed);
  assert.ok(suppressed > 0 && suppressed < 300);
  await until(() => rig.logs.length === 300 - suppressed, 'the log');
});

/** A body in pieces of uneven size, among them empty ones. */
function cut(body: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, size = 0; at < body.length; at += size, size = (size * 7 + 13) % 30_011) {
    pieces.push(body.subarray(at, at + size));
  }
  return pieces;
}

for (const [what, changed, expected] of [
  ['equal', false, [1, 0, 0, 0]],
  ['different in its last byte', true, [1, 1, 0, 1]],
] as const) {
  test(`a streamed primary body that is ${what}, hashed over several batches`, async (t) => {
    const body = Buffer.alloc(1_500_000, 'umbra body ');
    const comparing = await openComparing(t, (response) => {
      for (const piece of cut(body)) response.write(piece);
      response.end();
    });
    const { rig, rule } = comparing;
    const primary = Buffer.from(body);
    if (changed) primary[primary.length - 1] = 0;
    for (const piece of cut(primary)) {
      rig.chunk(rule, 5, piece);
      rig.chunk(rule, 6, Buffer.from('a stream beside it'));
      if (piece.length > 20_000) await rig.flush();
    }
    rig.job(rule, { head: HEAD, answer: PrimaryAnswer.streamed, status: 200, stream: 5 });
    rig.forget(rule, 6);
    await rig.flush();
    await rig.stop();
    assert.deepEqual(counts(comparing, COMPARED), expected);
  });
}

for (const [method, status] of [
  ['HEAD', 200],
  ['GET', 204],
  ['GET', 304],
] as const) {
  test(`the empty bodies of ${method} with ${status} are equal`, async (t) => {
    const comparing = await openComparing(t, (response) =>
      response.writeHead(status, { etag: '"x"', 'x-length': '5' }).end(),
    );
    const { rig, rule } = comparing;
    rig.job(rule, { ...inline(status, ''), head: `${method} /\r\nhost: h\r\n` });
    await rig.flush();
    await rig.stop();
    assert.deepEqual(counts(comparing, COMPARED), [1, 0, 0, 0]);
  });
}

test('without a whole primary answer nothing is compared, and the reason is counted', async (t) => {
  const comparing = await openComparing(t, (response) => response.end('ok'));
  const { rig, rule } = comparing;
  const { failed, incomplete, notCaptured, streamed } = PrimaryAnswer;
  const answers = [failed, failed, failed, incomplete, incomplete, notCaptured, streamed];
  for (const answer of answers) rig.job(rule, { head: HEAD, answer, stream: 77 });
  await rig.flush();
  await rig.stop();
  assert.deepEqual(counts(comparing, UNCOMPARED), [3, 2, 2]);
  assert.deepEqual(counts(comparing, COMPARED), [0, 0, 0, 0]);
});

test('a forgotten stream is gone, and its number may begin anew', async (t) => {
  const comparing = await openComparing(t, (response) => response.end('second'));
  const { rig, rule } = comparing;
  rig.chunk(rule, 1, Buffer.from('first'));
  rig.forget(rule, 1);
  rig.chunk(rule, 1, Buffer.from('second'));
  rig.job(rule, { head: HEAD, answer: PrimaryAnswer.streamed, status: 200, stream: 1 });
  rig.forget(rule, 99);
  await rig.flush();
  await rig.stop();
  assert.deepEqual(counts(comparing, COMPARED), [1, 0, 0, 0]);
});

test('each shadow is compared on its own; one that does not answer is not compared', async (t) => {
  const rig = openRig(t);
  const equal = await openHttpShadow(t, (response) => response.end('same'));
  const wrong = await openHttpShadow(t, (response) => response.end('wrong'));
  const dead = await openHttpShadow(t, (response) => response.destroy());
  const shadows = [equal, wrong, dead].map((shadow) => toShadow(shadow.origin));
  const rule = rig.rule(toMirror(shadows, { compare: COMPARE }));
  for (let job = 0; job < 10; job++) rig.job(rule, inline(200, 'same'));
  await rig.flush();
  await rig.stop();
  const of = (cell: keyof typeof ShadowCell): number[] => [0, 1, 2].map((at) => rig.count(rule, cell, at));
  assert.deepEqual(of('compared'), [10, 10, 0]);
  assert.deepEqual(of('mismatched'), [0, 10, 0]);
  assert.deepEqual(of('fail_reset'), [0, 0, 10]);
  await until(() => rig.logs.length === 10, 'the log');
});

test('a copy whose arrival drops an older one that waits is compared all the same', async (t) => {
  const rig = openRig(t);
  const held: ServerResponse[] = [];
  const shadow = await openHttpShadow(t, (response) => held.push(response));
  const mirror = toMirror([toShadow(shadow.origin)], {
    maxInFlight: 1,
    compare: { ...COMPARE, logMismatches: false },
  });
  const rule = rig.rule(mirror);
  const { readMs } = mirror.timeouts;
  rig.job(rule, inline(200, 'ok'));
  await rig.flush();
  await until(() => held.length === 1, 'the first copy');
  for (let round = 0; round < 5; round++) {
    const waitUntilMs = clock() + 15;
    rig.job(rule, { ...inline(200, 'ok'), primaryLatencyMs: 0, tappedMs: waitUntilMs - readMs });
    await rig.flush();
    // Before the thread itself looks at what waits, most of the time.
    await until(() => clock() > waitUntilMs, 'the wait to be over');
  }
  rig.job(rule, inline(200, 'ok'));
  await rig.flush();
  await until(() => rig.count(rule, 'drop_queue_full') === 5, 'the old ones to be dropped');
  held[0]!.end('ok');
  await until(() => held.length === 2, 'the last copy');
  held[1]!.end('ok');
  await rig.stop();
  assert.equal(rig.count(rule, 'compared'), 2);
});
