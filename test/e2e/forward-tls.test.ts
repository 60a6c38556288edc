// TLS on either side of the gateway.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Certificate, createCertificate } from '../kit/certificate.ts';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request, toRequestBytes } from '../kit/raw.ts';
import { untilIdle } from './metric.ts';

describe('TLS', () => {
  let certificate: Certificate;
  let other: Certificate;
  let misnamed: Certificate;
  let secure: Origin;
  let wrongName: Origin;
  let plain: Origin;
  let gateway: Gateway;

  before(async () => {
    certificate = createCertificate();
    other = createCertificate();
    misnamed = createCertificate(['elsewhere.example']);
    secure = await openOrigin({ tls: certificate });
    wrongName = await openOrigin({ tls: misnamed });
    plain = await openOrigin({ behaviour: { body: 'plain' } });
    const route = (id: string, url: string, tls: string): string =>
      `  - { id: ${id}, path: /${id}, host_header: node, backends: [{ url: '${url}'${tls} }] }`;
    gateway = await openGateway({
      listen: `
  http: 127.0.0.1:0
  https: { address: 127.0.0.1:0, certificate: ${certificate.certificateFile}, key: ${certificate.keyFile} }`,
      config: [
        'routes:',
        route('trusted', secure.url, `, tls: { ca: ${certificate.caFile} }`),
        route('address', `https://127.0.0.1:${secure.port}`, `, tls: { ca: ${certificate.caFile} }`),
        route('untrusted', secure.url, ''),
        route('foreign', secure.url, `, tls: { ca: ${other.caFile} }`),
        route('misnamed', wrongName.url, `, tls: { ca: ${misnamed.caFile} }`),
        route('unverified', secure.url, ', tls: { verify: false }'),
        route('plain', plain.url, ''),
      ].join('\n'),
    });
  });

  after(async () => {
    await gateway?.stop({ balanced: false });
    await Promise.all([secure, wrongName, plain].map((origin) => origin?.close()));
    for (const each of [certificate, other, misnamed]) each?.remove();
  });

  for (const path of ['/trusted', '/address', '/unverified']) {
    it(`a primary by TLS is served: ${path}`, async () => {
      secure.behave({ body: 100_000 });
      const answer = await request(gateway.port, { path, method: 'POST', body: 'secret' });
      assert.equal(answer.status, 200);
      assert.equal(answer.body.length, 100_000);
      assert.equal(secure.requests.at(-1)?.body.toString(), 'secret');
      const name = path === '/address' ? '127.0.0.1' : 'localhost';
      assert.equal(secure.requests.at(-1)?.field('host'), `${name}:${secure.port}`);
    });
  }

  for (const path of ['/untrusted', '/foreign', '/misnamed']) {
    it(`a primary that cannot be trusted is never asked: ${path}`, async () => {
      const asked = secure.arrived + wrongName.arrived;
      const answer = await request(gateway.port, { path });
      assert.equal(answer.status, 502);
      assert.equal(answer.body.toString(), 'Bad Gateway\n');
      assert.equal(secure.arrived + wrongName.arrived, asked);
    });
  }

  it('a client by TLS is served, and the primary is told', async () => {
    const client = await openRaw(gateway.ports[1]!, { tls: certificate.ca, host: '127.0.0.1' });
    for (let count = 0; count < 3; count++) {
      const answer = await request(client, { path: '/plain', method: 'POST', body: 'by TLS' });
      assert.equal(answer.body.toString(), 'plain');
      assert.deepEqual(plain.requests.at(-1)?.allFields('x-forwarded-proto'), ['https']);
      assert.deepEqual(plain.requests.at(-1)?.allFields('x-forwarded-for'), ['127.0.0.1']);
      assert.equal(plain.requests.at(-1)?.body.toString(), 'by TLS');
    }
    client.close();
  });

  it('a large answer passes through both', async () => {
    secure.behave({ body: 5_000_000 });
    const client = await openRaw(gateway.ports[1]!, { tls: certificate.ca });
    const answer = await request(client, { path: '/trusted' });
    assert.equal(answer.body.length, 5_000_000);
    client.close();
  });

  it('the guard stands behind TLS too', async () => {
    const asked = plain.arrived;
    const client = await openRaw(gateway.ports[1]!, { tls: certificate.ca });
    const fields = ['Content-Length: 5', 'Content-Length: 6'];
    await client.send(toRequestBytes({ path: '/plain', method: 'POST', fields, body: 'hello' }));
    assert.equal((await client.read())[0]?.status, 400);
    await client.waitClosed();
    assert.equal(plain.arrived, asked);
  });

  it('plain HTTP at the TLS listener is not answered', async () => {
    const asked = plain.arrived;
    const client = await openRaw(gateway.ports[1]!, { deadlineMs: 60_000 });
    await client.send(toRequestBytes({ path: '/plain' }));
    await client.waitClosed();
    assert.equal(client.responses.length, 0);
    assert.equal(plain.arrived, asked);
  });

  it('nothing is left', async () => {
    await untilIdle(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    assert.equal(await gateway.stop(), 0);
  });
});
