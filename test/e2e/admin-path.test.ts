// The Admin API by a listener for traffic: its path goes to the admin listener whatever the routes say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouteCell } from '../../src/core/book.ts';
import type { Route } from '../../src/core/model.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request } from '../kit/raw.ts';
import { openFrontend, toBareRoute } from './frontend.ts';

function toRoute(origin: Origin, edits: Partial<Route> = {}): Route {
  const authority = new URL(origin.url).host;
  const backends = [
    { origin: origin.url, authority, tls: null, client: 'auto', weight: 1, priority: 0 } as const,
  ];
  return toBareRoute('all', { backends, ...edits });
}

test('the path and what is below it go to the admin listener, all else to the routes', async (t) => {
  const [admin, primary] = [await openOrigin({ behaviour: { body: 'echo' } }), await openOrigin()];
  const paths = [
    { match: 'exact', path: '/apisix/admin/routes' } as const,
    { match: 'prefix', path: '/' } as const,
  ];
  const frontend = openFrontend(t, [toRoute(primary, { paths })], admin.url);
  const client = await openRaw(frontend.port);
  const bodies = ['', 'x', 'y'.repeat(200_000)];
  for (const [index, body] of bodies.entries()) {
    const answer = await request(client, {
      method: 'PUT',
      path: `/apisix/admin/routes?n=${index}`,
      fields: ['X-API-KEY: k', 'X-Forwarded-For: 192.0.2.1', 'Host: any.example'],
      body,
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), body);
    const got = admin.requests.at(-1)!;
    assert.equal(got.line, `PUT /apisix/admin/routes?n=${index} HTTP/1.1`);
    assert.equal(got.field('x-api-key'), 'k');
    assert.equal(got.field('x-forwarded-for'), '192.0.2.1, 127.0.0.1');
    assert.equal(got.field('host'), 'any.example');
  }
  for (const path of ['/apisix/admin', '/apisix/admin?x', '/apisix/admin/']) await request(client, { path });
  assert.deepEqual([admin.completed, primary.completed], [bodies.length + 3, 0]);
  for (const path of [
    '/apisix/administrator',
    '/apisix',
    '/x/apisix/admin/',
    '/apisix/Admin/routes',
    '/?/apisix/admin/',
  ]) {
    await request(client, { path });
  }
  assert.deepEqual([admin.completed, primary.completed], [bodies.length + 3, 5]);
  client.close();
  assert.equal(
    frontend.ledger.row('all')!.book.sum(RouteCell.requests),
    5,
    'the books have the routes alone',
  );
  assert.equal(frontend.ledger.rows().length, 1);
  await Promise.all([admin.close(), primary.close()]);
});

test('when it is not served there, the path is a route’s like any other', async (t) => {
  const primary = await openOrigin();
  const frontend = openFrontend(t, [toRoute(primary)]);
  assert.equal((await request(frontend.port, { path: '/apisix/admin/routes' })).status, 200);
  assert.equal(primary.completed, 1);
  await primary.close();
});

test('an admin listener that is gone is a 502, without a second attempt', async (t) => {
  const [admin, primary] = [await openOrigin(), await openOrigin()];
  await admin.refuse();
  const frontend = openFrontend(t, [toRoute(primary)], admin.url);
  assert.equal((await request(frontend.port, { path: '/apisix/admin/routes' })).status, 502);
  assert.equal(primary.arrived, 0);
  assert.deepEqual(
    frontend.logs.map(({ message, fields }) => [message, fields.route, fields.reason]),
    [['primary failed', '(admin)', 'refused']],
  );
  await Promise.all([admin.close(), primary.close()]);
});
