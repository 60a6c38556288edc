// What redaction does to posted forms and to header lines that hold URLs, and what it does not let a body or a defect do.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { LogFields } from '../../src/core/log.ts';
import type { Redaction } from '../../src/core/model.ts';
import { type Job, PrimaryAnswer } from '../../src/mirror/job.ts';
import { compileRedaction, JobRedactor, redactHead, redactJob } from '../../src/mirror/redaction.ts';
import { toHeadText } from './head.ts';
import { NO_REDACTION, openRig, toMirror, toShadow, until } from './rig.ts';
import { openHttpShadow } from './shadow-server.ts';

const FORM_TYPE = 'content-type: application/x-www-form-urlencoded';
const RULE: Redaction = { ...NO_REDACTION, query: ['password'] };
const MEBIBYTE = 2 ** 20;

function toText(...lines: readonly string[]): string {
  return toHeadText(['POST /a', ...lines, ''].join('\r\n'));
}

function toJob(body: string | Uint8Array, ...lines: readonly string[]): Job {
  return {
    rule: 1,
    shadows: 1,
    answer: PrimaryAnswer.none,
    status: 0,
    stream: 0,
    primaryLatencyMs: 0,
    tappedMs: 0,
    bytes: 1_000,
    headText: toText(...lines),
    lines: '',
    body: Buffer.from(body as string),
    answerBody: Buffer.alloc(0),
  };
}

function redact(job: Job, rule: Redaction): Job | null {
  return redactJob(job, compileRedaction(rule));
}

test('what is named in the query is replaced in a form as well, and every other byte stays', () => {
  for (const [body, redacted] of [
    ['user=ann&password=s3cret&x=%20+y', 'user=ann&password=redacted&x=%20+y'],
    ['pass%77ord=a&PASSWORD[]=b;c&password', 'pass%77ord=redacted&PASSWORD[]=redacted&password'],
    ['a=1;password=2&b=\xff\xfc', 'a=1;password=redacted&b=\xff\xfc'],
    ['=&&=password&password==', '=&&=password&password=redacted'],
  ] as const) {
    const lines = ['digest: x', FORM_TYPE, `content-length: ${body.length}`];
    const job = redact(toJob(Buffer.from(body, 'latin1'), ...lines), RULE)!;
    assert.equal(job.body.toString('latin1'), redacted);
    assert.equal(job.headText, toText(FORM_TYPE, `content-length: ${redacted.length}`));
    assert.equal(redact(job, RULE)!.body, job.body);
  }
});

test('a form is one by its media type alone, whatever else is about it', () => {
  const body = 'password=s3cret';
  for (const lines of [
    ['content-type: application/X-WWW-Form-Urlencoded; charset=utf-8'],
    ['content-type: text/plain', FORM_TYPE],
    [FORM_TYPE, 'content-encoding: identity'],
  ]) {
    assert.equal(redact(toJob(body, ...lines), RULE)!.body.toString(), 'password=redacted');
  }
  for (const lines of [[], ['content-type: text/plain'], ['content-type: multipart/form-data; boundary=x']]) {
    const job = toJob(body, ...lines);
    assert.equal(redact(job, RULE), job);
  }
});

test('a body that may be read as a form and as JSON is redacted as both', () => {
  const both: Redaction = { ...RULE, json: ['a'] };
  assert.equal(redact(toJob('{"a":"x","b":1}', FORM_TYPE), both)!.body.toString(), '{"a":"redacted","b":1}');
  assert.equal(redact(toJob('password=1', FORM_TYPE), both)!.body.toString(), 'password=redacted');
  assert.equal(redact(toJob('{"a":1&password=1', FORM_TYPE), both), null);
});

test('a form that cannot be looked through is not sent', () => {
  assert.equal(redact(toJob('x', FORM_TYPE, 'content-encoding: gzip'), RULE), null);
  const long = (bytes: number): string => `password=${'x'.repeat(bytes - 9)}`;
  assert.equal(redact(toJob(long(MEBIBYTE), FORM_TYPE), RULE)!.body.toString(), 'password=redacted');
  assert.equal(redact(toJob(long(MEBIBYTE + 1), FORM_TYPE), RULE), null);
  const many = (count: number): string => Array(count).fill('a=1').join('&');
  assert.ok(redact(toJob(many(20_000), FORM_TYPE), RULE) !== null);
  assert.equal(redact(toJob(many(20_001), FORM_TYPE), RULE), null);
  const growing = (count: number): string => Array(count).fill('password=').join('&');
  const most = 2 ** 16 / 'redacted'.length;
  assert.equal(redact(toJob(growing(most), FORM_TYPE), RULE)!.body.length, growing(most).length + 2 ** 16);
  assert.equal(redact(toJob(growing(most + 1), FORM_TYPE), RULE), null);
  // Not looked into: of other kinds.
  const packed = toJob('x', 'content-type: text/plain', 'content-encoding: gzip');
  assert.equal(redact(packed, RULE), packed);
});

test('a parameter that must not be told is not told by a header line that holds a URL', () => {
  const lines = (value: string): string[] => [
    `referer: https://h/a?b=1&password=${value}&c`,
    'origin: https://h',
    `x-original-url: /a?password=${value}`,
    `referer: /?PASSWORD=${value}`,
    `x-forwarded-uri: /a?password=${value}`,
    'x-other: /a?password=s3cret',
    'referer: https://h/password=1',
  ];
  assert.equal(redactHead(toText(...lines('s3cret')), RULE), toText(...lines('redacted')));
  assert.equal(redactHead(toText(...lines('s3cret')), NO_REDACTION), toText(...lines('s3cret')));
  const named = redactHead(toText(...lines('s3cret')), { ...RULE, headers: ['referer'] });
  assert.equal(named.match(/^referer: redacted\r$/gm)?.length, 3);
});

test('a body that grows too much by being redacted is not sent', () => {
  const hostile = `[${Array(MEBIBYTE / 4)
    .fill('""')
    .join()}]`;
  const everything: Redaction = { ...NO_REDACTION, json: ['$'] };
  assert.equal(redact(toJob(hostile, 'content-type: application/json'), everything), null);
});

test('a defect costs the copy and not the thread, and is told once a second, without the body', () => {
  const told: [string, LogFields][] = [];
  let suppressed = 0;
  const host = {
    log: (_level: string, message: string, fields: LogFields) => told.push([message, fields]) > 1,
    onLogSuppressed: () => suppressed++,
  };
  // A path that the config lets nobody write.
  const redactor = new JobRedactor(host, 'api', { ...NO_REDACTION, json: ['s3cret['] });
  const job = toJob('{"a":"s3cret"}', 'content-type: application/json');
  const began = performance.now();
  for (let round = 0; round < 100; round++) assert.equal(redactor.redact(job), null);
  const seconds = Math.floor((performance.now() - began) / 1000);
  assert.ok(told.length >= 1 && told.length <= 1 + seconds, `${told.length}`);
  assert.equal(suppressed, 1);
  const [message, fields] = told[0]!;
  assert.equal(message, 'redaction failed');
  assert.equal(fields.route, 'api');
  assert.match(String(fields.cause), /^AssertionError\n +at /);
  assert.doesNotMatch(JSON.stringify(told), /s3cret/);
});

test('a mirror thread lives on after a defect, and what it could not redact is counted', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, (response) => response.end('ok'));
  const broken = rig.rule(
    toMirror([toShadow(shadow.origin)], { redact: { ...NO_REDACTION, json: ['a['] } }),
    'broken',
  );
  const sound = rig.rule(toMirror([toShadow(shadow.origin)], { redact: RULE }), 'sound');
  const head = `POST /\r\nhost: h\r\n${FORM_TYPE}\r\n`;
  for (const rule of [broken, broken, sound]) rig.job(rule, { head, body: [Buffer.from('password=s3cret')] });
  await rig.flush();
  await rig.stop();
  assert.equal(rig.count(broken, 'skip_unredactable'), 2);
  assert.deepEqual(
    shadow.requests.map(({ body }) => body),
    ['password=redacted'],
  );
  await until(() => rig.logs.length > 0, 'the log of the defect');
  assert.deepEqual(
    rig.logs.map(({ message }) => message),
    ['redaction failed'],
  );
});

test('what a copy has grown by counts for the queue for as long as it waits', async (t) => {
  const rig = openRig(t);
  const held: ServerResponse[] = [];
  const shadow = await openHttpShadow(t, (response) => held.push(response));
  const redact: Redaction = { ...NO_REDACTION, json: ['$'] };
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { maxInFlight: 1, redact }));
  rig.job(rule);
  const first = rule.bytes;
  const values = 1_000;
  const body = [Buffer.from(`[${Array(values).fill('""').join()}]`)];
  rig.job(rule, { head: 'POST /\r\nhost: h\r\ncontent-type: application/json\r\n', body });
  await rig.flush();
  await until(() => held.length === 1 && rig.waiting() === 1, 'one copy at the shadow and one that waits');
  assert.equal(rig.count(rule, 'released_bytes'), first - values * 'redacted'.length);
  held[0]!.end('ok');
  await until(() => held.length === 2, 'the second copy');
  // The shadow may have the copy before its thread has counted it.
  await until(() => rig.count(rule, 'released_bytes') === rule.bytes, 'the bytes of both');
  held[1]!.end('ok');
});
