// Detailed comparison in a real mirror thread: status, headers and bodies of real answers, and what is kept of them.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ShadowCell } from '../../src/core/book.ts';
import type { Compare, Mirror } from '../../src/core/model.ts';
import { PrimaryAnswer } from '../../src/mirror/job.ts';
import { openRig, type Rig, type RigJob, type RigRule, toDetail, toMirror, toShadow, until } from './rig.ts';
import { openHttpShadow, openRawShadow } from './shadow-server.ts';

const HEAD = 'GET /a?b\r\nhost: h\r\nx-request-id: id-7\r\n';
const JSON_LINES = 'content-type: application/json\r\n';
const JSON_TYPE = { 'content-type': 'application/json' };

interface Comparing {
  readonly rig: Rig;
  readonly rule: RigRule;
}

async function openComparing(
  t: TestContext,
  respond: (response: ServerResponse) => void,
  compare: Compare = toDetail(),
  edits: Partial<Mirror> = {},
): Promise<Comparing> {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, respond);
  const mirror = toMirror([toShadow(shadow.origin)], { compare, ...edits });
  return { rig, rule: rig.rule(mirror, 'api') };
}

function inline(body: string | Uint8Array, lines = JSON_LINES, status = 200): Partial<RigJob> {
  const bytes = Buffer.from(body);
  return {
    head: HEAD,
    answer: PrimaryAnswer.inline,
    status,
    lines,
    answerBody: bytes.length === 0 ? [] : [bytes],
    primaryLatencyMs: 1.5,
  };
}

const CELLS = [
  'compared',
  'mismatched',
  'status_mismatched',
  'header_mismatched',
  'body_mismatched',
  'noisy',
  'reduced',
] as const;

function counts({ rig, rule }: Comparing, cells: readonly (keyof typeof ShadowCell)[] = CELLS): number[] {
  return cells.map((cell) => rig.count(rule, cell));
}

/** Fields of the groups that were reported. */
async function readGroups({ rig }: Comparing): Promise<string[]> {
  await until(() => rig.reports.length > 0, 'the report');
  return rig.reports.flatMap(({ groups }) =>
    groups.map(({ fields, count }) => `${count} ${fields.join(' ')}`),
  );
}

const DOCUMENT = { id: 7, items: [{ n: 1 }, { n: 2 }], meta: { time: 't1' } };

for (const [what, primary, shadow, type, expected, groups] of [
  ['equal documents', DOCUMENT, DOCUMENT, 'application/json', [1, 0, 0, 0, 0, 0, 0], []],
  [
    'documents with the same fields in another order',
    { a: 1, b: 2 },
    { b: 2, a: 1 },
    'application/json',
    [1, 0, 0, 0, 0, 0, 0],
    [],
  ],
  [
    'a field of another value',
    DOCUMENT,
    { ...DOCUMENT, id: 8 },
    'application/json',
    [1, 1, 0, 0, 1, 0, 0],
    ['1 body:id'],
  ],
  [
    'elements of an array',
    DOCUMENT,
    { ...DOCUMENT, items: [{ n: 3 }, { n: 4 }] },
    'application/json',
    [1, 1, 0, 0, 1, 0, 0],
    ['1 body:items[].n'],
  ],
  ['another media type', DOCUMENT, DOCUMENT, 'text/json', [1, 1, 0, 1, 0, 0, 0], ['1 header:content-type']],
] as const) {
  test(`in detail, ${what}: counted by what differs`, async (t) => {
    const comparing = await openComparing(t, (response) =>
      response.writeHead(200, { 'content-type': type }).end(JSON.stringify(shadow)),
    );
    const { rig, rule } = comparing;
    rig.job(rule, inline(JSON.stringify(primary)));
    await rig.flush();
    await rig.stop();
    assert.deepEqual(counts(comparing), expected);
    assert.deepEqual(await readGroups(comparing), groups);
  });
}

test('status, headers and body are counted each, and the mismatch once', async (t) => {
  const comparing = await openComparing(t, (response) =>
    response
      .writeHead(500, { ...JSON_TYPE, 'x-a': 'other', 'x-b': 'extra', 'set-cookie': 'session=s3cret' })
      .end('{"id":8}'),
  );
  const { rig, rule } = comparing;
  rig.job(rule, inline('{"id":7}', `${JSON_LINES}x-a: one\r\nDate: never\r\n`));
  await rig.flush();
  await rig.stop();
  assert.deepEqual(counts(comparing), [1, 1, 1, 1, 1, 0, 0]);
  assert.deepEqual(counts(comparing, ['answered_5xx', 'primary_errors']), [1, 0]);
  await until(() => rig.reports.length === 1, 'the report');
  const [mismatch] = rig.reports[0]!.mismatches;
  assert.deepEqual(
    mismatch!.diffs.map(({ field, kind, primary, shadow }) => [field, kind, primary, shadow]),
    [
      ['status', 'value', '200', '500'],
      ['header:x-a', 'value', 'one', 'other'],
      ['header:x-b', 'extra', null, 'extra'],
      ['header:set-cookie', 'extra', null, '(masked)'],
      ['body:id', 'value', '7', '8'],
    ],
  );
  assert.deepEqual(
    [mismatch!.primaryStatus, mismatch!.shadowStatus, mismatch!.bodyMethod, mismatch!.note, mismatch!.isCut],
    [200, 500, 'json', null, false],
  );
});

test('a compressed answer is compared with what it is when it is decoded', async (t) => {
  const comparing = await openComparing(t, (response) =>
    response.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }).end(gzipSync('{"a": 1}')),
  );
  const { rig, rule } = comparing;
  rig.job(rule, inline('{"a":1}'));
  rig.job(rule, inline('{"a":2}'));
  await rig.flush();
  await rig.stop();
  assert.deepEqual(counts(comparing), [2, 1, 0, 0, 1, 0, 0]);
  assert.deepEqual(await readGroups(comparing), ['1 body:a']);
});

const BOUND = 1000;

for (const [what, primaryBytes, shadowBytes, expected] of [
  ['both at the bound', BOUND, BOUND, [2, 1, 0, 0, 1, 0, 0]],
  ['the shadow’s over it', BOUND, BOUND + 1, [2, 2, 0, 0, 2, 0, 2]],
  ['the primary’s over it', BOUND + 1, BOUND, [2, 2, 0, 0, 2, 0, 2]],
  ['both over it', BOUND + 1, BOUND + 1, [2, 1, 0, 0, 1, 0, 2]],
] as const) {
  for (const isStreamed of [false, true]) {
    test(`of bodies over max_body_capture only digests are compared: ${what}, ${isStreamed ? 'streamed' : 'inline'}`, async (t) => {
      const toDocument = (letter: string, bytes: number): Buffer =>
        Buffer.from(JSON.stringify({ a: letter.repeat(bytes - '{"a":""}'.length) }));
      const compare = toDetail({ maxBodyCaptureBytes: BOUND });
      const comparing = await openComparing(
        t,
        (response) => {
          const body = toDocument('x', shadowBytes);
          response.writeHead(200, JSON_TYPE);
          response.write(body.subarray(0, 500));
          response.end(body.subarray(500));
        },
        compare,
      );
      const { rig, rule } = comparing;
      for (const [index, letter] of ['x', 'y'].entries()) {
        const body = toDocument(letter, primaryBytes);
        if (!isStreamed) {
          rig.job(rule, inline(body));
          continue;
        }
        for (let at = 0; at < body.length; at += 99) rig.chunk(rule, index + 1, body.subarray(at, at + 99));
        const job = { ...inline(''), answer: PrimaryAnswer.streamed, stream: index + 1 };
        rig.job(rule, job);
      }
      await rig.flush();
      await rig.stop();
      assert.deepEqual(counts(comparing), expected);
      const isReduced = expected[6] > 0;
      await until(() => rig.reports.length === 1, 'the report');
      for (const { bodyMethod, note } of rig.reports[0]!.mismatches) {
        assert.equal(bodyMethod, isReduced ? 'digest' : 'json');
        assert.match(note ?? 'none', isReduced ? /longer than max_body_capture/ : /^none$/);
      }
    });
  }
}

test('a streamed primary body is compared in detail, beside others that are forgotten or never end', async (t) => {
  const body = JSON.stringify({ items: Array.from({ length: 20_000 }, (_, n) => ({ n })), end: 1 });
  const comparing = await openComparing(t, (response) =>
    response.writeHead(200, JSON_TYPE).end(body.replace('"end":1', '"end":2')),
  );
  const { rig, rule } = comparing;
  for (let at = 0; at < body.length; at += 16_384) {
    rig.chunk(rule, 5, Buffer.from(body.slice(at, at + 16_384)));
    rig.chunk(rule, 6, Buffer.from('a stream beside it'));
    rig.chunk(rule, 7, Buffer.from('one without an end'));
    await rig.flush();
  }
  rig.forget(rule, 6);
  rig.job(rule, { ...inline(''), answer: PrimaryAnswer.streamed, stream: 5 });
  await rig.flush();
  await rig.stop();
  assert.deepEqual(counts(comparing), [1, 1, 0, 0, 1, 0, 0]);
  assert.deepEqual(await readGroups(comparing), ['1 body:end']);
});

test('rules of a route hold: ignored headers and fields, unordered arrays, tolerances', async (t) => {
  const compare = toDetail({
    ignoreHeaders: ['x-served-by'],
    ignoreJsonFields: ['meta.time'],
    unordered: ['tags'],
    tolerances: [{ path: 'price', largest: 0.5, isRelative: false }],
  });
  const shadow = { meta: { time: 2, zone: 'a' }, tags: ['b', 'a'], price: 10.4 };
  const comparing = await openComparing(
    t,
    (response) => response.writeHead(200, { ...JSON_TYPE, 'x-served-by': 'two' }).end(JSON.stringify(shadow)),
    compare,
  );
  const { rig, rule } = comparing;
  const lines = `${JSON_LINES}x-served-by: one\r\n`;
  const primary = { meta: { time: 1, zone: 'a' }, tags: ['a', 'b'], price: 10 };
  rig.job(rule, inline(JSON.stringify(primary), lines));
  rig.job(rule, inline(JSON.stringify({ ...primary, price: 9.8 }), lines));
  await rig.flush();
  await rig.stop();
  assert.deepEqual(counts(comparing), [2, 1, 0, 0, 1, 0, 0]);
  assert.deepEqual(await readGroups(comparing), ['1 body:price']);
});

test('copies of a primary that failed count its error, whatever becomes of them', async (t) => {
  // By their path: a copy that met the end of a used connection is sent once more.
  const comparing = await openComparing(t, (response) => {
    if (response.req.url === '/reset') response.destroy();
    else response.writeHead(500).end();
  });
  const { rig, rule } = comparing;
  const jobs: Partial<RigJob>[] = [
    { answer: PrimaryAnswer.failed },
    { answer: PrimaryAnswer.incomplete },
    inline('', '', 503),
    { ...inline('', '', 500), answer: PrimaryAnswer.notCaptured },
    { answer: PrimaryAnswer.notCaptured, status: 200 },
    inline('', '', 499),
  ];
  for (const [index, job] of jobs.entries()) {
    rig.job(rule, { ...job, head: `GET ${index % 2 === 0 ? '/error' : '/reset'}\r\nhost: h\r\n` });
    await rig.flush();
  }
  await rig.stop();
  assert.deepEqual(
    counts(comparing, ['primary_errors', 'answered', 'answered_5xx', 'fail_reset']),
    [4, 3, 3, 3],
  );
});

for (const [bytes, expected] of [
  [5000, [1, 0, 1]],
  [5001, [0, 1, 0]],
] as const) {
  test(`an answer of ${bytes} bytes where 5,000 are allowed`, async (t) => {
    const comparing = await openComparing(
      t,
      (response) => response.writeHead(200, JSON_TYPE).end(Buffer.alloc(bytes, ' ')),
      toDetail(),
      { maxAnswerBytes: 5000 },
    );
    const { rig, rule } = comparing;
    rig.job(rule, inline(Buffer.alloc(5000, ' ')));
    await rig.flush();
    await rig.stop();
    assert.deepEqual(counts(comparing, ['answered', 'fail_answer_too_large', 'compared']), expected);
  });
}

test('an endless answer is cut off and counted, without compare too', async (t) => {
  const rig = openRig(t);
  let closed = 0;
  const shadow = await openRawShadow(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
    socket.on('close', () => closed++);
    const piece = `1000\r\n${'x'.repeat(4096)}\r\n`;
    const write = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', write);
    write();
  });
  for (const compare of [null, toDetail()]) {
    const mirror = toMirror([toShadow(shadow.origin)], { maxAnswerBytes: 1_000_000, compare });
    const rule = rig.rule(mirror, compare === null ? 'plain' : 'api');
    rig.job(rule, compare === null ? {} : inline('{}'));
    await rig.flush();
    await until(() => rig.count(rule, 'fail_answer_too_large') === 1, 'the end of the endless answer');
  }
  await until(() => closed === 2, 'its connections to be closed');
});

test('answers that a comparison could choke on harm nothing', async (t) => {
  const deep = 50_000;
  const bodies = [
    '['.repeat(deep) + ']'.repeat(deep),
    `${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}`,
    '{"a":1',
    Buffer.from([0xff, 0xfe, 0x00]),
    '{"__proto__":{"x":1},"constructor":null,"toString":3}',
    `[${'1,'.repeat(100_000)}2]`,
    '',
  ];
  let next = 0;
  const comparing = await openComparing(t, (response) =>
    response.writeHead(200, JSON_TYPE).end(bodies[next++]),
  );
  const { rig, rule } = comparing;
  for (let index = 0; index < bodies.length; index++) {
    rig.job(rule, inline(JSON.stringify([1, 2, 3])));
    await rig.flush();
    await until(() => rig.count(rule, 'compared') === index + 1, 'the comparison');
  }
  await rig.stop();
  assert.deepEqual(counts(comparing, ['compared', 'mismatched', 'body_mismatched']), [7, 7, 7]);
  assert.equal(rig.logs.length, 0);
});
