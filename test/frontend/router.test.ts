// The router against a slow matcher that is obviously right, and its cost with many routes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type RoutePattern, Router } from '../../src/frontend/router.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

interface TestRoute extends RoutePattern {
  readonly id: string;
}

function route(id: string, path: string, more: Partial<TestRoute> = {}): TestRoute {
  return { id, path, pathPrefix: false, hosts: [], methods: [], priority: 0, ...more };
}

function find(routes: readonly TestRoute[], host: string, path: string, method = 'GET'): string | null {
  return new Router(routes).find(host, path, method)?.id ?? null;
}

/** How well a host pattern fits: exact, then the longer suffix, then every host; -1 when it does not. */
function rankHost(pattern: string, host: string): number {
  if (pattern === host) return 1_000_000;
  if (!pattern.startsWith('*.')) return -1;
  const suffix = pattern.slice(1);
  return host.endsWith(suffix) && host.length > suffix.length ? suffix.length : -1;
}

function fitsPath({ path, pathPrefix }: TestRoute, requested: string): boolean {
  if (!pathPrefix) return path === requested;
  if (path.endsWith('/')) return requested.startsWith(path);
  return requested === path || requested.startsWith(`${path}/`);
}

/** Every fitting pair of route and host, best first, by the order that the router's head comment states. */
function findSlowly(routes: readonly TestRoute[], host: string, path: string, method: string): string | null {
  const fitting = routes.flatMap((candidate, index) => {
    if (!fitsPath(candidate, path)) return [];
    if (candidate.methods.length > 0 && !candidate.methods.includes(method)) return [];
    const ranks =
      candidate.hosts.length === 0 ? [0] : candidate.hosts.map((pattern) => rankHost(pattern, host));
    const rank = Math.max(...ranks);
    return rank < 0 ? [] : [{ candidate, rank, index }];
  });
  fitting.sort(
    (a, b) =>
      b.rank - a.rank ||
      Number(a.candidate.pathPrefix) - Number(b.candidate.pathPrefix) ||
      b.candidate.path.length - a.candidate.path.length ||
      b.candidate.priority - a.candidate.priority ||
      a.index - b.index,
  );
  return fitting[0]?.candidate.id ?? null;
}

const segment = fc.constantFrom('a', 'b', 'c', '', 'a%2fb', 'constructor', '__proto__');
const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
const label = fc.constantFrom('a', 'b', 'example');
const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const hostPattern = fc.oneof(
  host,
  host.map((name) => `*.${name}`),
);
const method = fc.constantFrom('GET', 'POST', 'PURGE');
const pattern = fc.record({
  path,
  pathPrefix: fc.boolean(),
  hosts: fc.uniqueArray(hostPattern, { maxLength: 3 }),
  methods: fc.uniqueArray(method, { maxLength: 2 }),
  priority: fc.integer({ min: -1, max: 1 }),
});

test('random tables find what the obvious matcher finds', () => {
  fc.assert(
    fc.property(
      fc.array(pattern, { maxLength: 30 }),
      fc.array(fc.tuple(host, path, method)),
      (patterns, requests) => {
        const routes = patterns.map((fields, index) => ({ id: `r${index}`, ...fields }));
        const router = new Router(routes);
        for (const [name, target, verb] of requests) {
          const found = router.find(name, target, verb)?.id ?? null;
          assert.equal(found, findSlowly(routes, name, target, verb), `${verb} ${name} ${target}`);
        }
      },
    ),
    { seed, numRuns: 2_000 },
  );
});

test('a prefix ends on segment borders', () => {
  const routes = [route('api', '/api', { pathPrefix: true })];
  assert.equal(find(routes, 'h', '/api'), 'api');
  assert.equal(find(routes, 'h', '/api/'), 'api');
  assert.equal(find(routes, 'h', '/api/v1/x'), 'api');
  assert.equal(find(routes, 'h', '/apiary'), null);
  assert.equal(find(routes, 'h', '/ap'), null);
});

test('a method that does not fit lets the search go on to a shorter prefix, and to other hosts', () => {
  const routes = [
    route('host', '/x', { hosts: ['h'], methods: ['POST'] }),
    route('long', '/x/y', { pathPrefix: true, methods: ['POST'] }),
    route('short', '/', { pathPrefix: true }),
  ];
  assert.equal(find(routes, 'h', '/x', 'POST'), 'host');
  assert.equal(find(routes, 'h', '/x', 'GET'), 'short');
  assert.equal(find(routes, 'h', '/x/y/z', 'GET'), 'short');
  assert.equal(find(routes, 'h', '/x/y/z', 'POST'), 'long');
});

test('priority decides only among routes of the same host and path', () => {
  const routes = [
    route('low', '/x'),
    route('high', '/x', { priority: 5 }),
    route('prefix', '/', { pathPrefix: true, priority: 100 }),
  ];
  assert.equal(find(routes, 'h', '/x'), 'high');
  assert.equal(find(routes, 'h', '/y'), 'prefix');
});

test('a wildcard stands for any depth of names, never for none', () => {
  const routes = [
    route('wild', '/', { hosts: ['*.example.org'] }),
    route('exact', '/', { hosts: ['a.example.org'] }),
  ];
  assert.equal(find(routes, 'b.c.example.org', '/'), 'wild');
  assert.equal(find(routes, 'a.example.org', '/'), 'exact');
  assert.equal(find(routes, 'example.org', '/'), null);
  assert.equal(find(routes, 'badexample.org', '/'), null);
});

/** Counts how often a look-up asks any of the router's maps. */
function countAsks(look: () => void): number {
  const { get } = Map.prototype;
  let asks = 0;
  Map.prototype.get = function (this: Map<unknown, unknown>, key: unknown): unknown {
    asks++;
    return get.call(this, key);
  };
  try {
    look();
  } finally {
    Map.prototype.get = get;
  }
  return asks;
}

test('a look-up among 10,000 routes asks no more questions than among 10', () => {
  const build = (count: number): Router<TestRoute> =>
    new Router(
      Array.from({ length: count }, (_, index) =>
        route(`r${index}`, `/service/v${index}`, { pathPrefix: true }),
      ),
    );
  const [few, many] = [build(10), build(10_000)];
  for (const target of ['/service/v7/items/1', '/nowhere/at/all', '/service/v7']) {
    assert.equal(
      countAsks(() => many.find('h', target, 'GET')),
      countAsks(() => few.find('h', target, 'GET')),
      target,
    );
  }
});

test('a path of thousands of segments is not walked beyond the prefixes', () => {
  const router = new Router([
    route('a', '/a', { pathPrefix: true }),
    route('b', '/b/c', { pathPrefix: true }),
  ]);
  assert.ok(countAsks(() => router.find('h', `/a${'/a'.repeat(4_000)}`, 'GET')) < 10);
});
