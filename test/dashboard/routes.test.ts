// Routes as the page shows them: states, match rates, and rates made from two events.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Readings } from '../../src/dashboard/readings.ts';
import { createRoutes, parseHash, toHash } from '../../src/dashboard/routes.ts';
import type { LiveRoute, MirrorsEvent } from '../../src/dashboard/shapes.ts';

function toRoute(edits: Partial<LiveRoute> = {}): LiveRoute {
  return {
    matched: 0,
    total_mirrored: 0,
    total_success: 0,
    total_errors: 0,
    total_compared: 0,
    total_mismatches: 0,
    noisy: 0,
    reduced: 0,
    answered_5xx: 0,
    primary_errors: 0,
    latency_p50_ms: null,
    latency_p95_ms: null,
    latency_p99_ms: null,
    primary_latency_p50_ms: null,
    primary_latency_p95_ms: null,
    primary_latency_p99_ms: null,
    skipped: {},
    dropped: {},
    errors: {},
    uncompared: {},
    in_flight: 0,
    breaker: 'closed',
    paused: false,
    requests: 0,
    enabled: true,
    percentage: 100,
    comparison: 'detailed',
    shadows: ['http://shadow'],
    control: null,
    ...edits,
  };
}

function toEvent(
  at: number,
  routes: Record<string, LiveRoute>,
  edits: Partial<MirrorsEvent> = {},
): MirrorsEvent {
  return { at, full: false, routes, removed: [], ...edits };
}

test('a rate is the difference of two events by the time between them, and falls to zero without news', () => {
  const routes = createRoutes();
  routes.take(toEvent(10_000, { a: toRoute({ requests: 500 }) }, { full: true }));
  assert.equal(routes.get('a')!.requestRate, null);
  routes.take(toEvent(11_000, { a: toRoute({ requests: 600, total_mirrored: 50 }) }));
  assert.equal(routes.get('a')!.requestRate, 100);
  assert.equal(routes.get('a')!.copyRate, 50);
  // Half of what is new: 100 → 200 over two seconds.
  routes.take(toEvent(13_000, { a: toRoute({ requests: 1200, total_mirrored: 50 }) }));
  assert.equal(routes.get('a')!.requestRate, 200);
  for (let seconds = 0; seconds < 10; seconds++) routes.rest();
  assert.equal(routes.get('a')!.requestRate, 0);
  // After a silence an event tells of the last second.
  routes.take(toEvent(60_000, { a: toRoute({ requests: 1220, total_mirrored: 50 }) }));
  assert.equal(routes.get('a')!.requestRate, 10);
});

test('of a route that an event does not name nothing has changed', () => {
  const routes = createRoutes();
  const [a, b] = [toRoute({ requests: 10 }), toRoute({ requests: 20 })];
  routes.take(toEvent(1000, { a, b }, { full: true }));
  routes.take(toEvent(2000, { a: toRoute({ requests: 14 }), b: toRoute({ requests: 24 }) }));
  routes.take(toEvent(3000, { a: toRoute({ requests: 18 }) }));
  assert.equal(routes.get('a')!.requestRate, 4);
  assert.equal(routes.get('b')!.requestRate, 1);
  assert.equal(routes.get('b')!.figures.requests, 24);
});

test('routes go when they are removed, or are not among all', () => {
  const routes = createRoutes();
  routes.take(toEvent(1000, { a: toRoute(), b: toRoute(), c: toRoute() }, { full: true }));
  routes.take(toEvent(2000, {}, { removed: ['b'] }));
  assert.deepEqual(
    routes.lines().map(({ id }) => id),
    ['a', 'c'],
  );
  routes.take(toEvent(3000, { c: toRoute() }, { full: true }));
  assert.deepEqual(
    routes.lines().map(({ id }) => id),
    ['c'],
  );
});

test('a gateway that was started anew has no rate until its second event', () => {
  const routes = createRoutes();
  routes.take(toEvent(1000, { a: toRoute({ requests: 100 }) }, { full: true }));
  routes.take(toEvent(2000, { a: toRoute({ requests: 5 }) }));
  assert.equal(routes.get('a')!.requestRate, null);
  routes.take(toEvent(3000, { a: toRoute({ requests: 8 }) }));
  assert.equal(routes.get('a')!.requestRate, 3);
});

test('a route says whether it mirrors, and what share matches', () => {
  const routes = createRoutes();
  routes.take(
    toEvent(1000, {
      on: toRoute({ total_compared: 8, total_mismatches: 2 }),
      paused: toRoute({ paused: true }),
      off: toRoute({ enabled: false, paused: true, comparison: 'none' }),
    }),
  );
  const shown = routes
    .lines()
    .map(({ id, state, matchRate, isCompared }) => ({ id, state, matchRate, isCompared }));
  assert.deepEqual(shown, [
    { id: 'on', state: 'on', matchRate: 0.75, isCompared: true },
    { id: 'paused', state: 'paused', matchRate: null, isCompared: true },
    { id: 'off', state: 'off', matchRate: null, isCompared: false },
  ]);
});

test('a route is found again by the address that was made for it', () => {
  for (const id of ['shop', 'a b', 'ü/#?&=%', '__proto__']) assert.equal(parseHash(toHash(id)), id);
  for (const hash of ['', '#', '#route=', '#other=a', '#route=%']) assert.equal(parseHash(hash), null);
});

test('readings of two runs of a gateway are never compared with each other', () => {
  const routes = createRoutes();
  const readings = new Readings();
  const take = (at: number, compared: number, mismatches: number, full = false): void => {
    const a = toRoute({ total_compared: compared, total_mismatches: mismatches });
    routes.take(toEvent(at, { a }, { full }));
    readings.take(routes.get('a')!);
  };
  const read = () => readings.addTo({ interval_seconds: 10, samples: [] }).samples;
  take(1000, 10, 10, true);
  take(2000, 30, 15);
  assert.deepEqual(read(), [[2, 20, 5, 0, 0]]);
  // Fewer than before, without a new connection.
  take(3000, 5, 1);
  assert.deepEqual(read(), []);
  take(4000, 9, 2);
  assert.deepEqual(read(), [[4, 4, 1, 0, 0]]);
  // A new connection, after a restart that had time for more comparisons and fewer mismatches.
  take(5000, 20, 0, true);
  assert.deepEqual(read(), []);
  take(6000, 22, 1);
  assert.deepEqual(read(), [[6, 2, 1, 0, 0]]);
});

test('without a connection nobody knows the rates', () => {
  const routes = createRoutes();
  routes.take(toEvent(1000, { a: toRoute() }, { full: true }));
  routes.take(toEvent(2000, { a: toRoute({ requests: 5 }) }));
  routes.lose();
  assert.deepEqual([routes.get('a')!.requestRate, routes.get('a')!.copyRate], [null, null]);
});
