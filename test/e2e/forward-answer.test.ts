// What the primary's answer becomes at the client.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request, toRequestBytes } from '../kit/raw.ts';
import { untilIdle } from './metric.ts';

describe('forwarded answers', () => {
  let primary: Origin;
  let gateway: Gateway;

  before(async () => {
    primary = await openOrigin();
    const route = `{ id: all, path: /, path_prefix: true, backends: [{ url: '${primary.url}' }] }`;
    gateway = await openGateway({ config: `routes: [${route}]` });
  });

  afterEach(() => primary.behave({}));

  after(async () => {
    await gateway?.stop({ balanced: false });
    await primary?.close();
  });

  it('status, reason, fields, their order, case, duplicates and bytes are the primary’s', async () => {
    const fields = [
      'Set-Cookie: a=1',
      'X-B: Value',
      'Set-Cookie: b=2',
      'X-Latin1: caf\xe9',
      'X-Utf8: \xc3\xa9',
      '1: x',
    ];
    primary.behave({ status: 418, reason: 'Short and Stout', fields, body: 'tea' });
    const answer = await request(gateway.port);
    assert.equal(answer.status, 418);
    assert.equal(answer.reason, 'Short and Stout');
    assert.deepEqual(
      answer.fields.filter((field) => !/^(?:date|content-length):/i.test(field)),
      fields,
    );
    assert.equal(answer.body.toString(), 'tea');
  });

  it('fields of one hop stay there, and those that Connection names', async () => {
    const fields = [
      'Connection: X-Private',
      'X-Private: 1',
      'Keep-Alive: timeout=9',
      'Upgrade: h2c',
      'X-Public: 1',
    ];
    primary.behave({ fields: [...fields, 'Proxy-Connection: close'], body: 'x' });
    const answer = await request(gateway.port);
    const names = answer.fields.map((field) => field.slice(0, field.indexOf(':')).toLowerCase());
    assert.deepEqual(names.sort(), ['content-length', 'date', 'x-public']);
  });

  it('there is one Date, and nothing that names the gateway', async () => {
    primary.behave({ fields: ['Date: Mon, 01 Jan 2001 00:00:00 GMT'], body: 'x' });
    const answer = await request(gateway.port);
    assert.equal(answer.fields.filter((field) => /^date:/i.test(field)).length, 1);
    assert.equal(answer.fields.filter((field) => /^(?:uwebsockets|server|via):/i.test(field)).length, 0);
  });

  for (const bytes of [0, 1, 1_000, 100_000, 3_000_000]) {
    it(`a body of ${bytes} bytes has its exact length`, async () => {
      primary.behave({ body: bytes });
      const answer = await request(gateway.port);
      assert.deepEqual(
        answer.fields.filter((field) => /^(?:content-length|transfer-encoding):/i.test(field)),
        [`Content-Length: ${bytes}`],
      );
      assert.equal(answer.body.length, bytes);
    });
  }

  for (const framing of ['chunked', 'close'] as const) {
    for (const bytes of [0, 1, 200_000]) {
      it(`a body of ${bytes} bytes that is ${framing === 'close' ? 'ended by close' : framing} comes whole`, async () => {
        primary.behave({ framing, body: bytes });
        const client = await openRaw(gateway.port);
        const answer = await request(client);
        assert.equal(answer.body.length, bytes);
        assert.equal(client.bad, null);
        primary.behave({});
        assert.equal((await request(client)).status, 200, 'the connection is kept');
        client.close();
      });
    }
  }

  it('trailers of the primary are left out', async () => {
    primary.behave({ body: 'body', trailers: ['X-T: 1'] });
    const answer = await request(gateway.port);
    assert.equal(answer.body.toString(), 'body');
    assert.deepEqual(answer.trailers, []);
  });

  it('HEAD has the length of what GET would bring, and the connection is kept', async () => {
    const client = await openRaw(gateway.port);
    primary.behave({ body: 'twelve bytes' });
    for (const method of ['HEAD', 'HEAD', 'GET']) {
      const answer = await request(client, { method });
      assert.equal(answer.field('content-length'), '12');
      assert.equal(answer.body.length, method === 'GET' ? 12 : 0);
    }
    primary.behave({ framing: 'chunked', body: 'x' });
    assert.equal((await request(client, { method: 'HEAD' })).status, 200);
    client.close();
  });

  for (const status of [204, 304]) {
    it(`${status} has no body, and the connection is kept`, async () => {
      const client = await openRaw(gateway.port);
      primary.behave({ status, reason: 'Nothing', fields: ['ETag: "1"'] });
      for (const method of ['GET', 'POST', 'HEAD']) {
        const answer = await request(client, { method, ...(method === 'POST' ? { body: 'x' } : {}) });
        assert.equal(answer.status, status);
        assert.equal(answer.field('etag'), '"1"');
        assert.equal(answer.field('transfer-encoding'), null);
        if (status === 204) assert.equal(answer.field('content-length'), null);
      }
      client.close();
    });
  }

  it('304 keeps the length of what is not sent', async () => {
    primary.behave({ status: 304, reason: 'Not Modified', declaredBytes: 77 });
    assert.equal((await request(gateway.port)).field('content-length'), '77');
  });

  it('1xx of the primary are swallowed', async () => {
    const interim = ['HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', 'HTTP/1.1 102 Processing\r\n\r\n'];
    primary.behave({ interim, body: 'final' });
    const answer = await request(gateway.port);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.interim, []);
    assert.equal(answer.body.toString(), 'final');
  });

  it('clients that read late get everything, and their exchanges end', async () => {
    // Of all sizes, so that for some of them the very last piece has to wait.
    const sizes = Array.from({ length: 48 }, (_, index) => 4_000_000 + index * 70_001);
    const heads = primary.arrived;
    const clients = await Promise.all(sizes.map(() => openRaw(gateway.port)));
    for (const [index, client] of clients.entries()) {
      primary.behave({ body: sizes[index]! }, `/late/${index}`);
      client.socket.pause();
      await client.send(toRequestBytes({ path: `/late/${index}` }));
    }
    await primary.waitForHeads(heads + clients.length);
    for (const client of clients) client.socket.resume();
    for (const [index, client] of clients.entries()) {
      const [answer] = await client.read();
      assert.equal(answer?.body.length, sizes[index]);
      client.close();
    }
    await untilIdle(gateway);
  });

  it('an answer before the body was sent reaches the client, and the connection ends', async () => {
    primary.behave({ early: true, status: 403, reason: 'Forbidden', body: 'no' });
    const client = await openRaw(gateway.port);
    await client.send(toRequestBytes({ method: 'POST', fields: ['Content-Length: 1000000'], body: 'begin' }));
    const [answer] = await client.read();
    assert.equal(answer?.status, 403);
    assert.equal(answer.field('connection')?.toLowerCase(), 'close');
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
