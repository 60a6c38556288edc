// The hand-off's layout: whatever a front end writes, its mirror thread reads.
// Random records; the seed is printed, and SEED=… repeats a run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SHADOWS_MAX } from '../../src/core/model.ts';
import { chunkRecordBytes, type Job, jobBytes, type PrimaryAnswer, readBatch } from '../../src/mirror/job.ts';
import type { Outbox } from '../../src/mirror/outbox.ts';
import { createOutbox } from './rig.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

const uint32 = fc.nat(2 ** 32 - 1);
const bytes = fc.uint8Array({ maxLength: 600 });
const latin1 = fc
  .array(fc.nat(255), { maxLength: 400 })
  .map((codes) => Buffer.from(codes).toString('latin1'));

const job = fc.record({
  kind: fc.constant('job' as const),
  rule: uint32,
  shadows: fc.integer({ min: 1, max: 2 ** SHADOWS_MAX - 1 }),
  answer: fc.nat(5).map((value) => value as PrimaryAnswer),
  status: fc.integer({ min: 0, max: 65_535 }),
  stream: uint32,
  primaryLatencyMs: fc.double({ min: 0, noNaN: true }),
  tappedMs: fc.double({ min: 0, noNaN: true }),
  lines: latin1,
  headText: latin1,
  body: fc.array(bytes, { maxLength: 4 }),
  answerBody: fc.array(bytes, { maxLength: 4 }),
});
const chunk = fc.record({ kind: fc.constant('chunk' as const), rule: uint32, stream: uint32, bytes });
const forget = fc.record({ kind: fc.constant('forget' as const), rule: uint32, stream: uint32 });
const records = fc.array(fc.oneof(job, chunk, forget), { maxLength: 40 });

type Written = typeof records extends fc.Arbitrary<infer T> ? T : never;

function write(writer: Outbox, batch: Written): number[] {
  return batch.map((record) => {
    if (record.kind === 'job')
      return writer.writeJob(record, record.headText, record.body, Buffer.concat(record.answerBody));
    if (record.kind === 'chunk') return writer.writeChunk(record.rule, record.stream, record.bytes);
    return writer.writeForget(record.rule, record.stream);
  });
}

function read(batch: ArrayBuffer): unknown[] {
  const seen: unknown[] = [];
  readBatch(batch, {
    onJob: ({ body, answerBody, ...rest }: Job) =>
      seen.push({ kind: 'job', ...rest, body: body.toString('hex'), answerBody: answerBody.toString('hex') }),
    onChunk: (rule, stream, piece, size) =>
      seen.push({ kind: 'chunk', rule, stream, chunk: piece.toString('hex'), bytes: size }),
    onForget: (rule, stream, size) => seen.push({ kind: 'forget', rule, stream, bytes: size }),
  });
  return seen;
}

function expected(batch: Written, sizes: readonly number[]): unknown[] {
  return batch.map((record, index) => {
    const size = sizes[index]!;
    if (record.kind === 'job') {
      const { body, answerBody, ...rest } = record;
      const hex = (pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString('hex');
      return {
        ...rest,
        bytes: size,
        body: hex(body),
        answerBody: hex(answerBody),
      };
    }
    const { kind, rule, stream } = record;
    if (kind === 'forget') return { kind, rule, stream, bytes: size };
    return { kind, rule, stream, chunk: Buffer.from(record.bytes).toString('hex'), bytes: size };
  });
}

test('what is written into a batch is read from it, in order, and each batch starts anew', () => {
  fc.assert(
    fc.property(records, records, (first, second) => {
      const writer = createOutbox();
      for (const batch of [first, second]) {
        const sizes = write(writer, batch);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        assert.equal(writer.bytes, total);
        const taken = writer.take();
        assert.equal(taken.byteLength, total);
        assert.equal(writer.bytes, 0);
        assert.deepEqual(read(taken), expected(batch, sizes));
      }
    }),
    { seed, numRuns: 300 },
  );
});

test('the bytes of a record are known before it is written', () => {
  fc.assert(
    fc.property(latin1, bytes, bytes, (line, body, answer) => {
      const writer = createOutbox();
      const fields = {
        rule: 1,
        shadows: 1,
        answer: 1,
        status: 200,
        stream: 0,
        primaryLatencyMs: 1,
        tappedMs: 1,
        lines: '',
      } as const;
      assert.equal(
        writer.writeJob({ ...fields }, line, [body], Buffer.from(answer)),
        jobBytes(line.length, fields.lines.length, body.length, answer.length),
      );
      assert.equal(writer.writeChunk(1, 1, body), chunkRecordBytes(body.length));
    }),
    { seed, numRuns: 200 },
  );
});

test('a batch grows beyond its first memory without losing what it holds', () => {
  const writer = createOutbox();
  const long = Buffer.alloc(3 * 1024 * 1024, 7);
  writer.writeChunk(1, 1, Buffer.from('before'));
  writer.writeChunk(1, 2, long);
  writer.writeChunk(1, 3, Buffer.from('after'));
  const seen: [number, number][] = [];
  readBatch(writer.take(), {
    onJob: () => assert.fail(),
    onForget: () => assert.fail(),
    onChunk: (_rule, stream, piece) => {
      seen.push([stream, piece.length]);
      if (stream === 2) assert.ok(piece.equals(long));
    },
  });
  assert.deepEqual(seen, [
    [1, 6],
    [2, long.length],
    [3, 5],
  ]);
});

test('an empty batch has no records', () => {
  assert.deepEqual(read(createOutbox().take()), []);
});
