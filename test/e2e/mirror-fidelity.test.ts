// A copy is made of the same bytes as the primary's request: raw target, headers, body.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { findField } from '../kit/message.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, type RawRequest, request, toRequestBytes } from '../kit/raw.ts';
import type { RecordedRequest } from '../kit/recording.ts';

interface Scene {
  readonly gateway: Gateway;
  readonly primary: Origin;
  readonly shadow: Origin;
}

async function openScene(t: TestContext, mirror: string, frontends: number): Promise<Scene> {
  const primary = await openOrigin({ behaviour: { body: 'ok' } });
  const shadow = await openOrigin();
  let gateway: Gateway | null = null;
  t.after(async () => {
    try {
      if (gateway !== null) assert.equal(await gateway.stop(), 0);
      for (const origin of [primary, shadow]) {
        await origin.waitForSockets(0);
        assert.deepEqual(origin.bad, []);
      }
    } finally {
      gateway?.signal('SIGKILL');
      await Promise.all([primary.close(), shadow.close()]);
    }
  });
  gateway = await openGateway({
    frontends,
    mirrors: 2,
    config: `limits: { overload_delay: 1h, target_length: 16KiB }
routes:
  - id: api
    path: /
    path_prefix: true
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }], timeout: { connect: 60s, send: 60s, read: 60s }, ${mirror} }`,
  });
  return { gateway, primary, shadow };
}

/** What belongs to one connection or to the framing; a body of unknown length is of known length in its copy. */
const FRAMING = new Set(['connection', 'content-length', 'transfer-encoding']);

function isEndToEnd(field: string): boolean {
  return !FRAMING.has(field.slice(0, field.indexOf(':')).toLowerCase());
}

/** A copy is a span of its own. */
function withoutSpan(field: string): string {
  return field.replace(/^(traceparent: 00-[0-9a-f]{32}-)[0-9a-f]{16}(?=-[0-9a-f]{2}$)/, '$1');
}

function assertSame(copy: RecordedRequest, original: RecordedRequest): void {
  assert.equal(copy.line, original.line);
  const fields = original.fields.filter(isEndToEnd).map(withoutSpan);
  const copied = copy.fields.filter(isEndToEnd).map(withoutSpan);
  assert.deepEqual(copied, [...fields, 'x-umbra-mirror: api'], copy.line);
  assert.equal(copy.bodyBytes, original.bodyBytes, copy.line);
  assert.equal(copy.bodySha256, original.bodySha256, copy.line);
  assert.deepEqual(copy.trailers, original.trailers);
}

function digest(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}

/** Each request carries a name of its own, by which its primary request and its copy are found. */
async function assertFaithful(scene: Scene, requests: readonly RawRequest[]): Promise<void> {
  const { gateway, primary, shadow } = scene;
  for (let from = 0; from < requests.length; from += 16) {
    const some = requests.slice(from, from + 16);
    await Promise.all(
      some.map(async (one, index) => {
        const fields = [...(one.fields ?? []), `X-Name: ${from + index}`];
        const response = await request(gateway.port, { ...one, fields });
        assert.equal(response.status, 200, JSON.stringify({ ...one, body: undefined }));
      }),
    );
  }
  const { api } = await gateway.settled({ api: requests.length });
  assert.equal(api!.total_success, requests.length);
  const copies = new Map(shadow.requests.map((copy) => [copy.field('x-name'), copy]));
  assert.equal(copies.size, requests.length);
  for (const original of primary.requests) {
    const name = original.field('x-name')!;
    const sent = requests[Number(name)]!;
    assert.equal(original.line, `${sent.method ?? 'GET'} ${sent.path ?? '/'} HTTP/1.1`);
    if (findField(sent.fields ?? [], 'transfer-encoding') === null) {
      assert.equal(original.bodySha256, digest(Buffer.from(sent.body ?? '')), original.line);
    }
    assertSame(copies.get(name)!, original);
  }
}

function toChunks(body: Buffer, sizes: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  for (let from = 0, at = 0; from < body.length; at++) {
    const chunk = body.subarray(from, from + Math.max(1, sizes[at % sizes.length]!));
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
    from += chunk.length;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

const CHUNKED = 'Transfer-Encoding: chunked';
const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

const TABLE: readonly RawRequest[] = [
  {},
  { path: '/?' },
  { path: '/a?b?c=?&&=&' },
  { path: '//double//slashes/./dots/../kept' },
  { path: '/%2f%2F%00%zz%' },
  { path: `/!"$%&'()*+,-.;<=>@[\\]^_\`{|}~?!"$%&'()*+,-./:;<=>?@[\\]^_\`{|}~` },
  { path: `/${'long/'.repeat(3_000)}` },
  { fields: ['X-Twice: 1', 'X-Other: a', 'X-Twice: 2', 'x-twice: 1'] },
  { fields: ['X-Empty:', 'X-Blank:    ', 'X-Spaces:  a  b ', 'X-Tab: a\tb'] },
  { fields: ['X-Utf8: caf\xc3\xa9 au lait', 'X-Quoted: "a, b"; c="d\\"e"', "X-Sign!#$%&'*+-.^_`|~: x"] },
  { fields: ['Cookie: a=1', 'Cookie: b=2', 'Set-Cookie: c=3', 'Authorization: Basic YTpi'] },
  {
    fields: [
      'X-Forwarded-For: 192.0.2.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: a.example',
      'Via: 1.0 x',
    ],
  },
  { fields: ['X-Request-Id: mine', 'Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'] },
  {
    fields: [
      'Connection: keep-alive, X-Hop',
      'X-Hop: gone',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'X-Stays: 1',
    ],
  },
  { fields: ['Host: other.example:8080', 'User-Agent: test', 'Accept: */*', 'Accept-Encoding: gzip, br'] },
  { fields: Array.from({ length: 80 }, (_, index) => `X-Many-${index}: ${index}`) },
  { fields: [`X-Long: ${'v'.repeat(20_000)}`] },
  { method: 'HEAD' },
  { method: 'OPTIONS' },
  { method: 'DELETE' },
  { method: 'DELETE', body: '{"id":1}' },
  { method: 'GET', body: 'a body nobody expects' },
  { method: 'PROPFIND', fields: ['Depth: 1'], body: '<propfind/>' },
  { method: 'POST' },
  { method: 'POST', body: '' },
  { method: 'POST', body: EVERY_BYTE, fields: ['Content-Type: application/octet-stream'] },
  { method: 'PATCH', body: 'GET / HTTP/1.1\r\nHost: inside\r\n\r\n' },
  { method: 'PUT', body: Buffer.alloc(1024 * 1024, EVERY_BYTE) },
  { method: 'POST', fields: [CHUNKED], body: '0\r\n\r\n' },
  { method: 'POST', fields: [CHUNKED], body: toChunks(EVERY_BYTE, [1, 7, 30]) },
  {
    method: 'POST',
    fields: [CHUNKED],
    body: toChunks(Buffer.alloc(1024 * 1024, EVERY_BYTE), [65_536, 1, 9_999]),
  },
  { method: 'POST', fields: ['Expect: 100-continue'], body: 'waited for nobody' },
];

test('a copy has the target, the headers and the body of the primary’s request', async (t) => {
  await assertFaithful(await openScene(t, 'max_body: 2MiB', 1), TABLE);
});

test('a copy that waits for the primary’s answer has them too', async (t) => {
  await assertFaithful(await openScene(t, 'max_body: 2MiB, compare: {}', 1), TABLE);
});

/** A small generator of numbers, so that a failure can be run again (mulberry32, public domain). */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const VISIBLE = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index));

function toRandomRequest(random: (below: number) => number): RawRequest {
  const pick = (from: readonly string[]): string => from[random(from.length)]!;
  const text = (most: number, from: readonly string[]): string =>
    Array.from({ length: random(most + 1) }, () => pick(from)).join('');
  const target = `/${text(
    60,
    VISIBLE.filter((char) => char !== '#'),
  )}`;
  const fields: string[] = [];
  for (let left = random(20); left > 0; left--) {
    const name = `x-${pick(['a', 'B', 'c-D', "e!'f", 'user', 'Trace_'])}${random(4)}`;
    // The listener cuts what is not ASCII off the edges of a value.
    fields.push(`${name}: a${text(30, [...VISIBLE, ' ', '\t', 'é', 'ü€', '✓'])}z`);
  }
  const raw = fields.map((field) => Buffer.from(field, 'utf8').toString('latin1'));
  const method = pick(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'REPORT']);
  const kind = random(3);
  if (kind === 0) return { method, path: target, fields: raw };
  const size = random(10) === 0 ? random(1024 * 1024) : random(5_000);
  const body = Buffer.from(Array.from({ length: size }, () => random(256)));
  if (kind === 1) return { method, path: target, fields: raw, body };
  const sizes = Array.from({ length: 5 }, () => 1 + random(1 + size));
  return { method, path: target, fields: [...raw, CHUNKED], body: toChunks(body, sizes) };
}

test('random requests and their copies are the same', async (t) => {
  const seed = Number(process.env.UMBRA_TEST_SEED ?? Date.now() % 2 ** 31);
  t.diagnostic(`UMBRA_TEST_SEED=${seed}`);
  const random = createRandom(seed);
  const requests = Array.from({ length: 300 }, () => toRandomRequest(random));
  await assertFaithful(await openScene(t, 'max_body: 2MiB', 2), requests);
});

test('bytes of a header that are not UTF-8 are refused, and reach neither upstream', async (t) => {
  const { gateway, primary, shadow } = await openScene(t, 'enabled: true', 1);
  const client = await openRaw(gateway.port);
  await client.send(toRequestBytes({ fields: ['X-Latin1: caf\xe9 au lait'] }));
  const [response] = await client.read();
  assert.equal(response?.status, 400);
  await client.waitClosed();
  assert.equal((await request(gateway.port, {})).status, 200);
  const { api } = await gateway.settled({ api: 1 });
  assert.equal(api!.total_success, 1);
  assert.equal(primary.arrived, 1);
  assert.equal(shadow.arrived, 1);
});
