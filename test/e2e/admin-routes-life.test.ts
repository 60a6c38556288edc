// What becomes of the Admin API's routes over the life of the process: restart, reload, kill, a damaged store, no key.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { openGateway } from '../kit/gateway.ts';
import { type AdminScene, KEY, openScene, send, toRoute } from './admin-scene.ts';
import { readMetric } from './metric.ts';

const WRITERS = 4;

async function listIds(scene: AdminScene): Promise<string[]> {
  const { status, body } = await scene.call('GET', 'routes');
  assert.equal(status, 200);
  return body.list!.map(({ value }) => String(value.id));
}

test('routes survive a restart, with their copies, indexes and times', async (context) => {
  const scene = await openScene(context);
  await scene.start();
  await scene.put('upstreams/u', { type: 'roundrobin', nodes: { [`127.0.0.1:${scene.primary.port}`]: 1 } });
  await scene.put('routes/a', toRoute(scene, '/a'));
  await scene.put('routes/b', { uri: '/b', upstream_id: 'u' });
  await scene.put('routes/gone', toRoute(scene, '/gone'));
  assert.equal((await scene.call('DELETE', 'routes/gone')).status, 200);
  const before = await scene.call('GET', 'routes');
  assert.equal(await scene.gateway().stop(), 0);
  const gateway = await scene.start();
  assert.deepEqual(await scene.call('GET', 'routes'), before);
  assert.deepEqual(await send(gateway.port, '/a'), { 200: 1 });
  assert.deepEqual(await send(gateway.port, '/b'), { 200: 1 });
  assert.deepEqual(await send(gateway.port, '/gone'), { 404: 1 });
  await scene.shadow.waitFor(1);
});

test('a kill at any moment loses nothing that was answered', async (context) => {
  const scene = await openScene(context);
  const answered: string[] = [];
  for (let round = 0; round < 4; round++) {
    const gateway = await scene.start();
    assert.deepEqual(
      (await listIds(scene)).filter((id) => answered.includes(id)),
      answered,
    );
    let isKilled = false;
    const writers = Array.from({ length: WRITERS }, async (_, writer) => {
      for (let index = 0; ; index++) {
        const id = `r${round}-${writer}-${index}`;
        try {
          const { status } = await scene.call('PUT', `routes/${id}`, toRoute(scene, `/${id}`, null));
          assert.equal(status, 201);
          answered.push(id);
          if (answered.length === (round + 1) * 25) {
            isKilled = true;
            gateway.signal('SIGKILL');
          }
        } catch (error) {
          assert.ok(isKilled, String(error));
          return;
        }
      }
    });
    await Promise.all(writers);
    await gateway.exited;
    // In the order of the store, which answers come in nearly.
    const stored = JSON.parse(readFileSync(scene.store, 'utf8')).resources.map(
      ({ id }: { id: string }) => id,
    );
    answered.sort((a, b) => stored.indexOf(a) - stored.indexOf(b));
    assert.ok(answered.every((id) => stored.includes(id)));
    // Of each writer one may have been stored and not answered any more.
    assert.ok(
      stored.length <= answered.length + WRITERS * (round + 1),
      `${stored.length}, ${answered.length}`,
    );
  }
  const gateway = await scene.start();
  assert.deepEqual(await send(gateway.port, `/${answered[0]}`), { 200: 1 });
});

test('SIGHUP replaces the routes of the file and keeps those of the store; one with its id gives way', async (context) => {
  const scene = await openScene(context);
  const file = (id: string, path: string): string =>
    `store: { type: file, path: ${JSON.stringify(scene.store)} }\nroutes:\n  - { id: "${id}", path: ${path}, backends: [{ url: "${scene.primary.url}" }] }`;
  const gateway = await scene.start({ config: file('f', '/f').split('\n').slice(1).join('\n') });
  await scene.put('routes/1', toRoute(scene, '/hello', null));
  assert.deepEqual(await listIds(scene), ['f', '1']);
  const refused = await scene.call('PUT', 'routes/f', toRoute(scene, '/else'));
  assert.equal(refused.status, 405);
  assert.match(refused.body.error_msg!, /stands in a config file/);
  await gateway.reload(file('g', '/g'));
  assert.deepEqual(await listIds(scene), ['g', '1']);
  assert.deepEqual(await send(gateway.port, '/f'), { 404: 1 });
  assert.deepEqual(
    [await send(gateway.port, '/g'), await send(gateway.port, '/hello')],
    [{ 200: 1 }, { 200: 1 }],
  );
  // The file takes the id of the stored route.
  await gateway.reload(file('1', '/of-the-file'));
  assert.deepEqual(await send(gateway.port, '/hello'), { 404: 1 });
  assert.deepEqual(await send(gateway.port, '/of-the-file'), { 200: 1 });
  assert.deepEqual(
    gateway.logs('a stored route is not in force').map(({ route }) => route),
    ['1'],
  );
  assert.equal(await readMetric(gateway, 'umbra_routes_idle{reason="shadowed"}'), 1);
  assert.equal(await readMetric(gateway, 'umbra_routes{source="file"}'), 1);
  await gateway.reload(file('g', '/g'));
  assert.deepEqual(await send(gateway.port, '/hello'), { 200: 1 });
  assert.equal(await readMetric(gateway, 'umbra_store_writes_total'), 1);
});

test('a thousand routes are made one after the other, listed, and all serve', async (context) => {
  const scene = await openScene(context);
  const gateway = await scene.start({ frontends: 2 });
  for (let index = 0; index < 1_000; index++) {
    const { status } = await scene.call('PUT', `routes/r${index}`, toRoute(scene, `/r${index}`, null));
    assert.equal(status, 201, `route ${index}`);
  }
  assert.deepEqual(
    await listIds(scene),
    Array.from({ length: 1_000 }, (_, index) => `r${index}`),
  );
  for (const index of [0, 499, 999]) assert.deepEqual(await send(gateway.port, `/r${index}`), { 200: 1 });
  assert.equal(await readMetric(gateway, 'umbra_routes{source="admin_api"}'), 1_000);
});

test('a damaged store fails the start in one line, and stays as it is', async (context) => {
  const scene = await openScene(context);
  await scene.start();
  await scene.put('routes/1', toRoute(scene, '/hello', null));
  assert.equal(await scene.gateway().stop(), 0);
  const half = readFileSync(scene.store, 'utf8').slice(0, -20);
  writeFileSync(scene.store, half);
  await assert.rejects(
    openGateway({ config: `store: { type: file, path: "${scene.store}" }` }),
    (error: Error) => {
      const lines = error.message.split('\n').filter((line) => line.includes('routes cannot be read'));
      assert.deepEqual(lines, [
        `umbra: ${scene.store}: routes cannot be read from it: it is damaged: it is not valid JSON, or was cut off`,
      ]);
      return true;
    },
  );
  assert.equal(readFileSync(scene.store, 'utf8'), half);
});

test('without a configured key one is made, kept beside the store, told by its place alone, and used again', async (context) => {
  const scene = await openScene(context);
  const file = join(dirname(scene.store), 'admin.key');
  const first = await scene.start({ admin: 'admin_api_version: v3' });
  const key = readFileSync(file, 'utf8').trim();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(first.lines.includes(`umbra admin key: in ${file}`));
  assert.equal((await scene.call('PUT', 'routes/1', toRoute(scene, '/a', null), { key })).status, 201);
  assert.equal((await scene.call('GET', 'routes/1', undefined, { key: KEY })).status, 401);
  assert.equal(await first.stop(), 0);
  const second = await scene.start({ admin: 'admin_api_version: v3' });
  assert.equal((await scene.call('GET', 'routes/1', undefined, { key })).status, 200);
  for (const { lines } of [first, second]) assert.ok(!lines.some((line) => line.includes(key)));
});

test('where no key can be kept the gateway serves all the same, and refuses the Admin API', async (context) => {
  const scene = await openScene(context);
  // A folder in the place of the key's file.
  mkdirSync(join(dirname(scene.store), 'admin.key'), { recursive: true });
  const gateway = await scene.start({
    admin: 'admin_api_version: v3',
    config: `routes:\n  - { id: f, path: /f, backends: [{ url: "${scene.primary.url}" }] }`,
  });
  assert.deepEqual(await send(gateway.port, '/f'), { 200: 1 });
  const message = 'there is no admin key: the Admin API and every write are refused';
  assert.match(String((await gateway.waitForLog(message)).cause), /admin\.key: it is not a regular file/);
  assert.equal((await scene.call('GET', 'routes', undefined, { key: '' })).status, 401);
  assert.equal((await fetch(`http://127.0.0.1:${gateway.adminPort}/mirrors`)).status, 200);
});
