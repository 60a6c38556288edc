// What a shadow is not told, through a real front end: the primary gets everything as it came, the copy what the rule leaves.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { METHODS_SAFE, type Mirror } from '../../src/core/model.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { type RawRequest, request } from '../kit/raw.ts';
import type { RecordedRequest } from '../kit/recording.ts';
import { COMPARE, NO_REDACTION, toMirror, toShadow } from '../mirror/rig.ts';
import { type MirrorFrontend, openMirrorFrontend, toRoute } from './mirror-frontend.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const JSON_TYPE = 'Content-Type: application/json';

interface Scene {
  readonly frontend: MirrorFrontend;
  readonly primary: Origin;
  readonly shadows: readonly Origin[];
}

async function openScene(t: TestContext, edits: Partial<Mirror>, shadowCount = 1): Promise<Scene> {
  const primary = await openOrigin({ behaviour: { body: 'ok' } });
  const shadows = await Promise.all(
    Array.from({ length: shadowCount }, () => openOrigin({ behaviour: { body: 'ok' } })),
  );
  t.after(async () => {
    for (const origin of [primary, ...shadows]) assert.deepEqual(origin.bad, []);
    await Promise.all([primary, ...shadows].map((origin) => origin.close()));
  });
  const mirror = toMirror(
    shadows.map(({ url }) => toShadow(url)),
    edits,
  );
  return { frontend: openMirrorFrontend(t, toRoute(primary.url, mirror)), primary, shadows };
}

/** One after the other, so that primary and shadows have them in the same order. */
async function send({ frontend }: Scene, requests: readonly RawRequest[]): Promise<void> {
  for (const one of requests) assert.equal((await request(frontend.port, one)).status, 200);
}

/** Without what belongs to the connection. */
function fieldsOf({ fields }: RecordedRequest): string[] {
  return fields.filter((field) => !/^connection:/i.test(field));
}

for (const [how, compare] of [
  ['at once', null],
  ['after the primary’s answer', COMPARE],
] as const) {
  test(`headers, parameters and JSON fields are redacted on the copy alone, which leaves ${how}`, async (t) => {
    const redact = { headers: ['authorization', 'cookie'], query: ['token'], json: ['user.name', 'cards[]'] };
    const scene = await openScene(t, { redact, compare }, 2);
    const { frontend, primary, shadows } = scene;
    const body = '{"user":{"name":"Ann","age":7},"cards":[12,"x"],"n":1.50}';
    const kept = '{"user":{"name":"redacted","age":7},"cards":[0,"redacted"],"n":1.50}';
    const fields = [
      'Authorization: Basic YTpi',
      'Cookie: a=1',
      'X-Kept: 1',
      'Cookie: b=2',
      JSON_TYPE,
      'Digest: x',
    ];
    const path = '/a%2f?a=%20&t%6Fken=s3cret&b&token=again';
    await send(scene, [{ method: 'POST', path, fields, body }]);
    await frontend.settled(2);
    const [original] = primary.requests;
    assert.equal(original!.line, `POST ${path} HTTP/1.1`);
    assert.equal(original!.body.toString(), body);
    for (const field of ['authorization: Basic YTpi', 'cookie: a=1', 'cookie: b=2', 'digest: x']) {
      assert.ok(original!.fields.includes(field), field);
    }
    const expected = fieldsOf(original!)
      .filter((field) => field !== 'digest: x')
      .map((field) => field.replace(/^(authorization|cookie): .*/, '$1: redacted'))
      .map((field) => field.replace(/^content-length: .*/, `content-length: ${kept.length}`));
    for (const shadow of shadows) {
      const [copy, ...others] = shadow.requests;
      assert.deepEqual(others, []);
      assert.equal(copy!.line, 'POST /a%2f?a=%20&t%6Fken=redacted&b&token=redacted HTTP/1.1');
      assert.equal(copy!.body.toString(), kept);
      assert.deepEqual(fieldsOf(copy!).toSorted(), [...expected, 'x-umbra-mirror: api'].toSorted());
    }
  });
}

test('of requests that write, those are copied that can be redacted, and the clients of all are answered', async (t) => {
  const scene = await openScene(t, { redact: { ...NO_REDACTION, json: ['a'] } }, 2);
  const { frontend, primary, shadows } = scene;
  const chunked = '5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n';
  const toRequest = (path: string, body: string, ...fields: string[]): RawRequest => {
    return { method: 'POST', path, body, fields };
  };
  await send(scene, [
    toRequest('/sound', '{"a":1}', JSON_TYPE),
    toRequest('/cut', '{"a":1', JSON_TYPE),
    toRequest('/packed', '{"a":1}', JSON_TYPE, 'Content-Encoding: gzip'),
    toRequest('/form', 'a=1', 'Content-Type: application/x-www-form-urlencoded'),
    toRequest('/chunked', chunked, JSON_TYPE, 'Transfer-Encoding: chunked'),
  ]);
  const report = await frontend.settled(10);
  assert.equal(report.skipped.unredactable, 4);
  assert.equal(report.total_success, 6);
  const seen = ({ requests }: Origin): string[] =>
    requests.map(({ line, body }) => `${line.slice(0, -' HTTP/1.1'.length)} ${body}`).toSorted();
  assert.deepEqual(seen(primary), [
    'POST /chunked {"a":1}',
    'POST /cut {"a":1',
    'POST /form a=1',
    'POST /packed {"a":1}',
    'POST /sound {"a":1}',
  ]);
  const copies = ['POST /chunked {"a":0}', 'POST /form a=1', 'POST /sound {"a":0}'];
  for (const shadow of shadows) assert.deepEqual(seen(shadow), copies);
});

test('primary and copies are in one trace, each copy as a span of its own', async (t) => {
  const scene = await openScene(t, {}, 3);
  const { frontend, primary, shadows } = scene;
  const fields = [`Traceparent: ${TRACE}-${SPAN}-01`, 'Tracestate: rojo=00f067aa0ba902b7', 'Tracestate: b=c'];
  const unsound = [`Traceparent: ${TRACE}-${SPAN}-01-more`, 'Tracestate: a=b'];
  await send(scene, [{ fields }, { fields: unsound }, {}]);
  await frontend.settled(9);
  const spans = new Set([SPAN]);
  assert.deepEqual(
    primary.requests.map((one) => one.field('traceparent')),
    [`${TRACE}-${SPAN}-01`, `${TRACE}-${SPAN}-01-more`, null],
  );
  for (const { requests } of shadows) {
    const traces = requests.map((one) => one.field('traceparent'));
    const traced = requests.find((one) => one.allFields('tracestate').length === 2)!;
    const value = traced.field('traceparent')!;
    assert.match(value, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    spans.add(value.slice(36, 52));
    assert.deepEqual(traced.allFields('tracestate'), ['rojo=00f067aa0ba902b7', 'b=c']);
    assert.ok(traces.includes(`${TRACE}-${SPAN}-01-more`));
    assert.equal(traces.filter((trace) => trace === null).length, 1);
  }
  assert.equal(spans.size, 4);
});

test('copies that write have a key, one for each exchange; the primary’s request has none', async (t) => {
  const scene = await openScene(t, { idempotencyKey: true }, 2);
  const { frontend, primary, shadows } = scene;
  const methods = ['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'POST'];
  const own = ['Idempotency-Key: "mine"'];
  await send(
    scene,
    methods.map((method, at) => ({ method, path: `/${at}`, fields: at === 5 ? own : [] })),
  );
  await frontend.settled(12);
  const keysOf = ({ requests }: Origin): (string | null)[] =>
    requests
      .toSorted((one, other) => one.target.localeCompare(other.target))
      .map((one) => one.field('idempotency-key'));
  assert.deepEqual(keysOf(primary), [null, null, null, null, null, '"mine"']);
  const keys = keysOf(shadows[0]!);
  assert.deepEqual(keysOf(shadows[1]!), keys);
  assert.deepEqual(keys.slice(4), [null, '"mine"']);
  const made = keys.slice(0, 4);
  assert.equal(new Set(made).size, 4);
  for (const key of made) assert.match(key!, /^"umbra-[0-9a-f-]{36}"$/);
});

test('with safe methods alone nothing that writes reaches a shadow', async (t) => {
  const scene = await openScene(t, { methods: METHODS_SAFE });
  const { frontend, primary, shadows } = scene;
  const methods = ['POST', 'GET', 'DELETE', 'OPTIONS', 'PUT', 'PATCH', 'REPORT', 'TRACE'];
  await send(
    scene,
    methods.map((method) => ({ method })),
  );
  const report = await frontend.settled(8);
  assert.equal(report.skipped.condition, 5);
  assert.equal(primary.completed, 8);
  assert.deepEqual(shadows[0]!.requests.map((one) => one.method).toSorted(), ['GET', 'OPTIONS', 'TRACE']);
});

test('a copy whose kept connection is closed goes out once more when its method says that it may, and as one in the books', async (t) => {
  const scene = await openScene(t, { redact: NO_REDACTION, maxInFlight: 1 });
  const { frontend, shadows } = scene;
  const [shadow] = shadows;
  shadow!.behave({ cut: { at: 'start', how: 'close' } }, '/cut');
  for (const [at, method] of ['POST', 'PATCH', 'PUT', 'DELETE'].entries()) {
    // So that there is a connection that was used before.
    await send(scene, [{ method, path: '/kept' }]);
    await frontend.settled(2 * at + 1);
    await send(scene, [{ method, path: '/cut', body: 'x' }]);
    await frontend.settled(2 * at + 2);
  }
  const report = frontend.report();
  assert.deepEqual([report.total_success, report.errors.reset], [4, 4]);
  const cut = shadow!.requests.filter(({ target }) => target === '/cut').map(({ method }) => method);
  assert.deepEqual(cut, ['POST', 'PATCH', 'PUT', 'PUT', 'DELETE', 'DELETE']);
});
