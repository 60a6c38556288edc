// The store in Redis with two gateways on it: order, conflicts, notifications, and what is damaged.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { StoreConflict } from '../../src/control/store/store.ts';
import { openRedis, skipWithoutRedis } from '../kit/redis.ts';
import { CHANNEL, HASH, makeFolder, openStore, openWire, put, remove, toShort } from './redis-store-kit.ts';

const skip = skipWithoutRedis();

test('a change of one gateway is at the other within a second, with the same indices', {
  skip,
}, async (t) => {
  const redis = await openRedis(t);
  const folder = makeFolder(t);
  const a = await openStore(t, redis.port, join(folder, 'a'));
  const b = await openStore(t, redis.port, join(folder, 'b'));
  assert.equal(a.latest.size, 0);
  assert.equal(a.store.isWritable(), true);
  const startedMs = performance.now();
  const made = await put(a, '1', 1, null);
  assert.deepEqual(made, {
    kind: 'routes',
    id: '1',
    value: { id: '1', n: 1 },
    createdIndex: 1,
    modifiedIndex: 1,
  });
  await b.until(() => b.sets.length === 2, 'the first change');
  t.diagnostic(`applied after ${Math.round(performance.now() - startedMs)} ms`);
  assert.deepEqual(toShort(b.latest), { 'routes/1': [1, 1, { id: '1', n: 1 }] });
  assert.equal((await put(b, '2', 2, null))?.modifiedIndex, 2);
  const changed = await put(b, '1', 3, 1);
  assert.deepEqual([changed?.createdIndex, changed?.modifiedIndex], [1, 3]);
  const expected = { 'routes/1': [1, 3, { id: '1', n: 3 }], 'routes/2': [2, 2, { id: '2', n: 2 }] };
  await a.until(() => a.latest.get('routes/1')?.modifiedIndex === 3, 'the changes of the other');
  assert.deepEqual(toShort(a.latest), expected);
  assert.equal(await remove(a, '2', 2), null);
  await b.until(() => b.sets.length === 3, 'the removal');
  assert.deepEqual(Object.keys(toShort(b.latest)), ['routes/1']);
  assert.equal(a.store.revision, 4);
  assert.equal(b.store.revision, 4);
  // Own changes are never told: b heard of two, a of at most two.
  assert.equal(b.sets.length, 3);
  assert.ok(a.sets.length <= 3, JSON.stringify(a.sets.map(toShort)));
  assert.deepEqual([...a.warnings, ...b.warnings], []);
});

test('a change that was made on an older version is a conflict, and the newer one is known then', {
  skip,
}, async (t) => {
  const redis = await openRedis(t);
  const folder = makeFolder(t);
  const a = await openStore(t, redis.port, join(folder, 'a'));
  const b = await openStore(t, redis.port, join(folder, 'b'));
  await put(a, '1', 1, null);
  await b.until(() => b.sets.length === 2, 'the change');
  // Both at once, on the same version: one wins.
  const results = await Promise.allSettled([put(a, '1', 2, 1), put(b, '1', 3, 1)]);
  assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  const loser = results[0].status === 'rejected' ? a : b;
  const reason = results.find((result) => result.status === 'rejected')?.reason;
  assert.ok(reason instanceof StoreConflict, String(reason));
  assert.equal(loser.latest.get('routes/1')?.modifiedIndex, 2, 'told before the conflict is');
  await assert.rejects(put(loser, '1', 4, null), StoreConflict);
  await assert.rejects(remove(loser, '1', 1), StoreConflict);
  await assert.rejects(put(loser, '9', 4, 7), StoreConflict);
  assert.equal((await put(loser, '1', 4, 2))?.modifiedIndex, 3);
  assert.equal(loser.store.revision, 3);
});

test('fifty changes of two gateways at the same time all count, and both know all of them', {
  skip,
}, async (t) => {
  const redis = await openRedis(t);
  const folder = makeFolder(t);
  const a = await openStore(t, redis.port, join(folder, 'a'));
  const b = await openStore(t, redis.port, join(folder, 'b'));
  const makeAll = async (watched: typeof a, name: string): Promise<number[]> => {
    const indices: number[] = [];
    for (let n = 0; n < 25; n++) indices.push((await put(watched, `${name}${n}`, n, null))!.modifiedIndex);
    return indices;
  };
  const indices = (await Promise.all([makeAll(a, 'a'), makeAll(b, 'b')])).flat().sort((x, y) => x - y);
  assert.deepEqual(
    indices,
    Array.from({ length: 50 }, (_, index) => index + 1),
  );
  // The last writer need not be told; the other one is. A write says all that came before.
  await put(a, 'end', 0, null);
  await b.until(() => b.latest.has('routes/end'), 'the last change');
  await put(b, 'end2', 0, null);
  await a.until(() => a.latest.has('routes/end2'), 'the very last change');
  assert.equal(a.latest.size, 52);
  assert.deepEqual(toShort(a.latest)['routes/a0'], toShort(b.latest)['routes/a0']);
  assert.equal(b.latest.size >= 51, true);
});

test('a write tells of changes of others that came in between, and never of its own', { skip }, async (t) => {
  const redis = await openRedis(t);
  const folder = makeFolder(t);
  const a = await openStore(t, redis.port, join(folder, 'a'));
  const b = await openStore(t, redis.port, join(folder, 'b'));
  // The second is sent before the notification of the first can have been heard.
  const [, second] = await Promise.all([put(a, '1', 1, null), put(b, '2', 2, null)]);
  assert.equal(second?.kind, 'routes');
  const late = second?.modifiedIndex === 2 ? b : a;
  const early = late === a ? b : a;
  assert.deepEqual(Object.keys(toShort(late.latest)).sort(), ['routes/1', 'routes/2']);
  assert.equal(late.sets.length, 2);
  await early.until(() => early.latest.size === 2, 'the later change');
  assert.equal(early.sets.length, 2);
});

test('what is told while a write waits for its turn does not hide the write', { skip }, async (t) => {
  const redis = await openRedis(t);
  const folder = makeFolder(t);
  const wire = await openWire(redis.port);
  t.after(() => wire.close());
  const a = await openStore(t, wire.port, join(folder, 'a'), { timeoutMs: 20_000 });
  const b = await openStore(t, redis.port, join(folder, 'b'));
  wire.hold('requests');
  // The periodic check has left, and Redis will see it after the other's change.
  await wire.untilHeld();
  await put(b, '1', 1, null);
  const written = put(a, '2', 2, null);
  await wire.release();
  assert.equal((await written)?.modifiedIndex, 2);
  assert.deepEqual(Object.keys(toShort(a.latest)).sort(), ['routes/1', 'routes/2']);
});

test('changes are notified of: the other need not wait for its periodic check', { skip }, async (t) => {
  const redis = await openRedis(t);
  const folder = makeFolder(t);
  const a = await openStore(t, redis.port, join(folder, 'a'));
  const b = await openStore(t, redis.port, join(folder, 'b'));
  await put(a, 'first', 0, null);
  await b.until(() => b.latest.has('routes/first'), 'the first change');
  const startedMs = performance.now();
  for (let n = 0; n < 10; n++) {
    await put(a, String(n), n, null);
    await b.until(() => b.latest.has(`routes/${n}`), `change ${n}`);
  }
  const tookMs = performance.now() - startedMs;
  // Found by checks alone, each would take half a second.
  assert.ok(tookMs < 3_000, `${tookMs} ms`);
});

test('a change that nobody notified of is found by the periodic check', { skip }, async (t) => {
  const redis = await openRedis(t);
  const a = await openStore(t, redis.port, join(makeFolder(t), 'a'));
  const silent = `redis.call('HSET', KEYS[1], 'routes/2', ARGV[1], 'stamp', 'x')
    redis.call('HINCRBY', KEYS[1], 'revision', 1)`;
  const startedMs = performance.now();
  await redis.command('EVAL', silent, 1, HASH, '{"createdIndex":2,"modifiedIndex":2,"value":{"n":2}}');
  await a.until(() => a.latest.has('routes/2'), 'the change without a notification');
  t.diagnostic(`found after ${Math.round(performance.now() - startedMs)} ms`);
});

test('a change at the moment when nobody listens is found, and listening goes on', { skip }, async (t) => {
  const redis = await openRedis(t);
  const folder = makeFolder(t);
  const a = await openStore(t, redis.port, join(folder, 'a'));
  const b = await openStore(t, redis.port, join(folder, 'b'));
  const subscribers = async () =>
    Number(((await redis.command('PUBSUB', 'NUMSUB', CHANNEL)) as [string, number])[1]);
  await put(a, '1', 1, null);
  await b.until(() => b.sets.length === 2, 'the first change');
  const [killed] = await Promise.all([
    redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub'),
    put(a, '2', 2, null),
  ]);
  assert.equal(killed, 2);
  await b.until(() => b.latest.has('routes/2'), 'the change that nobody was told of');
  for (let n = 3; (await subscribers()) < 2; n++) {
    await put(a, String(n), n, null);
    await b.until(() => b.latest.has(`routes/${n}`), 'a change while they come back');
  }
  assert.deepEqual([...a.warnings, ...b.warnings], []);
});

test('notifications that mean nothing change nothing', { skip }, async (t) => {
  const redis = await openRedis(t);
  const a = await openStore(t, redis.port, join(makeFolder(t), 'a'));
  for (let n = 0; n < 200; n++) await redis.command('PUBLISH', CHANNEL, `junk ${n}`);
  await put(a, '1', 1, null);
  assert.equal(a.sets.length, 1);
  assert.deepEqual(a.warnings, []);
});

test('a damaged resource is left out or keeps its last version, is named, and can be replaced', {
  skip,
}, async (t) => {
  const redis = await openRedis(t);
  const a = await openStore(t, redis.port, join(makeFolder(t), 'a'));
  await put(a, '1', 1, null);
  const damage = async (field: string, text: string): Promise<void> => {
    await redis.command('HSET', HASH, field, text, 'stamp', text.slice(0, 9));
    await redis.command('HINCRBY', HASH, 'revision', 1);
  };
  await damage('routes/1', 'not JSON');
  assert.equal((await a.warned('last known version')).fields.field, 'routes/1');
  await damage('routes/2', '{"createdIndex":1,"modifiedIndex":1,"value":{');
  assert.equal((await a.warned('left out')).fields.field, 'routes/2');
  await damage('things/1', '{"createdIndex":1,"modifiedIndex":1,"value":{}}');
  assert.equal((await a.warned('left out', 2)).fields.field, 'things/1');
  await damage('routes/3', '{"createdIndex":1,"modifiedIndex":1,"value":{},"value":7}');
  assert.equal((await a.warned('left out', 3)).fields.field, 'routes/3');
  assert.equal(a.warnings[0]?.fields.key, HASH);
  assert.equal(a.warnings.length, 4, 'each is named once');
  assert.equal(a.sets.length, 1, 'nothing in force has changed');
  assert.equal(a.store.health().damaged, 4);
  const repaired = await put(a, '1', 2, 1);
  assert.equal(repaired?.createdIndex, 1);
  await put(a, '2', 2, null);
  assert.equal(a.store.health().damaged, 2);
  assert.equal(
    (await put(a, '2', 3, repaired!.modifiedIndex + 1))?.createdIndex,
    repaired!.modifiedIndex + 1,
  );
  // Somebody else's change of a damaged resource is a conflict as any other.
  await redis.command('HSET', HASH, 'routes/3', '{"createdIndex":1,"modifiedIndex":1,"value":{"n":1}}');
  await assert.rejects(put(a, '3', 9, null), StoreConflict);
});

test('gateways with different prefixes know nothing of each other', { skip }, async (t) => {
  const redis = await openRedis(t);
  const folder = makeFolder(t);
  const a = await openStore(t, redis.port, join(folder, 'a'), { prefix: 'one' });
  const b = await openStore(t, redis.port, join(folder, 'b'), { prefix: 'two' });
  await put(a, '1', 1, null);
  assert.equal((await put(b, '1', 2, null))?.modifiedIndex, 1);
  assert.equal(a.store.revision, 1);
  assert.equal(b.sets.length, 1);
});
