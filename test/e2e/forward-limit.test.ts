// The edge's limits, each at its value and one beyond it.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, beforeEach, describe, it } from 'node:test';
import { openGateway } from '../kit/gateway.ts';
import { openOrigin } from '../kit/origin.ts';
import { openRaw, type RawClient, request, toRequestBytes } from '../kit/raw.ts';
import { readMetric, untilIdle, untilMetric } from './metric.ts';

const HEADER_LINES = 8;
const BODY_BYTES = 1_000;
const TARGET_BYTES = 100;
const IN_FLIGHT = 3;
const PER_ADDRESS = 12;

describe('limits of the edge', async () => {
  const primary = await openOrigin();
  const slow = await openOrigin({ behaviour: { hang: true } });
  const gateway = await openGateway({
    config: `
limits:
  header_bytes: 2KiB
  header_count: ${HEADER_LINES}
  target_length: ${TARGET_BYTES}
  body: ${BODY_BYTES}
  in_flight: ${IN_FLIGHT}
  connections_per_address: ${PER_ADDRESS}
  upstream_connections: 1
  upstream_queue: 1
  upstream_queue_timeout: 400ms
routes:
  - { id: hang, path: /hang, backends: [{ url: 'http://127.0.0.1:${slow.port}' }], retries: 0, timeout: { read: 1m } }
  - { id: queue, path: /queue, backends: [{ url: '${slow.url.replace('127.0.0.1', 'localhost')}' }], retries: 0 }
  - { id: all, path: /, path_prefix: true, backends: [{ url: '${primary.url}' }] }
`,
  });

  beforeEach(() => {
    primary.requests.length = 0;
  });

  after(async () => {
    await gateway.stop({ balanced: false });
    await primary.close();
    await slow.close();
  });

  /** Sends, reads the refusal, and makes sure that nothing else happens. */
  async function assertRefused(bytes: string | Uint8Array, status: number): Promise<void> {
    const client = await openRaw(gateway.port);
    await client.send(bytes);
    const [answer] = await client.read();
    assert.equal(answer?.status, status);
    await client.waitClosed();
    assert.equal(primary.requests.filter((seen) => seen.complete).length, 0);
  }

  function chunked(bytes: number): Buffer {
    const size = Math.ceil(bytes / 2);
    const chunk = (length: number): string => `${length.toString(16)}\r\n${'x'.repeat(length)}\r\n`;
    const body = `${chunk(size)}${chunk(bytes - size)}0\r\n\r\n`;
    return toRequestBytes({ method: 'POST', fields: ['Transfer-Encoding: chunked'], body });
  }

  it('a declared body at the limit passes, one byte more is 413 before it is sent', async () => {
    assert.equal((await request(gateway.port, { method: 'POST', body: 'x'.repeat(BODY_BYTES) })).status, 200);
    assert.equal(primary.requests[0]?.bodyBytes, BODY_BYTES);
    primary.requests.length = 0;
    const fields = [`Content-Length: ${BODY_BYTES + 1}`];
    await assertRefused(toRequestBytes({ method: 'POST', fields }), 413);
    await assertRefused(toRequestBytes({ method: 'POST', body: 'x'.repeat(BODY_BYTES + 1) }), 413);
    assert.equal(primary.requests.length, 0);
  });

  it('a chunked body at the limit passes, one byte more is 413 and never whole', async () => {
    const client = await openRaw(gateway.port);
    await client.send(chunked(BODY_BYTES));
    assert.equal((await client.read())[0]?.status, 200);
    client.close();
    assert.equal(primary.requests[0]?.bodyBytes, BODY_BYTES);
    primary.requests.length = 0;
    await assertRefused(chunked(BODY_BYTES + 1), 413);
  });

  it('a client that goes on sending a body that is too large gets its 413', async () => {
    for (const framing of ['Content-Length: 50000000', 'Transfer-Encoding: chunked']) {
      const socket = connect(gateway.port, '127.0.0.1');
      const answer = new Promise<string>((resolve, reject) => {
        let text = '';
        socket.on('data', (bytes) => {
          text += bytes.toString('latin1');
          if (text.endsWith('Too Large\n')) resolve(text);
        });
        socket.on('error', reject);
        socket.on('close', () => reject(new Error(`closed after ${text.length} bytes`)));
      });
      socket.write(`POST / HTTP/1.1\r\nHost: test.example\r\n${framing}\r\n\r\n`);
      // More than the kernels take, so that the client is still sending when it is answered.
      for (let piece = 0; piece < 200; piece++) {
        if (framing.startsWith('T')) socket.write('10000\r\n');
        socket.write(Buffer.alloc(0x10000, 'x'));
        if (framing.startsWith('T')) socket.write('\r\n');
      }
      assert.match(await answer, /^HTTP\/1\.1 413 .*\r\n(?:.*\r\n)*connection: close\r\n/i);
      socket.destroy();
    }
  });

  it('as many header lines as allowed pass, one more is 431', async () => {
    const lines = (count: number): string[] => Array.from({ length: count - 1 }, (_, at) => `X-${at}: v`);
    assert.equal((await request(gateway.port, { fields: lines(HEADER_LINES) })).status, 200);
    primary.requests.length = 0;
    await assertRefused(toRequestBytes({ fields: lines(HEADER_LINES + 1) }), 431);
  });

  it('1.5 KiB of header pass, 3 KiB are 431', async () => {
    assert.equal((await request(gateway.port, { fields: [`X-A: ${'a'.repeat(1536)}`] })).status, 200);
    primary.requests.length = 0;
    await assertRefused(toRequestBytes({ fields: [`X-A: ${'a'.repeat(3072)}`] }), 431);
  });

  it('a target at the limit passes with and without query, one byte more is 414', async () => {
    for (const start of ['/', '/?']) {
      const path = start.padEnd(TARGET_BYTES, 'a');
      assert.equal((await request(gateway.port, { path })).status, 200);
      assert.equal(primary.requests.at(-1)?.target, path);
    }
    primary.requests.length = 0;
    for (const start of ['/', '/?']) {
      await assertRefused(toRequestBytes({ path: start.padEnd(TARGET_BYTES + 1, 'a') }), 414);
    }
  });

  it('as many exchanges as allowed run at once, one more is 503 and its connection is kept', async () => {
    const before = slow.arrived;
    const clients = await Promise.all(Array.from({ length: IN_FLIGHT }, () => openRaw(gateway.port)));
    // One is at the primary, one waits for its connection, and one more has just room in the other route's queue.
    const paths = ['/hang', '/hang', '/queue'];
    for (const [index, client] of clients.entries())
      await client.send(toRequestBytes({ path: paths[index]! }));
    await slow.waitForHeads(before + 2);
    const over = await openRaw(gateway.port);
    for (let count = 0; count < 2; count++) {
      const answer = await request(over);
      assert.equal(answer.status, 503);
      assert.equal(answer.body.toString(), 'Service Unavailable\n');
    }
    assert.equal(primary.requests.length, 0);
    for (const client of clients) client.close();
    await untilIdle(gateway);
    assert.equal((await request(over)).status, 200);
    over.close();
  });

  it('a request for which no connection to its primary is free in time, or no place to wait, is 503', async () => {
    await untilIdle(gateway);
    const before = slow.arrived;
    const series = (reason: string): string =>
      `umbra_request_failures_total{reason="${reason}",route="hang"}`;
    const counts = await Promise.all(
      ['queue_full', 'queue_timeout'].map((each) => readMetric(gateway, series(each))),
    );
    const first = await openRaw(gateway.port);
    await first.send(toRequestBytes({ path: '/hang' }));
    await slow.waitForHeads(before + 1);
    const others = await Promise.all([
      request(gateway.port, { path: '/hang' }),
      request(gateway.port, { path: '/hang' }),
    ]);
    assert.deepEqual(
      others.map((answer) => answer.status),
      [503, 503],
    );
    assert.equal(await readMetric(gateway, series('queue_full')), counts[0]! + 1);
    assert.equal(await readMetric(gateway, series('queue_timeout')), counts[1]! + 1);
    first.close();
    await untilIdle(gateway);
  });

  it('as many connections as allowed come from one address, one more is closed at once', async () => {
    await untilMetric(gateway, 'umbra_connections', 0);
    const clients: RawClient[] = [];
    for (let count = 0; count < PER_ADDRESS; count++) {
      const client = await openRaw(gateway.port);
      assert.equal((await request(client)).status, 200);
      clients.push(client);
    }
    const over = await openRaw(gateway.port);
    await over.waitClosed();
    const other = await openRaw(gateway.port, { localAddress: '127.0.0.2' });
    assert.equal((await request(other)).status, 200, 'another address is not affected');
    other.close();
    assert.equal((await request(clients[0]!)).status, 200, 'open connections are not affected');
    for (const client of clients.slice(1)) client.close();
    // How many an address has left is found out within a second.
    for (let tries = 0; ; tries++) {
      const again = await openRaw(gateway.port);
      await again.send(toRequestBytes());
      const [answer] = await again.read();
      again.close();
      if (answer?.status === 200) break;
      assert.ok(tries < 10_000, 'a freed place is never given again');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    clients[0]!.close();
    assert.ok((await readMetric(gateway, 'umbra_refused_connections_total')) >= 1);
  });

  it('what is refused is counted by reason', async () => {
    await assertRefused('GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400);
    const reasons = ['bad_request', 'headers_too_large', 'target_too_long', 'body_too_large', 'overload'];
    for (const reason of reasons) {
      assert.ok((await readMetric(gateway, `umbra_refused_requests_total{reason="${reason}"}`)) >= 1, reason);
    }
  });

  it('nothing is left', async () => {
    await untilIdle(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    assert.equal(await gateway.stop(), 0);
  });
});
