// The wait queue: its bounds, its deadline, its order, and that nothing waits anywhere else.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { CLIENTS, run, Trace, toCreateClient, toRequest } from './trace.ts';

for (const kind of CLIENTS) {
  describe(kind, () => {
    const createClient = toCreateClient(kind);

    let origin: Origin;

    before(async () => {
      origin = await openOrigin();
      origin.behave({ hang: true }, '/hang');
    });

    after(async () => {
      await origin.waitForSockets(0);
      await origin.close();
    });

    beforeEach(() => origin.behave({ body: 'ok' }));

    for (const [connectionsMax, queueMax] of [
      [1, 0],
      [1, 1],
      [3, 5],
    ] as const) {
      test(`of ${connectionsMax} connections and ${queueMax} places one more than the sum is queue_full`, async () => {
        const client = createClient(origin.url, { connectionsMax, queueMax });
        const before = origin.connections;
        const all = Array.from({ length: connectionsMax + queueMax + 1 }, () =>
          new Trace().dispatch(client, toRequest({ target: '/hang' })),
        );
        const last = all.at(-1);
        assert.equal(last?.early, false);
        await last?.done();
        assert.deepEqual(
          [last?.failure?.reason, last?.failure?.sent, last?.events],
          ['queue_full', false, ['error']],
        );
        assert.equal(client.active, connectionsMax + queueMax);
        await Promise.all(all.slice(0, connectionsMax).map((trace) => trace.until('start')));
        for (const trace of all.slice(connectionsMax, -1)) assert.deepEqual(trace.events, []);
        // Each that ends makes room for the one that waits longest.
        for (const [index, trace] of all.slice(0, -1).entries()) {
          await trace.until('start');
          assert.deepEqual(
            all.slice(index + connectionsMax, -1).flatMap((later) => later.events),
            [],
          );
          trace.attempt.abort();
          await trace.done();
          assert.deepEqual([trace.failure?.reason, trace.late], ['client_gone', []]);
        }
        assert.equal(client.active, 0);
        assert.ok(origin.connections - before <= connectionsMax + queueMax);
        await client.close();
      });
    }

    test('what waits longer than the deadline is queue_timeout, unsent and punctual; the rest goes on', async () => {
      const client = createClient(origin.url, { connectionsMax: 1, queueTimeoutMs: 120 });
      const running = new Trace().dispatch(client, toRequest({ target: '/hang' }));
      const begun = performance.now();
      const waiting = Array.from({ length: 3 }, () => new Trace().dispatch(client, toRequest()));
      for (const trace of waiting) {
        await trace.done();
        assert.deepEqual(
          [trace.failure?.reason, trace.failure?.sent, trace.late],
          ['queue_timeout', false, []],
        );
      }
      const tookMs = performance.now() - begun;
      assert.ok(tookMs >= 119 && tookMs < 1_000, `${tookMs} ms`);
      assert.equal(client.active, 1);
      running.attempt.abort();
      assert.equal((await run(client)).text, 'ok');
      await client.close();
    });

    test('two thousand requests over three connections are all answered, in order, by three connections', async () => {
      const client = createClient(origin.url, { connectionsMax: 3, queueMax: 2_000 });
      const before = origin.connections;
      const order: number[] = [];
      const traces = Array.from({ length: 2_000 }, (_, index) =>
        new Trace((event) => event === 'start' && order.push(index)).dispatch(client, toRequest()),
      );
      for (const trace of traces) await trace.done();
      assert.ok(
        traces.every((trace) => trace.text === 'ok' && trace.failure === null && trace.late.length === 0),
      );
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      );
      assert.equal(origin.connections - before, 3);
      assert.equal(client.active, 0);
      await client.close();
    });

    test('a failing connection passes its place on', async () => {
      const flaky = await openOrigin({ behaviour: { cut: { at: 'start', how: 'reset' } } });
      const client = createClient(flaky.url, { connectionsMax: 2 });
      const traces = Array.from({ length: 50 }, () => new Trace().dispatch(client, toRequest()));
      for (const trace of traces) {
        await trace.done();
        assert.deepEqual([trace.failure?.reason, trace.late], ['reset', []]);
      }
      assert.equal(flaky.arrived, 50);
      await client.close();
      await flaky.close();
    });
  });
}
