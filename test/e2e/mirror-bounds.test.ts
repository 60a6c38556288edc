// The bounds of mirroring, each at its edge: body, queue, copies in flight, and the guard against loops.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Gateway, type GatewayOptions, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { request } from '../kit/raw.ts';
import { readMetric, untilMetric } from './metric.ts';

/** A busy machine must not end a copy, unless a test is about that. */
const PATIENT = 'timeout: { connect: 60s, send: 60s, read: 60s },';

interface Scene {
  readonly gateway: Gateway;
  readonly primary: Origin;
  readonly shadow: Origin;
}

/** One route /api with one shadow; ends with balanced books and nothing left open. */
async function openScene(
  t: TestContext,
  mirror: string,
  options: Omit<GatewayOptions, 'config'> = {},
): Promise<Scene> {
  const primary = await openOrigin({ behaviour: { body: 'echo' } });
  const shadow = await openOrigin();
  let gateway: Gateway | null = null;
  t.after(async () => {
    try {
      if (gateway !== null) assert.equal(await gateway.stop(), 0);
      for (const origin of [primary, shadow]) await origin.waitForSockets(0);
    } finally {
      gateway?.signal('SIGKILL');
      await Promise.all([primary.close(), shadow.close()]);
    }
  });
  gateway = await openGateway({ ...options, config: toConfig(primary.url, shadow.url, mirror) });
  return { gateway, primary, shadow };
}

function toConfig(primary: string, shadow: string, mirror: string): string {
  return `routes:
  - id: api
    path: /
    path_prefix: true
    backends: [{ url: ${primary} }]
    mirror: { backends: [{ url: ${shadow} }], ${mirror.includes('timeout') ? '' : PATIENT} ${mirror} }`;
}

/** Sends a body as one chunk, or with its length; the primary gives it back. */
async function post(port: number, bytes: number, chunked = false): Promise<void> {
  const body = Buffer.alloc(bytes, 'x');
  const chunks = Buffer.concat([
    Buffer.from(bytes === 0 ? '' : `${bytes.toString(16)}\r\n`),
    body,
    Buffer.from(bytes === 0 ? '0\r\n\r\n' : '\r\n0\r\n\r\n'),
  ]);
  const response = chunked
    ? await request(port, { method: 'POST', fields: ['Transfer-Encoding: chunked'], body: chunks })
    : await request(port, { method: 'POST', body });
  assert.equal(response.status, 200);
  assert.deepEqual(response.body, body);
}

for (const max of [0, 1, 1000, 300_000]) {
  for (const framing of ['declared', 'chunked'] as const) {
    test(`a ${framing} body of ${max} bytes is copied when that is the most, one byte more is not`, async (t) => {
      const { gateway, shadow } = await openScene(t, `max_body: ${max}`);
      await post(gateway.port, max, framing === 'chunked');
      const { api: at } = await gateway.settled({ api: 1 });
      assert.equal(at!.total_success, 1);
      await post(gateway.port, max + 1, framing === 'chunked');
      await request(gateway.port, {});
      const { api: over } = await gateway.settled({ api: 3 });
      assert.equal(over!.skipped.body_too_large, 1);
      assert.equal(over!.total_success, 2);
      assert.deepEqual(
        shadow.requests.map(({ bodyBytes }) => bodyBytes),
        [max, 0],
      );
    });
  }
}

test('a queue takes copies up to its bytes, drops what is beyond them, and takes copies again', async (t) => {
  const { gateway, shadow } = await openScene(
    t,
    'max_queued: 50000, max_in_flight: 1, timeout: { read: 60s }, breaker: { failures: 1000 }',
  );
  shadow.behave({ hang: true });
  await post(gateway.port, 10_000);
  await shadow.waitFor(1);
  // One is in flight; four fit into 50,000 bytes with their heads, a fifth does not.
  for (let sent = 0; sent < 10; sent++) await post(gateway.port, 10_000);
  const { api: full } = await gateway.mirrors();
  assert.equal(full!.dropped.queue_full, 6);
  assert.equal(full!.total_mirrored, 1);
  assert.equal(full!.in_flight, 1);
  // What is smaller than the rest of the room still goes in.
  await post(gateway.port, 1_000);
  shadow.behave({});
  shadow.dropConnections();
  const { api: drained } = await gateway.settled({ api: 12 });
  assert.equal(drained!.dropped.queue_full, 6);
  assert.equal(drained!.errors.reset, 1);
  assert.equal(drained!.total_success, 5);
  await post(gateway.port, 49_000);
  assert.equal((await gateway.settled({ api: 13 })).api!.total_success, 6);
});

test('a body that is larger than the whole queue is dropped as queue_full', async (t) => {
  const { gateway, shadow } = await openScene(t, 'max_queued: 50000');
  await post(gateway.port, 50_000);
  await post(gateway.port, 50_001, true);
  const { api } = await gateway.settled({ api: 2 });
  assert.equal(api!.dropped.queue_full, 2);
  assert.equal(shadow.arrived, 0);
});

for (const mirrors of [1, 2]) {
  test(`no more than max_in_flight copies are under way at once, over ${mirrors} mirror threads`, async (t) => {
    const { gateway, shadow } = await openScene(
      t,
      'max_in_flight: 3, timeout: { read: 60s }, breaker: { failures: 1000 }',
      { mirrors },
    );
    shadow.behave({ hang: true });
    for (let sent = 0; sent < 12; sent++) await post(gateway.port, 10);
    await shadow.waitFor(3);
    await untilMetric(gateway, 'umbra_mirror_waiting', 9);
    const { api: full } = await gateway.mirrors();
    assert.equal(full!.in_flight, 3);
    assert.equal(full!.total_mirrored, 3);
    assert.equal(shadow.arrived, 3);
    assert.equal(shadow.connections, 3);
    shadow.behave({ delayMs: 50 });
    shadow.dropConnections();
    const { api: drained } = await gateway.settled({ api: 12 });
    // Of four in a row the last one sets out when one of the others was answered, which takes its time.
    const arrivals = shadow.requests.slice(3).map(({ arrivedAtMs }) => arrivedAtMs);
    for (let at = 0; at + 3 < arrivals.length; at++) assert.ok(arrivals[at + 3]! - arrivals[at]! >= 45);
    assert.equal(drained!.errors.reset, 3);
    assert.equal(drained!.total_success, 9);
    assert.equal(await readMetric(gateway, 'umbra_mirror_waiting'), 0);
  });
}

test('a copy that waits longer than the read timeout for its place is dropped as queue_full', async (t) => {
  const { gateway, shadow } = await openScene(t, 'max_in_flight: 1, timeout: { read: 1s }');
  shadow.behave({ hang: true });
  for (let sent = 0; sent < 5; sent++) await post(gateway.port, 10);
  const { api } = await gateway.settled({ api: 5 });
  assert.ok(api!.dropped.queue_full > 0);
  assert.equal(api!.errors.read_timeout, api!.total_mirrored);
});

test('a copy that reaches the gateway which sent it is forwarded and not mirrored again', async (t) => {
  const { gateway, primary } = await openScene(t, 'enabled: true');
  const self = `http://127.0.0.1:${gateway.port}`;
  await gateway.reload(toConfig(primary.url, self, 'enabled: true'));
  for (let sent = 0; sent < 10; sent++) await post(gateway.port, 100);
  const { api } = await gateway.settled({ api: 20 });
  assert.equal(api!.skipped.loop, 10);
  assert.equal(api!.total_success, 10);
  assert.equal(primary.completed, 20);
  const marks = primary.requests.map((one) => one.field('x-umbra-mirror'));
  assert.equal(marks.filter((mark) => mark === 'api').length, 10);
  assert.equal(marks.filter((mark) => mark === null).length, 10);
});

test('two gateways that mirror to each other send each request on once', async (t) => {
  const one = await openScene(t, 'enabled: true');
  const two = await openScene(t, 'enabled: true');
  await one.gateway.reload(toConfig(one.primary.url, `http://127.0.0.1:${two.gateway.port}`, 'compare: {}'));
  await two.gateway.reload(toConfig(two.primary.url, `http://127.0.0.1:${one.gateway.port}`, 'compare: {}'));
  for (let sent = 0; sent < 5; sent++) {
    await post(one.gateway.port, 50);
    await post(two.gateway.port, 70, true);
  }
  for (const { gateway, primary } of [one, two]) {
    const { api } = await gateway.settled({ api: 10 });
    assert.equal(api!.skipped.loop, 5);
    assert.equal(api!.total_success, 5);
    assert.equal(api!.total_compared, 5);
    assert.equal(api!.total_mismatches, 0);
    assert.equal(primary.completed, 10);
  }
});
