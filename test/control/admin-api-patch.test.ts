// PATCH of the Admin API: what merging and replacing make of a value, and what they must not touch.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { merge, replaceNode } from '../../src/control/admin-api/patch.ts';
import { assertForm, assertRefused, NODES, openAdminApi, sampleValue } from './admin-api-kit.ts';

type JsonObject = Record<string, unknown>;

const BASE: JsonObject = {
  uri: '/a',
  methods: ['GET', 'POST'],
  upstream: { type: 'roundrobin', nodes: { '127.0.0.1:1': 1, '127.0.0.1:2': 2 }, retries: 1 },
  labels: { env: 'test' },
};

test('merging: objects merge, lists replace, null deletes', () => {
  const cases: readonly (readonly [changes: JsonObject, expected: JsonObject])[] = [
    [{}, {}],
    [{ uri: '/b' }, { uri: '/b' }],
    [{ desc: 'new' }, { desc: 'new' }],
    [{ methods: ['PUT'] }, { methods: ['PUT'] }],
    [{ methods: [] }, { methods: [] }],
    [{ methods: null }, { methods: undefined }],
    [{ nothing: null }, {}],
    [
      { upstream: { retries: 5 } },
      { upstream: { type: 'roundrobin', nodes: { '127.0.0.1:1': 1, '127.0.0.1:2': 2 }, retries: 5 } },
    ],
    [
      { upstream: { nodes: { '127.0.0.1:1': null, '127.0.0.1:3': 3 } } },
      { upstream: { type: 'roundrobin', nodes: { '127.0.0.1:2': 2, '127.0.0.1:3': 3 }, retries: 1 } },
    ],
    [
      { upstream: { nodes: [{ host: 'h', port: 1, weight: 1 }] } },
      { upstream: { type: 'roundrobin', nodes: [{ host: 'h', port: 1, weight: 1 }], retries: 1 } },
    ],
    [{ methods: { a: 1 } }, { methods: { a: 1 } }],
    [{ labels: 'text' }, { labels: 'text' }],
    [{ uri: { a: 1, b: null } }, { uri: { a: 1 } }],
    [{ plugins: { p: { a: 1, b: null } } }, { plugins: { p: { a: 1 } } }],
  ];
  for (const [changes, expected] of cases) {
    const before = structuredClone(BASE);
    const wanted = JSON.parse(JSON.stringify({ ...BASE, ...expected })) as JsonObject;
    assert.deepEqual(merge(BASE, changes), wanted, JSON.stringify(changes));
    assert.deepEqual(BASE, before);
  }
});

test('a path puts a node, makes what is missing on the way, and null removes', () => {
  const cases: readonly (readonly [path: string, node: unknown, expected: JsonObject])[] = [
    ['uri', '/b', { uri: '/b' }],
    ['methods', ['PUT'], { methods: ['PUT'] }],
    ['methods', null, { methods: undefined }],
    ['upstream/nodes', { h: 1 }, { upstream: { type: 'roundrobin', nodes: { h: 1 }, retries: 1 } }],
    [
      'upstream/nodes/127.0.0.1:1',
      7,
      { upstream: { type: 'roundrobin', nodes: { '127.0.0.1:1': 7, '127.0.0.1:2': 2 }, retries: 1 } },
    ],
    [
      'upstream/retries',
      null,
      { upstream: { type: 'roundrobin', nodes: { '127.0.0.1:1': 1, '127.0.0.1:2': 2 } } },
    ],
    ['upstream', { type: 'chash' }, { upstream: { type: 'chash' } }],
    ['plugins/proxy-mirror/host', 'http://h', { plugins: { 'proxy-mirror': { host: 'http://h' } } }],
  ];
  for (const [path, node, expected] of cases) {
    const before = structuredClone(BASE);
    const wanted = JSON.parse(JSON.stringify({ ...BASE, ...expected })) as JsonObject;
    assert.deepEqual(replaceNode(BASE, path.split('/'), node), wanted, path);
    assert.deepEqual(BASE, before);
  }
});

test('names of prototypes are keys like any other', () => {
  const changes = JSON.parse(
    '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}',
  ) as JsonObject;
  const merged = merge({}, changes);
  assert.deepEqual(Object.keys(merged), ['__proto__', 'constructor']);
  assert.equal(merged.polluted, undefined);
  const replaced = replaceNode({}, ['__proto__', 'polluted'], 1);
  assert.deepEqual(Object.keys(replaced), ['__proto__']);
  assert.equal(replaced.polluted, undefined);
  assert.equal(({} as JsonObject).polluted, undefined);
});

test('PATCH merges into what is stored, and answers with the whole', async (t) => {
  const { send } = await openAdminApi(t);
  const { value: made } = (await send('PUT', 'routes/1', { body: BASE })).body as { value: JsonObject };
  const answer = await send('PATCH', 'routes/1', {
    body: { methods: ['PUT'], labels: { team: 'a', env: null } },
  });
  assert.equal(answer.status, 200);
  assertForm(answer);
  const { value: patched } = answer.body as { value: JsonObject };
  assert.ok(Number(patched.update_time) >= Number(made.create_time));
  assert.deepEqual(answer.body, {
    key: '/apisix/routes/1',
    value: {
      ...BASE,
      methods: ['PUT'],
      labels: { team: 'a' },
      id: '1',
      create_time: made.create_time,
      update_time: patched.update_time,
    },
  });
  const { value } = (await send('GET', 'routes/1')).body as { value: JsonObject };
  assert.deepEqual(value, patched);
});

test('PATCH with a path replaces that node alone', async (t) => {
  const { send } = await openAdminApi(t);
  await send('PUT', 'routes/1', { body: BASE });
  const patch = async (path: string, body: string) => {
    const answer = await send('PATCH', `routes/1/${path}`, { body });
    assert.equal(answer.status, 200, answer.text);
    return (answer.body as { value: JsonObject }).value;
  };
  assert.deepEqual((await patch('methods', '["DELETE"]')).methods, ['DELETE']);
  assert.equal(Object.hasOwn(await patch('methods', 'null'), 'methods'), false);
  const { upstream } = await patch('upstream/nodes', '{"127.0.0.1:3": 1}');
  assert.deepEqual(upstream, { type: 'roundrobin', nodes: { '127.0.0.1:3': 1 }, retries: 1 });
  assert.equal((await patch('uri', '"/b"')).uri, '/b');
  const { labels } = await patch('labels/a%2Fb%20c', '"x"');
  assert.deepEqual(labels, { env: 'test', 'a/b c': 'x' });
});

test('a patch that makes no sense changes nothing', async (t) => {
  const { send } = await openAdminApi(t);
  await send('PUT', 'routes/1', { body: BASE });
  const before = (await send('GET', 'routes/1')).body;
  const cases: readonly (readonly [
    path: string,
    body: string | undefined,
    status: number,
    message: RegExp,
  ])[] = [
    ['routes/1', undefined, 400, /^missing new configuration$/],
    ['routes/1/uri', undefined, 400, /^missing new configuration$/],
    ['routes', '{}', 400, /^missing route id$/],
    ['routes/1', '[]', 400, /^invalid configuration/],
    ['routes/1', '"x"', 400, /^invalid configuration/],
    ['routes/1', 'null', 400, /^invalid configuration/],
    ['routes/1', '{"id": 2}', 400, /^wrong route id$/],
    ['routes/1/id', '2', 400, /^wrong route id$/],
    ['routes/1', '{"uri": null}', 400, /^invalid configuration: ./],
    ['routes/1/methods', '["NONE"]', 400, /^invalid configuration: .*"methods"/],
    ['routes/1/create_time', '1', 400, /^the property is forbidden: create_time$/],
    ['routes/1/update_time', '1', 400, /^the property is forbidden: update_time$/],
    ['routes/1/uri/deeper', '1', 400, /^invalid sub-path: \/uri$/],
    ['routes/1/methods/0', '"PUT"', 400, /^invalid sub-path: \/methods$/],
    ['routes/1/upstream/type/x/y', '1', 400, /^invalid sub-path: \/upstream\/type$/],
    ['routes/1//uri', '"/b"', 400, /^invalid sub-path/],
    [`routes/1/${'a/'.repeat(101)}`, '1', 400, /^invalid sub-path/],
  ];
  for (const [path, body, status, message] of cases) {
    assertRefused(await send('PATCH', path, { body }), status, message, `${path} ${body}`);
  }
  const missing = await send('PATCH', 'routes/2', { body: { uri: '/b' } });
  assert.equal(missing.status, 404);
  assert.deepEqual(missing.body, { message: 'Key not found' });
  assert.deepEqual((await send('GET', 'routes/1')).body, before);
});

const MIRROR = { host: 'http://127.0.0.1:1' };

test('what a patch makes is never deeper than what can be sent at once', async (t) => {
  const { send } = await openAdminApi(t);
  const service = { upstream: NODES, plugins: { 'proxy-mirror': MIRROR } };
  const nest = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
  // The value, its plugins and this one are three levels; of the others, the path makes what the body does not.
  for (const [path, levels] of [
    ['z', 97],
    ['z/a/a', 95],
    [`z/${'a/'.repeat(95)}a`, 1],
  ] as const) {
    await send('PUT', 'services/1', { body: service });
    const place = `services/1/plugins/proxy-mirror/${path}`;
    const deep = await send('PATCH', place, { body: nest(levels + 1) });
    const message = 'invalid configuration: with this patch it is nested in more than 100 levels';
    assertRefused(deep, 400, message, path);
    assert.equal((await send('PATCH', place, { body: nest(levels) })).status, 200, path);
    // And so it can be sent back.
    const { value } = (await send('GET', 'services/1')).body as { value: JsonObject };
    const { create_time, update_time, ...own } = value;
    assert.ok(Number(create_time) <= Number(update_time));
    assert.equal((await send('PUT', 'services/1', { body: own })).status, 200, path);
  }
});

test('what patches make together is never larger than a body', async (t) => {
  const { send } = await openAdminApi(t);
  const made = {
    upstream: NODES,
    plugins: { 'proxy-mirror': { ...MIRROR, y: 'y'.repeat(1_000_000), z: '' } },
  };
  await send('PUT', 'services/1', { body: made });
  const room = 1_572_864 - JSON.stringify(made).length;
  const path = 'services/1/plugins/proxy-mirror/z';
  const over = JSON.stringify('z'.repeat(room + 1));
  const message =
    'invalid configuration: with this patch its size 1572865 is greater than the maximum size 1572864 allowed';
  assertRefused(await send('PATCH', path, { body: over }), 400, message);
  const body = { plugins: { 'proxy-mirror': { z: 'ü'.repeat(room / 2 + 1) } } };
  assertRefused(
    await send('PATCH', 'services/1', { body }),
    400,
    /^invalid configuration: with this patch its size/,
  );
  assert.equal((await send('PATCH', path, { body: JSON.stringify('z'.repeat(room)) })).status, 200);
});

test('the times are no more a patch’s to say than a PUT’s', async (t) => {
  const { send } = await openAdminApi(t);
  await send('PUT', 'routes/1', { body: BASE });
  const before = (await send('GET', 'routes/1')).body;
  for (const field of ['create_time', 'update_time']) {
    for (const [path, body] of [
      ['routes/1', { upstream: { [field]: 1 } }],
      ['routes/1/upstream', { ...NODES, [field]: 1 }],
      [`routes/1/upstream/${field}`, '1'],
    ] as const) {
      const answer = await send('PATCH', path, { body });
      assertRefused(answer, 400, `the property is forbidden: upstream.${field}`, path);
    }
  }
  assert.deepEqual((await send('GET', 'routes/1')).body, before);
});

test('the whole value may be sent back as it was read', async (t) => {
  const { send } = await openAdminApi(t);
  await send('PUT', 'routes/1', { body: sampleValue('/a') });
  const { value } = (await send('GET', 'routes/1')).body as { value: JsonObject };
  const answer = await send('PATCH', 'routes/1', { body: { ...value, create_time: 1, desc: 'x' } });
  assert.equal(answer.status, 200);
  assert.equal((answer.body as { value: JsonObject }).value.create_time, value.create_time);
});

test('patches at the same time are all made, one on the other', async (t) => {
  const { send } = await openAdminApi(t);
  await send('PUT', 'routes/1', { body: BASE });
  const names = Array.from({ length: 15 }, (_, index) => `n${index}`);
  const answers = await Promise.all(
    names.map((name) => send('PATCH', 'routes/1', { body: { labels: { [name]: 'x' } } })),
  );
  for (const { status, text } of answers) assert.equal(status, 200, text);
  const { value } = (await send('GET', 'routes/1')).body as { value: { labels: JsonObject } };
  assert.deepEqual(Object.keys(value.labels).sort(), ['env', ...names].sort());
});
