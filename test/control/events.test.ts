// GET /events: everything first, then what changed; bounded, shared, and no hindrance to an end.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { FindingsStore } from '../../src/control/findings/findings-store.ts';
import { createLedger, type Ledger } from '../../src/control/ledger.ts';
import {
  CLIENTS_MAX,
  EventFeed,
  HEARTBEAT_MS,
  LATE_MS_MAX,
  LINGER_MS,
  TICK_MS,
} from '../../src/control/mirror-api/events.ts';
import { setPaused } from '../../src/control/mirror-api/pause.ts';
import { type ShadowBook, ShadowCell, ShadowWord } from '../../src/core/book.ts';
import { HistogramWriter } from '../../src/core/histogram.ts';
import type { Route } from '../../src/core/model.ts';
import { createWaiting } from '../kit/waiting.ts';
import { openMirrorApi } from './mirror-api-kit.ts';
import { CONTROL, SHADOW, sampleRoute } from './sample.ts';

const NOW_MS = 6_000_000;

/** One event with all of them is more than the system takes for a connection. */
const LONG_ROUTES = Array.from({ length: 1000 }, (_, index) =>
  sampleRoute({ id: `${'long-'.repeat(2000)}${index}` }),
);

interface MirrorsEvent {
  readonly at: number;
  readonly full: boolean;
  readonly routes: Record<string, Record<string, unknown>>;
  readonly removed: readonly string[];
}

interface Listener {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly events: readonly MirrorsEvent[];
  readonly comments: readonly string[];
  isEnded: boolean;
  until(met: () => boolean): Promise<void>;
  close(): void;
}

async function listen(port: number, headers: Record<string, string> = {}): Promise<Listener> {
  const outgoing = request({ agent: false, host: '127.0.0.1', port, path: '/events', headers });
  outgoing.end();
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const waiting = createWaiting();
  const events: MirrorsEvent[] = [];
  const comments: string[] = [];
  const listener: Listener = {
    status: answer.statusCode!,
    headers: answer.headers,
    events,
    comments,
    isEnded: false,
    until: (met) => waiting.until(met, () => `${events.length} events, ${comments.length} comments`),
    close: () => outgoing.destroy(),
  };
  let parts: string[] = [];
  answer.setEncoding('utf8').on('data', (chunk: string) => {
    parts.push(chunk);
    // Events are long: they are put together once.
    if (!chunk.includes('\n')) return;
    const blocks = parts.join('').split('\n\n');
    parts = [blocks.pop()!];
    for (const block of blocks) {
      if (block.startsWith(':')) comments.push(block);
      else {
        const match = /^event: mirrors\ndata: ([^\n]+)$/.exec(block);
        assert.ok(match !== null, block);
        events.push(JSON.parse(match[1]!) as MirrorsEvent);
      }
    }
    waiting.check();
  });
  answer.on('error', () => {});
  answer.on('close', () => {
    listener.isEnded = true;
    waiting.check();
  });
  return listener;
}

interface Feed {
  readonly ledger: Ledger;
  readonly findings: FindingsStore;
  readonly feed: EventFeed;
  readonly port: number;
  setNow(ms: number): void;
  enter(routes: readonly Route[]): void;
}

/** A feed on a server of its own, with a clock that the test moves. Its own timer runs at the real pace besides. */
async function openFeed(t: TestContext, routes: readonly Route[]): Promise<Feed> {
  const ledger = createLedger({ frontends: 1, lanes: 1 });
  ledger.enter(routes);
  const findings = new FindingsStore({ ledger });
  let nowMs = NOW_MS;
  const feed = new EventFeed({ ledger, stored: findings, clock: () => nowMs });
  const server = createServer((_request, response) => {
    if (!feed.open(response, {})) response.writeHead(503).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    feed.close();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return {
    ledger,
    findings,
    feed,
    port: (server.address() as AddressInfo).port,
    setNow: (ms) => {
      nowMs = ms;
    },
    enter: (next) => {
      ledger.enter(next);
      findings.follow();
    },
  };
}

function bump(book: ShadowBook, cell: keyof typeof ShadowCell, count = 1): void {
  book.cells[ShadowCell[cell]] = book.cells[ShadowCell[cell]]! + count;
}

function moveCopy(book: ShadowBook): void {
  bump(book, 'skip_limit', -1);
  bump(book, 'skip_loop');
}

test('over the admin listener: everything at once, then what changed, by itself', async (t) => {
  const api = await openMirrorApi(t, [
    sampleRoute({ id: 'api', control: CONTROL }),
    sampleRoute({ id: 'a/b "c"' }),
    sampleRoute({ id: 'plain', shadows: null }),
  ]);
  const listener = await listen(api.port);
  assert.equal(listener.status, 200);
  assert.equal(listener.headers['content-type'], 'text/event-stream; charset=utf-8');
  assert.equal(listener.headers['cache-control'], 'no-store');
  assert.equal(listener.headers['x-content-type-options'], 'nosniff');
  await listener.until(() => listener.events.length === 1);
  const [first] = listener.events;
  assert.equal(first!.full, true);
  assert.ok(Math.abs(first!.at - Date.now()) < 60_000);
  assert.deepEqual(Object.keys(first!.routes), ['api', 'a/b "c"']);
  const mirror = (await api.ask('GET', '/mirrors/api')).body as Record<string, unknown>;
  const { requests, enabled, percentage, comparison, primaries, shadows, control, ...figures } =
    first!.routes.api!;
  assert.deepEqual(
    [requests, enabled, percentage, comparison, primaries, shadows, control],
    [0, true, 100, 'digest', ['http://primary:9000'], [SHADOW], CONTROL],
  );
  const { shadows: _shadows, control: _control, ...others } = mirror;
  assert.deepEqual(figures, { ...others, skipped: {}, dropped: {}, errors: {}, uncompared: {} });
  bump(api.ledger.row('api')!.shadows[0]!.book, 'skip_paused', 3);
  await listener.until(() => listener.events.length === 2);
  const [, second] = listener.events;
  assert.deepEqual([second!.full, Object.keys(second!.routes), second!.removed], [false, ['api'], []]);
  assert.deepEqual(second!.routes.api!.skipped, { paused: 3 });
});

test('whatever changes of a route is told, and nothing of the others', async (t) => {
  const { ledger, findings, feed, port, enter, setNow } = await openFeed(t, [
    sampleRoute({ id: 'api', control: CONTROL }),
    sampleRoute({ id: 'other' }),
  ]);
  const listener = await listen(port);
  await listener.until(() => listener.events.length === 1);
  const row = ledger.row('api')!;
  const [shadow, control] = row.shadows.map(({ book }) => book);
  const changes: readonly (readonly [string, () => void])[] = [
    ['a counter', () => bump(shadow!, 'sent')],
    ['from one counter to another', () => moveCopy(shadow!)],
    ['in flight', () => Atomics.add(shadow!.words, ShadowWord.in_flight, 1)],
    ['breaker', () => Atomics.store(shadow!.words, ShadowWord.breaker_state, 1)],
    ['pause', () => setPaused(row, true)],
    ['requests', () => (row.book.cells[0] = 5)],
    [
      'the rule',
      () =>
        enter([
          sampleRoute({ id: 'api', revision: '2', mirror: { percentage: 50 } }),
          sampleRoute({ id: 'other' }),
        ]),
    ],
  ];
  for (const [what, change] of changes) {
    const before = listener.events.length;
    change();
    feed.tick();
    await listener.until(() => listener.events.length > before);
    const { full, routes, removed } = listener.events[before]!;
    assert.deepEqual([full, Object.keys(routes), removed], [false, ['api'], []], what);
  }
  const told = listener.events.length;
  // What a dashboard is not told of the control alone is no event.
  bump(control!, 'sent');
  feed.tick();
  enter([sampleRoute({ id: 'other' }), sampleRoute({ id: 'plain', shadows: null })]);
  feed.tick();
  await listener.until(() => listener.events.length > told);
  assert.deepEqual(listener.events[told]!.removed, ['api']);
  assert.deepEqual(listener.events[told]!.routes, {});
  assert.equal(findings.route('api'), undefined);
  // Latencies grow old though nothing happens.
  const book = ledger.row('other')!.shadows[0]!.book;
  new HistogramWriter(book.buffer, book.histogramAt(0)).record(5, NOW_MS);
  bump(book, 'sent');
  feed.tick();
  await listener.until(() => listener.events.length > told + 1);
  assert.ok(Number(listener.events[told + 1]!.routes.other!.latency_p50_ms) > 4);
  setNow(NOW_MS + 5 * 60_000);
  feed.tick();
  await listener.until(() => listener.events.length > told + 2);
  assert.equal(listener.events[told + 2]!.routes.other!.latency_p50_ms, null);
});

test('without anything to tell there is a comment each 15 s', async (t) => {
  const { feed, port, setNow } = await openFeed(t, [sampleRoute({ id: 'api' })]);
  const listener = await listen(port);
  await listener.until(() => listener.events.length === 1);
  setNow(NOW_MS + HEARTBEAT_MS - 1);
  feed.tick();
  setNow(NOW_MS + HEARTBEAT_MS);
  feed.tick();
  await listener.until(() => listener.comments.length === 1);
  feed.tick();
  setNow(NOW_MS + 2 * HEARTBEAT_MS);
  feed.tick();
  await listener.until(() => listener.comments.length === 2);
  assert.equal(listener.events.length, 1);
});

test('one client more than there may be gets 503, until one goes', async (t) => {
  const api = await openMirrorApi(t, [sampleRoute({ id: 'api' })]);
  const listeners: Listener[] = [];
  for (let client = 0; client < CLIENTS_MAX; client++) listeners.push(await listen(api.port));
  assert.ok(listeners.every(({ status }) => status === 200));
  const refused = await api.ask('GET', '/events');
  assert.equal(refused.status, 503);
  assert.match((refused.body as { readonly error: string }).error, /as many/);
  listeners[3]!.close();
  for (;;) {
    // The server hears of it in its own time.
    const next = await listen(api.port);
    if (next.status === 200) break;
  }
});

/** Reads the head of the answer and nothing more. */
async function openStuck(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'readable');
  return socket;
}

test('a client that does not read holds bounded memory, is told everything when it has caught up, and else is cut off', async (t) => {
  const { ledger, feed, port, setNow } = await openFeed(t, LONG_ROUTES);
  const stuck = await openStuck(port);
  const slow = await openStuck(port);
  const listener = await listen(port);
  await listener.until(() => listener.events.length === 1);
  const book = ledger.rows()[0]!.shadows[0]!.book;
  for (let second = 1; second <= 20; second++) {
    bump(book, 'sent');
    setNow(NOW_MS + second * 1000);
    feed.tick();
  }
  assert.equal(feed.clients, 3);
  await listener.until(() => listener.events.length > 1);
  let tail = '';
  const told = { full: 0, changes: 0 };
  slow.setEncoding('utf8').on('data', (chunk: string) => {
    const text = tail + chunk;
    told.full += text.split('"full":true').length - 1;
    told.changes += text.split('"full":false').length - 1;
    // Shorter than what is looked for.
    tail = text.slice(-10);
  });
  while (told.full < 2) {
    // The feed looks again each second; here it is asked to.
    await once(slow, 'data');
    feed.tick();
  }
  assert.ok(told.changes <= 1, 'what was missed is not told piece by piece');
  setNow(NOW_MS + 1000 + LATE_MS_MAX);
  feed.tick();
  const closed = once(stuck, 'close');
  stuck.resume();
  await closed;
  assert.ok(feed.clients < 3);
});

test('an end of the listener is not held up by clients, whether they read or not', async (t) => {
  const api = await openMirrorApi(t, LONG_ROUTES);
  await openStuck(api.port);
  const listener = await listen(api.port);
  await listener.until(() => listener.events.length === 1);
  const begun = performance.now();
  await api.close();
  assert.ok(performance.now() - begun < 3000);
  await listener.until(() => listener.isEnded);
});

test('clients that come and go cost one reading of the routes a second, and what did not change is not told anew for a while', async (t) => {
  const routes = Array.from({ length: 50 }, (_, index) => sampleRoute({ id: `route-${index}` }));
  const { ledger, findings, feed, port, setNow } = await openFeed(t, routes);
  const rows = t.mock.method(ledger, 'rows');
  const counts = t.mock.method(findings, 'countMismatches');
  const visit = async (): Promise<void> => {
    const listener = await listen(port);
    await listener.until(() => listener.events.length === 1);
    assert.deepEqual(
      [listener.events[0]!.full, Object.keys(listener.events[0]!.routes).length],
      [true, routes.length],
    );
    listener.close();
  };
  // The feed's timer may tick meanwhile: it reads once a second too, as long as somebody is there.
  for (let client = 0; client < 40; client++) await visit();
  assert.ok(rows.mock.callCount() <= 10, `${rows.mock.callCount()} readings`);
  const before = rows.mock.callCount();
  setNow(NOW_MS + TICK_MS);
  counts.mock.resetCalls();
  bump(ledger.rows()[7]!.shadows[0]!.book, 'sent');
  await visit();
  assert.ok(rows.mock.callCount() > before);
  // One look at each route, and one that has changed.
  assert.ok(counts.mock.callCount() < 2 * routes.length, `${counts.mock.callCount()} looks`);
  // The server hears of it in its own time.
  while (feed.clients > 0) await turn();
  setNow(NOW_MS + TICK_MS + 2 * LINGER_MS);
  feed.tick();
  counts.mock.resetCalls();
  await visit();
  assert.ok(counts.mock.callCount() >= 2 * routes.length, 'nothing is kept for good');
});

test('nothing is computed without clients, and a thousand routes cost little each second', async (t) => {
  const routes = Array.from({ length: 1000 }, (_, index) => sampleRoute({ id: `route-${index}` }));
  const { ledger, feed, port } = await openFeed(t, routes);
  // CPU time: other tests run beside this one.
  const time = (work: () => void): number => {
    const begun = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1000;
  };
  const rows = ledger.rows();
  let reads = 0;
  ledger.rows = () => {
    reads++;
    return rows;
  };
  for (let tick = 0; tick < 10; tick++) feed.tick();
  assert.equal(reads, 0);
  const listener = await listen(port);
  await listener.until(() => listener.events.length === 1);
  const quiet = Array.from({ length: 20 }, () => time(() => feed.tick())).sort(
    (one, other) => one - other,
  )[10]!;
  const busy = Array.from({ length: 10 }, () => {
    for (const { shadows } of rows) {
      const { book } = shadows[0]!;
      bump(book, 'sent');
    }
    return time(() => feed.tick());
  }).sort((one, other) => one - other)[5]!;
  t.diagnostic(
    `a tick over 1,000 routes: ${quiet.toFixed(1)} ms of CPU time when nothing changed, ${busy.toFixed(0)} ms when all did`,
  );
  assert.ok(quiet < 20 && busy < 500);
  listener.close();
});
