// ADC's file: services, routes, ids, and what of it has no equivalent.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readValue, rewriteAdcFile, toPlain } from './rewriting.ts';

const UPSTREAM = 'upstream: { nodes: [{ host: a, port: 80, weight: 1 }] }';
const service = (routes: string, more = ''): string =>
  `services:\n  - name: s\n    ${UPSTREAM}\n    routes: [${routes}]\n    ${more.split('\n').join('\n    ')}\n`;

test("the manual's file works", () => {
  const text = readFileSync(new URL('../../../config/examples/adc.yaml', import.meta.url), 'utf8');
  const { resources, problems, notices } = rewriteAdcFile(text);
  assert.deepEqual([problems, notices], [[], []]);
  assert.deepEqual(toPlain(resources), [
    {
      kind: 'services',
      id: 'proxy-mirror-service',
      value: {
        name: 'proxy-mirror-service',
        upstream: { type: 'roundrobin', nodes: [{ host: 'httpbin.org', port: 80, weight: 1 }] },
      },
    },
    {
      kind: 'routes',
      id: 'traffic-mirror-route',
      value: {
        name: 'traffic-mirror-route',
        plugins: { 'proxy-mirror': { host: 'http://127.0.0.1:8081', sample_ratio: 0.5 } },
        uris: ['/get'],
        service_id: 'proxy-mirror-service',
      },
    },
  ]);
});

test('every key of a service and of a route reaches its resource, in the words of the Admin API', () => {
  const rewritten = rewriteAdcFile(`services:
  - name: s
    description: The service.
    labels: { team: a, stages: [x, y] }
    hosts: [a.example.com]
    plugins: { cors: {} }
    upstream: { description: The upstream., nodes: [{ host: a, port: 80, weight: 1 }] }
    upstreams:
      - { id: other, name: Another one, nodes: [{ host: b, port: 80, weight: 1 }] }
    routes:
      - name: r
        description: The route.
        labels: { a: b }
        hosts: [b.example.com]
        uris: [/a, "/b*"]
        priority: 3
        timeout: { connect: 1, send: 2, read: 3 }
        vars: [[arg_a, "==", b]]
        methods: [GET]
        enable_websocket: true
        remote_addrs: [10.0.0.0/8]
        plugins: { proxy-mirror: { host: "http://h" } }
        filter_func: function() end
`);
  assert.deepEqual(rewritten.problems, []);
  assert.deepEqual(readValue(rewritten, 's'), {
    name: 's',
    desc: 'The service.',
    labels: { team: 'a', stages: '["x","y"]' },
    hosts: ['a.example.com'],
    plugins: { cors: {} },
    upstream: { desc: 'The upstream.', nodes: [{ host: 'a', port: 80, weight: 1 }] },
  });
  assert.deepEqual(readValue(rewritten, 'r'), {
    name: 'r',
    desc: 'The route.',
    labels: { a: 'b' },
    hosts: ['b.example.com'],
    uris: ['/a', '/b*'],
    priority: 3,
    timeout: { connect: 1, send: 2, read: 3 },
    vars: [['arg_a', '==', 'b']],
    methods: ['GET'],
    enable_websocket: true,
    remote_addrs: ['10.0.0.0/8'],
    plugins: { 'proxy-mirror': { host: 'http://h' } },
    filter_func: 'function() end',
    service_id: 's',
  });
  const [upstream] = rewritten.resources;
  assert.deepEqual(toPlain(upstream), {
    kind: 'upstreams',
    id: 'other',
    value: { name: 'Another one', nodes: [{ host: 'b', port: 80, weight: 1 }] },
  });
});

test('what is reused keeps its place, and what is made has that of what it is made of', () => {
  const rewritten = rewriteAdcFile(
    'services:\n  - name: s\n    upstream:\n      description: d\n      nodes:\n        - { host: a, port: 80, weight: x }\n    routes:\n      - { name: r, uris: [/a], plugins: { proxy-mirror: { host: 5 } } }\n',
  );
  assert.equal(rewritten.locate('s', 'upstream', 'nodes', 0, 'weight'), '6:40');
  assert.equal(rewritten.locate('r', 'plugins', 'proxy-mirror', 'host'), '8:65');
  assert.equal(rewritten.locate('r', 'uris', 0), '8:27');
  assert.equal(rewritten.locate('r', 'service_id'), '8:9');
});

test('names become ids: as they are where they may be, else of what is left of them, always the same', () => {
  const ids = (name: string): string =>
    rewriteAdcFile(service(`{ name: ${name}, uris: [/] }`)).resources[1]!.id;
  assert.equal(ids('a.B_c-1'), 'a.B_c-1');
  assert.match(ids('"My route: näher"'), /^My-route-n-her-[0-9a-f]{8}$/);
  assert.notEqual(ids('"a b"'), ids('"a  b"'));
  assert.equal(ids('"a b"'), ids('"a b"'));
  assert.equal(ids('x'.repeat(64)), 'x'.repeat(64));
  assert.match(ids('x'.repeat(65)), /^x{55}-[0-9a-f]{8}$/);
});

test('an id that is given wins; one too long for the Admin API is as if there were none', () => {
  const [, route] = rewriteAdcFile(service('{ id: given, name: r, uris: [/] }')).resources;
  assert.equal(route?.id, 'given');
  const long = rewriteAdcFile(service(`{ id: ${'y'.repeat(65)}, name: r, uris: [/] }`));
  assert.deepEqual([long.problems, long.resources[1]?.id], [[], 'r']);
});

test('a name in two services is told, with the id that it gets; in one service it is a problem', () => {
  const two = rewriteAdcFile(
    'services:\n  - { name: s, routes: [{ name: r, uris: [/a] }] }\n  - { name: t, routes: [{ name: r, uris: [/b] }] }\n',
  );
  assert.deepEqual(two.problems, []);
  assert.deepEqual(two.notices, [
    'test.yaml:3:33: services[1].routes[0].name: is the name or id of another route too, so the id of this one is t_r',
  ]);
  assert.deepEqual(
    two.resources.filter(({ kind }) => kind === 'routes').map(({ id }) => id),
    ['r', 't_r'],
  );
  const one = rewriteAdcFile(service('{ name: r, uris: [/a] }, { name: r, uris: [/b] }'));
  assert.deepEqual(one.problems, [
    'test.yaml:4:47: services[0].routes[1].name: is the name of another route of this service too, found "r"',
  ]);
  assert.deepEqual(rewriteAdcFile([service(''), service('')]).problems, [
    'test-1.yaml:2:11: services[0].name: is the name of another service too, found "s"',
  ]);
  const given = rewriteAdcFile(service('{ id: r, name: a, uris: [/a] }, { id: r, name: b, uris: [/b] }'));
  assert.deepEqual(given.problems, [
    'test.yaml:4:52: services[0].routes[1].id: is the id of another of the routes too, found "r"',
  ]);
  const mixed = rewriteAdcFile(service('{ name: r, uris: [/a] }, { id: r, name: b, uris: [/b] }'));
  assert.deepEqual(mixed.problems, []);
  assert.deepEqual(
    mixed.resources.slice(1).map(({ id }) => id),
    ['s_r', 'r'],
  );
});

test('a prefix of the paths is put before them, unless it would have to be taken off again', () => {
  const kept = rewriteAdcFile(
    service('{ name: r, uris: [/a, "/b*"] }', 'path_prefix: /api/\nstrip_path_prefix: false'),
  );
  assert.deepEqual(kept.problems, []);
  assert.deepEqual((readValue(kept, 'r') as { uris: unknown }).uris, ['/api/a', '/api/b*']);
  assert.equal(kept.locate('r', 'uris', 1), '4:36');
  for (const strip of ['', '\nstrip_path_prefix: true']) {
    assert.deepEqual(
      rewriteAdcFile(service('{ name: r, uris: [/a] }', `path_prefix: /api${strip}`)).problems,
      [
        'test.yaml:5:18: services[0].path_prefix: is not served unless strip_path_prefix is false: umbra passes the path on as it was received, found "/api"',
      ],
    );
  }
});

test('unknown keys are problems at every level of the outer shape, as they are to ADC', () => {
  assert.deepEqual(rewriteAdcFile('service: []').problems, [
    'test.yaml:1:1: service: is not a known key, found "service", did you mean "services"?',
  ]);
  assert.deepEqual(rewriteAdcFile(service('{ name: r, uri: /a }')).problems, [
    'test.yaml:4:14: services[0].routes[0].uris: is missing',
    'test.yaml:4:25: services[0].routes[0].uri: is not a known key, found "uri", did you mean "uris"?',
  ]);
  assert.deepEqual(rewriteAdcFile(service('', 'upstreem: {}')).problems, [
    'test.yaml:5:5: services[0].upstreem: is not a known key, found "upstreem", did you mean "upstream"?',
  ]);
  assert.deepEqual(rewriteAdcFile(service('{ name: 5, uris: [/] }')).problems, [
    'test.yaml:4:22: services[0].routes[0].name: must be text (put it in quotes), found 5',
  ]);
});

test('what is empty is nothing', () => {
  const text =
    'services: []\nssls: []\nconsumers: []\nconsumer_groups: []\nglobal_rules: {}\nplugin_metadata: {}\n';
  const { resources, problems, notices } = rewriteAdcFile(text);
  assert.deepEqual([resources, problems, notices], [[], [], []]);
  const lists = rewriteAdcFile(
    service('{ name: r, uris: [/], hosts: [], methods: [], remote_addrs: [] }', 'hosts: []'),
  );
  assert.deepEqual(Object.keys(readValue(lists, 'r') as object), ['name', 'uris', 'service_id']);
});

test('what would change who may do what is a problem, the rest a notice', () => {
  const { problems, notices } = rewriteAdcFile(`consumers: [{ username: u }]
consumer_groups: [{ name: g }]
ssls:
  - { snis: [a] }
  - { snis: [a], client: { ca: x } }
  - { snis: [a], type: client }
global_rules:
  prometheus: {}
  http-logger: {}
  ip-restriction: { _meta: { disable: true } }
  key-auth: {}
  proxy-mirror: { host: "http://h" }
plugin_metadata:
  http-logger: {}
services:
  - { name: s, stream_routes: [{}] }
`);
  assert.deepEqual(problems, [
    'test.yaml:1:1: consumers: is not served: umbra knows no consumers, so nobody would be asked who they are',
    'test.yaml:2:1: consumer_groups: is not served: umbra knows no consumers, so nobody would be asked who they are',
    'test.yaml:5:5: ssls[1]: is not served: clients would not be asked for a certificate',
    'test.yaml:6:5: ssls[2]: is not served: clients would not be asked for a certificate',
    'test.yaml:11:3: global_rules.key-auth: is not served for all routes at once',
    'test.yaml:12:3: global_rules.proxy-mirror: is not served for all routes at once',
  ]);
  assert.deepEqual(notices, [
    'test.yaml:4:5: ssls[0]: has no effect: certificates are named under listen.https',
    'test.yaml:8:15: global_rules.prometheus: has no effect here',
    'test.yaml:9:16: global_rules.http-logger: has no effect here',
    'test.yaml:10:19: global_rules.ip-restriction: has no effect here',
    'test.yaml:14:16: plugin_metadata.http-logger: has no effect here',
    'test.yaml:16:31: services[0].stream_routes: has no effect: umbra serves HTTP alone',
  ]);
});
