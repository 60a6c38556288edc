// The end of a client: close() waits, destroy() does not, and neither leaves a socket or a handler behind.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { CLIENTS, run, Trace, toCreateClient, toRequest, toUpload } from './trace.ts';

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

    test('destroy() ends running, waiting and paused attempts as reset', async () => {
      origin.behave({ hang: true }, '/hang');
      origin.behave({ body: 'answer' }, '/paused');
      const client = createClient(origin.url, { connectionsMax: 2 });
      const paused = new Trace((event, self) => event === 'head' && self.attempt.pause());
      paused.dispatch(client, toRequest({ target: '/paused' }));
      const running = new Trace().dispatch(client, toRequest({ target: '/hang' }));
      const waiting = new Trace().dispatch(client, toRequest());
      await paused.until('head');
      await running.until('start');
      client.destroy();
      client.destroy();
      for (const [trace, sent] of [
        [paused, true],
        [running, true],
        [waiting, false],
      ] as const) {
        await trace.done();
        assert.deepEqual([trace.failure?.reason, trace.failure?.sent, trace.late], ['reset', sent, []]);
      }
      assert.equal(client.active, 0);
      await client.close();
      const late = await run(client);
      assert.deepEqual([late.failure?.reason, late.failure?.sent], ['reset', false]);
    });

    test('close() lets running and waiting attempts end, takes no new ones, and closes every connection', async () => {
      const quiet = await openOrigin({ behaviour: { delayMs: 50, body: 'late' } });
      const client = createClient(quiet.url, { connectionsMax: 2 });
      const traces = Array.from({ length: 5 }, () => new Trace().dispatch(client, toRequest()));
      const closed = Promise.all([client.close(), client.close()]);
      const refused = await run(client);
      assert.deepEqual([refused.failure?.reason, refused.failure?.sent], ['reset', false]);
      await closed;
      for (const trace of traces) assert.deepEqual([trace.text, trace.failure], ['late', null]);
      await quiet.waitForSockets(0);
      assert.equal(quiet.connections, 2);
      client.destroy();
      await quiet.close();
    });

    test('destroy() ends an upload under way', async () => {
      const client = createClient(origin.url);
      const trace = new Trace((event, self) => event === 'drain' && self.attempt.write(Buffer.alloc(10)));
      trace.dispatch(client, toUpload(1_000));
      await trace.until('drain');
      client.destroy();
      await trace.done();
      assert.deepEqual([trace.failure?.reason, trace.failure?.sent, trace.late], ['reset', true, []]);
      await client.close();
    });

    for (const callback of ['onStart', 'onHead', 'onBody', 'onEnd', 'onError'] as const) {
      test(`a handler that throws in ${callback} is our defect: the process hears of it`, async () => {
        const fixture = new URL('./throwing.ts', import.meta.url).pathname;
        const target = callback === 'onError' ? 'http://umbra-test.invalid:80' : origin.url;
        const stderr = await new Promise<string>((resolve, reject) => {
          execFile(
            process.execPath,
            [fixture, kind, target, callback],
            { timeout: 20_000 },
            (error, _stdout, text) => {
              if (error === null || error.killed === true) reject(new Error(`it went on: ${text}`));
              else resolve(text);
            },
          );
        });
        assert.match(stderr, new RegExp(`thrown in ${callback}`));
      });
    }
  });
}
