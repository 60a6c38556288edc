// What a client's request becomes at its primary.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request, toRequestBytes } from '../kit/raw.ts';
import type { RecordedRequest } from '../kit/recording.ts';
import { untilIdle } from './metric.ts';

const ID = /^[a-z0-9]+-[a-z0-9]+$/;

describe('forwarded requests', () => {
  let primary: Origin;
  let gateway: Gateway;

  before(async () => {
    primary = await openOrigin();
    gateway = await openGateway({
      config: `
routes:
  - { id: node, path: /node, host_header: node, backends: [{ url: '${primary.url}' }] }
  - { id: literal, path: /literal, host_header: 'inner.example:81', backends: [{ url: '${primary.url}' }] }
  - { id: all, path: /, path_prefix: true, backends: [{ url: '${primary.url}' }] }
`,
    });
  });

  after(async () => {
    await gateway?.stop({ balanced: false });
    await primary?.close();
  });

  function last(): RecordedRequest {
    return primary.requests.at(-1)!;
  }

  for (const method of ['GET', 'OPTIONS', 'DELETE', 'TRACE', 'PROPFIND']) {
    it(`${method} without a body has no framing`, async () => {
      const answer = await request(gateway.port, { method, path: '/a?b=c' });
      assert.equal(answer.status, 200);
      assert.equal(last().line, `${method} /a?b=c HTTP/1.1`);
      assert.equal(last().field('transfer-encoding'), null);
      assert.equal(last().field('content-length') ?? '0', '0');
    });
  }

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'OPTIONS']) {
    it(`${method} with a body of known length keeps it`, async () => {
      await request(gateway.port, { method, body: 'some\0body' });
      assert.equal(last().method, method);
      assert.equal(last().field('content-length'), '9');
      assert.equal(last().body.toString('latin1'), 'some\0body');
    });

    it(`${method} with a chunked body keeps it whole`, async () => {
      const fields = ['Transfer-Encoding: chunked'];
      const body = '4\r\nsome\r\n5\r\n body\r\n0\r\n\r\n';
      const answer = await request(gateway.port, { method, fields, body });
      assert.equal(answer.status, 200);
      assert.equal(last().method, method);
      assert.equal(last().body.toString(), 'some body');
    });
  }

  it('connections to the primary are kept, whatever the method', async () => {
    await request(gateway.port);
    const before = primary.connections;
    const methods = ['GET', 'HEAD', 'DELETE', 'POST', 'OPTIONS'];
    for (const method of methods)
      await request(gateway.port, { method, ...(method === 'HEAD' ? {} : { body: 'x' }) });
    assert.equal(primary.connections, before);
  });

  it('a connection serves one request after the other', async () => {
    const client = await openRaw(gateway.port);
    for (const path of ['/1', '/2', '/3']) {
      assert.equal((await request(client, { path, body: 'x' })).status, 200);
      assert.equal(last().target, path);
    }
    client.close();
  });

  it('X-Forwarded-* tell of the client where nobody has before', async () => {
    await request(gateway.port, { fields: ['Host: Shop.example:8080'] });
    assert.deepEqual(last().allFields('x-forwarded-for'), ['127.0.0.1']);
    assert.deepEqual(last().allFields('x-forwarded-proto'), ['http']);
    assert.deepEqual(last().allFields('x-forwarded-host'), ['Shop.example:8080']);
  });

  it('X-Forwarded-For is appended to as one list, protocol and host are kept', async () => {
    const given = ['X-Forwarded-For: 192.0.2.1, 192.0.2.2', 'X-Forwarded-For: 192.0.2.3'];
    const kept = ['X-Forwarded-Proto: https', 'X-Forwarded-Host: outer.example'];
    await request(gateway.port, { fields: [...given, ...kept] });
    assert.deepEqual(last().allFields('x-forwarded-for'), ['192.0.2.1, 192.0.2.2, 192.0.2.3, 127.0.0.1']);
    assert.deepEqual(last().allFields('x-forwarded-proto'), ['https']);
    assert.deepEqual(last().allFields('x-forwarded-host'), ['outer.example']);
  });

  it('a request id is kept, and made where there is none, a different one each time', async () => {
    await request(gateway.port, { fields: ['X-Request-Id: mine'] });
    assert.deepEqual(last().allFields('x-request-id'), ['mine']);
    const made = new Set<string | null>();
    for (let count = 0; count < 20; count++) {
      await request(gateway.port);
      made.add(last().field('x-request-id'));
    }
    assert.equal(made.size, 20);
    for (const id of made) assert.match(id ?? '', ID);
  });

  it('Host passes, or is the backend, or a literal', async () => {
    await request(gateway.port, { fields: ['Host: outer.example:8080'] });
    assert.deepEqual(last().allFields('host'), ['outer.example:8080']);
    await request(gateway.port, { path: '/node' });
    assert.deepEqual(last().allFields('host'), [`127.0.0.1:${primary.port}`]);
    await request(gateway.port, { path: '/literal' });
    assert.deepEqual(last().allFields('host'), ['inner.example:81']);
    assert.equal(last().field('x-forwarded-host'), 'test.example');
  });

  it('fields of one hop stay there, others keep their order and duplicates', async () => {
    const hop = ['Connection: close, X-Private', 'X-Private: 1', 'TE: trailers', 'Keep-Alive: timeout=9'];
    const upgrade = ['Upgrade: websocket', 'Proxy-Connection: keep-alive', 'Trailer: X-T', 'Expect: nothing'];
    const client = await openRaw(gateway.port);
    await request(client, { fields: ['Accept: a', ...hop, 'Cookie: b=c', ...upgrade, 'Accept: d'] });
    const own = /^(?:host|connection|x-forwarded-\w+|x-request-id):/;
    const fields = last().fields.filter((field) => !own.test(field));
    assert.deepEqual(fields, ['accept: a', 'cookie: b=c', 'accept: d']);
    assert.notEqual(last().field('connection'), 'close');
    client.close();
  });

  for (const value of ['close', 'Close', 'x-a, close', 'close,keep-alive', ' CLOSE , te']) {
    it(`a client that asks by "Connection: ${value}" gets its connection closed`, async () => {
      const client = await openRaw(gateway.port);
      const answer = await request(client, { fields: [`Connection: ${value}`] });
      assert.equal(answer.field('connection')?.toLowerCase() ?? 'close', 'close');
      await client.waitClosed();
    });
  }

  it('a connection is kept for a client that asks for nothing else', async () => {
    const client = await openRaw(gateway.port);
    for (const value of ['keep-alive', 'Keep-Alive', 'closed-door', 'x-close']) {
      const answer = await request(client, { fields: [`Connection: ${value}`] });
      assert.equal(answer.field('connection'), null, value);
    }
    client.close();
  });

  it('Expect is answered by the gateway, and the body follows', async () => {
    const client = await openRaw(gateway.port);
    const head = toRequestBytes({ method: 'PUT', fields: ['Expect: 100-continue', 'Content-Length: 4'] });
    await client.send(head);
    await client.send('body');
    const [answer] = await client.read();
    assert.deepEqual(
      answer?.interim.map((interim) => interim.line),
      ['HTTP/1.1 100 Continue'],
    );
    assert.equal(answer?.status, 200);
    assert.equal(last().body.toString(), 'body');
    assert.equal(last().field('expect'), null);
    client.close();
  });

  it('nothing is left', async () => {
    await untilIdle(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    assert.deepEqual(
      gateway.logs('primary failed').filter((event) => event.reason !== 'client_gone'),
      [],
    );
    assert.equal(await gateway.stop(), 0);
  });
});
