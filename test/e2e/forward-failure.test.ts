// What a client gets when its primary fails, and when a request is sent a second time.

import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { after, beforeEach, describe, it } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { openOrigin } from '../kit/origin.ts';
import { openRaw, type RawResponse, request, toRequestBytes } from '../kit/raw.ts';
import { readMetric, untilIdle } from './metric.ts';

const TEXTS: Readonly<Record<number, string>> = {
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** The status with its public text, and nothing that tells of the cause. */
function assertFailure(answer: RawResponse, status: number): void {
  assert.equal(answer.status, status);
  assert.equal(answer.reason, TEXTS[status]);
  assert.equal(answer.body.toString(), `${TEXTS[status]}\n`);
  const names = answer.fields.map((field) => field.slice(0, field.indexOf(':')).toLowerCase());
  const known = ['connection', 'content-length', 'content-type', 'date'];
  assert.deepEqual(
    names.filter((name) => !known.includes(name)),
    [],
  );
}

describe('a failing primary', async () => {
  const good = await openOrigin({ behaviour: { body: 'good' } });
  const bad = await openOrigin();
  const closed = await openOrigin();
  await closed.close();
  // Accepts connections and never says a word: no TLS handshake ends there.
  const silentSockets = new Set<Socket>();
  const silent: Server = createServer((socket) => {
    silentSockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  const silentPort = typeof address === 'object' ? address?.port : 0;
  const route = (id: string, urls: readonly string[], rest = ''): string =>
    `  - { id: ${id}, path: /${id}, backends: [${urls.map((url) => `{ url: '${url}' }`).join(', ')}]${rest} }`;
  const gateway: Gateway = await openGateway({
    config: [
      'routes:',
      route('closed', [closed.url], ', retries: 0'),
      route('closed-twice', [closed.url]),
      route('bad', [bad.url], ', retries: 0'),
      route('half-closed', [closed.url, good.url]),
      route('half-closed-once', [closed.url, good.url], ', retries: 0'),
      route('half-bad', [bad.url, good.url]),
      route('three', [closed.url, bad.url, good.url], ', retries: 2'),
      route('silent', [`https://127.0.0.1:${silentPort}`], ', retries: 0, timeout: { connect: 300ms }'),
      route('slow', [bad.url], ', retries: 0, timeout: { read: 600ms, send: 600ms }'),
    ].join('\n'),
  });

  beforeEach(() => {
    bad.behave({});
    good.requests.length = 0;
    bad.requests.length = 0;
  });

  after(async () => {
    await gateway.stop({ balanced: false });
    for (const socket of silentSockets) socket.destroy();
    silent.close();
    await Promise.all([good.close(), bad.close()]);
  });

  describe('errors', () => {
    it('a primary that refuses connections: 502, and the connection to the client is kept', async () => {
      const client = await openRaw(gateway.port);
      for (let count = 0; count < 3; count++) assertFailure(await request(client, { path: '/closed' }), 502);
      assertFailure(await request(client, { path: '/closed', method: 'POST', body: 'x' }), 502);
      client.close();
    });

    it('HEAD has the length of the text that is not sent', async () => {
      const answer = await request(gateway.port, { path: '/closed', method: 'HEAD' });
      assert.equal(answer.status, 502);
      assert.equal(answer.field('content-length'), String('Bad Gateway\n'.length));
    });

    for (const how of ['close', 'reset'] as const) {
      for (const at of ['start', 'head'] as const) {
        it(`a primary that ends the connection (${how}) at the ${at} of its answer: 502`, async () => {
          bad.behave({ body: 'never', cut: { at, how } });
          assertFailure(await request(gateway.port, { path: '/bad' }), 502);
        });
      }

      it(`a primary that ends the connection (${how}) within the body: the client sees it cut`, async () => {
        bad.behave({ body: 500_000, cut: { at: 'body', how } });
        const client = await openRaw(gateway.port);
        await client.send(toRequestBytes({ path: '/bad' }));
        await client.waitClosed();
        assert.equal(client.responses.length, 0);
        assert.equal(client.bad, 'ends within a message');
      });

      it(`a primary that ends the connection (${how}) within chunks: the client sees it cut`, async () => {
        bad.behave({ body: 500_000, framing: 'chunked', cut: { at: 'body', how } });
        const client = await openRaw(gateway.port);
        await client.send(toRequestBytes({ path: '/bad' }));
        await client.waitClosed();
        assert.equal(client.responses.length, 0);
        assert.equal(client.bad, 'ends within a message');
      });
    }

    const malformed: Record<string, string> = {
      'no HTTP at all': 'SSH-2.0-OpenSSH_9.2\r\n\r\n',
      'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
      'length and coding':
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'a length that is no number': 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n',
      'a header of 128 KiB': `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(128 * 1024)}\r\n\r\n`,
      'switching protocols': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    };
    for (const [name, raw] of Object.entries(malformed)) {
      it(`a malformed answer, ${name}: 502`, async () => {
        bad.behave({ raw, after: 'close' });
        assertFailure(await request(gateway.port, { path: '/bad' }), 502);
      });
    }

    it('the cause is in the log, with route, backend and request id', async () => {
      await request(gateway.port, { path: '/closed', fields: ['X-Request-Id: look-for-me'] });
      let event: Record<string, unknown> = {};
      for (let count = 1; event.request_id !== 'look-for-me'; count++) {
        event = await gateway.waitForLog('primary failed', count);
      }
      assert.equal(event.route, 'closed');
      assert.equal(event.reason, 'refused');
      assert.equal(event.backend, closed.url);
      assert.match(String(event.cause), /ECONNREFUSED/);
    });

    it('an unknown route: 404, and the connection is kept', async () => {
      const client = await openRaw(gateway.port);
      for (const path of ['/', '/bad/', '/bad/x', '/badx', '/BAD']) {
        const answer = await request(client, { path });
        assert.equal(answer.status, 404, path);
        assert.deepEqual(JSON.parse(answer.body.toString()), { error_msg: '404 Route Not Found' });
      }
      assert.equal((await request(client, { path: '/bad' })).status, 200);
      assert.equal((await request(client, { path: '/none', body: 'x' })).status, 404);
      await client.waitClosed();
    });
  });

  describe('deadlines', () => {
    it('no connection in time: 504', async () => {
      assertFailure(await request(gateway.port, { path: '/silent' }), 504);
      assert.equal(
        await readMetric(gateway, 'umbra_request_failures_total{reason="connect_timeout",route="silent"}'),
        1,
      );
    });

    it('no answer in time: 504', async () => {
      bad.behave({ hang: true });
      assertFailure(await request(gateway.port, { path: '/slow' }), 504);
      assertFailure(await request(gateway.port, { path: '/slow', body: 'x', method: 'POST' }), 504);
      assert.equal(
        await readMetric(gateway, 'umbra_request_failures_total{reason="read_timeout",route="slow"}'),
        2,
      );
    });

    it('a body that stops: the client sees it cut', async () => {
      bad.behave({ body: 'ten bytes.', declaredBytes: 100 });
      const client = await openRaw(gateway.port);
      await client.send(toRequestBytes({ path: '/slow' }));
      await client.waitClosed();
      assert.equal(client.bad, 'ends within a message');
    });

    it('an answer that comes slower than the deadline, but never stops, comes whole', async () => {
      bad.behave({ body: 'a'.repeat(20), trickle: { bytes: 8, pauseMs: 60 } });
      const answer = await request(gateway.port, { path: '/slow' });
      assert.equal(answer.body.toString(), 'a'.repeat(20));
    });

    it('a primary that does not read the body: 504', async () => {
      bad.behave({ reading: 'stop' });
      const client = await openRaw(gateway.port);
      const body = Buffer.alloc(32 * 1024 * 1024);
      void client.send(toRequestBytes({ path: '/slow', method: 'POST', body }));
      const [answer] = await client.read();
      assertFailure(answer!, 504);
      assert.equal(
        await readMetric(gateway, 'umbra_request_failures_total{reason="send_timeout",route="slow"}'),
        1,
      );
      client.close();
    });
  });

  describe('second attempts', () => {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'PATCH']) {
      it(`${method} to a refused backend goes to the other one`, async () => {
        for (let count = 0; count < 6; count++) {
          const withBody = ['PUT', 'POST', 'PATCH'].includes(method) ? { body: 'payload' } : {};
          const answer = await request(gateway.port, { method, path: '/half-closed', ...withBody });
          assert.equal(answer.status, 200);
        }
        assert.equal(good.requests.length, 6);
        for (const seen of good.requests)
          assert.equal(seen.body.toString(), seen.field('content-length') === '7' ? 'payload' : '');
      });
    }

    for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE']) {
      it(`${method} that was reset goes to the other one`, async () => {
        bad.behave({ cut: { at: 'start', how: 'reset' } });
        // On a kept connection it would be sent once more, as if the connection had been closed before.
        bad.dropConnections();
        await bad.waitForSockets(0);
        for (let count = 0; count < 6; count++) {
          assert.equal((await request(gateway.port, { method, path: '/half-bad' })).status, 200);
        }
        // A second attempt takes its turn in the cycle as a first one does.
        assert.equal(good.requests.length, 6);
        assert.equal(bad.requests.length, 6);
      });
    }

    for (const [method, body] of [
      ['POST', 'x'],
      ['POST', ''],
      ['PATCH', 'x'],
      ['PUT', 'x'],
    ] as const) {
      it(`${method} with a body of ${body.length} that was reset is not sent again`, async () => {
        bad.behave({ cut: { at: 'start', how: 'reset' } });
        const statuses: number[] = [];
        for (let count = 0; count < 6; count++) {
          statuses.push((await request(gateway.port, { method, path: '/half-bad', body })).status);
        }
        assert.deepEqual(statuses.toSorted(), [200, 200, 200, 502, 502, 502]);
        assert.equal(good.requests.length, 3);
        assert.equal(bad.requests.length, 3);
      });
    }

    it('no second attempt with retries: 0', async () => {
      const statuses: number[] = [];
      for (let count = 0; count < 6; count++) {
        statuses.push((await request(gateway.port, { path: '/half-closed-once' })).status);
      }
      assert.deepEqual(statuses.toSorted(), [200, 200, 200, 502, 502, 502]);
    });

    it('a single backend is tried twice, and counted', async () => {
      assertFailure(await request(gateway.port, { path: '/closed-twice' }), 502);
      assert.equal(await readMetric(gateway, 'umbra_retries_total{route="closed-twice"}'), 1);
      assert.equal(
        await readMetric(gateway, 'umbra_request_failures_total{reason="refused",route="closed-twice"}'),
        1,
      );
    });

    it('each attempt takes a backend that was not tried', async () => {
      bad.behave({ cut: { at: 'start', how: 'reset' } });
      for (let count = 0; count < 9; count++) {
        assert.equal((await request(gateway.port, { path: '/three' })).status, 200);
      }
      assert.equal(good.requests.length, 9);
      assert.equal(bad.requests.length, 9);
    });

    it('an answer that has begun is never asked for again', async () => {
      bad.behave({ body: 100_000, cut: { at: 'body', how: 'reset' } });
      for (let count = 0; count < 4; count++) {
        const client = await openRaw(gateway.port);
        await client.send(toRequestBytes({ path: '/half-bad' }));
        await client.read();
        client.close();
      }
      assert.equal(bad.requests.length, 2);
      assert.equal(good.requests.length, 2);
    });
  });

  it('nothing is left', async () => {
    await untilIdle(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    assert.equal(await gateway.stop(), 0);
  });
});
