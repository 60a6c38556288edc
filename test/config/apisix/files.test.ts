// APISIX's file forms as an operator writes them: how a document is told, where its problems are, and what the seeds' bodies make.

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to the environment are what is tested.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toNginxDurationMs } from '../../../src/config/apisix/attribute.ts';
import { toResourceId } from '../../../src/config/apisix/resource-id.ts';
import { ApisixRouteSchema, ApisixServiceSchema } from '../../../src/config/apisix/schema.ts';
import { UpstreamSchema } from '../../../src/config/apisix/upstream-schema.ts';
import type { Config } from '../../../src/core/model.ts';
import { listLines, parse } from '../kit.ts';

const ROUTE = 'uri: /hello\nupstream: { nodes: { "127.0.0.1:1999": 1 } }\n';

function listOrigins(config: Config): readonly string[] {
  return config.routes.map(({ id, backends }) => `${id} ${backends.map(({ origin }) => origin).join(' ')}`);
}

test("the seeds' bodies load: JSON objects of the Admin API, one of each generation", () => {
  const first = `{
    "plugins": {
        "proxy-mirror": {
           "host": "http://127.0.0.1:9797"
        }
    },
    "upstream": {
        "nodes": {
            "127.0.0.1:1999": 1
        },
        "type": "roundrobin"
    },
    "uri": "/hello"
}`;
  const limited = first.replace('9797"', '9797", "enable_limit_count": true, "count": 2, "time_window": 60');
  const sampled = `{
    "id": "traffic-mirror-route",
    "uri": "/get",
    "plugins": { "proxy-mirror": { "host": "http://127.0.0.1:8081", "sample_ratio": 0.5 } },
    "upstream": { "nodes": { "httpbin.org": 1 }, "type": "roundrobin" }
  }`;
  const { routes, notices } = parse([first, limited, sampled].join('\n---\n'));
  assert.deepEqual(notices, []);
  assert.deepEqual(listOrigins({ routes } as Config), [
    'route-1 http://127.0.0.1:1999',
    'route-2 http://127.0.0.1:1999',
    'traffic-mirror-route http://httpbin.org:80',
  ]);
  const mirrors = routes.map((route) => route.mirror!);
  assert.deepEqual(
    mirrors.map(({ shadows, percentage, limit }) => [
      shadows[0]!.origin,
      percentage,
      limit?.count,
      limit?.windowMs,
    ]),
    [
      ['http://127.0.0.1:9797', 100, undefined, undefined],
      ['http://127.0.0.1:9797', 100, 2, 60_000],
      ['http://127.0.0.1:8081', 50, undefined, undefined],
    ],
  );
  const off =
    '{ "uri": "/hello", "plugins": {}, "upstream": { "type": "roundrobin", "nodes": { "127.0.0.1:1999": 1 } } }';
  assert.equal(parse(off).routes[0]!.mirror, null);
});

test("the seeds' plugin_attr sets the deadlines of mirrors in APISIX's form", () => {
  const attribute =
    'plugin_attr:\n  proxy-mirror:\n    timeout:\n      connect: 2000ms\n      read: 2000ms\n      send: 2000ms\n';
  const two = { connectMs: 2000, sendMs: 2000, readMs: 2000 };
  assert.deepEqual(parse(attribute).apisixMirrorTimeouts, two);
  const route = `${ROUTE}plugins: { proxy-mirror: { host: http://a } }\n`;
  const config = parse(`${route}---\n${attribute}`);
  assert.deepEqual(config.routes[0]!.mirror!.timeouts, two);
  const minute = { connectMs: 60_000, sendMs: 60_000, readMs: 60_000 };
  assert.deepEqual(parse(route).routes[0]!.mirror!.timeouts, minute);
  assert.deepEqual(parse(route).apisixMirrorTimeouts, minute);
  assert.deepEqual(
    parse(`plugin_attr: { proxy-mirror: { timeout: { connect: 2s } } }\n`).apisixMirrorTimeouts,
    { ...minute, connectMs: 2000 },
  );
  assert.deepEqual(listLines(`${attribute}---\n${attribute}`), [
    'test.yaml:10:5: plugin_attr.proxy-mirror.timeout: is given twice: it stands in line 4 too',
  ]);
  assert.deepEqual(listLines('plugin_attr:\n  proxy-mirror: { timeout: { connect: soon, read: 0s } }\n'), [
    'test.yaml:2:39: plugin_attr.proxy-mirror.timeout.connect: must be a duration from 1ms to 24h, such as 60s, 2000ms or 1m30s, found "soon"',
    'test.yaml:2:51: plugin_attr.proxy-mirror.timeout.read: must be a duration from 1ms to 24h, such as 60s, 2000ms or 1m30s, found "0s"',
  ]);
});

test("nginx's durations", () => {
  const right = {
    '60s': 60_000,
    '2000ms': 2000,
    '2s': 2000,
    '1m30s': 90_000,
    '1h 5m': 3_900_000,
    '7': 7000,
    '1s500ms': 1500,
    '1d': 86_400_000,
    '1w': 604_800_000,
    '5m5': 305_000,
    '0': 0,
  };
  for (const [text, ms] of Object.entries(right)) assert.equal(toNginxDurationMs(text), ms, text);
  for (const text of ['', 's', '-1s', '1.5s', '30s1m', '1 h5', '1x', '1ms1s']) {
    assert.equal(toNginxDurationMs(text), null, text);
  }
});

test('conf/config.yaml is read for plugin_attr alone, and says so once', () => {
  const text =
    'apisix:\n  node_listen: 9080\ndeployment:\n  role: data_plane\nplugin_attr:\n  proxy-mirror: { timeout: { read: 5s } }\n  prometheus: {}\n';
  const config = parse(text);
  assert.equal(config.apisixMirrorTimeouts.readMs, 5000);
  assert.deepEqual(config.notices, [
    'test.yaml:1:1: apisix: has no effect, nor has the rest of this document: only plugin_attr.proxy-mirror.timeout is read from it',
  ]);
});

test('a standalone file: references, services, ids of all kinds, and settings of umbra beside it', () => {
  const config = parse(`routes:
  - { id: 1, uri: /a, upstream_id: 7 }
  - { name: b, uri: /b, service_id: s }
  - { uri: /c, upstream_id: "7" }
  - { name: b, uri: /d, upstream_id: 7 }
upstreams:
  - { id: 7, nodes: { up: 1 } }
services:
  - { id: s, upstream: { nodes: [{ host: svc, port: 1, weight: 1 }] } }
plugins: []
ssls:
#END
---
threads: { frontend: 2 }
routes: [{ id: own, path: /own, backends: [{ url: "http://own" }] }]
`);
  assert.equal(config.threads.frontend, 2);
  assert.deepEqual(listOrigins(config), [
    'own http://own:80',
    '1 http://up:80',
    'b http://svc:1',
    'route-1 http://up:80',
    'route-2 http://up:80',
  ]);
});

test('without its last line a standalone file is read all the same, with a notice', () => {
  const text = 'routes:\n  - { id: 1, uri: /a, upstream: { nodes: {} } }\n';
  assert.deepEqual(parse(`${text}#END\n`).notices, []);
  assert.deepEqual(parse(`${text}#END`).notices, []);
  assert.deepEqual(parse(text).notices, [
    'test.yaml:1:1: does not end with a line #END: APISIX would not read this file',
  ]);
  assert.deepEqual(
    parse('{ "routes": [{ "id": 1, "uri": "/a", "upstream": { "nodes": {} } }] }').notices,
    [],
  );
});

test('problems stand where their authors wrote them', () => {
  const text = `routes:
  - id: a b
    uri: 5
    upstream_id: nowhere
    plugins:
      proxy-mirror: { host: "ftp://x", sample_ratio: 2 }
      key-auth: {}
  - id: 2
    uri: x
    priorty: 1
    upstream:
      nodes:
        - { host: a, weight: x }
      scheme: grpc
  - 5
upstreams: x
services:
  - id: s
    upstream: {}
rotues: []
#END
`;
  assert.deepEqual(listLines(text), [
    'test.yaml:2:9: routes[0].id: must be 1 to 64 letters, digits, "-", "_" or ".", or a whole number from 1, and must not be . or ..: they cannot stand in the path of a URL, found "a b"',
    'test.yaml:3:10: routes[0].uri: must be text of 1 to 4096 characters (put it in quotes), found 5',
    'test.yaml:4:18: routes[0].upstream_id: leads nowhere: route route-1 refers to upstream nowhere, and there is none',
    'test.yaml:6:29: routes[0].plugins.proxy-mirror.host: must be scheme://host or scheme://host:port, without a path, such as http://127.0.0.1:9797, found "ftp://x"',
    'test.yaml:6:54: routes[0].plugins.proxy-mirror.sample_ratio: must be a number from 0.00001 to 1, found 2',
    'test.yaml:7:7: routes[0].plugins.key-auth: is not a plugin that umbra has: proxy-mirror and umbra-compare are, found "key-auth"',
    'test.yaml:9:10: routes[1].uri: must start with /, or with * for any path, found "x"',
    'test.yaml:10:5: routes[1].priorty: is not a known key, found "priorty", did you mean "priority"?',
    'test.yaml:13:30: routes[1].upstream.nodes[0].weight: must be a whole number from 0, found "x"',
    'test.yaml:14:15: routes[1].upstream.scheme: is not served yet: http and https are, found "grpc"',
    'test.yaml:15:5: routes[2]: must be a mapping, found 5',
    'test.yaml:16:12: upstreams: must be a list, found "x"',
    'test.yaml:19:15: services[0].upstream: must be a mapping with nodes, or with service_name and discovery_type',
    'test.yaml:20:1: rotues: is not a known key, found "rotues", did you mean "routes"?',
  ]);
  assert.deepEqual(listLines('uri: /a\nursi: [/b]\nhost: a\nhosts: [b]\n'), [
    'test.yaml:2:1: ursi: is not a known key, found "ursi", did you mean "uri"?',
  ]);
  assert.deepEqual(listLines('uri: /a\nuris: [/b]\nhost: a\nhosts: [b]\n').toSorted(), [
    'test.yaml:1:1: must be a mapping with upstream, upstream_id, service_id or plugins',
    'test.yaml:1:1: must have only one of host and hosts',
    'test.yaml:1:1: must have uri or uris, and only one of them',
  ]);
});

test('what no path of a URL can hold is no id, and no name becomes such a one', () => {
  for (const id of ['.', '..']) {
    const [line = '', ...more] = listLines(`id: ${id}\n${ROUTE}`);
    assert.match(
      line,
      /^test\.yaml:1:5: id: .*must not be \. or \.\.: they cannot stand in the path of a URL/,
    );
    assert.deepEqual(more, []);
    assert.match(toResourceId(id), /^\.{1,2}-[0-9a-f]{8}$/);
  }
  assert.equal(toResourceId('...'), '...');
});

test('ids are taken once, in whatever form and document', () => {
  assert.deepEqual(
    listLines(`id: a\n${ROUTE}---\nroutes: [{ id: a, path: /, backends: [{ url: "http://h" }] }]\n`),
    ['test.yaml:1:5: id: is the id of another route too, in line 5, found "a"'],
  );
  const upstreams = 'upstreams:\n  - { id: 1, nodes: {} }\n  - { id: "1", nodes: {} }\n#END\n';
  assert.deepEqual(listLines(upstreams), [
    'test.yaml:3:11: upstreams[1].id: is the id of another upstream too, in line 2, found "1"',
  ]);
});

test('rules that would let more through than APISIX does are refused, the rest is noticed', () => {
  assert.deepEqual(
    listLines('routes: []\nglobal_rules:\n  - { id: 1, plugins: { ip-restriction: {} } }\n#END\n'),
    ['test.yaml:2:1: global_rules: is not served: write the plugins into routes or services'],
  );
  const config = parse('routes: []\nglobal_rules: []\nconsumers: [{ username: a }]\n#END\n');
  assert.deepEqual(config.notices, [
    'test.yaml:3:1: consumers: has no effect: routes, upstreams and services are read',
  ]);
});

test('the environment is read as APISIX writes it, as a number where a number is wanted', () => {
  const text = `id: a\n${ROUTE}priority: \${{P:=7}}\nplugins:\n  proxy-mirror:\n    host: http://\${{ H }}:\${{PORT}}\n    sample_ratio: \${{R}}\n`;
  const [route] = parse(text, { H: 'shadow', PORT: '81', R: '0.5' }).routes;
  assert.deepEqual(
    [route!.priority, route!.mirror!.shadows[0]!.origin, route!.mirror!.percentage],
    [7, 'http://shadow:81', 50],
  );
  assert.deepEqual(listLines(text, { H: 'shadow', PORT: '81' }), [
    'test.yaml:8:19: plugins.proxy-mirror.sample_ratio: the environment has no R, and it has no default',
  ]);
  assert.deepEqual(listLines(text, { H: 'shadow', PORT: '/x', R: '1' }), [
    'test.yaml:7:11: plugins.proxy-mirror.host: must be scheme://host or scheme://host:port, without a path, such as http://127.0.0.1:9797, found "http://${{ H }}:${{PORT}}"',
  ]);
});

test('a password is never printed', () => {
  const limit = 'enable_limit_count: true, policy: redis, redis_host: ab';
  const lines = listLines(
    `${ROUTE}plugins: { proxy-mirror: { host: "http://a", ${limit}, redis_password: [hunter2] } }\n`,
  );
  assert.equal(lines.length, 1);
  assert.doesNotMatch(lines.join(), /hunter2/);
});

test('a document that could be two things, or none, says which forms there are', () => {
  const forms = /umbra's own keys, a route object of APISIX .* standalone .*plugin_attr.*ADC .*Kubernetes/;
  const table: Record<string, RegExp> = {
    'listen: { http: ":80" }\nuri: /a\n': /^test.yaml:2:1: uri: cannot stand in one document with listen: /,
    'routes:\n  - { id: a, backends: [] }\n  - { id: b, upstream_id: 1 }\n':
      /^test.yaml:3:\d+: routes\[1\]\.upstream_id: cannot stand in one document with backends: /,
    'deployment: {}\nthreads: {}\n':
      /^test.yaml:1:1: deployment: cannot stand in one document with threads: /,
    'foozle: 1\n': /^test.yaml:1:1: foozle: belongs to no form that is known; /,
  };
  for (const [text, expected] of Object.entries(table)) {
    const lines = listLines(text);
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0]!, expected);
    assert.match(lines[0]!, forms);
  }
  assert.deepEqual(listLines('rotues: []\n'), [
    'test.yaml:1:1: rotues: is not a known key, found "rotues", did you mean "routes"?',
  ]);
});

test('every key of the schemas says what it is', () => {
  for (const schema of [ApisixRouteSchema, ApisixServiceSchema, UpstreamSchema]) {
    for (const [key, part] of Object.entries(schema.properties)) {
      assert.match(String((part as { description?: string }).description), /\.$/, key);
    }
  }
});
