// The plugin umbra-compare by the Admin API: what is kept, and what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, openAdminApi } from './admin-api-kit.ts';

test('umbra-compare is stored as it was sent, and refused where proxy-mirror would be', async (t) => {
  const { send } = await openAdminApi(t);
  const compare = {
    detailed_diff: true,
    ignore_headers: ['Server'],
    max_body_capture: '64KiB',
    tolerance: '0.5%',
  };
  const plugins = { 'proxy-mirror': { host: 'http://127.0.0.1:9797' }, 'umbra-compare': compare };
  const put = (edits: object) =>
    send('PUT', 'routes/compared', {
      body: {
        uri: '/',
        plugins: { ...plugins, 'umbra-compare': { ...compare, ...edits } },
        upstream: { type: 'roundrobin', nodes: { '127.0.0.1:1980': 1 } },
      },
    });
  assert.equal((await put({})).status, 201);
  const { body } = await send('GET', 'routes/compared');
  assert.deepEqual((body as { value: { plugins: unknown } }).value.plugins, plugins);
  const prefix = 'failed to check the configuration of plugin umbra-compare err: ';
  assertRefused(await put({ masks: [] }), 400, `${prefix}additional properties forbidden, found masks`);
  assertRefused(await put({ mask: ['a..b'] }), 400, /plugins\.umbra-compare\.mask\[0\]: must be a path/);
  assertRefused(
    await put({ control: { url: 'http://127.0.0.1:9797' } }),
    400,
    /control\.url: has the same origin/,
  );
  assert.deepEqual((await send('GET', 'routes/compared')).body, body);
});
