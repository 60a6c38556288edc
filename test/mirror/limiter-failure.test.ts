// Limits whose Redis is gone, silent or unwilling: copies go out, each is counted, and the limit comes back by itself.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RedisSettings } from '../../src/core/model.ts';
import { openRedis, RedisServer, skipWithoutRedis, takePort, toSettings } from '../kit/redis.ts';
import { clock, openRig, type Rig, type RigRule, toMirror, toShadow, until } from './rig.ts';
import { type HttpShadow, openHttpShadow } from './shadow-server.ts';

const skip = skipWithoutRedis();
const KEY = 'plugin-proxy-mirror:{route:1}';
const COUNT = 2;
const PASSWORD = 's3cret-of-redis';
/** A second by the contract; the machine may be busy. */
const RETURN_MS_MAX = 8_000;

interface Scene {
  readonly rig: Rig;
  readonly shadow: HttpShadow;
  readonly rule: RigRule;
}

async function openScene(t: TestContext, redis: RedisSettings): Promise<Scene> {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, (response) => response.end('ok'));
  const rule = addRule(rig, shadow, redis, 'route');
  return { rig, shadow, rule };
}

function addRule(rig: Rig, shadow: HttpShadow, redis: RedisSettings, id: string, count = COUNT): RigRule {
  const limit = { count, windowMs: 600_000, policy: 'redis', redis } as const;
  return rig.rule(toMirror([toShadow(shadow.origin)], { limit }), id);
}

interface Figures {
  readonly sent: number;
  readonly skipped: number;
  readonly errors: number;
}

function read(rig: Rig, rule: RigRule): Figures {
  const [sent, skipped] = [rig.count(rule, 'sent'), rig.count(rule, 'skip_limit')];
  return { sent, skipped, errors: rig.count(rule, 'limit_errors') };
}

/** What becomes of so many jobs that come together. */
async function offer(rig: Rig, rule: RigRule, jobs: number): Promise<Figures> {
  const before = read(rig, rule);
  for (let job = 0; job < jobs; job++)
    rig.job(rule, { head: 'POST /\r\nhost: h\r\n', body: [Buffer.from('x')] });
  await rig.flush();
  const due = before.sent + before.skipped + jobs;
  await until(() => read(rig, rule).sent + read(rig, rule).skipped === due, `${jobs} decisions`);
  const { sent, skipped, errors } = read(rig, rule);
  return { sent: sent - before.sent, skipped: skipped - before.skipped, errors: errors - before.errors };
}

function countAgain(rig: Rig): number {
  return rig.logs.filter(({ message }) => message === 'limit counted again').length;
}

function causes(rig: Rig): string[] {
  return rig.logs
    .filter(({ message }) => message === 'limit not counted, copies are sent')
    .map(({ fields }) => String(fields.cause));
}

/** Log events take their time from thread to thread. */
async function firstCause(rig: Rig): Promise<string> {
  await until(() => causes(rig).length > 0, 'a cause in the log');
  return causes(rig)[0]!;
}

/** It counts again, within a bounded time. */
async function untilCounted(rig: Rig, times = 1): Promise<void> {
  const beganMs = clock();
  await until(() => countAgain(rig) === times, `the limit to count again: ${JSON.stringify(rig.logs)}`);
  assert.ok(clock() - beganMs < RETURN_MS_MAX, `it took ${clock() - beganMs} ms`);
}

const ALL_PASS: Figures = { sent: 5, skipped: 0, errors: 5 };
const ONE_WINDOW: Figures = { sent: COUNT, skipped: 5 - COUNT, errors: 0 };

test('a Redis that is not there: copies pass at once, and are limited when it comes', { skip }, async (t) => {
  const server = new RedisServer(await takePort(), [], null);
  t.after(() => server.close());
  // It is not waited for: so long would be noticed.
  const { rig, rule } = await openScene(t, { ...server.settings, timeoutMs: 60_000 });
  assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
  assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
  assert.match(await firstCause(rig), /ECONNREFUSED/);
  await server.start();
  await untilCounted(rig);
  assert.deepEqual(await offer(rig, rule, 5), ONE_WINDOW);
});

interface Refusal {
  readonly name: string;
  readonly cause: RegExp;
  readonly settings: Partial<RedisSettings>;
  readonly password: string | null;
  /** Makes it refuse. */
  readonly spoil: (server: RedisServer) => Promise<unknown>;
  readonly mend: (server: RedisServer) => Promise<unknown>;
}

const nothing = async (): Promise<void> => {};
const REFUSALS: readonly Refusal[] = [
  {
    name: 'a wrong password',
    cause: /WRONGPASS/,
    settings: { password: PASSWORD },
    password: 'other',
    spoil: nothing,
    mend: (server) => server.command('CONFIG', 'SET', 'requirepass', PASSWORD),
  },
  {
    name: 'a wrong user',
    cause: /WRONGPASS/,
    settings: { username: 'nobody', password: PASSWORD },
    password: null,
    spoil: nothing,
    mend: (server) => server.command('ACL', 'SETUSER', 'nobody', 'on', `>${PASSWORD}`, '+@all', '~*'),
  },
  {
    name: 'a password that is missing',
    cause: /NOAUTH/,
    settings: {},
    password: PASSWORD,
    spoil: nothing,
    mend: (server) => server.command('CONFIG', 'SET', 'requirepass', ''),
  },
  {
    name: 'a user who may not run scripts',
    cause: /NOPERM/,
    settings: { username: 'reader', password: PASSWORD },
    password: null,
    spoil: (server) =>
      server.command('ACL', 'SETUSER', 'reader', 'on', `>${PASSWORD}`, '+@read', '+info', '~*'),
    mend: (server) => server.command('ACL', 'SETUSER', 'reader', '+@all'),
  },
  {
    name: 'a replica',
    cause: /READONLY/,
    settings: {},
    password: null,
    spoil: async (server) => server.command('REPLICAOF', '127.0.0.1', await takePort()),
    mend: (server) => server.command('REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'a Redis without memory',
    cause: /OOM/,
    settings: {},
    password: null,
    spoil: (server) => server.command('CONFIG', 'SET', 'maxmemory', '1'),
    mend: (server) => server.command('CONFIG', 'SET', 'maxmemory', '0'),
  },
  {
    name: 'a key of another type',
    cause: /WRONGTYPE/,
    settings: {},
    password: null,
    spoil: (server) => server.command('LPUSH', KEY, 'x'),
    mend: (server) => server.command('DEL', KEY),
  },
  {
    name: 'a key that holds no number',
    cause: /does not hold a whole number/,
    settings: {},
    password: null,
    spoil: (server) => server.command('SET', KEY, 'x', 'PX', '600000'),
    mend: (server) => server.command('DEL', KEY),
  },
  {
    name: 'a key that holds half a place',
    cause: /does not hold a whole number/,
    settings: {},
    password: null,
    spoil: (server) => server.command('SET', KEY, '5.5', 'PX', '600000'),
    mend: (server) => server.command('DEL', KEY),
  },
];

for (const { name, cause, settings, password, spoil, mend } of REFUSALS) {
  test(`${name}: copies are sent, and limited as soon as that is mended`, { skip }, async (t) => {
    const server = await openRedis(t, [], password);
    await spoil(server);
    const { rig, rule } = await openScene(t, toSettings([server.port], { timeoutMs: 20_000, ...settings }));
    assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
    assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
    assert.match(await firstCause(rig), cause);
    assert.equal(countAgain(rig), 0);
    await mend(server);
    await untilCounted(rig);
    assert.deepEqual(await offer(rig, rule, 5), ONE_WINDOW);
    assert.ok(!JSON.stringify(rig.logs).includes(PASSWORD), 'the password is in the log');
  });
}

test('a database that Redis does not have: nothing is counted in another one', { skip }, async (t) => {
  const server = await openRedis(t, ['--databases', '4']);
  const { rig, rule } = await openScene(t, toSettings([server.port], { timeoutMs: 20_000, database: 4 }));
  assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
  assert.match(await firstCause(rig), /DB index is out of range/);
  assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
  assert.equal(await server.command('INFO', 'keyspace').then((text) => String(text).includes('db0')), false);
});

test('the last database is used', { skip }, async (t) => {
  const server = await openRedis(t, ['--databases', '4']);
  const { rig, rule } = await openScene(t, toSettings([server.port], { timeoutMs: 20_000, database: 3 }));
  assert.deepEqual(await offer(rig, rule, 5), ONE_WINDOW);
  assert.match(String(await server.command('INFO', 'keyspace')), /db3:keys=1,/);
});

test('the spoilt key of one route leaves the others of the same call alone', { skip }, async (t) => {
  const server = await openRedis(t);
  await server.command('LPUSH', KEY, 'x');
  const settings = toSettings([server.port], { timeoutMs: 20_000 });
  const { rig, shadow, rule } = await openScene(t, settings);
  const other = addRule(rig, shadow, settings, 'other');
  for (let job = 0; job < 5; job++) rig.job(other);
  assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
  await until(() => read(rig, other).sent + read(rig, other).skipped === 5, 'the other route');
  assert.deepEqual(read(rig, other), ONE_WINDOW);
  await firstCause(rig);
  assert.equal(rig.logs[0]!.fields.route, 'route');
});

test('a silent Redis: the first copies pass when its time is up, later ones at once', { skip }, async (t) => {
  const timeoutMs = 2_000;
  const server = await openRedis(t);
  const { rig, shadow, rule } = await openScene(t, toSettings([server.port], { timeoutMs }));
  assert.deepEqual(await offer(rig, rule, 1), { sent: 1, skipped: 0, errors: 0 });
  server.pause();
  const beganMs = clock();
  assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
  assert.ok(clock() - beganMs >= timeoutMs - 10, 'not before its time was up');
  const againMs = clock();
  assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
  const late = addRule(rig, shadow, toSettings([server.port], { timeoutMs }), 'late');
  assert.deepEqual(await offer(rig, late, 5), ALL_PASS);
  assert.ok(clock() - againMs < timeoutMs / 2, 'the later ones did not wait');
  assert.equal(await firstCause(rig), `no answer within ${timeoutMs} ms`);
  server.resume();
  await untilCounted(rig);
  // What it was asked while it was silent may have taken the place that was left.
  assert.equal((await offer(rig, rule, 5)).errors, 0);
  assert.deepEqual(await offer(rig, late, 5), ONE_WINDOW);
});

test('a Redis that is silent from the start is not waited for longer than its time', { skip }, async (t) => {
  const server = await openRedis(t);
  server.pause();
  const { rig, rule } = await openScene(t, toSettings([server.port], { timeoutMs: 300 }));
  assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
  assert.match(await firstCause(rig), /within 300 ms/);
  server.resume();
  await untilCounted(rig);
  assert.deepEqual(await offer(rig, rule, 5), ONE_WINDOW);
});

test('a Redis that sleeps for longer than its time, and wakes up', { skip }, async (t) => {
  const server = await openRedis(t);
  const settings = toSettings([server.port], { timeoutMs: 300 });
  const { rig, shadow } = await openScene(t, settings);
  const rule = addRule(rig, shadow, settings, 'open', 1_000_000);
  assert.deepEqual(await offer(rig, rule, 1), { sent: 1, skipped: 0, errors: 0 });
  const sleeping = server.command('DEBUG', 'SLEEP', '2');
  // Those that come before it falls asleep are still counted.
  while (read(rig, rule).errors === 0) assert.equal((await offer(rig, rule, 1)).sent, 1);
  assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
  await sleeping;
  await untilCounted(rig);
  assert.deepEqual(await offer(rig, rule, 5), { sent: 5, skipped: 0, errors: 0 });
});

test('a Redis that is killed and started again counts anew', { skip }, async (t) => {
  const server = await openRedis(t);
  const { rig, rule } = await openScene(t, toSettings([server.port], { timeoutMs: 60_000 }));
  assert.deepEqual(await offer(rig, rule, 1), { sent: 1, skipped: 0, errors: 0 });
  for (let round = 1; round <= 2; round++) {
    // Jobs are waiting for it when it dies: they pass then, and not when their time is up.
    server.pause();
    const passing = offer(rig, rule, 5);
    await until(() => rig.count(rule, 'received') >= rig.count(rule, 'sent') + 5, 'jobs that wait');
    await server.kill();
    assert.deepEqual(await passing, ALL_PASS);
    assert.deepEqual(await offer(rig, rule, 5), ALL_PASS);
    await server.start();
    await untilCounted(rig, round);
    assert.deepEqual(await offer(rig, rule, 1), { sent: 1, skipped: 0, errors: 0 });
  }
});

test('a connection that Redis closes comes back', { skip }, async (t) => {
  const server = await openRedis(t);
  const { rig, rule } = await openScene(t, toSettings([server.port], { timeoutMs: 60_000 }));
  assert.deepEqual(await offer(rig, rule, 1), { sent: 1, skipped: 0, errors: 0 });
  await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await untilCounted(rig);
  assert.deepEqual(await offer(rig, rule, 5), { sent: 1, skipped: 4, errors: 0 });
});

test('a script that Redis has forgotten is sent again', { skip }, async (t) => {
  const server = await openRedis(t);
  const { rig, rule } = await openScene(t, toSettings([server.port], { timeoutMs: 60_000 }));
  assert.deepEqual(await offer(rig, rule, 1), { sent: 1, skipped: 0, errors: 0 });
  await server.command('SCRIPT', 'FLUSH');
  assert.deepEqual(await offer(rig, rule, 5), { sent: 1, skipped: 4, errors: 0 });
});

test('a flushed database begins a window anew once the old one has ended', { skip }, async (t) => {
  const server = await openRedis(t);
  const { rig, shadow } = await openScene(t, toSettings([server.port], { timeoutMs: 60_000 }));
  const rule = addRule(rig, shadow, toSettings([server.port], { timeoutMs: 60_000 }), 'open', 10);
  assert.deepEqual(await offer(rig, rule, 5), { sent: 5, skipped: 0, errors: 0 });
  await server.command('FLUSHALL');
  assert.deepEqual(await offer(rig, rule, 12), { sent: 10, skipped: 2, errors: 0 });
});

test('failures are told at a bounded rate', { skip }, async (t) => {
  const server = await openRedis(t);
  await server.command('CONFIG', 'SET', 'maxmemory', '1');
  const { rig, rule } = await openScene(t, toSettings([server.port], { timeoutMs: 60_000 }));
  const beganMs = clock();
  for (let round = 0; round < 200; round++) await offer(rig, rule, 1);
  assert.equal(read(rig, rule).errors, 200);
  assert.ok(causes(rig).length <= 2 + (clock() - beganMs) / 1_000, `${causes(rig).length} lines`);
});
