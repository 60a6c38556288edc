// Where a front end writes records for one mirror thread: they go on into the ring, or stay for a batch that leaves by
// message.
//
// The two ways never mix: once a record has stayed, all do until direct() is called, when every batch has been taken
// over. The mirror thread reads the ring empty before it looks at a batch, so order is kept. Records are written to
// plain memory in any case: the engine writes strings to shared memory at a sixth of the speed, one block as fast.

import {
  chunkRecordBytes,
  FORGET_RECORD_BYTES,
  type JobFields,
  jobBytes,
  sumBytes,
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

  /**
   * From now on through the ring, with what waits in the batch ahead; nothing that was taken may still be under way.
   * False: that does not fit, and all is as before.
   */
  direct(): boolean {
    const { memory, used } = this.#batch;
    this.#isDirect = used === 0 || (used <= RING_RECORD_BYTES_MAX && this.#ring.put(memory, used));
    if (this.#isDirect) this.#batch.used = 0;
    return this.#isDirect;
  }

  /** From now on into a batch. */
  indirect(): void {
    this.#isDirect = false;
  }

  /** `answer`: its first `answerBytes`. Returns the record's bytes, as for the others. */
  writeJob(
    fields: JobFields,
    headText: string,
    body: readonly Uint8Array[],
    answer: Buffer,
    answerBytes = answer.length,
  ): number {
    const length = jobBytes(headText.length, fields.lines.length, sumBytes(body), answerBytes);
    const at = this.#batch.reserve(length);
    writeJob(this.#batch, at, length, fields, headText, body, answer, answerBytes);
    return this.#close(length);
  }

  writeChunk(rule: number, stream: number, bytes: Uint8Array): number {
    const length = chunkRecordBytes(bytes.length);
    writeChunk(this.#batch, this.#batch.reserve(length), rule, stream, bytes);
    return this.#close(length);
  }

  writeForget(rule: number, stream: number): number {
    writeForget(this.#batch, this.#batch.reserve(FORGET_RECORD_BYTES), rule, stream);
    return this.#close(FORGET_RECORD_BYTES);
  }

  /** The batch in a buffer of its own, ready to be transferred; a new one begins. */
  take(): ArrayBuffer {
    return this.#batch.take();
  }

  #close(length: number): number {
    if (!this.#isDirect) return length;
    if (length <= RING_RECORD_BYTES_MAX && this.#ring.put(this.#batch.memory, length)) this.#batch.used = 0;
    else this.#isDirect = false;
    return length;
  }
}

/** Grows as needed; given away as an exact copy. */
class BatchMemory {
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
