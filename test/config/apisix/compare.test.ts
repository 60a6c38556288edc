// The plugin umbra-compare: umbra's own keys beside proxy-mirror, in every form that has plugins.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkResource } from '../../../src/config/apisix/check.ts';
import { UmbraCompareSchema } from '../../../src/config/apisix/plugin-schema.ts';
import { toSentence } from '../../../src/config/apisix/remark.ts';
import { type TranslatedRoute, translateRoute } from '../../../src/config/apisix/route.ts';
import type { Tree } from '../../../src/config/source.ts';
import type { Mirror } from '../../../src/core/model.ts';
import { listKeys, listLines, parse, parseMirror } from '../kit.ts';

const seed = Date.now() | 0;
const NAMES = [...listKeys(UmbraCompareSchema)];
const TIMEOUTS = { connectMs: 1, sendMs: 2, readMs: 3 };
const MIRROR = { host: 'http://shadow' };
const UPSTREAM = { nodes: { 'primary:80': 1 } };
const WRONG = 'failed to check the configuration of plugin umbra-compare err: ';

/** What the same keys mean in umbra's own form. */
const YAML = `compare:
    detailed_diff: true
    log_mismatches: true
    ignore_headers: [Server]
    ignore_json_fields: ["items[].id"]
    unordered: [tags]
    tolerance: { price: 0.01, "rates.*": 0.5% }
    mask: [user.email]
    max_body_capture: 64KiB
    max_mismatches: 7
    control: { url: "http://twin", host_header: node, headers: { set: { X-A: b }, remove: [cookie] } }
    verdict: { min_compared: 10, max_mismatch: 0.1%, max_error: 0.02, max_p99_ratio: 1.5 }`;
const KEYS = {
  detailed_diff: true,
  log_mismatches: true,
  ignore_headers: ['Server'],
  ignore_json_fields: ['items[].id'],
  unordered: ['tags'],
  tolerance: { price: 0.01, 'rates.*': '0.5%' },
  mask: ['user.email'],
  max_body_capture: '64KiB',
  max_mismatches: 7,
  control: {
    url: 'http://twin',
    host_header: 'node',
    headers: { set: { 'X-A': 'b' }, remove: ['cookie'] },
  },
  verdict: { min_compared: 10, max_mismatch: '0.1%', max_error: 0.02, max_p99_ratio: 1.5 },
};

function translate(plugins: object, services: Readonly<Record<string, object>> = {}): TranslatedRoute {
  const value = { uri: '/', upstream: UPSTREAM, plugins, ...(services.s ? { service_id: 's' } : {}) };
  assert.equal(checkResource('routes', value), null);
  return translateRoute(
    'r',
    value,
    (kind, id) => (kind === 'services' ? (services[id] as Tree) : undefined),
    {
      mirrorTimeouts: TIMEOUTS,
    },
  );
}

function toMirror(compare: unknown): Mirror {
  const { route, problems, notices } = translate({ 'proxy-mirror': MIRROR, 'umbra-compare': compare });
  assert.deepEqual([problems, notices], [[], []]);
  return route!.mirror!;
}

function listProblems(compare: unknown): readonly string[] {
  const { route, problems } = translate({ 'proxy-mirror': MIRROR, 'umbra-compare': compare });
  assert.equal(route === null, problems.length > 0);
  return problems.map((problem) => toSentence(problem, problem.value));
}

function listNotices({ notices }: TranslatedRoute): readonly string[] {
  return notices.map((notice) => toSentence(notice, notice.value));
}

test("every key means what it means in umbra's own form", () => {
  const own = parseMirror(YAML);
  const { shadows, compare } = toMirror(KEYS);
  assert.deepEqual([shadows, compare], [own.shadows, own.compare]);
  assert.deepEqual(toMirror({}).compare, parseMirror('compare: {}').compare);
});

test('switched off it does nothing, in either generation, and so it does when it is not enabled', () => {
  const off = [{ _meta: { disable: true } }, { disable: true }, { enabled: false }];
  for (const keys of off) {
    const { compare, shadows } = toMirror({ ...KEYS, ...keys });
    assert.deepEqual([compare, shadows.length], [null, 1], JSON.stringify(keys));
  }
  assert.notEqual(toMirror({ ...KEYS, _meta: { disable: false } }).compare, null);
});

test('without proxy-mirror beside it, it has no effect and says so, and is checked all the same', () => {
  const alone = translate({ 'umbra-compare': {} });
  assert.equal(alone.route!.mirror, null);
  assert.deepEqual(listNotices(alone), [
    'plugins.umbra-compare: has no effect: no proxy-mirror is beside it',
  ]);
  assert.equal(translate({ 'umbra-compare': { mask: ['a..b'] } }).problems.length, 1);
});

test("a route's plugin takes the place of its service's, each plugin by itself", () => {
  const service = { plugins: { 'proxy-mirror': MIRROR, 'umbra-compare': { max_mismatches: 3 } } };
  const mismatches = (plugins: object): number | undefined =>
    translate(plugins, { s: service }).route!.mirror!.compare?.maxMismatches;
  assert.equal(mismatches({}), 3);
  assert.equal(mismatches({ 'proxy-mirror': { host: 'http://other' } }), 3);
  assert.equal(mismatches({ 'umbra-compare': { log_mismatches: true } }), 100);
});

test("what does not fit is refused in APISIX's words", () => {
  const check = (compare: unknown): string | null =>
    checkResource('routes', { uri: '/', upstream: UPSTREAM, plugins: { 'umbra-compare': compare } });
  const table: readonly (readonly [object, string])[] = [
    [{ detail: true }, 'additional properties forbidden, found detail'],
    [
      { detailed_diff: 'yes' },
      'property "detailed_diff" validation failed: wrong type: expected boolean, got string',
    ],
    [
      { mask: ['a', 5] },
      'property "mask" validation failed: failed to validate item 2: wrong type: expected string, got number',
    ],
    [{ max_mismatches: 0 }, 'property "max_mismatches" validation failed: expected 0 to be at least 1'],
    [
      { max_body_capture: 0 },
      'property "max_body_capture" validation failed: must be a size from 1B to 1GiB, such as 512B, 64KiB, 8MiB or a number of bytes',
    ],
    [
      { tolerance: true },
      'property "tolerance" validation failed: wrong type: expected one of number, string, object, got boolean',
    ],
    [
      { tolerance: { price: -1 } },
      'property "tolerance" validation failed: failed to validate additional property price: expected -1 to be at least 0',
    ],
    [
      { tolerance: { '': 1 } },
      'property "tolerance" validation failed: property "" must be a path of 1 to 256 characters',
    ],
    [{ control: {} }, 'property "control" validation failed: property "url" is required'],
    [
      { control: { url: 'http://t', headers: { set: { 'a b': 'x', 'c d': 'y' } } } },
      `property "control" validation failed: property "headers" validation failed: property "set" validation failed: property "a b" must be the name of a header: letters, digits and !#$%&'*+-.^_\`|~; ${WRONG}property "control" validation failed: property "headers" validation failed: property "set" validation failed: property "c d" must be the name of a header: letters, digits and !#$%&'*+-.^_\`|~`,
    ],
    [
      { verdict: { max_p99_ratio: 0 } },
      'property "verdict" validation failed: property "max_p99_ratio" validation failed: expected 0 to be greater than 0',
    ],
    [
      { verdict: { max_error: 2 } },
      'property "verdict" validation failed: property "max_error" validation failed: expected 2 to be at most 1',
    ],
  ];
  for (const [compare, text] of table) assert.equal(check(compare), WRONG + text, JSON.stringify(compare));
  assert.equal(check(5), 'invalid plugin conf 5 for plugin [umbra-compare]');
});

test('rules between keys are those of umbra, and nothing names a file', () => {
  const detailed = { detailed_diff: true };
  assert.deepEqual(listProblems({ control: { url: 'http://twin' } }), [
    'plugins.umbra-compare.control: needs detailed_diff: true, because noise is told apart field by field',
  ]);
  assert.deepEqual(listProblems({ ...detailed, control: { url: 'http://shadow:80' } }), [
    'plugins.umbra-compare.control.url: has the same origin as a shadow: it is to be a copy of the primary, found "http://shadow:80"',
  ]);
  assert.deepEqual(listProblems({ tolerance: { 'a[0]': 1 } }).length, 1);
  assert.deepEqual(
    listProblems({ ...detailed, control: { url: 'https://twin', tls: { ca: '/etc/passwd' } } }),
    [
      'plugins.umbra-compare.control.tls.ca: is not served in a plugin: it names a file, so write the route in a file of umbra',
    ],
  );
  const { notices } = translate({
    'proxy-mirror': MIRROR,
    'umbra-compare': { _meta: { filter: [['arg_a', '==', '1']], priority: 1 } },
  });
  assert.deepEqual(
    notices.map(({ path }) => path.at(-1)),
    ['filter', 'priority'],
  );
});

test("empty tables of Lua's are taken, lists for mappings and mappings for lists", () => {
  const lists = { ignore_headers: {}, ignore_json_fields: {}, unordered: {}, mask: {} };
  const control = { url: 'http://twin', headers: { set: [], remove: {} } };
  const { compare, shadows } = toMirror({ detailed_diff: true, ...lists, control, verdict: [], _meta: [] });
  assert.deepEqual(compare, toMirror({ detailed_diff: true }).compare);
  assert.deepEqual(shadows[1]!.headers, { set: [], remove: [] });
  assert.deepEqual(toMirror([]).compare, toMirror({}).compare);
  assert.deepEqual(listProblems({ detailed_diff: true, control: [] }), [
    'plugins.umbra-compare.control.url: is missing',
  ]);
});

test(`whatever is sent is refused, or translated, or has problems, and nothing is thrown (seed ${seed})`, () => {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(
        [],
        {},
        true,
        0,
        0.5,
        -1,
        null,
        '',
        '5%',
        '1KiB',
        'a',
        'a..b',
        '$',
        'http://a',
      ),
      fc.array(tie('tree'), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom(...NAMES), tie('tree'), { maxKeys: 5 }),
    ),
  }));
  const keys = fc.dictionary(fc.constantFrom(...NAMES), fc.oneof(tree, fc.constantFrom([], {})), {
    maxKeys: 5,
  });
  let translated = 0;
  fc.assert(
    fc.property(keys, (sent) => {
      const plugins = { 'proxy-mirror': MIRROR, 'umbra-compare': { detailed_diff: true, ...sent } };
      if (checkResource('routes', { uri: '/', upstream: UPSTREAM, plugins }) !== null) return;
      const { route, problems } = translate(plugins);
      assert.equal(route === null, problems.length > 0);
      translated++;
    }),
    { seed, numRuns: 3000 },
  );
  assert.ok(translated > 30, String(translated));
});

test('files of every form have it: route objects, standalone, ADC, custom resources, Gateway API', () => {
  const plugins =
    'plugins: { proxy-mirror: { host: "http://shadow" }, umbra-compare: { detailed_diff: true, mask: [a] } }';
  const listed =
    'plugins: [{ name: proxy-mirror, enable: true, config: { host: "http://shadow" } }, { name: umbra-compare, enable: true, config: { detailed_diff: true, mask: [a] } }]';
  const head = (kind: string, name: string): string =>
    `apiVersion: apisix.apache.org/v2\nkind: ${kind}\nmetadata: { name: ${name} }\n`;
  const service = 'apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { ports: [{ port: 80 }] }\n';
  const forms: Readonly<Record<string, string>> = {
    object: `uri: /\nupstream: { nodes: { "p:80": 1 } }\n${plugins}`,
    standalone: `routes:\n  - uri: /\n    upstream: { nodes: { "p:80": 1 } }\n    ${plugins}\n#END`,
    adc: `services:\n  - name: s\n    upstream: { nodes: [{ host: p, port: 80, weight: 1 }] }\n    routes:\n      - { name: r, uris: [/], ${plugins} }`,
    custom: `${head('ApisixRoute', 'r')}spec:\n  http:\n    - name: a\n      match: { paths: [/] }\n      backends: [{ serviceName: s, servicePort: 80 }]\n      ${listed}\n---\n${service}`,
    gateway: `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec:\n  rules:\n    - backendRefs: [{ name: s, port: 80 }]\n      filters: [{ type: ExtensionRef, extensionRef: { group: apisix.apache.org, kind: PluginConfig, name: c } }]\n---\napiVersion: apisix.apache.org/v1alpha1\nkind: PluginConfig\nmetadata: { name: c }\nspec: { ${listed.replaceAll('enable: true, ', '')} }\n---\n${service}`,
  };
  for (const [form, text] of Object.entries(forms)) {
    const { routes, notices } = parse(text);
    const { compare } = routes[0]!.mirror!;
    assert.deepEqual([compare?.detail !== null, compare?.mask, notices], [true, ['a'], []], form);
  }
});

test('a problem of a file stands at its place in umbra’s words', () => {
  const text = `uri: /
upstream: { nodes: { "p:80": 1 } }
plugins:
  proxy-mirror: { host: "http://shadow" }
  umbra-compare:
    detailed_dif: true
    mask:
      - a..b
    control: { url: "http://twin" }`;
  assert.deepEqual(listLines(text), [
    'test.yaml:6:5: plugins.umbra-compare.detailed_dif: is not a known key, found "detailed_dif", did you mean "detailed_diff"?',
    'test.yaml:8:9: plugins.umbra-compare.mask[0]: must be a path of JSON keys such as meta.timestamp or items[].id: a key is missing (character 3), found "a..b"',
    'test.yaml:9:14: plugins.umbra-compare.control: needs detailed_diff: true, because noise is told apart field by field',
  ]);
});
