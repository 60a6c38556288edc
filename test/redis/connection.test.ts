// One connection to a real Redis: its deadlines, its causes, and how it comes back.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RedisSettings } from '../../src/core/model.ts';
import { RedisConnection, RedisFailure, type RedisScript } from '../../src/redis/connection.ts';
import { openRedis, RedisServer, skipWithoutRedis, takePort, toSettings } from '../kit/redis.ts';
import { createWaiting } from '../kit/waiting.ts';

const skip = skipWithoutRedis();
const PASSWORD = 's3cret-of-redis';
const ECHO: RedisScript = { name: 'umbraTestEcho', lua: 'return {KEYS[1], ARGV[1]}' };

interface Opened {
  readonly connection: RedisConnection;
  /** Every change of its state: null for up, or the cause. */
  readonly states: readonly (string | null)[];
  readonly messages: readonly string[];
  /** Resolves when it has changed so many times. */
  until(changes: number): Promise<void>;
  untilMessages(count: number): Promise<void>;
}

function open(t: TestContext, settings: RedisSettings): Opened {
  const states: (string | null)[] = [];
  const messages: string[] = [];
  const waiting = createWaiting();
  const connection = new RedisConnection(settings, {
    onState: (isUp, cause) => {
      assert.equal(isUp, cause === null);
      states.push(cause);
      waiting.check();
    },
    onMessage: (channel, text) => {
      messages.push(`${channel} ${text}`);
      waiting.check();
    },
  });
  t.after(() => connection.close());
  const until = (changes: number): Promise<void> =>
    waiting.until(
      () => states.length >= changes,
      () => `${changes} changes, had ${states}`,
    );
  const untilMessages = (count: number): Promise<void> =>
    waiting.until(
      () => messages.length >= count,
      () => `${count} messages`,
    );
  return { connection, states, messages, until, untilMessages };
}

async function failureOf(promise: Promise<unknown>): Promise<RedisFailure> {
  const error = await promise.then(
    () => assert.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RedisFailure);
  return error;
}

test('a script is answered, also when Redis has forgotten it', { skip }, async (t) => {
  const server = await openRedis(t);
  const { connection, until } = open(t, server.settings);
  await until(1);
  assert.deepEqual(await connection.run(ECHO, ['key'], ['first']), ['key', 'first']);
  await server.command('SCRIPT', 'FLUSH');
  assert.deepEqual(await connection.run(ECHO, ['key'], ['second']), ['key', 'second']);
});

test('before it is up, and when it is closed, a command fails at once', { skip }, async (t) => {
  const server = await openRedis(t);
  const { connection, until } = open(t, toSettings([server.port], { timeoutMs: 60_000 }));
  assert.equal(connection.isUp, false);
  assert.equal((await failureOf(connection.call('PING'))).message, 'not connected yet');
  await until(1);
  assert.equal(connection.isUp, true);
  const pending = failureOf(connection.call('BLPOP', 'nothing', 0));
  connection.close();
  assert.equal((await pending).isAnswer, false);
});

test('a command under way fails when the connection is lost, not when its time is up', {
  skip,
}, async (t) => {
  const server = await openRedis(t);
  const { connection, states, until } = open(t, toSettings([server.port], { timeoutMs: 60_000 }));
  await until(1);
  server.pause();
  const pending = failureOf(connection.call('PING'));
  await server.kill();
  assert.equal((await pending).message, 'the connection was closed');
  await until(2);
  await server.start();
  // The refused attempts between are no change of their own.
  await until(3);
  assert.deepEqual([states[0], states[2], states.length], [null, null, 3]);
  assert.equal(await connection.call('PING'), 'PONG');
});

test('a silent Redis costs a command its time and no more', { skip }, async (t) => {
  const server = await openRedis(t);
  const { connection, until } = open(t, toSettings([server.port], { timeoutMs: 200 }));
  await until(1);
  server.pause();
  const beganMs = performance.now();
  assert.equal((await failureOf(connection.call('PING'))).message, 'no answer within 200 ms');
  assert.ok(performance.now() - beganMs < 5_000);
  server.resume();
  // Answered by the same connection or by its successor.
  const giveUpAt = performance.now() + 20_000;
  while ((await connection.call('PING').catch(() => null)) !== 'PONG')
    assert.ok(performance.now() < giveUpAt);
});

test('an error that Redis answers with is told apart from one without answer', { skip }, async (t) => {
  const server = await openRedis(t);
  const { connection, until } = open(t, server.settings);
  await until(1);
  await server.command('SET', 'text', 'x');
  const failure = await failureOf(connection.call('LPUSH', 'text', 'y'));
  assert.match(failure.message, /^WRONGTYPE/);
  assert.equal(failure.isAnswer, true);
  assert.equal(connection.isUp, true);
});

test('a password that Redis repeats is not in the cause', { skip }, async (t) => {
  const server = await openRedis(t, [], PASSWORD);
  const { connection, until } = open(t, toSettings([server.port], { password: PASSWORD }));
  await until(1);
  const { message } = await failureOf(connection.call(`NOSUCH${PASSWORD}`));
  assert.match(message, /NOSUCH\*\*\*/);
  // Arguments are cut by Redis, so that a long password could not be found in them.
  const { message: cut } = await failureOf(connection.call('NOSUCHCOMMAND', `${PASSWORD}${'x'.repeat(500)}`));
  assert.match(cut, /NOSUCHCOMMAND/);
  assert.ok(!cut.includes(PASSWORD.slice(0, 4)), cut);
});

test('a refused password is the cause, and the right one works later', { skip }, async (t) => {
  const server = await openRedis(t, [], 'other');
  const { connection, states, until } = open(t, toSettings([server.port], { password: PASSWORD }));
  await until(1);
  assert.match(states[0]!, /^WRONGPASS/);
  assert.match((await failureOf(connection.call('PING'))).message, /^WRONGPASS/);
  await server.command('CONFIG', 'SET', 'requirepass', PASSWORD);
  await until(2);
  assert.deepEqual(states.slice(1), [null]);
});

test('without the database that it was told to use it is not up', { skip }, async (t) => {
  const server = await openRedis(t, ['--databases', '2']);
  const { connection, states, until } = open(t, toSettings([server.port], { database: 2 }));
  await until(1);
  assert.match(states[0]!, /DB index is out of range/);
  assert.equal(connection.isUp, false);
  assert.match((await failureOf(connection.call('SET', 'a', 'b'))).message, /DB index is out of range/);
  assert.equal(await server.command('DBSIZE'), 0);
});

test('after a reconnection it is in its database again', { skip }, async (t) => {
  const server = await openRedis(t);
  const { connection, until } = open(t, toSettings([server.port], { database: 3 }));
  await until(1);
  await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until(3);
  await connection.call('SET', 'a', 'b');
  assert.match(String(await server.command('INFO', 'keyspace')), /db3:keys=1,/);
  assert.equal(await server.command('DBSIZE'), 0);
});

test('a replica is left for whoever has its address after a failover', { skip }, async (t) => {
  const server = await openRedis(t);
  const { connection, states, until } = open(t, server.settings);
  await until(1);
  await server.command('REPLICAOF', '127.0.0.1', await takePort());
  assert.match((await failureOf(connection.call('SET', 'a', 'b'))).message, /^READONLY/);
  await until(3);
  assert.deepEqual(states.slice(1), ['the connection was closed', null]);
  await server.command('REPLICAOF', 'NO', 'ONE');
  assert.equal(await connection.call('SET', 'a', 'b'), 'OK');
});

test('a subscription outlives the connection', { skip }, async (t) => {
  const server = new RedisServer(await takePort(), [], null);
  t.after(() => server.close());
  await server.start();
  const { connection, messages, until, untilMessages } = open(t, server.settings);
  await until(1);
  await connection.subscribe('news');
  await server.command('PUBLISH', 'news', 'one');
  await untilMessages(1);
  await server.kill();
  await until(2);
  await server.start();
  await until(3);
  const giveUpAt = performance.now() + 20_000;
  while ((await server.command('PUBLISH', 'news', 'two')) === 0) assert.ok(performance.now() < giveUpAt);
  await untilMessages(2);
  assert.deepEqual(messages, ['news one', 'news two']);
});
