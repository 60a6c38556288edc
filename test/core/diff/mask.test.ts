// What is never shown of an answer: credentials, and what a copy does not tell its shadow.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MASKED } from '../../../src/core/diff/answer-diff.ts';
import { isCredentialName } from '../../../src/core/diff/credential.ts';
import { diffAnswers } from '../../../src/core/diff/differ.ts';
import { diffJsonTexts, JSON_TYPE, type RuleEdits, toAnswer, toLines, toRules } from './answers.ts';

function findInHeads(primary: readonly string[], shadow: readonly string[], edits: RuleEdits): string[] {
  return toLines(diffAnswers(toAnswer('', primary), toAnswer('', shadow), toRules(edits)).diffs);
}

test('names of what lets somebody in are known, and others are not taken for them', () => {
  const names = [
    'authorization',
    'x-jwt',
    'x-goog-iap-jwt-assertion',
    'x-amz-signature',
    'x-amz-credential',
    'x-hub-signature-256',
    'x-sig',
    'x-access-key',
    'x-access_key',
    'arg_access_key',
    'x-api-key',
    'apikey',
    'x-passwd',
    'x-user-pass',
    'x-bearer',
    'x-oauth-scopes',
    'x-otp',
    'sid',
    'x-sid',
    'cookie_session',
    'x-client-cert',
    'ssl-client-cert',
    'X-Forwarded-Client-Cert',
    'http_x_auth',
  ];
  for (const name of names) assert.equal(isCredentialName(name), true, name);
  const others = [
    'x-request-id',
    'inside',
    'x-side',
    'author',
    'x-pinned',
    'x-pass-through',
    'hotpot',
    'idempotency-key',
    'sec-websocket-key',
    'surrogate-key',
    'content-type',
    'x-assignment',
    'design',
  ];
  for (const name of others) assert.equal(isCredentialName(name), false, name);
});

test('redacted headers are masked in answers', () => {
  const redact = { headers: ['x-customer'] };
  assert.deepEqual(
    findInHeads(['X-Customer', '4711', 'X-Shop', '1'], ['X-Customer', '4712', 'X-Shop', '2'], { redact }),
    [`value header:x-customer: ${MASKED} → ${MASKED}`, 'value header:x-shop: 1 → 2'],
  );
  assert.deepEqual(findInHeads(['X-Customer', '4711'], [], { redact }), [
    `missing header:x-customer: ${MASKED} → nothing`,
  ]);
});

test('redacted query parameters are masked in headers that are URLs, and nothing else of them', () => {
  const edits = { redact: { query: ['tok', 'sess ion'] } };
  const table: readonly (readonly [string, string, string])[] = [
    ['location', '/a?x=1&tok=4711&y=2', `/a?x=1&tok=${MASKED}&y=2`],
    ['Location', 'https://a/?T%6Fk=4711', `https://a/?T%6Fk=${MASKED}`],
    ['content-location', '/?sess+ion=4711#part', `/?sess+ion=${MASKED}`],
    ['location', '/#tok=4711', `/#tok=${MASKED}`],
    ['location', '/?a=1#tok=4711', MASKED],
    ['refresh', '0; url=/?tok=4711', `0; url=/?tok=${MASKED}`],
    ['link', '</?tok=4711>; rel="next"', `</?tok=${MASKED}`],
    ['link', '</?a=1>; rel="prev", </?tok=4711>; rel="next"', MASKED],
    ['location', '/?tok=47?11', `/?tok=${MASKED}`],
    ['location', `/?${'a?'.repeat(1_000)}tok=4711`, MASKED],
    ['location', '/tok=4711', '/tok=4711'],
    ['location', '/?a=b?c=d', '/?a=b?c=d'],
    ['x-url', '/?tok=4711', '/?tok=4711'],
  ];
  for (const [name, value, shown] of table) {
    const field = `header:${name.toLowerCase()}`;
    assert.deepEqual(findInHeads([name, value], [], edits), [`missing ${field}: ${shown} → nothing`]);
    assert.deepEqual(findInHeads([name, value], [name, '/'], edits), [`value ${field}: ${shown} → /`]);
  }
  assert.deepEqual(findInHeads(['location', '/?tok=1'], ['location', '/?tok=1'], edits), []);
  assert.equal(findInHeads(['location', '/?tok=1'], ['location', '/?tok=2'], edits).length, 1);
});

test('what is redacted in JSON is masked in answers, and hides what a mask hides', () => {
  const edits = { redact: { json: ['user.ssn', 'cards[]'] } };
  const secret = 'SECRET-4711';
  const table: readonly (readonly [unknown, unknown])[] = [
    [{ user: { ssn: secret } }, { user: { ssn: 'x' } }],
    [{ user: { ssn: secret } }, { user: [{ ssn: secret }] }],
    [{ user: { ssn: secret } }, { data: { user: { ssn: secret } } }],
    [{ user: { ssn: secret } }, { user: secret }],
    [{ a: [{ ssn: secret }, 1] }, { a: [1, { ssn: secret }] }],
    [{ cards: [secret] }, { x: { cards: { a: [secret] } } }],
    [{ x: { cards: { a: [secret] } } }, { x: { cards: { a: ['y'] } } }],
    [[{ ssn: { a: secret } }], [{ ssn: { a: 1 } }]],
  ];
  for (const [primary, shadow] of table) {
    for (const [one, two] of [
      [primary, shadow],
      [shadow, primary],
    ]) {
      const text = JSON.stringify(diffJsonTexts(JSON.stringify(one), JSON.stringify(two), edits));
      assert.ok(!text.includes('4711') && text.includes(MASKED), text);
    }
  }
  const [plain, broken] = [toAnswer('{"a":1}', JSON_TYPE), toAnswer('{"a":', JSON_TYPE)];
  assert.deepEqual(toLines(diffAnswers(plain, broken, toRules(edits)).diffs), [
    'digest body: 7 bytes → 5 bytes',
  ]);
});
