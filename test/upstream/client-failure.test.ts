// Every way in which an attempt can fail, with the exact reason and whether anything may have been sent.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { UpstreamReason, UpstreamSettings } from '../../src/upstream/client.ts';
import type { Behaviour } from '../kit/behaviour.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { assertUsable, CLIENTS, run, Trace, toCreateClient, toUpload } from './trace.ts';

for (const kind of CLIENTS) {
  describe(kind, () => {
    const createClient = toCreateClient(kind);

    let origin: Origin;

    before(async () => {
      origin = await openOrigin();
    });

    after(() => origin.close());

    const brief = { connectMs: 20_000, sendMs: 20_000, readMs: 300 };
    const FULL = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

    interface Row {
      readonly name: string;
      readonly behaviour: Behaviour;
      readonly reason: UpstreamReason;
      /** Events before the error; a list where the moment of a reset decides. */
      readonly events: readonly string[];
      readonly timeouts?: UpstreamSettings['timeouts'];
    }

    const rows: readonly Row[] = [
      {
        name: 'closes before answering',
        behaviour: { cut: { at: 'start', how: 'close' } },
        reason: 'reset',
        events: ['start'],
      },
      {
        name: 'resets before answering',
        behaviour: { cut: { at: 'start', how: 'reset' } },
        reason: 'reset',
        events: ['start'],
      },
      {
        name: 'closes within its header',
        behaviour: { cut: { at: 'head', how: 'close' } },
        reason: 'reset',
        events: ['start'],
      },
      {
        name: 'resets within its header',
        behaviour: { cut: { at: 'head', how: 'reset' } },
        reason: 'reset',
        events: ['start'],
      },
      {
        name: 'closes within a body with a length',
        behaviour: { body: 100, cut: { at: 'body', how: 'close' } },
        reason: 'reset',
        events: ['start head body'],
      },
      {
        name: 'resets within a body',
        behaviour: { body: 100, cut: { at: 'body', how: 'reset' } },
        reason: 'reset',
        events: ['start', 'start head', 'start head body'],
      },
      {
        name: 'closes within a chunked body',
        behaviour: { body: 100, framing: 'chunked', cut: { at: 'body', how: 'close' } },
        reason: 'reset',
        events: ['start head body'],
      },
      {
        name: 'sends a shorter body than it said and closes',
        behaviour: { body: 'short', declaredBytes: 10, after: 'close' },
        reason: 'reset',
        events: ['start head body'],
      },
      {
        name: 'sends a shorter body than it said, with connection: close',
        behaviour: { body: 'short', declaredBytes: 10, fields: ['Connection: close'], after: 'close' },
        reason: 'reset',
        events: ['start head body'],
      },
      {
        name: 'closes within a chunked body, with connection: close',
        behaviour: {
          body: 100,
          framing: 'chunked',
          fields: ['Connection: close'],
          cut: { at: 'body', how: 'close' },
        },
        reason: 'reset',
        events: ['start head body'],
      },
      {
        name: 'sends garbage',
        behaviour: { raw: 'SSH-2.0-OpenSSH_9.2\r\n' },
        reason: 'malformed',
        events: ['start'],
      },
      {
        name: 'sends a bad status',
        behaviour: { raw: 'HTTP/1.1 20 OK\r\n\r\n' },
        reason: 'malformed',
        events: ['start'],
      },
      {
        name: 'sends two lengths',
        behaviour: { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab' },
        reason: 'malformed',
        events: ['start'],
      },
      {
        name: 'sends a bad chunk size',
        behaviour: { raw: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n' },
        reason: 'malformed',
        // undici tells the head before it has seen what comes with it.
        events: [kind === 'undici' ? 'start head' : 'start'],
      },
      {
        name: 'sends a field with a bare line feed in its name',
        behaviour: { raw: 'HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n' },
        reason: 'malformed',
        events: ['start'],
      },
      {
        name: 'sends a header over the bound',
        behaviour: { fields: [`X-Large: ${'x'.repeat(70_000)}`] },
        reason: 'malformed',
        events: ['start'],
      },
      {
        name: 'sends 101 unasked',
        behaviour: { raw: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n' },
        reason: 'malformed',
        events: ['start'],
      },
      // RFC 9110 section 15.2 has a client read over it, which our own does.
      ...(kind === 'undici'
        ? [
            {
              name: 'sends 100 unasked',
              behaviour: { interim: ['HTTP/1.1 100 Continue\r\n\r\n'] },
              reason: 'malformed',
              events: ['start'],
            } as const,
          ]
        : []),
      {
        name: 'never answers',
        behaviour: { hang: true },
        reason: 'read_timeout',
        events: ['start'],
        timeouts: brief,
      },
      {
        name: 'stops within its body',
        behaviour: { raw: FULL.slice(0, -1) },
        reason: 'read_timeout',
        events: ['start head body'],
        timeouts: brief,
      },
    ];

    for (const { name, behaviour, reason, events, timeouts } of rows) {
      test(`an upstream that ${name} ends the attempt as ${reason}, sent`, async () => {
        origin.behave(behaviour, '/row');
        const client = createClient(origin.url, timeouts === undefined ? {} : { timeouts });
        const trace = await run(client, { target: '/row' });
        assert.equal(trace.failure?.reason, reason, trace.failure?.cause);
        assert.equal(trace.failure?.sent, true);
        assert.ok(events.includes(trace.events.slice(0, -1).join(' ')), trace.events.join(' '));
        assert.deepEqual([trace.early, trace.late], [false, []]);
        assert.equal(client.active, 0);
        await assertUsable(client);
        await client.close();
      });
    }

    test('a port without a listener refuses, unsent, and the client goes on when it comes back', async () => {
      const flaky = await openOrigin();
      const client = createClient(flaky.url, { connectionsMax: 1 });
      await flaky.refuse();
      for (let i = 0; i < 3; i += 1) {
        const trace = await run(client);
        assert.deepEqual(
          [trace.failure?.reason, trace.failure?.sent, trace.events],
          ['refused', false, ['error']],
        );
        assert.match(trace.failure?.cause ?? '', /ECONNREFUSED/);
      }
      await flaky.open();
      await assertUsable(client);
      await client.close();
      await flaky.close();
    });

    test('a name that does not resolve refuses, unsent', async () => {
      const client = createClient('http://umbra-test.invalid:80');
      const trace = await run(client);
      assert.deepEqual([trace.failure?.reason, trace.failure?.sent], ['refused', false]);
      await client.close();
    });

    test('a connection that is not established in time is a connect_timeout, unsent and punctual', async () => {
      // Accepts TCP and says nothing, so that the TLS handshake never ends.
      const silent = createServer((socket) => socket.on('error', () => undefined).resume()).listen(
        0,
        '127.0.0.1',
      );
      await new Promise((resolve) => silent.once('listening', resolve));
      const address = silent.address();
      assert.ok(typeof address === 'object' && address !== null);
      const client = createClient(`https://127.0.0.1:${address.port}`, {
        timeouts: { connectMs: 150, sendMs: 20_000, readMs: 20_000 },
      });
      const begun = performance.now();
      const trace = await run(client);
      const tookMs = performance.now() - begun;
      assert.deepEqual([trace.failure?.reason, trace.failure?.sent], ['connect_timeout', false]);
      assert.ok(tookMs >= 149 && tookMs < 1_500, `${tookMs} ms`);
      await client.close();
      await new Promise((resolve) => silent.close(resolve));
    });

    test('a buffered body that the upstream does not read ends in a timeout', async () => {
      const stuck = await openOrigin({ behaviour: { reading: 'stop' } });
      const client = createClient(stuck.url, { timeouts: brief });
      const body = Buffer.alloc(32 * 1024 * 1024);
      const trace = await run(client, { method: 'POST', body });
      // undici does not look whether a buffered body is taken.
      const reason = kind === 'undici' ? 'read_timeout' : 'send_timeout';
      assert.deepEqual([trace.failure?.reason, trace.failure?.sent], [reason, true]);
      await client.close();
      await stuck.close();
    });

    test('a streamed body that the upstream does not read ends in send_timeout, and little of it was taken', async () => {
      const stuck = await openOrigin({ behaviour: { reading: 'stop' } });
      const client = createClient(stuck.url, {
        timeouts: { connectMs: 20_000, sendMs: 300, readMs: 20_000 },
      });
      const chunk = Buffer.alloc(64 * 1024);
      let written = 0;
      const fill = (trace: Trace) => {
        do written += chunk.length;
        while (trace.attempt.write(chunk));
      };
      const trace = new Trace((event, self) => event === 'drain' && fill(self));
      await trace.dispatch(client, toUpload(1024 ** 3)).done();
      assert.deepEqual([trace.failure?.reason, trace.failure?.sent], ['send_timeout', true]);
      // What the two kernels' socket buffers hold, and not more.
      assert.ok(written < 32 * 1024 * 1024, `${written} bytes taken`);
      await client.close();
      await stuck.close();
    });

    test('a slow caller is not a send_timeout', async () => {
      const client = createClient(origin.url, {
        timeouts: { connectMs: 20_000, sendMs: 60, readMs: 20_000 },
      });
      const trace = new Trace().dispatch(client, toUpload(2));
      await trace.until('drain');
      trace.attempt.write(Buffer.from('a'));
      await new Promise((resolve) => setTimeout(resolve, 400));
      trace.attempt.write(Buffer.from('b'));
      trace.attempt.end();
      await trace.done();
      assert.deepEqual([trace.status, trace.failure], [200, null]);
      await client.close();
    });

    test('no answer to a streamed request that was sent whole is a read_timeout', async () => {
      origin.behave({ hang: true }, '/hang');
      const client = createClient(origin.url, { timeouts: brief });
      const trace = new Trace((event, self) => {
        if (event !== 'drain') return;
        self.attempt.write(Buffer.from('a'));
        self.attempt.end();
      }).dispatch(client, { ...toUpload(1), target: '/hang' });
      await trace.done();
      assert.deepEqual([trace.failure?.reason, trace.failure?.sent], ['read_timeout', true]);
      await client.close();
    });
  });
}
