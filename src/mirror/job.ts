// The hand-off's layout: what a front end writes and its mirror thread reads.
//
// A batch is one ArrayBuffer of records, transferred whole. A record is one of
//   job     one tapped exchange: which shadows get a copy, the request as the primary got it, the primary's answer
//   chunk   a piece of a primary's answer that is too long to travel inside its job; hashed as it comes
//   forget  no job will follow for the chunks of that stream
// The request head is text, one byte per character: "METHOD target\r\n", then "name: value\r\n" for each header.

import type { RouteEntry, Writers } from '../core/book.ts';

/** A route's mirror as a mirror thread knows it. The key is unique in the process and never used again. */
export interface MirrorRule {
  readonly key: number;
  /** Its route has a mirror. */
  readonly entry: RouteEntry;
}

/** A piscina task. Answered with nothing as soon as the records are taken over, not when they are sent. */
export interface Batch {
  readonly kind: 'batch';
  readonly records: ArrayBuffer;
  /** Rules that this mirror thread has not been given yet and that records here or later name. */
  readonly rules: readonly MirrorRule[];
  /** Keys that no later record names. */
  readonly retired: readonly number[];
}

/** A piscina task, the last one. Answered when all copies have ended, or at the deadline after dropping the rest. */
export interface Stop {
  readonly kind: 'stop';
  /** On core/clock.ts. */
  readonly deadlineMs: number;
}

export type MirrorTask = Batch | Stop;

/** What piscina gives a mirror thread at its start. */
export interface MirrorWorkerData {
  readonly writers: Writers;
  readonly frontend: number;
  readonly lane: number;
  readonly processBook: SharedArrayBuffer;
  readonly logChannel: string;
}

/** What is known of the primary's answer. */
export const PrimaryAnswer = {
  /** The route does not compare. */
  none: 0,
  /** The body's bytes are in the job. */
  inline: 1,
  /** The body went ahead in chunk records of the job's stream. */
  streamed: 2,
  failed: 3,
  incomplete: 4,
  /** Its body outran the room for it. */
  notCaptured: 5,
} as const;
export type PrimaryAnswer = (typeof PrimaryAnswer)[keyof typeof PrimaryAnswer];

export { SHADOWS_MAX } from '../core/model.ts';

const KIND_JOB = 1;
const KIND_CHUNK = 2;
const KIND_FORGET = 3;

const AT_LENGTH = 0;
const AT_KIND = 4;
const AT_ANSWER = 5;
const AT_STATUS = 6;
const AT_RULE = 8;
const AT_SHADOWS = 12;
const AT_HEAD_BYTES = 16;
const AT_BODY_BYTES = 20;
const AT_ANSWER_BYTES = 24;
const AT_STREAM = 28;
const AT_LATENCY = 32;
const AT_TAPPED = 40;
const HEADER_BYTES = 48;

const SPACE = 0x20;
const COLON = 0x3a;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

const BATCH_BYTES_MIN = 64 * 1024;

/** What a front end says about one exchange. Filled in and reused by the caller. */
export interface JobFields {
  rule: number;
  /** Bit i set: shadow i gets a copy. */
  shadows: number;
  answer: PrimaryAnswer;
  status: number;
  /** Names the chunk records that went ahead, when `answer` is streamed. */
  stream: number;
  primaryLatencyMs: number;
  /** When the exchange was tapped, on core/clock.ts. */
  tappedMs: number;
}

/** The request as the primary got it. An exchange's own head fits. */
export interface JobHead {
  readonly method: string;
  readonly target: string;
  /** Flat list of names and values, one byte per character. */
  readonly headers: readonly string[];
}

/** Bytes of the head's text. */
export function headBytes({ method, target, headers }: JobHead): number {
  // A space and a line end; between each name and value a colon and a space, and a line end.
  let bytes = method.length + target.length + 3 + headers.length * 2;
  for (let at = 0; at < headers.length; at++) bytes += headers[at]!.length;
  return bytes;
}

/**
 * What `write(text, offset, 'latin1')` calls, without choosing by the encoding's name: half the cost for short
 * strings, of which a head has dozens.
 */
interface Latin1Memory extends Buffer {
  latin1Write(text: string, offset: number): number;
}

function sumBytes(chunks: readonly Uint8Array[]): number {
  let total = 0;
  for (const chunk of chunks) total += chunk.length;
  return total;
}

/** Bytes of the record that writeJob() would write. */
export function jobBytes(head: JobHead, bodyBytes: number, answerBytes: number): number {
  return (HEADER_BYTES + headBytes(head) + bodyBytes + answerBytes + 7) & ~7;
}

/** Bytes of the record that writeChunk() would write. */
export function chunkRecordBytes(bytes: number): number {
  return (HEADER_BYTES + bytes + 7) & ~7;
}

/** Writes records into memory that it keeps, and gives them away as exact copies. */
export class BatchWriter {
  #memory = Buffer.allocUnsafeSlow(BATCH_BYTES_MIN);
  #view = new DataView(this.#memory.buffer);
  #used = 0;

  get bytes(): number {
    return this.#used;
  }

  /** Returns the record's bytes. */
  writeJob(
    fields: JobFields,
    head: JobHead,
    body: readonly Uint8Array[],
    answer: readonly Uint8Array[],
  ): number {
    const bodyBytes = sumBytes(body);
    const answerBytes = sumBytes(answer);
    const length = jobBytes(head, bodyBytes, answerBytes);
    const at = this.#open(KIND_JOB, length, fields.rule);
    const view = this.#view;
    view.setUint8(at + AT_ANSWER, fields.answer);
    view.setUint16(at + AT_STATUS, fields.status, true);
    view.setUint32(at + AT_SHADOWS, fields.shadows, true);
    view.setUint32(at + AT_BODY_BYTES, bodyBytes, true);
    view.setUint32(at + AT_ANSWER_BYTES, answerBytes, true);
    view.setUint32(at + AT_STREAM, fields.stream, true);
    view.setFloat64(at + AT_LATENCY, fields.primaryLatencyMs, true);
    view.setFloat64(at + AT_TAPPED, fields.tappedMs, true);
    const start = at + HEADER_BYTES;
    const end = this.#writeHead(head, start);
    view.setUint32(at + AT_HEAD_BYTES, end - start, true);
    this.#copy(answer, this.#copy(body, end));
    return length;
  }

  /** Returns where it ends. */
  #writeHead({ method, target, headers }: JobHead, start: number): number {
    const memory = this.#memory as Latin1Memory;
    let at = start + memory.latin1Write(method, start);
    memory[at++] = SPACE;
    at += memory.latin1Write(target, at);
    memory[at++] = CARRIAGE_RETURN;
    memory[at++] = LINE_FEED;
    for (let index = 0; index < headers.length; index += 2) {
      at += memory.latin1Write(headers[index]!, at);
      memory[at++] = COLON;
      memory[at++] = SPACE;
      at += memory.latin1Write(headers[index + 1]!, at);
      memory[at++] = CARRIAGE_RETURN;
      memory[at++] = LINE_FEED;
    }
    return at;
  }

  writeChunk(rule: number, stream: number, bytes: Uint8Array): number {
    const length = chunkRecordBytes(bytes.length);
    const at = this.#open(KIND_CHUNK, length, rule);
    this.#view.setUint32(at + AT_BODY_BYTES, bytes.length, true);
    this.#view.setUint32(at + AT_STREAM, stream, true);
    this.#memory.set(bytes, at + HEADER_BYTES);
    return length;
  }

  writeForget(rule: number, stream: number): number {
    const at = this.#open(KIND_FORGET, HEADER_BYTES, rule);
    this.#view.setUint32(at + AT_STREAM, stream, true);
    return HEADER_BYTES;
  }

  /** The records so far in a buffer of their own, ready to be transferred; the writer starts anew. */
  take(): ArrayBuffer {
    const records = this.#memory.buffer.slice(0, this.#used) as ArrayBuffer;
    this.#used = 0;
    // One long body must not pin its memory for good.
    if (this.#memory.length > BATCH_BYTES_MIN) this.#resize(BATCH_BYTES_MIN);
    return records;
  }

  #open(kind: number, length: number, rule: number): number {
    const at = this.#used;
    if (at + length > this.#memory.length) this.#resize(Math.max(at + length, this.#memory.length * 2));
    this.#used = at + length;
    const view = this.#view;
    view.setUint32(at + AT_LENGTH, length, true);
    view.setUint8(at + AT_KIND, kind);
    view.setUint32(at + AT_RULE, rule, true);
    return at;
  }

  #copy(chunks: readonly Uint8Array[], to: number): number {
    let at = to;
    for (const chunk of chunks) {
      this.#memory.set(chunk, at);
      at += chunk.length;
    }
    return at;
  }

  #resize(bytes: number): void {
    const memory = Buffer.allocUnsafeSlow(bytes);
    this.#memory.copy(memory, 0, 0, this.#used);
    this.#memory = memory;
    this.#view = new DataView(memory.buffer);
  }
}

/** One job as read. The views share the batch's memory and keep it alive. */
export interface Job {
  readonly rule: number;
  readonly shadows: number;
  readonly answer: PrimaryAnswer;
  readonly status: number;
  readonly stream: number;
  readonly primaryLatencyMs: number;
  readonly tappedMs: number;
  /** What the record counts for in the queue's bytes. */
  readonly bytes: number;
  readonly head: string;
  readonly body: Buffer;
  readonly answerBody: Buffer;
}

export interface BatchVisitor {
  onJob(job: Job): void;
  /** `bytes` as in Job. */
  onChunk(rule: number, stream: number, chunk: Buffer, bytes: number): void;
  onForget(rule: number, stream: number, bytes: number): void;
}

/** Walks the records in the order in which they were written. */
export function readBatch(records: ArrayBuffer, visitor: BatchVisitor): void {
  const memory = Buffer.from(records);
  const view = new DataView(records);
  let at = 0;
  while (at < memory.length) {
    const bytes = view.getUint32(at + AT_LENGTH, true);
    const rule = view.getUint32(at + AT_RULE, true);
    const stream = view.getUint32(at + AT_STREAM, true);
    const bodyBytes = view.getUint32(at + AT_BODY_BYTES, true);
    const start = at + HEADER_BYTES;
    switch (view.getUint8(at + AT_KIND)) {
      case KIND_JOB: {
        const bodyAt = start + view.getUint32(at + AT_HEAD_BYTES, true);
        const answerAt = bodyAt + bodyBytes;
        visitor.onJob({
          rule,
          shadows: view.getUint32(at + AT_SHADOWS, true),
          answer: view.getUint8(at + AT_ANSWER) as PrimaryAnswer,
          status: view.getUint16(at + AT_STATUS, true),
          stream,
          primaryLatencyMs: view.getFloat64(at + AT_LATENCY, true),
          tappedMs: view.getFloat64(at + AT_TAPPED, true),
          bytes,
          head: memory.toString('latin1', start, bodyAt),
          body: memory.subarray(bodyAt, answerAt),
          answerBody: memory.subarray(answerAt, answerAt + view.getUint32(at + AT_ANSWER_BYTES, true)),
        });
        break;
      }
      case KIND_CHUNK:
        visitor.onChunk(rule, stream, memory.subarray(start, start + bodyBytes), bytes);
        break;
      case KIND_FORGET:
        visitor.onForget(rule, stream, bytes);
        break;
    }
    at += bytes;
  }
}
