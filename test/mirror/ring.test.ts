// The ring between two threads: whatever is written comes out once, whole and in order, whichever end is faster.
// Random records; the seed is printed, and SEED=… repeats a run.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { chunkRecordBytes, FORGET_RECORD_BYTES, writeChunk, writeForget } from '../../src/mirror/job.ts';
import { allocateRing, RING_RECORD_BYTES_MAX, RingReader, RingWriter } from '../../src/mirror/ring.ts';

const RING_BYTES = 1024 * 1024;

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

const memory = Buffer.alloc(RING_BYTES);
const SPACE = { memory, view: new DataView(memory.buffer, memory.byteOffset) };

/** False when there is no room. */
function put(ring: RingWriter, number: number, bytes: Uint8Array): boolean {
  const length = chunkRecordBytes(bytes.length);
  writeChunk(SPACE, 0, 1, number, bytes);
  return ring.put(SPACE.memory, length);
}

function toBytes(number: number, length: number): Buffer {
  return Buffer.alloc(length, `${number};`);
}

function createVisitor(seen: [number, string][]) {
  return {
    onJob: () => assert.fail(),
    onForget: () => assert.fail(),
    onChunk: (_rule: number, stream: number, chunk: Buffer) => void seen.push([stream, chunk.toString()]),
  };
}

test('records of any length come out whole and in order, round after round', () => {
  const length = fc.oneof(fc.nat(200), fc.nat(RING_RECORD_BYTES_MAX - 64));
  fc.assert(
    fc.property(fc.array(fc.tuple(length, fc.boolean()), { minLength: 1, maxLength: 120 }), (steps) => {
      const memory = allocateRing();
      const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
      const seen: [number, string][] = [];
      const expected: [number, string][] = [];
      const visitor = createVisitor(seen);
      for (const [number, [bytes, reads]] of steps.entries()) {
        const body = toBytes(number, bytes);
        if (!put(writer, number, body)) {
          reader.read(visitor);
          assert.ok(put(writer, number, body), 'an empty ring has room for any record');
        }
        expected.push([number, body.toString()]);
        if (reads) reader.read(visitor);
      }
      reader.read(visitor);
      assert.ok(writer.isEmpty);
      assert.equal(reader.read(visitor), false);
      assert.deepEqual(seen, expected);
    }),
    { seed, numRuns: 150 },
  );
});

test('a ring takes records until it is full to the byte, and again when they were read', () => {
  const memory = allocateRing();
  const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
  const visitor = { onJob: () => assert.fail(), onChunk: () => assert.fail(), onForget: () => {} };
  const fill = (): number => {
    let records = 0;
    writeForget(SPACE, 0, 1, 1);
    while (writer.put(SPACE.memory, FORGET_RECORD_BYTES)) records++;
    return records;
  };
  assert.equal(fill(), Math.floor(RING_BYTES / FORGET_RECORD_BYTES));
  assert.equal(reader.read(visitor), true);
  // What is left at the end of the ring is a gap now.
  assert.equal(fill(), Math.floor(RING_BYTES / FORGET_RECORD_BYTES));
});

test('positions wrap at 2^31 and at 2^32 without anybody noticing', () => {
  for (const start of [0x7fff_0000, 0xffff_0000 | 0]) {
    const memory = allocateRing();
    const words = new Int32Array(memory, 0, 48);
    for (const position of [0, 16]) words[position] = start;
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
    const seen: [number, string][] = [];
    for (let number = 0; number < 200; number++) {
      if (!put(writer, number, toBytes(number, 10_000))) {
        reader.read(createVisitor(seen));
        assert.ok(put(writer, number, toBytes(number, 10_000)));
      }
    }
    reader.read(createVisitor(seen));
    assert.deepEqual(
      seen,
      Array.from({ length: 200 }, (_, number) => [number, toBytes(number, 10_000).toString()]),
    );
  }
});

test('whoever parks is found parked once; with something to read nobody parks', () => {
  const memory = allocateRing();
  const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
  assert.equal(writer.takeParked(), false);
  assert.equal(reader.park(), true);
  assert.equal(writer.takeParked(), true);
  assert.equal(writer.takeParked(), false);
  put(writer, 1, Buffer.from('x'));
  assert.equal(reader.park(), false);
  assert.equal(writer.takeParked(), false);
  reader.read(createVisitor([]));
  assert.equal(reader.park(), true);
  reader.unpark();
  assert.equal(writer.takeParked(), false);
});

test('a reset ring is empty for both ends', () => {
  const memory = allocateRing();
  const writer = new RingWriter(memory);
  put(writer, 1, Buffer.from('lost'));
  new RingReader(memory).park();
  writer.reset();
  const [reader, seen]: [RingReader, [number, string][]] = [new RingReader(memory), []];
  assert.equal(reader.read(createVisitor(seen)), false);
  assert.equal(writer.takeParked(), false);
  put(writer, 2, Buffer.from('kept'));
  reader.read(createVisitor(seen));
  assert.deepEqual(seen, [[2, 'kept']]);
});

/** Reads in another thread, without a pause, and parks now and then; posts 'parked' as a lane's thread would not. */
const READER = `
import { parentPort, workerData } from 'node:worker_threads';
import { RingReader } from '${new URL('../../src/mirror/ring.ts', import.meta.url)}';
const reader = new RingReader(workerData.memory);
let next = 0, faults = 0, parks = 0, vain = 0;
const visitor = {
  onJob() { faults++; }, onForget() { faults++; },
  onChunk(_rule, number, chunk) {
    const text = number + ';';
    if (number !== next++ || chunk.toString('latin1', 0, text.length) !== text.slice(0, chunk.length)) faults++;
  },
};
function look() {
  if (reader.read(visitor)) vain = 0;
  else if (++vain > 20) {
    vain = 0;
    // Counted before: the other side may wake it at once.
    parks++;
    if (reader.park()) return;
  }
  if (next < workerData.count) setImmediate(look);
  else parentPort.postMessage({ next, faults, parks });
}
parentPort.on('message', () => { vain = 0; reader.unpark(); look(); });
look();
`;

test('two threads at full speed lose nothing, and a parked reader is always woken', async () => {
  const memory = allocateRing();
  const writer = new RingWriter(memory);
  const count = 60_000;
  const worker = new Worker(READER, { eval: true, workerData: { memory, count } } as object);
  const answer = once(worker, 'message') as Promise<[{ next: number; faults: number; parks: number }]>;
  let wakes = 0;
  for (let number = 0; number < count; ) {
    // Bursts with rests between them, in which the reader comes to its end and parks.
    for (let burst = 0; burst < 300 && number < count; burst++) {
      if (!put(writer, number, toBytes(number, (number * 7919) % 3_000))) break;
      number++;
      if (writer.takeParked()) {
        wakes++;
        worker.postMessage('wake');
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [{ next, faults, parks }] = await answer;
  assert.deepEqual([next, faults], [count, 0]);
  assert.ok(wakes <= parks, `${wakes} wake-ups for ${parks} parks`);
  assert.ok(writer.isEmpty);
  await worker.terminate();
});
