// Clients that go away, in every phase of an exchange: the primary is let go, the exchange is freed, the next one is served.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, type RawClient, request, toRequestBytes } from '../kit/raw.ts';
import { readMetric, untilIdle, untilMetric } from './metric.ts';

const GONE = 'umbra_request_failures_total{reason="client_gone",route="all"}';
const BULK_BYTES = 64 * 1024 * 1024;
const CHUNKED = 'Transfer-Encoding: chunked';

const ways: Readonly<Record<string, (client: RawClient) => void>> = {
  'ends its side': (client) => client.end(),
  closes: (client) => client.close(),
  resets: (client) => client.reset(),
};

describe('clients that go away', () => {
  let primary: Origin;
  let gateway: Gateway;
  let gone = 0;

  before(async () => {
    primary = await openOrigin();
    const timeout = 'timeout: { connect: 2s, send: 10m, read: 10m }';
    gateway = await openGateway({
      config: `routes: [{ id: all, path: /, path_prefix: true, retries: 1, ${timeout}, backends: [{ url: '${primary.url}' }] }]`,
    });
  });

  beforeEach(async () => {
    primary.behave({});
    primary.dropConnections();
    await primary.waitForSockets(0);
    await untilIdle(gateway);
    gone = await readMetric(gateway, GONE);
  });

  after(async () => {
    await gateway?.stop({ balanced: false });
    await primary?.close();
  });

  /** The primary's connection ends, the exchange is counted as its client's and freed, and the gateway serves on. */
  async function assertLetGo(sockets = 0): Promise<void> {
    await primary.waitForSockets(sockets, 60_000);
    await untilIdle(gateway);
    await untilMetric(gateway, GONE, gone + 1);
    primary.behave({ body: 'next' });
    assert.equal((await request(gateway.port)).body.toString(), 'next');
  }

  for (const [way, leave] of Object.entries(ways)) {
    it(`a client that ${way} while it waits for the head of the answer`, async () => {
      primary.behave({ hang: true });
      const heads = primary.arrived;
      const client = await openRaw(gateway.port);
      await client.send(toRequestBytes());
      await primary.waitForHeads(heads + 1);
      leave(client);
      await assertLetGo();
      assert.equal(primary.arrived, heads + 2, 'and is not tried again');
    });

    it(`a client that ${way} after its body, while it waits for the head of the answer`, async () => {
      for (const fields of [['Content-Length: 5'], [CHUNKED]]) {
        gone = await readMetric(gateway, GONE);
        primary.behave({ hang: true });
        primary.dropConnections();
        await primary.waitForSockets(0);
        const wholes = primary.completed;
        const client = await openRaw(gateway.port);
        const body = fields[0] === CHUNKED ? '5\r\nhello\r\n0\r\n\r\n' : 'hello';
        await client.send(toRequestBytes({ method: 'POST', fields, body }));
        await primary.waitFor(wholes + 1);
        leave(client);
        await assertLetGo();
      }
    });

    it(`a client that ${way} before its body`, async () => {
      const heads = primary.arrived;
      const client = await openRaw(gateway.port);
      await client.send(toRequestBytes({ method: 'POST', fields: ['Content-Length: 5'] }));
      await untilMetric(gateway, 'umbra_exchanges_in_flight', 1);
      leave(client);
      await assertLetGo();
      assert.equal(primary.arrived, heads + 1, 'nothing was sent for it');
    });

    it(`a client that ${way} within a body of known length`, async () => {
      const heads = primary.arrived;
      const client = await openRaw(gateway.port);
      await client.send(
        toRequestBytes({ method: 'POST', fields: ['Content-Length: 100000'], body: 'x'.repeat(50_000) }),
      );
      await primary.waitForHeads(heads + 1);
      leave(client);
      await assertLetGo();
      assert.equal(primary.requests.filter((seen) => seen.method === 'POST').at(-1)?.complete, false);
    });

    it(`a client that ${way} within a chunked body`, async () => {
      const heads = primary.arrived;
      const client = await openRaw(gateway.port);
      await client.send(toRequestBytes({ method: 'POST', fields: [CHUNKED], body: '5\r\nhello\r\n' }));
      await primary.waitForHeads(heads + 1);
      leave(client);
      await assertLetGo();
      assert.equal(primary.requests.filter((seen) => seen.method === 'POST').at(-1)?.complete, false);
    });

    it(`a client that ${way} within an answer of known length`, async () => {
      primary.behave({ body: 'ten bytes.', declaredBytes: 100 });
      const client = await openRaw(gateway.port);
      await client.send(toRequestBytes());
      await new Promise((resolve) => client.socket.once('data', resolve));
      leave(client);
      await assertLetGo();
    });

    it(`a client that ${way} within a chunked answer`, async () => {
      const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
      primary.behave({ raw: `${head}5\r\nhello\r\n` });
      const client = await openRaw(gateway.port);
      await client.send(toRequestBytes());
      await new Promise((resolve) => client.socket.once('data', resolve));
      leave(client);
      await assertLetGo();
    });
  }

  for (const [way, leave] of Object.entries(ways).filter(([name]) => name !== 'ends its side')) {
    it(`a client that ${way} while it does not read a large answer`, async () => {
      primary.behave({ body: BULK_BYTES });
      const client = await openRaw(gateway.port);
      await client.send(toRequestBytes());
      await new Promise((resolve) => client.socket.once('data', resolve));
      client.socket.pause();
      leave(client);
      await assertLetGo();
    });

    it(`a client that ${way} while its primary does not read is noticed when that one goes`, async () => {
      primary.behave({ reading: 'stop' });
      const heads = primary.arrived;
      const client = await openRaw(gateway.port);
      void client.send(toRequestBytes({ method: 'PUT', body: Buffer.alloc(BULK_BYTES) }));
      await primary.waitForHeads(heads + 1);
      // The client is paused by then, and the listener does not tell of a paused one's end.
      await stalled(client);
      leave(client);
      primary.dropConnections();
      await primary.waitForSockets(0);
      await untilIdle(gateway);
      primary.behave({ body: 'next' });
      assert.equal((await request(gateway.port)).body.toString(), 'next');
    });
  }

  it('a thousand clients that go away at any moment leave nothing behind', async () => {
    primary.behave({ body: 300_000, framing: 'chunked' });
    const random = createRandom(20_260_101);
    const body = Buffer.alloc(200_000, 'x');
    for (let round = 0; round < 50; round++) {
      const clients = await Promise.all(Array.from({ length: 20 }, () => openRaw(gateway.port)));
      const bytes = toRequestBytes(random() < 0.5 ? {} : { method: 'POST', body });
      for (const client of clients) {
        client.socket.on('error', () => undefined);
        void client.send(bytes.subarray(0, Math.ceil(random() * bytes.length)));
        if (random() < 0.5) client.socket.once('data', () => client.reset());
      }
      for (let turn = Math.floor(random() * 30); turn > 0; turn--) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (const client of clients) {
        if (random() < 0.5) client.reset();
        else client.close();
      }
    }
    await untilIdle(gateway);
    await untilMetric(gateway, 'umbra_connections', 0);
    const connections = primary.connections;
    primary.behave({ body: 'next' });
    for (let count = 0; count < 50; count++)
      assert.equal((await request(gateway.port)).body.toString(), 'next');
    assert.ok(primary.connections <= connections + 1, 'connections are still kept');
  });

  it('nothing is left', async () => {
    await untilIdle(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    assert.equal(await gateway.stop(), 0);
  });
});

/** Resolves when the client's socket has taken nothing more for a while: nobody reads it. */
async function stalled(client: RawClient): Promise<void> {
  for (let last = -1; last !== client.socket.bytesWritten - client.socket.writableLength; ) {
    last = client.socket.bytesWritten - client.socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

/** Mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
