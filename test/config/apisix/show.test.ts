// What the Admin API shows of a file's route: an object that APISIX would take, which means the same, without secrets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkResource } from '../../../src/config/apisix/check.ts';
import { translateRoute } from '../../../src/config/apisix/route.ts';
import { toApisixValue } from '../../../src/config/apisix/show.ts';
import type { Route } from '../../../src/core/model.ts';
import { parse, routeYaml } from '../kit.ts';

const MIRROR_TIMEOUTS = { connectMs: 1000, sendMs: 1000, readMs: 1000 };

function routeOf(extra: string): Route {
  return parse(`routes:\n${routeYaml(extra)}`).routes[0]!;
}

/** As the Admin API shows it, and as it would be understood if it came back. */
function show(extra: string): { readonly value: Record<string, unknown>; readonly again: Route } {
  const value = toApisixValue(routeOf(extra));
  const { id, ...own } = value;
  assert.equal(id, 'a');
  assert.equal(checkResource('routes', own), null);
  const { route, problems } = translateRoute('a', own, () => undefined, { mirrorTimeouts: MIRROR_TIMEOUTS });
  assert.deepEqual(problems, []);
  return { value, again: route! };
}

test('a plain route comes back as it was', () => {
  const { value, again } = show('methods: [GET]\nhosts: [a.example.com, "*.b"]\npriority: 3');
  const route = routeOf('methods: [GET]\nhosts: [a.example.com, "*.b"]\npriority: 3');
  assert.deepEqual(again.paths, [{ match: 'exact', path: '/a' }]);
  for (const key of [
    'hosts',
    'methods',
    'priority',
    'backends',
    'hostHeader',
    'timeouts',
    'mirror',
  ] as const) {
    assert.deepEqual(again[key], route[key], key);
  }
  assert.deepEqual(
    [value.uri, value.hosts, value.labels],
    ['/a', ['a.example.com', '*.b'], { umbra_source: 'file' }],
  );
});

test('a prefix on segment borders is two patterns', () => {
  assert.deepEqual(show('path_prefix: true').value.uris, ['/a', '/a/*']);
});

test('hosts, weights, names and deadlines of the upstream are shown', () => {
  const extra = 'host_header: other.example\nretries: 2\ntimeout: { connect: 500ms, send: 2s, read: 3s }';
  const { value, again } = show(extra);
  assert.deepEqual(value.upstream, {
    type: 'roundrobin',
    scheme: 'http',
    nodes: [{ host: 'primary', port: 80, weight: 1 }],
    retries: 2,
    timeout: { connect: 0.5, send: 2, read: 3 },
    pass_host: 'rewrite',
    upstream_host: 'other.example',
  });
  assert.equal(again.hostHeader, 'other.example');
});

test('a mirror is the plugin, as far as the plugin has words for it', () => {
  const mirror = (keys: string): unknown =>
    (
      show(`mirror:\n  backends: [{ url: "http://s:1" }, { url: "http://t" }]\n  ${keys}`).value
        .plugins as Record<string, unknown>
    )['proxy-mirror'];
  assert.deepEqual(mirror('percentage: 100'), { host: 'http://s:1' });
  assert.deepEqual(mirror('percentage: 25'), { host: 'http://s:1', sample_ratio: 0.25 });
  assert.deepEqual(mirror('percentage: 0'), { host: 'http://s:1', _meta: { disable: true } });
  assert.deepEqual(mirror('enabled: false'), { host: 'http://s:1', _meta: { disable: true } });
  assert.deepEqual(mirror('path: /x'), { host: 'http://s:1', path: '/x', path_concat_mode: 'replace' });
  assert.deepEqual(mirror('limit: { count: 2, time_window: 5 }'), {
    host: 'http://s:1',
    enable_limit_count: true,
    count: 2,
    time_window: 5,
    policy: 'local',
  });
  assert.deepEqual(mirror('conditions: { methods: [GET], path_regex: "^/x" }'), {
    host: 'http://s:1',
    _meta: {
      filter: [
        ['request_method', 'in', ['GET']],
        ['uri', '~~', '^/x'],
      ],
    },
  });
});

test('a comparison is the plugin umbra-compare, control and all, and means the same when it comes back', () => {
  const extra = `mirror:
  backends: [{ url: "http://s" }, { url: "http://t" }]
  compare:
    log_mismatches: true
    detailed_diff: true
    ignore_headers: [Server]
    ignore_json_fields: ["items[].id"]
    unordered: [tags]
    tolerance: { price: 0.01, "rates.*": 0.5% }
    mask: [user.email]
    max_body_capture: 64KiB
    max_mismatches: 7
    control: { url: "https://twin:444", host_header: node, tls: { verify: false }, client: undici, headers: { remove: [cookie] } }
    verdict: { min_compared: 10, max_mismatch: 0.1%, max_error: 0.02, max_p99_ratio: 1.5 }`;
  const { value, again } = show(extra);
  const own = routeOf(extra).mirror!;
  assert.deepEqual(again.mirror!.compare, own.compare);
  assert.deepEqual(again.mirror!.shadows, [own.shadows[0], own.shadows[2]], 'the plugin knows one shadow');
  assert.deepEqual(Object.keys(value.plugins as object), ['proxy-mirror', 'umbra-compare']);
  const plain = show('mirror: { backends: [{ url: "http://s" }], compare: {} }');
  assert.deepEqual(plain.again.mirror!.compare!.detail, null);
  const none = show('mirror: { backends: [{ url: "http://s" }] }').value.plugins as object;
  assert.deepEqual(Object.keys(none), ['proxy-mirror']);
});

test('no password and no value of a header is shown', () => {
  const { value } = show(`mirror:
  backends: [{ url: "http://s", headers: { set: { x-token: s3cret } } }]
  conditions: { headers: { authorization: s3cret, x-a: "true", x-b: "false" } }
  limit: { policy: redis, redis_host: red, redis_password: s3cret }
  compare: { detailed_diff: true, control: { url: "http://c", headers: { set: { x-token: s3cret } } } }`);
  assert.doesNotMatch(JSON.stringify(value), /s3cret/);
  assert.match(JSON.stringify(value), /"redis_host":"red"/);
});
