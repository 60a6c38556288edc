// What clients can make the admin listener hold: one answer for a connection, and so many bytes for all of them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createAdmin } from '../../src/control/admin.ts';
import { SMALL_BYTES, WAITING_MAX } from '../../src/control/answer-room.ts';
import { FindingsStore } from '../../src/control/findings/findings-store.ts';
import { createLedger } from '../../src/control/ledger.ts';
import { History } from '../../src/control/mirror-api/history.ts';
import { createWaiting } from '../kit/waiting.ts';
import { KEY, openCatalog } from './admin-api-kit.ts';
import { sampleRoute } from './sample.ts';

/** More than the system takes for a client that does not read. */
const LONG_BYTES = 16 * 1024 * 1024;

async function open(t: TestContext, render: () => Promise<string>, answerBytesMax?: number) {
  const ledger = createLedger({ frontends: 1, lanes: 1 });
  ledger.enter([sampleRoute({ id: 'api' })]);
  const catalog = await openCatalog(t);
  const admin = createAdmin({
    settings: {
      host: '127.0.0.1',
      port: 0,
      key: KEY,
      viewerKey: null,
      keyRequired: true,
      keyFile: '/nowhere',
      allow: [],
      apiVersion: 'v3',
      onProxyPort: false,
    },
    catalog,
    ledger,
    findings: new FindingsStore({ ledger }),
    history: new History({ ledger }),
    metrics: { contentType: 'text/plain', render },
    clock: () => 0,
    isReady: () => true,
    ...(answerBytesMax === undefined ? {} : { answerBytesMax }),
  });
  t.after(() => admin.close());
  const { port } = await admin.listen();
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers: { ...init.headers, connection: 'close' } });
  return { port, ask };
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

/** Reads nothing until it is told to. */
function send(t: TestContext, port: number, text: string): Socket {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.pause();
  socket.write(text);
  return socket;
}

/** Long answers, how many there were, and waiting for them. */
function createRender() {
  const waiting = createWaiting();
  const state = { count: 0 };
  return {
    state,
    until: (count: number) =>
      waiting.until(
        () => state.count >= count,
        () => `${state.count} answers`,
      ),
    render: async (): Promise<string> => {
      state.count++;
      waiting.check();
      return 'x'.repeat(LONG_BYTES);
    },
  };
}

test('a connection has one answer under way, however many it asks for before it reads', async (t) => {
  const { state, until, render } = createRender();
  const { port, ask } = await open(t, render);
  const socket = send(t, port, get('/metrics').repeat(4));
  await until(1);
  // Each is a turn of the loop, and more.
  for (let round = 0; round < 5; round++) assert.equal((await ask('/livez')).status, 200);
  assert.equal(state.count, 1);
  const waiting = createWaiting();
  let bytes = 0;
  socket.resume().on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    waiting.check();
  });
  await waiting.until(
    () => bytes > 4 * LONG_BYTES,
    () => `${bytes} bytes`,
  );
  assert.equal(state.count, 4);
});

test('requests that wait for an answer before them are answered in their order, up to a bound', async (t) => {
  const held = Promise.withResolvers<string>();
  const asked = Promise.withResolvers<void>();
  const { port, ask } = await open(t, () => {
    asked.resolve();
    return held.promise;
  });
  const patient = send(
    t,
    port,
    get('/metrics') + get('/livez').repeat(WAITING_MAX - 1) + get('/readyz?last'),
  );
  await asked.promise;
  const eager = send(t, port, get('/metrics') + get('/livez').repeat(WAITING_MAX + 1));
  const closed = once(eager, 'close');
  let heard = '';
  eager
    .setEncoding('latin1')
    .resume()
    .on('data', (chunk: string) => {
      heard += chunk;
    });
  await closed;
  assert.equal(heard, '');
  assert.equal((await ask('/livez')).status, 200);
  held.resolve('first of all');
  const waiting = createWaiting();
  let text = '';
  patient
    .setEncoding('latin1')
    .resume()
    .on('data', (chunk: string) => {
      text += chunk;
      waiting.check();
    });
  const answers = (): string[] => text.split('HTTP/1.1 200').slice(1);
  await waiting.until(
    () => answers().length === WAITING_MAX + 1 && text.endsWith('ok\n'),
    () => text,
  );
  assert.match(answers()[0]!, /first of all$/);
  assert.ok(
    answers()
      .slice(1)
      .every((answer) => answer.includes('ok\n')),
  );
});

test('answers that nobody reads are bounded together: reading is refused, changes and short answers are not', async (t) => {
  const { until, render } = createRender();
  const { port, ask } = await open(t, render, 2.5 * LONG_BYTES);
  const first = send(t, port, get('/metrics'));
  await until(1);
  const second = send(t, port, get('/metrics'));
  await until(2);
  const refused = await ask('/metrics');
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1']);
  assert.match(refused.headers.get('content-type')!, /^application\/json/);
  assert.deepEqual(await refused.json(), { error: 'too many answers wait to be read' });
  assert.equal((await ask('/mirrors/api')).status, 200);
  assert.equal((await ask('/metrics', { method: 'HEAD' })).status, 200);
  const headers = { 'x-api-key': KEY };
  const body = JSON.stringify({
    uris: Array.from({ length: 30 }, (_, index) => `/${index}${'x'.repeat(900)}`),
    upstream: { type: 'roundrobin', nodes: { 'a-node:1': 1 } },
  });
  const made = await ask('/apisix/admin/routes/long', { method: 'PUT', headers, body });
  const text = await made.text();
  assert.equal(made.status, 201, text);
  assert.ok(text.length > SMALL_BYTES);
  const listed = await ask('/apisix/admin/routes/long', { headers });
  // There is room for this one.
  assert.equal(listed.status, 200);
  await listed.text();
  // What has gone makes room, and so does what was read.
  second.destroy();
  for (;;) {
    // The server hears of it in its own time.
    const next = await ask('/metrics');
    if (next.status === 200) {
      assert.equal((await next.text()).length, LONG_BYTES);
      break;
    }
    await next.text();
  }
  first.destroy();
});
