// umbra's own dialect: what each key becomes in the model, what is assumed where it is silent, and the rules between keys.

import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { test } from 'node:test';
import type { Config } from '../../src/core/model.ts';
import { listLines, listProblems, mirrorYaml, parse, parseMirror, parseRoute, routeYaml } from './kit.ts';

const frontend = Math.min(64, Math.max(1, Math.floor(availableParallelism() / 2)));

const SILENT: Omit<Config, 'routes'> = {
  listeners: [{ host: '0.0.0.0', port: 9080, tls: null }],
  admin: {
    host: '127.0.0.1',
    port: 9180,
    key: null,
    viewerKey: null,
    keyRequired: true,
    keyFile: resolve('data/admin.key'),
    allow: [],
    apiVersion: 'v3',
    onProxyPort: false,
  },
  threads: { frontend, mirror: 1 },
  store: { type: 'file', path: resolve('data/routes.json') },
  apisixMirrorTimeouts: { connectMs: 60_000, sendMs: 60_000, readMs: 60_000 },
  notices: [],
  shutdownTimeoutMs: 30_000,
  limits: {
    headerBytes: 32_768,
    headerCount: 96,
    targetBytes: 8192,
    bodyBytes: Number.POSITIVE_INFINITY,
    inFlight: 10_000,
    connectionsPerAddress: 10_000,
    upstreamConnections: 1024,
    upstreamQueue: 1024,
    upstreamQueueMs: 5000,
    overloadDelayMs: 200,
  },
};

test('where the file is silent the defaults hold', () => {
  assert.deepEqual(parse('routes: []'), { ...SILENT, routes: [] });
  const { revision, ...route } = parse(mirrorYaml()).routes[0]!;
  assert.match(revision, /^[0-9a-f]{16}$/);
  assert.deepEqual(route, {
    id: 'a',
    hosts: [],
    paths: [{ match: 'exact', path: '/a' }],
    methods: [],
    remoteAddrs: [],
    vars: null,
    priority: 0,
    backends: [
      {
        origin: 'http://primary:80',
        authority: 'primary',
        tls: null,
        client: 'auto',
        weight: 1,
        priority: 0,
      },
    ],
    hostHeader: 'pass',
    retries: 1,
    retryTimeoutMs: null,
    timeouts: { connectMs: 5000, sendMs: 60_000, readMs: 60_000 },
    mirror: {
      enabled: true,
      percentage: 100,
      sampleByHeader: null,
      methods: 'all',
      shadows: [
        {
          origin: 'http://shadow:80',
          authority: 'shadow',
          tls: null,
          client: 'auto',
          headers: { set: [], remove: [] },
          hostHeader: 'pass',
          role: 'shadow',
        },
      ],
      conditions: { methods: [], headers: [], pathRegex: null, vars: null },
      path: null,
      pathConcatMode: 'replace',
      timeouts: { connectMs: 2000, sendMs: 10_000, readMs: 10_000 },
      limit: null,
      maxBodyBytes: 8_388_608,
      maxAnswerBytes: 1_073_741_824,
      redact: { headers: [], query: [], json: [] },
      idempotencyKey: false,
      maxInFlight: 256,
      maxQueuedBytes: 67_108_864,
      breaker: { failures: 5, openForMs: 10_000 },
      compare: null,
    },
  });
});

test('empty mappings mean the defaults too', () => {
  const mirror = parseMirror('limit: {}\ncompare: {}\nbreaker: {}\ntimeout: {}\nconditions: {}');
  assert.deepEqual(mirror.limit, { count: 1, windowMs: 60_000, policy: 'local', redis: null });
  assert.deepEqual(mirror.compare, {
    logMismatches: false,
    detail: null,
    mask: [],
    maxMismatches: 100,
    thresholds: { minCompared: 1000, maxMismatch: 0.01, maxError: 0.01, maxP99Ratio: null },
  });
  assert.deepEqual(mirror.breaker, { failures: 5, openForMs: 10_000 });
  assert.deepEqual(parse('admin: {}\nthreads: {}\nlimits: {}'), { ...SILENT, routes: [] });
});

test('a comparison that is not enabled is none', () => {
  assert.equal(parseMirror('compare: { enabled: false, log_mismatches: true }').compare, null);
});

test('listeners may be one or several, of both kinds', () => {
  const { listeners } = parse('listen: { http: ["127.0.0.1:1", "[::1]:2", ":3"] }');
  assert.deepEqual(
    listeners.map(({ host, port }) => [host, port]),
    [
      ['127.0.0.1', 1],
      ['::1', 2],
      ['0.0.0.0', 3],
    ],
  );
});

test('two listeners on one address are a problem, also with the admin listener, and port 0 is free for all', () => {
  const paths = (text: string): readonly string[] => listProblems(text).map((problem) => problem.path);
  assert.deepEqual(paths('listen: { http: ["a:1", "A:1"] }'), ['listen.http[1]']);
  assert.deepEqual(paths('listen: { http: ["0.0.0.0:1", "10.0.0.1:1"] }'), ['listen.http[1]']);
  assert.deepEqual(paths('listen: { http: ["[::1]:1", "[::]:1"] }'), ['listen.http[1]']);
  assert.deepEqual(paths('listen: { http: ["0.0.0.0:1", "[::]:1"] }'), []);
  assert.deepEqual(paths('listen: { http: ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.1:2"] }'), []);
  assert.deepEqual(paths('listen: { http: "0.0.0.0:1" }\nadmin: { listen: "127.0.0.1:1" }'), [
    'admin.listen',
  ]);
  assert.deepEqual(paths('listen: { http: ["a:0", "a:0"] }'), []);
});

test('the admin listener may leave loopback only with a key', () => {
  const paths = (text: string): readonly string[] => listProblems(text).map((problem) => problem.path);
  assert.deepEqual(paths('admin: { listen: "0.0.0.0:1" }'), ['admin.listen']);
  assert.deepEqual(paths('admin: { listen: "0.0.0.0:1", key: "" }'), ['admin.listen']);
  assert.deepEqual(paths('admin: { listen: "0.0.0.0:1", key: k }'), []);
  assert.deepEqual(paths('admin: { listen: "127.0.0.2:1" }'), []);
});

test('header conditions: true and "true" mean present, false and "false" absent, other texts a value without case', () => {
  const { headers } = parseMirror(
    'conditions: { headers: { A: true, B: "true", C: false, D: "False", E: Acme, F: "" } }',
  ).conditions;
  assert.deepEqual(headers, [
    { name: 'a', kind: 'present', value: '' },
    { name: 'b', kind: 'present', value: '' },
    { name: 'c', kind: 'absent', value: '' },
    { name: 'd', kind: 'absent', value: '' },
    { name: 'e', kind: 'equals', value: 'acme' },
    { name: 'f', kind: 'equals', value: '' },
  ]);
});

test('names of headers are lower case in the model, values are as written', () => {
  const { sampleByHeader } = parseMirror('sample_by: header:X-User-Id');
  assert.equal(sampleByHeader, 'x-user-id');
  const text = `mirror: { backends: [{ url: "http://s", headers: { set: { X-Env: A b }, remove: [Cookie] } }] }`;
  assert.deepEqual(parseRoute(text).mirror!.shadows[0]!.headers, {
    set: [['x-env', 'A b']],
    remove: ['cookie'],
  });
});

test('a header that belongs to the hop, frames the body, routes or marks the copy cannot be edited', () => {
  const names = [
    ...[
      'Connection',
      'Keep-Alive',
      'Proxy-Connection',
      'TE',
      'Trailer',
      'Transfer-Encoding',
      'Upgrade',
      'Expect',
    ],
    ...['Content-Length', 'Host', 'X-Umbra-Mirror'],
  ];
  const edit = (edits: string): readonly string[] =>
    listProblems(
      `routes:\n${routeYaml(`mirror: { backends: [{ url: "http://s", headers: ${edits} }] }`)}`,
    ).map(({ path, rule }) => `${path.replace('routes[0].mirror.backends[0].headers.', '')} ${rule}`);
  for (const name of names) {
    assert.deepEqual(edit(`{ set: { ${name}: x } }`), [`set.${name} conflict`]);
    assert.deepEqual(edit(`{ remove: [${name}] }`), ['remove[0] conflict']);
  }
  assert.deepEqual(edit('{ set: { a: x, A: y } }'), ['set.A duplicate']);
  assert.deepEqual(edit('{ set: { a: x }, remove: [A] }'), ['remove[0] duplicate']);
  assert.deepEqual(edit('{ set: { "a b": x } }'), ['set["a b"] format']);
  assert.deepEqual(edit('{ remove: ["a:"] }'), ['remove[0] format']);
  for (const value of ['"a\\nb"', '"a\\rb"', '"a\\0"', '"a\\tb"', '" a"', '"a "', '"é"', '5', 'true']) {
    assert.equal(edit(`{ set: { a: ${value} } }`).length, 1, value);
  }
  assert.deepEqual(edit('{ set: { a: "", b: "~", c: "x y" }, remove: [d] }'), []);
});

test('all shadows of a mirror have different origins, however they are written', () => {
  const lines = (urls: string): readonly string[] =>
    listLines(`routes:\n${routeYaml(`mirror:\n  backends:\n${urls}`)}`);
  assert.deepEqual(lines('    - url: http://s\n    - url: https://s\n    - url: http://s:81'), []);
  assert.deepEqual(lines('    - url: http://s\n    - url: HTTP://S:80'), [
    'test.yaml:8:16: routes[0].mirror.backends[1].url: has the same origin as the shadow in line 7, found "HTTP://S:80"',
  ]);
});

test('hosts are lower case, may be wildcards, and have no port', () => {
  assert.deepEqual(parseRoute('hosts: [API.example.com, "*.Example.org", "[::1]"]').hosts, [
    'api.example.com',
    '*.example.org',
    '[::1]',
  ]);
  const paths = (hosts: string): readonly string[] =>
    listProblems(`routes:\n${routeYaml(`hosts: ${hosts}`)}`).map((problem) => problem.path);
  assert.deepEqual(paths('["a:80", "*", "a.*.b"]'), [
    'routes[0].hosts[0]',
    'routes[0].hosts[1]',
    'routes[0].hosts[2]',
  ]);
  assert.deepEqual(paths('[a, A]'), ['routes[0].hosts[1]']);
});

test('two routes with one id, or for exactly the same requests, are a problem that names the other line', () => {
  const lines = (first: string, second: string): readonly string[] =>
    listLines(
      `routes:\n  - { ${first}, backends: [{ url: "http://h" }] }\n  - { ${second}, backends: [{ url: "http://h" }] }\n`,
    );
  assert.deepEqual(lines('id: a, path: /a', 'id: a, path: /b'), [
    'test.yaml:3:11: routes[1].id: is the id of another route too, in line 2, found "a"',
  ]);
  const [same] = lines(
    'id: a, path: /a, hosts: [x, y], methods: [A, B]',
    'id: b, path: /a, hosts: [Y, x], methods: [B, A]',
  );
  assert.match(same ?? '', /^test.yaml:3:20: routes\[1\].path: matches exactly .* in line 2: /);
  for (const difference of [
    'path: /b',
    'path: /a, path_prefix: true',
    'path: /a, priority: 1',
    'path: /a, hosts: [x]',
    'path: /a, methods: [A]',
  ]) {
    assert.deepEqual(lines('id: a, path: /a', `id: b, ${difference}`), [], difference);
  }
});

test('tls belongs to https backends', () => {
  assert.deepEqual(
    listProblems('routes: [{ id: a, path: /, backends: [{ url: "http://h", tls: {} }] }]').map((p) => p.path),
    ['routes[0].backends[0].tls'],
  );
  const [route] = parse(
    'routes: [{ id: a, path: /, backends: [{ url: "https://h", tls: { verify: false } }] }]',
  ).routes;
  assert.deepEqual(route!.backends[0]!.tls, { verify: false, ca: null });
  const [trusting] = parse('routes: [{ id: a, path: /, backends: [{ url: "https://h" }] }]').routes;
  assert.deepEqual(trusting!.backends[0]!.tls, { verify: true, ca: null });
});

test('a limit on Redis has what it is spoken to with, and what its policy needs', () => {
  const redis = { username: null, password: null, database: 0, tls: false, timeoutMs: 1000 };
  assert.deepEqual(parseMirror('limit: { policy: redis, redis_host: h1 }').limit, {
    count: 1,
    windowMs: 60_000,
    policy: 'redis',
    redis: { ...redis, nodes: [{ host: 'h1', port: 6379 }], isCluster: false },
  });
  const more = 'redis_port: 7000, redis_password: p, redis_database: 3, redis_timeout: 50';
  assert.deepEqual(parseMirror(`limit: { policy: redis, redis_host: "::1", ${more} }`).limit!.redis, {
    ...redis,
    nodes: [{ host: '::1', port: 7000 }],
    isCluster: false,
    password: 'p',
    database: 3,
    timeoutMs: 50,
  });
  const cluster = 'policy: redis-cluster, redis_cluster_name: c, redis_cluster_nodes';
  assert.deepEqual(parseMirror(`limit: { ${cluster}: ["a:1", "[::1]:2"] }`).limit!.redis, {
    ...redis,
    nodes: [
      { host: 'a', port: 1 },
      { host: '::1', port: 2 },
    ],
    isCluster: true,
  });
  const problems = (limit: string): readonly string[] =>
    listProblems(mirrorYaml(`limit: { ${limit} }`)).map(
      ({ path, rule }) => `${path.split('.').at(-1)} ${rule}`,
    );
  assert.deepEqual(problems('policy: redis'), ['redis_host required']);
  assert.deepEqual(problems('policy: redis, redis_host: "h:1"'), ['redis_host format']);
  assert.deepEqual(problems('policy: redis-cluster'), [
    'redis_cluster_nodes required',
    'redis_cluster_name required',
  ]);
  assert.deepEqual(problems(`${cluster}: ["a:1", "b:0"]`), ['redis_cluster_nodes[1] format']);
});

test("a regular expression that does not compile is a problem in the engine's words", () => {
  assert.match(
    listLines(mirrorYaml('conditions: { path_regex: "a(b" }'))[0]!,
    /does not compile: Unterminated group, found "a\(b"$/,
  );
});

test('the revision stays while nothing of the route changes, and changes with anything', () => {
  const { revision } = parseRoute('retries: 1');
  assert.equal(parseRoute('retries: 1   # the same').revision, revision);
  assert.equal(parseRoute('').revision, revision, 'a default that is written out changes nothing');
  const others = [
    'retries: 2',
    'hosts: [h]',
    'methods: [GET]',
    'timeout: { read: 61s }',
    'mirror: { backends: [{ url: "http://s" }] }',
  ];
  const revisions = new Set([revision, ...others.map((extra) => parseRoute(extra).revision)]);
  assert.equal(revisions.size, others.length + 1);
});
