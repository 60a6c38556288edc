// A control behind a real front end: what waits for it when its mirror thread is lost, and when all is well again.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request } from '../kit/raw.ts';
import { toControl, toDetail, toMirror, toShadow } from '../mirror/rig.ts';
import { type MirrorFrontend, openMirrorFrontend, toRoute, until } from './mirror-frontend.ts';

const TYPE = ['content-type: application/json'];

interface Scene {
  readonly frontend: MirrorFrontend;
  readonly shadow: Origin;
  readonly control: Origin;
}

async function openScene(t: TestContext): Promise<Scene> {
  const primary = await openOrigin({ behaviour: { fields: TYPE, body: '{"time":1,"id":7}' } });
  const [shadow, control] = [await openOrigin(), await openOrigin()];
  t.after(() => Promise.all([primary.close(), shadow.close(), control.close()]));
  const shadows = [toShadow(shadow.url), toControl(control.url)];
  const mirror = toMirror(shadows, { compare: toDetail() });
  return { frontend: openMirrorFrontend(t, toRoute(primary.url, mirror)), shadow, control };
}

async function send(frontend: MirrorFrontend, count: number): Promise<void> {
  const client = await openRaw(frontend.port, { deadlineMs: 60_000 });
  for (let sent = 0; sent < count; sent++) assert.equal((await request(client, {})).status, 200);
  client.close();
}

test('answers that wait for their control’s in a lost thread are uncompared, and the next ones are compared', async (t) => {
  const { frontend, shadow, control } = await openScene(t);
  const count = 10;
  shadow.behave({ fields: TYPE, body: '{"time":2,"id":7}' });
  control.behave({ hang: true });
  await send(frontend, count);
  await until(() => {
    const { total_success, control: figures } = frontend.report();
    return total_success === count && figures?.in_flight === count;
  }, 'the shadow’s answers');
  assert.equal(frontend.report().in_flight, 0, 'places are given back at once');
  await frontend.kill();
  const lost = await frontend.settled(count);
  assert.deepEqual(
    [lost.total_success, lost.total_compared, lost.uncompared.not_captured],
    [count, 0, count],
  );
  assert.deepEqual([lost.control?.errors.worker_lost, lost.control?.total_compared], [count, 0]);
  control.behave({ fields: TYPE, body: '{"time":3,"id":7}' });
  await send(frontend, 2);
  await until(() => frontend.report().total_compared === 2, 'the comparisons');
  const { total_mismatches, noisy, control: figures } = await frontend.settled(count + 2);
  assert.deepEqual([total_mismatches, noisy], [0, 2]);
  assert.deepEqual([figures?.total_compared, figures?.total_mismatches], [2, 2]);
});

test('a control that is gone takes nothing from shadow and client', async (t) => {
  const { frontend, shadow, control } = await openScene(t);
  shadow.behave({ fields: TYPE, body: '{"time":1,"id":8}' });
  await control.close();
  const count = 20;
  await send(frontend, count);
  await until(() => frontend.report().total_compared === count, 'the comparisons');
  const { total_mismatches, control: figures } = await frontend.settled(count);
  assert.equal(total_mismatches, count);
  assert.equal(figures?.total_errors, count);
});
