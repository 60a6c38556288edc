// The short way from a front end to its mirror thread: a ring of records in shared memory.
//
// One writer, one reader, no lock and no system call: waking a sleeping thread costs the one who wakes it more than
// everything else that mirroring does, so the reader looks by itself. When it has found nothing for a while it parks,
// and only then has to be woken by a message. Never blocks: without room the writer has another way (outbox.ts).

import { type RecordSpace, type RecordVisitor, readRecord, writeGap } from './job.ts';

/** A power of two. */
const RING_BYTES = 1024 * 1024;
const MASK = RING_BYTES - 1;
/** A longer record does not go through the ring. */
export const RING_RECORD_BYTES_MAX = RING_BYTES / 8;

// Words, each on a cache line of its own. Positions count bytes and wrap at 2^32.
const WRITTEN = 0;
const READ = 16;
const PARKED = 32;
const DATA_AT = 192;

abstract class RingEnd {
  protected readonly words: Int32Array;
  protected readonly data: RecordSpace;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, DATA_AT / 4);
    this.data = {
      memory: Buffer.from(memory, DATA_AT, RING_BYTES),
      view: new DataView(memory, DATA_AT, RING_BYTES),
    };
  }
}

export function allocateRing(): SharedArrayBuffer {
  return new SharedArrayBuffer(DATA_AT + RING_BYTES);
}

/** The front end's end. */
export class RingWriter extends RingEnd {
  #written = Atomics.load(this.words, WRITTEN);
  /** How far the reader had come at the last look: looked at again only when there seems to be no room. */
  #read = Atomics.load(this.words, READ);

  get isEmpty(): boolean {
    return Atomics.load(this.words, READ) === this.#written;
  }

  /** Puts in the first `length` bytes, one record or several in a row. False: there is no room for them now. */
  put(records: Buffer, length: number): boolean {
    const begin = this.#written & MASK;
    const gap = begin + length > RING_BYTES ? RING_BYTES - begin : 0;
    if (((this.#written - this.#read) | 0) + gap + length > RING_BYTES) {
      this.#read = Atomics.load(this.words, READ);
      if (((this.#written - this.#read) | 0) + gap + length > RING_BYTES) return false;
    }
    if (gap > 0) writeGap(this.data, begin, gap);
    records.copy(this.data.memory, gap > 0 ? 0 : begin, 0, length);
    this.#written = (this.#written + gap + length) | 0;
    Atomics.store(this.words, WRITTEN, this.#written);
    return true;
  }

  /** Whether the reader has parked; true only once for each time, for the one who then wakes it. */
  takeParked(): boolean {
    return Atomics.load(this.words, PARKED) === 1 && Atomics.exchange(this.words, PARKED, 0) === 1;
  }

  /** The reader's thread is gone, and the next one has not looked yet. */
  reset(): void {
    this.#written = 0;
    this.#read = 0;
    this.words.fill(0);
  }
}

/** The mirror thread's end. */
export class RingReader extends RingEnd {
  /** Reads what has been written by now; false when that was nothing. Bodies get memory of their own. */
  read(visitor: RecordVisitor): boolean {
    const written = Atomics.load(this.words, WRITTEN);
    let read = Atomics.load(this.words, READ);
    if (read === written) return false;
    while (read !== written) {
      read = (read + readRecord(this.data, read & MASK, visitor, copy)) | 0;
      // One by one: a long row of records must not keep the writer out until its end.
      Atomics.store(this.words, READ, read);
    }
    return true;
  }

  /** False when something has just been written: then it is not parked, and has to read on. */
  park(): boolean {
    Atomics.store(this.words, PARKED, 1);
    if (Atomics.load(this.words, WRITTEN) === Atomics.load(this.words, READ)) return true;
    this.unpark();
    return false;
  }

  unpark(): void {
    Atomics.store(this.words, PARKED, 0);
  }
}

function copy(bytes: Buffer): Buffer {
  return Buffer.from(bytes);
}
