// Pages in a browser: what they cannot do to the Admin API through a name, an origin or a cookie.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, KEY, openAdminApi, sampleValue } from './admin-api-kit.ts';

const body = sampleValue('/a');

test('a page in a browser cannot write where no key is required, nor by a cookie', async (t) => {
  const { send, port } = await openAdminApi(t, { settings: { keyRequired: false } });
  const origin = `http://127.0.0.1:${port}`;
  const foreign = [
    'https://evil.example',
    'http://127.0.0.1:1',
    `https://127.0.0.1.evil.example:${port}`,
    'null',
  ];
  for (const given of foreign) {
    const answer = await send('POST', 'routes', { key: null, body, headers: { origin: given } });
    assertRefused(answer, 403, /page of another origin/, given);
  }
  const rebound = { host: `evil.example:${port}`, origin: `http://evil.example:${port}` };
  assertRefused(await send('POST', 'routes', { key: null, body, headers: rebound }), 421, /Host/);
  assertRefused(await send('GET', 'routes', { key: null, headers: rebound }), 421, /Host/);
  assert.deepEqual((await send('GET', 'routes', { key: null })).body, { list: [], total: 0 });
  assert.equal((await send('POST', 'routes', { key: null, body, headers: { origin } })).status, 201);

  const keyed = await openAdminApi(t);
  const headers = { origin: 'https://evil.example' };
  const cookie = { ...headers, cookie: `x_api_key=${KEY}` };
  assertRefused(await keyed.send('POST', 'routes', { key: null, body, headers: cookie }), 403, /page/);
  assert.equal((await keyed.send('POST', 'routes', { body, headers })).status, 201);
});

test('without a key the Host must be of this machine or an address, on every surface', async (t) => {
  const own = ['127.0.0.1', '10.1.2.3:9180', '[2001:db8::1]:80', 'localhost', 'LOCALHOST:1', 'a.localhost'];
  const foreign = ['evil.example', 'evil.example:9180', '127.0.0.1.evil.example', 'localhost.evil.example'];
  const surfaces = [
    [{ settings: { keyRequired: false } }, {}],
    [{ settings: { keyRequired: false, host: '0.0.0.0', allow: ['127.0.0.1'] } }, {}],
    [
      { settings: { keyRequired: false, allow: ['10.0.0.0/8'] }, surface: 'admin_api' },
      { 'x-forwarded-for': '10.1.2.3' },
    ],
  ] as const;
  for (const [opening, forwarded] of surfaces) {
    const { send, ask } = await openAdminApi(t, opening);
    for (const host of foreign) {
      const headers = { ...forwarded, host };
      for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS']) {
        const answer = await send(method, 'routes/1', { key: null, body, headers });
        assert.equal(answer.status, 421, `${method} ${host} ${answer.text}`);
        if (method !== 'HEAD') assertRefused(answer, 421, /Host/);
        assert.equal((await send(method, 'routes/1', { key: 'wrong', body, headers })).status, 421);
      }
      assert.equal((await ask('POST', '/mirrors', { key: null, headers })).status, 421);
      // The key says more than the name.
      assert.equal((await send('GET', 'routes', { headers })).status, 200, host);
    }
    for (const host of own) {
      const headers = { ...forwarded, host };
      assert.equal((await send('GET', 'routes', { key: null, headers })).status, 200, host);
      const written = await send('PUT', 'routes/1', { key: null, body, headers });
      assert.ok(written.status < 300, written.text);
    }
    const { status } = await send('PUT', 'routes/1', {
      body,
      headers: { ...forwarded, host: 'evil.example' },
    });
    assert.equal(status, 200);
  }
});

test('the host of admin.listen is a name of this machine, behind the listeners for traffic as well', async (t) => {
  for (const surface of ['all', 'admin_api'] as const) {
    const settings = { host: 'localhost', keyRequired: false, allow: [] };
    const { send } = await openAdminApi(t, { settings: { ...settings }, surface });
    for (const [host, status] of [
      ['localhost:9180', 200],
      ['gateway.example', 421],
    ] as const) {
      assert.equal((await send('GET', 'routes', { key: null, headers: { host } })).status, status, host);
    }
  }
  const named = { host: 'Gateway.Example', keyRequired: false };
  const { send } = await openAdminApi(t, { settings: named, surface: 'admin_api' });
  const headers = { host: 'gateway.example:9080' };
  assert.equal((await send('GET', 'routes', { key: null, headers })).status, 200);
});
