// The admin listener over real sockets: paths, keys, methods, and an end that nobody can hold up.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createAdmin } from '../../src/control/admin.ts';
import { FindingsStore } from '../../src/control/findings/findings-store.ts';
import { createLedger } from '../../src/control/ledger.ts';
import type { Metrics } from '../../src/control/metrics.ts';
import { createMetrics } from '../../src/control/metrics.ts';
import { History } from '../../src/control/mirror-api/history.ts';
import type { AdminSettings } from '../../src/core/model.ts';
import { openCatalog } from './admin-api-kit.ts';
import { SHADOW, sampleRoute } from './sample.ts';

const SETTINGS: AdminSettings = {
  host: '127.0.0.1',
  port: 0,
  key: null,
  viewerKey: null,
  keyRequired: true,
  keyFile: '/nowhere',
  allow: [],
  apiVersion: 'v3',
  onProxyPort: false,
};

const KEY = 'a key of some length';
const CLOCK = () => 6_000_000;

interface Opening {
  readonly settings?: Partial<AdminSettings>;
  readonly isReady?: () => boolean;
  readonly render?: Metrics['render'];
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function open(t: TestContext, { settings, isReady = () => true, render }: Opening = {}) {
  const ledger = createLedger({ frontends: 1, lanes: 1 });
  ledger.enter([
    sampleRoute({ id: 'api' }),
    sampleRoute({ id: 'a/b c' }),
    sampleRoute({ id: 'plain', shadows: null }),
  ]);
  const catalog = await openCatalog(t);
  const findings = new FindingsStore({ ledger });
  const history = new History({ ledger });
  const metrics = createMetrics({
    ledger,
    findings,
    version: '1.2.3',
    clock: CLOCK,
    isReady,
    readReload: () => ({ isSuccessful: true, succeededAtMs: 1000 }),
    readLogsLost: () => 0,
    readUnread: () => 2,
    readCatalog: () => catalog.status(),
  });
  const errors: Error[] = [];
  const admin = createAdmin({
    settings: { ...SETTINGS, ...settings },
    catalog,
    ledger,
    findings,
    history,
    metrics: render === undefined ? metrics : { ...metrics, render },
    clock: CLOCK,
    isReady,
    onError: (error) => errors.push(error),
  });
  t.after(() => admin.close());
  const { port } = await admin.listen();
  const ask = (path: string, options: RequestOptions = {}) =>
    send({ host: '127.0.0.1', port, path, ...options });
  return { admin, port, ask, errors };
}

async function send(options: RequestOptions, content?: string): Promise<Answer> {
  const outgoing = request({ agent: false, ...options });
  outgoing.end(content);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of answer.setEncoding('utf8')) body += chunk;
  return { status: answer.statusCode ?? 0, headers: answer.headers, body };
}

function assertError(answer: Answer, status: number, pattern: RegExp): void {
  assert.equal(answer.status, status);
  assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
  const { error } = JSON.parse(answer.body) as { error: string };
  assert.match(error, pattern);
}

test('mirrors are JSON, all of them or one', async (t) => {
  const { ask } = await open(t);
  const all = await ask('/mirrors');
  assert.equal(all.status, 200);
  assert.match(all.headers['content-type'] ?? '', /^application\/json/);
  assert.equal(all.headers['cache-control'], 'no-store');
  const mirrors = JSON.parse(all.body) as Record<string, Record<string, unknown>>;
  assert.deepEqual(Object.keys(mirrors), ['api', 'a/b c']);
  assert.deepEqual(Object.keys(mirrors.api!.shadows as object), [SHADOW]);
  const one = await ask('/mirrors/api');
  assert.equal(one.status, 200);
  assert.deepEqual(JSON.parse(one.body), mirrors.api);
  assert.equal((await ask('/mirrors/a%2Fb%20c')).status, 200);
});

test('an unknown route and one without mirror are 404', async (t) => {
  const { ask } = await open(t);
  assertError(await ask('/mirrors/none'), 404, /no mirrored route "none"/);
  assertError(await ask('/mirrors/plain'), 404, /no mirrored route "plain"/);
  assertError(await ask('/mirrors/__proto__'), 404, /no mirrored route/);
  assertError(await ask(`/mirrors/${'x'.repeat(1024)}`), 404, /no mirrored route/);
});

test('metrics come with the content type of the format', async (t) => {
  const { ask } = await open(t);
  const answer = await ask('/metrics');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  assert.match(answer.body, /^umbra_build_info\{version="1\.2\.3"\} 1$/m);
  assert.match(answer.body, /^process_cpu_seconds_total /m);
});

test('readiness follows the gateway, liveness does not', async (t) => {
  let isReady = false;
  const { ask } = await open(t, { isReady: () => isReady });
  const status = async (path: string) => (await ask(path)).status;
  assert.deepEqual([await status('/readyz'), await status('/livez')], [503, 200]);
  isReady = true;
  assert.deepEqual([await status('/readyz'), await status('/livez')], [200, 200]);
  isReady = false;
  assert.deepEqual([await status('/readyz'), await status('/livez')], [503, 200]);
  assert.equal((await ask('/livez')).body, 'ok\n');
});

test('HEAD answers as GET without a body', async (t) => {
  const { ask } = await open(t);
  for (const path of ['/mirrors', '/mirrors/api', '/metrics', '/livez', '/readyz']) {
    const [head, full] = [await ask(path, { method: 'HEAD' }), await ask(path)];
    assert.equal(head.status, 200);
    assert.equal(head.body, '');
    assert.equal(head.headers['content-type'], full.headers['content-type']);
  }
  assert.equal((await ask('/mirrors/none', { method: 'HEAD' })).status, 404);
});

test('other methods are 405 with the key and 401 without, whatever body they bring', async (t) => {
  const { port, ask } = await open(t, { settings: { key: KEY } });
  const headers = { 'x-api-key': KEY };
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    for (const path of ['/mirrors', '/mirrors/api', '/metrics', '/livez', '/readyz']) {
      const answer = await ask(path, { method, headers });
      assertError(answer, 405, /GET, HEAD/);
      assert.equal(answer.headers.allow, 'GET, HEAD');
    }
    for (const path of ['/mirrors', '/metrics', '/nothing']) {
      assertError(await ask(path, { method }), 401, /X-API-KEY/);
    }
    assertError(await ask('/livez', { method }), 405, /GET, HEAD/);
  }
  const typed = { ...headers, 'content-type': 'application/json' };
  const bad = await send(
    { host: '127.0.0.1', port, path: '/mirrors', method: 'POST', headers: typed },
    '{not json',
  );
  assertError(bad, 405, /GET, HEAD/);
});

test('other paths are 404, and a path that cannot be decoded is 400', async (t) => {
  const { ask } = await open(t, { settings: { key: KEY } });
  for (const path of ['/mirror', '/mirrors/', '/mirrors/api/more', '/metrics/x', '/../livez']) {
    assertError(await ask(path), 404, /./);
  }
  assertError(await ask('/nothing', { method: 'POST', headers: { 'x-api-key': KEY } }), 404, /nothing/);
  assertError(await ask('/mirrors/%zz'), 400, /./);
});

test('off loopback everything but health needs the key', async (t) => {
  const { ask } = await open(t, { settings: { host: '0.0.0.0', key: KEY } });
  for (const path of ['/mirrors', '/mirrors/api', '/mirrors/none', '/metrics', '/nothing']) {
    for (const given of [undefined, '', 'wrong', `${KEY}x`, KEY.slice(1), KEY.toUpperCase()]) {
      const headers = given === undefined ? {} : { 'x-api-key': given };
      assertError(await ask(path, { headers }), 401, /X-API-KEY/);
    }
  }
  assertError(await ask('/mirrors', { method: 'POST' }), 401, /X-API-KEY/);
  const headers = { 'x-api-key': KEY };
  assert.equal((await ask('/mirrors', { headers })).status, 200);
  assert.equal((await ask('/metrics', { headers: { 'X-Api-Key': KEY } })).status, 200);
  assert.equal((await ask('/nothing', { headers })).status, 404);
  assert.equal((await ask('/livez')).status, 200);
  assert.equal((await ask('/readyz')).status, 200);
});

test('off loopback without a key it does not listen', async (t) => {
  for (const key of [null, '']) {
    const ledger = createLedger({ frontends: 1, lanes: 0 });
    const admin = createAdmin({
      settings: { ...SETTINGS, host: '0.0.0.0', key },
      catalog: await openCatalog(t),
      ledger,
      findings: new FindingsStore({ ledger }),
      history: new History({ ledger }),
      metrics: { contentType: 'text/plain', render: async () => '' },
      clock: CLOCK,
      isReady: () => true,
    });
    await assert.rejects(admin.listen(), /^Error: admin listener: 0\.0\.0\.0:0 is off loopback/);
    await admin.close();
  }
});

test('on loopback a foreign Host is refused, unless it brings the key', async (t) => {
  const { ask, port } = await open(t, { settings: { key: KEY } });
  for (const host of [
    '127.0.0.1',
    `127.0.0.1:${port}`,
    'localhost:1',
    'LOCALHOST',
    '[::1]:9180',
    'a.localhost',
    '10.1.2.3',
  ]) {
    assert.equal((await ask('/mirrors', { headers: { host } })).status, 200, host);
  }
  for (const host of [
    'evil.example',
    'evil.example:9180',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
  ]) {
    assertError(await ask('/mirrors', { headers: { host } }), 421, /Host/);
    assert.equal((await ask('/livez', { headers: { host } })).status, 200, host);
  }
  const headers = { host: 'evil.example', 'x-api-key': KEY };
  assert.equal((await ask('/mirrors', { headers })).status, 200);
});

test('a failure inside is 500 without its cause, and the cause is told to the owner', async (t) => {
  const { ask, errors } = await open(t, { render: () => Promise.reject(new Error('secret cause')) });
  const answer = await ask('/metrics');
  assertError(answer, 500, /^internal error$/);
  assert.ok(!answer.body.includes('secret'));
  assert.deepEqual(
    errors.map((error) => error.message),
    ['secret cause'],
  );
  assert.equal((await ask('/livez')).status, 200);
});

test('a port in use is one line that names the address', async (t) => {
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  assert.ok(typeof address === 'object' && address !== null);
  await assert.rejects(open(t, { settings: { port: address.port } }), (error: Error) => {
    assert.equal(
      error.message,
      `admin listener: cannot listen on 127.0.0.1:${address.port}: the port is in use`,
    );
    return true;
  });
  taken.close();
  await once(taken, 'close');
});

test('bytes that are not HTTP, and headers past the bound, end their own connection only', async (t) => {
  const { port, ask } = await open(t);
  const raw = async (bytes: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    let text = '';
    for await (const chunk of socket.setEncoding('latin1')) text += chunk;
    return text;
  };
  assert.match(await raw('\x00\x01 nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(
    await raw(`GET /livez HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
  assert.equal((await ask('/livez')).status, 200);
});

test('idle, half-sent and waiting connections do not hold up the end', async (t) => {
  const asked = Promise.withResolvers<void>();
  const render = () => {
    asked.resolve();
    return new Promise<string>(() => {});
  };
  const { admin, port } = await open(t, { render });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const [answer] = (await once(get({ host: '127.0.0.1', port, path: '/livez', agent }), 'response')) as [
    IncomingMessage,
  ];
  answer.resume();
  await once(answer, 'end');
  // Connections are accepted in their order, so once the second one's request is in hand both are.
  const ends = ['GET /livez HTTP/1.1\r\nHost: local', 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'].map(
    (bytes) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(bytes);
      return new Promise((resolve) => socket.once('close', resolve));
    },
  );
  await asked.promise;
  const begun = performance.now();
  await admin.close();
  assert.ok(performance.now() - begun < 3000);
  await Promise.all(ends);
  await admin.close();
  const refused = connect(port, '127.0.0.1');
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});
