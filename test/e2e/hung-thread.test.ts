// A front-end thread that hangs, here in a regular expression that takes for ever: whoever asks is told, nothing waits for it
// without end, and what was changed meanwhile is in force after the next start.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { openScene } from './admin-scene.ts';
import { readMetric } from './metric.ts';

test('a hung front-end thread is told of, and a change that it does not take is stored', async (context) => {
  const scene = await openScene(context);
  const gateway = await scene.start({ frontends: 1 });
  const upstream = { type: 'roundrobin', nodes: { [new URL(scene.primary.url).host]: 1 } };
  await scene.put('routes/fine', { uri: '/fine', upstream });
  await scene.put('routes/slow', { uri: '/slow', upstream, vars: [['arg_a', '~~', '^(a+)+$']] });
  const hung = request({ port: gateway.port, path: `/slow?a=${'a'.repeat(60)}!` });
  hung.on('error', () => {});
  hung.end();
  assert.equal((await gateway.waitForLog('a front-end thread hangs')).thread, 0);
  assert.equal((await fetch(`http://127.0.0.1:${gateway.adminPort}/readyz`)).status, 503);
  assert.equal(await readMetric(gateway, 'umbra_ready'), 0);
  const removal = await scene.call('DELETE', 'routes/slow');
  assert.equal(removal.status, 503);
  assert.match(
    removal.body.error_msg!,
    /^the change is stored, but not in force everywhere: 1 of 1 front-end threads did not take it within 5 s$/,
  );
  // Later changes are not held up by it, and say the same.
  assert.equal((await scene.call('PUT', 'routes/late', { uri: '/late', upstream })).status, 503);
  assert.deepEqual(
    (await scene.call('GET', 'routes')).body.list!.map(({ value }) => value.id),
    ['fine', 'late'],
  );
  gateway.signal('SIGKILL');
  await gateway.exited;
  hung.destroy();
  const next = await scene.start();
  for (const [path, status] of [
    ['/fine', 200],
    ['/late', 200],
    ['/slow?a=a', 404],
  ] as const) {
    assert.equal((await fetch(`http://127.0.0.1:${next.port}${path}`)).status, status, path);
  }
});
