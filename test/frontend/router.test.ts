// The router against a linear search by the same rules, and the work of a look-up in a large table.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type RoutePattern, Router } from '../../src/frontend/router.ts';

interface Pattern extends RoutePattern {
  readonly id: number;
}

const SEED = Date.now() & 0x7fff_ffff;

/** How specific the route's hosts are for this one: -1 not at all, 0 any host, else the length of what fits. */
function rankHost(route: Pattern, host: string): number {
  if (route.hosts.length === 0) return 0;
  const ranks = route.hosts.map((pattern) => {
    if (pattern === '*') return 0;
    if (pattern === host) return 1_000;
    const suffix = pattern.slice(1);
    return pattern.startsWith('*.') && host.endsWith(suffix) && host.length > suffix.length
      ? suffix.length
      : -1;
  });
  return Math.max(...ranks);
}

function rankPath(route: Pattern, path: string): number {
  if (!route.pathPrefix) return path === route.path ? 1_000 : -1;
  const below = route.path.endsWith('/') ? route.path : `${route.path}/`;
  return path === route.path || path.startsWith(below) ? route.path.length : -1;
}

/** The rules as they are written, one after the other. */
function findSlowly(routes: readonly Pattern[], host: string, path: string, method: string): number | null {
  const fits = routes
    .map((route) => ({ route, host: rankHost(route, host), path: rankPath(route, path) }))
    .filter((each) => each.host >= 0 && each.path >= 0)
    .filter(({ route }) => route.methods.length === 0 || route.methods.includes(method))
    .sort(
      (a, b) =>
        b.host - a.host || b.path - a.path || b.route.priority - a.route.priority || a.route.id - b.route.id,
    );
  return fits[0]?.route.id ?? null;
}

const segment = fc.constantFrom('a', 'b', 'ab', '', '%2f', '..', 'A');
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => `/${segments.join('/')}`);
const label = fc.constantFrom('a', 'b', 'example', 'test');
const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const hostPattern = fc.oneof(
  host,
  host.map((name) => `*.${name}`),
  fc.constant('*'),
);
const method = fc.constantFrom('GET', 'POST', 'DELETE');
const pattern = fc.record({
  hosts: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 3, arbitrary: fc.array(hostPattern, { maxLength: 3 }) },
  ),
  path,
  pathPrefix: fc.boolean(),
  methods: fc.uniqueArray(method, { maxLength: 2 }),
  priority: fc.integer({ min: -1, max: 1 }),
});
const table = fc
  .array(pattern, { maxLength: 30 })
  .map((patterns) => patterns.map((each, id): Pattern => ({ ...each, id })));

function toPattern(id: number, given: Partial<Pattern>): Pattern {
  return { id, hosts: [], path: '/', pathPrefix: false, methods: [], priority: 0, ...given };
}

describe('router', () => {
  it(`finds what a linear search finds, in any table (seed ${SEED})`, () => {
    const lookups = fc.array(fc.tuple(host, path, method), { minLength: 1, maxLength: 20 });
    const property = fc.property(table, lookups, (routes, each) => {
      const router = new Router(routes);
      for (const [name, target, verb] of each) {
        assert.equal(router.find(name, target, verb)?.id ?? null, findSlowly(routes, name, target, verb));
      }
    });
    fc.assert(property, { seed: SEED, numRuns: 3_000 });
  });

  it(`finds each route by a request that is made for it (seed ${SEED})`, () => {
    const property = fc.property(table, fc.nat(), path, (routes, at, rest) => {
      const route = routes[at % Math.max(1, routes.length)];
      if (route === undefined) return;
      const name = (route.hosts[0] ?? 'none').replace(/^\*\.?/, 'sub.');
      const target = route.pathPrefix ? `${route.path.replace(/\/$/, '')}${rest}` : route.path;
      const verb = route.methods[0] ?? 'GET';
      const found = new Router(routes).find(name, target, verb)?.id ?? null;
      assert.equal(found, findSlowly(routes, name, target, verb));
      if (!name.endsWith('.')) assert.notEqual(found, null);
    });
    fc.assert(property, { seed: SEED, numRuns: 3_000 });
  });

  it('a prefix ends at a segment', () => {
    const router = new Router([toPattern(0, { path: '/api', pathPrefix: true })]);
    for (const target of ['/api', '/api/', '/api/x', '/api//', '/api/../x']) {
      assert.equal(router.find('', target, 'GET')?.id, 0, target);
    }
    for (const target of ['/', '/ap', '/apix', '/apix/', '//api', '/API', '/api%2fx', '/x/api']) {
      assert.equal(router.find('', target, 'GET'), null, target);
    }
  });

  it('a prefix with a slash takes only what is below it', () => {
    const router = new Router([toPattern(0, { path: '/api/', pathPrefix: true })]);
    assert.equal(router.find('', '/api', 'GET'), null);
    assert.equal(router.find('', '/api/', 'GET')?.id, 0);
    assert.equal(router.find('', '/api/x', 'GET')?.id, 0);
  });

  it('an exact path goes before every prefix, the longer prefix before the shorter, then priority, then order', () => {
    const router = new Router([
      toPattern(0, { path: '/', pathPrefix: true, priority: 9 }),
      toPattern(1, { path: '/a', pathPrefix: true }),
      toPattern(2, { path: '/a', pathPrefix: true, priority: 1 }),
      toPattern(3, { path: '/a/b', pathPrefix: true, methods: ['POST'] }),
      toPattern(4, { path: '/a/b' }),
      toPattern(5, { path: '/a/b' }),
    ]);
    assert.equal(router.find('', '/a/b', 'GET')?.id, 4);
    assert.equal(router.find('', '/a/b/c', 'POST')?.id, 3);
    assert.equal(router.find('', '/a/b/c', 'GET')?.id, 2, 'a method that does not fit lets the search go on');
    assert.equal(router.find('', '/c', 'GET')?.id, 0);
  });

  it('an exact host goes before a wildcard, the longer suffix before the shorter, all before every host', () => {
    const all = { path: '/', pathPrefix: true } as const;
    const router = new Router([
      toPattern(0, all),
      toPattern(1, { ...all, hosts: ['*.example'] }),
      toPattern(2, { ...all, hosts: ['*.a.example'] }),
      toPattern(3, { ...all, hosts: ['b.a.example', '[::1]'] }),
      toPattern(4, { hosts: ['b.a.example'], path: '/only' }),
    ]);
    assert.equal(router.find('b.a.example', '/', 'GET')?.id, 3);
    assert.equal(router.find('c.a.example', '/', 'GET')?.id, 2);
    assert.equal(router.find('d.c.a.example', '/', 'GET')?.id, 2);
    assert.equal(router.find('a.example', '/', 'GET')?.id, 1);
    assert.equal(router.find('example', '/', 'GET')?.id, 0, 'a wildcard stands for at least one character');
    assert.equal(router.find('.example', '/', 'GET')?.id, 0);
    assert.equal(router.find('[::1]', '/', 'GET')?.id, 3);
    assert.equal(router.usesHosts, true);
    assert.equal(new Router([toPattern(0, { hosts: ['*'] })]).usesHosts, false);
  });

  it('a look-up among 10,000 routes does as much as one among ten', () => {
    const toRouter = (count: number): Router<Pattern> =>
      new Router(
        Array.from({ length: count }, (_, id) => {
          const hosts = id % 3 === 0 ? [`host${id}.example`] : id % 3 === 1 ? [`*.wild${id}.example`] : [];
          return toPattern(id, { hosts, path: `/team${id % 100}/service${id}`, pathPrefix: id % 2 === 0 });
        }),
      );
    const lookups = [
      ['host0.example', '/team0/service0/deep/down', 0],
      ['x.wild1.example', '/team1/service1', 1],
      ['other.example', '/team2/service2/deep', 2],
      ['other.example', '/nothing/like/that', null],
    ] as const;
    const [few, many] = [toRouter(10), toRouter(10_000)];
    for (const [name, target, id] of lookups) {
      const [inFew, inMany] = [few, many].map((router) =>
        countMapReads(() => assert.equal(router.find(name, target, 'GET')?.id ?? null, id)),
      );
      assert.equal(inMany, inFew, `${name}${target}`);
      assert.ok(inMany! <= 3 + 2 * (name.split('.').length + target.split('/').length), `${inMany} reads`);
    }
  });
});

function countMapReads(run: () => void): number {
  const { get } = Map.prototype;
  let reads = 0;
  Map.prototype.get = function (this: Map<unknown, unknown>, key: unknown): unknown {
    reads++;
    return get.call(this, key);
  };
  try {
    run();
  } finally {
    Map.prototype.get = get;
  }
  return reads;
}
