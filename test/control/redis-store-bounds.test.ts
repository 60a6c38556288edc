// The store in Redis at its bounds: what it holds, what Redis refuses, and a cluster that loses a master.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { StoreUnavailable } from '../../src/control/store/store.ts';
import { openRedis, openRedisCluster, skipWithoutRedis, toSettings } from '../kit/redis.ts';
import { CHANNEL, HASH, makeFolder, openStore, put, remove, watch } from './redis-store-kit.ts';

const skip = skipWithoutRedis();

test('values survive as they are: deep, long, any text', { skip }, async (t) => {
  const redis = await openRedis(t);
  const folder = makeFolder(t);
  const a = await openStore(t, redis.port, join(folder, 'a'));
  const b = await openStore(t, redis.port, join(folder, 'b'));
  let deep: unknown = 'end';
  for (let level = 0; level < 3_000; level++) deep = [deep];
  const value = {
    id: 'x',
    deep,
    long: 'ü'.repeat(700_000),
    odd: '\ud800 \u0000 \n "\\ 💡',
    empty: {},
    list: [],
  };
  await a.store.write({ kind: 'upstreams', id: 'x', value, basis: null });
  await b.until(() => b.sets.length === 2, 'the change');
  assert.equal(JSON.stringify(b.latest.get('upstreams/x')?.value), JSON.stringify(value));
  assert.equal((await b.store.write({ kind: 'upstreams', id: 'x', value, basis: 1 }))?.modifiedIndex, 2);
});

test('the number of resources is bounded, and what is more is not read', { skip }, async (t) => {
  const redis = await openRedis(t);
  const folder = makeFolder(t);
  const a = await openStore(t, redis.port, join(folder, 'a'), { timeoutMs: 10_000 });
  const fill = `for i = ARGV[1], ARGV[2] do
    redis.call('HSET', KEYS[1], 'routes/' .. i, '{"createdIndex":1,"modifiedIndex":1,"value":{}}') end
    redis.call('HSET', KEYS[1], 'stamp', ARGV[2])
    redis.call('HINCRBY', KEYS[1], 'revision', 1)`;
  await redis.command('EVAL', fill, 1, HASH, 1, 29_999);
  await a.until(() => a.latest.size === 29_999, 'all of them');
  await put(a, 'last', 1, null);
  await assert.rejects(put(a, 'more', 1, null), (error: Error) => {
    assert.ok(error instanceof StoreUnavailable);
    assert.match(error.message, /there are 30000 resources already/);
    return true;
  });
  assert.equal((await put(a, '7', 1, 1))?.createdIndex, 1, 'a change of one that is there is taken');
  await redis.command('EVAL', fill, 1, HASH, 30_000, 30_000);
  const { fields } = await a.warned('cannot be reached');
  assert.match(String(fields.cause), /has 30001 resources, more than 30000/);
  assert.equal(a.store.isWritable(), false);
  await redis.command('HDEL', HASH, 'routes/30000');
  await a.warned('reached again');
  await redis.command('FLUSHALL');
  await a.warned('were put back');
  await a.until(() => a.store.isWritable(), 'writable');
  assert.equal(await redis.command('HLEN', HASH), 30_003);
});

test('the bytes of all resources together are bounded', { skip }, async (t) => {
  const redis = await openRedis(t);
  const a = await openStore(t, redis.port, join(makeFolder(t), 'a'), { timeoutMs: 10_000 });
  const write = (id: string, bytes: number) =>
    a.store.write({ kind: 'routes', id, value: { text: 'x'.repeat(bytes) }, basis: null });
  await write('1', 36 * 1024 * 1024);
  await write('2', 35 * 1024 * 1024);
  await assert.rejects(write('3', 1024 * 1024), /more than 75497472 bytes together/);
  await write('3', 1024 * 1024 - 1024);
  await remove(a, '1', 1);
  await write('4', 35 * 1024 * 1024);
});

test('a Redis that takes reads but no writes refuses at once and says why', { skip }, async (t) => {
  const redis = await openRedis(t);
  const a = await openStore(t, redis.port, join(makeFolder(t), 'a'));
  await put(a, '1', 1, null);
  await redis.command('CONFIG', 'SET', 'maxmemory', '1');
  await assert.rejects(put(a, '2', 2, null), (error: Error) => {
    assert.ok(error instanceof StoreUnavailable);
    assert.match(error.message, /^Redis at 127\.0\.0\.1:\d+: OOM .*; the change was not stored$/);
    return true;
  });
  await redis.command('CONFIG', 'SET', 'maxmemory', '0');
  assert.equal((await put(a, '2', 2, null))?.modifiedIndex, 2);
});

test('what is not reached at the first start is named in one line', { skip }, async (t) => {
  const redis = await openRedis(t, [], 'right-secret');
  const folder = makeFolder(t);
  const a = watch({ ...toSettings([redis.port]), password: 'wrong-secret' }, join(folder, 'none'));
  await assert.rejects(a.open(), (error: Error) => {
    assert.match(
      error.message,
      /^store: Redis at 127\.0\.0\.1:\d+: .*WRONGPASS.*; and there is no cache file .*none; the routes cannot be known$/,
    );
    assert.doesNotMatch(error.message, /secret|\n/);
    return true;
  });
});
test('a cluster keeps the resources as one server does, also when a master is lost', { skip }, async (t) => {
  const cluster = await openRedisCluster(t);
  const folder = makeFolder(t);
  const redis = { ...cluster.settings, timeoutMs: 2_000 };
  const a = watch(redis, join(folder, 'a'));
  const b = watch(redis, join(folder, 'b'));
  t.after(() => Promise.all([a.close(), b.close()]));
  await a.open();
  await b.open();
  await put(a, '1', 1, null);
  await b.until(() => b.latest.has('routes/1'), 'the change');
  const master = await cluster.masterOf(HASH);
  await master.command('WAIT', 1, 10_000);
  await master.kill();
  await a.warned('cannot be reached');
  await a.warned('reached again');
  await put(a, '2', 2, null);
  await b.until(() => b.latest.has('routes/2'), 'the change after the fail-over');
  assert.equal(a.store.health().restorations + b.store.health().restorations, 0);
});

test('a user of Redis who may do no more than what is needed is enough', { skip }, async (t) => {
  const redis = await openRedis(t);
  const rights = '+@scripting +@hash +@pubsub +@connection +get +set +time +info'.split(' ');
  const user = ['gateway', 'reset', 'on', '>some-secret', ...rights, '~umbra:*', '&umbra:*'];
  await redis.command('ACL', 'SETUSER', ...user);
  const folder = makeFolder(t);
  const settings = { ...toSettings([redis.port]), username: 'gateway', password: 'some-secret' };
  const [a, b] = [watch(settings, join(folder, 'a')), watch(settings, join(folder, 'b'))];
  t.after(() => Promise.all([a.close(), b.close()]));
  await a.open();
  await b.open();
  const startedMs = performance.now();
  await put(a, '1', 1, null);
  await b.until(() => b.sets.length === 2, 'the change');
  assert.equal(((await redis.command('PUBSUB', 'NUMSUB', CHANNEL)) as [string, number])[1], 2, 'both listen');
  t.diagnostic(`heard after ${Math.round(performance.now() - startedMs)} ms`);
  await redis.command('FLUSHALL');
  await Promise.race([a.warned('were put back'), b.warned('were put back')]);
  // Redis says in its log what it refused.
  assert.deepEqual(await redis.command('ACL', 'LOG'), []);
});
