// Every bound of every key: at it a value is taken, one beyond it is one problem at that key.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listProblems, mirrorYaml, routeYaml } from './kit.ts';

interface Bound {
  /** Where the key is, and so what its problem must name. */
  readonly path: string;
  readonly good: readonly (string | number)[];
  readonly bad: readonly (string | number)[];
}

const DURATION = {
  good: ['1ms', '24h', '1440m', '86400s'],
  bad: ['0ms', '0s', '86400001ms', '25h', 5, 'x', '1.5s'],
};
const COUNT = (minimum: number, maximum: number): Omit<Bound, 'path'> => ({
  good: [minimum, maximum],
  bad: [minimum - 1, maximum + 1, 1.5, 'x', '"1"'],
});

const ROOT: readonly Bound[] = [
  { path: 'shutdown_timeout', ...DURATION },
  { path: 'threads.frontend', good: ['auto', 1, 64], bad: [0, 65, 1.5, 'some'] },
  { path: 'threads.mirror', good: ['auto', 1, 16], bad: [0, 17, 'some'] },
  { path: 'limits.header_bytes', good: ['1KiB', 1024, '1MiB'], bad: [0, 1023, '1025KiB', '1K', -1] },
  { path: 'limits.header_count', ...COUNT(1, 98) },
  { path: 'limits.target_length', good: [1, '1MiB'], bad: [0, '1048577B'] },
  { path: 'limits.body', good: [1, '1024GiB'], bad: [0, '1025GiB', 'none'] },
  { path: 'limits.in_flight', ...COUNT(1, 1_000_000) },
  { path: 'limits.connections_per_address', ...COUNT(1, 1_000_000) },
  { path: 'limits.upstream_connections', ...COUNT(1, 65_535) },
  { path: 'limits.upstream_queue', ...COUNT(0, 1_000_000) },
  { path: 'limits.upstream_queue_timeout', ...DURATION },
  { path: 'limits.overload_delay', ...DURATION },
  {
    path: 'listen.http',
    good: ['h:0', 'h:65535', '":1"', '"[::1]:1"'],
    bad: ['h:65536', '"h:"', 'h', '"::1:1"'],
  },
  {
    path: 'admin.listen',
    good: ['127.0.0.1:0', 'localhost:1', '"[::1]:1"'],
    bad: ['0.0.0.0:1', '":1"', 'h'],
  },
];

const ROUTE: readonly Bound[] = [
  { path: 'retries', ...COUNT(0, 10) },
  { path: 'priority', ...COUNT(-(2 ** 31), 2 ** 31 - 1) },
  { path: 'retry_timeout', ...DURATION },
  {
    path: 'vars',
    good: ['[]', '[[arg_a, "==", 1]]', '[OR, [arg_a, "==", 1], [[arg_b, "!", in, [x]]]]'],
    bad: ['x', '[x]', '[arg_a, "==", 1]', '{}'],
  },
  { path: 'path_prefix', good: ['true', 'false'], bad: ['yes', 0, '"true"'] },
  { path: 'timeout.connect', ...DURATION },
  { path: 'timeout.send', ...DURATION },
  { path: 'timeout.read', ...DURATION },
  { path: 'host_header', good: ['pass', 'node', 'a.b:80'], bad: ['"a b"', '"a:0"', '""', 5] },
];

const MIRROR: readonly Bound[] = [
  { path: 'enabled', good: ['true', 'false'], bad: [1, 'on'] },
  { path: 'percentage', good: [0, 0.001, 99.9, 100], bad: [-0.001, 100.001, 'all', '.nan', '"50"'] },
  {
    path: 'sample_by',
    good: ['header:x', 'header:X-User-Id'],
    bad: ['x', '"header:"', '"header:a b"', 'cookie:x'],
  },
  { path: 'path', good: ['/', '/~', '/%41'], bad: ['x', '/?', '/#', '"/ "', '"/\\x7f"', '/é', '""'] },
  { path: 'path_concat_mode', good: ['replace', 'prefix'], bad: ['append', 1] },
  { path: 'timeout.connect', ...DURATION },
  { path: 'timeout.send', ...DURATION },
  { path: 'timeout.read', ...DURATION },
  { path: 'limit.count', ...COUNT(1, 2 ** 24 - 1) },
  { path: 'limit.time_window', ...COUNT(1, 365 * 24 * 3600) },
  { path: 'limit.policy', good: ['local'], bad: ['global', 'redis_cluster'] },
  { path: 'limit.redis_host', good: ['ab', '"::1"'], bad: ['a', '"a b"', '"ab:1"'] },
  { path: 'limit.redis_port', ...COUNT(1, 65_535) },
  { path: 'limit.redis_database', ...COUNT(0, 2 ** 31 - 1) },
  { path: 'limit.redis_timeout', ...COUNT(1, 86_400_000) },
  { path: 'limit.redis_cluster_nodes', good: ['[a:1, b:1]'], bad: ['[a:1]', '[a:1, a:1]', 'a:1'] },
  { path: 'limit.redis_cluster_name', good: ['a'], bad: ['""', 1] },
  { path: 'max_body', good: [0, '1GiB'], bad: [-1, '1025MiB', 2 ** 30 + 1] },
  { path: 'max_in_flight', ...COUNT(1, 65_535) },
  { path: 'max_queued', good: [1, '4GiB'], bad: [0, 2 ** 32 + 1] },
  { path: 'breaker.failures', ...COUNT(1, 1_000_000) },
  { path: 'breaker.open_for', ...DURATION },
  { path: 'compare.max_body_capture', good: [1, '1GiB'], bad: [0, '2GiB'] },
  { path: 'compare.max_mismatches', ...COUNT(1, 10_000) },
  {
    path: 'compare.tolerance',
    good: [0, 1e300, '0%', '100%', '0.000000001%'],
    bad: [-1, '101%', '"1"', '"%"', '.inf'],
  },
  { path: 'compare.verdict.min_compared', good: [1, 2 ** 53 - 1], bad: [0, 2 ** 53, 1.5, '"1"'] },
  {
    path: 'compare.verdict.max_mismatch',
    good: [0, 1, 0.5, '0%', '100.0%'],
    bad: [-0.1, 1.1, '100.1%', '-1%', '"1"'],
  },
  { path: 'compare.verdict.max_error', good: [0, 1, '1%'], bad: [-1, 2, '01%'] },
  { path: 'compare.verdict.max_p99_ratio', good: [0.1, 1, 1000], bad: [0, -1, '.nan', '150%'] },
  { path: 'compare.detailed_diff', good: ['true', 'false'], bad: [1, 'on'] },
  { path: 'methods', good: ['all', 'safe'], bad: ['none', '[GET]'] },
  { path: 'max_answer', good: [1, '1GiB'], bad: [0, '1025MiB'] },
  { path: 'idempotency_key', good: ['true', 'false'], bad: ['x-key', 1] },
  {
    path: 'conditions.path_regex',
    good: ['"^/a(b|c)$"', 'a'.repeat(1024)],
    bad: ['"("', '""', 'a'.repeat(1025)],
  },
];

/** `a.b` with a value as nested YAML. */
function nest(path: string, value: string | number): string {
  const steps = path.split('.');
  const lines = steps.map((step, depth) => `${'  '.repeat(depth)}${step}:`);
  return `${lines.join('\n')} ${value}`;
}

function check(bounds: readonly Bound[], prefix: string, write: (lines: string) => string): void {
  for (const { path, good, bad } of bounds) {
    test(`${prefix}${path} takes what is within its bounds, and what is not is one problem there`, () => {
      for (const value of good) assert.deepEqual(listProblems(write(nest(path, value))), [], `${value}`);
      for (const value of bad) {
        const paths = listProblems(write(nest(path, value))).map((problem) => problem.path);
        assert.deepEqual(paths, [prefix + path], `${value}`);
      }
    });
  }
}

check(ROOT, '', (lines) => lines);
check(ROUTE, 'routes[0].', (lines) => `routes:\n${routeYaml(lines)}`);
check(MIRROR, 'routes[0].mirror.', (lines) => mirrorYaml(lines.replaceAll('\n', '\n  ')));

const LISTS: readonly { path: string; maximum: number; write: (count: number) => string }[] = [
  {
    path: 'routes[0].backends',
    maximum: 32,
    write: (count) => withPrimaries(fill(count, (n) => `{ url: "http://h${n}" }`)),
  },
  {
    path: 'routes[0].hosts',
    maximum: 256,
    write: (count) => withRoute(`hosts: ${fill(count, (n) => `h${n}`)}`),
  },
  {
    path: 'routes[0].uris',
    maximum: 256,
    write: (count) =>
      `routes:\n  - { id: a, uris: ${fill(count, (n) => `/h${n}*`)}, backends: [{ url: "http://h" }] }`,
  },
  {
    path: 'routes[0].remote_addrs',
    maximum: 1024,
    write: (count) => withRoute(`remote_addrs: ${fill(count, (n) => `10.0.${n >> 8}.${n & 255}`)}`),
  },
  {
    path: 'routes[0].methods',
    maximum: 64,
    write: (count) => withRoute(`methods: ${fill(count, (n) => `M${n}`)}`),
  },
  {
    path: 'routes[0].mirror.backends',
    maximum: 16,
    write: (count) => withRoute(`mirror: { backends: ${fill(count, (n) => `{ url: "http://h${n}" }`)} }`),
  },
  {
    path: 'listen.http',
    maximum: 64,
    write: (count) => `listen: { http: ${fill(count, (n) => `"h:${n + 1}"`)} }`,
  },
];

/** Lists that may be empty. */
const FREE_LISTS: readonly { path: string; maximum: number; item: (n: number) => string }[] = [
  { path: 'redact.headers', maximum: 256, item: (n) => `h${n}` },
  { path: 'redact.query', maximum: 256, item: (n) => `q${n}` },
  { path: 'redact.json', maximum: 256, item: (n) => `a.b${n}` },
  { path: 'compare.ignore_headers', maximum: 256, item: (n) => `h${n}` },
  { path: 'compare.ignore_json_fields', maximum: 256, item: (n) => `a.b${n}` },
  { path: 'compare.unordered', maximum: 64, item: (n) => `a.b${n}` },
  { path: 'compare.mask', maximum: 256, item: (n) => `a.b${n}` },
];

for (const { path, maximum, item } of FREE_LISTS) {
  test(`routes[0].mirror.${path} has up to ${maximum} entries`, () => {
    const paths = (count: number): readonly string[] =>
      listProblems(mirrorYaml(nest(path, fill(count, item)).replaceAll('\n', '\n  '))).map((p) => p.path);
    assert.deepEqual([paths(0), paths(maximum)], [[], []]);
    assert.deepEqual(paths(maximum + 1), [`routes[0].mirror.${path}`]);
  });
}

test('a path of JSON keys has up to 1024 characters, one with a tolerance 256, of which there are 64', () => {
  const paths = (compare: string): readonly string[] =>
    listProblems(mirrorYaml(`compare: { ${compare} }`)).map((p) => p.path);
  assert.deepEqual(paths(`mask: [${'a'.repeat(1024)}], tolerance: { ${'a'.repeat(256)}: 1 }`), []);
  assert.equal(paths(`tolerance: { ${'a'.repeat(257)}: 1 }`).length, 1);
  assert.deepEqual(paths(`mask: [${'a'.repeat(1025)}]`), ['routes[0].mirror.compare.mask[0]']);
  const amounts = (count: number): string =>
    `tolerance: {${Array.from({ length: count }, (_, n) => `a${n}: 1%`).join(', ')}}`;
  assert.deepEqual([paths(amounts(0)), paths(amounts(64))], [[], []]);
  assert.deepEqual(paths(amounts(65)), ['routes[0].mirror.compare.tolerance']);
});

function fill(count: number, item: (n: number) => string): string {
  return `[${Array.from({ length: count }, (_, n) => item(n)).join(', ')}]`;
}

function withRoute(extra: string): string {
  return `routes:\n${routeYaml(extra)}`;
}

function withPrimaries(list: string): string {
  return `routes:\n  - id: a\n    path: /\n    backends: ${list}\n`;
}

for (const { path, maximum, write } of LISTS) {
  test(`${path} has 1 to ${maximum} entries`, () => {
    assert.deepEqual(listProblems(write(1)), []);
    assert.deepEqual(listProblems(write(maximum)), []);
    for (const count of [0, maximum + 1]) {
      const paths = listProblems(write(count)).map((problem) => problem.path);
      assert.deepEqual(paths, [path], `${count}`);
    }
  });
}

test('weights are 0 to 65535, one is above 0, and without their common divisor they add up to 65536 at most', () => {
  const paths = (...weights: number[]): readonly string[] => {
    const list = weights.map((weight, n) => `{ url: "http://h${n}", weight: ${weight} }`).join(', ');
    return listProblems(withPrimaries(`[${list}]`)).map((problem) => problem.path);
  };
  assert.deepEqual(paths(1), []);
  assert.deepEqual(paths(65_535), []);
  assert.deepEqual(paths(65_536), ['routes[0].backends[0].weight']);
  assert.deepEqual(paths(-1), ['routes[0].backends[0].weight']);
  assert.deepEqual(paths(0), ['routes[0].backends']);
  assert.deepEqual(paths(0, 0), ['routes[0].backends']);
  assert.deepEqual(paths(0, 1), []);
  assert.deepEqual(paths(65_535, 1), []);
  assert.deepEqual(paths(65_535, 2), ['routes[0].backends']);
  assert.deepEqual(paths(65_534, 65_532, 2), [], 'halved they fit');
});

test('weights of different priorities need not fit together', () => {
  const paths = (...weights: readonly [number, number][]): readonly string[] => {
    const list = weights.map(
      ([weight, priority], n) => `{ url: "http://h${n}", weight: ${weight}, priority: ${priority} }`,
    );
    return listProblems(withPrimaries(`[${list.join(', ')}]`)).map((problem) => problem.path);
  };
  assert.deepEqual(paths([65_535, 0], [2, -1]), []);
  assert.deepEqual(paths([65_535, 0], [2, 0], [1, 1]), ['routes[0].backends']);
  assert.deepEqual(paths([0, 1], [1, 0]), []);
  assert.deepEqual(paths([0, 1], [0, 0]), ['routes[0].backends']);
  assert.deepEqual(paths([1, 2 ** 31]), ['routes[0].backends[0].priority']);
});

test('ids have 1 to 64 letters, digits, dots, underscores and hyphens', () => {
  const paths = (id: string): readonly string[] =>
    listProblems(`routes:\n  - id: ${id}\n    path: /\n    backends: [{ url: "http://h" }]\n`).map(
      (p) => p.path,
    );
  for (const id of ['a', 'A.b_c-9', 'a'.repeat(64), '"1"', '"..."', '".a"'])
    assert.deepEqual(paths(id), [], id);
  for (const id of ['""', 'a'.repeat(65), '"a b"', 'a/b', '1', 'ä', '.', '".."'])
    assert.deepEqual(paths(id), ['routes[0].id'], id);
});

test('what no path of a URL can hold is no id', () => {
  for (const id of ['.', '..']) {
    const [problem] = listProblems(
      `routes:\n  - id: ${id}\n    path: /\n    backends: [{ url: "http://h" }]\n`,
    );
    assert.match(problem!.message, /must not be \. or \.\.: they cannot stand in the path of a URL/);
  }
});

test('a path starts with / and has visible ASCII characters without ? and #', () => {
  const paths = (path: string): readonly string[] =>
    listProblems(`routes:\n  - id: a\n    path: ${path}\n    backends: [{ url: "http://h" }]\n`).map(
      (p) => p.path,
    );
  for (const path of ['/', '/!', '/~', '/a%20b', '//', `/${'a'.repeat(8191)}`])
    assert.deepEqual(paths(path), [], path);
  const bad = ['a', '""', '"/a b"', '/?', '"/#"', '"/\\x7f"', '"/\\x00"', '/ä', `/${'a'.repeat(8192)}`];
  for (const path of bad) assert.deepEqual(paths(path), ['routes[0].path'], path);
});
