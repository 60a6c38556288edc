// The queue of body chunks: what goes in comes out, in slots that are counted, shared and given back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChunkQueue, ChunkSlots } from '../../src/frontend/chunk-slots.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

const SLOT_BYTES = 512 * 1024;

function toChunk(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

test('bytes come out as they went in, however they are cut', () => {
  const chunk = fc.oneof(
    fc.nat(10),
    fc.nat(3_000),
    fc.constantFrom(SLOT_BYTES - 1, SLOT_BYTES, SLOT_BYTES + 1, 1_200_000),
  );
  const step = fc.record({ push: fc.option(chunk), take: fc.option(fc.integer({ min: 1, max: 700_000 })) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const queue = new ChunkQueue(new ChunkSlots());
      let [pushed, taken] = [0, 0];
      for (const { push, take } of steps) {
        if (push !== null) {
          const bytes = Uint8Array.from({ length: push }, (_, at) => (pushed + at) % 251);
          assert.ok(queue.push(toChunk(bytes)));
          pushed += push;
        }
        if (take !== null && queue.bytes > 0) {
          const piece = queue.take(take);
          assert.ok(piece.length > 0 && piece.length <= take);
          assert.ok(piece.every((byte, at) => byte === (taken + at) % 251));
          taken += piece.length;
        }
        assert.equal(queue.bytes, pushed - taken);
      }
    }),
    { seed, numRuns: 100 },
  );
});

test('a hundred thousand tiny chunks share one slot', () => {
  const slots = new ChunkSlots();
  const queue = new ChunkQueue(slots);
  const byte = toChunk(Uint8Array.of(7));
  for (let count = 0; count < 100_000; count++) assert.ok(queue.push(byte));
  // All the others of the thread are still there for somebody else.
  const others = Array.from({ length: 511 }, () => slots.acquire());
  assert.ok(others.every((slot) => slot !== null));
  assert.equal(slots.acquire(), null);
});

test('a thread’s slots have a bound, and come back when a queue is cleared', () => {
  const slots = new ChunkSlots();
  const queue = new ChunkQueue(slots);
  const full = new ArrayBuffer(SLOT_BYTES);
  let held = 0;
  while (queue.push(full)) held++;
  assert.equal(held, 512);
  assert.equal(new ChunkQueue(slots).push(full), false);
  queue.clear();
  assert.equal(queue.bytes, 0);
  assert.equal(new ChunkQueue(slots).push(full), true);
});
