// Where a front end writes records for one mirror thread: into the ring, or into a batch that leaves by message.
//
// The two ways never mix: once a record has gone into a batch, all do until direct() is called, when every batch has
// been taken over. The mirror thread reads the ring empty before it looks at a batch, so order is kept.

import {
  chunkRecordBytes,
  FORGET_RECORD_BYTES,
  type JobFields,
  type JobHead,
  jobBytes,
  type RecordSpace,
  writeChunk,
  writeForget,
  writeJob,
} from './job.ts';
import { RING_RECORD_BYTES_MAX, type RingWriter } from './ring.ts';

const BATCH_BYTES_MIN = 64 * 1024;

export class Outbox {
  readonly #ring: RingWriter;
  readonly #batch = new BatchMemory();
  #isDirect = false;

  constructor(ring: RingWriter) {
    this.#ring = ring;
  }

  /** Whether records go through the ring. */
  get isDirect(): boolean {
    return this.#isDirect;
  }

  /** Bytes in the batch. */
  get bytes(): number {
    return this.#batch.used;
  }

  /** From now on through the ring. The batch is empty, and nothing that was taken is still under way. */
  direct(): void {
    this.#isDirect = true;
  }

  /** From now on into a batch. */
  indirect(): void {
    this.#isDirect = false;
  }

  /** Returns the record's bytes, as for the others. */
  writeJob(
    fields: JobFields,
    head: JobHead,
    body: readonly Uint8Array[],
    answer: readonly Uint8Array[],
  ): number {
    const length = jobBytes(head, sumBytes(body), sumBytes(answer));
    const at = this.#open(length);
    writeJob(this.#space, at, length, fields, head, body, answer);
    return this.#close(length);
  }

  writeChunk(rule: number, stream: number, bytes: Uint8Array): number {
    const length = chunkRecordBytes(bytes.length);
    const at = this.#open(length);
    writeChunk(this.#space, at, rule, stream, bytes);
    return this.#close(length);
  }

  writeForget(rule: number, stream: number): number {
    const at = this.#open(FORGET_RECORD_BYTES);
    writeForget(this.#space, at, rule, stream);
    return this.#close(FORGET_RECORD_BYTES);
  }

  /** The batch in a buffer of its own, ready to be transferred; a new one begins. */
  take(): ArrayBuffer {
    return this.#batch.take();
  }

  get #space(): RecordSpace {
    return this.#isDirect ? this.#ring : this.#batch;
  }

  #open(length: number): number {
    if (this.#isDirect && length <= RING_RECORD_BYTES_MAX) {
      const at = this.#ring.reserve(length);
      if (at !== -1) return at;
    }
    this.#isDirect = false;
    return this.#batch.reserve(length);
  }

  #close(length: number): number {
    if (this.#isDirect) this.#ring.commit();
    return length;
  }
}

/** Grows as needed; given away as an exact copy. */
class BatchMemory implements RecordSpace {
  memory = Buffer.allocUnsafeSlow(BATCH_BYTES_MIN);
  view = new DataView(this.memory.buffer);
  used = 0;

  reserve(length: number): number {
    const at = this.used;
    if (at + length > this.memory.length) this.#resize(Math.max(at + length, this.memory.length * 2));
    this.used = at + length;
    return at;
  }

  take(): ArrayBuffer {
    const records = this.memory.buffer.slice(0, this.used) as ArrayBuffer;
    this.used = 0;
    // One long body must not pin its memory for good.
    if (this.memory.length > BATCH_BYTES_MIN) this.#resize(BATCH_BYTES_MIN);
    return records;
  }

  #resize(bytes: number): void {
    const memory = Buffer.allocUnsafeSlow(bytes);
    this.memory.copy(memory, 0, 0, this.used);
    this.memory = memory;
    this.view = new DataView(memory.buffer);
  }
}

function sumBytes(chunks: readonly Uint8Array[]): number {
  let total = 0;
  for (const chunk of chunks) total += chunk.length;
  return total;
}
