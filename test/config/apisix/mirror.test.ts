// The plugin proxy-mirror of all generations → the model's mirror.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkResource } from '../../../src/config/apisix/check.ts';
import { toSentence } from '../../../src/config/apisix/remark.ts';
import { type TranslatedRoute, translateRoute } from '../../../src/config/apisix/route.ts';
import type { Mirror } from '../../../src/core/model.ts';

const TIMEOUTS = { connectMs: 1, sendMs: 2, readMs: 3 };

function translate(keys: object, moreShadows?: readonly string[]): TranslatedRoute {
  const value = { uri: '/', plugins: { 'proxy-mirror': { host: 'http://127.0.0.1:9797', ...keys } } };
  assert.equal(checkResource('routes', value), null);
  return translateRoute('r', value, () => undefined, { mirrorTimeouts: TIMEOUTS, moreShadows });
}

function toMirror(keys: object): Mirror {
  const { route, problems } = translate(keys);
  assert.deepEqual(problems, []);
  return route!.mirror!;
}

/** Of the plugin: the route has no upstream, which is noticed too. */
function listNotices(keys: object): readonly string[] {
  return translate(keys)
    .notices.filter(({ path }) => path.length > 0)
    .map((notice) => toSentence(notice, notice.value));
}

test("a host alone is a mirror of everything with umbra's defaults", () => {
  assert.deepEqual(toMirror({}), {
    enabled: true,
    percentage: 100,
    sampleByHeader: null,
    methods: 'all',
    shadows: [
      {
        origin: 'http://127.0.0.1:9797',
        authority: '127.0.0.1:9797',
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
    timeouts: TIMEOUTS,
    limit: null,
    maxBodyBytes: 8 * 1024 * 1024,
    maxAnswerBytes: 1024 * 1024 * 1024,
    redact: { headers: [], query: [], json: [] },
    idempotencyKey: false,
    maxInFlight: 256,
    maxQueuedBytes: 64 * 1024 * 1024,
    breaker: { failures: 5, openForMs: 10_000 },
    compare: null,
  });
});

test('a share is a percentage without what floating point adds', () => {
  const percentages = [1, 0.5, 0.07, 0.00001, 0.29, 1 / 3].map(
    (ratio) => toMirror({ sample_ratio: ratio }).percentage,
  );
  assert.deepEqual(percentages, [100, 50, 7, 0.001, 29, 33.3333333333]);
});

test('path and its mode', () => {
  const mirror = toMirror({ path: '/a', path_concat_mode: 'prefix' });
  assert.deepEqual([mirror.path, mirror.pathConcatMode], ['/a', 'prefix']);
  assert.equal(toMirror({ path: '/a b/ü#"' }).path, '/a%20b/%C3%BC%23"');
});

test('https shadows are not verified', () => {
  const [shadow] = toMirror({ host: 'https://a' }).shadows;
  assert.deepEqual(
    [shadow!.origin, shadow!.authority, shadow!.tls],
    ['https://a:443', 'a', { verify: false, ca: null }],
  );
});

test('a host that is no server is taken as APISIX takes it: nothing is mirrored, and a notice says why', () => {
  for (const host of ['http://127.0.0.1:99999', 'http://a:0', 'http://a..b', 'http://[:]', 'http://1.2.3']) {
    assert.equal(translate({ host }).route!.mirror, null, host);
    assert.match(
      listNotices({ host }).join(),
      /^plugins\.proxy-mirror\.host: is no server, so nothing is mirrored to it: it must have /,
    );
  }
});

test('the limit of the second generation counts only when it is switched on', () => {
  assert.equal(toMirror({ count: 5, time_window: 7, policy: 'redis', redis_host: 'ab' }).limit, null);
  assert.deepEqual(toMirror({ enable_limit_count: true }).limit, {
    count: 1,
    windowMs: 60_000,
    policy: 'local',
    redis: null,
  });
  assert.deepEqual(
    toMirror({
      enable_limit_count: true,
      count: 5,
      time_window: 7,
      policy: 'redis',
      redis_host: 'redis.local',
      redis_port: 7000,
      redis_password: 'secret',
      redis_database: 2,
      redis_timeout: 50,
    }).limit,
    {
      count: 5,
      windowMs: 7000,
      policy: 'redis',
      redis: {
        nodes: [{ host: 'redis.local', port: 7000 }],
        isCluster: false,
        username: null,
        password: 'secret',
        database: 2,
        tls: false,
        timeoutMs: 50,
      },
    },
  );
  const cluster = {
    enable_limit_count: true,
    policy: 'redis-cluster',
    redis_cluster_nodes: ['a:1', '[::1]:2'],
    redis_cluster_name: 'c',
    redis_database: 5,
  };
  assert.deepEqual(toMirror(cluster).limit!.redis, {
    nodes: [
      { host: 'a', port: 1 },
      { host: '::1', port: 2 },
    ],
    isCluster: true,
    username: null,
    password: null,
    database: 0,
    tls: false,
    timeoutMs: 1000,
  });
  const { problems } = translate({ ...cluster, redis_cluster_nodes: ['a:1', 'no-port'] });
  assert.deepEqual(
    problems.map((problem) => toSentence(problem, problem.value)),
    ['plugins.proxy-mirror.redis_cluster_nodes[1]: must be host:port, found "no-port"'],
  );
});

test('numbers above what umbra counts with count as the most, with a notice', () => {
  const keys = { enable_limit_count: true, count: 2 ** 24, time_window: 10 ** 9 };
  assert.deepEqual(toMirror(keys).limit, {
    count: 2 ** 24 - 1,
    windowMs: 365 * 24 * 3_600_000,
    policy: 'local',
    redis: null,
  });
  assert.equal(listNotices(keys).length, 2);
  assert.deepEqual(listNotices({ enable_limit_count: true, count: 2 ** 24 - 1 }), []);
});

test('_meta switches off and sets conditions; the rest of it is noticed', () => {
  assert.equal(toMirror({ _meta: { disable: true } }).enabled, false);
  assert.equal(toMirror({ disable: true }).enabled, false);
  assert.equal(toMirror({ disable: true, _meta: { disable: false } }).enabled, true);
  const filter = [['arg_a', '==', '1']];
  assert.deepEqual(toMirror({ _meta: { filter } }).conditions.vars, filter);
  assert.equal(toMirror({ _meta: { filter: [] } }).conditions.vars, null);
  const idle = listNotices({
    _meta: { priority: 5, error_response: 'x', pre_function: 'y' },
    sampl_ratio: 1,
  });
  assert.deepEqual(
    idle.map((notice) => notice.split(': ')[0]),
    [
      'plugins.proxy-mirror.sampl_ratio',
      'plugins.proxy-mirror._meta.priority',
      'plugins.proxy-mirror._meta.error_response',
      'plugins.proxy-mirror._meta.pre_function',
    ],
  );
  assert.match(idle[0]!, /did you mean "sample_ratio"\?$/);
});

test('further shadows stand beside the host, each origin once, 16 at most', () => {
  const { route } = translate({}, ['http://b', 'http://127.0.0.1:9797', 'https://c:1']);
  assert.deepEqual(
    route!.mirror!.shadows.map(({ origin }) => origin),
    ['http://127.0.0.1:9797', 'http://b:80', 'https://c:1'],
  );
  const many = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => `http://h:${index + 1}`);
  assert.equal(translate({}, many(15)).route!.mirror!.shadows.length, 16);
  assert.equal(translate({}, many(16)).problems.length, 1);
  const alone = translateRoute('r', { uri: '/', plugins: {} }, () => undefined, {
    mirrorTimeouts: TIMEOUTS,
    moreShadows: ['http://b'],
  });
  assert.deepEqual(
    alone.route!.mirror!.shadows.map(({ origin }) => origin),
    ['http://b:80'],
  );
});
