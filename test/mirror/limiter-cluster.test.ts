// Limits that a real Redis cluster counts: three masters with a replica each, and the death of a master.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RedisSettings } from '../../src/core/model.ts';
import { openRedisCluster, type RedisCluster, skipWithoutRedis, toSettings } from '../kit/redis.ts';
import { clock, openRig, type Rig, type RigRule, toMirror, toShadow, until } from './rig.ts';
import { type HttpShadow, openHttpShadow } from './shadow-server.ts';

const skip = skipWithoutRedis();
/** Of the cluster's own: a second until the master counts as gone, an election, and the news of it. */
const FAILOVER_MS_MAX = 15_000;

function keyOf(id: string): string {
  return `plugin-proxy-mirror:{${id}:1}`;
}

function openRules(
  rig: Rig,
  shadow: HttpShadow,
  settings: RedisSettings,
  ids: readonly string[],
  count: number,
): RigRule[] {
  const limit = { count, windowMs: 600_000, policy: 'redis-cluster', redis: settings } as const;
  return ids.map((id) => rig.rule(toMirror([toShadow(shadow.origin)], { limit }), id));
}

interface Scene {
  readonly cluster: RedisCluster;
  readonly rig: Rig;
  readonly shadow: HttpShadow;
}

async function open(t: TestContext, lanes = 1, options: readonly string[] = []): Promise<Scene> {
  const cluster = await openRedisCluster(t, options);
  const rig = openRig(t, lanes);
  const shadow = await openHttpShadow(t, (response) => response.end('ok'));
  return { cluster, rig, shadow };
}

function decided(rig: Rig, rule: RigRule): number {
  return rig.count(rule, 'sent') + rig.count(rule, 'skip_limit');
}

test('routes all over a cluster, found by one seed, are counted exactly from two threads', {
  skip,
}, async (t) => {
  const { cluster, rig, shadow } = await open(t, 2);
  const settings = { ...cluster.settings, nodes: cluster.settings.nodes.slice(5), timeoutMs: 20_000 };
  const ids = Array.from({ length: 12 }, (_, index) => `route-${index}`);
  const masters = new Set(await Promise.all(ids.map((id) => cluster.masterOf(keyOf(id)))));
  assert.equal(masters.size, 3, 'every master has a route');
  const rules = openRules(rig, shadow, settings, ids, 7);
  for (let round = 0; round < 4; round++) {
    for (const rule of rules) for (let job = 0; job < 10; job++) rig.job(rule, {}, job % 2);
    await rig.flush();
  }
  for (const rule of rules) {
    await until(() => decided(rig, rule) === 40, 'the decisions');
    const figures = [rig.count(rule, 'sent'), rig.count(rule, 'limit_errors')];
    assert.deepEqual(figures, [7, 0], `${figures} ${JSON.stringify(rig.logs)}`);
  }
  await rig.stop();
  assert.equal(shadow.requests.length, 12 * 7);
  assert.deepEqual(rig.logs, []);
});

test('a master dies: copies go out, other masters count on, and its replica counts after it', {
  skip,
}, async (t) => {
  // Else none of them would serve anything until the failover is over.
  const { cluster, rig, shadow } = await open(t, 1, ['--cluster-require-full-coverage', 'no']);
  const settings = { ...cluster.settings, timeoutMs: 500 };
  const ids = Array.from({ length: 12 }, (_, index) => `route-${index}`);
  const places = await Promise.all(ids.map((id) => cluster.masterOf(keyOf(id))));
  const dying = places[0]!;
  const unhurt = ids[places.findIndex((master) => master !== dying)]!;
  const rules = openRules(rig, shadow, settings, ids, 1_000_000);
  const [hurt, well] = [rules[0]!, rules[ids.indexOf(unhurt)]!];
  for (const rule of rules) rig.job(rule);
  await rig.flush();
  for (const rule of rules) await until(() => decided(rig, rule) === 1, 'a first copy');
  // The window must have come to the replica, or its successor would have to begin it anew.
  await cluster.untilReplicated(keyOf(ids[0]!));
  await dying.kill();
  let offered = 1;
  const offer = async (): Promise<void> => {
    rig.job(hurt);
    rig.job(well);
    offered++;
    await rig.flush();
    await until(() => decided(rig, hurt) === offered && decided(rig, well) === offered, 'the decisions');
  };
  await offer();
  assert.equal(rig.count(hurt, 'limit_errors'), 1);
  const beganMs = clock();
  for (let errors = -1; errors !== rig.count(hurt, 'limit_errors'); ) {
    assert.ok(clock() - beganMs < FAILOVER_MS_MAX, `not counted again: ${JSON.stringify(rig.logs)}`);
    errors = rig.count(hurt, 'limit_errors');
    await offer();
  }
  // Every copy went out, and those of the other master were counted all the time.
  assert.deepEqual([rig.count(hurt, 'sent'), rig.count(well, 'sent')], [offered, offered]);
  assert.equal(rig.count(well, 'limit_errors'), 0);
  await until(() => rig.logs.some(({ message }) => message === 'limit counted again'), 'the news of it');
});

test('a cluster of which no node is there, or whose password is another: copies go out', {
  skip,
}, async (t) => {
  const { cluster, rig, shadow } = await open(t);
  const refused = { ...cluster.settings, username: 'nobody', password: 's3cret', timeoutMs: 10_000 };
  const gone = { ...toSettings([1, 2], { isCluster: true }), timeoutMs: 10_000 };
  for (const [index, settings] of [refused, gone].entries()) {
    const [rule] = openRules(rig, shadow, settings, [`route-${index}`], 1);
    for (let job = 0; job < 5; job++) rig.job(rule!);
    await rig.flush();
    await until(() => decided(rig, rule!) === 5, 'the decisions');
    assert.deepEqual([rig.count(rule!, 'sent'), rig.count(rule!, 'limit_errors')], [5, 5]);
  }
  await until(() => rig.logs.length >= 2, 'both causes');
  const said = rig.logs.map(({ fields }) => String(fields.cause));
  assert.match(said[0]!, /WRONGPASS/);
  assert.match(said[1]!, /Failed to refresh slots cache/);
  assert.ok(!JSON.stringify(rig.logs).includes('s3cret'));
});
