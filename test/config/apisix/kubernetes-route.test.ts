// ApisixRoute, ApisixUpstream and plugin configs: what each field becomes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Rewritten, readValue, rewriteManifests } from './rewriting.ts';

const SERVICE = 'apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { ports: [{ port: 80 }] }\n';
const EXTERNAL =
  'apiVersion: v1\nkind: Service\nmetadata: { name: e }\nspec: { type: ExternalName, externalName: example.com }\n';
const upstream = (spec: string, name = 'u'): string =>
  `apiVersion: apisix.apache.org/v2\nkind: ApisixUpstream\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
const config = (plugins: string, name = 'p', version = 'v2', kind = 'ApisixPluginConfig'): string =>
  `apiVersion: apisix.apache.org/${version}\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: { plugins: [${plugins}] }\n`;

/** The route's document comes first: its rule is in line 6, its keys from column 7 on. */
function rewriteRule(rule: string, ...others: readonly string[]): Rewritten {
  const route = `apiVersion: apisix.apache.org/v2\nkind: ApisixRoute\nmetadata: { name: r }\nspec:\n  http:\n    - name: a\n      ${rule.split('\n').join('\n      ')}\n`;
  return rewriteManifests([route, ...others].join('---\n'));
}

interface Value {
  readonly plugins: unknown;
  readonly upstream: { readonly nodes: readonly unknown[] };
  readonly vars?: unknown;
  readonly timeout?: unknown;
}

function read(rewritten: Rewritten): Value {
  assert.deepEqual(rewritten.problems, []);
  return readValue(rewritten, 'default_r_a') as Value;
}

const MATCH = 'match: { paths: [/] }';
const TO_S = 'backends: [{ serviceName: s, servicePort: 80 }]';

test('a rule is a route', () => {
  const rewritten = rewriteRule(
    `priority: 7
websocket: true
timeout: { connect: 500ms, read: 1m30s }
match:
  paths: [/a, "/b*"]
  hosts: [a.example.com]
  methods: [GET]
  remoteAddrs: [10.0.0.0/8]
  filter_func: "function(vars) return true end"
${TO_S}`,
    SERVICE,
  );
  assert.deepEqual(read(rewritten), {
    uris: ['/a', '/b*'],
    hosts: ['a.example.com'],
    methods: ['GET'],
    remote_addrs: ['10.0.0.0/8'],
    filter_func: 'function(vars) return true end',
    priority: 7,
    enable_websocket: true,
    timeout: { connect: 0.5, send: 60, read: 90 },
    plugins: {},
    upstream: { nodes: [{ host: 's.default.svc', port: 80, weight: 1 }] },
  });
  assert.equal(rewritten.locate('default_r_a', 'uris', 1), '11:21');
  assert.equal(rewritten.locate('default_r_a', 'remote_addrs', 0), '14:23');
});

test('expressions become vars', () => {
  const expression = (subject: string, op: string, operand: string): string =>
    `{ subject: ${subject}, op: ${op}, ${operand} }`;
  const header = '{ scope: Header, name: X-Env }';
  const rewritten = rewriteRule(
    `match:
  paths: [/]
  exprs:
    - ${expression(header, 'Equal', 'value: a')}
    - ${expression(header, 'NotEqual', 'value: a')}
    - ${expression('{ scope: Query, name: v }', 'GreaterThan', 'value: "1"')}
    - ${expression('{ scope: Query, name: v }', 'GreaterThanEqual', 'value: "1"')}
    - ${expression('{ scope: Cookie, name: c }', 'LessThan', 'value: "1"')}
    - ${expression('{ scope: Cookie, name: c }', 'LessThanEqual', 'value: "1"')}
    - ${expression('{ scope: Variable, name: remote_addr }', 'In', 'set: [a, b]')}
    - ${expression('{ scope: Variable, name: remote_addr }', 'NotIn', 'set: [a]')}
    - ${expression('{ scope: Path }', 'RegexMatch', 'value: "^/a"')}
    - ${expression('{ scope: Path }', 'RegexNotMatch', 'value: b')}
    - ${expression('{ scope: Path }', 'RegexMatchCaseInsensitive', 'value: c')}
    - ${expression('{ scope: Path }', 'RegexNotMatchCaseInsensitive', 'value: d')}
${TO_S}`,
    SERVICE,
  );
  assert.deepEqual(read(rewritten).vars, [
    ['http_x_env', '==', 'a'],
    ['http_x_env', '~=', 'a'],
    ['arg_v', '>', '1'],
    ['arg_v', '>=', '1'],
    ['cookie_c', '<', '1'],
    ['cookie_c', '<=', '1'],
    ['remote_addr', 'in', ['a', 'b']],
    ['remote_addr', '!', 'in', ['a']],
    ['uri', '~~', '^/a'],
    ['uri', '!', '~~', 'b'],
    ['uri', '~*', 'c'],
    ['uri', '!', '~*', 'd'],
  ]);
  assert.equal(rewritten.locate('default_r_a', 'vars', 1), '11:13');
});

test('an expression without its operand, or without the name of its subject, is a problem', () => {
  const lines = (expression: string): readonly string[] =>
    rewriteRule(`match: { paths: [/], exprs: [${expression}] }\n${TO_S}`, SERVICE).problems;
  assert.deepEqual(lines('{ subject: { scope: Header, name: a }, op: In, value: a }'), [
    'test.yaml:7:36: spec.http[0].match.exprs[0].set: is missing',
  ]);
  assert.deepEqual(lines('{ subject: { scope: Header }, op: Equal, value: a }'), [
    'test.yaml:7:47: spec.http[0].match.exprs[0].subject.name: is missing',
  ]);
  assert.deepEqual(lines('{ subject: { scope: Path }, op: Equals, value: a }'), [
    'test.yaml:7:68: spec.http[0].match.exprs[0].op: must be Equal, NotEqual, GreaterThan, GreaterThanEqual, LessThan, LessThanEqual, In, NotIn, RegexMatch, RegexNotMatch, RegexMatchCaseInsensitive or RegexNotMatchCaseInsensitive, found "Equals", did you mean "Equal"?',
  ]);
});

test('plugins: those of the config first, the route wins, switched off ones do not count', () => {
  const rule = `${MATCH}\n${TO_S}\nplugin_config_name: p\nplugins:\n  - { name: proxy-mirror, config: { host: "http://own" } }\n  - { name: cors, enable: false }`;
  const shared = config(
    '{ name: proxy-mirror, enable: true, config: { host: "http://shared" } }, { name: key-auth, enable: true }, { name: gzip, enable: false }',
  );
  const expected = { 'proxy-mirror': { host: 'http://own' }, 'key-auth': {} };
  assert.deepEqual(read(rewriteRule(rule, SERVICE, shared)).plugins, expected);
  const older = config(
    '{ name: proxy-mirror, config: { host: "http://shared" } }',
    'p',
    'v1alpha1',
    'PluginConfig',
  );
  assert.deepEqual(read(rewriteRule(rule, SERVICE, older)).plugins, {
    'proxy-mirror': { host: 'http://own' },
  });
});

test('a plugin config may be in another namespace, which no other reference of an ApisixRoute can', () => {
  const foreign = config('{ name: cors }').replace('{ name: p }', '{ name: p, namespace: shared }');
  const rule = `${MATCH}\n${TO_S}\nplugin_config_name: p`;
  assert.deepEqual(rewriteRule(rule, SERVICE, foreign).problems, [
    'test.yaml:9:27: spec.http[0].plugin_config_name: refers to ApisixPluginConfig default/p, which is in none of the files, for ApisixRoute default/r, found "p"',
  ]);
  const said = rewriteRule(`${rule}\nplugin_config_namespace: shared`, SERVICE, foreign);
  assert.deepEqual(read(said).plugins, { cors: {} });
});

test('authentication, Secrets and subsets are refused', () => {
  assert.deepEqual(
    rewriteRule(`${MATCH}\n${TO_S}\nauthentication: { enable: true, type: keyAuth }`, SERVICE).problems,
    [
      'test.yaml:9:33: spec.http[0].authentication.enable: is not served: without it everybody would be let in, found true',
    ],
  );
  read(
    rewriteRule(`${MATCH}\n${TO_S}\nauthentication: { enable: false, type: keyAuth, keyAuth: {} }`, SERVICE),
  );
  assert.deepEqual(
    rewriteRule(`${MATCH}\n${TO_S}\nplugins: [{ name: cors, secretRef: x }]`, SERVICE).problems,
    [
      'test.yaml:9:42: spec.http[0].plugins[0].secretRef: is not served: umbra does not read Secrets, write what it holds into config, found "x"',
    ],
  );
  const subset = `${MATCH}\nbackends: [{ serviceName: s, servicePort: 80, subset: v2 }]`;
  assert.deepEqual(rewriteRule(subset, SERVICE).problems, [
    'test.yaml:8:61: spec.http[0].backends[0].subset: is not served: umbra connects to the whole Service, found "v2"',
  ]);
});

test('an ApisixUpstream is an upstream, its external Services their names', () => {
  const spec = `
  externalNodes:
    - { type: Domain, name: a.example.com }
    - { type: Domain, name: b.example.com, port: 8443, weight: 50 }
    - { type: Service, name: e, weight: 50 }
  scheme: https
  retries: 2
  timeout: { connect: 1s, send: 2s, read: 3s }
  passHost: rewrite
  upstreamHost: inner.example.com
  loadbalancer: { type: chash, hashOn: header, key: x-user }`;
  const rewritten = rewriteRule(`${MATCH}\nupstreams: [{ name: u }]`, upstream(spec), EXTERNAL);
  assert.deepEqual(read(rewritten).upstream, {
    type: 'chash',
    hash_on: 'header',
    key: 'x-user',
    scheme: 'https',
    retries: 2,
    timeout: { connect: 1, send: 2, read: 3 },
    pass_host: 'rewrite',
    upstream_host: 'inner.example.com',
    nodes: [
      { host: 'a.example.com', port: 443, weight: 2 },
      { host: 'b.example.com', port: 8443, weight: 1 },
      { host: 'example.com', port: 443, weight: 1 },
    ],
  });
});

test('an ApisixUpstream of a Service says how that Service is spoken to', () => {
  const rewritten = rewriteRule(
    `${MATCH}\n${TO_S}`,
    SERVICE,
    upstream('{ scheme: https, passHost: node }', 's'),
  );
  assert.deepEqual(read(rewritten).upstream, {
    scheme: 'https',
    pass_host: 'node',
    nodes: [{ host: 's.default.svc', port: 80, weight: 1 }],
  });
});

test('weights hold between upstreams, whatever the weights of their nodes', () => {
  const rewritten = rewriteRule(
    `${MATCH}\nbackends: [{ serviceName: s, servicePort: 80, weight: 3 }]\nupstreams: [{ name: u, weight: 1 }]`,
    SERVICE,
    upstream(
      '{ externalNodes: [{ type: Domain, name: a, weight: 2 }, { type: Domain, name: b, weight: 1 }] }',
    ),
  );
  assert.deepEqual(read(rewritten).upstream.nodes, [
    { host: 's.default.svc', port: 80, weight: 9 },
    { host: 'a', port: 80, weight: 2 },
    { host: 'b', port: 80, weight: 1 },
  ]);
});

test('upstreams that differ in more than their nodes cannot share a route', () => {
  const nodes = 'externalNodes: [{ type: Domain, name: a }]';
  const rewritten = rewriteRule(
    `${MATCH}\nupstreams:\n  - name: u\n  - name: v`,
    upstream(`{ ${nodes} }`),
    upstream(`{ ${nodes}, scheme: https }`, 'v'),
  );
  assert.deepEqual(rewritten.problems, [
    'test.yaml:10:11: spec.http[0].upstreams[1]: differs in scheme from the first backend of its route, and a route has one upstream here',
  ]);
});

test('what an ApisixUpstream cannot have here is a problem or a notice, once, and only when it is used', () => {
  const spec =
    '{ externalNodes: [{ type: Domain, name: a }], healthCheck: {}, tlsSecret: {}, subsets: [], portLevelSettings: [], discovery: {} }';
  const unused = rewriteRule(`${MATCH}\n${TO_S}`, SERVICE, upstream(spec));
  assert.deepEqual([unused.problems, unused.notices], [[], []]);
  const used = rewriteRule(`${MATCH}\nupstreams: [{ name: u }, { name: u }]`, upstream(spec));
  assert.deepEqual(
    used.problems.map((problem) => problem.replace(/^\S+ spec\./, '')),
    [
      'tlsSecret: is not served',
      'subsets: is not served',
      'portLevelSettings: is not served',
      'discovery: is not served',
    ],
  );
  assert.deepEqual(used.notices, [
    'test.yaml:13:66: spec.healthCheck: has no effect: umbra does not check its backends by itself',
  ]);
});

test('references that lead nowhere, or to a Service of another type, are told at their own place', () => {
  assert.deepEqual(rewriteRule(`${MATCH}\nupstreams: [{ name: uu }]`, upstream('{}')).problems, [
    'test.yaml:8:27: spec.http[0].upstreams[0].name: refers to ApisixUpstream default/uu, which is in none of the files, for ApisixRoute default/r, found "uu", did you mean "u"?',
  ]);
  const inner = upstream('{ externalNodes: [{ type: Service, name: s }, { type: Service, name: gone }] }');
  assert.deepEqual(rewriteRule(`${MATCH}\nupstreams: [{ name: u }]`, inner, SERVICE).problems, [
    'test.yaml:13:48: spec.externalNodes[0].name: must name a Service of type ExternalName, unlike Service default/s, found "s"',
    'test.yaml:13:76: spec.externalNodes[1].name: refers to Service default/gone, which is in none of the files, for ApisixUpstream default/u, found "gone"',
  ]);
});

test('two rules of one name are a problem, and stream routes a notice', () => {
  const text = `apiVersion: apisix.apache.org/v2\nkind: ApisixRoute\nmetadata: { name: r }\nspec:\n  stream: [{}]\n  http:\n    - { name: a, ${MATCH}, ${TO_S} }\n    - { name: a, match: { paths: [/b] }, ${TO_S} }\n---\n${SERVICE}`;
  const rewritten = rewriteManifests(text);
  assert.deepEqual(rewritten.problems, [
    'test.yaml:8:15: spec.http[1].name: is the name of another rule of this ApisixRoute too, found "a"',
  ]);
  assert.deepEqual(rewritten.notices, [
    'test.yaml:5:11: spec.stream: has no effect: umbra serves HTTP alone',
  ]);
});

test('unknown fields and wrong values are named', () => {
  const lines = (rule: string): readonly string[] => rewriteRule(rule, SERVICE).problems;
  assert.deepEqual(lines(`${MATCH}\nbackend: {}\n${TO_S}`), [
    'test.yaml:8:7: spec.http[0].backend: is not a known key, found "backend", did you mean "backends"?',
  ]);
  assert.deepEqual(lines(`match: { paths: [] }\n${TO_S}`), [
    'test.yaml:7:23: spec.http[0].match.paths: must be a list of paths, found an empty list',
  ]);
  assert.deepEqual(lines(`${MATCH}\ntimeout: { read: 5 }\n${TO_S}`), [
    'test.yaml:8:24: spec.http[0].timeout.read: must be a duration such as 500ms, 5s or 1m30s, found 5',
  ]);
});
