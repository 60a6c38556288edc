// What the log says of mismatches, and how much of it.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request, toRequestBytes } from '../kit/raw.ts';
import { readMetric } from './metric.ts';

const MESSAGE = 'mirror mismatch';

interface Scene {
  readonly gateway: Gateway;
  readonly primary: Origin;
  readonly shadow: Origin;
}

/** Ends with balanced books and nothing left open. */
async function openScene(t: TestContext, compare: string, mirrors = 1): Promise<Scene> {
  const [primary, shadow] = [await openOrigin(), await openOrigin()];
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
  gateway = await openGateway({
    mirrors,
    config: `routes:
  - id: the-route
    path: /
    path_prefix: true
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }], timeout: { connect: 60s, send: 60s, read: 60s }, compare: ${compare} }`,
  });
  return { gateway, primary, shadow };
}

test('a mismatch is logged with both statuses, what matched, and the request id that both legs carried', async (t) => {
  const { gateway, primary, shadow } = await openScene(t, '{ log_mismatches: true }');
  primary.behave({ status: 201, body: 'left' }, '/both');
  shadow.behave({ status: 409, body: 'right' }, '/both');
  shadow.behave({ status: 503 }, '/status');
  shadow.behave({ body: 'more' }, '/body');
  const requests = [
    { method: 'POST', path: '/both?a=%20b', body: 'x' },
    { method: 'GET', path: '/status' },
    { method: 'DELETE', path: '/body' },
    { method: 'GET', path: '/equal' },
    { method: 'PUT', path: '/body', fields: ['X-Request-Id: from-the-client'], body: 'y' },
  ];
  for (const one of requests) {
    await request(gateway.port, one);
    // One at a time, so that the log has their order.
    await gateway.settled({ 'the-route': requests.indexOf(one) + 1 });
  }
  await gateway.waitForLog(MESSAGE, 4);
  const ids = primary.requests.map((one) => one.field('x-request-id'));
  assert.deepEqual(
    shadow.requests.map((one) => one.field('x-request-id')),
    ids,
  );
  assert.equal(new Set(ids).size, requests.length);
  assert.equal(ids[4], 'from-the-client');
  const expected = [
    {
      at: 0,
      primary_status: 201,
      shadow_status: 409,
      status_match: false,
      body_match: false,
      names: 'body, status',
    },
    {
      at: 1,
      primary_status: 200,
      shadow_status: 503,
      status_match: false,
      body_match: true,
      names: 'status',
    },
    { at: 2, primary_status: 200, shadow_status: 200, status_match: true, body_match: false, names: 'body' },
    { at: 4, primary_status: 200, shadow_status: 200, status_match: true, body_match: false, names: 'body' },
  ].map(({ at, names, ...fields }) => ({
    level: 'warn',
    msg: MESSAGE,
    route: 'the-route',
    shadow: shadow.url,
    method: requests[at]!.method,
    path: requests[at]!.path,
    request_id: ids[at],
    ...fields,
    fields: names,
  }));
  const logged = gateway.logs(MESSAGE).map(({ time, primary_latency_ms, shadow_latency_ms, ...fields }) => {
    assert.ok(Date.parse(String(time)) > 0);
    assert.ok(Number(primary_latency_ms) > 0 && Number(shadow_latency_ms) > 0);
    return fields;
  });
  assert.deepEqual(logged, expected);
});

for (const compare of ['{ log_mismatches: false }', '{}']) {
  test(`mismatches are counted and not logged under compare: ${compare}`, async (t) => {
    const { gateway, shadow } = await openScene(t, compare);
    shadow.behave({ status: 500, body: 'no' });
    for (let sent = 0; sent < 20; sent++) await request(gateway.port, {});
    const { 'the-route': report } = await gateway.settled({ 'the-route': 20 });
    assert.equal(report!.total_mismatches, 20);
    // The drain writes whatever the threads have said.
    assert.equal(await gateway.stop(), 0);
    assert.deepEqual(gateway.logs(MESSAGE), []);
  });
}

test('a flood of mismatches is bounded in the log, and what it leaves out is counted', async (t) => {
  const count = 10_000;
  const { gateway, shadow } = await openScene(t, '{ log_mismatches: true }', 2);
  shadow.behave({ body: 'wrong' });
  const startedMs = performance.now();
  const bytes = toRequestBytes({});
  let left = count;
  const run = async (): Promise<void> => {
    const client = await openRaw(gateway.port);
    while (left-- > 0) {
      await client.send(bytes);
      const [response] = await client.read();
      assert.equal(response?.status, 200);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: 8 }, run));
  const { 'the-route': report } = await gateway.settled({ 'the-route': count });
  const seconds = Math.ceil((performance.now() - startedMs) / 1000) + 1;
  const suppressed = await readMetric(gateway, 'umbra_logs_suppressed_total');
  assert.equal(await gateway.stop(), 0);
  const logged = gateway.logs(MESSAGE).length;
  t.diagnostic(`${report!.total_compared} compared, ${logged} logged, ${suppressed} suppressed`);
  const { total_compared, total_mismatches, dropped, total_errors } = report!;
  assert.equal(total_mismatches, total_compared);
  assert.equal(total_compared + dropped.queue_full + total_errors, count);
  assert.ok(suppressed > 0);
  // Each mirror thread may say a hundred in a second.
  assert.ok(logged >= 1 && logged <= 2 * 100 * seconds, `${logged} lines in ${seconds} s`);
  assert.equal(logged + suppressed, total_mismatches);
});
