// The breaker of a shadow as clients, operators and the shadow see it.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { BreakerStateName } from '../../src/core/book.ts';
import { type Gateway, type GatewayOptions, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { request } from '../kit/raw.ts';

const WAIT_MS_MAX = 60_000;

interface Scene {
  readonly gateway: Gateway;
  readonly primary: Origin;
  readonly shadows: readonly Origin[];
  /** Sends one request and waits until its copies have ended. */
  send(): Promise<void>;
  /** Sends until the shadow's breaker is in that state; the client sees nothing of it. */
  sendUntil(state: BreakerStateName, shadow?: number): Promise<void>;
}

async function openScene(
  t: TestContext,
  breaker: string,
  count = 1,
  options: Omit<GatewayOptions, 'config'> = {},
): Promise<Scene> {
  const primary = await openOrigin({ behaviour: { body: 'fine' } });
  const shadows = await Promise.all(Array.from({ length: count }, () => openOrigin()));
  const origins = [primary, ...shadows];
  let gateway: Gateway | null = null;
  t.after(async () => {
    try {
      if (gateway !== null) assert.equal(await gateway.stop(), 0);
      await Promise.all(origins.map((origin) => origin.waitForSockets(0)));
    } finally {
      gateway?.signal('SIGKILL');
      await Promise.all(origins.map((origin) => origin.close()));
    }
  });
  gateway = await openGateway({
    ...options,
    config: `routes:
  - id: api
    path: /
    path_prefix: true
    backends: [{ url: ${primary.url} }]
    mirror:
      backends: [${shadows.map(({ url }) => `{ url: ${url} }`).join(', ')}]
      timeout: { connect: 60s, send: 60s, read: 60s }
      breaker: { ${breaker} }`,
  });
  const { port, settled } = gateway;
  let sent = 0;
  const send = async (): Promise<void> => {
    const response = await request(port, {});
    assert.equal(response.status, 200);
    assert.equal(response.body.toString(), 'fine');
    sent++;
    await settled({ api: sent * count });
  };
  const sendUntil = async (state: BreakerStateName, shadow = 0): Promise<void> => {
    const giveUpAt = performance.now() + WAIT_MS_MAX;
    for (;;) {
      const { api } = await gateway.mirrors();
      if (api!.shadows[shadows[shadow]!.url]!.breaker === state) return;
      assert.ok(performance.now() < giveUpAt, `the breaker is never ${state}`);
      await send();
    }
  };
  return { gateway, primary, shadows, send, sendUntil };
}

test('a breaker opens at its count of failures in a row, not before', async (t) => {
  const { gateway, shadows, send } = await openScene(t, 'failures: 3, open_for: 1h');
  const [shadow] = shadows;
  const breaker = async (): Promise<BreakerStateName> => (await gateway.mirrors()).api!.breaker;
  await shadow!.refuse();
  await send();
  await send();
  assert.equal(await breaker(), 'closed');
  // One answer and the count begins anew.
  await shadow!.open();
  await send();
  await shadow!.refuse();
  await send();
  await send();
  assert.equal(await breaker(), 'closed');
  await send();
  assert.equal(await breaker(), 'open');
  for (let count = 0; count < 10; count++) await send();
  const { api } = await gateway.mirrors();
  assert.equal(api!.errors.refused, 5);
  assert.equal(api!.total_success, 1);
  assert.equal(api!.dropped.breaker_open, 10);
});

test('an open breaker lets one copy out after its time: a failure opens it again, an answer closes it', async (t) => {
  const { gateway, shadows, send, sendUntil } = await openScene(t, 'failures: 2, open_for: 500ms', 1, {
    mirrors: 2,
  });
  const [shadow] = shadows;
  shadow!.behave({ cut: { at: 'head', how: 'reset' } });
  await sendUntil('open');
  assert.equal(shadow!.completed, 2);
  // Each copy that gets out now is the one that finds out.
  const giveUpAt = performance.now() + WAIT_MS_MAX;
  while (shadow!.completed < 5) {
    assert.ok(performance.now() < giveUpAt);
    await send();
    assert.equal((await gateway.mirrors()).api!.breaker, 'open');
  }
  const arrivals = shadow!.requests.slice(1).map(({ arrivedAtMs }) => arrivedAtMs);
  for (let at = 1; at < arrivals.length; at++) assert.ok(arrivals[at]! - arrivals[at - 1]! >= 450);
  assert.equal((await gateway.mirrors()).api!.errors.reset, 5);
  shadow!.behave({});
  await sendUntil('closed');
  const { api: closed } = await gateway.mirrors();
  assert.equal(closed!.total_success, 1);
  for (let count = 0; count < 5; count++) await send();
  const { api } = await gateway.mirrors();
  assert.equal(api!.total_success, 6);
  assert.equal(api!.dropped.breaker_open, closed!.dropped.breaker_open);
});

test('the one copy of a half-open breaker keeps all others back while it is under way', async (t) => {
  const { gateway, shadows, sendUntil } = await openScene(t, 'failures: 1, open_for: 200ms');
  const [shadow] = shadows;
  shadow!.behave({ cut: { at: 'head', how: 'reset' } });
  await sendUntil('open');
  shadow!.behave({ hang: true });
  const before = (await gateway.mirrors()).api!;
  const giveUpAt = performance.now() + WAIT_MS_MAX;
  while (shadow!.completed < 2) {
    assert.ok(performance.now() < giveUpAt);
    assert.equal((await request(gateway.port, {})).status, 200);
  }
  for (let count = 0; count < 50; count++) assert.equal((await request(gateway.port, {})).status, 200);
  const half = (await gateway.mirrors()).api!;
  assert.equal(half.breaker, 'half_open');
  assert.equal(half.total_mirrored, before.total_mirrored + 1);
  assert.equal(half.in_flight, 1);
  assert.ok(half.dropped.breaker_open >= before.dropped.breaker_open + 50);
  shadow!.behave({});
  shadow!.dropConnections();
  await gateway.settled();
  assert.equal((await gateway.mirrors()).api!.breaker, 'open');
});

test('a shadow behind an open breaker takes nothing from the other shadow', async (t) => {
  const { gateway, shadows, send, sendUntil } = await openScene(t, 'failures: 2, open_for: 1h', 2);
  const [dead, healthy] = shadows;
  await dead!.refuse();
  await sendUntil('open');
  const sent = healthy!.completed;
  for (let count = 0; count < 10; count++) await send();
  assert.equal(healthy!.completed, sent + 10);
  const { api } = await gateway.mirrors();
  assert.equal(api!.breaker, 'open');
  assert.equal(api!.shadows[healthy!.url]!.breaker, 'closed');
  assert.equal(api!.shadows[healthy!.url]!.total_success, sent + 10);
  assert.equal(api!.shadows[dead!.url]!.errors.refused, 2);
  assert.equal(api!.shadows[dead!.url]!.dropped.breaker_open, sent + 8);
});
