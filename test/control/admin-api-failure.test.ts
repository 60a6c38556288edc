// What a client of the Admin API is told when a change goes wrong behind it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../../src/control/catalog.ts';
import { assertRefused, openAdminApi, sampleValue } from './admin-api-kit.ts';

test('what the catalog refuses is passed on as it is: stored, but not yet in force', async (t) => {
  const body = { error_msg: 'route [1] is stored, but not yet in force in every front-end thread', hint: 7 };
  const { send, errors } = await openAdminApi(t, {
    wrap: (catalog) => ({
      list: (kind) => catalog.list(kind),
      find: (kind, id) => catalog.find(kind, id),
      newId: (kind) => catalog.newId(kind),
      change: async (...change) => {
        await catalog.change(...change);
        throw new Refusal(503, body);
      },
    }),
  });
  for (const [method, path, content] of [
    ['PUT', 'routes/1', sampleValue('/a')],
    ['POST', 'routes', sampleValue('/b')],
    ['PATCH', 'routes/1', { desc: 'x' }],
    ['DELETE', 'routes/1', undefined],
  ] as const) {
    const answer = await send(method, path, { body: content });
    assertRefused(answer, 503, body.error_msg, method);
    assert.deepEqual(answer.body, body);
  }
  assert.deepEqual(errors, []);
});

test('a failure inside is 500 without its cause, and the cause is told to the owner', async (t) => {
  const { send, errors } = await openAdminApi(t, {
    wrap: (catalog) => ({
      list: (kind) => catalog.list(kind),
      find: (kind, id) => catalog.find(kind, id),
      newId: (kind) => catalog.newId(kind),
      change: () => Promise.reject(new Error('secret cause')),
    }),
  });
  const answer = await send('PUT', 'routes/1', { body: sampleValue('/a') });
  assertRefused(answer, 500, 'internal error');
  assert.deepEqual(answer.body, { error_msg: 'internal error' });
  assert.deepEqual(
    errors.map((error) => error.message),
    ['secret cause'],
  );
  assert.equal((await send('GET', 'routes')).status, 200);
});
