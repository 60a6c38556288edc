// The router against a slow matcher that is obviously right, and its cost with many routes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type RoutePattern, Router } from '../../src/frontend/router.ts';
import { toSubject } from '../kit/subject.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

interface TestRoute extends RoutePattern {
  readonly id: string;
}

const SUBJECT = toSubject();

function route(id: string, path: string, more: Partial<TestRoute> = {}): TestRoute {
  return { id, path, match: 'exact', hosts: [], methods: [], priority: 0, condition: null, ...more };
}

function find(routes: readonly TestRoute[], host: string, path: string, method = 'GET'): string | null {
  return new Router(routes).find(host, path, method, SUBJECT)?.id ?? null;
}

/** How well a host pattern fits: exact, then the longer suffix, then every host; -1 when it does not. */
function rankHost(pattern: string, host: string): number {
  if (pattern === host) return 1_000_000;
  if (!pattern.startsWith('*.')) return -1;
  const suffix = pattern.slice(1);
  return host.endsWith(suffix) && host.length > suffix.length ? suffix.length : -1;
}

/** By a regular expression, whatever the kind. */
function fitsPath({ path, match }: TestRoute, requested: string): boolean {
  const literal = path
    .split('*')
    .map((part) => part.replaceAll(/[^\w/]/g, '\\$&'))
    .join('.*');
  const border = path.endsWith('/') ? '' : '(?:/|$)';
  const behind = { exact: '$', prefix: border, text_prefix: '', wildcard: '$' }[match];
  return new RegExp(`^${literal}${behind}`, 's').test(requested);
}

/** Length of the text before the first `*`; what is exact comes before all prefixes. */
function rankPath({ path, match }: TestRoute): number {
  if (match === 'exact') return 1_000_000;
  return match === 'wildcard' ? path.indexOf('*') : path.length;
}

const KINDS: readonly TestRoute['match'][] = ['exact', 'wildcard', 'prefix', 'text_prefix'];

/** `/a/` is the same prefix of segments as of text. */
function narrowness({ path, match }: TestRoute): number {
  return match === 'prefix' && path.endsWith('/') ? KINDS.indexOf('text_prefix') : KINDS.indexOf(match);
}

/** Every fitting pair of route and host, best first, by the order that the router's head comment states. */
function findSlowly(routes: readonly TestRoute[], host: string, path: string, method: string): string | null {
  const fitting = routes.flatMap((candidate, index) => {
    if (!fitsPath(candidate, path)) return [];
    if (candidate.methods.length > 0 && !candidate.methods.includes(method)) return [];
    if (candidate.condition !== null && !candidate.condition(SUBJECT)) return [];
    const ranks =
      candidate.hosts.length === 0 ? [0] : candidate.hosts.map((pattern) => rankHost(pattern, host));
    const rank = Math.max(...ranks);
    return rank < 0 ? [] : [{ candidate, rank, index }];
  });
  fitting.sort(
    (a, b) =>
      b.rank - a.rank ||
      rankPath(b.candidate) - rankPath(a.candidate) ||
      b.candidate.priority - a.candidate.priority ||
      b.candidate.path.length - a.candidate.path.length ||
      narrowness(a.candidate) - narrowness(b.candidate) ||
      a.index - b.index,
  );
  return fitting[0]?.candidate.id ?? null;
}

const segment = fc.constantFrom('a', 'b', 'ab', 'abc', 'c', '', 'a%2fb', 'constructor', '__proto__');
const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
const wildcard = fc
  .tuple(path, fc.array(fc.oneof(segment, fc.constant('*')), { maxLength: 3 }))
  .map(([start, rest]) => `${start === '/' ? '' : start}/*/${rest.join('/')}`);
const pathPattern = fc.oneof(
  fc.record({ match: fc.constantFrom('exact' as const, 'prefix' as const), path }),
  fc.record({
    match: fc.constant('text_prefix' as const),
    path: fc.tuple(path, fc.nat(12)).map(([text, length]) => text.slice(0, length)),
  }),
  fc.record({ match: fc.constant('wildcard' as const), path: wildcard }),
);
const label = fc.constantFrom('a', 'b', 'example');
const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const hostPattern = fc.oneof(
  host,
  host.map((name) => `*.${name}`),
);
const method = fc.constantFrom('GET', 'POST', 'PURGE');
const pattern = fc.record({
  pathPattern,
  hosts: fc.uniqueArray(hostPattern, { maxLength: 3 }),
  methods: fc.uniqueArray(method, { maxLength: 2 }),
  priority: fc.integer({ min: -1, max: 1 }),
  condition: fc.constantFrom(
    null,
    () => true,
    () => false,
  ),
});

test('random tables find what the obvious matcher finds', () => {
  fc.assert(
    fc.property(
      fc.array(pattern, { maxLength: 30 }),
      fc.array(fc.tuple(host, path, method)),
      (patterns, requests) => {
        const routes = patterns.map(({ pathPattern: { match, path }, ...fields }, index) =>
          route(`r${index}`, path, { match, ...fields }),
        );
        const router = new Router(routes);
        for (const [name, target, verb] of requests) {
          const found = router.find(name, target, verb, SUBJECT)?.id ?? null;
          assert.equal(found, findSlowly(routes, name, target, verb), `${verb} ${name} ${target}`);
        }
      },
    ),
    { seed, numRuns: 2_000 },
  );
});

test('a prefix ends on segment borders', () => {
  const routes = [route('api', '/api', { match: 'prefix' })];
  assert.equal(find(routes, 'h', '/api'), 'api');
  assert.equal(find(routes, 'h', '/api/'), 'api');
  assert.equal(find(routes, 'h', '/api/v1/x'), 'api');
  assert.equal(find(routes, 'h', '/apiary'), null);
  assert.equal(find(routes, 'h', '/ap'), null);
});

test('a method that does not fit lets the search go on to a shorter prefix, and to other hosts', () => {
  const routes = [
    route('host', '/x', { hosts: ['h'], methods: ['POST'] }),
    route('long', '/x/y', { match: 'prefix', methods: ['POST'] }),
    route('short', '/', { match: 'prefix' }),
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
    route('prefix', '/', { match: 'prefix', priority: 100 }),
  ];
  assert.equal(find(routes, 'h', '/x'), 'high');
  assert.equal(find(routes, 'h', '/y'), 'prefix');
});

test('a text prefix ends anywhere, and the longest of all prefixes comes first', () => {
  const routes = [
    route('foo', '/foo', { match: 'text_prefix' }),
    route('foobar', '/foobar', { match: 'text_prefix' }),
    route('segment', '/foo/a', { match: 'prefix' }),
    route('all', '', { match: 'text_prefix' }),
  ];
  assert.equal(find(routes, 'h', '/foo'), 'foo');
  assert.equal(find(routes, 'h', '/foob'), 'foo');
  assert.equal(find(routes, 'h', '/foobar/x'), 'foobar');
  assert.equal(find(routes, 'h', '/foo/a/b'), 'segment');
  assert.equal(find(routes, 'h', '/foo/ab'), 'foo');
  assert.equal(find(routes, 'h', '/fo'), 'all');
});

test('of one text the priority decides, then further stars, then segment borders, then the order', () => {
  const text = route('text', '/a', { match: 'text_prefix' });
  const segment = route('segment', '/a', { match: 'prefix' });
  for (const routes of [
    [text, segment],
    [segment, text],
  ]) {
    assert.equal(find(routes, 'h', '/a/b'), 'segment');
    assert.equal(find(routes, 'h', '/ab'), 'text');
  }
  assert.equal(find([segment, { ...text, priority: 1 }], 'h', '/a/b'), 'text');
  const below = route('below', '/a/', { match: 'text_prefix' });
  const star = route('star', '/a/*/c', { match: 'wildcard' });
  const longer = route('longer', '/a/*/b/c', { match: 'wildcard' });
  for (const routes of [
    [below, star, longer],
    [longer, star, below],
  ]) {
    assert.equal(find(routes, 'h', '/a/x/b/c'), 'longer');
    assert.equal(find(routes, 'h', '/a/x/c'), 'star');
    assert.equal(find(routes, 'h', '/a/x'), 'below');
  }
  assert.equal(find([star, { ...below, priority: 1 }], 'h', '/a/x/c'), 'below');
  assert.equal(find([star, { ...star, id: 'second' }], 'h', '/a/x/c'), 'star');
});

test('a star within stands for any text, slashes and nothing included, and the end is the end', () => {
  const routes = [
    route('star', '/a/*/c', { match: 'wildcard' }),
    route('open', '/b/*/c/*', { match: 'wildcard' }),
  ];
  for (const path of ['/a/b/c', '/a//c', '/a/b/b/c', '/a/c/c'])
    assert.equal(find(routes, 'h', path), 'star', path);
  for (const path of ['/a/c', '/a/b/c/', '/a/b/cd', '/b/x/c', '/b/c/d'])
    assert.equal(find(routes, 'h', path), null, path);
  for (const path of ['/b/x/c/', '/b/x/y/c/d/e']) assert.equal(find(routes, 'h', path), 'open', path);
});

test('a condition that does not hold lets the search go on, within the host and beyond it', () => {
  const never = { condition: () => false };
  const routes = [
    route('exact', '/x/y', { hosts: ['h'], ...never }),
    route('long', '/x/', { hosts: ['h'], match: 'text_prefix', ...never }),
    route('short', '/x', { hosts: ['h'], match: 'prefix', methods: ['POST'] }),
    route('wild', '/x/y', { hosts: ['*.h'] }),
    route('every', '/', { match: 'text_prefix' }),
  ];
  assert.equal(find(routes, 'h', '/x/y'), 'every');
  assert.equal(find(routes, 'h', '/x/y', 'POST'), 'short');
  assert.equal(find(routes, 'a.h', '/x/y'), 'wild');
});

test('a condition is asked with the request, and only when all else fits', () => {
  const asked: unknown[] = [];
  const condition = (request: unknown): boolean => {
    asked.push(request);
    return true;
  };
  const routes = [
    route('post', '/x', { methods: ['POST'], condition }),
    route('other', '/x/', { match: 'text_prefix', condition }),
    route('get', '/x', { condition }),
  ];
  assert.equal(find(routes, 'h', '/x'), 'get');
  assert.deepEqual(asked, [SUBJECT]);
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

test('a look-up asks no more questions than its path has characters, among 10,000 routes as among 10', () => {
  const build = (count: number, match: TestRoute['match']): Router<TestRoute> =>
    new Router(
      Array.from({ length: count }, (_, index) => route(`r${index}`, `/service/v${index}/`, { match })),
    );
  for (const match of ['prefix', 'text_prefix'] as const) {
    const [few, many] = [build(10, match), build(10_000, match)];
    for (const target of [
      '/service/v7/items/1',
      '/service/v7',
      '/service/v9999/items/1',
      '/nowhere/at/all',
    ]) {
      const [asksFew, asksMany] = [few, many].map((router) =>
        countAsks(() => router.find('h', target, 'GET', SUBJECT)),
      );
      // One question for each digit that another route continues differently.
      assert.ok(asksMany! <= asksFew! + '9999/'.length, `${target}: ${asksFew} and ${asksMany}`);
    }
  }
});

test('a path of thousands of segments is not walked beyond the prefixes', () => {
  const router = new Router([route('a', '/a', { match: 'prefix' }), route('b', '/b/c', { match: 'prefix' })]);
  assert.ok(countAsks(() => router.find('h', `/a${'/a'.repeat(4_000)}`, 'GET', SUBJECT)) < 10);
});
