// HTTPRoute: matches, precedence, backends, filters, timeouts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Rewritten, readValue, rewriteManifests, toPlain } from './rewriting.ts';

const service = (name: string, spec = '{ ports: [{ port: 80 }] }'): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: ${spec}\n---\n`;

const SERVICES = [service('s'), service('t'), service('u')].join('');
const SERVICE_LINES = 15;

/** `rule` begins in line 6 of the document, its keys in column 7. */
function rewriteRule(rule: string, more = '', extra = ''): Rewritten {
  const indented = rule.split('\n').join('\n      ');
  return rewriteManifests(
    `${SERVICES}apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec:${more}\n  rules:\n    - ${indented}\n---\n${extra}`,
  );
}

const TO_S = 'backendRefs: [{ name: s, port: 80 }]';

interface Value {
  readonly uris: readonly string[];
  readonly hosts?: readonly string[];
  readonly methods?: readonly string[];
  readonly vars?: readonly unknown[];
  readonly priority: number;
  readonly plugins: Readonly<Record<string, unknown>>;
  readonly upstream: unknown;
  readonly timeout?: unknown;
}

function listValues({ resources, problems }: Rewritten): readonly Value[] {
  assert.deepEqual(problems, []);
  return resources.map(({ value }) => toPlain(value) as Value);
}

/** Positions as they would be if the route's document stood alone. */
function listProblems({ problems }: Rewritten): readonly string[] {
  return problems.map((problem) =>
    problem.replace(/^test\.yaml:(\d+):/, (_, line) => `${Number(line) - SERVICE_LINES}:`),
  );
}

test('a path is whole or a prefix on segment borders, whose last slash means nothing', () => {
  const uris = (path: string): unknown =>
    listValues(rewriteRule(`matches: [{ path: ${path} }]\n${TO_S}`))[0]?.uris;
  assert.deepEqual(uris('{ type: Exact, value: /a }'), ['/a']);
  assert.deepEqual(uris('{ type: Exact, value: /a/ }'), ['/a/']);
  assert.deepEqual(uris('{ type: PathPrefix, value: /a }'), ['/a', '/a/*']);
  assert.deepEqual(uris('{ type: PathPrefix, value: /a/ }'), ['/a', '/a/*']);
  assert.deepEqual(uris('{ value: /a/b }'), ['/a/b', '/a/b/*']);
  assert.deepEqual(uris('{ type: PathPrefix, value: / }'), ['/*']);
  assert.deepEqual(uris('{}'), ['/*']);
});

test('no rules, no matches of a rule and no hostnames match everything', () => {
  assert.equal(listValues(rewriteRule(TO_S, '\n  hostnames: []'))[0]?.hosts, undefined);
  assert.deepEqual(listValues(rewriteRule(TO_S))[0]?.uris, ['/*']);
  assert.deepEqual(listValues(rewriteRule(`matches: []\n${TO_S}`))[0]?.uris, ['/*']);
  const text = 'apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec: {}';
  const rewritten = rewriteManifests(text);
  assert.deepEqual(readValue(rewritten, 'default_r_0'), {
    uris: ['/*'],
    priority: 0,
    plugins: {},
    upstream: { nodes: [] },
  });
  assert.deepEqual(rewritten.notices, [
    'test.yaml:4:7: spec.rules[0]: has no backendRefs: every request of it is answered 503',
  ]);
});

test('regular expressions of paths, and a * in one, are not served', () => {
  const lines = (path: string): unknown => listProblems(rewriteRule(`matches: [{ path: ${path} }]\n${TO_S}`));
  assert.deepEqual(lines('{ type: RegularExpression, value: "/a.*" }'), [
    '6:33: spec.rules[0].matches[0].path.type: is not served: paths are Exact or PathPrefix here, found "RegularExpression"',
  ]);
  assert.deepEqual(lines('{ type: Exact, value: "/a*" }'), [
    '6:47: spec.rules[0].matches[0].path.value: is not served with a *, which stands for any text in a path here, found "/a*"',
  ]);
});

test('headers and query parameters become vars; the first of a name counts', () => {
  const [value] = listValues(
    rewriteRule(
      `matches:
- headers:
    - { name: X-Env, value: blue }
    - { type: RegularExpression, name: x-env-b, value: "^b" }
    - { name: x-env, value: green }
  queryParams:
    - { name: v, value: "2" }
    - { type: RegularExpression, name: w, value: "." }
  method: GET
${TO_S}`,
    ),
  );
  assert.deepEqual(value?.vars, [
    ['http_x_env', '==', 'blue'],
    ['http_x_env_b', '~~', '^b'],
    ['arg_v', '==', '2'],
    ['arg_w', '~~', '.'],
  ]);
  assert.deepEqual(value?.methods, ['GET']);
});

test('precedence: exact path, method, most headers, most query parameters', () => {
  const priority = (match: string): number =>
    listValues(rewriteRule(`matches: [${match}]\n${TO_S}`))[0]!.priority;
  const list = (count: number): string =>
    Array.from({ length: count }, (_, index) => `{ name: n${index}, value: a }`).join(', ');
  const ascending = [
    '{}',
    `{ queryParams: [${list(1)}] }`,
    `{ queryParams: [${list(16)}] }`,
    `{ headers: [${list(1)}] }`,
    `{ headers: [${list(2)}], queryParams: [${list(1)}] }`,
    `{ headers: [${list(16)}], queryParams: [${list(16)}] }`,
    '{ method: GET }',
    `{ method: GET, headers: [${list(1)}] }`,
    `{ method: GET, headers: [${list(16)}], queryParams: [${list(16)}] }`,
    '{ path: { type: Exact, value: /a } }',
    '{ path: { type: Exact, value: /a }, method: GET }',
  ].map(priority);
  assert.deepEqual(
    ascending,
    ascending.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(ascending).size, ascending.length);
});

test('matches of a rule are a route each, and those that differ in their paths alone are one', () => {
  const rewritten = rewriteRule(
    `matches:
- { path: { value: /a }, method: GET }
- { path: { value: /b } }
- { path: { value: /c }, method: GET }
- { path: { type: Exact, value: /d }, method: GET }
${TO_S}`,
  );
  assert.deepEqual(
    rewritten.resources.map(({ id }) => id),
    ['default_r_0_0', 'default_r_0_1', 'default_r_0_3'],
  );
  const values = listValues(rewritten);
  assert.deepEqual(
    values.map(({ uris }) => uris),
    [['/a', '/a/*', '/c', '/c/*'], ['/b', '/b/*'], ['/d']],
  );
  assert.equal(rewritten.locate('default_r_0_0', 'methods', 0), '22:40');
  assert.equal(rewritten.locate('default_r_0_1', 'uris', 0), '23:26');
});

test('ids: by number or name of the rule, at most 64 characters, no two alike, always the same', () => {
  const ids = (names: readonly string[], name: string): readonly string[] => {
    const rules = names.map((rule) => `\n    - { ${rule}${TO_S} }`).join('');
    const text = `${SERVICES}apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: ${name} }\nspec:\n  rules:${rules}`;
    const rewritten = rewriteManifests(text);
    assert.deepEqual(rewritten.problems, []);
    return rewritten.resources.map(({ id }) => id);
  };
  assert.deepEqual(ids(['', 'name: first, ', ''], 'r'), ['default_r_0', 'default_r_first', 'default_r_2']);
  const [number, named] = ids(['', 'name: "0", '], 'r');
  assert.equal(number, 'default_r_0');
  assert.match(named ?? '', /^default_r_0-[0-9a-f]{8}$/);
  const long = ids(['', ''], 'x'.repeat(200));
  assert.equal(new Set(long).size, 2);
  for (const id of long) assert.match(id, /^default_x{47}-[0-9a-f]{8}$/);
  assert.deepEqual(ids(['', ''], 'x'.repeat(200)), long);
});

test('weights hold between backends; https comes from the Service', () => {
  const upstream = (references: string): unknown =>
    listValues(rewriteRule(`backendRefs: [${references}]`))[0]?.upstream;
  assert.deepEqual(upstream('{ name: s, port: 80, weight: 90 }, { name: t, port: 80, weight: 10 }'), {
    nodes: [
      { host: 's.default.svc', port: 80, weight: 9 },
      { host: 't.default.svc', port: 80, weight: 1 },
    ],
  });
  assert.deepEqual(upstream('{ name: s, port: 80, weight: 0 }, { name: t, port: 80 }'), {
    nodes: [
      { host: 's.default.svc', port: 80, weight: 0 },
      { host: 't.default.svc', port: 80, weight: 1 },
    ],
  });
  const secure = service('s', '{ ports: [{ port: 443, appProtocol: https }] }');
  const route = `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec: { rules: [{ backendRefs: [{ name: s, port: 443 }] }] }`;
  assert.deepEqual((readValue(rewriteManifests(secure + route), 'default_r_0') as Value).upstream, {
    scheme: 'https',
    nodes: [{ host: 's.default.svc', port: 443, weight: 1 }],
  });
});

test('a backend of another kind, with filters of its own or with another scheme is not served', () => {
  assert.deepEqual(
    listProblems(
      rewriteRule(
        'backendRefs:\n  - { name: s, port: 80, kind: Bucket, group: x.io }\n  - { name: s, port: 80, filters: [{}] }',
      ),
    ),
    [
      '7:38: spec.rules[0].backendRefs[0].kind: is not served: a backend is a Service, found "Bucket"',
      '8:41: spec.rules[0].backendRefs[1].filters: is not served: filters belong to the rule',
    ],
  );
  const mixed = rewriteManifests(
    `${SERVICES}${service('x', '{ ports: [{ port: 443, appProtocol: https }] }')}apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec: { rules: [{ backendRefs: [{ name: s, port: 80 }, { name: x, port: 443 }] }] }`,
  );
  assert.deepEqual(mixed.problems, [
    'test.yaml:24:56: spec.rules[0].backendRefs[1]: differs in scheme from the first backend of its route, and a route has one upstream here',
  ]);
});

const mirror = (filter: string): string => `- type: RequestMirror\n  requestMirror: ${filter}`;

test('RequestMirror mirrors everything, or a percentage, or a fraction, or nothing', () => {
  const plugin = (share: string): unknown =>
    listValues(
      rewriteRule(`filters:\n${mirror(`{ backendRef: { name: t, port: 80 }${share} }`)}\n${TO_S}`),
    )[0]?.plugins['proxy-mirror'];
  const host = 'http://t.default.svc:80';
  assert.deepEqual(plugin(''), { host });
  assert.deepEqual(plugin(', percent: 100'), { host });
  assert.deepEqual(plugin(', percent: 42'), { host, sample_ratio: 0.42 });
  assert.deepEqual(plugin(', percent: 0'), { host, _meta: { disable: true } });
  assert.deepEqual(plugin(', fraction: { numerator: 5 }'), { host, sample_ratio: 0.05 });
  assert.deepEqual(plugin(', fraction: { numerator: 1, denominator: 8 }'), { host, sample_ratio: 0.125 });
  assert.deepEqual(plugin(', fraction: { numerator: 8, denominator: 8 }'), { host });
  assert.deepEqual(plugin(', fraction: { numerator: 0, denominator: 8 }'), {
    host,
    _meta: { disable: true },
  });
});

test('what is wrong with a RequestMirror is told at its place', () => {
  const lines = (filter: string): readonly string[] =>
    listProblems(rewriteRule(`filters:\n${mirror(filter)}\n${TO_S}`));
  assert.deepEqual(lines('{ backendRef: { name: t, port: 80 }, percent: 101 }'), [
    '8:70: spec.rules[0].filters[0].requestMirror.percent: must be a whole number from 0 to 100, found 101',
  ]);
  assert.deepEqual(lines('{ backendRef: { name: t, port: 80 }, percent: 1, fraction: { numerator: 1 } }'), [
    '8:73: spec.rules[0].filters[0].requestMirror.fraction: excludes percent',
  ]);
  assert.deepEqual(
    lines('{ backendRef: { name: t, port: 80 }, fraction: { numerator: 9, denominator: 8 } }'),
    [
      '8:84: spec.rules[0].filters[0].requestMirror.fraction.numerator: must be at most the denominator, found 9',
    ],
  );
  assert.deepEqual(lines('{ backendRef: { name: t } }'), [
    '8:38: spec.rules[0].filters[0].requestMirror.backendRef.port: is missing',
  ]);
  assert.deepEqual(lines('{ backendRef: { name: gone, port: 80 } }'), [
    '8:46: spec.rules[0].filters[0].requestMirror.backendRef.name: refers to Service default/gone, which is in none of the files, for HTTPRoute default/r, found "gone"',
  ]);
  assert.deepEqual(listProblems(rewriteRule(`filters: [{ type: RequestMirror }]\n${TO_S}`)), [
    '6:17: spec.rules[0].filters[0].requestMirror: is missing',
  ]);
});

test('several RequestMirrors are several shadows with one share', () => {
  const filters = (first: string, second: string): Rewritten =>
    rewriteRule(
      `filters:\n${mirror(`{ backendRef: { name: t, port: 80 }${first} }`)}\n${mirror(`{ backendRef: { name: u, port: 80 }${second} }`)}\n${TO_S}`,
    );
  const rewritten = filters(', percent: 25', ', fraction: { numerator: 1, denominator: 4 }');
  assert.deepEqual(rewritten.problems, []);
  assert.deepEqual(rewritten.resources[0]?.moreShadows, ['http://u.default.svc:80']);
  assert.deepEqual(listProblems(filters(', percent: 25', ', percent: 50')), [
    '10:9: spec.rules[0].filters[1].requestMirror: is not served with another share than the first RequestMirror of its rule: one decision covers all copies of a request',
  ]);
  const twice = rewriteRule(
    `filters:\n${mirror('{ backendRef: { name: t, port: 80 } }')}\n${mirror('{ backendRef: { name: t, port: 80 } }')}\n${TO_S}`,
  );
  assert.deepEqual(listProblems(twice), [
    '10:46: spec.rules[0].filters[1].requestMirror.backendRef.name: names the same shadow a second time, found "http://t.default.svc:80"',
  ]);
});

const PLUGIN_CONFIG =
  'apiVersion: apisix.apache.org/v1alpha1\nkind: PluginConfig\nmetadata: { name: p }\nspec:\n  plugins:\n    - { name: proxy-mirror, config: { host: "http://h" } }\n    - { name: key-auth }';
const extension = (reference: string): string =>
  `filters: [{ type: ExtensionRef, extensionRef: ${reference} }]\n${TO_S}`;

test('an ExtensionRef brings the plugins of a PluginConfig, which keep their places', () => {
  const rewritten = rewriteRule(
    extension('{ group: apisix.apache.org, kind: PluginConfig, name: p }'),
    '',
    PLUGIN_CONFIG,
  );
  assert.deepEqual(listValues(rewritten)[0]?.plugins, {
    'proxy-mirror': { host: 'http://h' },
    'key-auth': {},
  });
  assert.equal(rewritten.locate('default_r_0', 'plugins', 'proxy-mirror', 'host'), '29:45');
});

test('an ExtensionRef to something else, to nothing, or beside a RequestMirror is a problem', () => {
  assert.deepEqual(listProblems(rewriteRule(extension('{ group: x.io, kind: Filter, name: p }'))), [
    '6:74: spec.rules[0].filters[0].extensionRef.kind: is not served: an extension is a PluginConfig of apisix.apache.org, found "x.io/Filter"',
  ]);
  assert.deepEqual(
    listProblems(rewriteRule(extension('{ group: apisix.apache.org, kind: PluginConfig, name: p }'))),
    [
      '6:107: spec.rules[0].filters[0].extensionRef.name: refers to PluginConfig default/p, which is in none of the files, for HTTPRoute default/r, found "p"',
    ],
  );
  const both = rewriteRule(
    `filters:\n- type: ExtensionRef\n  extensionRef: { group: apisix.apache.org, kind: PluginConfig, name: p }\n${mirror('{ backendRef: { name: t, port: 80 } }')}\n${TO_S}`,
    '',
    PLUGIN_CONFIG,
  );
  assert.deepEqual(listProblems(both), [
    '10:9: spec.rules[0].filters[1].requestMirror: excludes the proxy-mirror of a PluginConfig for the same rule',
  ]);
});

test('every other filter is refused and none is passed over', () => {
  const types = [
    'RequestHeaderModifier',
    'ResponseHeaderModifier',
    'RequestRedirect',
    'URLRewrite',
    'CORS',
    'ExternalAuth',
  ];
  for (const type of types) {
    const [problem] = listProblems(rewriteRule(`filters: [{ type: ${type} }]\n${TO_S}`));
    assert.match(problem ?? '', /^6:25: spec\.rules\[0\]\.filters\[0\]\.type: is not served/, type);
  }
  const [unknown] = listProblems(rewriteRule(`filters: [{ type: RequestMirorr }]\n${TO_S}`));
  assert.match(unknown ?? '', /did you mean "RequestMirror"\?$/);
});

test('hosts are those of the route; a timeout is that of each step', () => {
  const rewritten = rewriteRule(
    `timeouts: { request: 10s, backendRequest: 1m500ms }\nretry: { attempts: 2 }\n${TO_S}`,
    '\n  hostnames: [a.example.com, "*.example.org"]',
  );
  const [value] = listValues(rewritten);
  assert.deepEqual(value?.hosts, ['a.example.com', '*.example.org']);
  assert.deepEqual(value?.timeout, { connect: 60.5, send: 60.5, read: 60.5 });
  assert.deepEqual(rewritten.notices, [
    'test.yaml:22:49: spec.rules[0].timeouts.backendRequest: bounds connecting, each write and each read here, not all of them together',
    'test.yaml:23:14: spec.rules[0].retry: has no effect here',
  ]);
  assert.equal(listValues(rewriteRule(`timeouts: { request: 0s }\n${TO_S}`))[0]?.timeout, undefined);
});
