// Lists of the Admin API: pages, searches, labels, references, and the older shape of all answers.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type AdminApi,
  assertForm,
  assertRefused,
  NODES,
  openAdminApi,
  sampleValue,
} from './admin-api-kit.ts';
import { sampleRoute } from './sample.ts';

/** Resources of APISIX's Admin API that there are none of. */
const UNSUPPORTED = [
  'consumers',
  'consumer_groups',
  'global_rules',
  'plugin_configs',
  'plugin_metadata',
  'protos',
  'secrets',
  'ssls',
  'stream_routes',
];

interface List {
  readonly list: readonly { readonly value: { readonly id: string }; readonly createdIndex: number }[];
  readonly total: number;
}

async function readIds({ send }: AdminApi, query: string): Promise<{ ids: string[]; total: number }> {
  const answer = await send('GET', `routes${query}`);
  assert.equal(answer.status, 200, `${query} ${answer.text}`);
  assertForm(answer);
  const { list, total } = answer.body as List;
  return { ids: list.map(({ value }) => value.id), total };
}

async function openWith(t: TestContext, values: Record<string, Record<string, unknown>>): Promise<AdminApi> {
  const api = await openAdminApi(t);
  for (const id of ['s1', 's2']) await api.send('PUT', `services/${id}`, { body: { upstream: NODES } });
  for (const id of ['u1', '2']) await api.send('PUT', `upstreams/${id}`, { body: NODES });
  for (const [id, value] of Object.entries(values)) {
    const answer = await api.send('PUT', `routes/${id}`, { body: value });
    assert.equal(answer.status, 201, answer.text);
  }
  return api;
}

test('pages have 10 to 500 items, in the order in which these were made', async (t) => {
  const names = Array.from({ length: 25 }, (_, index) => `r${25 - index}`);
  const api = await openWith(t, Object.fromEntries(names.map((name) => [name, sampleValue(`/${name}`)])));
  const page = async (query: string) => readIds(api, query);
  // Changing a route moves it nowhere.
  await api.send('PUT', 'routes/r25', { body: sampleValue('/changed') });
  assert.deepEqual(await page(''), { ids: names, total: 25 });
  assert.deepEqual(await page('/'), { ids: names, total: 25 });
  assert.deepEqual(await page('?page=1&page_size=10'), { ids: names.slice(0, 10), total: 25 });
  assert.deepEqual(await page('/?page=2&page_size=10'), { ids: names.slice(10, 20), total: 25 });
  assert.deepEqual(await page('?page=3&page_size=10'), { ids: names.slice(20), total: 25 });
  assert.deepEqual(await page('?page=4&page_size=10'), { ids: [], total: 25 });
  for (const far of ['999999999', '99999999999', '9'.repeat(400)]) {
    assert.deepEqual(await page(`?page=${far}&page_size=10`), { ids: [], total: 25 }, far);
    assert.deepEqual(await page(`?page=${far}&page_size=500`), { ids: [], total: 25 }, far);
  }
  for (const first of ['0', '-1', '-99999999999', '1.5', 'x', '']) {
    assert.deepEqual(
      await page(`?page=${first}&page_size=10`),
      { ids: names.slice(0, 10), total: 25 },
      first,
    );
  }
  assert.deepEqual(await page('?page_size=10'), { ids: names.slice(0, 10), total: 25 });
  assert.deepEqual(await page('?page=2'), { ids: names, total: 25 });
  assert.deepEqual((await page('?page=1&page_size=500')).total, 25);
  for (const size of ['9', '501', '0', '-10', '', 'x', '10.5', '1e2', '99999999999999999999']) {
    const answer = await api.send('GET', `routes?page=1&page_size=${size}`);
    assertRefused(answer, 400, 'page_size must be between 10 and 500', size);
  }
});

test('name and uri are searched for by regular expressions', async (t) => {
  const api = await openWith(t, {
    a: sampleValue('/hello', { name: 'first route' }),
    b: { ...sampleValue(''), uri: undefined, uris: ['/world', '/hell'], name: 'second' },
    c: sampleValue('/other'),
    d: sampleValue('/a.b', { name: 'route 10' }),
  });
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['name=route', ['a', 'd']],
    ['name=^second$', ['b']],
    ['name=%5Cd%2B', ['d']],
    ['name=Route', []],
    ['name=', ['a', 'b', 'd']],
    ['uri=hell', ['a', 'b']],
    ['uri=^/hell$', ['b']],
    ['uri=a%5C.b', ['d']],
    ['uri=o', ['a', 'b', 'c']],
    ['uri=o&name=route', ['a']],
    ['uri=nowhere', []],
  ];
  for (const [query, ids] of cases) {
    assert.deepEqual(await readIds(api, `?${query}`), { ids, total: ids.length }, query);
  }
});

test('an expression that is wrong, too long or too slow is refused, and holds up nobody for long', async (t) => {
  const long = 'a'.repeat(100);
  const { send } = await openWith(t, { a: sampleValue(`/${long}`, { name: `${long}!` }) });
  for (const parameter of ['name', 'uri']) {
    for (const wrong of ['(', '*', '[a', 'a{2,1}', '%5C', '(?%3C!']) {
      const answer = await send('GET', `routes?${parameter}=${wrong}`);
      assertRefused(
        answer,
        400,
        new RegExp(`^invalid argument ${parameter}: is not a regular expression`),
        wrong,
      );
    }
    const fits = await send('GET', `routes?${parameter}=${'a|'.repeat(256)}`);
    assert.equal(fits.status, 200);
    const answer = await send('GET', `routes?${parameter}=${'a|'.repeat(256)}a`);
    assertRefused(answer, 400, `invalid argument ${parameter}: is longer than 512 characters`);
  }
  const begun = performance.now();
  const slow = await send('GET', `routes?name=${encodeURIComponent('^(a+)+$')}`);
  assertRefused(slow, 400, 'invalid argument name: takes too long');
  assert.ok(performance.now() - begun < 5000);
});

test('labels are found by their key, or by key and value', async (t) => {
  const api = await openWith(t, {
    a: sampleValue('/a', { labels: { env: 'production', build: '16' } }),
    b: sampleValue('/b', { labels: { env2: 'production' } }),
    c: sampleValue('/c', { labels: { env: 'test', 'x:y': 'z' } }),
    d: sampleValue('/d'),
  });
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['label=env', ['a', 'c']],
    ['label=production', []],
    ['label=env:production', ['a']],
    ['label=env%3Atest', ['c']],
    ['label=env:', []],
    ['label=x:y', ['c']],
    ['label=x:y:z', ['c']],
    ['label=', []],
    ['label=__proto__', []],
    ['label=env&uri=c', ['c']],
  ];
  for (const [query, ids] of cases) {
    assert.deepEqual(await readIds(api, `?${query}`), { ids, total: ids.length }, query);
  }
});

test('filter compares references, which may be numbers', async (t) => {
  const api = await openWith(t, {
    a: { uri: '/a', service_id: 's1', name: 'x' },
    b: { uri: '/b', upstream_id: 'u1' },
    c: { uri: '/c', service_id: 's1', upstream_id: 2 },
    d: { uri: '/d', service_id: 's2' },
    e: sampleValue('/e'),
  });
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['service_id=s1', ['a', 'c']],
    ['upstream_id=u1', ['b']],
    ['upstream_id=2', ['c']],
    ['service_id=s1&upstream_id=2', ['c']],
    ['service_id=s', []],
    ['unknown=1', ['a', 'b', 'c', 'd', 'e']],
    ['', ['a', 'b', 'c', 'd', 'e']],
  ];
  for (const [filter, ids] of cases) {
    const query = `?filter=${encodeURIComponent(filter)}`;
    assert.deepEqual(await readIds(api, query), { ids, total: ids.length }, filter);
  }
  assert.deepEqual(await readIds(api, '?filter=service_id%3Ds1&name=x'), { ids: ['a'], total: 1 });
});

test('the total counts what was found, on whichever page', async (t) => {
  const names = Array.from({ length: 24 }, (_, index) => `r${index}`);
  const api = await openWith(
    t,
    Object.fromEntries(names.map((name) => [name, sampleValue(`/${name}`, { name })])),
  );
  const found = names.filter((name) => name.includes('1'));
  assert.equal(found.length, 12);
  const query = '?name=1&page_size=10&page=';
  assert.deepEqual(await readIds(api, `${query}1`), { ids: found.slice(0, 10), total: 12 });
  assert.deepEqual(await readIds(api, `${query}2`), { ids: found.slice(10), total: 12 });
});

test('the older shape wraps everything in nodes', async (t) => {
  const files = [sampleRoute({ id: 'file' })];
  const { send } = await openAdminApi(t, { settings: { apiVersion: 'default' }, files });
  const made = await send('PUT', 'routes/1', { body: sampleValue('/a') });
  assert.equal(made.status, 201);
  assertForm(made, 'v2');
  interface Node {
    readonly key: string;
    readonly value: Record<string, unknown>;
    readonly createdIndex: number;
    readonly modifiedIndex: number;
  }
  const { action, node } = made.body as { action: string; node: Node };
  assert.equal(action, 'set');
  assert.deepEqual(Object.keys(node), ['key', 'value', 'createdIndex', 'modifiedIndex']);
  assert.equal(node.key, '/apisix/routes/1');
  assert.deepEqual((await send('GET', 'routes/1')).body, { action: 'get', count: 1, node });
  const { node: file } = (await send('GET', 'routes/file')).body as { node: Node };
  assert.equal((file as Node & { read_only: boolean }).read_only, true);
  assert.deepEqual((await send('GET', 'routes')).body, {
    action: 'get',
    count: 2,
    node: { key: '/apisix/routes', dir: true, nodes: [file, node] },
  });
  const patched = (await send('PATCH', 'routes/1', { body: { desc: 'x' } })).body as {
    action: string;
    node: Node;
  };
  assert.equal(patched.action, 'compareAndSwap');
  assert.equal(patched.node.value.desc, 'x');
  const posted = await send('POST', 'routes', { body: sampleValue('/b') });
  assert.equal(posted.status, 201);
  assert.equal((posted.body as { action: string }).action, 'create');
  assert.deepEqual((await send('DELETE', 'routes/1')).body, {
    action: 'delete',
    deleted: '1',
    key: '/apisix/routes/1',
    node: {},
  });
  const missing = await send('GET', 'routes/1');
  assert.equal(missing.status, 404);
  assertForm(missing, 'v2');
  assert.deepEqual(missing.body, { message: 'Key not found' });
  assert.deepEqual((await send('GET', 'services')).body, {
    action: 'get',
    count: 0,
    node: { key: '/apisix/services', dir: true, nodes: [] },
  });
  assertForm(await send('GET', 'routes', { key: null }), 'v2');
});

test('what APISIX has and umbra does not is an empty list, in either shape', async (t) => {
  const { send } = await openAdminApi(t);
  const older = await openAdminApi(t, { settings: { apiVersion: 'default' } });
  for (const kind of UNSUPPORTED) {
    for (const query of ['', '/', '?page=1&page_size=10', '?page=7&page_size=500']) {
      const answer = await send('GET', `${kind}${query}`);
      assert.equal(answer.status, 200, answer.text);
      assertForm(answer);
      assert.deepEqual(answer.body, { list: [], total: 0 });
    }
    assert.equal((await send('HEAD', kind)).status, 200);
    assertRefused(await send('GET', `${kind}?page_size=9`), 400, 'page_size must be between 10 and 500');
    assert.deepEqual((await older.send('GET', kind)).body, {
      action: 'get',
      count: 0,
      node: { key: `/apisix/${kind}`, dir: true, nodes: [] },
    });
    for (const path of [`${kind}/1`, `${kind}/jack/credentials`]) {
      const missing = await send('GET', path);
      assert.deepEqual([missing.status, missing.body], [404, { message: 'Key not found' }], path);
    }
    assert.equal((await send('GET', kind, { key: null })).status, 401);
  }
});

test('what umbra does not have is not taken either', async (t) => {
  const { send } = await openAdminApi(t);
  for (const kind of UNSUPPORTED) {
    const message = `${kind} are not supported here`;
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
      for (const path of [kind, `${kind}/1`, `${kind}/jack/credentials/1`]) {
        assertRefused(await send(method, path, { body: { plugins: {} } }), 400, message, `${method} ${path}`);
      }
    }
    assertRefused(await send('OPTIONS', kind), 404, 'not found');
    assert.deepEqual((await send('GET', kind)).body, { list: [], total: 0 });
  }
});
