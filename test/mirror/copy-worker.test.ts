// A real mirror thread with rules about what copies may tell: what its shadows get, and how copies are counted that are not sent.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { type Mirror, ROLE_CONTROL } from '../../src/core/model.ts';
import { PrimaryAnswer } from '../../src/mirror/job.ts';
import { COMPARE, NO_REDACTION, openRig, type RigJob, toMirror, toShadow } from './rig.ts';
import { type HttpShadow, headerOf, openHttpShadow } from './shadow-server.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c';
const RECEIVED = `${TRACE}-b7ad6b7169203331-01`;
const RENEWED = /^00-0af7651916cd43dd8448eb211c80319c-([0-9a-f]{16})-01$/;
const HEAD = 'POST /a?token=1\r\nhost: h\r\ncontent-type: application/json\r\n';
const REDACTS: Partial<Mirror> = { redact: { ...NO_REDACTION, json: ['a'] } };
const SOUND = { head: HEAD, body: [Buffer.from('{"a":"se'), Buffer.from('cret","b":1}')] };
const UNSOUND = { head: HEAD, body: [Buffer.from('{"a":"se'), Buffer.from('cret"')] };

function answerOk(response: ServerResponse): void {
  response.end('ok');
}

function headersOf({ requests }: HttpShadow, name: string): (string | undefined)[] {
  return requests.map((request) => headerOf(request, name));
}

test('every shadow of every exchange has a span of its own, and the shadows of one exchange share its key', async (t) => {
  const rig = openRig(t);
  const shadows = [await openHttpShadow(t, answerOk), await openHttpShadow(t, answerOk)] as const;
  const [first, second] = shadows;
  const mirror = toMirror([toShadow(first.origin), toShadow(second.origin, { role: ROLE_CONTROL })], {
    idempotencyKey: true,
    maxInFlight: 1,
  });
  const rule = rig.rule(mirror);
  const trace = `traceparent: ${RECEIVED}\r\ntracestate: a=b\r\n`;
  for (let sent = 0; sent < 3; sent++) rig.job(rule, { head: `PUT /\r\nhost: h\r\n${trace}` });
  await rig.flush();
  await rig.stop();
  const spans = shadows.flatMap((shadow) =>
    headersOf(shadow, 'traceparent').map((value) => RENEWED.exec(value!)![1]),
  );
  assert.equal(new Set([...spans, 'b7ad6b7169203331']).size, 7);
  assert.deepEqual(headersOf(first, 'tracestate'), ['a=b', 'a=b', 'a=b']);
  const keys = headersOf(first, 'idempotency-key');
  assert.equal(new Set(keys).size, 3);
  assert.ok(!keys.includes(undefined));
  assert.deepEqual(headersOf(second, 'idempotency-key'), keys);
});

test('what a rule redacts reaches no shadow, and the copy is whole', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, answerOk);
  const redact = { headers: ['cookie'], query: ['token'], json: ['a'] };
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { redact, path: '/v2' }));
  const fields = 'cookie: a\r\ncontent-length: 20\r\ncookie: b\r\ndigest: x\r\n';
  rig.job(rule, { ...SOUND, head: `${HEAD}${fields}` });
  rig.job(rule, { ...SOUND, head: `${HEAD}cookie: a\r\n` });
  await rig.flush();
  await rig.stop();
  for (const { target, headers, body } of shadow.requests) {
    assert.equal(target, '/v2?token=redacted');
    assert.equal(body, '{"a":"redacted","b":1}');
    assert.doesNotMatch(headers.join(), /digest|transfer-encoding/i);
  }
  assert.deepEqual(headersOf(shadow, 'content-length'), ['22', '22']);
  const cookies = shadow.requests.map(({ headers }) =>
    headers.filter((_, at) => headers[at - 1] === 'cookie'),
  );
  assert.deepEqual(cookies, [['redacted', 'redacted'], ['redacted']]);
  assert.equal(rig.count(rule, 'answered'), 2);
});

test('a copy that cannot be redacted is sent to nobody, and counted for every shadow that it was for', async (t) => {
  const rig = openRig(t);
  const shadows = [await openHttpShadow(t, answerOk), await openHttpShadow(t, answerOk)] as const;
  const rule = rig.rule(
    toMirror(
      shadows.map(({ origin }) => toShadow(origin)),
      REDACTS,
    ),
  );
  rig.job(rule, UNSOUND);
  rig.job(rule, { ...UNSOUND, shadows: 0b10 });
  rig.job(rule, SOUND);
  await rig.flush();
  await rig.stop();
  for (const [at, count] of [1, 2].entries()) {
    assert.equal(rig.count(rule, 'skip_unredactable', at), count);
    assert.equal(rig.count(rule, 'received', at), count + 1);
    assert.deepEqual(
      shadows[at]!.requests.map(({ body }) => body),
      ['{"a":"redacted","b":1}'],
    );
  }
});

test('a copy that cannot be redacted takes nothing of the limit', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, answerOk);
  const limit = { count: 2, windowMs: 3_600_000, policy: 'local', redis: null } as const;
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { ...REDACTS, limit }));
  for (let sent = 0; sent < 3; sent++) {
    rig.job(rule, UNSOUND);
    rig.job(rule, SOUND);
  }
  await rig.flush();
  await rig.stop();
  assert.equal(shadow.requests.length, 2);
  assert.equal(rig.count(rule, 'skip_unredactable'), 3);
  assert.equal(rig.count(rule, 'skip_limit'), 1);
});

test('where answers are compared, that of an exchange which cannot be redacted is let go, and the next one is compared', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, answerOk);
  const compare = { ...COMPARE, logMismatches: false };
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { ...REDACTS, compare }));
  const streamed: Partial<RigJob> = { answer: PrimaryAnswer.streamed, status: 200, stream: 1 };
  // The same stream twice: had the first job left it open, the second one’s digest would be of both.
  for (const job of [UNSOUND, SOUND]) {
    rig.chunk(rule, 1, Buffer.from('o'));
    rig.chunk(rule, 1, Buffer.from('k'));
    rig.job(rule, { ...job, ...streamed });
  }
  rig.job(rule, { ...UNSOUND, answer: PrimaryAnswer.inline, status: 200, answerBody: [Buffer.from('ok')] });
  await rig.flush();
  await rig.stop();
  assert.equal(shadow.requests.length, 1);
  assert.equal(rig.count(rule, 'skip_unredactable'), 2);
  assert.equal(rig.count(rule, 'compared'), 1);
  assert.equal(rig.count(rule, 'mismatched'), 0);
});
