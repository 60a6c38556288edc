// How much one route, all routes, and one request to the Admin API may ask for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkResource } from '../../../src/config/apisix/check.ts';
import { toSentence } from '../../../src/config/apisix/remark.ts';
import { translateRoute } from '../../../src/config/apisix/route.ts';
import { toTimeouts } from '../../../src/config/umbra/upstream.ts';
import { listLines, parse } from '../kit.ts';

const UPSTREAM = { nodes: { 'a:80': 1 } };
const WRONG = 'invalid configuration: property';
const mirrorTimeouts = toTimeouts(undefined, { connect: '1s', send: '1s', read: '1s' });

function count(length: number, toText: (index: number) => string): readonly string[] {
  return Array.from({ length }, (_, index) => toText(index));
}
const listUris = (length: number): readonly string[] => count(length, (index) => `/${index}`);
const listHosts = (length: number): readonly string[] => count(length, (index) => `h${index}`);

function translate(keys: object): { patterns: number | null; problems: readonly string[] } {
  const value = { upstream: UPSTREAM, ...keys };
  const { route, problems } = translateRoute('a', value, () => undefined, { mirrorTimeouts });
  return {
    patterns: route === null ? null : Math.max(1, route.hosts.length) * route.paths.length,
    problems: problems.map((problem) => toSentence(problem, value)),
  };
}

test('a route has at most 256 paths, 256 hosts and 4,096 pairs of them, wherever it was kept', () => {
  const table: readonly (readonly [object, number | null, readonly string[]])[] = [
    [{ uris: listUris(256) }, 256, []],
    [{ uris: listUris(257) }, null, ['uris: must have at most 256 paths, found 257']],
    [{ uri: '/', hosts: listHosts(256) }, 256, []],
    [{ uri: '/', hosts: listHosts(257) }, null, ['hosts: must have at most 256 hosts, found 257']],
    [{ uris: listUris(256), hosts: listHosts(16) }, 4096, []],
    [
      { uris: listUris(256), hosts: listHosts(17) },
      null,
      ['uris: must have at most 4096 pairs of a host and a path, found 4352'],
    ],
  ];
  for (const [keys, patterns, problems] of table) assert.deepEqual(translate(keys), { patterns, problems });
});

test("umbra's own routes have the same bound", () => {
  const text = (hosts: number): string =>
    `routes: [{ id: a, uris: ${JSON.stringify(listUris(256))}, hosts: ${JSON.stringify(listHosts(hosts))}, backends: [{ url: "http://a" }] }]`;
  assert.deepEqual(listLines(text(16)), []);
  assert.match(
    listLines(text(17)).join('\n'),
    /^test\.yaml:1:25: routes\[0\]\.uris: must have at most 4096 pairs of a host and a path, found 4352$/,
  );
});

test('all routes have at most 200,000 pairs together', () => {
  const uris = JSON.stringify(listUris(250));
  const routes = (length: number): string =>
    count(
      length,
      (index) =>
        `  - { id: r${index}, uris: *u, hosts: ${JSON.stringify(count(16, (host) => `h${host}.r${index}`))}, upstream: { nodes: { "a:80": 1 } } }`,
    ).join('\n');
  const text = (length: number, more: string): string =>
    `routes:\n  - { id: first, uris: &u ${uris}, status: 0, upstream: { nodes: {} } }\n${routes(length)}\n${more}#END\n`;
  assert.deepEqual(listLines(text(50, '')), []);
  assert.deepEqual(listLines(text(50, '  - { id: z, uri: /, upstream: { nodes: {} } }\n')), [
    'test.yaml:1:1: routes: must have at most 200000 pairs of a host and a path in all routes together, found 200001',
  ]);
});

test('* among the hosts is every host', () => {
  for (const hosts of [['*'], ['a', '*', '*.b']]) {
    const [route] = parse(JSON.stringify({ id: 'a', uri: '/', hosts, upstream: UPSTREAM })).routes;
    assert.deepEqual(route!.hosts, []);
  }
});

test('priorities and numbers of databases end at 31 bits, with a notice', () => {
  const text = `id: a
uri: /
priority: 9007199254740991
upstream: { nodes: [{ host: a, port: 80, weight: 1, priority: -9007199254740991 }] }
plugins:
  proxy-mirror:
    { host: "http://s", enable_limit_count: true, policy: redis, redis_host: r1, redis_database: 2147483648 }
`;
  const { routes, notices } = parse(text);
  const [route] = routes;
  assert.equal(route!.priority, 2 ** 31 - 1);
  assert.equal(route!.backends[0]!.priority, -(2 ** 31));
  assert.equal(route!.mirror!.limit!.redis!.database, 2 ** 31 - 1);
  assert.deepEqual(
    notices.map((notice) => notice.replace(/^[\w.:]+ /, '')),
    [
      'upstream.nodes[0].priority: counts as -2147483648, which is the least, found -9007199254740991',
      'priority: counts as 2147483647, which is the most, found 9007199254740991',
      'plugins.proxy-mirror.redis_database: counts as 2147483647, which is the most, found 2147483648',
    ],
  );
});

test('lists in a body have a bound, and 100,000 entries over it are refused at once', () => {
  const check = (keys: object): string => checkResource('routes', { upstream: UPSTREAM, ...keys })!;
  const startedAt = process.cpuUsage();
  const methods = Array.from({ length: 100_000 }, (_, index) => `M${index}`);
  assert.match(
    check({ uri: '/', methods }),
    /^invalid.*"methods" validation failed: expect array to have at most 10 items; /,
  );
  assert.equal(
    check({ uris: listUris(257) }),
    `${WRONG} "uris" validation failed: expect array to have at most 256 items`,
  );
  assert.equal(
    check({ uri: '/', hosts: listHosts(257) }),
    `${WRONG} "hosts" validation failed: expect array to have at most 256 items`,
  );
  const vars = Array.from({ length: 100_000 }, () => ['arg_a', '==', '1']);
  assert.equal(
    check({ uri: '/', vars }),
    `${WRONG} "vars" validation failed: expect array to have at most 1024 items`,
  );
  assert.match(
    check({ uri: '/', remote_addrs: count(1025, (index) => `10.0.${index >> 8}.${index & 255}`) }),
    /"remote_addrs" validation failed: expect array to have at most 1024 items$/,
  );
  const { user, system } = process.cpuUsage(startedAt);
  // It took half a minute when each entry was compared with each.
  assert.ok((user + system) / 1e6 < 10, `${user + system} µs`);
});

test('a refusal names 20 misfits, and is short whatever was sent', () => {
  const keys = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, 1]));
  const text = checkResource('routes', { uri: '/', upstream: UPSTREAM, ...keys })!;
  assert.match(
    text,
    /^invalid configuration: additional properties forbidden, found k0; .*found k19; … and 980 more$/,
  );
  const plugins = checkResource('routes', { uri: '/', upstream: UPSTREAM, plugins: keys })!;
  assert.match(plugins, /^unknown plugin \[k0\]; .*\[k19\]; … and 980 more$/);
  const long = checkResource('routes', { uri: '/', upstream: UPSTREAM, host: 'a b'.repeat(100_000) })!;
  assert.equal(long.length, 8193);
});

test('keys of a body may hold any character', () => {
  const check = (keys: object): string | null =>
    checkResource('routes', { uri: '/', upstream: UPSTREAM, ...keys });
  assert.equal(
    check({ labels: { '%': 1 } }),
    `${WRONG} "labels" validation failed: failed to validate % (matching ".*"): wrong type: expected string, got number`,
  );
  assert.equal(check({ plugins: { 'a, found b': {} } }), 'unknown plugin [a, found b]');
});
