// What goes over the wire and comes back, and that connections outlive every kind of good answer.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { UpstreamRequest } from '../../src/upstream/client.ts';
import type { Behaviour } from '../kit/behaviour.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { CLIENTS, run, Trace, toCreateClient, toRequest, toUpload } from './trace.ts';

for (const kind of CLIENTS) {
  describe(kind, () => {
    const createClient = toCreateClient(kind);

    let origin: Origin;

    before(async () => {
      origin = await openOrigin({ behaviour: { body: 'ok' } });
    });

    after(async () => {
      await origin.waitForSockets(0);
      assert.deepEqual(origin.bad, []);
      await origin.close();
    });

    test('a hundred requests, each begun in the end of the one before, use one connection without stalls', async () => {
      const client = createClient(origin.url, { connectionsMax: 8 });
      const before = origin.connections;
      const begun = performance.now();
      let left = 100;
      await new Promise<void>((resolve) => {
        const next = () => {
          const trace = new Trace((event) => {
            if (event !== 'end') return;
            left -= 1;
            if (left === 0) resolve();
            else next();
          });
          trace.dispatch(client, toRequest({ target: '/sequence' }));
        };
        next();
      });
      assert.equal(origin.connections - before, 1);
      assert.equal(origin.requests.filter((request) => request.target === '/sequence').length, 100);
      // Versions of undici before 8.10.1 waited up to half a second before each reuse.
      assert.ok(performance.now() - begun < 5_000);
      await client.close();
    });

    const kept: readonly (readonly [string, Partial<UpstreamRequest>, Behaviour, number])[] = [
      ['GET', {}, { body: 'ok' }, 200],
      ['GET with a chunked answer', {}, { body: 'ok', framing: 'chunked' }, 200],
      ['GET with trailers', {}, { body: 'ok', trailers: ['X-End: 1'] }, 200],
      ['HEAD', { method: 'HEAD' }, { body: 'not sent' }, 200],
      ['204', {}, { status: 204 }, 204],
      ['304', {}, { status: 304, fields: ['ETag: "a"'] }, 304],
      ['404', {}, { status: 404, body: 'no' }, 404],
      ['POST', { method: 'POST', body: Buffer.from('abc') }, { body: 'ok' }, 200],
      ['POST without a body', { method: 'POST', headers: ['host', 'a', 'content-length', '0'] }, {}, 200],
      ['DELETE with a body', { method: 'DELETE', body: Buffer.from('abc') }, {}, 200],
      ['GET with a body', { method: 'GET', body: Buffer.from('abc') }, {}, 200],
      ['an unknown method', { method: 'PURGE' }, {}, 200],
      ['an early hint', {}, { interim: ['HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'], body: 'ok' }, 200],
    ];

    for (const [name, request, behaviour, status] of kept) {
      test(`the connection is kept after ${name}`, async () => {
        origin.behave(behaviour, '/kept');
        const client = createClient(origin.url, { connectionsMax: 1 });
        const before = origin.connections;
        for (let i = 0; i < 3; i += 1) {
          const trace = await run(client, { target: '/kept', ...request });
          assert.deepEqual([trace.status, trace.failure, trace.late], [status, null, []]);
          assert.equal(trace.events.filter((event) => event === 'head').length, 1);
        }
        assert.equal(origin.connections - before, 1);
        await client.close();
      });
    }

    test('the connection is kept after streamed uploads with and without a length', async () => {
      origin.behave({ body: 'echo' }, '/echo');
      const client = createClient(origin.url, { connectionsMax: 1 });
      const before = origin.connections;
      for (const [declared, method] of [
        [6, 'POST'],
        [null, 'POST'],
        [6, 'DELETE'],
        [null, 'DELETE'],
      ] as const) {
        const trace = new Trace((event, self) => {
          if (event !== 'drain') return;
          self.attempt.write(Buffer.from('abc'));
          self.attempt.write(Buffer.from('def'));
          self.attempt.end();
        });
        await trace.dispatch(client, { ...toUpload(declared, method), target: '/echo' }).done();
        assert.deepEqual([trace.text, trace.events.join(' ')], ['abcdef', 'start drain head body end']);
      }
      assert.equal(origin.connections - before, 1);
      await client.close();
    });

    test('an answer until the connection closes is whole, and the next request gets a new connection', async () => {
      origin.behave({ body: 'until the end', framing: 'close' }, '/close');
      const client = createClient(origin.url, { connectionsMax: 1 });
      const before = origin.connections;
      for (let i = 0; i < 3; i += 1) {
        const trace = await run(client, { target: '/close' });
        assert.deepEqual([trace.text, trace.failure], ['until the end', null]);
      }
      assert.equal(origin.connections - before, 3);
      await client.close();
    });

    test('the request goes out with its own target, host, headers in order and values byte by byte', async () => {
      const client = createClient(origin.url);
      const headers = [
        'host',
        'other.example:81',
        'x-b',
        '1',
        'x-a',
        'caf\u00e9',
        'x-b',
        '2',
        'cookie',
        'a=b; c=d',
      ];
      await run(client, { target: '/wire/%2e%2E//?q=%00&a[]=1', headers });
      const request = origin.requests.at(-1);
      assert.equal(request?.line, 'GET /wire/%2e%2E//?q=%00&a[]=1 HTTP/1.1');
      assert.deepEqual(request?.fields, [
        'host: other.example:81',
        ...(kind === 'undici' ? ['connection: keep-alive'] : []),
        'x-b: 1',
        'x-a: caf\u00e9',
        'x-b: 2',
        'cookie: a=b; c=d',
      ]);
      await client.close();
    });

    test('response headers come in order, in lower case, latin1, with duplicates as they came', async () => {
      const fields = [
        'Set-Cookie: a=1',
        'X-Two: 1',
        'Set-Cookie: b=2',
        '7: seven',
        'X-Name: caf\u00e9',
        '__proto__: p',
        'X-Empty:',
      ];
      const client = createClient(origin.url);
      const expected = [
        'set-cookie',
        'a=1',
        'x-two',
        '1',
        'set-cookie',
        'b=2',
        '7',
        'seven',
        'x-name',
        'caf\u00e9',
        '__proto__',
        'p',
        'x-empty',
        '',
      ];
      origin.behave({ fields }, '/fields');
      const all = await run(client, { target: '/fields' });
      const lines = Array.from({ length: expected.length / 2 }, (_, at) =>
        expected.slice(2 * at, 2 * at + 2).join(': '),
      );
      assert.deepEqual([all.lines.map(toLowerCaseName), all.contentLength], [lines, 0]);
      // The same without what needs the raw list.
      origin.behave(
        {
          status: 201,
          reason: 'Made Up',
          fields: ['Connection: keep-alive', '__proto__: p', 'X-Name: caf\u00e9'],
        },
        '/plain',
      );
      const plain = await run(client, { target: '/plain' });
      assert.deepEqual(plain.lines.map(toLowerCaseName), ['__proto__: p', 'x-name: caf\u00e9']);
      assert.deepEqual([plain.status, plain.statusText], [201, 'Made Up']);
      await client.close();
    });

    test('a connection that the upstream closes after its answer does not fail the next request', async () => {
      origin.behave({ body: 'ok', after: 'close' }, '/race');
      const client = createClient(origin.url, { connectionsMax: 1 });
      for (let i = 0; i < 20; i += 1) {
        const trace = await run(client, { target: '/race' });
        assert.deepEqual([trace.text, trace.failure], ['ok', null]);
        // Until the close has come; a request within that moment may lose the race, which is the caller's to retry.
        await origin.waitForSockets(0);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await client.close();
    });

    test('a request that loses the race with a closing connection fails as reset, and is not repeated', async () => {
      const racing = await openOrigin();
      const client = createClient(racing.url, { connectionsMax: 1 });
      await run(client);
      racing.behave({ cut: { at: 'start', how: 'close' } });
      const trace = await run(client, { method: 'POST', body: Buffer.from('once') });
      assert.deepEqual([trace.failure?.reason, trace.failure?.sent], ['reset', true]);
      assert.equal(racing.arrived, 2);
      await client.close();
      await racing.close();
    });

    test('bytes that nobody asked for do not become the answer of the next request', async () => {
      const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';
      const poisoned = await openOrigin({ behaviour: { raw: `${answer}ok${answer}no` } });
      const client = createClient(poisoned.url, { connectionsMax: 1 });
      for (let i = 0; i < 5; i += 1) {
        const trace = await run(client);
        // What comes together with the answer is seen before the answer is passed on, by our own client.
        const expected = kind === 'undici' ? ['ok', undefined] : ['', 'malformed'];
        assert.deepEqual([trace.text, trace.failure?.reason], expected);
      }
      assert.equal(poisoned.connections, 5);
      await client.close();
      await poisoned.close();
    });

    function toLowerCaseName(line: string): string {
      const colon = line.indexOf(':');
      return `${line.slice(0, colon).toLowerCase()}: ${line.slice(colon + 1).trim()}`;
    }
  });
}
