// A request that is refused for overload was never on its route: a reload afterwards must not end the route under the
// exchanges that are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGateway } from '../kit/gateway.ts';
import { openOrigin } from '../kit/origin.ts';
import { openRaw, request, toRequestBytes } from '../kit/raw.ts';
import { untilMetric } from './metric.ts';

const IN_FLIGHT = 2;

test('exchanges that began before a reload end well, copies and all, after others were refused', async () => {
  const primary = await openOrigin();
  const shadow = await openOrigin();
  const toConfig = (readTimeout: string): string => `
limits: { in_flight: ${IN_FLIGHT} }
routes:
  - id: api
    path: /
    timeout: { read: ${readTimeout} }
    backends: [{ url: '${primary.url}' }]
    mirror: { backends: [{ url: '${shadow.url}' }], compare: { enabled: true } }
`;
  const gateway = await openGateway({ config: toConfig('60s') });
  const clients = [];
  for (let count = 0; count < IN_FLIGHT; count++) {
    const client = await openRaw(gateway.port);
    await client.send(toRequestBytes({ method: 'POST', fields: ['Content-Length: 2'], body: 'a' }));
    clients.push(client);
  }
  await untilMetric(gateway, 'umbra_exchanges_in_flight', IN_FLIGHT);
  for (let count = 0; count < IN_FLIGHT; count++) {
    assert.equal((await request(gateway.port)).status, 503);
  }
  await gateway.reload(toConfig('61s'));
  for (const client of clients) {
    await client.send('b');
    assert.equal((await client.read())[0]?.status, 200);
    client.close();
  }
  const { api } = await gateway.settled();
  assert.deepEqual([api?.total_mirrored, api?.total_compared], [IN_FLIGHT, IN_FLIGHT]);
  assert.deepEqual(gateway.logs('defect'), []);
  assert.equal(await gateway.stop(), 0);
  await primary.close();
  await shadow.close();
});
