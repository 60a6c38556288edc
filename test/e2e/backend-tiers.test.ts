// Backends of lower priority, the bound on when retries begin, and a route without any backend.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request } from '../kit/raw.ts';
import { openFrontend, toBareRoute } from './frontend.ts';
import { readMetric, untilIdle } from './metric.ts';

async function withGateway(config: string, run: (gateway: Gateway) => Promise<void>): Promise<void> {
  const gateway = await openGateway({ config });
  try {
    await run(gateway);
    await untilIdle(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    assert.equal(await gateway.stop(), 0);
  } finally {
    gateway.signal('SIGKILL');
  }
}

function toRouteYaml(backends: readonly (readonly [Origin, number, number])[], rest: string): string {
  const list = backends.map(
    ([{ url }, weight, priority]) => `{ url: ${url}, weight: ${weight}, priority: ${priority} }`,
  );
  return `routes: [{ id: all, path: /, backends: [${list.join(', ')}], ${rest} }]`;
}

async function openOrigins(count: number): Promise<Origin[]> {
  return Promise.all(Array.from({ length: count }, () => openOrigin()));
}

describe('tiers of backends', () => {
  it('a lower one gets nothing while the higher one answers, and its share of all when that is dead', async () => {
    const [high, alsoHigh, low, lower] = (await openOrigins(4)) as [Origin, Origin, Origin, Origin];
    const config = toRouteYaml(
      [
        [low, 1, 0],
        [high, 1, 10],
        [alsoHigh, 2, 10],
        [lower, 1, -1],
      ],
      'retries: 3',
    );
    await withGateway(config, async (gateway) => {
      const client = await openRaw(gateway.port);
      for (let count = 0; count < 30; count++) assert.equal((await request(client)).status, 200);
      assert.deepEqual([high.completed, alsoHigh.completed, low.completed, lower.completed], [10, 20, 0, 0]);
      await high.refuse();
      for (let count = 0; count < 30; count++) assert.equal((await request(client)).status, 200);
      assert.deepEqual([alsoHigh.completed, low.completed, lower.completed], [50, 0, 0]);
      await alsoHigh.refuse();
      for (let count = 0; count < 15; count++) assert.equal((await request(client)).status, 200);
      assert.deepEqual([alsoHigh.completed, low.completed, lower.completed], [50, 15, 0]);
      await low.refuse();
      for (let count = 0; count < 5; count++) assert.equal((await request(client)).status, 200);
      assert.deepEqual([low.completed, lower.completed], [15, 5]);
      await lower.refuse();
      assert.equal((await request(client)).status, 502);
      client.close();
    });
    await Promise.all([high, alsoHigh, low, lower].map((origin) => origin.close()));
  });

  it('a tier without weight is as if it were not there', async () => {
    const [none, some] = (await openOrigins(2)) as [Origin, Origin];
    const config = toRouteYaml(
      [
        [none, 0, 1],
        [some, 1, 0],
      ],
      'retries: 0',
    );
    await withGateway(config, async (gateway) => {
      for (let count = 0; count < 5; count++) assert.equal((await request(gateway.port)).status, 200);
      assert.deepEqual([none.completed, some.completed], [0, 5]);
    });
    await Promise.all([none.close(), some.close()]);
  });

  it('too few retries do not reach it: the failure is answered', async () => {
    const [high, low] = (await openOrigins(2)) as [Origin, Origin];
    await high.refuse();
    const config = toRouteYaml(
      [
        [high, 1, 1],
        [low, 1, 0],
      ],
      'retries: 0',
    );
    await withGateway(config, async (gateway) => {
      assert.equal((await request(gateway.port)).status, 502);
      assert.equal(low.arrived, 0);
    });
    await Promise.all([high.close(), low.close()]);
  });
});

describe('retry_timeout', () => {
  for (const [bound, status, retries] of [
    ['150ms', 504, 0],
    ['60s', 200, 1],
  ] as const) {
    it(`${bound}, when the first attempt took 400ms: ${status}`, async () => {
      const [slow, good] = (await openOrigins(2)) as [Origin, Origin];
      slow.behave({ hang: true });
      const config = toRouteYaml(
        [
          [slow, 1, 1],
          [good, 1, 0],
        ],
        `retries: 5, retry_timeout: ${bound}, timeout: { read: 400ms }`,
      );
      await withGateway(config, async (gateway) => {
        assert.equal((await request(gateway.port)).status, status);
        assert.equal(good.arrived, retries);
        assert.equal(await readMetric(gateway, 'umbra_retries_total{route="all"}'), retries);
      });
      await Promise.all([slow.close(), good.close()]);
    });
  }
});

describe('a route without backends', () => {
  it('answers every request with 503, and the connection is kept', async (t) => {
    const frontend = openFrontend(t, [toBareRoute('empty', { backends: [] })]);
    const client = await openRaw(frontend.port);
    for (const one of [{}, { path: '/x' }, { method: 'PUT', body: 'x' }, { method: 'HEAD' }]) {
      client.answersHead = one.method === 'HEAD';
      const answer = await request(client, one);
      assert.equal(answer.status, 503, JSON.stringify(one));
    }
    client.close();
    assert.deepEqual(
      frontend.logs.map(({ message, fields }) => [message, fields.route, fields.backend, fields.reason]),
      new Array(4).fill(['primary failed', 'empty', null, 'no_primary']),
    );
  });

  it('so does one whose backends all have weight 0', async (t) => {
    const origin = await openOrigin();
    const backend = {
      origin: origin.url,
      authority: 'a',
      tls: null,
      client: 'auto',
      weight: 0,
      priority: 0,
    } as const;
    const frontend = openFrontend(t, [toBareRoute('empty', { backends: [backend] })]);
    assert.equal((await request(frontend.port)).status, 503);
    assert.equal(origin.connections, 0);
    await origin.close();
  });
});
