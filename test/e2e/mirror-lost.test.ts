// A mirror thread that is lost in full flight costs its copies, each of them counted, and nothing else.

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Mirror } from '../../src/core/model.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, toRequestBytes } from '../kit/raw.ts';
import { COMPARE, toMirror, toShadow } from '../mirror/rig.ts';
import {
  type MirrorFrontend,
  type MirrorFrontendOptions,
  openMirrorFrontend,
  toRoute,
  toWorkerText,
  until,
  writeWorker,
} from './mirror-frontend.ts';

interface Scene {
  readonly frontend: MirrorFrontend;
  readonly primary: Origin;
  readonly shadow: Origin;
}

async function openScene(
  t: TestContext,
  edits: Partial<Mirror> = {},
  options: MirrorFrontendOptions = {},
): Promise<Scene> {
  const primary = await openOrigin({ behaviour: { body: 'fine' } });
  const shadow = await openOrigin();
  const mirror = toMirror([toShadow(shadow.url)], edits);
  const frontend = openMirrorFrontend(t, toRoute(primary.url, mirror), options);
  t.after(() => Promise.all([primary.close(), shadow.close()]));
  return { frontend, primary, shadow };
}

/** Requests that the primary answers, over several connections; a connection does not end between them. */
async function send(port: number, count: number, body: string | Buffer = 'abc'): Promise<void> {
  const bytes = toRequestBytes({ method: 'POST', body });
  let left = count;
  const run = async (): Promise<void> => {
    const client = await openRaw(port, { deadlineMs: 60_000 });
    while (left-- > 0) {
      await client.send(bytes);
      const [response] = await client.read();
      assert.equal(response?.status, 200, client.bad ?? 'closed');
      assert.equal(response.body.toString(), 'fine');
    }
    client.close();
  };
  await Promise.all(Array.from({ length: 8 }, run));
}

for (const compare of [null, COMPARE]) {
  test(`a lost thread costs what it had sent and what it had not${compare === null ? '' : ', comparing'}`, async (t) => {
    const { frontend, shadow } = await openScene(t, { maxInFlight: 100, compare });
    shadow.behave({ hang: true });
    let sent = 0;
    for (let round = 1; round <= 5; round++) {
      await send(frontend.port, 300);
      sent += 300;
      await until(() => frontend.report().in_flight === 100, 'copies in flight');
      await frontend.kill();
      const { errors, dropped, total_mirrored, in_flight } = await frontend.settled(sent);
      assert.equal(in_flight, 0);
      assert.equal(total_mirrored, 100 * round);
      assert.equal(errors.worker_lost, 100 * round);
      assert.equal(dropped.worker_lost, 200 * round);
      assert.equal(frontend.count('mirror_threads_lost'), round);
    }
    shadow.behave({ body: 'fine' });
    await send(frontend.port, 200);
    const { total_success, total_compared, total_mismatches } = await frontend.settled(sent + 200);
    assert.equal(total_success, 200);
    assert.equal(total_compared, compare === null ? 0 : 200);
    assert.equal(total_mismatches, 0);
    assert.equal(frontend.count('mirror_threads'), 1);
    assert.equal(frontend.defects.length, 5, 'each loss is told once');
    frontend.mirroring.refresh();
    assert.equal(frontend.count('queued_bytes'), 0);
  });
}

test('threads that are lost again and again under load are replaced, and no client sees anything of it', async (t) => {
  const { frontend, primary, shadow } = await openScene(t, {}, { lanes: 2 });
  shadow.behave({ delayMs: 2, body: 'x' });
  const kills = 8;
  let running = true;
  let sent = 0;
  const load = async (): Promise<void> => {
    while (running) {
      await send(frontend.port, 40);
      sent += 40;
    }
  };
  const loads = [load(), load()];
  for (let kill = 0; kill < kills; kill++) {
    const lane = kill % 2;
    const before = shadow.completed;
    await until(
      () => shadow.completed > before + 100 && frontend.mirroring.lanes[lane]!.thread !== null,
      'copies after the last loss',
    );
    await frontend.kill(lane);
  }
  // Both come back to work.
  await until(() => frontend.count('mirror_threads') === 2, 'both threads');
  running = false;
  await Promise.all(loads);
  await frontend.settled(sent);
  const { total_success: before } = frontend.report();
  await send(frontend.port, 40);
  const { total_success, errors, dropped, matched, total_mirrored } = await frontend.settled(sent + 40);
  assert.equal(total_success, before + 40);
  assert.equal(matched, total_mirrored + dropped.worker_lost);
  assert.equal(total_mirrored, total_success + errors.worker_lost);
  assert.ok(errors.worker_lost + dropped.worker_lost > 0);
  assert.equal(frontend.count('mirror_threads_lost'), kills);
  assert.equal(primary.completed, sent + 40);
});

/** What a thread does when the flag is there; each is a different way to go. */
const ENDINGS: Record<string, { readonly wrap: string; readonly says: RegExp }> = {
  'runs out of memory': {
    wrap: 'const hoard = []; for (;;) hoard.push(new Array(100_000).fill(hoard.length));',
    says: /memory/i,
  },
  'throws in a timer': {
    wrap: "setTimeout(() => { throw new Error('out of the blue'); }); return run(task);",
    says: /out of the blue/,
  },
  'throws in its task': { wrap: "throw new Error('in the task');", says: /in the task/ },
  'exits by itself': { wrap: 'process.exit(3);', says: /code 3/ },
  'rejects a promise': {
    wrap: "void Promise.reject(new Error('nobody listens')); return run(task);",
    says: /nobody listens/,
  },
};

for (const [what, { wrap, says }] of Object.entries(ENDINGS)) {
  test(`a thread that ${what} is replaced, and what it had is counted`, async (t) => {
    const flag = join(tmpdir(), `umbra-flag-${process.pid}-${Math.random()}`);
    t.after(() => rmSync(flag, { force: true }));
    const workerFile = writeWorker(
      t,
      `if (existsSync(${JSON.stringify(flag)})) { ${wrap} } return run(task);`,
    );
    const { frontend, shadow } = await openScene(t, {}, { workerFile });
    await send(frontend.port, 50);
    assert.equal((await frontend.settled(50)).total_success, 50);
    shadow.behave({ hang: true });
    await send(frontend.port, 50);
    await until(() => frontend.report().in_flight === 50, 'copies in flight');
    writeFileSync(flag, '');
    // Too long for the ring, so that they reach the thread as tasks.
    await send(frontend.port, 50, Buffer.alloc(200_000));
    await until(() => frontend.count('mirror_threads_lost') >= 1, 'the loss');
    rmSync(flag);
    shadow.behave({});
    await frontend.settled(150);
    await until(() => frontend.count('mirror_threads') === 1, 'another thread');
    await send(frontend.port, 50);
    const { total_success, errors, dropped } = await frontend.settled(200);
    assert.ok(errors.worker_lost >= 50);
    // Whatever the thread did before it went: nothing is counted twice, and the last ones all got through.
    assert.ok(total_success >= 100);
    assert.equal(total_success + errors.worker_lost + dropped.worker_lost, 200);
    assert.match(String(frontend.defects[0]), says);
  });
}

test('a thread that cannot start costs copies only, and starts as soon as it can', async (t) => {
  const workerFile = writeWorker(t, 'return run(task);');
  rmSync(workerFile);
  const { frontend, primary } = await openScene(t, {}, { workerFile });
  await send(frontend.port, 100);
  await until(() => frontend.count('mirror_threads_lost') >= 3, 'further attempts');
  await send(frontend.port, 100);
  assert.equal(primary.completed, 200);
  assert.equal(frontend.report().total_mirrored, 0);
  assert.ok(frontend.defects.length > 0);
  writeFileSync(workerFile, toWorkerText('return run(task);'));
  let sent = 200;
  // Attempts on the missing file may still be under way.
  await until(() => frontend.count('mirror_threads') === 1, 'a thread');
  while (frontend.report().total_success === 0) {
    await send(frontend.port, 10);
    sent += 10;
    await frontend.settled(sent);
  }
  const { total_success: before } = frontend.report();
  await send(frontend.port, 100);
  const { total_success, dropped } = await frontend.settled(sent + 100);
  assert.equal(total_success, before + 100);
  assert.ok(dropped.worker_lost >= 100);
});
