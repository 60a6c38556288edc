// Who may use the Admin API: keys and where they come from, roles, client addresses, and pages in a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Answer,
  assertForm,
  assertRefused,
  KEY,
  openAdminApi,
  sampleValue,
  VIEWER_KEY,
} from './admin-api-kit.ts';

const body = sampleValue('/a');

function assertNoToken(answer: Answer, description: string, about?: string): void {
  assertRefused(answer, 401, 'failed to check token', about);
  assert.deepEqual(answer.body, { error_msg: 'failed to check token', description }, about);
}

test('every path and verb below /apisix/admin needs the key, on loopback too', async (t) => {
  const { send, ask } = await openAdminApi(t);
  for (const path of ['routes', 'routes/1', 'upstreams', 'plugins/list', 'nothing', 'routes/1/uri', '']) {
    for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'PURGE']) {
      assertNoToken(await send(method, path, { key: null, body }), 'missing apikey', `${method} ${path}`);
    }
    assertNoToken(await send('GET', path, { key: 'wrong' }), 'wrong apikey', path);
    assert.equal((await send('HEAD', path, { key: null })).status, 401);
  }
  assertNoToken(await ask('GET', '/apisix/admin', { key: null }), 'missing apikey');
  // Other writings of the same path, and some that only look like it.
  for (const path of ['/apisix/%61dmin/routes', '/%61pisix/admin/routes', '/apisix/%61dmin']) {
    assert.equal((await ask('GET', path)).status, path.endsWith('routes') ? 200 : 404, path);
    for (const method of ['GET', 'HEAD', 'PUT']) {
      assert.equal((await ask(method, path, { key: null })).status, 401, `${method} ${path}`);
    }
  }
  for (const path of [
    '/apisix/admin%2Froutes',
    '/apisix//admin/routes',
    '//apisix/admin/routes',
    '/APISIX/admin/routes',
  ]) {
    assert.equal((await ask('GET', path, { key: null })).status, 404, path);
    assert.equal((await ask('PUT', `${path}/1`, { key: null, body })).status, 401, path);
  }
  assert.deepEqual((await send('GET', 'routes')).body, { list: [], total: 0 });
});

test('keys that are nearly right are wrong', async (t) => {
  const { send } = await openAdminApi(t);
  for (const key of [
    '',
    'x',
    KEY.slice(1),
    KEY.slice(0, -1),
    `${KEY}x`,
    KEY.toUpperCase(),
    `${KEY}, ${KEY}`,
  ]) {
    assertNoToken(await send('PUT', 'routes/1', { key, body }), 'wrong apikey', key);
  }
  assert.equal((await send('PUT', 'routes/1', { body })).status, 201);
});

test('the key is looked for in the header, then in the query, then in the cookie', async (t) => {
  const { send } = await openAdminApi(t);
  const right = encodeURIComponent(KEY);
  const cases: readonly (readonly [string | null, string | null, string | null, number])[] = [
    [KEY, null, null, 200],
    [null, right, null, 200],
    [null, KEY, null, 200],
    [null, null, KEY, 200],
    [KEY, 'wrong', 'wrong', 200],
    ['wrong', right, KEY, 401],
    [null, right, 'wrong', 200],
    [null, 'wrong', KEY, 401],
    [null, '', KEY, 401],
    [null, null, 'wrong', 401],
    [null, null, null, 401],
  ];
  for (const [header, query, cookie, status] of cases) {
    const answer = await send('GET', query === null ? 'routes' : `routes?page=1&api_key=${query}`, {
      key: header,
      headers: cookie === null ? {} : { cookie: `a=b; x_api_key=${cookie}; c=d` },
    });
    assert.equal(answer.status, status, JSON.stringify([header, query, cookie]));
  }
  const others = { cookie: `api_key=${KEY}; xx_api_key=${KEY}; x_api_key` };
  assertNoToken(await send('GET', 'routes', { key: null, headers: others }), 'missing apikey');
  // As in APISIX's own tests: a second question mark is part of the parameter's name.
  assertNoToken(await send('GET', `routes??api_key=${right}`, { key: null }), 'missing apikey');
});

test('a viewer reads and does not write', async (t) => {
  const { send, ask } = await openAdminApi(t);
  await send('PUT', 'routes/1', { body });
  for (const path of ['routes', 'routes/1', 'plugins/list']) {
    assert.equal((await send('GET', path, { key: VIEWER_KEY })).status, 200);
    assert.equal((await send('HEAD', path, { key: VIEWER_KEY })).status, 200);
  }
  const refusal = 'invalid method for role viewer';
  for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
    assertNoToken(await send(method, 'routes/1', { key: VIEWER_KEY, body }), refusal, method);
  }
  assertNoToken(await send('PUT', 'plugins/reload', { key: VIEWER_KEY }), refusal);
  assert.equal((await send('GET', 'routes/1')).status, 200);
  assert.equal((await ask('POST', '/mirrors', { key: VIEWER_KEY })).status, 401);
});

test('a viewer reads off loopback what everyone reads on it', async (t) => {
  const { ask } = await openAdminApi(t, { settings: { host: '0.0.0.0' } });
  for (const path of ['/mirrors', '/mirrors?api_key=']) {
    assert.equal((await ask('GET', path, { key: VIEWER_KEY })).status, 200);
    assert.equal((await ask('GET', path, { key: null })).status, 401);
  }
  assert.equal((await ask('GET', `/mirrors?api_key=${VIEWER_KEY}`, { key: null })).status, 200);
  const answer = await ask('POST', '/mirrors', { key: VIEWER_KEY });
  assert.equal(answer.status, 401);
  assert.match((answer.body as { error: string }).error, /reading alone/);
});

test('without a configured key nobody passes', async (t) => {
  for (const key of [null, '']) {
    const { send } = await openAdminApi(t, { settings: { key, viewerKey: key } });
    assertNoToken(await send('GET', 'routes', { key: null }), 'missing apikey');
    for (const given of ['', 'null', 'undefined']) {
      assertNoToken(await send('GET', 'routes', { key: given }), 'wrong apikey');
    }
  }
});

test('where no key is required none is looked at', async (t) => {
  const { send, ask } = await openAdminApi(t, {
    settings: { keyRequired: false, key: null, viewerKey: VIEWER_KEY },
  });
  for (const key of [null, 'wrong', VIEWER_KEY]) {
    const answer = await send('PUT', 'routes/1', { key, body });
    assert.ok(answer.status < 300, answer.text);
  }
  assert.equal((await send('GET', 'routes/1', { key: null })).status, 200);
  assert.equal((await ask('POST', '/mirrors', { key: null })).status, 405);
});

test('off loopback, where no key is required, the address decides who writes, and reads need the key', async (t) => {
  for (const [allow, status] of [
    ['127.0.0.1', 201],
    ['10.0.0.0/8', 403],
  ] as const) {
    const { send, ask } = await openAdminApi(t, {
      settings: { keyRequired: false, host: '0.0.0.0', allow: [allow] },
    });
    assert.equal((await send('PUT', 'routes/1', { key: null, body })).status, status);
    assert.equal((await ask('POST', '/mirrors', { key: null })).status, status === 403 ? 403 : 405);
    assert.equal((await ask('GET', '/mirrors', { key: null })).status, 401);
    assert.equal((await ask('GET', '/mirrors')).status, 200);
  }
});

test('a path that cannot be decoded tells nothing to those who may not ask', async (t) => {
  const { send, ask } = await openAdminApi(t, { settings: { allow: ['127.0.0.1'] } });
  for (const path of ['%zz', '%ff', 'routes/%zz', 'routes/%zz?api_key=wrong']) {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      assertNoToken(
        await send(method, path, { key: null }),
        path.includes('wrong') ? 'wrong apikey' : 'missing apikey',
      );
      assertNoToken(await send(method, path, { key: 'wrong' }), 'wrong apikey', path);
      assertRefused(await send(method, path), 400, /./, `${method} ${path}`);
    }
  }
  assertNoToken(await send('PUT', 'routes/%zz', { key: VIEWER_KEY }), 'invalid method for role viewer');
  assert.equal((await ask('PUT', '/mirrors/%zz', { key: null })).status, 401);
  const outside = await openAdminApi(t, { settings: { allow: ['10.0.0.0/8'] } });
  assertRefused(await outside.send('GET', '%zz'), 403, /client address/);
  const open = await openAdminApi(t, { settings: { host: '0.0.0.0' } });
  assert.equal((await open.ask('GET', '/mirrors/%zz', { key: null })).status, 401);
  assert.equal((await open.ask('GET', '/mirrors/%zz', { key: VIEWER_KEY })).status, 400);
});

test('a preflight is refused and nothing is allowed to other origins', async (t) => {
  const { send } = await openAdminApi(t);
  const headers = { origin: 'https://evil.example', 'access-control-request-method': 'PUT' };
  for (const key of [null, KEY]) {
    const answer = await send('OPTIONS', 'routes/1', { key, headers });
    assert.ok(answer.status >= 400);
    assertForm(answer);
  }
  assertForm(await send('GET', 'routes', { headers }));
});

test('client addresses that are not in the list are 403, whatever key they have', async (t) => {
  const cases: readonly (readonly [readonly string[], number])[] = [
    [[], 200],
    [['127.0.0.1'], 200],
    [['127.0.0.0/24'], 200],
    [['10.0.0.0/8', '127.0.0.1/32'], 200],
    [['0.0.0.0/0'], 200],
    [['127.0.0.2'], 403],
    [['10.0.0.0/8'], 403],
    [['::/0'], 403],
  ];
  for (const [allow, status] of cases) {
    const { send, ask } = await openAdminApi(t, { settings: { allow } });
    const about = allow.join();
    const answer = await send('GET', 'routes');
    assert.equal(answer.status, status, about);
    assertForm(answer);
    const wrong = await send('PUT', 'routes/1', { key: 'wrong', body });
    assert.equal(wrong.status, status === 200 ? 401 : 403, about);
    // The claim of a client, on the listener that clients reach themselves.
    const headers = { 'x-forwarded-for': status === 200 ? '8.8.8.8' : '127.0.0.1' };
    assert.equal((await send('GET', 'routes', { headers })).status, status, about);
    assert.equal((await ask('GET', '/mirrors', { key: null })).status, 200, about);
  }
  const { send } = await openAdminApi(t, { settings: { allow: ['10.0.0.0/8'] } });
  assertRefused(await send('GET', 'routes'), 403, /client address/);
});

test('an IPv4 client of an IPv6 socket is known by its IPv4 address', async (t) => {
  const { send } = await openAdminApi(t, { settings: { host: '::', allow: ['127.0.0.1'] } });
  assert.equal((await send('GET', 'routes')).status, 200);
});

test('behind the listeners for traffic there is the Admin API alone, on loopback', async (t) => {
  const settings = { host: '0.0.0.0', port: 1, allow: ['10.1.0.0/16', '2001:db8::/32'] };
  const { send, ask, port } = await openAdminApi(t, { surface: 'admin_api', settings });
  assert.notEqual(port, 1);
  for (const path of ['/mirrors', '/metrics', '/livez', '/readyz', '/']) {
    assert.equal((await ask('GET', path)).status, 404, path);
  }
  const cases: readonly (readonly [string | null, number])[] = [
    ['10.1.2.3', 200],
    ['10.2.0.1, 10.1.2.3', 200],
    ['10.1.2.3, 10.2.0.1', 403],
    ['10.2.0.1', 403],
    ['2001:db8::1', 200],
    ['2001:db9::1', 403],
    ['unknown', 403],
    ['', 403],
    [null, 403],
  ];
  for (const [forwarded, status] of cases) {
    const headers = {
      host: 'api.example.com',
      ...(forwarded === null ? {} : { 'x-forwarded-for': forwarded }),
    };
    assert.equal((await send('GET', 'routes', { headers })).status, status, String(forwarded));
  }
  const headers = { 'x-forwarded-for': '10.1.2.3' };
  assertNoToken(await send('PUT', 'routes/1', { key: null, body, headers }), 'missing apikey');
  assert.equal((await send('PUT', 'routes/1', { body, headers })).status, 201);
});
