// Limits that Redis counts, in real mirror threads with a real Redis: exact counts, windows, calls, bounds.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import type { Limit, Mirror, RedisSettings } from '../../src/core/model.ts';
import { LimitWindow } from '../../src/core/window.ts';
import { PrimaryAnswer } from '../../src/mirror/job.ts';
import { openRedis, type RedisServer, skipWithoutRedis } from '../kit/redis.ts';
import { COMPARE, clock, openRig, type Rig, type RigRule, toMirror, toShadow, until } from './rig.ts';
import { type HttpShadow, openHttpShadow } from './shadow-server.ts';

const skip = skipWithoutRedis();
/** Of the bound in limit-server.ts. */
const JOBS_MAX = 16_384;

function answerOk(response: ServerResponse): void {
  response.end('ok');
}

function toLimit(redis: RedisSettings, count: number, edits: Partial<Limit> = {}): Limit {
  // A busy machine is no reason to give up.
  return { count, windowMs: 600_000, policy: 'redis', redis: { ...redis, timeoutMs: 20_000 }, ...edits };
}

interface Scene {
  readonly redis: RedisServer;
  readonly rig: Rig;
  readonly shadow: HttpShadow;
  readonly rule: RigRule;
}

async function openScene(
  t: TestContext,
  count: number,
  edits: Partial<Limit> = {},
  mirrorEdits: Partial<Mirror> = {},
  lanes = 1,
): Promise<Scene> {
  const redis = await openRedis(t);
  const rig = openRig(t, lanes);
  const shadow = await openHttpShadow(t, answerOk);
  const limit = toLimit(redis.settings, count, edits);
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { limit, ...mirrorEdits }));
  return { redis, rig, shadow, rule };
}

function isDecided(rig: Rig, rule: RigRule, jobs: number): boolean {
  return rig.count(rule, 'sent') + rig.count(rule, 'skip_limit') === jobs;
}

/** By digest or with the text. */
async function scriptCallsOf(redis: RedisServer): Promise<number> {
  const stats = String(await redis.command('INFO', 'commandstats'));
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}

/** The gateway's connections, not the test's own. */
async function connectionsOf(redis: RedisServer): Promise<number> {
  const list = String(await redis.command('CLIENT', 'LIST'));
  return list.trim().split('\n').length - 1;
}

async function untilUnused(redis: RedisServer): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while ((await connectionsOf(redis)) > 0) {
    assert.ok(performance.now() < giveUpAt, 'the connection stays open');
  }
}

for (const count of [1, 7, 200, 201]) {
  test(`a limit of ${count} in Redis sends exactly that of 200 jobs of two threads`, { skip }, async (t) => {
    const { redis, rig, shadow, rule } = await openScene(t, count, {}, {}, 2);
    for (let job = 0; job < 200; job++) rig.job(rule, {}, job % 2);
    await rig.flush();
    await rig.stop();
    const sent = Math.min(count, 200);
    assert.equal(shadow.requests.length, sent);
    assert.equal(rig.count(rule, 'sent'), sent);
    assert.equal(rig.count(rule, 'skip_limit'), 200 - sent);
    assert.equal(rig.count(rule, 'limit_errors'), 0);
    assert.equal(await redis.command('GET', 'plugin-proxy-mirror:{route:1}'), String(count - sent));
    assert.ok(Number(await redis.command('PTTL', 'plugin-proxy-mirror:{route:1}')) > 0, 'it expires');
  });
}

test('a job takes one place, however many shadows it has', { skip }, async (t) => {
  const redis = await openRedis(t);
  const rig = openRig(t);
  const shadows = [await openHttpShadow(t, answerOk), await openHttpShadow(t, answerOk)];
  const limit = toLimit(redis.settings, 3);
  const rule = rig.rule(
    toMirror(
      shadows.map(({ origin }) => toShadow(origin)),
      { limit },
    ),
  );
  for (let job = 0; job < 10; job++) rig.job(rule);
  await rig.flush();
  await rig.stop();
  assert.deepEqual(
    shadows.map(({ requests }) => requests.length),
    [3, 3],
  );
  assert.equal(rig.count(rule, 'skip_limit', 1), 7);
});

test('jobs of many routes that come together are one call of one connection', { skip }, async (t) => {
  const redis = await openRedis(t);
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, answerOk);
  const mirror = toMirror([toShadow(shadow.origin)], { limit: toLimit(redis.settings, 2) });
  const rules = Array.from({ length: 50 }, (_, index) => rig.rule(mirror, `route-${index}`));
  for (const rule of rules) for (let job = 0; job < 4; job++) rig.job(rule);
  await rig.flush();
  await until(() => rules.every((rule) => isDecided(rig, rule, 4)), 'the decisions');
  assert.equal(await scriptCallsOf(redis), 1);
  assert.equal(await connectionsOf(redis), 1);
  for (const rule of rules) assert.equal(rig.count(rule, 'sent'), 2);
});

test('more routes than one call takes are asked for by several calls at once', { skip }, async (t) => {
  const redis = await openRedis(t);
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, answerOk);
  const mirror = toMirror([toShadow(shadow.origin)], { limit: toLimit(redis.settings, 1) });
  const rules = Array.from({ length: 300 }, (_, index) => rig.rule(mirror, `route-${index}`));
  for (const rule of rules) for (let job = 0; job < 2; job++) rig.job(rule);
  await rig.flush();
  await until(() => rules.every((rule) => isDecided(rig, rule, 2)), 'the decisions');
  assert.equal(await scriptCallsOf(redis), 3);
  for (const rule of rules) assert.equal(rig.count(rule, 'sent'), 1);
});

test('rules of the same server share a connection, which goes with the last of them', { skip }, async (t) => {
  const { redis, rig, shadow, rule } = await openScene(t, 5);
  const limit = toLimit(redis.settings, 5);
  const second = rig.rule(toMirror([toShadow(shadow.origin)], { limit }), 'second');
  rig.job(rule);
  rig.job(second);
  await rig.flush();
  await until(() => rig.count(rule, 'answered') + rig.count(second, 'answered') === 2, 'both copies');
  assert.equal(await connectionsOf(redis), 1);
  rig.retire(rule);
  rig.job(second);
  await rig.flush();
  await until(() => rig.count(second, 'answered') === 2, 'the second copy');
  assert.equal(await connectionsOf(redis), 1);
  rig.retire(second);
  await rig.flush();
  await untilUnused(redis);
});

test('a full window is known to front ends until its end, and never while a place is left', {
  skip,
}, async (t) => {
  const { redis, rig, rule } = await openScene(t, 3, { windowMs: 3_000 });
  const window = new LimitWindow(rule.entry.memory.limit!);
  const key = 'plugin-proxy-mirror:{route:1}';
  for (let job = 0; job < 2; job++) rig.job(rule);
  const beganMs = clock();
  await rig.flush();
  await until(() => isDecided(rig, rule, 2), 'two places');
  assert.equal(window.isClosed(clock()), false);
  rig.job(rule);
  await rig.flush();
  await until(() => isDecided(rig, rule, 3), 'the last place');
  assert.equal(window.isClosed(clock()), true);
  // Known to be full: nobody asks.
  const calls = await scriptCallsOf(redis);
  for (let job = 0; job < 20; job++) rig.job(rule);
  await rig.flush();
  await until(() => isDecided(rig, rule, 23), 'the skips');
  assert.equal(await scriptCallsOf(redis), calls);
  assert.equal(rig.count(rule, 'sent'), 3);
  await until(() => !window.isClosed(clock()), 'the end of the window');
  const [nowMs, ttl] = [clock(), Number(await redis.command('PTTL', key))];
  // Open a little before Redis's own end at most, never after it.
  assert.ok(ttl < 1_000, `${ttl} ms are left`);
  assert.ok(nowMs >= beganMs + 2_000, 'it was closed for its window');
  const giveUpAt = performance.now() + 20_000;
  while (Number(await redis.command('PTTL', key)) >= 0) assert.ok(performance.now() < giveUpAt, 'it stays');
  for (let job = 0; job < 9; job++) rig.job(rule);
  await rig.flush();
  await until(() => isDecided(rig, rule, 32), 'the second window');
  assert.equal(rig.count(rule, 'sent'), 6);
  assert.equal(rig.count(rule, 'limit_errors'), 0);
});

test('a window of a key without expiry is begun anew', { skip }, async (t) => {
  const { redis, rig, rule } = await openScene(t, 4);
  await redis.command('SET', 'plugin-proxy-mirror:{route:1}', '-3');
  for (let job = 0; job < 9; job++) rig.job(rule);
  await rig.flush();
  await rig.stop();
  assert.equal(rig.count(rule, 'sent'), 4);
  assert.ok(Number(await redis.command('PTTL', 'plugin-proxy-mirror:{route:1}')) > 0);
});

test('a window whose places were taken back below zero is full', { skip }, async (t) => {
  const { redis, rig, rule } = await openScene(t, 4);
  await redis.command('SET', 'plugin-proxy-mirror:{route:1}', '-3', 'PX', 600_000);
  for (let job = 0; job < 9; job++) rig.job(rule);
  await rig.flush();
  await rig.stop();
  assert.deepEqual([rig.count(rule, 'sent'), rig.count(rule, 'skip_limit')], [0, 9]);
});

test('each revision of a route has a window of its own', { skip }, async (t) => {
  const { redis, rig, shadow, rule } = await openScene(t, 2);
  for (let job = 0; job < 5; job++) rig.job(rule);
  await rig.flush();
  const edited = rig.rule(rule.entry.route.mirror!, 'route', rule);
  Object.assign(edited.entry.route, { revision: '2' });
  rig.retire(rule);
  for (let job = 0; job < 5; job++) rig.job(edited);
  await rig.flush();
  await rig.stop();
  assert.equal(shadow.requests.length, 4);
  assert.deepEqual(((await redis.command('KEYS', '*')) as string[]).sort(), [
    'plugin-proxy-mirror:{route:1}',
    'plugin-proxy-mirror:{route:2}',
  ]);
});

test('copies that waited for their limit have their bodies, and are compared', { skip }, async (t) => {
  const { rig, shadow, rule } = await openScene(t, 4, {}, { compare: COMPARE });
  const head = 'POST /x\r\nhost: h\r\n';
  const good = [Buffer.from('o'), Buffer.from('k')];
  const inline = { answer: PrimaryAnswer.inline, status: 200 };
  for (let job = 0; job < 2; job++)
    rig.job(rule, { ...inline, head, body: [Buffer.from(`b${job}`)], answerBody: good });
  rig.chunk(rule, 7, Buffer.from('o'));
  rig.chunk(rule, 7, Buffer.from('k'));
  rig.job(rule, { head, answer: PrimaryAnswer.streamed, status: 200, stream: 7, body: [Buffer.from('b2')] });
  rig.job(rule, { ...inline, head, body: [Buffer.from('b3')], answerBody: [Buffer.from('other')] });
  rig.chunk(rule, 8, Buffer.from('x'));
  rig.job(rule, { head, answer: PrimaryAnswer.streamed, status: 200, stream: 8, body: [Buffer.from('b4')] });
  await rig.flush();
  await rig.stop();
  assert.deepEqual(shadow.requests.map(({ body }) => body).sort(), ['b0', 'b1', 'b2', 'b3']);
  assert.deepEqual([rig.count(rule, 'compared'), rig.count(rule, 'body_mismatched')], [4, 1]);
  assert.equal(rig.count(rule, 'skip_limit'), 1);
});

test('what waits stays in the queue’s bytes until it is decided on', { skip }, async (t) => {
  const { redis, rig, rule } = await openScene(t, 3);
  redis.pause();
  for (let job = 0; job < 5; job++)
    rig.job(rule, { head: 'POST /\r\nhost: h\r\n', body: [Buffer.alloc(1_000)] });
  await rig.flush();
  await until(() => rig.count(rule, 'received') === 5, 'the jobs');
  assert.equal(rig.count(rule, 'released_bytes'), 0);
  assert.ok(rule.bytes > 5_000);
  redis.resume();
  await until(() => rig.count(rule, 'released_bytes') === rule.bytes, 'all bytes');
  assert.deepEqual([rig.count(rule, 'sent'), rig.count(rule, 'skip_limit')], [3, 2]);
});

test('jobs that wait are bounded: those beyond pass uncounted', { skip }, async (t) => {
  const { redis, rig, rule } = await openScene(t, 5, {}, { maxInFlight: 1 });
  redis.pause();
  for (let job = 0; job < JOBS_MAX + 3; job++) rig.job(rule);
  await rig.flush();
  await until(() => rig.count(rule, 'received') === JOBS_MAX + 3, 'the jobs');
  await until(() => rig.count(rule, 'sent') === 3, 'those beyond the bound');
  assert.equal(rig.count(rule, 'limit_errors'), 3);
  redis.resume();
  await until(() => isDecided(rig, rule, JOBS_MAX + 3), 'the others');
  assert.equal(rig.count(rule, 'sent'), 3 + 5);
  assert.equal(rig.count(rule, 'limit_errors'), 3);
  const isTold = (): boolean => rig.logs.some(({ fields }) => /^too many copies/.test(String(fields.cause)));
  await until(isTold, 'the cause in the log');
});

test('a rule that is retired while its jobs wait goes when they are decided on', { skip }, async (t) => {
  const { redis, rig, rule } = await openScene(t, 3);
  redis.pause();
  for (let job = 0; job < 5; job++) rig.job(rule);
  await rig.flush();
  rig.retire(rule);
  await rig.flush();
  await until(() => rig.count(rule, 'received') === 5, 'the jobs');
  redis.resume();
  await until(() => rig.count(rule, 'answered') === 3, 'its copies');
  assert.equal(rig.count(rule, 'skip_limit'), 2);
  await untilUnused(redis);
});

test('a stop waits for what waits for Redis, and drops it at its deadline', { skip }, async (t) => {
  const { redis, rig, shadow, rule } = await openScene(t, 3);
  redis.pause();
  for (let job = 0; job < 5; job++)
    rig.job(rule, { head: 'POST /\r\nhost: h\r\n', body: [Buffer.from('x')] });
  await rig.flush();
  const beganMs = clock();
  await rig.stop(300);
  assert.ok(clock() - beganMs >= 299, 'not before its deadline');
  assert.equal(rig.count(rule, 'drop_shutdown'), 5);
  assert.equal(shadow.requests.length, 0);
  assert.equal(rig.count(rule, 'limit_errors'), 0);
});
