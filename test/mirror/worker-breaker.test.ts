// The breaker at work: a shadow that refuses, hangs and comes back, seen through the books.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { BREAKER_STATES, ShadowWord } from '../../src/core/book.ts';
import { clock, openRig, type Rig, type RigRule, toMirror, toShadow, until } from './rig.ts';
import { findClosedPort, openHttpShadow, openRawShadow } from './shadow-server.ts';

function stateOf(rule: RigRule): string {
  return BREAKER_STATES[rule.books[0]!.words[ShadowWord.breaker_state]!]!;
}

/** One job after the other, each until it has ended. */
async function sendInTurn(rig: Rig, rule: RigRule, jobs: number): Promise<void> {
  const ended = (): number => rig.count(rule, 'answered') + rig.count(rule, 'fail_refused');
  for (let job = 0; job < jobs; job++) {
    const before = ended();
    rig.job(rule);
    await rig.flush();
    await until(() => ended() === before + 1 && rule.books[0]!.inFlight() === 0, 'the copy to end');
  }
}

function isTimeOver(rule: RigRule): boolean {
  return clock() >= rule.books[0]!.openUntil[0]!;
}

test('a shadow that refuses is left alone and found again when it is back', async (t) => {
  const rig = openRig(t);
  const port = await findClosedPort();
  const breaker = { failures: 2, openForMs: 400 };
  const rule = rig.rule(toMirror([toShadow(`http://127.0.0.1:${port}`)], { breaker }));
  await sendInTurn(rig, rule, 1);
  assert.equal(stateOf(rule), 'closed');
  await sendInTurn(rig, rule, 1);
  assert.equal(stateOf(rule), 'open');
  for (let job = 0; job < 5; job++) rig.job(rule);
  await rig.flush();
  assert.deepEqual([rig.count(rule, 'drop_breaker_open'), rig.count(rule, 'sent')], [5, 2]);

  await until(() => isTimeOver(rule), 'the open time');
  await sendInTurn(rig, rule, 1);
  assert.deepEqual([stateOf(rule), rig.count(rule, 'fail_refused')], ['open', 3]);

  const shadow = await openHttpShadow(t, (response) => response.end('ok'), port);
  await until(() => isTimeOver(rule), 'the open time');
  await sendInTurn(rig, rule, 1);
  assert.equal(stateOf(rule), 'closed');
  await sendInTurn(rig, rule, 4);
  assert.deepEqual([rig.count(rule, 'answered'), shadow.requests.length], [5, 5]);
  assert.equal(rig.count(rule, 'drop_breaker_open'), 5);
});

test('while half-open exactly one copy goes, over two threads', async (t) => {
  const rig = openRig(t, 2);
  const port = await findClosedPort();
  const breaker = { failures: 1, openForMs: 300 };
  const rule = rig.rule(toMirror([toShadow(`http://127.0.0.1:${port}`)], { breaker }));
  await sendInTurn(rig, rule, 1);
  const held: ServerResponse[] = [];
  const shadow = await openHttpShadow(t, (response) => held.push(response), port);
  await until(() => isTimeOver(rule), 'the open time');
  for (let job = 0; job < 20; job++) rig.job(rule, {}, job % 2);
  await rig.flush();
  await until(() => held.length === 1, 'the one copy');
  assert.equal(stateOf(rule), 'half_open');
  assert.deepEqual([rig.count(rule, 'sent'), rig.count(rule, 'drop_breaker_open')], [2, 19]);
  held[0]!.writeHead(500).end();
  await until(() => stateOf(rule) === 'closed', 'the breaker to close');
  assert.equal(shadow.requests.length, 1);
});

test('an answer with an error status is an answer and keeps the breaker closed', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, (response) => response.writeHead(503).end('no'));
  const breaker = { failures: 1, openForMs: 10_000 };
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { breaker }));
  await sendInTurn(rig, rule, 5);
  assert.deepEqual([stateOf(rule), rig.count(rule, 'answered')], ['closed', 5]);
});

test('copies that wait are dropped when the breaker opens', async (t) => {
  const rig = openRig(t);
  const held: (() => void)[] = [];
  const shadow = await openRawShadow(t, (socket) => held.push(() => socket.resetAndDestroy()));
  const breaker = { failures: 1, openForMs: 10_000 };
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { breaker, maxInFlight: 1 }));
  for (let job = 0; job < 4; job++) rig.job(rule);
  await rig.flush();
  await until(() => held.length === 1, 'the first copy');
  held[0]!();
  await until(() => rig.count(rule, 'drop_breaker_open') === 3, 'the waiting ones to be dropped');
  assert.deepEqual([rig.count(rule, 'fail_reset'), shadow.connections], [1, 1]);
});

test('one shadow’s breaker leaves the other shadows alone', async (t) => {
  const rig = openRig(t);
  const healthy = await openHttpShadow(t, (response) => response.end('ok'));
  const dead = `http://127.0.0.1:${await findClosedPort()}`;
  const breaker = { failures: 1, openForMs: 10_000 };
  const rule = rig.rule(toMirror([toShadow(dead), toShadow(healthy.origin)], { breaker }));
  rig.job(rule);
  await rig.flush();
  await until(() => stateOf(rule) === 'open', 'the breaker to open');
  for (let job = 0; job < 9; job++) rig.job(rule);
  await rig.flush();
  await rig.stop();
  assert.equal(rig.count(rule, 'drop_breaker_open', 0), 9);
  assert.equal(rig.count(rule, 'answered', 1), 10);
});

test('a stop that gives up the half-open copy leaves the breaker ready for the next one', async (t) => {
  const rig = openRig(t);
  const port = await findClosedPort();
  const breaker = { failures: 1, openForMs: 300 };
  const rule = rig.rule(toMirror([toShadow(`http://127.0.0.1:${port}`)], { breaker }));
  await sendInTurn(rig, rule, 1);
  const shadow = await openHttpShadow(t, () => {}, port);
  await until(() => isTimeOver(rule), 'the open time');
  rig.job(rule);
  await rig.flush();
  await until(() => shadow.requests.length === 1, 'the one copy');
  await rig.stop(0);
  assert.deepEqual([stateOf(rule), isTimeOver(rule)], ['open', true]);
});
