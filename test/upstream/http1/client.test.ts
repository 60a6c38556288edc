// What only our own client does: repeating over a stale connection, deadlines of what the socket has not taken yet,
// and not trusting what may already lie in a socket.

import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { UpstreamRequest } from '../../../src/upstream/client.ts';
import { run, Trace, toCreateClient, toRequest } from '../trace.ts';

const createClient = toCreateClient('http1');
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** More than the kernel takes at once. */
const LONG_VALUE = 'x'.repeat(6_000_000);

/** An upstream that does with each connection what it is told; `number` counts from 1. */
async function openServer(t: TestContext, serve: (socket: Socket, number: number) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket, sockets.size);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers each piece of bytes, but for the second one on the first connection, which ends it. */
function endKept(socket: Socket, number: number): void {
  let heads = 0;
  socket.on('data', () => {
    heads++;
    if (number === 1 && heads === 2) socket.destroy();
    else socket.write(OK);
  });
}

const REPEATED: readonly (readonly [string, Partial<UpstreamRequest>])[] = [
  ['GET', {}],
  ['HEAD', { method: 'HEAD' }],
  ['PUT with a body', { method: 'PUT', body: Buffer.from('abc') }],
  ['DELETE', { method: 'DELETE' }],
];

for (const [name, request] of REPEATED) {
  test(`${name} over a kept connection that was closed is sent once more`, async (t) => {
    const answer = request.method === 'HEAD' ? OK.slice(0, -2) : OK;
    let connections = 0;
    const origin = await openServer(t, (socket, number) => {
      connections = number;
      let heads = 0;
      socket.on('data', () => {
        if (number === 1 && ++heads === 2) socket.destroy();
        else socket.write(answer);
      });
    });
    const client = createClient(origin);
    await run(client, request);
    const trace = await run(client, request);
    assert.deepEqual([trace.status, trace.failure, connections], [200, null, 2]);
    await client.close();
  });
}

test('POST, and what is streamed, is not', async (t) => {
  for (const request of [
    { method: 'POST', body: Buffer.from('abc') },
    { method: 'PUT', streaming: true },
  ]) {
    const client = createClient(await openServer(t, endKept));
    await run(client);
    const trace = new Trace((event, self) => {
      if (event === 'drain') self.attempt.write(Buffer.from('abc'));
    }).dispatch(client, toRequest(request));
    await trace.done();
    assert.deepEqual([trace.failure?.reason, trace.failure?.sent, trace.late], ['reset', true, []]);
    await client.close();
  }
});

test('a fresh connection that is closed fails its request, and so does the one that a repeat got', async (t) => {
  let connections = 0;
  const origin = await openServer(t, (socket, number) => {
    connections = number;
    let heads = 0;
    socket.on('data', () => {
      if (number === 1 && ++heads === 1) socket.write(OK);
      else socket.destroy();
    });
  });
  const client = createClient(origin);
  await run(client);
  assert.equal((await run(client)).failure?.reason, 'reset');
  assert.equal(connections, 2);
  assert.equal((await run(client)).failure?.reason, 'reset');
  assert.equal(connections, 3);
  await client.close();
});

test('a connection that was opened for an aborted request and closed meanwhile does not fail the next one', async (t) => {
  let connections = 0;
  const opened = Promise.withResolvers<void>();
  const origin = await openServer(t, (socket, number) => {
    connections = number;
    socket.on('data', () => (number === 1 ? socket.destroy() : socket.write(OK)));
    opened.resolve();
  });
  const client = createClient(origin, { connectionsMax: 1 });
  const aborted = new Trace().dispatch(client, toRequest());
  aborted.attempt.abort();
  await aborted.done();
  await opened.promise;
  const trace = await run(client);
  assert.deepEqual([trace.status, trace.failure, connections], [200, null, 2]);
  await client.close();
});

for (const streaming of [true, false]) {
  test(`a head that is not taken at once does not hold its ${streaming ? 'streamed' : 'whole'} body up`, async (t) => {
    let bytes = 0;
    const origin = await openServer(t, (socket) => {
      socket.pause();
      setTimeout(() => socket.resume(), 100);
      socket.on('data', (chunk) => {
        bytes += chunk.length;
        if (bytes > 6_100_000) socket.write(OK);
      });
    });
    const client = createClient(origin);
    const body = Buffer.alloc(100_000);
    const headers = ['host', 'a', 'x-long', LONG_VALUE, 'content-length', String(body.length)];
    const trace = new Trace((event, self) => {
      if (event !== 'drain') return;
      self.attempt.write(body);
      self.attempt.end();
    });
    trace.dispatch(client, toRequest({ method: 'POST', headers, streaming, body: streaming ? null : body }));
    await trace.done();
    assert.deepEqual([trace.status, trace.failure], [200, null]);
    await client.close();
  });
}

test('the time for the answer begins when the request has been taken', async (t) => {
  const readMs = 2_000;
  const origin = await openServer(t, (socket) => {
    socket.pause();
    // Nearly as long as the answer may take, which it then takes half of.
    setTimeout(() => socket.resume(), readMs * 0.9);
    let bytes = 0;
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      if (bytes > LONG_VALUE.length) setTimeout(() => socket.write(OK), readMs / 2);
    });
  });
  const client = createClient(origin, { timeouts: { connectMs: 20_000, sendMs: 20_000, readMs } });
  const trace = await run(client, { headers: ['host', 'a', 'x-long', LONG_VALUE] });
  assert.deepEqual([trace.status, trace.failure], [200, null]);
  await client.close();
});

test('bytes behind a response that fills a read do not become the answer of a request that waits', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 65494\r\n\r\n';
  const filling = head + 'x'.repeat(65_494);
  assert.equal(filling.length, 65_536);
  const wrong = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong';
  const origin = await openServer(t, (socket, number) => {
    socket.once('data', () => socket.write(number === 1 ? filling + wrong : OK));
  });
  const client = createClient(origin, { connectionsMax: 1 });
  const traces = ['/first', '/second'].map((target) => new Trace().dispatch(client, toRequest({ target })));
  for (const trace of traces) await trace.done();
  assert.deepEqual(
    traces.map(({ bodyBytes, failure }) => [bodyBytes, failure]),
    [
      [65_494, null],
      [2, null],
    ],
  );
  await client.close();
});
