// What umbra says of a shadow's answers: equal or not, in status or body, and when it cannot say.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { MirrorReport } from '../../src/control/mirrors.ts';
import type { Behaviour } from '../kit/behaviour.ts';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { request } from '../kit/raw.ts';

const MIB = 1024 * 1024;

interface Scene {
  readonly gateway: Gateway;
  readonly primary: Origin;
  readonly shadow: Origin;
}

/** Every path of the one route is compared; ends with balanced books and nothing left open. */
async function openScene(t: TestContext, mirror = ''): Promise<Scene> {
  const [primary, shadow] = [await openOrigin(), await openOrigin()];
  let gateway: Gateway | null = null;
  t.after(async () => {
    try {
      if (gateway !== null) assert.equal(await gateway.stop(), 0);
      for (const origin of [primary, shadow]) await origin.waitForSockets(0);
    } finally {
      gateway?.signal('SIGKILL');
      await Promise.all([primary.close(), shadow.close()]);
    }
  });
  gateway = await openGateway({
    mirrors: 2,
    config: `routes:
  - id: api
    path: /
    path_prefix: true
    retries: 0
    backends: [{ url: ${primary.url} }]
    mirror:
      backends: [{ url: ${shadow.url} }]
      timeout: { connect: 60s, send: 60s, read: 60s }
      breaker: { failures: 1000000 }
      compare: { log_mismatches: true }
      ${mirror}`,
  });
  return { gateway, primary, shadow };
}

interface Counts {
  readonly compared: number;
  readonly mismatched: number;
  readonly status: number;
  readonly body: number;
}

function toCounts(report: MirrorReport): Counts {
  const { total_compared, total_mismatches, status_mismatches, body_mismatches, total_success, uncompared } =
    report;
  const left = Object.values(uncompared).reduce((sum, count) => sum + count, 0);
  assert.equal(total_compared + left, total_success, 'answered = compared + uncompared');
  return {
    compared: total_compared,
    mismatched: total_mismatches,
    status: status_mismatches,
    body: body_mismatches,
  };
}

const EQUAL: Counts = { compared: 1, mismatched: 0, status: 0, body: 0 };
const STATUS: Counts = { compared: 1, mismatched: 1, status: 1, body: 0 };
const BODY: Counts = { compared: 1, mismatched: 1, status: 0, body: 1 };
const BOTH: Counts = { compared: 1, mismatched: 1, status: 1, body: 1 };

interface Case {
  readonly what: string;
  readonly primary: Behaviour;
  readonly shadow: Behaviour;
  readonly verdict: Counts;
  readonly method?: string;
}

const CASES: readonly Case[] = [
  { what: 'nothing and nothing', primary: {}, shadow: {}, verdict: EQUAL },
  { what: 'same status and body', primary: { body: 'a' }, shadow: { body: 'a' }, verdict: EQUAL },
  {
    what: 'same answer, framed and headed otherwise',
    primary: { body: 'abc', framing: 'chunked', fields: ['X-A: 1'] },
    shadow: { body: 'abc', reason: 'Fine', fields: ['X-B: 2'], trickle: { bytes: 1, pauseMs: 1 } },
    verdict: EQUAL,
  },
  {
    what: 'other status',
    primary: { status: 200, body: 'a' },
    shadow: { status: 201, body: 'a' },
    verdict: STATUS,
  },
  { what: 'failed both alike', primary: { status: 500 }, shadow: { status: 500 }, verdict: EQUAL },
  {
    what: 'redirect, not followed',
    primary: {},
    shadow: { status: 302, fields: ['Location: /'] },
    verdict: STATUS,
  },
  {
    what: 'interim answers do not count',
    primary: {},
    shadow: { interim: ['HTTP/1.1 103 E\r\n\r\n'] },
    verdict: EQUAL,
  },
  { what: 'other body', primary: { body: 'a' }, shadow: { body: 'b' }, verdict: BODY },
  { what: 'body and none', primary: { body: 'a' }, shadow: {}, verdict: BODY },
  {
    what: 'one byte of many',
    primary: { body: `${'x'.repeat(9_999)}y` },
    shadow: { body: 'x'.repeat(10_000) },
    verdict: BODY,
  },
  { what: 'both', primary: { body: 'a' }, shadow: { status: 404, body: 'b' }, verdict: BOTH },
  { what: 'no body by status', primary: { status: 204 }, shadow: { status: 304 }, verdict: STATUS },
  { what: 'HEAD', method: 'HEAD', primary: { body: 'a' }, shadow: { body: 'other' }, verdict: EQUAL },
  ...[16 * 1024, 16 * 1024 + 1, 300_000, 50 * MIB].flatMap((bytes): Case[] => [
    { what: `${bytes} bytes`, primary: { body: bytes }, shadow: { body: bytes }, verdict: EQUAL },
    {
      what: `${bytes} bytes, chunked`,
      primary: { body: bytes, framing: 'chunked' },
      shadow: { body: bytes, framing: 'close' },
      verdict: EQUAL,
    },
    {
      what: `one byte more than ${bytes}`,
      primary: { body: bytes },
      shadow: { body: bytes + 1 },
      verdict: BODY,
    },
  ]),
];

test('an answer is compared by its status and by all bytes of its body', async (t) => {
  const { gateway, primary, shadow } = await openScene(t);
  let before: Counts = { compared: 0, mismatched: 0, status: 0, body: 0 };
  for (const [index, one] of CASES.entries()) {
    const path = `/${index}`;
    primary.behave(one.primary, path);
    shadow.behave(one.shadow, path);
    const response = await request(gateway.port, { method: one.method ?? 'GET', path });
    assert.equal(response.status, one.primary.status ?? 200);
    if (typeof one.primary.body === 'number') assert.equal(response.body.length, one.primary.body);
    const { api } = await gateway.settled({ api: index + 1 });
    const after = toCounts(api!);
    const verdict: Counts = {
      compared: after.compared - before.compared,
      mismatched: after.mismatched - before.mismatched,
      status: after.status - before.status,
      body: after.body - before.body,
    };
    assert.deepEqual(verdict, one.verdict, one.what);
    before = after;
  }
});

test('a shadow that breaks its answer off has failed, and is not compared', async (t) => {
  const { gateway, primary, shadow } = await openScene(t);
  const broken: readonly Behaviour[] = [
    { body: 100_000, cut: { at: 'body', how: 'close' } },
    { body: 100_000, cut: { at: 'body', how: 'reset' } },
    { body: 100_000, framing: 'chunked', cut: { at: 'body', how: 'close' } },
    { body: 'abc', declaredBytes: 4, after: 'close' },
    { raw: 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n' },
    { cut: { at: 'head', how: 'close' } },
  ];
  for (const [index, behaviour] of broken.entries()) {
    shadow.behave(behaviour, `/${index}`);
    primary.behave({ body: 100_000 }, `/${index}`);
    assert.equal((await request(gateway.port, { path: `/${index}` })).body.length, 100_000);
  }
  const { api } = await gateway.settled({ api: broken.length });
  assert.equal(api!.total_errors, broken.length);
  assert.equal(api!.errors.reset + api!.errors.malformed, broken.length);
  assert.deepEqual(toCounts(api!), { compared: 0, mismatched: 0, status: 0, body: 0 });
  assert.deepEqual(gateway.logs('mirror mismatch'), []);
});

test('an answer of the primary that outruns the queue is not compared, and its copy is sent', async (t) => {
  const { gateway, primary, shadow } = await openScene(t, 'max_queued: 100000');
  primary.behave({ body: 5 * MIB });
  shadow.behave({ body: 5 * MIB });
  const count = 5;
  for (let sent = 0; sent < count; sent++) {
    assert.equal((await request(gateway.port, {})).body.length, 5 * MIB);
  }
  primary.behave({ body: 'short' });
  shadow.behave({ body: 'short' });
  await request(gateway.port, {});
  const { api } = await gateway.settled({ api: count + 1 });
  assert.equal(api!.total_success, count + 1);
  assert.ok(api!.uncompared.not_captured > 0, JSON.stringify(api!.uncompared));
  assert.equal(toCounts(api!).mismatched, 0);
});

test('without compare nothing is compared, and with it switched off neither', async (t) => {
  const { gateway, primary, shadow } = await openScene(t);
  primary.behave({ body: 'a' });
  shadow.behave({ body: 'b' });
  for (const compare of ['', ', compare: { enabled: false, log_mismatches: true }']) {
    await gateway.reload(`routes:
  - id: plain
    path: /
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }]${compare} }`);
    const { plain: before } = await gateway.mirrors();
    await request(gateway.port, {});
    const { plain } = await gateway.settled({ plain: before!.matched + 1 });
    assert.equal(plain!.total_success, before!.total_success + 1);
    assert.equal(plain!.total_compared, 0);
  }
  assert.deepEqual(gateway.logs('mirror mismatch'), []);
});

test('switching compare on and off under load loses no copy', async (t) => {
  const { gateway, primary, shadow } = await openScene(t);
  for (const origin of [primary, shadow]) origin.behave({ body: 40_000 });
  const toConfig = (compare: string): string => `routes:
  - id: api
    path: /
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }]${compare} }`;
  let running = true;
  let sent = 0;
  const run = async (): Promise<void> => {
    while (running) {
      assert.equal((await request(gateway.port, {})).body.length, 40_000);
      sent++;
    }
  };
  const load = [run(), run(), run()];
  for (let round = 0; round < 10; round++)
    await gateway.reload(toConfig(round % 2 === 0 ? '' : ', compare: {}'));
  running = false;
  await Promise.all(load);
  const { api } = await gateway.settled({ api: sent });
  assert.equal(api!.total_success, sent);
  assert.equal(api!.total_mismatches, 0);
});
