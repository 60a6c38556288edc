// The script that takes places: what a server answers, and what is no answer of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PlacesAsked, readAnswers, TAKE_PLACES, toValues } from '../../src/mirror/limit-script.ts';
import { openRedis, type RedisServer, skipWithoutRedis } from '../kit/redis.ts';

const skip = skipWithoutRedis();
const WINDOW_MS = 600_000;

async function take(
  server: RedisServer,
  asked: Readonly<Record<string, Partial<PlacesAsked>>>,
): Promise<unknown> {
  const keys = Object.keys(asked);
  const all = Object.values(asked).map((one) => ({ places: 1, count: 3, windowMs: WINDOW_MS, ...one }));
  const reply = await server.command('EVAL', TAKE_PLACES.lua, keys.length, ...keys, ...toValues(all));
  return readAnswers(reply, keys.length)?.map((answer) =>
    answer.error === null
      ? [answer.granted, answer.closedMs > 0 && answer.closedMs <= WINDOW_MS ? 'closed' : answer.closedMs]
      : answer.error.split(' ', 1)[0],
  );
}

test('places are given until there is none, and then the rest of the window', { skip }, async (t) => {
  const server = await openRedis(t);
  assert.deepEqual(await take(server, { a: { places: 2 } }), [[2, 0]]);
  assert.deepEqual(await take(server, { a: { places: 5 } }), [[1, 'closed']]);
  assert.deepEqual(await take(server, { a: { places: 1 } }), [[0, 'closed']]);
  assert.deepEqual(await take(server, { b: { places: 3 } }), [[3, 'closed']]);
  assert.deepEqual(await take(server, { c: { places: 4 } }), [[3, 'closed']]);
  assert.deepEqual(await take(server, { d: { places: 1, count: 1 } }), [[1, 'closed']]);
});

test('to ask for nothing begins no window, changes none, and says whether it is full', {
  skip,
}, async (t) => {
  const server = await openRedis(t);
  assert.deepEqual(await take(server, { a: { places: 0 } }), [[0, 0]]);
  assert.equal(await server.command('EXISTS', 'a'), 0);
  await take(server, { a: { places: 3 } });
  assert.deepEqual(await take(server, { a: { places: 0 } }), [[0, 'closed']]);
  assert.equal(await server.command('GET', 'a'), '0');
  assert.ok(Number(await server.command('PTTL', 'a')) > 0);
});

test('a window keeps its end, whatever is taken in it', { skip }, async (t) => {
  const server = await openRedis(t);
  await take(server, { a: { windowMs: 600_000 } });
  await take(server, { a: { windowMs: 1_200_000 } });
  assert.ok(Number(await server.command('PTTL', 'a')) <= 600_000);
});

test('keys of one call are counted each by itself, a spoilt one too', { skip }, async (t) => {
  const server = await openRedis(t);
  await server.command('LPUSH', 'list', 'x');
  await server.command('SET', 'text', 'x', 'PX', 60_000);
  const asked = {
    a: { places: 4 },
    list: {},
    b: { places: 1 },
    text: {},
    c: { places: 9, count: 16_777_215 },
  };
  assert.deepEqual(await take(server, asked), [[3, 'closed'], 'WRONGTYPE', [1, 0], 'the', [9, 0]]);
  assert.equal(await server.command('GET', 'c'), String(16_777_215 - 9));
});

test('what is not the script’s answer is none', () => {
  for (const reply of [null, 'OK', 1, [], [1], [1, 0, 1], ['1', 0], [1, '0'], [1, null], [1, 0, 2, 0]]) {
    assert.equal(readAnswers(reply, 1), null, JSON.stringify(reply));
  }
  assert.deepEqual(readAnswers([1, 0], 1), [{ error: null, granted: 1, closedMs: 0 }]);
});
