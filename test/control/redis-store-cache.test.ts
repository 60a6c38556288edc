// The cache file of the store in Redis: what it is worth damaged, how it is written, and when it cannot be.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipWithoutRedis } from '../kit/redis.ts';
import { closeAll, HASH, openPair, openStore, PERSISTENT, put, watch } from './redis-store-kit.ts';

const skip = skipWithoutRedis();

for (const [what, damage] of [
  ['absent', (path: string) => rmSync(path)],
  ['empty', (path: string) => truncateSync(path)],
  ['cut off', (path: string) => truncateSync(path, statSync(path).size - 5)],
  [
    'changed',
    (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replace('\\"n\\":1', '\\"n\\":2')),
  ],
  ['of another prefix', (path: string) => writeFileSync(path, readFileSync(`${path}-other`))],
] as const) {
  test(`with a cache file that is ${what} a start without Redis is refused, and one with Redis goes on`, {
    skip,
  }, async (t) => {
    const { redis, folder, a, b } = await openPair(t, PERSISTENT);
    const other = await openStore(t, redis.port, join(folder, 'a-other'), { prefix: 'other' });
    await put(other, '1', 1, null);
    await closeAll(a, b, other);
    const before = readFileSync(a.cachePath, 'utf8');
    damage(a.cachePath);
    assert.notEqual(what === 'absent' ? '' : readFileSync(a.cachePath, 'utf8'), before);
    await redis.kill();
    const refused = watch(redis.port, a.cachePath);
    await assert.rejects(refused.open(), (error: Error) => {
      assert.match(error.message, /^store: Redis at 127\.0\.0\.1:\d+: connect ECONNREFUSED/);
      assert.ok(error.message.includes(a.cachePath), error.message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
    await redis.start();
    const again = await openStore(t, redis.port, a.cachePath);
    assert.equal(again.latest.size, 1);
    assert.equal(again.warnings.length, what === 'absent' || what === 'of another prefix' ? 0 : 1);
    await again.close();
    const repaired = readFileSync(a.cachePath, 'utf8');
    assert.match(repaired, /\\"n\\":1/);
  });
}

test('the cache file is for its owner alone, and a burst of changes writes it a few times only', {
  skip,
}, async (t) => {
  const { a, b } = await openPair(t);
  const inodes = new Set<number>();
  const startedMs = performance.now();
  for (let n = 2; n <= 200; n++) {
    await put(a, String(n), n, null);
    // None before the first one is written.
    inodes.add(statSync(a.cachePath, { throwIfNoEntry: false })?.ino ?? 0);
  }
  const tookMs = performance.now() - startedMs;
  assert.ok(inodes.size <= 3 + tookMs / 400, `${inodes.size} files in ${tookMs} ms`);
  await closeAll(a);
  assert.equal(statSync(a.cachePath).mode & 0o777, 0o600);
  const kept = readFileSync(a.cachePath, 'utf8');
  assert.ok(kept.includes('"routes/200"') && kept.includes('"routes/1"'), 'the last one is in it');
  await b.until(() => b.latest.size === 200, 'all changes');
});

test('a cache file that cannot be written is one warning, and is written as soon as it can be', {
  skip,
}, async (t) => {
  const { redis, folder } = await openPair(t);
  const blocked = join(folder, 'blocked');
  writeFileSync(blocked, 'a file where a folder should be');
  const c = await openStore(t, redis.port, join(blocked, 'cache'));
  assert.equal(c.latest.size, 1);
  const { fields } = await c.warned('the cache file of the store cannot be written');
  assert.equal(fields.file, c.cachePath);
  await put(c, '2', 2, null);
  rmSync(blocked);
  while (!existsSync(c.cachePath)) await sleep(50);
  await c.close();
  assert.ok(readFileSync(c.cachePath, 'utf8').includes('"routes/2"'));
  assert.equal(c.warnings.filter(({ message }) => message.includes('cannot be written')).length, 1);
  assert.equal(c.store.health().cacheFailures, 1);
});

test('an empty Redis and a damaged cache file together are no reason to start with nothing', {
  skip,
}, async (t) => {
  const { redis, a, b } = await openPair(t);
  await closeAll(a, b);
  await redis.kill();
  await redis.start();
  truncateSync(a.cachePath, 100);
  const refused = watch(redis.port, a.cachePath);
  await assert.rejects(
    refused.open(),
    /it has no umbra:\{routes\}:resources; and .*is damaged.*; the routes cannot be known$/,
  );
  assert.equal(
    await redis.command('EXISTS', HASH),
    0,
    'nothing is made there that the next start would believe',
  );
  // Who removes the file says that there is nothing to lose.
  rmSync(a.cachePath);
  const fresh = await openStore(t, redis.port, a.cachePath);
  assert.equal(fresh.latest.size, 0);
});
