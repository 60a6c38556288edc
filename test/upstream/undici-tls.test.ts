// https upstreams: who is trusted, what is said in the handshake, and that connections are kept.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import type { BackendTls } from '../../src/core/model.ts';
import { type Certificate, createCertificate } from '../kit/certificate.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { run, Trace, toCreateClient, toUpload } from './trace.ts';

const createClient = toCreateClient('undici');

let good: Certificate;
let elsewhere: Certificate;
let origin: Origin;
let misnamed: Origin;

before(async () => {
  good = createCertificate();
  elsewhere = createCertificate(['elsewhere.example']);
  origin = await openOrigin({ tls: good, behaviour: { body: 'echo' } });
  misnamed = await openOrigin({ tls: elsewhere, behaviour: { body: 'ok' } });
});

after(async () => {
  await origin.close();
  await misnamed.close();
  good.remove();
  elsewhere.remove();
});

const body = Buffer.from('secret');

for (const host of ['localhost', '127.0.0.1']) {
  test(`an upstream named ${host} with a certificate of the given authority is served, over one connection whatever Host says`, async () => {
    const client = createClient(`https://${host}:${origin.port}`, {
      tls: { verify: true, ca: good.ca },
      connectionsMax: 1,
    });
    const before = origin.connections;
    for (const name of ['a.example', 'b.example', 'c.example:1']) {
      const trace = await run(client, { method: 'POST', headers: ['host', name], body });
      assert.deepEqual([trace.text, trace.failure], ['secret', null]);
      assert.equal(origin.requests.at(-1)?.field('host'), name);
    }
    assert.equal(origin.connections - before, 1);
    await client.close();
    await origin.waitForSockets(0);
  });
}

const untrusted: readonly (readonly [string, () => Origin, () => BackendTls | null, RegExp])[] = [
  ['by the system', () => origin, () => ({ verify: true, ca: null }), /SELF_SIGNED|UNABLE_TO/],
  ['without settings', () => origin, () => null, /SELF_SIGNED|UNABLE_TO/],
  ['by another authority', () => origin, () => ({ verify: true, ca: elsewhere.ca }), /SELF_SIGNED|UNABLE_TO/],
  ['for another name', () => misnamed, () => ({ verify: true, ca: elsewhere.ca }), /ALTNAME/],
];

for (const [name, which, tls, cause] of untrusted) {
  test(`a certificate that is not good (${name}) refuses, unsent, again and again`, async () => {
    const target = which();
    const client = createClient(`https://localhost:${target.port}`, { tls: tls(), connectionsMax: 1 });
    const before = target.arrived;
    for (let i = 0; i < 3; i += 1) {
      const trace = await run(client, { method: 'POST', body });
      assert.deepEqual(
        [trace.failure?.reason, trace.failure?.sent],
        ['refused', false],
        trace.failure?.cause,
      );
      assert.match(trace.failure?.cause ?? '', cause);
    }
    assert.equal(target.arrived, before);
    await client.close();
  });
}

test('without verification any certificate is taken', async () => {
  for (const target of [origin, misnamed]) {
    const client = createClient(`https://127.0.0.1:${target.port}`, { tls: { verify: false, ca: null } });
    const trace = await run(client, { method: 'POST', body });
    assert.deepEqual([trace.status, trace.failure], [200, null]);
    await client.close();
  }
});

test('an https client to a port that speaks plain HTTP refuses, unsent', async () => {
  const plain = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => plain.once('listening', resolve));
  const address = plain.address();
  assert.ok(typeof address === 'object' && address !== null);
  const client = createClient(`https://127.0.0.1:${address.port}`, { tls: { verify: false, ca: null } });
  const trace = await run(client);
  assert.deepEqual([trace.failure?.reason, trace.failure?.sent], ['refused', false], trace.failure?.cause);
  await client.close();
  await new Promise((resolve) => plain.close(resolve));
});

test('a streamed upload of 16 MiB over TLS arrives whole', async () => {
  const client = createClient(origin.url, { tls: { verify: true, ca: good.ca } });
  const chunk = Buffer.alloc(256 * 1024, 7);
  let left = 64;
  const trace = new Trace((event, self) => {
    if (event !== 'drain') return;
    while (left > 0) {
      left -= 1;
      if (!self.attempt.write(chunk)) return;
    }
    self.attempt.end();
  });
  await trace.dispatch(client, toUpload(64 * chunk.length)).done();
  assert.deepEqual([trace.status, trace.failure], [200, null]);
  assert.equal(origin.requests.at(-1)?.bodyBytes, 64 * chunk.length);
  await client.close();
});
