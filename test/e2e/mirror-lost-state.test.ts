// What outlives a lost mirror thread: the breaker's state, streams under way, rules, and what waits for the thread.

import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request, toRequestBytes } from '../kit/raw.ts';
import { createWaiting } from '../kit/waiting.ts';
import { COMPARE, toMirror, toShadow } from '../mirror/rig.ts';
import { type MirrorFrontend, openMirrorFrontend, toRoute, until } from './mirror-frontend.ts';

async function openOrigins(t: TestContext): Promise<{ primary: Origin; shadow: Origin }> {
  const [primary, shadow] = [await openOrigin({ behaviour: { body: 'fine' } }), await openOrigin()];
  t.after(() => Promise.all([primary.close(), shadow.close()]));
  return { primary, shadow };
}

async function send(frontend: MirrorFrontend, count: number): Promise<void> {
  const client = await openRaw(frontend.port, { deadlineMs: 60_000 });
  for (let sent = 0; sent < count; sent++) assert.equal((await request(client, {})).status, 200);
  client.close();
}

test('the half-open breaker that a lost thread held lets the next copy find out', async (t) => {
  const { primary, shadow } = await openOrigins(t);
  const mirror = toMirror([toShadow(shadow.url)], { breaker: { failures: 1, openForMs: 100 } });
  const frontend = openMirrorFrontend(t, toRoute(primary.url, mirror));
  shadow.behave({ cut: { at: 'head', how: 'reset' } });
  await send(frontend, 1);
  await until(() => frontend.report().breaker === 'open', 'the breaker to open');
  shadow.behave({ hang: true });
  let sent = 1;
  await until(() => frontend.report().in_flight === 0, 'the first copy to end');
  for (const giveUpAt = performance.now() + 60_000; shadow.completed < 2; sent++) {
    assert.ok(performance.now() < giveUpAt, 'no copy finds out');
    await send(frontend, 1);
  }
  assert.equal(frontend.report().breaker, 'half_open');
  await send(frontend, 10);
  sent += 10;
  assert.equal(shadow.completed, 2);
  shadow.behave({});
  await frontend.kill();
  assert.equal(frontend.report().breaker, 'open');
  const before = await frontend.settled(sent);
  assert.equal(before.errors.worker_lost, 1);
  // Nobody waits for the breaker's time: the very next copy goes, and the answer closes it.
  await send(frontend, 1);
  const after = await frontend.settled(sent + 1);
  assert.equal(after.total_success, 1);
  assert.equal(after.breaker, 'closed');
});

interface SlowPrimary {
  readonly url: string;
  /** Sends a piece of the answers under way. */
  write(bytes: number): void;
  /** Completes them. */
  end(): void;
  waitFor(count: number): Promise<void>;
}

/** Answers with as much as it is told, when it is told. */
async function openSlowPrimary(t: TestContext): Promise<SlowPrimary> {
  const open: ServerResponse[] = [];
  const waiting = createWaiting();
  const server = createServer((_request, response) => {
    open.push(response);
    waiting.check();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    write: (bytes) => {
      for (const response of open) response.write(Buffer.alloc(bytes, 'x'));
    },
    end: () => {
      for (const response of open.splice(0)) response.end();
    },
    waitFor: (count) =>
      waiting.until(
        () => open.length >= count,
        () => `${count} requests`,
      ),
  };
}

for (const [when, rest] of [
  ['more of it', 30_000],
  ['nothing but its end', 0],
] as const) {
  test(`an answer of the primary that was on its way to a lost thread is not compared: ${when} comes later`, async (t) => {
    const { shadow } = await openOrigins(t);
    const primary = await openSlowPrimary(t);
    const mirror = toMirror([toShadow(shadow.url)], { compare: COMPARE });
    const frontend = openMirrorFrontend(t, toRoute(primary.url, mirror));
    const count = 20;
    const clients = await Promise.all(Array.from({ length: count }, () => openRaw(frontend.port)));
    let received = 0;
    for (const client of clients) client.socket.on('data', (chunk: Buffer) => (received += chunk.length));
    for (const client of clients) await client.send(toRequestBytes({}));
    await primary.waitFor(count);
    primary.write(40_000);
    await until(() => received >= count * 40_000, 'the first piece');
    frontend.mirroring.refresh();
    await until(() => {
      frontend.mirroring.refresh();
      return frontend.count('queued_bytes') === 0;
    }, 'the mirror thread to have the first piece');
    await frontend.kill();
    if (rest > 0) primary.write(rest);
    primary.end();
    for (const client of clients) {
      const [response] = await client.read();
      assert.equal(response?.body.length, 40_000 + rest);
      client.close();
    }
    const lost = await frontend.settled(count);
    assert.equal(lost.total_success, count);
    assert.equal(lost.uncompared.not_captured, count);
    assert.equal(lost.total_compared, 0);
    // The next ones are compared again.
    const next = await openRaw(frontend.port);
    await next.send(toRequestBytes({}));
    await primary.waitFor(1);
    shadow.behave({ body: Buffer.alloc(60_000, 'x') });
    primary.write(60_000);
    primary.end();
    assert.equal((await next.read())[0]?.body.length, 60_000);
    next.close();
    const { total_compared, total_mismatches } = await frontend.settled(count + 1);
    assert.equal(total_compared, 1);
    assert.equal(total_mismatches, 0);
    frontend.mirroring.refresh();
    assert.equal(frontend.count('queued_bytes'), 0);
  });
}

test('copies that wait for a new thread are sent by it, though their route was edited meanwhile', async (t) => {
  const { primary, shadow } = await openOrigins(t);
  const mirror = toMirror([toShadow(shadow.url)]);
  const route = toRoute(primary.url, mirror);
  // The first thread is still starting, too.
  const frontend = openMirrorFrontend(t, route);
  let matched = 0;
  for (let round = 1; round <= 4; round++) {
    await send(frontend, 20);
    frontend.setRoute(toRoute(primary.url, mirror, { revision: `a${round}` }));
    await send(frontend, 20);
    frontend.setRoute(toRoute(primary.url, mirror, { revision: `b${round}` }));
    await send(frontend, 20);
    matched += 60;
    const { total_success } = await frontend.settled(matched);
    assert.equal(total_success, matched);
    await frontend.kill();
    assert.equal(frontend.count('mirror_threads_lost'), round);
  }
  assert.equal(shadow.completed, matched);
});

test('a stop while there is no thread counts what waited for one', async (t) => {
  const { primary, shadow } = await openOrigins(t);
  const frontend = openMirrorFrontend(t, toRoute(primary.url, toMirror([toShadow(shadow.url)])));
  await send(frontend, 10);
  await frontend.settled(10);
  await frontend.kill();
  await send(frontend, 10);
  const { dropped, total_success } = await frontend.stop(5_000);
  assert.equal(total_success + dropped.worker_lost, 20);
  assert.equal(frontend.count('mirror_threads'), 0);
  await send(frontend, 5);
  assert.equal(frontend.report().dropped.shutdown, 5);
});

test('a stop sends what waits, and ends what hangs at its deadline', async (t) => {
  const { primary, shadow } = await openOrigins(t);
  const frontend = openMirrorFrontend(
    t,
    toRoute(primary.url, toMirror([toShadow(shadow.url)], { maxInFlight: 10 })),
    {
      lanes: 2,
    },
  );
  await send(frontend, 10);
  const before = await frontend.settled(10);
  shadow.behave({ hang: true });
  await send(frontend, 50);
  const { matched, total_success, errors, dropped } = await frontend.stop(500);
  // A client of another test may have met this port; what counts is that nothing is left over.
  assert.ok(matched >= 60, `${matched} matched`);
  assert.equal(total_success, before.total_success);
  assert.equal(errors.shutdown, 10);
  assert.equal(dropped.shutdown, matched - total_success - 10);
  assert.equal(frontend.count('mirror_threads_lost'), 0);
});
