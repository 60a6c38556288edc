// Long bodies both ways: every byte arrives, and neither side's slowness fills the memory between them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { BLOCK_BYTES, createPattern, digestPattern } from '../kit/pattern.ts';
import { CLIENTS, Trace, toCreateClient, toRequest, toUpload } from './trace.ts';

for (const kind of CLIENTS) {
  describe(kind, () => {
    const createClient = toCreateClient(kind);

    const MIB = 1024 * 1024;
    const LARGE_BYTES = 256 * MIB;
    /** What the two kernels' socket buffers may hold on loopback, and our own 64 KiB here and there. */
    const BETWEEN_BYTES_MAX = 24 * MIB;

    let origin: Origin;
    let largeDigest: string;

    before(async () => {
      origin = await openOrigin({ bodyBytesMax: 0 });
      largeDigest = digestPattern(LARGE_BYTES);
    });

    after(async () => {
      await origin.waitForSockets(0);
      assert.deepEqual(origin.bad, []);
      await origin.close();
    });

    function sentByOrigin(): number {
      let bytes = 0;
      for (const socket of origin.sockets) bytes += socket.bytesWritten;
      return bytes;
    }

    for (const framing of ['length', 'chunked'] as const) {
      test(`a download of 256 MiB (${framing}) that is paused at every chunk arrives whole, and little is under way`, async () => {
        origin.behave({ body: LARGE_BYTES, framing }, '/download');
        const client = createClient(origin.url, { connectionsMax: 1 });
        let betweenMax = 0;
        let whilePaused = 0;
        let paused = false;
        const trace = new Trace((event, self) => {
          if (event !== 'body') return;
          if (paused) whilePaused += 1;
          paused = true;
          self.attempt.pause();
          betweenMax = Math.max(betweenMax, sentByOrigin() - self.bodyBytes);
          setImmediate(() => {
            paused = false;
            self.attempt.resume();
          });
        });
        const before = process.memoryUsage().rss;
        await trace.dispatch(client, toRequest({ target: '/download' })).done();
        assert.deepEqual([trace.failure, trace.bodyBytes, trace.digest()], [null, LARGE_BYTES, largeDigest]);
        assert.equal(whilePaused, 0);
        assert.ok(betweenMax < BETWEEN_BYTES_MAX, `${betweenMax} bytes between origin and handler`);
        assert.ok(process.memoryUsage().rss - before < 160 * MIB);
        await client.close();
      });
    }

    test('nothing comes while an attempt is paused, from wherever it was paused, and then everything does', async () => {
      origin.behave({ body: 4 * MIB }, '/pause');
      for (const moment of ['at once', 'start', 'head', 'body', 'later'] as const) {
        // A connection of its own: on a kept one the start comes before the attempt is known.
        const client = createClient(origin.url);
        let paused = false;
        let whilePaused = 0;
        const trace = new Trace((event, self) => {
          if (event === 'body' && paused) whilePaused += 1;
          if (event === moment) hold(self);
          if (event === 'body' && moment === 'later') setImmediate(() => hold(self));
        });
        const hold = (self: Trace) => {
          if (paused || self.ended) return;
          paused = true;
          self.attempt.pause();
          setTimeout(() => {
            paused = false;
            self.attempt.resume();
          }, 20);
        };
        trace.dispatch(client, toRequest({ target: '/pause' }));
        if (moment === 'at once') hold(trace);
        await trace.done();
        assert.deepEqual(
          [trace.bodyBytes, trace.failure, whilePaused, trace.late],
          [4 * MIB, null, 0, []],
          moment,
        );
        await client.close();
      }
    });

    test('an attempt that is paused before it starts leaves a long answer with the upstream', async () => {
      origin.behave({ body: LARGE_BYTES }, '/download');
      const client = createClient(origin.url);
      const trace = new Trace().dispatch(client, toRequest({ target: '/download' }));
      trace.attempt.pause();
      await trace.until('head');
      // Nothing tells when the kernels' buffers are full; without the pause the whole body takes about this long.
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.ok(sentByOrigin() < BETWEEN_BYTES_MAX, `${sentByOrigin()} bytes taken while paused`);
      assert.deepEqual(trace.events, ['start', 'head']);
      trace.attempt.resume();
      await trace.done();
      assert.deepEqual([trace.bodyBytes, trace.failure], [LARGE_BYTES, null]);
    });

    test('an answer that ends with its connection while the attempt is paused is held, and delivered on resume', async () => {
      origin.behave({ body: 100_000, framing: 'close' }, '/closing');
      const client = createClient(origin.url);
      const trace = new Trace((event, self) => event === 'head' && self.attempt.pause());
      trace.dispatch(client, toRequest({ target: '/closing' }));
      await trace.until('head');
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.deepEqual(trace.events, ['start', 'head']);
      trace.attempt.resume();
      await trace.done();
      assert.deepEqual([trace.bodyBytes, trace.failure, trace.late], [100_000, null, []]);
      await client.close();
    });

    for (const [name, declared] of [
      ['with a length', LARGE_BYTES],
      ['chunked', null],
    ] as const) {
      test(`an upload of 256 MiB ${name} arrives whole, and little is under way`, async () => {
        const client = createClient(origin.url, { connectionsMax: 1 });
        const pattern = createPattern(LARGE_BYTES);
        let written = 0;
        let betweenMax = 0;
        const fill = (trace: Trace) => {
          for (;;) {
            const { value, done } = pattern.next();
            if (done === true) return trace.attempt.end();
            written += value.length;
            const room = trace.attempt.write(value);
            betweenMax = Math.max(betweenMax, written - (origin.requests.at(-1)?.bodyBytes ?? 0));
            if (!room) return;
          }
        };
        const trace = new Trace((event, self) => event === 'drain' && fill(self));
        const wanted = origin.completed + 1;
        await trace
          .dispatch(client, { ...toUpload(declared), target: `/upload-${name.replaceAll(' ', '-')}` })
          .done();
        await origin.waitFor(wanted);
        const request = origin.requests.at(-1);
        assert.deepEqual([trace.status, trace.failure], [200, null]);
        assert.deepEqual([request?.bodyBytes, request?.bodySha256], [LARGE_BYTES, largeDigest]);
        assert.equal(request?.field('content-length'), declared === null ? null : String(declared));
        assert.equal(request?.field('transfer-encoding'), declared === null ? 'chunked' : null);
        assert.ok(betweenMax < BETWEEN_BYTES_MAX, `${betweenMax} bytes between caller and origin`);
        await client.close();
      });
    }

    test('a slowly reading upstream is asked for more only when it took something, and is not timed out', async () => {
      origin.behave({ reading: { pauseMs: 2 } }, '/slow');
      const client = createClient(origin.url, {
        timeouts: { connectMs: 5_000, sendMs: 400, readMs: 20_000 },
      });
      const bytes = 24 * MIB;
      const chunk = Buffer.alloc(1 * MIB);
      let written = 0;
      const trace = new Trace((event, self) => {
        if (event !== 'drain') return;
        while (written < bytes) {
          written += chunk.length;
          if (!self.attempt.write(chunk)) return;
        }
        self.attempt.end();
      });
      await trace.dispatch(client, { ...toUpload(bytes), target: '/slow' }).done();
      assert.deepEqual([trace.status, trace.failure], [200, null]);
      assert.equal(origin.requests.at(-1)?.bodyBytes, bytes);
      await client.close();
    });

    test('an early answer to a running upload is delivered whole, and writing goes on harmlessly', async () => {
      const early = await openOrigin({
        behaviour: { status: 413, body: 'too large', early: true, reading: 'stop' },
      });
      const client = createClient(early.url, { connectionsMax: 1 });
      const trace = new Trace(
        (event, self) => event === 'drain' && self.attempt.write(Buffer.alloc(BLOCK_BYTES)),
      );
      trace.dispatch(client, toUpload(LARGE_BYTES));
      await trace.done();
      assert.deepEqual([trace.status, trace.text, trace.failure, trace.late], [413, 'too large', null, []]);
      assert.equal(trace.attempt.write(Buffer.alloc(10)), true);
      trace.attempt.end();
      trace.attempt.abort();
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(trace.late, []);
      // The connection is unusable; the next request gets another.
      early.behave({ body: 'next' });
      const next = await new Trace().dispatch(client, toRequest()).done();
      assert.equal(next.text, 'next');
      assert.equal(early.connections, 2);
      await client.close();
      await early.close();
    });

    test('an answer that starts before its upload ends streams beside it', async () => {
      origin.behave({ body: 'both', early: true }, '/beside');
      const client = createClient(origin.url, { connectionsMax: 1 });
      const trace = new Trace().dispatch(client, { ...toUpload(null), target: '/beside' });
      trace.attempt.write(Buffer.from('a'));
      await trace.until('head');
      trace.attempt.write(Buffer.from('b'));
      await trace.done();
      assert.deepEqual([trace.text, trace.failure, trace.late], ['both', null, []]);
      await client.close();
      // Our own bad message: the upload was cut short by the answer's end.
      await origin.waitForSockets(0);
      assert.deepEqual(origin.bad.splice(0), ['ends within a message']);
    });
  });
}
