// Which route a request gets, by all that a route can ask of it; and which requests are mirrored by `vars`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { openOrigin } from '../kit/origin.ts';
import { openRaw, type RawOptions, type RawRequest, request, toRequestBytes } from '../kit/raw.ts';

async function withGateway(config: string, run: (gateway: Gateway) => Promise<void>): Promise<void> {
  const gateway = await openGateway({ config });
  try {
    await run(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    assert.equal(await gateway.stop(), 0);
  } finally {
    gateway.signal('SIGKILL');
  }
}

const ROUTES = `
routes:
  - { id: exact, hosts: [h.example], path: /api/items, methods: [PUT], BACKENDS }
  - { id: vars, hosts: [h.example], uris: [/api/it*], vars: [[arg_v, ">=", 2], [http_x_team, in, [a, b]]], BACKENDS }
  - { id: client, hosts: [h.example], path: /api, path_prefix: true, remote_addrs: [127.0.0.2], BACKENDS }
  - { id: host, hosts: [h.example], uris: [/api/*/last], BACKENDS }
  - { id: wild, hosts: ["*.example"], uris: [/api*], methods: [POST, GET], vars: [[cookie_beta, "==", "1"]], BACKENDS }
  - { id: every, uris: [/ap*], vars: [[OR, [remote_addr, ipmatch, 127.0.0.0/8], [arg_a, "==", b]]], BACKENDS }
`;

interface Case extends RawRequest {
  readonly from?: RawOptions['localAddress'];
  readonly host?: string;
}

const CASES: readonly (readonly [Case, string])[] = [
  [{ method: 'PUT', path: '/api/items' }, 'exact'],
  [{ method: 'PUT', path: '/api/items/' }, 'every'],
  [{ path: '/api/items?v=2', fields: ['X-Team: a'] }, 'vars'],
  [{ path: '/api/itemsX?v=10&v=1', fields: ['X-Team: b'] }, 'vars'],
  [{ path: '/api/items?v=1&v=2', fields: ['X-Team: a'] }, 'every'],
  [{ path: '/api/items?v=2', fields: ['X-Team: A'] }, 'every'],
  [{ path: '/api/items?v=2' }, 'every'],
  [{ path: '/api/items', from: '127.0.0.2' }, 'client'],
  [{ path: '/api/items?v=2', fields: ['X-Team: a'], from: '127.0.0.2' }, 'vars'],
  [{ path: '/apis', from: '127.0.0.2' }, 'every'],
  [{ path: '/api/items', fields: ['Cookie: a=1; beta=1'] }, 'wild'],
  [{ method: 'DELETE', path: '/api/items', fields: ['Cookie: beta=1'] }, 'every'],
  [{ path: '/api/items', fields: ['Cookie: beta=2'] }, 'every'],
  [{ path: '/api/a/b/last' }, 'host'],
  [{ path: '/api/a/b/last', from: '127.0.0.2' }, 'host'],
  [{ path: '/api/a/b/last', host: 'other' }, 'every'],
  [{ path: '/api/a/b/last', host: 'sub.h.example', fields: ['Cookie: beta=1'] }, 'wild'],
];

test('a route whose conditions do not hold leaves the request to shorter prefixes, wider hosts and host-less routes', async () => {
  const origin = await openOrigin();
  const ids = [...ROUTES.matchAll(/id: (\w+)/g)].map((match) => match[1]!);
  // Each route's primary is told the route's name by its Host.
  const config = ids.reduce(
    (text, id) => text.replace(/BACKENDS/, `backends: [{ url: ${origin.url} }], host_header: ${id}`),
    ROUTES,
  );
  await withGateway(config, async (gateway) => {
    for (const [{ from, host = 'H.Example:80', ...one }, id] of CASES) {
      const client = await openRaw(gateway.port, from === undefined ? {} : { localAddress: from });
      const before = origin.requests.length;
      const answer = await request(client, { ...one, fields: [`Host: ${host}`, ...(one.fields ?? [])] });
      assert.equal(answer.status, 200, JSON.stringify(one));
      assert.equal(origin.requests[before]!.field('host'), id, JSON.stringify({ ...one, from, host }));
      client.close();
    }
    const nowhere = await request(gateway.port, { path: '/a/api' });
    assert.equal(nowhere.status, 404);
    assert.equal(origin.requests.length, CASES.length);
  });
  await origin.close();
});

test('a mirror copies what its vars take, and counts the rest as skipped by condition', async () => {
  const [primary, shadow] = [await openOrigin({ behaviour: { body: 'ok' } }), await openOrigin()];
  const patient = 'timeout: { connect: 60s, send: 60s, read: 60s }';
  const mirror = (vars: string): string =>
    `mirror: { backends: [{ url: ${shadow.url} }], ${patient}, conditions: { vars: ${vars} } }`;
  const config = `routes:
  - { id: all, path: /all, backends: [{ url: ${primary.url} }], ${mirror('[]')} }
  - { id: some, path: /some, backends: [{ url: ${primary.url} }], ${mirror(
    '[["!OR", [arg_skip, "~=", null], [http_x_forwarded_for, "~~", "^10[.]"]], [remote_addr, ipmatch, 127.0.0.1], [scheme, "==", http]]',
  )} }`;
  await withGateway(config, async (gateway) => {
    const rounds = 25;
    const client = await openRaw(gateway.port);
    for (let round = 0; round < rounds; round++) {
      for (const one of [
        { path: '/all' },
        { path: '/some', fields: ['X-Expected: 1'] },
        {
          method: 'POST',
          path: '/some?a=b',
          body: 'x',
          fields: ['X-Expected: 1', 'X-Forwarded-For: 192.0.2.1'],
        },
        { path: '/some?skip' },
        { path: '/some?skip=1' },
        { path: '/some', fields: ['X-Forwarded-For: 10.0.0.1'] },
      ]) {
        await client.send(toRequestBytes(one));
        const [answer] = await client.read();
        assert.equal(answer!.status, 200);
      }
    }
    client.close();
    const other = await openRaw(gateway.port, { localAddress: '127.0.0.2' });
    await request(other, { path: '/some' });
    other.close();
    const reports = await gateway.settled({ all: rounds, some: rounds * 5 + 1 });
    assert.equal(reports.all!.total_success, rounds);
    assert.equal(reports.some!.total_success, rounds * 2);
    assert.equal(reports.some!.skipped.condition, rounds * 3 + 1);
    const copies = shadow.requests.filter((copy) => copy.field('x-umbra-mirror') === 'some');
    assert.equal(copies.length, rounds * 2);
    for (const copy of copies) assert.equal(copy.field('x-expected'), '1', copy.line);
  });
  await Promise.all([primary.close(), shadow.close()]);
});
