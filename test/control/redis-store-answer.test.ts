// Writes whose answer does not come: the store says what is true, and what it has denied never happens later.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { StoreUnavailable } from '../../src/control/store/store.ts';
import { openRedis, type RedisServer, skipWithoutRedis } from '../kit/redis.ts';
import {
  HASH,
  makeFolder,
  openStore,
  openWire,
  put,
  remove,
  untilChecked,
  type Watched,
  type Wire,
} from './redis-store-kit.ts';

const skip = skipWithoutRedis();
const TIMEOUT_MS = 400;

interface Setup {
  readonly redis: RedisServer;
  readonly wire: Wire;
  /** Behind the wire. */
  readonly a: Watched;
  /** Beside it. */
  readonly b: Watched;
}

async function open(t: TestContext, timeoutMs = TIMEOUT_MS): Promise<Setup> {
  const redis = await openRedis(t);
  const wire = await openWire(redis.port);
  t.after(() => wire.close());
  const folder = makeFolder(t);
  const a = await openStore(t, wire.port, join(folder, 'a'), { timeoutMs });
  const b = await openStore(t, redis.port, join(folder, 'b'));
  await put(a, '1', 1, null);
  await b.until(() => b.sets.length === 2, 'the first change');
  return { redis, wire, a, b };
}

test('a write whose answer is lost is found out to have happened, with its indices', { skip }, async (t) => {
  const { wire, a, b } = await open(t);
  await untilChecked(a);
  wire.holdCurrent('answers');
  const made = put(a, '2', 2, null);
  await b.until(() => b.latest.has('routes/2'), 'it is stored');
  assert.deepEqual(await made, {
    kind: 'routes',
    id: '2',
    value: { id: '2', n: 2 },
    createdIndex: 2,
    modifiedIndex: 2,
  });
  assert.equal(a.sets.length, 1, 'its own change is not told');
  await a.until(() => a.store.isWritable() || a.warnings.length > 1, 'reached again');
  assert.equal((await put(a, '2', 3, 2))?.createdIndex, 2);
  assert.equal(a.store.health().failures, 1);
});

test('so is a removal, and a write that somebody else has changed since', { skip }, async (t) => {
  const { wire, a, b } = await open(t);
  await untilChecked(a);
  wire.holdCurrent('answers');
  const removed = remove(a, '1', 1);
  await b.until(() => !b.latest.has('routes/1'), 'it is removed');
  assert.equal(await removed, null);
  await put(a, '2', 2, null);
  await b.until(() => b.latest.has('routes/2'), 'the next change');
  await untilChecked(a);
  wire.holdCurrent('answers');
  const written = put(a, '2', 3, 3);
  await b.until(() => b.latest.get('routes/2')?.modifiedIndex === 4, 'it is stored');
  await put(b, '2', 4, 4);
  assert.equal((await written)?.modifiedIndex, 4);
  await a.until(() => a.latest.get('routes/2')?.modifiedIndex === 5, 'and the change after it is told');
});

// Denied because its time was over, and because it was asked for while it still had time.
for (const [how, timeoutMs, message] of [
  ['late', TIMEOUT_MS, /no answer within 400 ms; the change was not stored$/],
  ['over a connection that had broken', 60_000, /closed; the change was not stored$/],
] as const) {
  test(`a write that Redis gets ${how}, after it was denied, is not stored`, { skip }, async (t) => {
    const { redis, wire, a } = await open(t, timeoutMs);
    // The connection of now holds it back; the next one asks, and is told no.
    await untilChecked(a);
    wire.holdCurrent('requests');
    const denied = assert.rejects(put(a, '2', 2, null), (error: Error) => {
      assert.ok(error instanceof StoreUnavailable);
      assert.match(error.message, message);
      return true;
    });
    await wire.untilHeld();
    if (timeoutMs !== TIMEOUT_MS) wire.cut();
    await denied;
    assert.ok(wire.held() > 0);
    await wire.release();
    await a.warned('reached again');
    assert.equal(await redis.command('HEXISTS', HASH, 'routes/2'), 0);
    assert.equal(await redis.command('HGET', HASH, 'revision'), '1');
  });
}

test('a write of which nobody could say anything is not stored later either', { skip }, async (t) => {
  const { redis, wire, a } = await open(t);
  await untilChecked(a);
  wire.hold('requests');
  await assert.rejects(put(a, '2', 2, null), (error: Error) => {
    assert.ok(error instanceof StoreUnavailable);
    assert.match(error.message, /whether the change was stored is not known$/);
    return true;
  });
  await wire.release();
  await a.warned('reached again');
  assert.equal((await put(a, '3', 3, null))?.modifiedIndex, 2);
  assert.equal(await redis.command('HEXISTS', HASH, 'routes/2'), 0);
});

test('a write that happened although nobody could say so is told as a change when Redis is back', {
  skip,
}, async (t) => {
  const { wire, a, b } = await open(t);
  await untilChecked(a);
  wire.hold('answers');
  await assert.rejects(put(a, '2', 2, null), /whether the change was stored is not known$/);
  assert.equal(b.latest.has('routes/2'), true);
  assert.equal(a.latest.has('routes/2'), false);
  await wire.release();
  await a.until(() => a.latest.has('routes/2'), 'the change');
  await a.warned('reached again');
  assert.equal((await put(a, '2', 3, 2))?.modifiedIndex, 3);
});

test('a Redis that is killed in the middle of writes: what is there is what was said', {
  skip,
}, async (t) => {
  const redis = await openRedis(t, ['--appendonly', 'yes', '--appendfsync', 'always']);
  const a = await openStore(t, redis.port, join(makeFolder(t), 'a'), { timeoutMs: 2_000 });
  const said = new Map<string, boolean>();
  for (let round = 0; round < 5; round++) {
    const writes = Array.from({ length: 20 }, async (_, n) => {
      const id = `${round}-${n}`;
      said.set(
        id,
        await put(a, id, n, null).then(
          () => true,
          (error: unknown) => {
            assert.ok(error instanceof StoreUnavailable, String(error));
            assert.doesNotMatch(error.message, /not known/);
            return false;
          },
        ),
      );
    });
    const middle = writes[Math.min(19, round * 4)]!;
    await middle;
    await redis.kill();
    await redis.start();
    await Promise.all(writes);
    await a.until(() => a.store.isWritable(), 'writable');
  }
  assert.equal(said.size, 100);
  for (const [id, isStored] of said) {
    assert.equal(await redis.command('HEXISTS', HASH, `routes/${id}`), isStored ? 1 : 0, id);
  }
  t.diagnostic(`${[...said.values()].filter(Boolean).length} of 100 stored`);
});
