// abort() in every phase: always client_gone, always in a later turn, always once, and nothing is left behind.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { UpstreamRequest } from '../../src/upstream/client.ts';
import type { Behaviour } from '../kit/behaviour.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { CLIENTS, run, Trace, type TraceEvent, toCreateClient, toRequest, toUpload } from './trace.ts';

for (const kind of CLIENTS) {
  describe(kind, () => {
    const createClient = toCreateClient(kind);

    let origin: Origin;

    before(async () => {
      origin = await openOrigin({ behaviour: { body: 'ok' } });
    });

    after(async () => {
      await origin.waitForSockets(0);
      await origin.close();
    });

    async function assertGone(trace: Trace, sent: boolean): Promise<void> {
      await trace.done();
      assert.deepEqual([trace.failure?.reason, trace.failure?.sent, trace.late], ['client_gone', sent, []]);
      trace.attempt.abort();
      trace.attempt.pause();
      trace.attempt.resume();
      trace.attempt.end();
      assert.equal(trace.attempt.write(Buffer.from('x')), true);
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(trace.late, []);
    }

    interface Row {
      readonly phase: string;
      readonly behaviour: Behaviour;
      readonly request?: UpstreamRequest;
      /** Aborted within this event. */
      readonly at: TraceEvent;
    }

    const slow: Behaviour = { body: 1_000_000, trickle: { bytes: 1_000, pauseMs: 1 } };

    const rows: readonly Row[] = [
      { phase: 'as its request is written', behaviour: { hang: true }, at: 'start' },
      { phase: 'in the head of the answer', behaviour: slow, at: 'head' },
      { phase: 'in the body of the answer', behaviour: slow, at: 'body' },
      { phase: 'in the only chunk of the answer', behaviour: { body: 'all' }, at: 'body' },
      { phase: 'as its upload is asked for', behaviour: {}, request: toUpload(10), at: 'drain' },
      {
        phase: 'as its upload without a length is asked for',
        behaviour: {},
        request: toUpload(null),
        at: 'drain',
      },
    ];

    for (const { phase, behaviour, request, at } of rows) {
      for (const turn of ['within the callback', 'in a later turn'] as const) {
        test(`an attempt that is aborted ${phase}, ${turn}, is client_gone, sent`, async () => {
          origin.behave(behaviour, '/row');
          const client = createClient(origin.url, { connectionsMax: 1 });
          const trace = new Trace((event, self) => {
            if (event !== at) return;
            const before = self.ended;
            if (turn === 'within the callback') self.attempt.abort();
            else setImmediate(() => self.attempt.abort());
            assert.equal(self.ended, before, 'never within abort()');
          });
          // Not before the attempt is known: onStart() may come within dispatch() on a kept connection.
          trace.dispatch(client, { ...(request ?? toRequest()), target: '/row' });
          await trace.done();
          // A short answer may be whole before the later turn.
          if (trace.failure !== null) await assertGone(trace, true);
          else assert.ok(turn === 'in a later turn' && behaviour.body === 'all');
          assert.equal(client.active, 0);
          assert.equal((await run(client)).text, 'ok');
          await client.close();
        });
      }
    }

    test('an attempt that is aborted in the turn of its dispatch or while it waits is client_gone, unsent, and never arrives', async () => {
      const counted = await openOrigin();
      counted.behave({ hang: true }, '/hang');
      const client = createClient(counted.url, { connectionsMax: 1 });
      const holder = new Trace().dispatch(client, toRequest({ target: '/hang' }));
      await counted.waitForHeads(1);
      const waiting = [new Trace(), new Trace(), new Trace()].map((trace) =>
        trace.dispatch(client, toRequest()),
      );
      const upload = new Trace().dispatch(client, toUpload(4));
      upload.attempt.write(Buffer.from('abc'));
      // From the middle, from the front, from the end.
      for (const index of [1, 0, 2]) waiting[index]?.attempt.abort();
      upload.attempt.abort();
      for (const trace of [...waiting, upload]) await assertGone(trace, false);
      holder.attempt.abort();
      await assertGone(holder, true);
      assert.equal((await run(client, { target: '/last' })).status, 200);
      assert.deepEqual(
        counted.requests.map((request) => request.target),
        ['/hang', '/last'],
      );
      await client.close();
      await counted.close();
    });

    test('an attempt that is aborted while it connects is client_gone at once, unsent, and its connection serves the next', async () => {
      const fresh = await openOrigin({ behaviour: { body: 'ok' } });
      const client = createClient(fresh.url, { connectionsMax: 1 });
      const buffered = new Trace().dispatch(client, toRequest());
      buffered.attempt.abort();
      await assertGone(buffered, false);
      assert.equal((await run(client)).text, 'ok');
      const other = createClient(fresh.url, { connectionsMax: 1 });
      const upload = new Trace().dispatch(other, toUpload(3));
      upload.attempt.write(Buffer.from('abc'));
      upload.attempt.abort();
      await assertGone(upload, false);
      assert.equal((await run(other)).text, 'ok');
      assert.equal(fresh.completed, 2);
      assert.equal(fresh.connections, 2);
      await client.close();
      await other.close();
      await fresh.waitForSockets(0);
      await fresh.close();
    });

    test('an attempt that is aborted while its connection never comes ends all the same, and close() does not wait', async () => {
      const silent = createServer((socket) => socket.on('error', () => undefined).resume()).listen(
        0,
        '127.0.0.1',
      );
      await new Promise((resolve) => silent.once('listening', resolve));
      const address = silent.address();
      assert.ok(typeof address === 'object' && address !== null);
      const client = createClient(`https://localhost:${address.port}`);
      const trace = new Trace().dispatch(client, toRequest());
      await new Promise((resolve) => silent.once('connection', resolve));
      trace.attempt.abort();
      await assertGone(trace, false);
      await client.close();
      await new Promise((resolve) => silent.close(resolve));
    });

    test('an upload that is aborted under way never becomes a whole request', async () => {
      const counted = await openOrigin();
      const client = createClient(counted.url, { connectionsMax: 1 });
      for (const declared of [1_000_000, null]) {
        const trace = new Trace(
          (event, self) => event === 'drain' && self.attempt.write(Buffer.alloc(10_000)),
        );
        trace.dispatch(client, toUpload(declared));
        await trace.until('drain');
        await counted.waitForHeads(counted.completed + 1, 5_000);
        trace.attempt.abort();
        await assertGone(trace, true);
        await counted.waitForSockets(0);
      }
      assert.equal(counted.completed, 0);
      assert.deepEqual(counted.bad, ['ends within a message', 'ends within a message']);
      await client.close();
      await counted.close();
    });

    test('a paused attempt can be aborted', async () => {
      origin.behave({ body: 5_000_000 }, '/large');
      const client = createClient(origin.url);
      const trace = new Trace((event, self) => event === 'body' && self.attempt.pause());
      trace.dispatch(client, toRequest({ target: '/large' }));
      await trace.until('body');
      trace.attempt.abort();
      await assertGone(trace, true);
      await client.close();
    });
  });
}
