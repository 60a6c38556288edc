// What the Admin API says about a value, word for word as APISIX does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkReferences, checkResource } from '../../../src/config/apisix/check.ts';
import type { ResourceKind } from '../../../src/config/apisix/resource.ts';
import type { Tree } from '../../../src/config/source.ts';

const UPSTREAM = { type: 'roundrobin', nodes: { '127.0.0.1:1980': 1 } };
const ROUTE = { uri: '/hello', upstream: UPSTREAM };
const WRONG = 'invalid configuration: ';
const PLUGIN = 'failed to check the configuration of plugin proxy-mirror err: ';
const HOST_PATTERN = '"^\\\\*$|^\\\\*?[0-9a-zA-Z-._\\\\[\\\\]:]+$"';
const MIRROR_PATTERN =
  '"^(http(s)?|grpc(s)?):\\\\/\\\\/([\\\\da-zA-Z.-]+|\\\\[[\\\\da-fA-F:]+\\\\])(:\\\\d+)?$"';
const DESTINATIONS = ['uri', 'uris']
  .flatMap((uri) =>
    ['plugins', 'upstream', 'upstream_id', 'service_id'].map((key) => JSON.stringify([key, uri])),
  )
  .concat('["script","uri"]', '["script","uris"]')
  .join(' or ');

function checkRoute(keys: object): string | null {
  return checkResource('routes', { ...ROUTE, ...keys });
}

function checkMirror(keys: object): string | null {
  return checkRoute({ plugins: { 'proxy-mirror': { host: 'http://127.0.0.1:1986', ...keys } } });
}

function checkUpstream(keys: object): string | null {
  return checkResource('upstreams', { ...UPSTREAM, ...keys });
}

type Table = readonly (readonly [object, string])[];

test('what APISIX takes is right, whatever umbra makes of it', () => {
  const routes: readonly object[] = [
    {},
    { id: 1 },
    { id: 'a-b_c.d' },
    { uri: '*' },
    { methods: [] },
    { methods: ['GET', 'PURGE'] },
    { host: '*.foo.com' },
    { hosts: ['a', '*'] },
    { remote_addr: '127.0.0.1' },
    { remote_addrs: ['10.0.0.0/8', '::1', 'fe80::/10'] },
    { vars: [['arg_name', '==', 'json']] },
    { priority: -7, status: 0, name: 'n', desc: '', labels: { a: 'b' }, enable_websocket: true },
    { timeout: { connect: 0.5, send: 1, read: 2 } },
    { filter_func: 'function(vars) return true end' },
    { upstream_id: 'u', service_id: 7, plugin_config_id: 'p' },
    { plugins: {} },
    // Lua writes an empty table in either way.
    { plugins: [], methods: {}, vars: {} },
    { create_time: 1, update_time: 2 },
  ];
  for (const route of routes) assert.equal(checkRoute(route), null, JSON.stringify(route));
  const mirrors: readonly object[] = [
    {},
    { host: 'http://a' },
    { host: 'https://127.0.0.1:99999' },
    { host: 'grpc://[::1]:1' },
    { host: 'http://1-2.3' },
    { path: '/a' },
    { path: '//#' },
    { path_concat_mode: 'prefix' },
    { sample_ratio: 0.00001 },
    { sample_ratio: 1 },
    { unknown: 1 },
    { enable_limit_count: true, count: 1, time_window: 1, policy: 'local' },
    {
      policy: 'redis',
      redis_host: 'ab',
      redis_port: 1,
      redis_database: 0,
      redis_timeout: 1,
      redis_password: '',
    },
    { policy: 'redis-cluster', redis_cluster_nodes: ['a:1', 'b:1'], redis_cluster_name: 'c' },
    { _meta: { disable: true, priority: 1, filter: [['arg_a', '==', '1']], error_response: { a: 1 } } },
    { _meta: { error_response: 'text', filter: {} } },
  ];
  for (const mirror of mirrors) assert.equal(checkMirror(mirror), null, JSON.stringify(mirror));
  const upstreams: readonly object[] = [
    { nodes: [] },
    { nodes: {} },
    { nodes: [{ host: 'a', weight: 0, priority: -1, metadata: { a: 1 } }] },
    { nodes: { 'a:1': 0, b: 7 } },
    { retries: 0, retry_timeout: 0, timeout: { connect: 1, send: 1, read: 1 } },
    { pass_host: 'node', scheme: 'grpcs' },
    { pass_host: 'rewrite', upstream_host: 'foo.com' },
    { keepalive_pool: { size: 1, idle_timeout: 0, requests: 1 } },
    { checks: { active: { type: 'http' } } },
    { type: 'chash', key: 'remote_addr' },
    { type: 'chash', hash_on: 'consumer' },
  ];
  for (const upstream of upstreams) assert.equal(checkUpstream(upstream), null, JSON.stringify(upstream));
  assert.equal(
    checkResource('upstreams', { service_name: 's', discovery_type: 'dns', type: 'roundrobin' }),
    null,
  );
  assert.equal(checkResource('services', {}), null);
  assert.equal(checkResource('services', { upstream: UPSTREAM, hosts: ['a'], plugins: {} }), null);
});

test("a route that does not fit is refused in APISIX's words", () => {
  const table: Table = [
    [{ uri: 5 }, 'property "uri" validation failed: wrong type: expected string, got number'],
    [{ uri: '' }, 'property "uri" validation failed: string too short, expected at least 1, got 0'],
    [
      { uri: 'é'.repeat(4097) },
      'property "uri" validation failed: string too long, expected at most 4096, got 4097',
    ],
    [{ uri: ['/a'] }, 'property "uri" validation failed: wrong type: expected string, got table'],
    [{ uri: null }, 'property "uri" validation failed: wrong type: expected string, got userdata'],
    [{ uri: true }, 'property "uri" validation failed: wrong type: expected string, got boolean'],
    [
      { uris: ['/a'] },
      'allOf 1 failed: value should match only one schema, but matches both schemas 1 and 2',
    ],
    [{ hosts: {} }, 'property "hosts" validation failed: expect array to have at least 1 items'],
    [{ uris: [] }, 'property "uris" validation failed: expect array to have at least 1 items'],
    [
      { methods: ['get'] },
      'property "methods" validation failed: failed to validate item 1: matches none of the enum values',
    ],
    [
      { methods: ['GET', 'PUT', 'GET'] },
      'property "methods" validation failed: expected unique items but items 1 and 3 are equal',
    ],
    [
      { host: 'a.*.foo.com' },
      `property "host" validation failed: failed to match pattern ${HOST_PATTERN} with "a.*.foo.com"`,
    ],
    [
      { hosts: ['a', 'b"\\c'] },
      `property "hosts" validation failed: failed to validate item 2: failed to match pattern ${HOST_PATTERN} with "b\\"\\\\c"`,
    ],
    [
      { remote_addr: '127.0.0.1.' },
      'property "remote_addr" validation failed: object matches none of the required',
    ],
    [
      { remote_addrs: ['::1', '10.0.0.0/33'] },
      'property "remote_addrs" validation failed: failed to validate item 2: object matches none of the required',
    ],
    [{ id: 'a b' }, 'property "id" validation failed: object matches none of the required'],
    [{ id: 0 }, 'property "id" validation failed: object matches none of the required'],
    [{ upstream_id: '' }, 'property "upstream_id" validation failed: object matches none of the required'],
    [{ priority: 1.5 }, 'property "priority" validation failed: wrong type: expected integer, got number'],
    [{ status: 2 }, 'property "status" validation failed: matches none of the enum values'],
    [{ vars: 'a' }, 'property "vars" validation failed: wrong type: expected array, got string'],
    [
      { timeout: { connect: 1, send: 1 } },
      'property "timeout" validation failed: property "read" is required',
    ],
    [
      { timeout: { connect: 0, send: 1, read: 1 } },
      'property "timeout" validation failed: property "connect" validation failed: expected 0 to be greater than 0',
    ],
    [
      { labels: { env: '' } },
      'property "labels" validation failed: failed to validate env (matching ".*"): string too short, expected at least 1, got 0',
    ],
    [{ plugins: 'x' }, 'property "plugins" validation failed: wrong type: expected object, got string'],
    [{ urj: '/x' }, 'additional properties forbidden, found urj'],
    [
      { upstream: {} },
      'property "upstream" validation failed: value should match only one schema, but matches none',
    ],
    [
      { upstream: { ...UPSTREAM, checks: {} } },
      'property "upstream" validation failed: property "checks" validation failed: object matches none of the required: ["active"] or ["active","passive"]',
    ],
  ];
  for (const [keys, message] of table) assert.equal(checkRoute(keys), WRONG + message, JSON.stringify(keys));
  assert.equal(checkRoute({ host: 'a', hosts: ['b'] }), 'only one of host or hosts is allowed');
  assert.equal(
    checkRoute({ remote_addr: '::1', remote_addrs: ['::1'] }),
    'only one of remote_addr or remote_addrs is allowed',
  );
});

test('a value that is no route at all', () => {
  const table: readonly (readonly [unknown, string])[] = [
    [{}, 'allOf 1 failed: value should match only one schema, but matches none'],
    [{ uri: '/a' }, `object matches none of the required: ${DESTINATIONS}`],
    [5, 'wrong type: expected object, got number'],
    [null, 'wrong type: expected object, got userdata'],
    [['a'], 'wrong type: expected object, got table'],
  ];
  for (const [value, message] of table) {
    assert.equal(checkResource('routes', value), WRONG + message, JSON.stringify(value));
  }
});

test("an upstream that does not fit is refused in APISIX's words", () => {
  const table: Table = [
    [{ nodes: { 'a:1': -1 } }, 'property "nodes" validation failed: object matches none of the required'],
    [{ nodes: 'a' }, 'property "nodes" validation failed: object matches none of the required'],
    [{ nodes: [{ host: 'a' }] }, 'property "nodes" validation failed: object matches none of the required'],
    [{ retries: -1 }, 'property "retries" validation failed: expected -1 to be at least 0'],
    [{ retry_timeout: -0.5 }, 'property "retry_timeout" validation failed: expected -0.5 to be at least 0'],
    [{ scheme: 'ftp' }, 'property "scheme" validation failed: matches none of the enum values'],
    [{ pass_host: 'x' }, 'property "pass_host" validation failed: matches none of the enum values'],
    [
      { keepalive_pool: { size: 0 } },
      'property "keepalive_pool" validation failed: property "size" validation failed: expected 0 to be at least 1',
    ],
    [{ status: 1 }, 'additional properties forbidden, found status'],
  ];
  for (const [keys, message] of table)
    assert.equal(checkUpstream(keys), WRONG + message, JSON.stringify(keys));
  const missing = "`upstream_host` can't be empty when `pass_host` is `rewrite`";
  assert.equal(checkUpstream({ pass_host: 'rewrite' }), missing);
  assert.equal(checkRoute({ upstream: { ...UPSTREAM, pass_host: 'rewrite' } }), missing);
  assert.equal(checkUpstream({ type: 'chash' }), 'missing key');
});

test("proxy-mirror that does not fit is refused in APISIX's words", () => {
  const table: Table = [
    [{ host: undefined }, 'property "host" is required'],
    [{ host: 5 }, 'property "host" validation failed: wrong type: expected string, got number'],
    ...[
      'ftp://127.0.0.1:1999',
      '127.0.0.1:1999',
      'http://127.0.0.1::1999',
      'http://127.0.0.1:1999/invalid_uri',
      'http://127.0.0.1/',
      'http://a_b',
      'http://u@a',
      'http://',
      'http://[::1',
    ].map(
      (host) =>
        [
          { host },
          `property "host" validation failed: failed to match pattern ${MIRROR_PATTERN} with "${host}"`,
        ] as const,
    ),
    ...['/', 'a', '/a?b', '/a&b'].map(
      (path) =>
        [
          { path },
          `property "path" validation failed: failed to match pattern "^/[^?&]+$" with "${path}"`,
        ] as const,
    ),
    [
      { path_concat_mode: 'x' },
      'property "path_concat_mode" validation failed: matches none of the enum values',
    ],
    [{ sample_ratio: 10 }, 'property "sample_ratio" validation failed: expected 10 to be at most 1'],
    [{ sample_ratio: 1.0001 }, 'property "sample_ratio" validation failed: expected 1.0001 to be at most 1'],
    [{ sample_ratio: 0 }, 'property "sample_ratio" validation failed: expected 0 to be at least 1e-05'],
    [{ sample_ratio: -0.1 }, 'property "sample_ratio" validation failed: expected -0.1 to be at least 1e-05'],
    [
      { sample_ratio: '1' },
      'property "sample_ratio" validation failed: wrong type: expected number, got string',
    ],
    [
      { enable_limit_count: 1 },
      'property "enable_limit_count" validation failed: wrong type: expected boolean, got number',
    ],
    [{ count: 0 }, 'property "count" validation failed: expected 0 to be at least 1'],
    [{ time_window: 0 }, 'property "time_window" validation failed: expected 0 to be at least 1'],
    [{ policy: 'x' }, 'property "policy" validation failed: matches none of the enum values'],
    [{ policy: 'redis' }, 'property "redis_host" is required'],
    [
      { redis_host: 'a' },
      'property "redis_host" validation failed: string too short, expected at least 2, got 1',
    ],
    [{ redis_port: 0 }, 'property "redis_port" validation failed: expected 0 to be at least 1'],
    [{ redis_database: -1 }, 'property "redis_database" validation failed: expected -1 to be at least 0'],
    [{ redis_timeout: 0 }, 'property "redis_timeout" validation failed: expected 0 to be at least 1'],
    [
      { redis_cluster_nodes: ['a:1'] },
      'property "redis_cluster_nodes" validation failed: expect array to have at least 2 items',
    ],
    [
      { policy: 'redis-cluster', redis_cluster_nodes: ['a:1', 'b:1'] },
      'property "redis_cluster_name" is required',
    ],
    [
      { _meta: { disable: 1 } },
      'property "_meta" validation failed: property "disable" validation failed: wrong type: expected boolean, got number',
    ],
    [
      { _meta: { prefunction: 1 } },
      'property "_meta" validation failed: additional properties forbidden, found prefunction',
    ],
  ];
  for (const [keys, message] of table)
    assert.equal(checkMirror(keys), PLUGIN + message, JSON.stringify(keys));
});

test('plugins that are none, in routes and services', () => {
  for (const kind of ['routes', 'services'] as const satisfies readonly ResourceKind[]) {
    const check = (plugins: object): string | null =>
      checkResource(kind, { ...(kind === 'routes' ? ROUTE : {}), plugins });
    assert.equal(check({ 'limit-count': {} }), 'unknown plugin [limit-count]');
    assert.equal(check({ 'key-auth': {}, prometheus: {} }), 'unknown plugin [key-auth]');
    assert.equal(check({ 'x-prometheus': {} }), 'unknown plugin [x-prometheus]');
    assert.equal(check({ prometheus: { prefer_name: true }, 'http-logger': {}, 'loki-logger': {} }), null);
    assert.equal(check({ prometheus: 5 }), 'invalid plugin conf 5 for plugin [prometheus]');
    assert.equal(check({ 'proxy-mirror': 5 }), 'invalid plugin conf 5 for plugin [proxy-mirror]');
    assert.equal(check({ 'proxy-mirror': {} }), `${PLUGIN}property "host" is required`);
  }
});

test('a schema is looked at before upstreams, upstreams before plugins, plugins before vars', () => {
  const wrong = {
    priority: 'x',
    upstream: { ...UPSTREAM, pass_host: 'rewrite' },
    plugins: { x: {} },
    vars: [['arg_a', '=', 1]],
  };
  assert.match(checkRoute(wrong)!, /property "priority"/);
  assert.match(checkRoute({ ...wrong, priority: 1 })!, /`upstream_host` can't/);
  assert.equal(checkRoute({ plugins: { x: {} }, vars: wrong.vars }), 'unknown plugin [x]');
  assert.match(checkRoute({ vars: wrong.vars })!, /^failed to validate the 'vars' expression: /);
  assert.match(
    checkMirror({ _meta: { filter: wrong.vars } })!,
    /^failed to check the configuration of plugin proxy-mirror err: failed to validate the 'vars' expression: /,
  );
});

test('every field that is wrong is named', () => {
  assert.equal(
    checkRoute({ uri: 5, urj: 1, status: 'x' }),
    `${WRONG}property "uri" validation failed: wrong type: expected string, got number; property "status" validation failed: wrong type: expected integer, got string; additional properties forbidden, found urj`,
  );
  assert.equal(
    checkMirror({ host: 'x', sample_ratio: 2 }),
    `${PLUGIN}property "host" validation failed: failed to match pattern ${MIRROR_PATTERN} with "x"; ${PLUGIN}property "sample_ratio" validation failed: expected 2 to be at most 1`,
  );
});

test('a value is left as it was', () => {
  const value = { uri: 5, upstream: { nodes: 'x' }, plugins: { x: {} } };
  const before = structuredClone(value);
  checkResource('routes', value);
  assert.deepEqual(value, before);
});

test('a reference that leads nowhere is refused with the status of its look-up', () => {
  const check = (value: Tree, ...known: string[]): string | null =>
    checkReferences(value, (kind, id) => (known.includes(`${kind}/${id}`) ? {} : undefined));
  assert.equal(
    check({ upstream_id: 'u' }),
    'failed to fetch upstream info by upstream id [u], response code: 404',
  );
  assert.equal(
    check({ upstream_id: 1, service_id: 2 }, 'upstreams/1'),
    'failed to fetch service info by service id [2], response code: 404',
  );
  assert.equal(check({ upstream_id: 1, service_id: 2 }, 'upstreams/1', 'services/2'), null);
  assert.equal(check({}), null);
});
