// The Admin API's verbs over real sockets: ids, times, status, shapes, and what a refused request leaves as it was.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertForm, assertRefused, NODES, openAdminApi, sampleValue } from './admin-api-kit.ts';
import { sampleRoute } from './sample.ts';

interface Node {
  readonly key: string;
  readonly value: Record<string, unknown>;
  readonly createdIndex: number;
  readonly modifiedIndex: number;
}

interface List {
  readonly list: readonly Node[];
  readonly total: number;
}

test('PUT makes and replaces, and keeps the time of making', async (t) => {
  const { send } = await openAdminApi(t);
  const made = await send('PUT', 'routes/1', { body: sampleValue('/a', { desc: 'first' }) });
  assert.equal(made.status, 201);
  assertForm(made);
  assert.deepEqual(Object.keys(made.body as Node), ['key', 'value']);
  const replaced = await send('PUT', 'routes/1', { body: sampleValue('/b') });
  assert.equal(replaced.status, 200);
  const [before, after] = [(made.body as Node).value, (replaced.body as Node).value];
  assert.equal(after.create_time, before.create_time);
  assert.ok(Number(after.update_time) >= Number(before.update_time));
  assert.equal(Object.hasOwn(after, 'desc'), false);
  const got = await send('GET', 'routes/1');
  assert.equal(got.status, 200);
  assertForm(got);
  const { key, value, createdIndex, modifiedIndex } = got.body as Node;
  assert.deepEqual({ key, value }, replaced.body);
  assert.ok(createdIndex < modifiedIndex);
});

test('upstreams and services are resources like routes', async (t) => {
  const { send } = await openAdminApi(t);
  for (const [kind, body] of [
    ['upstreams', NODES],
    ['services', { upstream: NODES }],
  ] as const) {
    assert.equal((await send('PUT', `${kind}/a.b_c-1`, { body })).status, 201);
    const { key, value } = (await send('GET', `${kind}/a.b_c-1`)).body as Node;
    assert.equal(key, `/apisix/${kind}/a.b_c-1`);
    assert.equal(value.id, 'a.b_c-1');
    assert.equal(((await send('GET', kind)).body as List).total, 1);
  }
  assert.deepEqual((await send('GET', 'routes')).body, { list: [], total: 0 });
});

test('an id comes by the path or by the body, and both must agree', async (t) => {
  const { send } = await openAdminApi(t);
  const put = (path: string, id: unknown) => send('PUT', path, { body: sampleValue('/a', { id }) });
  assert.equal((await put('routes', 7)).status, 201);
  assert.equal((await put('routes/7', 7)).status, 200);
  assert.equal((await put('routes/7', '7')).status, 200);
  assert.equal((await put('routes/', '7')).status, 200);
  assert.equal((await put(`routes/${'x'.repeat(64)}`, undefined)).status, 201);
  for (const id of [8, '8']) assertRefused(await put('routes/7', id), 400, 'wrong route id');
  const notIds: readonly unknown[] = [
    -100,
    0,
    1.5,
    1e21,
    2 ** 53,
    '',
    null,
    {},
    { toString: 1 },
    [],
    ['7'],
    [7],
    true,
    'a/b',
  ];
  for (const id of [...notIds, 'a b', 'x'.repeat(65), '.', '..']) {
    for (const path of ['routes', 'routes/7', 'routes/true', 'routes/9007199254740992']) {
      const answer = await put(path, id);
      const message =
        /^invalid configuration: property "id" validation failed: an id is an integer from 1, or /;
      assertRefused(answer, 400, message, `${path} ${JSON.stringify(id)}`);
    }
    const patched = await send('PATCH', 'routes/7', { body: { id } });
    if (id !== null) assertRefused(patched, 400, /property "id" validation failed/, JSON.stringify(id));
  }
  const most = Number.MAX_SAFE_INTEGER;
  assert.equal((await put('routes', most)).status, 201);
  assert.equal((await send('DELETE', `routes/${most}`)).status, 200);
  for (const path of ['routes/*invalid', 'routes/a%2Fb', `routes/${'x'.repeat(65)}`]) {
    assertRefused(await put(path, undefined), 400, /property "id" validation failed/, path);
  }
  assertRefused(await put('routes', undefined), 400, 'missing route id');
  assertRefused(await send('PUT', 'upstreams', { body: NODES }), 400, 'missing upstream id');
  assertRefused(await send('PUT', 'services/1', { body: { id: 2 } }), 400, 'wrong service id');
  assert.equal(((await send('GET', 'routes')).body as List).total, 2);
});

test('POST makes an id of 20 digits and takes none', async (t) => {
  const { send } = await openAdminApi(t);
  const ids = new Set<unknown>();
  for (let count = 0; count < 3; count++) {
    const answer = await send('POST', 'routes', { body: sampleValue(`/${count}`) });
    assert.equal(answer.status, 201);
    const { key, value } = answer.body as Node;
    assert.match(String(value.id), /^\d{20}$/);
    assert.equal(key, `/apisix/routes/${String(value.id)}`);
    ids.add(value.id);
  }
  assert.equal(ids.size, 3);
  const message = 'wrong route id, do not need it';
  assertRefused(await send('POST', 'routes/1', { body: sampleValue('/a') }), 400, message);
  assertRefused(await send('POST', 'routes', { body: sampleValue('/a', { id: 1 }) }), 400, message);
  assert.equal(((await send('GET', 'routes')).body as List).total, 3);
});

test('DELETE says what it removed; what is not there is 404', async (t) => {
  const { send } = await openAdminApi(t);
  await send('PUT', 'routes/1', { body: sampleValue('/a') });
  const answer = await send('DELETE', 'routes/1');
  assert.equal(answer.status, 200);
  assertForm(answer);
  assert.deepEqual(answer.body, { deleted: '1', key: '/apisix/routes/1' });
  for (const method of ['GET', 'DELETE']) {
    const missing = await send(method, 'routes/1');
    assert.equal(missing.status, 404);
    assertForm(missing);
    assert.deepEqual(missing.body, { message: 'Key not found' });
  }
  assertRefused(await send('DELETE', 'routes'), 400, 'missing route id');
  assertRefused(await send('DELETE', 'services/'), 400, 'missing service id');
});

test('an upstream in use is removed by force alone', async (t) => {
  const { send } = await openAdminApi(t);
  await send('PUT', 'upstreams/u', { body: NODES });
  await send('PUT', 'routes/1', { body: { uri: '/a', upstream_id: 'u' } });
  const message = 'can not delete this upstream, route [1] is still using it now';
  for (const query of ['', '?force=false', '?force=1', '?force']) {
    assertRefused(await send('DELETE', `upstreams/u${query}`), 400, message, query);
  }
  assert.equal((await send('GET', 'upstreams/u')).status, 200);
  assert.equal((await send('DELETE', 'upstreams/u?force=true')).status, 200);
  assert.equal((await send('GET', 'upstreams/u')).status, 404);
});

test('the times are not for clients to say', async (t) => {
  const { send } = await openAdminApi(t);
  for (const field of ['create_time', 'update_time']) {
    const body = sampleValue('/a', { [field]: 1 });
    for (const [method, path] of [
      ['PUT', 'routes/1'],
      ['POST', 'routes'],
    ] as const) {
      assertRefused(await send(method, path, { body }), 400, `the property is forbidden: ${field}`);
      const inner = sampleValue('/a', { upstream: { ...NODES, [field]: 1 } });
      assertRefused(
        await send(method, path, { body: inner }),
        400,
        `the property is forbidden: upstream.${field}`,
      );
    }
  }
  assert.equal(((await send('GET', 'routes')).body as List).total, 0);
});

test('a refused value changes nothing', async (t) => {
  const { send } = await openAdminApi(t);
  await send('PUT', 'routes/1', { body: sampleValue('/a') });
  const before = await send('GET', 'routes/1');
  assertRefused(await send('PUT', 'routes/1', { body: {} }), 400, /^invalid configuration: ./);
  assertRefused(await send('PATCH', 'routes/1', { body: { uri: null } }), 400, /^invalid configuration: ./);
  for (const body of ['[]', '"x"', '7', 'null', 'true']) {
    assertRefused(await send('PUT', 'routes/1', { body }), 400, /^invalid configuration/, body);
    assertRefused(await send('POST', 'routes', { body }), 400, /^invalid configuration/, body);
  }
  for (const method of ['PUT', 'POST']) {
    const path = method === 'PUT' ? 'routes/1' : 'routes';
    assertRefused(await send(method, path), 400, 'missing configurations');
  }
  assert.deepEqual((await send('GET', 'routes/1')).body, before.body);
  assert.equal(((await send('GET', 'routes')).body as List).total, 1);
});

test('unknown resources, verbs and longer paths are 404', async (t) => {
  const { send, ask } = await openAdminApi(t);
  await send('PUT', 'routes/1', { body: sampleValue('/a') });
  for (const name of [
    'credentials',
    'ssl',
    'proto',
    'route',
    'Routes',
    '__proto__',
    'constructor',
    'routes%20',
  ]) {
    const message = `Unsupported resource type: ${decodeURIComponent(name)}`;
    for (const method of ['GET', 'PUT', 'DELETE'])
      assertRefused(await send(method, name), 404, message, name);
  }
  for (const method of ['OPTIONS', 'PURGE', 'PROPFIND', 'TRACE']) {
    assertRefused(await send(method, 'routes/1'), 404, 'not found', method);
  }
  for (const method of ['GET', 'PUT', 'POST', 'DELETE']) {
    assertRefused(await send(method, 'routes/1/uri', { body: {} }), 404, 'not found', method);
    assertRefused(await send(method, 'routes//1', { body: {} }), 404, 'not found', method);
  }
  assertRefused(await ask('GET', '/apisix/admin'), 404, 'not found');
  assert.equal((await ask('HEAD', '/apisix/admin')).status, 200);
  for (const path of ['routes/%zz', 'routes/%ff', '%ff', 'routes/1/%c3'])
    assertRefused(await send('GET', path), 400, /./, path);
  assert.equal((await ask('GET', '/apisix/administrator')).status, 404);
  assert.equal((await send('GET', 'routes/1')).status, 200);
});

test('HEAD is GET without the body', async (t) => {
  const { send } = await openAdminApi(t);
  await send('PUT', 'routes/1', { body: sampleValue('/a') });
  for (const path of ['routes', 'routes/1', 'routes/2', 'plugins/list']) {
    const [head, full] = [await send('HEAD', path), await send('GET', path)];
    assert.equal(head.status, full.status);
    assert.equal(head.text, '');
    assert.equal(head.headers['content-length'], full.headers['content-length']);
    assertForm(head);
  }
});

test('a lifetime is refused: a number as not supported, anything else as no number', async (t) => {
  const { send } = await openAdminApi(t);
  const body = sampleValue('/a');
  await send('PUT', 'routes/1', { body });
  for (const [method, path] of [
    ['PUT', 'routes/1'],
    ['PUT', 'routes/2'],
    ['POST', 'routes'],
    ['PATCH', 'routes/1'],
  ] as const) {
    const refused = await send(method, `${path}?ttl=1`, { body });
    assertRefused(refused, 400, 'invalid argument ttl: resources that expire are not supported');
    for (const ttl of ['xxx', '']) {
      const wrong = await send(method, `${path}?ttl=${ttl}`, { body });
      assertRefused(wrong, 400, 'invalid argument ttl: should be a number');
    }
  }
  assert.equal((await send('GET', 'routes/1?ttl=1')).status, 200);
  assert.equal(((await send('GET', 'routes')).body as List).total, 1);
});

test('what stands in a config file is shown as such and not changed', async (t) => {
  const files = [sampleRoute({ id: 'file' })];
  const { send } = await openAdminApi(t, { files });
  await send('PUT', 'routes/1', { body: sampleValue('/a') });
  const marked = (await send('GET', 'routes/file')).body as Node & { readonly read_only?: boolean };
  assert.equal(marked.read_only, true);
  const { list } = (await send('GET', 'routes')).body as List;
  assert.deepEqual(
    list.map((node) => [node.key, (node as { read_only?: boolean }).read_only]),
    [
      ['/apisix/routes/file', true],
      ['/apisix/routes/1', undefined],
    ],
  );
  for (const [method, path, body] of [
    ['PUT', 'routes/file', sampleValue('/b')],
    ['PATCH', 'routes/file', { uri: '/b' }],
    ['PATCH', 'routes/file/uri', '"/b"'],
    ['DELETE', 'routes/file', undefined],
  ] as const) {
    assertRefused(await send(method, path, { body }), 405, /config file/, `${method} ${path}`);
  }
  assert.deepEqual((await send('GET', 'routes/file')).body, marked);
});

test('there are two plugins, and they and resources have schemas', async (t) => {
  const { send } = await openAdminApi(t);
  const list = await send('GET', 'plugins/list');
  assert.deepEqual([list.status, list.body], [200, ['proxy-mirror', 'umbra-compare']]);
  assertForm(list);
  const schema = await send('GET', 'plugins/proxy-mirror');
  assert.equal(schema.status, 200);
  assert.deepEqual((schema.body as { required: unknown }).required, ['host']);
  assert.deepEqual((await send('GET', 'schema/plugins/proxy-mirror')).body, schema.body);
  assert.ok(!schema.text.includes('errorMessage') && !schema.text.includes('"x-'));
  const compare = await send('GET', 'plugins/umbra-compare');
  assert.equal(compare.status, 200);
  assert.ok('detailed_diff' in (compare.body as { properties: object }).properties);
  assert.deepEqual((await send('GET', 'schema/plugins/umbra-compare')).body, compare.body);
  assert.ok(!compare.text.includes('errorMessage') && !compare.text.includes('"x-'));
  for (const name of ['route', 'upstream', 'service']) {
    const { status, body } = await send('GET', `schema/${name}`);
    assert.deepEqual([status, (body as { type: unknown }).type], [200, 'object'], name);
  }
  assertRefused(await send('GET', 'schema/consumer'), 400, 'not found schema: consumer');
  assertRefused(await send('PUT', 'schema/route', { body: {} }), 404, 'not found');
  assertRefused(await send('GET', 'plugins/prometheus'), 404, /prometheus/);
  assertRefused(await send('GET', 'plugins'), 400, 'not found plugin name');
  assertRefused(await send('PUT', 'plugins/proxy-mirror', { body: {} }), 404, 'not found');
  const reload = await send('PUT', 'plugins/reload');
  assert.deepEqual([reload.status, reload.body], [200, 'done']);
  assertRefused(await send('GET', 'plugins/reload'), 405, /PUT/);
});
