// Weighted round robin as backends see it: exact shares over a cycle of all front-end threads together.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, type RawClient, request } from '../kit/raw.ts';
import { untilIdle } from './metric.ts';

const WEIGHTS = [3, 2, 1, 0];
const CYCLE = 6;

async function withGateway(
  frontends: number,
  run: (gateway: Gateway, backends: readonly Origin[]) => Promise<void>,
): Promise<void> {
  const backends = await Promise.all(WEIGHTS.map(() => openOrigin({ requestsMax: 0 })));
  const list = backends.map((backend, index) => `{ url: '${backend.url}', weight: ${WEIGHTS[index]} }`);
  const gateway = await openGateway({
    frontends,
    config: `routes: [{ id: all, path: /, path_prefix: true, backends: [${list.join(', ')}] }]`,
  });
  try {
    await run(gateway, backends);
    await untilIdle(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    assert.equal(await gateway.stop(), 0);
  } finally {
    await gateway.stop({ balanced: false });
    for (const backend of backends) await backend.close();
  }
}

function toCounts(backends: readonly Origin[]): number[] {
  return backends.map((backend) => backend.completed);
}

/** As many clients that the kernel has very likely given some to each thread. */
function openClients(gateway: Gateway): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: 16 }, () => openRaw(gateway.port)));
}

describe('weighted round robin', () => {
  it('each cycle has exact shares, spread out smoothly', async () => {
    await withGateway(1, async (gateway, backends) => {
      const client = await openRaw(gateway.port);
      const order: number[] = [];
      for (let count = 0; count < 10 * CYCLE; count++) {
        const before = toCounts(backends);
        await request(client);
        order.push(backends.findIndex((backend, index) => backend.completed > before[index]!));
        if ((count + 1) % CYCLE !== 0) continue;
        const cycles = (count + 1) / CYCLE;
        assert.deepEqual(
          toCounts(backends),
          WEIGHTS.map((weight) => weight * cycles),
        );
      }
      assert.deepEqual(order.slice(0, CYCLE).toSorted(), [0, 0, 0, 1, 1, 2]);
      for (let at = 0; at < order.length; at++) assert.equal(order[at], order[at % CYCLE]);
      assert.ok(!/000|11/.test(order.join('')), order.join(''));
      client.close();
    });
  });

  for (const frontends of [1, 2]) {
    it(`the shares are exact over many cycles of concurrent requests, front-end threads: ${frontends}`, async () => {
      await withGateway(frontends, async (gateway, backends) => {
        const clients = await openClients(gateway);
        const each = 15 * CYCLE;
        const run = async (client: RawClient): Promise<void> => {
          for (let count = 0; count < each; count++) assert.equal((await request(client)).status, 200);
        };
        await Promise.all(clients.map(run));
        const cycles = (clients.length * each) / CYCLE;
        assert.deepEqual(
          toCounts(backends),
          WEIGHTS.map((weight) => weight * cycles),
        );
        for (const client of clients) client.close();
      });
    });
  }

  it('a backend of weight 0 is not asked, even where all others refuse', async () => {
    await withGateway(1, async (gateway, backends) => {
      for (const backend of backends.slice(0, 3)) await backend.refuse();
      for (let count = 0; count < 12; count++) assert.equal((await request(gateway.port)).status, 502);
      assert.deepEqual(toCounts(backends), [0, 0, 0, 0]);
    });
  });
});
