// What a real gateway keeps of real mismatches, and what can be done about them: read, run again, ignore, pause, clear.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { FieldsView } from '../../src/control/mirror-api/field-view.ts';
import type { MismatchesView } from '../../src/control/mirror-api/mismatch-view.ts';
import { openOrigin } from '../kit/origin.ts';
import { request } from '../kit/raw.ts';
import { type AdminScene, KEY, openScene, toRoute } from './admin-scene.ts';
import { readMetric } from './metric.ts';
import { type MirrorEvents, openMirrorEvents } from './mirror-events.ts';

const HAS_CURL = spawnSync('curl', ['--version']).status === 0;
const JSON_FIELDS = ['Content-Type: application/json'];

interface Asked {
  readonly status: number;
  readonly body: unknown;
}

async function ask(scene: AdminScene, method: string, path: string, content?: unknown): Promise<Asked> {
  const response = await fetch(`http://127.0.0.1:${scene.gateway().adminPort}${path}`, {
    method,
    headers: { 'x-api-key': KEY, ...(content === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(content === undefined ? {} : { body: JSON.stringify(content) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
}

async function readMismatches(scene: AdminScene, route: string): Promise<MismatchesView> {
  return (await ask(scene, 'GET', `/mirrors/${route}/mismatches`)).body as MismatchesView;
}

async function listen(t: TestContext, scene: AdminScene): Promise<MirrorEvents> {
  const events = await openMirrorEvents(scene.gateway().adminPort);
  t.after(() => events.close());
  return events;
}

function answer(name: string, at: number) {
  return { body: JSON.stringify({ name, meta: { at } }), fields: JSON_FIELDS };
}

async function runShell(command: string): Promise<string> {
  const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  return text;
}

test('a mismatch is kept with all that one needs to look into it, without noise and without secrets', async (t) => {
  const control = await openOrigin();
  t.after(() => control.close());
  const scene = await openScene(t);
  const gateway = await scene.start({
    config: `routes:
  - id: orders
    path: /
    path_prefix: true
    backends: [{ url: ${scene.primary.url} }]
    mirror:
      backends: [{ url: ${scene.shadow.url} }]
      path: /v2
      path_concat_mode: prefix
      timeout: { connect: 60s, send: 60s, read: 60s }
      breaker: { failures: 1000000 }
      compare:
        detailed_diff: true
        control: { url: ${control.url} }
        max_mismatches: 6`,
  });
  const events = await listen(t, scene);
  scene.primary.behave(answer('Alice', 1));
  scene.shadow.behave({ ...answer('alice', 2), status: 201 });
  control.behave(answer('Alice', 3));
  const content = '{"q":"it\'s"}';
  for (let sent = 0; sent < 6; sent++) {
    const { status } = await request(gateway.port, {
      method: 'POST',
      path: '/a/../users?id=1',
      fields: ['Authorization: Bearer hidden', 'Content-Type: application/json', 'X-Request-Id: r-1'],
      body: content,
    });
    assert.equal(status, 200);
  }
  await events.until(
    'orders',
    ({ mismatch_store_size, total_compared }) => mismatch_store_size === 6 && total_compared === 6,
  );
  const view = await readMismatches(scene, 'orders');
  assert.deepEqual([view.total_mismatches, view.stored_count, view.capacity], [6, 6, 6]);
  assert.deepEqual(
    view.groups.map(({ fields, count }) => [fields, count]),
    [[['body:name', 'status'], 6]],
  );
  const [entry] = view.entries;
  assert.deepEqual(entry, view.groups[0]!.example);
  const { method, path, backend, request_id, diff_types, detail, fields, curl } = entry!;
  assert.deepEqual(
    [method, path, backend, request_id],
    ['POST', '/a/../users?id=1', scene.shadow.url, 'r-1'],
  );
  assert.deepEqual(
    [diff_types, fields],
    [
      ['status', 'body'],
      ['body:name', 'status'],
    ],
  );
  assert.deepEqual([detail.status_diff!.primary_status, detail.status_diff!.mirror_status], [200, 201]);
  assert.deepEqual(
    detail.body_diffs.map(({ path: place, kind, primary, mirror }) => [place, kind, primary, mirror]),
    [['name', 'value', '"Alice"', '"alice"']],
  );
  assert.ok(!JSON.stringify(view).includes('hidden'));
  if (HAS_CURL) {
    await scene.shadow.waitFor(6);
    assert.equal(await runShell(`no_proxy='*' ${curl.mirror} --silent`), answer('alice', 2).body);
    assert.equal(await runShell(`no_proxy='*' ${curl.primary} --silent`), answer('Alice', 1).body);
    const again = scene.shadow.requests.at(-1)!;
    assert.equal(again.line, 'POST /v2/a/../users?id=1 HTTP/1.1');
    assert.equal(again.body.toString(), content);
    assert.equal(again.field('authorization'), '(masked)');
    assert.equal(scene.primary.requests.at(-1)!.line, 'POST /a/../users?id=1 HTTP/1.1');
  }
  const seen = (await ask(scene, 'GET', '/mirrors/orders/fields')).body as FieldsView;
  assert.deepEqual([seen.compared, seen.controlled, seen.proposals], [6, 6, []]);
  const states = Object.fromEntries(
    seen.fields.map(({ field, state, counted }) => [field, [state, counted]]),
  );
  assert.deepEqual(states, {
    'body:meta.at': ['noise', 0],
    'body:name': ['counted', 6],
    status: ['counted', 6],
  });
  const { orders } = await gateway.mirrors();
  assert.deepEqual([orders!.total_mirrored, orders!.noisy, orders!.control!.total_mirrored], [6, 6, 6]);
  assert.deepEqual(Object.keys(orders!.shadows), [scene.shadow.url]);
  assert.equal(
    await readMetric(gateway, `umbra_control_sent_total{route="orders",control="${control.url}"}`),
    6,
  );
  assert.equal(await readMetric(gateway, 'umbra_mirror_mismatches_stored{route="orders"}'), 6);
  const refused = await ask(scene, 'POST', '/mirrors/orders/ignored', { field: 'body:name' });
  assert.deepEqual(
    [refused.status, (refused.body as { readonly rule: string }).rule],
    [409, 'ignore_json_fields: [name]'],
  );
  assert.equal((await ask(scene, 'DELETE', '/mirrors/orders/mismatches')).status, 204);
  const cleared = await readMismatches(scene, 'orders');
  assert.deepEqual([cleared.total_mismatches, cleared.stored_count, cleared.groups], [6, 0, []]);
});

test('a field that is ignored through the Admin API counts no more, and what was found before is gone', async (t) => {
  const scene = await openScene(t);
  const gateway = await scene.start();
  const compared = toRoute(scene, '/*') as { readonly plugins: Record<string, unknown> };
  await scene.put('routes/live', {
    ...compared,
    plugins: { ...compared.plugins, 'umbra-compare': { detailed_diff: true } },
  });
  const events = await listen(t, scene);
  let answers = 0;
  const send = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent++) {
      answers++;
      scene.primary.behave(answer('Alice', answers));
      scene.shadow.behave(answer('Alice', -answers));
      assert.equal((await request(gateway.port, { path: '/x' })).status, 200);
      // Both answer by what they were told last.
      await scene.shadow.waitFor(answers);
    }
  };
  await send(20);
  await events.until('live', ({ total_mismatches }) => total_mismatches === 20);
  await events.until('live', ({ mismatch_store_size }) => mismatch_store_size === 20);
  const before = (await ask(scene, 'GET', '/mirrors/live/fields')).body as FieldsView;
  assert.deepEqual(before.proposals, ['body:meta.at']);
  const ignored = await ask(scene, 'POST', '/mirrors/live/ignored', { field: 'body:meta.at' });
  assert.deepEqual(ignored, { status: 200, body: { applied: true, rule: 'ignore_json_fields: [meta.at]' } });
  await send(5);
  await events.until('live', ({ total_compared }) => total_compared === 25);
  const view = await readMismatches(scene, 'live');
  assert.deepEqual([view.total_mismatches, view.stored_count, view.groups], [20, 0, []]);
  const stored = await scene.call('GET', 'routes/live');
  const plugins = stored.body.value!.plugins as Record<string, unknown>;
  assert.deepEqual(plugins['umbra-compare'], { detailed_diff: true, ignore_json_fields: ['meta.at'] });
});

test('a paused mirror sends no copy, counts why, and goes on when it is resumed; clients notice nothing', async (t) => {
  const scene = await openScene(t);
  const gateway = await scene.start({ frontends: 2 });
  await scene.put('routes/live', toRoute(scene, '/*'));
  const events = await listen(t, scene);
  const send = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent++)
      assert.equal((await request(gateway.port, { path: '/x' })).status, 200);
  };
  await send(3);
  assert.deepEqual(await ask(scene, 'PUT', '/mirrors/live/pause'), {
    status: 200,
    body: { route: 'live', paused: true },
  });
  await send(4);
  // A change of the route leaves it paused.
  await scene.call('PATCH', 'routes/live', { desc: 'changed' });
  await send(2);
  assert.deepEqual(await ask(scene, 'DELETE', '/mirrors/live/pause'), {
    status: 200,
    body: { route: 'live', paused: false },
  });
  await send(1);
  const { skipped } = await events.until(
    'live',
    ({ matched, total_success, paused }) => matched === 10 && total_success === 4 && paused === false,
  );
  assert.deepEqual(skipped, { paused: 6 });
  assert.equal(scene.shadow.completed, 4);
  assert.equal(scene.primary.completed, 10);
  await gateway.waitForLog('mirror paused');
  await gateway.waitForLog('mirror resumed');
});
