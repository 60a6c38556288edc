// Routes, upstreams and services of APISIX → the model: each rule of matching, of where requests go, and of what wins.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkResource } from '../../../src/config/apisix/check.ts';
import { toSentence } from '../../../src/config/apisix/remark.ts';
import type { ResourceKind } from '../../../src/config/apisix/resource.ts';
import { type TranslatedRoute, translateRoute } from '../../../src/config/apisix/route.ts';
import type { Tree } from '../../../src/config/source.ts';
import type { Route } from '../../../src/core/model.ts';

const TIMEOUTS = { connectMs: 1, sendMs: 2, readMs: 3 };
const NODES = { 'a:1': 1 };

type Known = Partial<Record<ResourceKind, Record<string, Tree>>>;

function translate(value: Tree, known: Known = {}): TranslatedRoute {
  assert.equal(checkResource('routes', value), null);
  return translateRoute('r', value, (kind, id) => known[kind]?.[id], { mirrorTimeouts: TIMEOUTS });
}

function translateGood(value: Tree, known: Known = {}): Route {
  const { route, problems } = translate(value, known);
  assert.deepEqual(problems, []);
  return route!;
}

/** A route with this upstream. */
function withUpstream(upstream: Tree): Route {
  return translateGood({ uri: '/', upstream });
}

function listSentences(value: Tree, known: Known = {}): readonly string[] {
  return translate(value, known).problems.map((problem) => toSentence(problem, value));
}

function listNotices(value: Tree, known: Known = {}): readonly string[] {
  return translate(value, known).notices.map((notice) => toSentence(notice, value));
}

test('a route that says next to nothing', () => {
  const { revision, ...route } = translateGood({
    uri: '/hello',
    upstream: { nodes: { '127.0.0.1:1980': 1 } },
  });
  assert.match(revision, /^[0-9a-f]{16}$/);
  assert.deepEqual(route, {
    id: 'r',
    hosts: [],
    paths: [{ match: 'exact', path: '/hello' }],
    methods: [],
    remoteAddrs: [],
    vars: null,
    priority: 0,
    backends: [
      {
        origin: 'http://127.0.0.1:1980',
        authority: '127.0.0.1:1980',
        tls: null,
        client: 'auto',
        weight: 1,
        priority: 0,
      },
    ],
    hostHeader: 'pass',
    retries: 0,
    retryTimeoutMs: null,
    timeouts: { connectMs: 60_000, sendMs: 60_000, readMs: 60_000 },
    mirror: null,
  });
});

test('a change of anything changes the revision, the order of keys does not', () => {
  const upstream = { nodes: NODES };
  const revision = translateGood({ uri: '/', upstream }).revision;
  assert.equal(translateGood({ upstream, uri: '/' }).revision, revision);
  assert.equal(translateGood({ upstream, uri: '/', desc: 'x' }).revision, revision);
  assert.notEqual(translateGood({ uri: '/', upstream, priority: 1 }).revision, revision);
});

test('what a route matches', () => {
  const route = translateGood({
    uris: ['/a', '/b*', '/c/*/d'],
    hosts: ['A.com', '*.B.com', 'a.com'],
    methods: ['GET', 'PURGE'],
    remote_addrs: ['10.0.0.0/8', '::1'],
    vars: [['arg_name', '==', 'json']],
    priority: -3,
    upstream: { nodes: NODES },
  });
  assert.deepEqual(route.paths, [
    { match: 'exact', path: '/a' },
    { match: 'text_prefix', path: '/b' },
    { match: 'wildcard', path: '/c/*/d' },
  ]);
  assert.deepEqual(route.hosts, ['a.com', '*.b.com']);
  assert.deepEqual(route.methods, ['GET', 'PURGE']);
  assert.deepEqual(route.remoteAddrs, ['10.0.0.0/8', '::1']);
  assert.deepEqual(route.vars, [['arg_name', '==', 'json']]);
  assert.equal(route.priority, -3);
  const single = translateGood({
    uri: '*',
    host: 'x',
    remote_addr: '1.2.3.4',
    vars: [],
    upstream: { nodes: NODES },
  });
  assert.deepEqual(single.paths, [{ match: 'text_prefix', path: '' }]);
  assert.deepEqual([single.hosts, single.remoteAddrs, single.vars], [['x'], ['1.2.3.4'], null]);
});

test('an empty list that Lua wrote as {} is an empty list', () => {
  const route = translateGood({ uri: '/', methods: {}, vars: {}, plugins: [], upstream: { nodes: NODES } });
  assert.deepEqual([route.methods, route.vars, route.mirror], [[], null, null]);
});

test('status 0 takes a route out, without a problem', () => {
  const { route, problems } = translate({ uri: '/', status: 0, upstream: { nodes: NODES } });
  assert.deepEqual([route, problems], [null, []]);
});

test('nodes in both forms: ports by scheme, IPv6, weights and priorities', () => {
  const origins = (upstream: Tree): readonly string[] =>
    withUpstream(upstream).backends.map(
      ({ origin, authority, weight, priority }) => `${origin} ${authority} ${weight} ${priority}`,
    );
  const nodes = { 'httpbin.org': 1, 'a_b:8080': 2, '[::1]:81': 0, '::2': 3, '[::3]': 4, 'UP:80': 5 };
  assert.deepEqual(origins({ nodes }), [
    'http://httpbin.org:80 httpbin.org 1 0',
    'http://a_b:8080 a_b:8080 2 0',
    'http://[::1]:81 [::1]:81 0 0',
    'http://[::2]:80 [::2] 3 0',
    'http://[::3]:80 [::3] 4 0',
    'http://up:80 up 5 0',
  ]);
  const list = [
    { host: 'a', weight: 1 },
    { host: 'a', port: 8443, weight: 2, priority: -1 },
    { host: '::1', port: 1, weight: 3, priority: 7, metadata: {} },
  ];
  assert.deepEqual(origins({ nodes: list, scheme: 'https' }), [
    'https://a:443 a 1 0',
    'https://a:8443 a:8443 2 -1',
    'https://[::1]:1 [::1]:1 3 7',
  ]);
  assert.deepEqual(withUpstream({ nodes: list, scheme: 'https' }).backends[0]!.tls, {
    verify: false,
    ca: null,
  });
});

test('without nodes, and without upstream, there are no backends', () => {
  for (const nodes of [[], {}]) assert.deepEqual(withUpstream({ nodes }).backends, []);
  const alone = { uri: '/', plugins: {} };
  assert.deepEqual(translateGood(alone).backends, []);
  assert.deepEqual(listNotices(alone), ['has no upstream: every request is answered 503']);
});

test('a node that is listed twice counts once, with its last weight', () => {
  const nodes = [
    { host: 'a', port: 80, weight: 1 },
    { host: 'b', weight: 1 },
    { host: 'A', weight: 5 },
  ];
  const route = withUpstream({ nodes });
  assert.deepEqual(
    route.backends.map(({ origin, weight }) => [origin, weight]),
    [
      ['http://a:80', 5],
      ['http://b:80', 1],
    ],
  );
  assert.equal(route.retries, 1);
  assert.deepEqual(listNotices({ uri: '/', upstream: { nodes } }), [
    'upstream.nodes[2]: is listed before: this weight counts, found "A"',
  ]);
});

test('weights have no bound of their own, their cycle has', () => {
  const weights = (...values: number[]): readonly number[] =>
    withUpstream({ nodes: values.map((weight, index) => ({ host: `h${index}`, weight })) }).backends.map(
      ({ weight }) => weight,
    );
  assert.deepEqual(weights(65_535, 1), [65_535, 1]);
  assert.deepEqual(weights(200_000, 100_000, 0), [2, 1, 0]);
  const nodes = { a: 65_536, b: 1 };
  assert.deepEqual(listSentences({ uri: '/', upstream: { nodes } }), [
    'upstream.nodes: must have weights that add up to 65536 at most after division by their common divisor, found 65537',
  ]);
});

test('32 nodes are served, 33 are not', () => {
  const nodes = (count: number): Tree =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`h:${index + 1}`, 1]));
  assert.equal(withUpstream({ nodes: nodes(32) }).backends.length, 32);
  assert.deepEqual(listSentences({ uri: '/', upstream: { nodes: nodes(33) } }), [
    'upstream.nodes: must have at most 32 nodes, found 33',
  ]);
});

test('retries: one for each further node that is used, never more', () => {
  const retries = (upstream: Tree): number =>
    withUpstream({ nodes: { a: 1, b: 1, c: 1, d: 0 }, ...upstream }).retries;
  assert.equal(retries({}), 2);
  assert.equal(retries({ retries: 0 }), 0);
  assert.equal(retries({ retries: 1 }), 1);
  assert.equal(retries({ retries: 9 }), 2);
  assert.equal(retries({ nodes: {} }), 0);
  const timeout = (seconds: number): number | null =>
    withUpstream({ nodes: NODES, retry_timeout: seconds }).retryTimeoutMs;
  assert.deepEqual([0, 0.5, 3].map(timeout), [null, 500, 3000]);
});

test("the route's deadlines beat the upstream's, in seconds", () => {
  const route = { connect: 0.5, send: 1, read: 2 };
  const upstream = { nodes: NODES, timeout: { connect: 6, send: 7, read: 8 } };
  assert.deepEqual(translateGood({ uri: '/', timeout: route, upstream }).timeouts, {
    connectMs: 500,
    sendMs: 1000,
    readMs: 2000,
  });
  assert.deepEqual(withUpstream(upstream).timeouts, { connectMs: 6000, sendMs: 7000, readMs: 8000 });
  const bounds = { connect: 0.00001, send: 1e9, read: 1 };
  assert.deepEqual(withUpstream({ nodes: NODES, timeout: bounds }).timeouts, {
    connectMs: 1,
    sendMs: 24 * 3_600_000,
    readMs: 1000,
  });
});

test('pass_host', () => {
  const host = (upstream: Tree): string => withUpstream({ nodes: NODES, ...upstream }).hostHeader;
  assert.equal(host({ pass_host: 'pass' }), 'pass');
  assert.equal(host({ pass_host: 'node' }), 'node');
  assert.equal(host({ pass_host: 'rewrite', upstream_host: 'foo.com' }), 'foo.com');
  assert.equal(host({ upstream_host: 'foo.com' }), 'pass');
  for (const name of ['node', 'pass', '*.foo.com']) {
    const upstream = { nodes: NODES, pass_host: 'rewrite', upstream_host: name };
    assert.equal(listSentences({ uri: '/', upstream }).length, 1, name);
  }
});

test('ways of balancing that are not served are refused where they would matter', () => {
  const two = { a: 1, b: 1 };
  const one = { a: 1, b: 0 };
  const chash = (nodes: Tree): Tree => ({ uri: '/', upstream: { nodes, type: 'chash', key: 'remote_addr' } });
  assert.deepEqual(listSentences(chash(two)), [
    'upstream.type: is not served yet: roundrobin is, found "chash"',
  ]);
  assert.deepEqual(listSentences(chash(one)), []);
  assert.deepEqual(listSentences(chash({})), []);
  for (const type of ['least_conn', 'ewma']) {
    const route = { uri: '/', upstream: { nodes: two, type } };
    assert.deepEqual(listSentences(route), []);
    assert.deepEqual(listNotices(route), [`upstream.type: is served as roundrobin, found "${type}"`]);
    assert.deepEqual(listNotices({ uri: '/', upstream: { nodes: one, type } }), []);
  }
});

test('what is not served says so, and names the key', () => {
  const table: readonly (readonly [Tree, string])[] = [
    [{ filter_func: 'function(vars) return true end' }, 'filter_func: is not served: umbra runs no Lua'],
    [{ script_id: 1 }, 'script_id: is not served: umbra runs no Lua'],
    [
      { plugin_config_id: 1 },
      'plugin_config_id: is not served yet: write the plugins into the route or its service, found 1',
    ],
    [
      { upstream: { nodes: NODES, scheme: 'grpc' } },
      'upstream.scheme: is not served yet: http and https are, found "grpc"',
    ],
    [
      { upstream: { service_name: 's', discovery_type: 'dns' } },
      'upstream.service_name: is not served yet: list the nodes|upstream.discovery_type: is not served yet: list the nodes',
    ],
    [
      { upstream: { nodes: NODES, tls: { client_cert_id: 1 } } },
      'upstream.tls.client_cert_id: is not served yet: umbra shows upstreams no certificate',
    ],
    [
      { plugins: { 'proxy-mirror': { host: 'grpc://a' } } },
      'plugins.proxy-mirror.host: is not served yet: http:// and https:// are, found "grpc://a"',
    ],
  ];
  for (const [keys, sentences] of table) {
    const value = { uri: '/', upstream: { nodes: NODES }, ...keys };
    assert.equal(listSentences(value).join('|'), sentences);
    assert.equal(translate(value).route, null);
  }
});

test('what APISIX takes and no request could ever use is a problem at its place', () => {
  const table: readonly (readonly [Tree, string])[] = [
    [{ uri: 'a' }, 'uri: must start with /, or with * for any path, found "a"'],
    [
      { host: '*foo.com' },
      'host: must be a name, an IPv4 address, a bracketed IPv6 address or *.suffix, without a port, found "*foo.com"',
    ],
    [
      { host: 'a:80' },
      'host: must be a name, an IPv4 address, a bracketed IPv6 address or *.suffix, without a port, found "a:80"',
    ],
    [
      { upstream: { nodes: { 'a:70000': 1, 'a/b:1': 1, c: 1 } } },
      'upstream.nodes["a:70000"]: must be a name or an address, with a port from 1 to 65535 or without one, found "a:70000"|upstream.nodes["a/b:1"]: must be a name or an address, with a port from 1 to 65535 or without one, found "a/b:1"',
    ],
  ];
  for (const [keys, sentences] of table) {
    assert.equal(listSentences({ uri: '/', upstream: { nodes: NODES }, ...keys }).join('|'), sentences);
  }
});

test('what is accepted without effect is noticed', () => {
  const value = {
    uri: '/',
    name: 'n',
    desc: 'd',
    labels: { a: 'b' },
    enable_websocket: true,
    upstream: {
      nodes: NODES,
      checks: { active: {} },
      keepalive_pool: { size: 1 },
      upstream_host: 'x',
      tls: { verify: true },
    },
  };
  const keys = listNotices(value).map((notice) => notice.split(': ')[0]);
  assert.deepEqual(keys, [
    'enable_websocket',
    'upstream.checks',
    'upstream.keepalive_pool',
    'upstream.tls.verify',
    'upstream.upstream_host',
  ]);
});

test("a service's upstream, plugins and hosts apply, and the route's own win", () => {
  const mirror = (host: string): Tree => ({ 'proxy-mirror': { host: `http://${host}` } });
  const service = {
    upstream: { nodes: { service: 1 } },
    plugins: mirror('of-service'),
    hosts: ['service.com'],
  };
  const known: Known = {
    services: { s: service, 7: { upstream_id: 'u', upstream: { nodes: { ignored: 1 } } } },
    upstreams: { u: { nodes: { referred: 1 } } },
  };
  const origin = (value: Tree): string | undefined => translateGood(value, known).backends[0]?.origin;
  const plain = translateGood({ uri: '/', service_id: 's' }, known);
  assert.equal(plain.backends[0]!.origin, 'http://service:80');
  assert.equal(plain.mirror!.shadows[0]!.origin, 'http://of-service:80');
  assert.deepEqual(plain.hosts, ['service.com']);
  const own = translateGood(
    { uri: '/', service_id: 's', host: 'own.com', plugins: mirror('own'), upstream: { nodes: { own: 1 } } },
    known,
  );
  assert.equal(own.backends[0]!.origin, 'http://own:80');
  assert.equal(own.mirror!.shadows[0]!.origin, 'http://own:80');
  assert.deepEqual(own.hosts, ['own.com']);
  assert.equal(origin({ uri: '/', service_id: 's', upstream_id: 'u' }), 'http://referred:80');
  assert.equal(origin({ uri: '/', service_id: 7 }), 'http://referred:80');
  assert.equal(origin({ uri: '/', upstream_id: 'u', upstream: { nodes: { own: 1 } } }), 'http://referred:80');
});

test('a reference that leads nowhere names both ends', () => {
  assert.deepEqual(listSentences({ uri: '/', upstream_id: 'u', service_id: 5 }), [
    'service_id: leads nowhere: route r refers to service 5, and there is none',
    'upstream_id: leads nowhere: route r refers to upstream u, and there is none',
  ]);
  const known: Known = { services: { s: { upstream_id: 'u' } } };
  assert.deepEqual(listSentences({ uri: '/', service_id: 's' }, known), [
    'service s: upstream_id: leads nowhere: service s refers to upstream u, and there is none',
  ]);
});

test('plugins that only watch are taken, and said to have no effect', () => {
  const mirror = { 'proxy-mirror': { host: 'http://shadow:9000' } };
  const plugins = { prometheus: {}, 'kafka-logger': {}, ...mirror };
  const { route } = translate({ uri: '/', upstream: { nodes: NODES }, plugins });
  assert.equal(route!.mirror!.shadows[0]!.origin, 'http://shadow:9000');
  assert.deepEqual(listNotices({ uri: '/', upstream: { nodes: NODES }, plugins }), [
    'plugins.prometheus: has no effect here',
    'plugins.kafka-logger: has no effect here',
  ]);
  const service = { upstream: { nodes: NODES }, plugins: { zipkin: {}, ...mirror } };
  assert.deepEqual(listNotices({ uri: '/', service_id: '1' }, { services: { 1: service } }), [
    'service 1: plugins.zipkin: has no effect here',
  ]);
});
