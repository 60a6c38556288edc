// What a job keeps of values that its shadows must not see, and which jobs are not sent for their sake.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Redaction } from '../../src/core/model.ts';
import { type Job, PrimaryAnswer } from '../../src/mirror/job.ts';
import { compileRedaction, redactJob as redactByRules, redactHead } from '../../src/mirror/redaction.ts';
import { toHeadText } from './head.ts';
import { NO_REDACTION } from './rig.ts';

function redactJob(job: Job, redact: Redaction): Job | null {
  return redactByRules(job, compileRedaction(redact));
}

function toText(...lines: readonly string[]): string {
  return toHeadText(['POST /a?token=1&b=2', ...lines, ''].join('\r\n'));
}

function toRedaction(edits: Partial<Redaction>): Redaction {
  return { ...NO_REDACTION, ...edits };
}

test('every line of a named header stays in its place without its value, the framing as it is', () => {
  const names = ['authorization', 'cookie', 'x-none', 'content-length', 'transfer-encoding'];
  const lines = (secret: string): string[] => [
    'host: h',
    `cookie: ${secret}`,
    'x-cookie: c',
    `authorization: ${secret}`,
    'content-length: 3',
    `cookie: ${secret === '' ? 'd=e' : secret}`,
  ];
  const head = redactHead(toText(...lines('')), toRedaction({ headers: names }));
  assert.equal(head, toText(...lines('redacted')));
  const both = redactHead(toText(...lines('a: 1')), toRedaction({ headers: names, query: ['token'] }));
  assert.equal(both, toText(...lines('redacted')).replace('token=1', 'token=redacted'));
});

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

const JSON_RULE = toRedaction({ json: ['user.name', 'cards[]'] });
const JSON_TYPE = 'content-type: application/json';
const BODY =
  '{ "user": {"name": "Ann", "age": 7}, "cards": [12, "x", true, null, [{"a": "b"}]], "cards2": [1] }';
const REDACTED_BODY =
  '{ "user": {"name": "redacted", "age": 7}, "cards": [0, "redacted", false, null, [{"a": "redacted"}]], "cards2": [1] }';

test('without rules a job is itself', () => {
  const job = toJob('{', JSON_TYPE, 'content-encoding: gzip');
  assert.equal(redactJob(job, NO_REDACTION), job);
});

test('values at and below the places of a JSON body lose what they say and keep their types', () => {
  for (const lines of [[JSON_TYPE], ['content-type: text/plain'], ['content-type: image/png'], []]) {
    const job = toJob(BODY, 'host: h', ...lines, `content-length: ${BODY.length}`, 'x: 1');
    const { headText, body, bytes, ...rest } = redactJob(job, JSON_RULE)!;
    assert.equal(body.toString(), REDACTED_BODY);
    const length = `content-length: ${REDACTED_BODY.length}`;
    assert.equal(headText, toText('host: h', ...lines, length, 'x: 1'));
    const { headText: _head, body: _body, bytes: before, ...other } = job;
    assert.deepEqual(rest, other);
    assert.equal(bytes - before, REDACTED_BODY.length - BODY.length + headText.length - job.headText.length);
    // What the job's memory holds may be another copy's.
    assert.equal(job.body.toString(), BODY);
  }
});

test('a value is found however its name is written, and as often as it is there', () => {
  for (const [body, redacted] of [
    [
      '{"user":{"name":"Ann"},"user":{"name":"Bo","name":7}}',
      '{"user":{"name":"redacted"},"user":{"name":"redacted","name":0}}',
    ],
    ['{"us\\u0065r":{"n\\u0061me":"\\"Ann\\\\"}}', '{"us\\u0065r":{"n\\u0061me":"redacted"}}'],
    ['{"user":{"name":[1.50,{"x":-2e9}]}}', '{"user":{"name":[0,{"x":0}]}}'],
    [
      '{"n":1.50,"big":12345678901234567890,"user":{"name":"ü"}} ',
      '{"n":1.50,"big":12345678901234567890,"user":{"name":"redacted"}} ',
    ],
  ] as const) {
    assert.equal(redactJob(toJob(body, JSON_TYPE), JSON_RULE)!.body.toString(), redacted);
  }
});

test('a body that came in chunks gets no length here', () => {
  const { headText } = redactJob(toJob(BODY, JSON_TYPE), JSON_RULE)!;
  assert.equal(headText, toText(JSON_TYPE));
});

const DIGESTS = ['content-digest: sha-256=:a:', 'content-md5: a', 'digest: a', 'digest: b', 'repr-digest: a'];

test('nothing vouches for a body that was changed, and what vouches for another stays', () => {
  const changed = redactJob(toJob(BODY, 'a: 1', ...DIGESTS, JSON_TYPE, 'want-digest: x'), JSON_RULE)!;
  assert.equal(changed.headText, toText('a: 1', JSON_TYPE, 'want-digest: x'));
  for (const body of ['{"user": "Ann"}', '{"user": {"name": "redacted"}}', '[]', '"text"', '7', ' null']) {
    const job = toJob(body, ...DIGESTS, JSON_TYPE);
    const same = redactJob(job, JSON_RULE)!;
    assert.equal(same.body.toString(), body);
    assert.equal(same.headText, job.headText);
  }
});

test('header lines that say what a body is are read before their values are replaced', () => {
  const rule = toRedaction({ json: ['a'], headers: ['content-type', 'content-encoding'] });
  assert.equal(redactJob(toJob('7,', JSON_TYPE), rule), null);
  assert.equal(redactJob(toJob('x', 'content-encoding: gzip'), rule), null);
  const { headText } = redactJob(toJob('x', 'content-type: text/plain'), rule)!;
  assert.equal(headText, toText('content-type: redacted'));
});

const GZIPPED = 'content-encoding: gzip';

/** What some readers skip in front of JSON, and the standard does not know. */
const NO_JSON_BEFORE = [
  ['a guard', ")]}',\n"],
  ['a comment', '/*x*/'],
  ['a form feed', '\f'],
  ['a vertical tab', '\v'],
  ['a hard space', '\u00a0'],
  ['the mark of a JSON sequence', '\x1e'],
] as const;

const UNREDACTABLE: readonly (readonly [what: string, body: string | Uint8Array, ...lines: string[]])[] = [
  ['typed JSON that is none', 'a=1', JSON_TYPE],
  ['typed JSON that ends early', '{"user":', JSON_TYPE],
  ['typed JSON with something after it', '{} {}', 'content-type: application/json; charset=utf-8'],
  ['JSON of another kind', '{"a":1}\n{"a":2}\n', 'content-type: application/x-ndjson'],
  ['a type with a suffix', 'x', 'content-type: application/Problem+JSON; v=1'],
  ['one of two types', 'x', 'content-type: text/plain', 'content-type: text/json'],
  ['typed JSON of blanks alone', ' \n', JSON_TYPE],
  ...NO_JSON_BEFORE.map(
    ([what, before]) => [`typed JSON after ${what}`, `${before}${BODY}`, JSON_TYPE] as const,
  ),
  ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), JSON_TYPE],
  ['text that begins like an object', ' \r\n\t{user: 1}', 'content-type: text/plain'],
  ['text that begins like an array', '[user]', 'content-type: text/plain'],
  ['text that begins like a string', '"a","b"', 'content-type: text/csv'],
  ['no type', '{"user"'],
  ['UTF-16', Buffer.from('\ufeff{"user":{"name":"Ann"}}', 'utf16le'), 'content-type: text/plain'],
  ['UTF-16, big end first', Buffer.from('{"a":1}', 'utf16le').swap16(), 'content-type: text/plain'],
  ['compressed', 'x', JSON_TYPE, GZIPPED],
  ['compressed, of whatever type', 'x', 'content-type: image/png', GZIPPED],
  ['compressed, in one of several lines', BODY, 'content-encoding: identity', GZIPPED],
  ['compressed, in one of several codings', BODY, 'content-encoding: identity , br'],
];

for (const [what, body, ...lines] of UNREDACTABLE) {
  test(`a body that may hold what must be redacted is not sent: ${what}`, () => {
    assert.equal(redactJob(toJob(body, ...lines), JSON_RULE), null);
    // Rules for other parts of a request ask nothing of its body.
    const other = toRedaction({ query: ['token'], headers: ['x'] });
    assert.equal(
      redactJob(toJob(body, ...lines), other)?.body.toString('hex'),
      Buffer.from(body as string).toString('hex'),
    );
  });
}

const PASSED: readonly (readonly [what: string, body: string | Uint8Array, ...lines: string[]])[] = [
  ['nothing', '', JSON_TYPE, GZIPPED],
  ['a form', 'user=%7B%7D', 'content-type: application/x-www-form-urlencoded'],
  ['a form with parts', '--x\r\n\r\n{"user":1}\r\n--x--', 'content-type: multipart/form-data; boundary=x'],
  ['text', 'user: Ann', 'content-type: text/plain; of=json'],
  ['text that begins like a word of JSON', 'true story, 7 of them', 'content-type: text/plain'],
  ['blanks', ' \n', 'content-type: text/plain'],
  ...NO_JSON_BEFORE.map(
    ([what, before]) => [`JSON after ${what}`, `${before}${BODY}`, 'content-type: text/plain'] as const,
  ),
  ...NO_JSON_BEFORE.map(([what, before]) => [`JSON after ${what}, of no type`, `${before}${BODY}`] as const),
  ['binary', Buffer.from([1, 2, 3]), 'content-type: application/octet-stream'],
  ['binary without a type', Buffer.from([0x80])],
  ['no coding at all', 'text', 'content-encoding: Identity', 'content-encoding: '],
];

for (const [what, body, ...lines] of PASSED) {
  test(`a body that is no JSON goes as it is: ${what}`, () => {
    const job = toJob(body, ...lines);
    const redacted = redactJob(job, JSON_RULE)!;
    assert.equal(redacted.body, job.body);
    assert.equal(redacted.headText, job.headText);
  });
}

test('JSON is redacted up to 1 MiB, and not sent beyond', () => {
  const toBody = (bytes: number): string => `{"user":{"name":"${'x'.repeat(bytes - 20)}"}}`;
  const atMost = redactJob(toJob(toBody(2 ** 20), JSON_TYPE), JSON_RULE)!;
  assert.equal(atMost.body.toString(), '{"user":{"name":"redacted"}}');
  assert.equal(redactJob(toJob(toBody(2 ** 20 + 1), JSON_TYPE), JSON_RULE), null);
  const text = toJob(`text ${toBody(2 ** 20 + 1)}`, 'content-type: text/plain');
  assert.equal(redactJob(text, JSON_RULE)!.body, text.body);
});
