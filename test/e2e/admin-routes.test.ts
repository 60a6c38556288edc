// Routes by the Admin API through the real process: the documents' own calls, and a change that is in force everywhere at the
// moment it is answered.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openOrigin } from '../kit/origin.ts';
import { openRaw, type RawClient, request } from '../kit/raw.ts';
import { type AdminScene, KEY, openScene, send, toNodes, toRoute } from './admin-scene.ts';

const run = promisify(execFile);

/** The documents' examples word for word; their ports are replaced. */
const ENABLE = `curl http://127.0.0.1:9080/apisix/admin/routes/1  -H 'X-API-KEY: ${KEY}' -X PUT -d '
{
    "plugins": {
        "proxy-mirror": {
           "host": "http://127.0.0.1:9797"
        }
    },
    "upstream": {
        "nodes": {
            "127.0.0.1:1999": 1
        },
        "type": "roundrobin"
    },
    "uri": "/hello"
}'`;

const LIMIT = `curl http://127.0.0.1:9080/apisix/admin/routes/1  -H 'X-API-KEY: ${KEY}' -X PUT -d '
{
    "plugins": {
        "proxy-mirror": {
           "host": "http://127.0.0.1:9797",
            "enable_limit_count": true,
            "count": 2,
            "time_window": 60
        }
    },
    "upstream": {
        "nodes": {
            "127.0.0.1:1999": 1
        },
        "type": "roundrobin"
    },
    "uri": "/hello"
}'`;

const DISABLE = `curl http://127.0.0.1:9080/apisix/admin/routes/1  -H 'X-API-KEY: ${KEY}' -X PUT -d '
{
    "uri": "/hello",
    "plugins": {},
    "upstream": {
        "type": "roundrobin",
        "nodes": {
            "127.0.0.1:1999": 1
        }
    }
}'`;

const ON_PROXY_PORT = { admin: `key: ${KEY}, on_proxy_port: true` };

/** The answer's status and body. */
async function runCurl(scene: AdminScene, command: string): Promise<[number, Record<string, unknown>]> {
  const ported = command
    .replaceAll(':9080', `:${scene.gateway().port}`)
    .replaceAll(':9797', `:${scene.shadow.port}`)
    .replaceAll(':1999', `:${scene.primary.port}`);
  const { stdout } = await run('/bin/sh', ['-c', `${ported} -s -w '\\n%{http_code}'`]);
  const end = stdout.lastIndexOf('\n');
  return [Number(stdout.slice(end + 1)), JSON.parse(stdout.slice(0, end)) as Record<string, unknown>];
}

test("the documents' calls on the port for traffic: enabled, copied; disabled, not copied from the next request on", async (context) => {
  const scene = await openScene(context);
  const gateway = await scene.start({ ...ON_PROXY_PORT, frontends: 2 });
  assert.deepEqual(await send(gateway.port, '/hello'), { 404: 1 });
  const [status, body] = await runCurl(scene, ENABLE);
  assert.deepEqual([status, body.key], [201, '/apisix/routes/1']);
  const { stdout } = await run('curl', [`http://127.0.0.1:${gateway.port}/hello`, '-i', '-s']);
  assert.match(stdout, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nprimary$/);
  assert.deepEqual(await send(gateway.port, '/hello', { connections: 8, each: 5 }), { 200: 40 });
  await scene.shadow.waitFor(41);
  assert.equal((await runCurl(scene, DISABLE))[0], 200);
  assert.deepEqual(await send(gateway.port, '/hello', { connections: 8, each: 5 }), { 200: 40 });
  assert.equal(scene.primary.completed, 81);
  // The drain lets every copy end that was begun.
  assert.equal(await gateway.stop(), 0);
  assert.equal(scene.shadow.arrived, 41);
  assert.ok(scene.shadow.requests.every(({ line }) => line === 'GET /hello HTTP/1.1'));
});

test('two copies in sixty seconds are exactly two, and an edit begins a new window', async (context) => {
  const scene = await openScene(context);
  const gateway = await scene.start({ ...ON_PROXY_PORT, frontends: 2, mirrors: 2 });
  assert.equal((await runCurl(scene, LIMIT))[0], 201);
  await send(gateway.port, '/hello', { connections: 10, each: 20 });
  const { 1: first } = await gateway.settled({ 1: 200 });
  assert.deepEqual([first!.total_mirrored, first!.skipped.limit], [2, 198]);
  assert.equal(scene.shadow.arrived, 2);
  // The same once more changes nothing, so the window goes on.
  assert.equal((await runCurl(scene, LIMIT))[0], 200);
  await send(gateway.port, '/hello', { connections: 10, each: 20 });
  assert.equal((await gateway.settled({ 1: 400 }))[1]!.total_mirrored, 2);
  assert.equal((await runCurl(scene, LIMIT.replace('"count": 2', '"count": 3')))[0], 200);
  await send(gateway.port, '/hello', { connections: 10, each: 20 });
  const { 1: last } = await gateway.settled({ 1: 600 });
  assert.deepEqual([last!.total_mirrored, last!.skipped.limit], [5, 595]);
  // A route that was gone begins anew.
  assert.equal((await scene.call('DELETE', 'routes/1')).status, 200);
  assert.equal((await runCurl(scene, LIMIT.replace('"count": 2', '"count": 3')))[0], 201);
  await send(gateway.port, '/hello', { connections: 10, each: 20 });
  assert.equal((await gateway.settled({ 1: 800 }))[1]!.total_mirrored, 8);
  assert.equal(scene.shadow.arrived, 8);
});

test('what there is no node for is answered 503, and not mirrored', async (context) => {
  const scene = await openScene(context);
  const gateway = await scene.start();
  const route = toRoute(scene, '/hello') as Record<string, unknown>;
  await scene.put('routes/1', { ...route, upstream: { type: 'roundrobin', nodes: {} } });
  for (let count = 0; count < 5; count++) {
    assert.equal((await request(gateway.port, { path: '/hello' })).status, 503);
  }
  await scene.put('routes/1', route);
  assert.equal((await request(gateway.port, { path: '/hello' })).status, 200);
  assert.equal((await gateway.settled({ 1: 1 }))[1]!.total_mirrored, 1);
  assert.equal(scene.shadow.arrived, 1);
});

test('when a change is answered, every front-end thread is on it, on old connections as on new ones', async (context) => {
  const scene = await openScene(context);
  const others = [
    await openOrigin({ behaviour: { body: 'a' } }),
    await openOrigin({ behaviour: { body: 'b' } }),
  ];
  context.after(() => Promise.all(others.map((origin) => origin.close())));
  const gateway = await scene.start({ frontends: 4 });
  const kept: RawClient[] = [];
  context.after(() => {
    for (const client of kept) client.close();
  });
  for (let index = 0; index < 32; index++) kept.push(await openRaw(gateway.port));
  const ask = async (client: RawClient): Promise<string> =>
    (await request(client, { path: '/x' })).body.toString();
  const ROUNDS = 12;
  for (let round = 0; round < ROUNDS; round++) {
    const origin = others[round % 2]!;
    await scene.put('routes/1', { uri: '/x', upstream: { type: 'roundrobin', nodes: toNodes(origin) } });
    const answers = await Promise.all([
      ...kept.map(ask),
      ...Array.from({ length: 16 }, async () => {
        const client = await openRaw(gateway.port);
        const answer = await ask(client);
        client.close();
        return answer;
      }),
    ]);
    assert.deepEqual(new Set(answers), new Set([round % 2 === 0 ? 'a' : 'b']), `round ${round}`);
  }
  assert.deepEqual(
    others.map((origin) => origin.completed),
    [(ROUNDS / 2) * 48, (ROUNDS / 2) * 48],
  );
  assert.equal((await scene.call('DELETE', 'routes/1')).status, 200);
  const gone = await Promise.all(kept.map((client) => request(client, { path: '/x' })));
  assert.ok(gone.every(({ status }) => status === 404));
});

test('a changed upstream is in force for its routes at the moment it is answered', async (context) => {
  const scene = await openScene(context);
  const gateway = await scene.start({ frontends: 2 });
  const upstream = (origin: typeof scene.primary) => ({ type: 'roundrobin', nodes: toNodes(origin) });
  await scene.put('upstreams/u', upstream(scene.primary));
  await scene.put('services/s', { upstream_id: 'u' });
  await scene.put('routes/1', { uri: '/x', service_id: 's' });
  assert.deepEqual(await send(gateway.port, '/x', { connections: 8 }), { 200: 8 });
  await scene.put('upstreams/u', upstream(scene.shadow));
  assert.deepEqual(await send(gateway.port, '/x', { connections: 8 }), { 200: 8 });
  assert.deepEqual([scene.primary.completed, scene.shadow.completed], [8, 8]);
  const refused = await scene.call('DELETE', 'upstreams/u');
  assert.deepEqual(
    [refused.status, refused.body.error_msg],
    [400, 'can not delete this upstream, service [s] is still using it now'],
  );
  assert.equal((await scene.call('DELETE', 'upstreams/u?force=true')).status, 200);
  assert.deepEqual(await send(gateway.port, '/x', { connections: 8 }), { 503: 8 });
});

test('the port for traffic serves the Admin API with a key alone, and nothing else of the admin listener', async (context) => {
  const scene = await openScene(context);
  const gateway = await scene.start(ON_PROXY_PORT);
  const { port } = gateway;
  assert.equal((await scene.call('PUT', 'routes/1', toRoute(scene, '/*', null), { port })).status, 201);
  assert.equal((await scene.call('GET', 'routes/1', undefined, { port, key: 'wrong' })).status, 401);
  assert.equal((await scene.call('GET', 'routes/1', undefined, { port })).body.value!.uri, '/*');
  // What is not the Admin API's goes to the route, however it is called.
  assert.deepEqual(await send(port, '/mirrors'), { 200: 1 });
  assert.deepEqual(await send(port, '/apisix/administer'), { 200: 1 });
  assert.deepEqual(
    scene.primary.requests.map(({ target }) => target),
    ['/mirrors', '/apisix/administer'],
  );
  // Copies of the calls themselves there are none, and no route sees them.
  assert.equal(scene.shadow.arrived, 0);
});

test('without on_proxy_port the port for traffic has no Admin API', async (context) => {
  const scene = await openScene(context);
  const { port } = await scene.start();
  const response = await fetch(`http://127.0.0.1:${port}/apisix/admin/routes`, {
    headers: { 'x-api-key': KEY },
  });
  assert.equal(response.status, 404);
});
