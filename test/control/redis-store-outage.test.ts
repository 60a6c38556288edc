// The store while Redis is away, slow, emptied or set back, and what the cache file is worth then.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { StoreUnavailable } from '../../src/control/store/store.ts';
import { openRedis, skipWithoutRedis, takePort } from '../kit/redis.ts';
import {
  closeAll,
  HASH,
  makeFolder,
  openPair,
  openStore,
  PERSISTENT,
  put,
  remove,
  toShort,
  watch,
} from './redis-store-kit.ts';

const skip = skipWithoutRedis();

function assertUnavailable(pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StoreUnavailable, String(error));
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  };
}

test('while Redis is down writes are refused; when it is back with its data all goes on', {
  skip,
}, async (t) => {
  const { redis, a, b } = await openPair(t, PERSISTENT);
  await redis.kill();
  await Promise.all([a.warned('cannot be reached'), b.warned('cannot be reached')]);
  assert.equal(a.store.isWritable(), false);
  await assert.rejects(put(a, '2', 2, null), assertUnavailable(/^Redis at 127\.0\.0\.1:\d+: .+/));
  await redis.start();
  const startedMs = performance.now();
  await Promise.all([a.warned('reached again'), b.warned('reached again')]);
  t.diagnostic(`reached again ${Math.round(performance.now() - startedMs)} ms after it was ready`);
  assert.equal(a.store.isWritable(), true);
  assert.equal((await put(b, '2', 2, null))?.modifiedIndex, 2);
  await a.until(() => a.latest.has('routes/2'), 'the change after it');
  assert.equal(a.store.health().restorations + b.store.health().restorations, 0);
  assert.deepEqual(b.warnings.length, 2);
});

test('a change that was made while one gateway was cut off is at it when it is back', { skip }, async (t) => {
  const { redis, folder, a, b } = await openPair(t);
  const cached = join(folder, 'b');
  await b.close();
  await put(a, '2', 2, null);
  await remove(a, '1', 1);
  const again = await openStore(t, redis.port, cached);
  assert.deepEqual(Object.keys(toShort(again.latest)), ['routes/2']);
  assert.deepEqual(again.warnings, []);
});

test('a Redis that lost its data is given the last known resources by one of the gateways', {
  skip,
}, async (t) => {
  const { redis, a, b } = await openPair(t);
  await put(b, '2', 2, null);
  await a.until(() => a.latest.size === 2, 'the second change');
  await redis.kill();
  await Promise.all([a.warned('cannot be reached'), b.warned('cannot be reached')]);
  await redis.start();
  const startedMs = performance.now();
  await Promise.all([a.warned('reached again'), b.warned('reached again')]);
  t.diagnostic(`put back ${Math.round(performance.now() - startedMs)} ms after it was ready`);
  assert.equal(a.store.health().restorations + b.store.health().restorations, 1, 'the first one wins');
  const [first, second] = a.store.health().restorations === 1 ? [a, b] : [b, a];
  assert.equal((await first.warned('were put back')).fields.resources, 2);
  await second.until(() => second.store.revision === 3, 'the set is taken over');
  assert.equal(first.store.revision, 3, 'above the last one');
  // Nothing in force has changed by it.
  assert.deepEqual(
    [a.sets.length, b.sets.length],
    [3, 2].map((n) => n - (n === 3 ? 1 : 0)),
  );
  assert.equal((await put(b, '1', 5, 1))?.modifiedIndex, 4);
  assert.equal((await put(a, '2', 5, 2))?.createdIndex, 2);
});

test('FLUSHALL under running gateways is undone', { skip }, async (t) => {
  const { redis, a, b } = await openPair(t);
  await redis.command('FLUSHALL');
  await Promise.race([a.warned('were put back'), b.warned('were put back')]);
  const text = String(await redis.command('HGET', HASH, 'routes/1'));
  assert.equal(text, '{"createdIndex":1,"modifiedIndex":1,"value":{"id":"1","n":1}}');
  await redis.command('FLUSHALL');
  // A write meets the emptiness before anybody else.
  assert.equal((await put(a, '2', 2, null))?.value.n, 2);
  await b.until(() => b.latest.has('routes/2'), 'the change after it');
  assert.equal(b.latest.has('routes/1'), true);
});

test('a set that nobody has written to yet is no reason to forget a known one', { skip }, async (t) => {
  const { redis, folder, a, b } = await openPair(t);
  await redis.kill();
  await Promise.all([a.warned('cannot be reached'), b.warned('cannot be reached')]);
  // A gateway that knows nothing finds an empty Redis before those that know.
  await closeAll(a, b);
  await redis.start();
  const fresh = await openStore(t, redis.port, join(folder, 'fresh'));
  assert.equal(fresh.latest.size, 0);
  const again = await openStore(t, redis.port, join(folder, 'b'));
  assert.deepEqual(Object.keys(toShort(again.latest)), ['routes/1']);
  await again.warned('were put back');
  await fresh.until(() => fresh.latest.size === 1, 'the set of the one that knew');
});

test('another set is taken over, and an older one too, with a warning', { skip }, async (t) => {
  const { redis, a } = await openPair(t);
  await put(a, '2', 2, null);
  // Back to what it was before the second change, as after a fail-over to a replica that lagged.
  await redis.command(
    'EVAL',
    `redis.call('HDEL', KEYS[1], 'routes/2')
    redis.call('HSET', KEYS[1], 'revision', 1, 'stamp', 'old')`,
    1,
    HASH,
  );
  await a.warned('went back to older resources');
  await a.until(() => !a.latest.has('routes/2'), 'the older set');
  await redis.command('HSET', HASH, 'epoch', 'another', 'revision', 9, 'stamp', 'z');
  const { fields } = await a.warned('another set of resources');
  assert.deepEqual([fields.revision, fields.last], [9, 1]);
  assert.equal((await put(a, '3', 3, null))?.modifiedIndex, 10);
});

test('after a fail-over another change may have the same number, and is told from it', {
  skip,
}, async (t) => {
  const { redis, a } = await openPair(t);
  await redis.command(
    'HSET',
    HASH,
    'stamp',
    'other',
    'routes/1',
    '{"createdIndex":1,"modifiedIndex":1,"value":{"n":7}}',
  );
  await a.until(() => a.latest.get('routes/1')?.value.n === 7, 'the other change');
});

test('a silent Redis fails writes in time, nothing is stored late, and reading goes on', {
  skip,
}, async (t) => {
  const redis = await openRedis(t);
  const folder = makeFolder(t);
  const a = await openStore(t, redis.port, join(folder, 'a'), { timeoutMs: 300 });
  await put(a, '1', 1, null);
  redis.pause();
  const startedMs = performance.now();
  const beatsPromise = countBeats(2_000);
  await assert.rejects(put(a, '2', 2, null), assertUnavailable(/no answer within 300 ms/));
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs < 3_000, `${tookMs} ms`);
  assert.equal(a.store.isWritable(), false);
  const refusedMs = performance.now();
  await assert.rejects(put(a, '3', 3, null), assertUnavailable(/./));
  assert.ok(performance.now() - refusedMs < 1_500, 'the next one is refused at once, or after one check');
  assert.ok((await beatsPromise) > 100, 'the thread is not blocked');
  redis.resume();
  await a.warned('reached again');
  assert.equal((await put(a, '4', 4, null))?.modifiedIndex, 2, 'what had failed was not stored later');
  assert.deepEqual(await redis.command('HEXISTS', HASH, 'routes/2'), 0);
  assert.deepEqual(await redis.command('HEXISTS', HASH, 'routes/3'), 0);
});

/** How often a timer of 10 ms fires in that time. */
async function countBeats(ms: number): Promise<number> {
  let beats = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      beats += 1;
    }, 10);
    setTimeout(() => {
      clearInterval(timer);
      resolve();
    }, ms);
  });
  return beats;
}

test('a gateway that restarts without Redis has its last resources, and writes again when it is back', {
  skip,
}, async (t) => {
  const { redis, folder, a, b } = await openPair(t, PERSISTENT);
  await put(b, '2', 2, null);
  await a.until(() => a.latest.size === 2, 'the second change');
  await closeAll(a);
  await redis.kill();
  const startedMs = performance.now();
  const again = await openStore(t, redis.port, a.cachePath);
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs > 1_500 && tookMs < 10_000, `it waits for Redis, for ${tookMs} ms`);
  assert.deepEqual(toShort(again.latest), {
    'routes/1': [1, 1, { id: '1', n: 1 }],
    'routes/2': [2, 2, { id: '2', n: 2 }],
  });
  const warning = await again.warned('the resources of the cache file are in force');
  assert.equal(warning.fields.file, join(folder, 'a'));
  assert.equal(again.store.isWritable(), false);
  assert.equal(again.store.health().lastSyncMs, null);
  await redis.start();
  await again.warned('reached again');
  assert.equal(again.sets.length, 1, 'nothing is new');
  assert.equal((await put(again, '3', 3, null))?.modifiedIndex, 3);
  await b.until(() => b.latest.has('routes/3'), 'the change after it');
});

test('resources of a cache file are put into an emptied Redis when nobody else does', { skip }, async (t) => {
  const { redis, a, b } = await openPair(t);
  await closeAll(a, b);
  await redis.kill();
  await redis.start();
  const again = await openStore(t, redis.port, a.cachePath);
  assert.equal(again.latest.size, 1);
  await again.warned('were put back');
  assert.equal((await put(again, '1', 2, 1))?.modifiedIndex, 3);
});

test('who knows the set only from its cache file lets those go first who know a newer one', {
  skip,
}, async (t) => {
  const { redis, folder, a, b } = await openPair(t);
  await closeAll(a);
  await put(b, '2', 2, null);
  await redis.kill();
  await b.warned('cannot be reached');
  const old = watch(redis.port, join(folder, 'a'));
  t.after(() => old.close());
  const opening = old.open();
  await redis.start();
  await opening;
  await b.warned('were put back');
  await old.until(() => old.latest.has('routes/2'), 'the newer set');
  assert.equal(old.store.health().restorations, 0);
});

test('a start without Redis and without a server at its port is refused in about two seconds', {
  skip,
}, async (t) => {
  const a = watch(await takePort(), join(makeFolder(t), 'none'));
  const startedMs = performance.now();
  await assert.rejects(a.open(), /ECONNREFUSED.*there is no cache file.*; the routes cannot be known$/);
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs > 1_900 && tookMs < 10_000, `${tookMs} ms`);
  await assert.rejects(put(a, '1', 1, null), assertUnavailable(/the gateway is ending/));
});
