// The local limit: so many copies per window, exactly, however many threads compete for the last one.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gateway, type GatewayOptions, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request } from '../kit/raw.ts';

const WAIT_MS_MAX = 60_000;

/** The primary, `count` shadows, and the gateway in front of them; ends with balanced books and nothing left open. */
async function openScene(
  t: TestContext,
  count: number,
  toRoutes: (primary: Origin, shadows: readonly Origin[]) => string,
  options: Omit<GatewayOptions, 'config'> = {},
): Promise<{ gateway: Gateway; primary: Origin; shadows: readonly Origin[] }> {
  const primary = await openOrigin({ behaviour: { body: 'primary' } });
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
  gateway = await openGateway({ ...options, config: `routes:\n${toRoutes(primary, shadows)}` });
  return { gateway, primary, shadows };
}

function toRoute(primary: Origin, shadows: readonly Origin[], limit: string, id = 'api'): string {
  const backends = shadows.map((shadow) => `{ url: ${shadow.url} }`).join(', ');
  return `  - id: ${id}
    path: /${id}
    path_prefix: true
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [${backends}], timeout: { connect: 60s, send: 60s, read: 60s }, limit: { ${limit} } }`;
}

/** `each` requests on each of the connections at once, all answered by the primary. */
async function send(port: number, connections: number, each: number, path = '/api'): Promise<void> {
  const run = async (): Promise<void> => {
    const client = await openRaw(port);
    try {
      for (let sent = 0; sent < each; sent++) {
        const response = await request(client, { path });
        assert.equal(response.status, 200);
        assert.equal(response.body.toString(), 'primary');
      }
    } finally {
      client.close();
    }
  };
  await Promise.all(Array.from({ length: connections }, run));
}

for (const frontends of [1, 2]) {
  test(`two copies in 60 seconds are exactly two, over ${frontends} × 2 mirror threads`, async (t) => {
    const { gateway, primary, shadows } = await openScene(
      t,
      1,
      (main, others) => toRoute(main, others, 'count: 2, time_window: 60'),
      { frontends, mirrors: 2 },
    );
    await send(gateway.port, 40, 25);
    const { api } = await gateway.settled({ api: 1000 });
    assert.equal(api!.total_mirrored, 2);
    assert.equal(api!.total_success, 2);
    assert.equal(api!.skipped.limit, 998);
    assert.equal(shadows[0]!.arrived, 2);
    assert.equal(primary.completed, 1000);
  });
}

test('a limit is used up to its last place and not beyond it', async (t) => {
  const { gateway, shadows } = await openScene(
    t,
    1,
    (primary, others) => toRoute(primary, others, 'count: 10, time_window: 3600'),
    { mirrors: 2 },
  );
  await send(gateway.port, 1, 10);
  assert.equal((await gateway.settled({ api: 10 })).api!.total_mirrored, 10);
  await send(gateway.port, 1, 1);
  const { api } = await gateway.settled({ api: 11 });
  assert.equal(api!.total_mirrored, 10);
  assert.equal(api!.skipped.limit, 1);
  assert.equal(shadows[0]!.arrived, 10);
});

test('a limit counts exchanges, so that every shadow gets the same ones', async (t) => {
  const { gateway, shadows } = await openScene(
    t,
    3,
    (primary, others) => toRoute(primary, others, 'count: 2, time_window: 60'),
    { mirrors: 2 },
  );
  const paths = Array.from({ length: 50 }, (_, index) => `/api/${index}`);
  await Promise.all(paths.map((path) => send(gateway.port, 1, 1, path)));
  const { api } = await gateway.settled({ api: 150 });
  assert.equal(api!.total_mirrored, 6);
  assert.equal(api!.skipped.limit, 144);
  const [first, ...others] = shadows.map((shadow) => shadow.requests.map(({ target }) => target).sort());
  assert.equal(first!.length, 2);
  for (const targets of others) assert.deepEqual(targets, first);
});

test('the next window counts anew', async (t) => {
  const { gateway, shadows } = await openScene(
    t,
    1,
    (primary, others) => toRoute(primary, others, 'count: 3, time_window: 1'),
    { frontends: 2, mirrors: 2 },
  );
  const startedMs = performance.now();
  let requests = 0;
  // Four windows at least; how many there were in truth depends on how long it took.
  while (shadows[0]!.arrived < 12) {
    assert.ok(performance.now() - startedMs < WAIT_MS_MAX, 'the window does not begin anew');
    await send(gateway.port, 4, 5);
    requests += 20;
    await sleep(5);
  }
  const { api } = await gateway.settled({ api: requests });
  const windowsMax = Math.floor((performance.now() - startedMs) / 1000) + 1;
  assert.ok(api!.total_mirrored >= 12);
  assert.ok(api!.total_mirrored <= 3 * windowsMax, `${api!.total_mirrored} copies in ${windowsMax} windows`);
  assert.equal(api!.skipped.limit, requests - api!.total_mirrored);
});

test('editing the route resets its limit, reloading something else does not', async (t) => {
  const limit = 'count: 2, time_window: 3600';
  const { gateway, primary, shadows } = await openScene(
    t,
    1,
    (main, others) => toRoute(main, others, limit),
    { frontends: 2 },
  );
  const route = toRoute(primary, shadows, limit);
  const other = toRoute(primary, shadows, 'count: 1, time_window: 3600', 'other');
  let matched = 0;
  const exhaust = async (): Promise<number> => {
    await send(gateway.port, 8, 2);
    matched += 16;
    return (await gateway.settled({ api: matched })).api!.total_mirrored;
  };
  assert.equal(await exhaust(), 2);
  await gateway.reload(`routes:\n${other}\n${route}`);
  assert.equal(await exhaust(), 2, 'another route was added');
  await gateway.reload(`shutdown_timeout: 20s\nroutes:\n${route}`);
  assert.equal(await exhaust(), 2, 'the other one was taken away, and a setting changed');
  await gateway.reload(`routes:\n${route}\n    priority: 5`);
  assert.equal(await exhaust(), 4, 'the route itself was edited');
  await gateway.reload(`routes:\n${toRoute(primary, shadows, 'count: 5, time_window: 3600')}`);
  assert.equal(await exhaust(), 9, 'its limit was edited');
  assert.equal(shadows[0]!.arrived, 9);
});

test('two routes to one shadow have a limit each', async (t) => {
  const { gateway, shadows } = await openScene(t, 1, (primary, others) =>
    [
      toRoute(primary, others, 'count: 2, time_window: 60', 'one'),
      toRoute(primary, others, 'count: 3, time_window: 60', 'two'),
    ].join('\n'),
  );
  await Promise.all([send(gateway.port, 4, 5, '/one'), send(gateway.port, 4, 5, '/two')]);
  const { one, two } = await gateway.settled({ one: 20, two: 20 });
  assert.equal(one!.total_mirrored, 2);
  assert.equal(two!.total_mirrored, 3);
  assert.equal(shadows[0]!.arrived, 5);
});
