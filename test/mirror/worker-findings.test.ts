// What real mirror threads post of their comparisons: exact counts, bounds, and nothing that is to be masked.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import type { FindingsReport, Mismatch } from '../../src/core/findings.ts';
import type { Mirror } from '../../src/core/model.ts';
import { PrimaryAnswer } from '../../src/mirror/job.ts';
import {
  COMPARE,
  openRig,
  type Rig,
  type RigJob,
  type RigRule,
  toDetail,
  toMirror,
  toShadow,
  until,
} from './rig.ts';
import { openHttpShadow } from './shadow-server.ts';

const HEAD = 'GET /a?b\r\nhost: h\r\n';
const JSON_LINES = 'content-type: application/json\r\n';
const JSON_TYPE = { 'content-type': 'application/json' };
const DAY_MS = 86_400_000;

interface Comparing {
  readonly rig: Rig;
  readonly rule: RigRule;
  readonly origin: string;
}

async function openComparing(
  t: TestContext,
  respond: (response: ServerResponse) => void,
  edits: Partial<Mirror> = {},
): Promise<Comparing> {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, respond);
  const mirror = toMirror([toShadow(shadow.origin)], { compare: toDetail(), ...edits });
  return { rig, rule: rig.rule(mirror, 'api'), origin: shadow.origin };
}

function inline(body: string, edits: Partial<RigJob> = {}): Partial<RigJob> {
  return {
    head: HEAD,
    answer: PrimaryAnswer.inline,
    status: 200,
    lines: JSON_LINES,
    answerBody: [Buffer.from(body)],
    primaryLatencyMs: 1.5,
    ...edits,
  };
}

/** Sends jobs, and stops the thread. */
async function run({ rig, rule }: Comparing, jobs: readonly Partial<RigJob>[]): Promise<void> {
  for (const job of jobs) rig.job(rule, job);
  await rig.flush();
  await rig.stop();
}

/** All that was posted, once it says that so many were compared. */
async function readReports({ rig }: Comparing, compared: number): Promise<readonly FindingsReport[]> {
  const sum = (): number => rig.reports.reduce((total, report) => total + report.compared, 0);
  await until(() => sum() >= compared, 'the reports');
  assert.equal(sum(), compared);
  return rig.reports;
}

async function readMismatch(comparing: Comparing): Promise<Mismatch> {
  const reports = await readReports(comparing, 1);
  const [mismatch, ...others] = reports.flatMap(({ mismatches }) => mismatches);
  assert.deepEqual(others, []);
  return mismatch!;
}

function sumGroups(reports: readonly FindingsReport[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { groups } of reports) {
    for (const { fields, count } of groups) sums[fields.join()] = (sums[fields.join()] ?? 0) + count;
  }
  return sums;
}

test('of many exchanges every group, field and latency is counted, over several reports', async (t) => {
  const total = 900;
  let asked = 0;
  const comparing = await openComparing(t, (response) => {
    // Of each ten: three with another id, one with another status as well, the others equal.
    const place = asked++ % 10;
    response.writeHead(place === 0 ? 201 : 200, JSON_TYPE).end(`{"id":${place < 3 ? asked : 'null'}}`);
  });
  const { rig, rule, origin } = comparing;
  for (let sent = 0; sent < total; sent += 100) {
    for (let job = 0; job < 100; job++) rig.job(rule, inline('{"id":null}'));
    await rig.flush();
    await until(() => rig.count(rule, 'compared') === sent + 100, 'the comparisons');
    if (sent === 200) await until(() => rig.reports.length > 0, 'a report while it goes on');
  }
  await rig.stop();
  const reports = await readReports(comparing, total);
  assert.ok(reports.length >= 2);
  for (const { route, revision, shadow } of reports)
    assert.deepEqual([route, revision, shadow], ['api', '1', origin]);
  assert.deepEqual(sumGroups(reports), { 'body:id': 180, 'body:id,status': 90 });
  const ids = reports.flatMap(({ fields }) => fields).filter(({ field }) => field === 'body:id');
  const sum = (of: 'differed' | 'counted' | 'fresh'): number =>
    ids.reduce((all, delta) => all + delta[of], 0);
  // The primary's value is always the same, so it is fresh once.
  assert.deepEqual([sum('differed'), sum('counted'), sum('fresh')], [270, 270, 1]);
  const latencies = reports.flatMap((report) => [...report.latencies]);
  assert.equal(latencies.length, total * 2);
  assert.ok(latencies.every((ms, at) => (at % 2 === 0 ? ms === 1.5 : ms > 0)));
  assert.ok(reports.every(({ mismatches }) => mismatches.length <= 20));
});

test('a rule that leaves posts what it has found', async (t) => {
  const comparing = await openComparing(t, (response) => response.writeHead(200, JSON_TYPE).end('{"a":2}'));
  const { rig, rule } = comparing;
  rig.job(rule, inline('{"a":1}'));
  rig.retire(rule);
  await rig.flush();
  await until(() => rig.reports.length === 1, 'the report');
  assert.deepEqual(sumGroups(rig.reports), { 'body:a': 1 });
  await rig.stop();
  assert.equal(rig.reports.length, 1);
});

test('nothing is posted of routes that do not compare, nor of answers that were not compared', async (t) => {
  const comparing = await openComparing(t, (response) => response.end('x'), { compare: null });
  const { rig, origin } = comparing;
  const other = rig.rule(toMirror([toShadow(origin)], { compare: COMPARE }), 'other');
  rig.job(other, { answer: PrimaryAnswer.failed });
  await run(comparing, [{}, {}]);
  assert.equal(rig.count(other, 'uncompared_primary_failed'), 1);
  assert.equal(rig.reports.length, 0);
});

test('without detail a mismatch has its status, and its body by length and digest', async (t) => {
  const comparing = await openComparing(t, (response) => response.writeHead(404).end('other'), {
    compare: { ...COMPARE, logMismatches: false },
  });
  await run(comparing, [inline('same')]);
  const mismatch = await readMismatch(comparing);
  assert.deepEqual(
    mismatch.diffs.map(({ field, at, kind, primary, shadow }) => [field, at, kind, primary, shadow]),
    [
      ['status', 'status', 'value', '200', '404'],
      [
        'body',
        'body',
        'digest',
        '4 bytes, sha256 0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5',
        '5 bytes, sha256 d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa',
      ],
    ],
  );
  assert.deepEqual([mismatch.bodyMethod, mismatch.note, mismatch.isCut], ['digest', null, false]);
});

test('a mismatch is shown with its request as the client sent it, and with both latencies', async (t) => {
  const comparing = await openComparing(t, (response) => response.writeHead(200, JSON_TYPE).end('{"a":2}'));
  const head = [
    'POST /orders?id=7&token=x',
    'host: api.example',
    'x-request-id: id-7',
    'x-forwarded-for: 10.0.0.1',
    'x-forwarded-proto: http',
    'x-forwarded-host: api.example',
    'accept: a',
    'accept: b',
    'content-type: application/json',
    'content-length: 16',
    '',
  ].join('\r\n');
  await run(comparing, [inline('{"a":1}', { head, body: [Buffer.from('{"order": "né"}')] })]);
  const { timestampMs, shadowLatencyMs, diffs, ...mismatch } = await readMismatch(comparing);
  assert.ok(Math.abs(Date.now() - timestampMs) < DAY_MS);
  assert.ok(shadowLatencyMs > 0);
  assert.deepEqual(
    diffs.map(({ field }) => field),
    ['body:a'],
  );
  assert.deepEqual(mismatch, {
    method: 'POST',
    target: '/orders?id=7&token=x',
    requestId: 'id-7',
    primaryStatus: 200,
    shadowStatus: 200,
    primaryLatencyMs: 1.5,
    isCut: false,
    bodyMethod: 'json',
    note: null,
    requestHeaders: [
      ...['host', 'api.example', 'x-request-id', 'id-7', 'accept', 'a', 'accept', 'b'],
      ...['content-type', 'application/json'],
    ],
    requestBody: '{"order": "né"}',
    requestNote: null,
  });
});

test('what is masked or redacted is in no report and in no log line', async (t) => {
  const secret = 's3cret-value';
  const comparing = await openComparing(
    t,
    (response) =>
      response
        .writeHead(200, { ...JSON_TYPE, 'set-cookie': `session=${secret}` })
        .end(`{"card":{"number":"${secret}-other"},"list":[{"pin":"${secret}2"}],"a":2}`),
    {
      compare: toDetail({}, { mask: ['card', 'list[].pin', 'password'], logMismatches: true }),
      redact: { headers: ['x-customer'], query: ['key'], json: ['customer.name'] },
    },
  );
  const head = [
    `POST /orders?id=7&key=${secret}&other=1`,
    'host: h',
    `authorization: Bearer ${secret}`,
    `cookie: session=${secret}`,
    `x-api-key: ${secret}`,
    `x-customer: ${secret}`,
    'content-type: application/json',
    '',
  ].join('\r\n');
  const body = `{"customer":{"name":"${secret}","id":7},"password":"${secret}","list":[{"pin":"${secret}"}]}`;
  const primary = `{"card":{"number":"${secret}"},"list":[{"pin":"${secret}1"}],"a":1}`;
  await run(comparing, [inline(primary, { head, body: [Buffer.from(body)] })]);
  const { rig } = comparing;
  const mismatch = await readMismatch(comparing);
  await until(() => rig.logs.length === 1, 'the log');
  assert.doesNotMatch(JSON.stringify(rig.reports), /s3cret/);
  assert.doesNotMatch(JSON.stringify(rig.logs), /s3cret/);
  assert.equal(mismatch.target, '/orders?id=7&key=redacted&other=1');
  assert.equal(rig.logs[0]!.fields.path, '/orders?id=7&key=redacted&other=1');
  assert.deepEqual(mismatch.diffs.map(({ field }) => field).sort(), [
    'body:a',
    'body:card.number',
    'body:list[].pin',
    'header:set-cookie',
  ]);
  assert.deepEqual(JSON.parse(mismatch.requestBody!).customer.id, 7);
});

test('where places are masked no digest is shown of a body that is compared by its digest', async (t) => {
  const comparing = await openComparing(t, (response) => response.end('1235'), {
    compare: { ...COMPARE, logMismatches: false, mask: ['pin'] },
  });
  await run(comparing, [inline('1234')]);
  const { diffs } = await readMismatch(comparing);
  assert.deepEqual(
    diffs.map(({ primary, shadow }) => [primary, shadow]),
    [['4 bytes', '4 bytes']],
  );
});

const LONG = 16 * 1024;

for (const [what, mask, lines, body, expected] of [
  ['text of 16 KiB', [], '', 'x'.repeat(LONG), ['x'.repeat(LONG), null]],
  ['longer text', [], '', 'x'.repeat(LONG + 1), ['x'.repeat(LONG), 'cut to 16384 of 16385 bytes']],
  [
    'text that is cut within a character',
    [],
    '',
    `${'x'.repeat(LONG - 1)}é`,
    ['x'.repeat(LONG - 1), 'cut to 16384 of 16385 bytes'],
  ],
  ['no text', [], '', Buffer.from([1, 0, 2]), [null, 'the body was left out: it is no text']],
  ['bytes in no UTF-8', [], '', Buffer.from([0xff, 0x41]), [null, 'the body was left out: it is no text']],
  [
    'compressed bytes',
    [],
    'content-encoding: gzip\r\n',
    'x',
    [null, 'the body was left out: it is compressed'],
  ],
  ['JSON with a mask', ['p'], '', '{"p":1,"q":2}', ['{"p":"(masked)","q":2}', null]],
  [
    'a form with a mask',
    ['p'],
    '',
    'p=1&q=2',
    [null, 'the body was left out: it is no JSON that can be masked'],
  ],
  [
    'long JSON with a mask',
    ['p'],
    '',
    JSON.stringify({ q: 'x'.repeat(LONG) }),
    [null, `the body was left out: it is too long to be masked: ${LONG + 8} bytes`],
  ],
  ['an empty body with a mask', ['p'], '', '', [null, null]],
] as const) {
  test(`a request’s body in an example: ${what}`, async (t) => {
    const comparing = await openComparing(t, (response) => response.writeHead(200, JSON_TYPE).end('2'), {
      compare: toDetail({}, { mask }),
    });
    const head = `POST /\r\nhost: h\r\n${lines}`;
    await run(comparing, [inline('1', { head, body: [Buffer.from(body)] })]);
    const { requestBody, requestNote } = await readMismatch(comparing);
    assert.deepEqual([requestBody, requestNote], expected);
  });
}

test('a report stays within its bounds, whatever the mismatches are', async (t) => {
  let asked = 0;
  const comparing = await openComparing(t, (response) => {
    // Every answer differs in fields of its own.
    const fields = Array.from({ length: 60 }, (_, field) => [`f${asked}-${field}`, 'x'.repeat(300)]);
    asked++;
    response.writeHead(200, JSON_TYPE).end(JSON.stringify(Object.fromEntries(fields)));
  });
  const head = `POST /\r\nhost: h\r\nx-long: ${'y'.repeat(10_000)}\r\n`;
  const body = [Buffer.alloc(20_000, 'z')];
  const jobs = Array.from({ length: 300 }, () => inline('{}', { head, body }));
  await run(comparing, jobs);
  const reports = await readReports(comparing, 300);
  const groups = reports.flatMap((report) => report.groups);
  assert.equal(
    groups.reduce((sum, { count }) => sum + count, 0),
    300,
  );
  for (const report of reports) {
    assert.ok(report.groups.length <= 200);
    assert.ok(report.fields.length <= 1000);
    assert.ok(report.mismatches.length <= 20 && report.mismatches.length > 0);
    assert.ok(JSON.stringify(report.mismatches).length < 320 * 1024);
  }
});
