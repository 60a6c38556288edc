// Room in flight, waiting for it, and what a shadow may do to those who wait: real threads, real sockets.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { COMPARE, clock, openRig, toMirror, toShadow, until } from './rig.ts';
import { openHttpShadow, openRawShadow } from './shadow-server.ts';

for (const [maxInFlight, lanes] of [
  [1, 1],
  [1, 2],
  [3, 2],
] as const) {
  test(`never more than ${maxInFlight} in flight from ${lanes} thread(s), and all are sent`, async (t) => {
    const rig = openRig(t, lanes);
    const shadow = await openHttpShadow(t, (response) => setTimeout(() => response.end('ok'), 2));
    const rule = rig.rule(toMirror([toShadow(shadow.origin)], { maxInFlight }));
    for (let job = 0; job < 60; job++) rig.job(rule, {}, job % lanes);
    await rig.flush();
    await rig.stop();
    assert.equal(rig.count(rule, 'answered'), 60);
    assert.equal(shadow.concurrencyMax, maxInFlight);
  });
}

test('the copy that finds no room waits, and goes when a place is free', async (t) => {
  const rig = openRig(t);
  const held: ServerResponse[] = [];
  const shadow = await openHttpShadow(t, (response) => held.push(response));
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { maxInFlight: 2 }));
  for (let job = 0; job < 3; job++) rig.job(rule);
  await rig.flush();
  await until(() => held.length === 2, 'two copies');
  assert.deepEqual([rig.count(rule, 'sent'), rig.waiting()], [2, 1]);
  held[0]!.end('ok');
  await until(() => held.length === 3, 'the third copy');
  assert.equal(rig.waiting(), 0);
  for (const response of held) response.end('ok');
  await rig.stop();
  assert.equal(rig.count(rule, 'answered'), 3);
});

test('room that another thread leaves is found', async (t) => {
  const rig = openRig(t, 2);
  const held: ServerResponse[] = [];
  const shadow = await openHttpShadow(t, (response) => held.push(response));
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { maxInFlight: 1 }));
  rig.job(rule, {}, 0);
  await rig.flush();
  await until(() => held.length === 1, 'the first copy');
  rig.job(rule, {}, 1);
  await rig.flush();
  assert.equal(rig.waiting(), 1);
  held[0]!.end('ok');
  await until(() => held.length === 2, 'the second copy');
  held[1]!.end('ok');
});

test('waiting copies keep their order', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, (response) => response.end('ok'));
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { maxInFlight: 1 }));
  const targets = Array.from({ length: 50 }, (_value, index) => `/${index}`);
  for (const target of targets) rig.job(rule, { head: `GET ${target}\r\nhost: h\r\n` });
  await rig.flush();
  await rig.stop();
  assert.deepEqual(
    shadow.requests.map((request) => request.target),
    targets,
  );
});

test('behind a hung shadow copies wait no longer than the read timeout', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, () => {});
  const timeouts = { connectMs: 1000, sendMs: 1000, readMs: 300 };
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { maxInFlight: 1, timeouts }));
  for (let job = 0; job < 4; job++) rig.job(rule);
  await rig.flush();
  await until(() => rig.count(rule, 'drop_queue_full') === 3, 'the waiting ones to be dropped');
  await until(() => rig.count(rule, 'fail_read_timeout') === 1, 'the first one to time out');
  assert.equal(shadow.requests.length, 1);
});

test('a copy that is too old already is sent when there is room, and does not wait when there is none', async (t) => {
  const rig = openRig(t);
  const held: ServerResponse[] = [];
  const shadow = await openHttpShadow(t, (response) => held.push(response));
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { maxInFlight: 1 }));
  for (let job = 0; job < 2; job++) rig.job(rule, { tappedMs: clock() - 60_000 });
  await rig.flush();
  assert.deepEqual([rig.count(rule, 'sent'), rig.count(rule, 'drop_queue_full')], [1, 1]);
  await until(() => held.length === 1, 'the copy');
  held[0]!.end('ok');
});

test('a hung shadow holds up neither the take-over of batches nor another shadow', async (t) => {
  const rig = openRig(t);
  const hung = await openHttpShadow(t, () => {});
  const healthy = await openHttpShadow(t, (response) => response.end('ok'));
  const rule = rig.rule(toMirror([toShadow(hung.origin), toShadow(healthy.origin)], { maxInFlight: 4 }));
  for (let batch = 0; batch < 10; batch++) {
    for (let job = 0; job < 10; job++) rig.job(rule, { body: [Buffer.alloc(100, 'x')] });
    await rig.flush();
  }
  await until(() => rig.count(rule, 'answered', 1) === 100, 'the healthy shadow’s answers');
  assert.deepEqual([rig.count(rule, 'sent', 0), rig.waiting()], [4, 96]);
  await rig.stop(0);
  assert.deepEqual([rig.count(rule, 'fail_shutdown', 0), rig.count(rule, 'drop_shutdown', 0)], [4, 96]);
});

test('the bytes of a job are released when none of its copies waits any more', async (t) => {
  const rig = openRig(t);
  const held: ServerResponse[] = [];
  const shadow = await openHttpShadow(t, (response) => held.push(response));
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { maxInFlight: 1 }));
  rig.job(rule, { body: [Buffer.alloc(1000)] });
  const first = rule.bytes;
  rig.job(rule, { body: [Buffer.alloc(2000, 'b')] });
  await rig.flush();
  await until(() => held.length === 1, 'the first copy');
  assert.equal(rig.count(rule, 'released_bytes'), first);
  held[0]!.end('ok');
  await until(() => held.length === 2, 'the second copy');
  // The shadow may have the copy before its thread has counted it.
  await until(() => rig.count(rule, 'released_bytes') === rule.bytes, 'the bytes of both');
  assert.equal(shadow.requests[1]?.body, 'b'.repeat(2000));
  held[1]!.end('ok');
});

test('a long body in a batch with short ones arrives whole, having waited or not', async (t) => {
  const rig = openRig(t);
  const shadow = await openHttpShadow(t, (response) => response.end('ok'));
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { maxInFlight: 1 }));
  const bodies = [
    Buffer.alloc(2_000_000, 'a'),
    Buffer.from('b'),
    Buffer.alloc(700_000, 'c'),
    Buffer.alloc(0),
  ];
  for (const body of bodies) rig.job(rule, { head: 'POST /\r\nhost: h\r\n', body: [body] });
  await rig.flush();
  await rig.stop();
  assert.deepEqual(
    shadow.requests.map((request) => request.body),
    bodies.map((body) => body.toString('latin1')),
  );
});

test('an answer that does not end is cut off after ten times the read timeout', async (t) => {
  const rig = openRig(t);
  let drips = 0;
  const shadow = await openHttpShadow(t, (response) => {
    const timer = setInterval(() => response.write(`drip ${drips++}`), 20);
    response.once('close', () => clearInterval(timer));
  });
  const timeouts = { connectMs: 1000, sendMs: 1000, readMs: 150 };
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { timeouts }));
  const started = performance.now();
  rig.job(rule);
  await rig.flush();
  await until(() => rig.count(rule, 'fail_read_timeout') === 1, 'the cut');
  const tookMs = performance.now() - started;
  assert.ok(tookMs > 1500 && tookMs < 6000, `cut off after ${tookMs} ms`);
  assert.ok(drips > 10);
});

test('an answer of more than 1 GiB is cut off', { timeout: 60_000 }, async (t) => {
  const rig = openRig(t);
  const block = Buffer.alloc(4 * 1024 * 1024);
  let written = 0;
  const shadow = await openRawShadow(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    const pour = (): void => {
      written += block.length;
      if (!socket.destroyed) socket.write(block, pour);
    };
    pour();
  });
  const rule = rig.rule(toMirror([toShadow(shadow.origin)], { compare: COMPARE }));
  rig.job(rule, { answer: 1, status: 200 });
  await rig.flush();
  await until(() => rig.count(rule, 'fail_answer_too_large') === 1, 'the cut');
  assert.ok(written > 2 ** 30 && written < 2 ** 30 + 64 * 1024 * 1024, `${written} bytes were written`);
  assert.equal(rig.count(rule, 'compared'), 0);
});
