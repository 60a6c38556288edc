// Two whole gateways that share their routes by Redis: what one is told both serve, and neither needs Redis to serve.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Gateway } from '../kit/gateway.ts';
import { skipWithoutRedis, takePort } from '../kit/redis.ts';
import {
  call,
  get,
  keepSending,
  openScene,
  TIMEOUT_MS,
  toRoute,
  until,
  untilServed,
  untilWritable,
} from './shared-scene.ts';

const skip = skipWithoutRedis();

test('what one gateway is told the other serves within a second: new, changed, mirrored, removed', {
  skip,
}, async (t) => {
  const scene = await openScene(t);
  const { primary, other, shadow } = scene;
  const a = await scene.start('a');
  const b = await scene.start('b');
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const [from, to] = round % 2 === 0 ? [a, b] : [b, a];
    const path = `/r${round}`;
    assert.equal((await call(from, 'PUT', path.slice(1), toRoute(path, primary))).status, 201);
    times.push(await untilServed(to, path, 'primary'));
    assert.equal(await get(from, path), 'primary');
    assert.equal((await call(to, 'PUT', path.slice(1), toRoute(path, other, shadow))).status, 200);
    times.push(await untilServed(from, path, 'other'));
    assert.deepEqual(
      await call(a, 'GET', path.slice(1)),
      await call(b, 'GET', path.slice(1)),
      'the same indexes',
    );
    assert.equal((await call(from, 'DELETE', path.slice(1))).status, 200);
    times.push(await untilServed(to, path, '404'));
  }
  times.sort((x, y) => x - y);
  t.diagnostic(
    `served by the other after ${Math.round(times[7]!)} ms (median), ${Math.round(times[14]!)} ms (slowest of 15)`,
  );
  assert.equal((await call(a, 'PUT', 'm', toRoute('/m', primary, shadow))).status, 201);
  await untilServed(b, '/m', 'primary');
  const copies = shadow.completed;
  await get(b, '/m');
  await shadow.waitFor(copies + 1);
});

test('two clients that change one route at two gateways both get an answer, and the later one holds', {
  skip,
}, async (t) => {
  const scene = await openScene(t);
  const a = await scene.start('a');
  const b = await scene.start('b');
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      call(n % 2 === 0 ? a : b, 'PUT', 'x', toRoute(`/x${n}`, scene.primary)),
    ),
  );
  assert.deepEqual([...new Set(answers.map(({ status }) => status))].sort(), [200, 201]);
  assert.equal(answers.filter(({ status }) => status === 201).length, 1);
  const read = async (gateway: Gateway) => JSON.stringify((await call(gateway, 'GET', 'x')).body);
  await until(async () => (await read(a)) === (await read(b)), 'both say the same');
  assert.equal((await call(a, 'GET', 'x')).body.modifiedIndex, 20);
});

test('while Redis is down traffic goes on and changes get 503; an emptied Redis gets the routes back', {
  skip,
}, async (t) => {
  const scene = await openScene(t);
  const a = await scene.start('a');
  const b = await scene.start('b');
  await call(a, 'PUT', '1', toRoute('/1', scene.primary, scene.shadow));
  await untilServed(b, '/1', 'primary');
  let isOver = false;
  const traffic = [a, b].map((gateway) => keepSending(gateway, '/1', () => isOver));
  await scene.redis.kill();
  await Promise.all([untilWritable(a, 0), untilWritable(b, 0)]);
  const refused = await call(a, 'PUT', '2', toRoute('/2', scene.primary));
  assert.equal(refused.status, 503);
  assert.match(
    String(refused.body.error_msg),
    /^routes cannot be changed now: Redis at 127\.0\.0\.1:\d+: [^\n]+$/,
  );
  assert.equal((await call(a, 'GET', '1')).status, 200);
  assert.equal((await call(a, 'DELETE', '1')).status, 503);
  await scene.redis.start();
  const tookMs = Math.max(...(await Promise.all([untilWritable(a, 1), untilWritable(b, 1)])));
  t.diagnostic(`writable ${Math.round(tookMs)} ms after Redis was back`);
  const message = 'the store had lost its resources: the last known ones were put back';
  await until(() => a.logs(message).length + b.logs(message).length > 0, 'it is told');
  assert.equal((await call(b, 'PUT', '2', toRoute('/2', scene.other))).status, 201);
  await untilServed(a, '/2', 'other');
  isOver = true;
  assert.equal(a.logs(message).length + b.logs(message).length, 1, 'one gateway did it');
  for (const { bodies, count } of await Promise.all(traffic)) {
    assert.deepEqual([...bodies], ['200 primary'], `${count} requests`);
  }
});

test('a silent Redis holds up no request, and a change fails within its time', { skip }, async (t) => {
  const scene = await openScene(t);
  const a = await scene.start('a');
  await call(a, 'PUT', '1', toRoute('/1', scene.primary));
  let isOver = false;
  const traffic = keepSending(a, '/1', () => isOver);
  scene.redis.pause();
  const startedMs = performance.now();
  const refused = await call(a, 'PUT', '2', toRoute('/2', scene.primary));
  const tookMs = performance.now() - startedMs;
  t.diagnostic(`503 after ${Math.round(tookMs)} ms, timeout ${TIMEOUT_MS} ms`);
  assert.equal(refused.status, 503);
  assert.ok(tookMs < 10 * TIMEOUT_MS, `${tookMs} ms`);
  const mirrors = await fetch(`http://127.0.0.1:${a.adminPort}/mirrors`);
  assert.equal(mirrors.status, 200);
  scene.redis.resume();
  await untilWritable(a, 1);
  assert.equal((await call(a, 'GET', '2')).status, 404, 'what was refused did not happen later');
  assert.equal((await call(a, 'PUT', '3', toRoute('/3', scene.other))).status, 201);
  isOver = true;
  const { bodies, slowestMs, count } = await traffic;
  assert.deepEqual([...bodies], ['200 primary']);
  t.diagnostic(`${count} requests, the slowest took ${Math.round(slowestMs)} ms`);
});

test('a gateway that restarts without Redis serves its last routes, and takes changes when it is back', {
  skip,
}, async (t) => {
  const scene = await openScene(t);
  const a = await scene.start('a');
  const b = await scene.start('b');
  await call(a, 'PUT', '1', toRoute('/1', scene.primary));
  await call(a, 'PUT', '2', toRoute('/2', scene.other));
  await untilServed(b, '/2', 'other');
  assert.equal(await b.stop(), 0);
  await scene.redis.kill();
  const again = await scene.start('b');
  assert.equal(await get(again, '/1'), 'primary');
  assert.equal(await get(again, '/2'), 'other');
  assert.equal((await call(again, 'PUT', '3', toRoute('/3', scene.other))).status, 503);
  await again.waitForLog('the store cannot be reached: the resources of the cache file are in force');
  await scene.redis.start();
  await untilWritable(again, 1);
  assert.equal((await call(again, 'PUT', '3', toRoute('/3', scene.other))).status, 201);
  await untilServed(a, '/3', 'other');
});

test('a gateway that is killed has its routes in the cache file, and serves them without Redis', {
  skip,
}, async (t) => {
  const scene = await openScene(t);
  const a = await scene.start('a');
  await call(a, 'PUT', '1', toRoute('/1', scene.primary));
  const cachePath = scene.cachePath('a');
  await until(
    () => existsSync(cachePath) && readFileSync(cachePath, 'utf8').includes('routes/1'),
    'it is cached',
  );
  a.signal('SIGKILL');
  await a.exited;
  await scene.redis.kill();
  assert.equal(await get(await scene.start('a'), '/1'), 'primary');
});

test('without Redis and without a cache file a start fails with one line', { skip }, async (t) => {
  const scene = await openScene(t, await takePort());
  await assert.rejects(scene.start('a'), (error: Error) => {
    const line = error.message.split('\n').find((text) => text.includes('store: Redis at'));
    assert.match(
      line!,
      /ECONNREFUSED.*; and there is no cache file .*routes\.json; the routes cannot be known/,
    );
    assert.doesNotMatch(error.message, /\n\s+at /, 'no stack');
    return true;
  });
});
