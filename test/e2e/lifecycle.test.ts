// Reload and drain under traffic: nothing that was accepted is lost.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { openOrigin } from '../kit/origin.ts';
import { openRaw, request } from '../kit/raw.ts';

const first = await openOrigin({ behaviour: { body: 'first' } });
const second = await openOrigin({ behaviour: { body: 'second' } });
const shadow = await openOrigin({ behaviour: { body: 'shadow' } });
after(async () => {
  await Promise.all([first, second, shadow].map((origin) => origin.close()));
});

function toConfig(primary: string, mirror = ''): string {
  return `shutdown_timeout: 60s
routes:
  - id: a
    path: /
    path_prefix: true
    backends: [{ url: "${primary}" }]
    ${mirror}
`;
}

const MIRROR = `mirror: { backends: [{ url: "${shadow.url}" }], limit: { count: 1000000, time_window: 60 } }`;

async function status(gateway: Gateway, path: string): Promise<number> {
  return (await fetch(`http://127.0.0.1:${gateway.adminPort}${path}`)).status;
}

/** Sends on kept connections until told to stop; resolves with the bodies of the answers, in order. */
async function keepSending(gateway: Gateway, isOver: () => boolean): Promise<string[]> {
  const client = await openRaw(gateway.port);
  const bodies: string[] = [];
  while (!isOver()) {
    const response = await request(client, { path: `/${bodies.length}` });
    assert.equal(response.status, 200);
    bodies.push(response.body.toString());
  }
  client.close();
  return bodies;
}

/** Resolves when connections are refused; the threads hear of the drain a moment after the log. */
async function refusedSoon(port: number): Promise<void> {
  for (;;) {
    try {
      (await openRaw(port)).close();
    } catch (error) {
      assert.match(String(error), /ECONNREFUSED/);
      return;
    }
  }
}

for (const frontends of [1, 2]) {
  test(`reloads under traffic drop no request, and new routes serve the ones after, with ${frontends} front ends`, async () => {
    const gateway = await openGateway({ config: toConfig(first.url, MIRROR), frontends });
    let over = false;
    const clients = Array.from({ length: 4 }, () => keepSending(gateway, () => over));
    for (let round = 0; round < 10; round++) {
      await gateway.reload(toConfig(round % 2 === 0 ? second.url : first.url, round % 3 === 0 ? '' : MIRROR));
    }
    await gateway.reload(toConfig(second.url, MIRROR));
    // In force when the log says so: every request from here on goes the new way.
    assert.equal((await request(gateway.port)).body.toString(), 'second');
    over = true;
    const bodies = (await Promise.all(clients)).flat();
    assert.ok(bodies.length > 0);
    assert.deepEqual(
      [...new Set(bodies)].filter((body) => body !== 'first' && body !== 'second'),
      [],
    );
    assert.equal(await gateway.stop(), 0);
  });
}

test('a bad config is refused at reload with every problem, and the old one stays', async () => {
  const gateway = await openGateway({ config: toConfig(first.url) });
  await gateway.reload('routes: [{ id: a, path: nowhere, backends: [] }, { id: a, path: /x, backendz: [] }]');
  assert.ok(gateway.logs('config problem').length >= 3, gateway.lines.join('\n'));
  assert.equal((await request(gateway.port)).body.toString(), 'first');
  const metrics = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text();
  assert.match(metrics, /^umbra_config_last_reload_successful 0$/m);
  await gateway.reload(toConfig(second.url));
  assert.equal((await request(gateway.port)).body.toString(), 'second');
  assert.equal(await gateway.stop(), 0);
});

test('a config that is no longer readable is refused at reload too', async () => {
  const gateway = await openGateway({ config: toConfig(first.url) });
  writeFileSync(gateway.file, '\tnot yaml: [');
  gateway.signal('SIGHUP');
  await gateway.waitForLog('reload refused, the old config stays');
  assert.equal((await request(gateway.port)).body.toString(), 'first');
  assert.equal(await gateway.stop(), 0);
});

test('what needs a restart is named at reload, and the rest is applied', async () => {
  const gateway = await openGateway({ config: toConfig(first.url) });
  await gateway.reload(`limits: { in_flight: 7 }\n${toConfig(second.url)}`);
  assert.equal((await gateway.waitForLog('a changed setting needs a restart')).setting, 'limits');
  assert.equal((await request(gateway.port)).body.toString(), 'second');
  assert.equal(await gateway.stop(), 0);
});

test('an exchange ends on the routes it began with', async () => {
  first.behave({ body: 'first', delayMs: 500 }, '/slow');
  const gateway = await openGateway({ config: toConfig(first.url) });
  const heads = first.arrived;
  const slow = request(gateway.port, { path: '/slow' });
  await first.waitForHeads(heads + 1);
  await gateway.reload(toConfig(second.url));
  assert.equal((await slow).body.toString(), 'first');
  assert.equal(await gateway.stop(), 0);
});

test('SIGTERM lets accepted requests end and empties the outbox, and readiness says so', async () => {
  first.behave({ body: 'first', delayMs: 1_000 }, '/slow');
  shadow.behave({ body: 'shadow', delayMs: 500 });
  const gateway = await openGateway({ config: toConfig(first.url, MIRROR) });
  assert.equal(await status(gateway, '/readyz'), 200);
  const [heads, copies] = [first.arrived, shadow.completed];
  const slow = Array.from({ length: 20 }, () => request(gateway.port, { path: '/slow' }));
  const upload = await openRaw(gateway.port);
  await upload.send('POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
  await first.waitForHeads(heads + 21);
  gateway.signal('SIGTERM');
  await gateway.waitForLog('draining');
  assert.equal(await status(gateway, '/readyz'), 503);
  assert.equal(await status(gateway, '/livez'), 200);
  await refusedSoon(gateway.port);
  await upload.send('world');
  const [answer] = await upload.read();
  assert.equal(answer?.status, 200);
  for (const response of await Promise.all(slow)) assert.equal(response.status, 200);
  assert.equal(await gateway.exited, 0);
  assert.equal(shadow.completed, copies + 21, 'every copy has arrived');
  shadow.behave({ body: 'shadow' });
});

test('a drain that meets its deadline ends all the same', async () => {
  first.behave({ hang: true }, '/hang');
  const gateway = await openGateway({ config: toConfig(first.url).replace('60s', '1s') });
  const heads = first.arrived;
  const client = await openRaw(gateway.port);
  await client.send('GET /hang HTTP/1.1\r\nHost: a\r\n\r\n');
  await first.waitForHeads(heads + 1);
  gateway.signal('SIGTERM');
  assert.equal(await gateway.exited, 0);
  assert.equal(gateway.logs('the shutdown timeout cut exchanges off').length, 1, gateway.lines.join('\n'));
});

test('a second signal ends at once', async () => {
  first.behave({ hang: true }, '/hang');
  const gateway = await openGateway({ config: toConfig(first.url) });
  const heads = first.arrived;
  const client = await openRaw(gateway.port);
  await client.send('GET /hang HTTP/1.1\r\nHost: a\r\n\r\n');
  await first.waitForHeads(heads + 1);
  gateway.signal('SIGTERM');
  await gateway.waitForLog('draining');
  gateway.signal('SIGTERM');
  assert.equal(await gateway.exited, null, 'ended by the signal itself');
});

test('a request that comes on a kept connection while copies still end is answered, and the drain says the truth', async () => {
  first.behave({ body: 'first', delayMs: 700 }, '/slow');
  shadow.behave({ body: 'shadow', delayMs: 1_500 });
  const gateway = await openGateway({ config: toConfig(first.url, MIRROR) });
  const [heads, copies] = [first.arrived, shadow.arrived];
  const kept = await openRaw(gateway.port);
  await kept.send('GET /first HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await kept.read())[0]?.status, 200);
  await shadow.waitForHeads(copies + 1);
  gateway.signal('SIGTERM');
  await gateway.waitForLog('draining');
  await kept.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await first.waitForHeads(heads + 2);
  assert.equal((await kept.read())[0]?.status, 200);
  assert.equal(await gateway.exited, 0);
  assert.equal(gateway.logs('the shutdown timeout cut exchanges off').length, 0);
  assert.equal(shadow.completed, copies + 2, 'every copy has arrived');
  shadow.behave({ body: 'shadow' });
});

test('what nobody caught in a front-end thread drains the gateway and ends it with 1', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-defect-'));
  const file = join(folder, 'defect.mjs');
  // Loaded into every thread by Node itself; throws in a front end's, some time after it has begun to serve.
  writeFileSync(
    file,
    `import { isMainThread, workerData } from 'node:worker_threads';
if (!isMainThread && workerData?.listeners) {
  const begin = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - begin < 2000) return;
    clearInterval(timer);
    throw new Error('a defect for the test');
  }, 50);
}
`,
  );
  first.behave({ body: 'first', delayMs: 4_000 }, '/slower');
  const gateway = await openGateway({
    config: toConfig(first.url),
    frontends: 2,
    env: { NODE_OPTIONS: `--import=${file}` },
  });
  const heads = first.arrived;
  const slow = request(gateway.port, { path: '/slower' });
  await first.waitForHeads(heads + 1);
  assert.equal((await slow).status, 200, 'what ran is answered');
  assert.equal(await gateway.exited, 1);
  assert.ok(
    gateway.lines.some((line) => line.includes('a front-end thread is lost: Error: a defect for the test')),
  );
  rmSync(folder, { recursive: true, force: true });
});

test('a reload that is asked for the moment the gateway is ready is carried out', async () => {
  const gateway = await openGateway({ config: toConfig(first.url) });
  await gateway.reload(toConfig(second.url));
  assert.equal((await request(gateway.port)).body.toString(), 'second');
  assert.equal(await gateway.stop(), 0);
});
