// A record's layout: what a front end writes and its mirror thread reads.
//
// Records follow each other in a batch's buffer or in the ring (ring.ts). A record is one of
//   job     one tapped exchange: which shadows get a copy, the request as the primary got it, the primary's answer
//   chunk   a piece of a primary's answer that is too long to travel inside its job; captured or hashed as it comes
//   forget  no job will follow for the chunks of that stream
//   gap     nothing: the rest of the ring, where the next record did not fit in one piece
// The request head is what went to the primary over the wire (core/request-head.ts), one byte per character.

import { readLatin1, writeLatin1 } from '../core/latin1.ts';

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

const KIND_JOB = 1;
const KIND_CHUNK = 2;
const KIND_FORGET = 3;
const KIND_GAP = 4;

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
const AT_LINES_BYTES = 48;
const HEADER_BYTES = 56;

/** A multiple of 8. */
export const FORGET_RECORD_BYTES = HEADER_BYTES;

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
  /** Header lines of the primary's answer (upstream/client.ts), where they are compared; else empty. */
  lines: string;
}

export function sumBytes(chunks: readonly Uint8Array[]): number {
  let total = 0;
  for (const chunk of chunks) total += chunk.length;
  return total;
}

/** Bytes of a job's record; a multiple of 8. */
export function jobBytes(
  headBytes: number,
  linesBytes: number,
  bodyBytes: number,
  answerBytes: number,
): number {
  return HEADER_BYTES + align(headBytes) + align(linesBytes) + align(bodyBytes) + align(answerBytes);
}

/** Bytes of a chunk's record; a multiple of 8. */
export function chunkRecordBytes(bytes: number): number {
  return HEADER_BYTES + align(bytes);
}

/** Every part begins at a multiple of 8: out of shared memory the engine copies other places byte by byte. */
function align(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** Memory that records are written to. */
export interface RecordSpace {
  readonly memory: Buffer;
  /** Of the same bytes. */
  readonly view: DataView;
}

/** Writes the record that jobBytes() has measured. */
export function writeJob(
  { memory, view }: RecordSpace,
  at: number,
  length: number,
  fields: JobFields,
  headText: string,
  body: readonly Uint8Array[],
  answer: Buffer,
  answerBytes: number,
): void {
  writeOpening(view, at, KIND_JOB, length, fields.rule);
  view.setUint8(at + AT_ANSWER, fields.answer);
  view.setUint16(at + AT_STATUS, fields.status, true);
  view.setUint32(at + AT_SHADOWS, fields.shadows, true);
  view.setUint32(at + AT_BODY_BYTES, sumBytes(body), true);
  view.setUint32(at + AT_ANSWER_BYTES, answerBytes, true);
  view.setUint32(at + AT_STREAM, fields.stream, true);
  view.setFloat64(at + AT_LATENCY, fields.primaryLatencyMs, true);
  view.setFloat64(at + AT_TAPPED, fields.tappedMs, true);
  const start = at + HEADER_BYTES;
  const end = start + writeLatin1(memory, headText, start);
  view.setUint32(at + AT_HEAD_BYTES, end - start, true);
  view.setUint32(at + AT_LINES_BYTES, fields.lines.length, true);
  const linesAt = align(end);
  const linesEnd = fields.lines === '' ? linesAt : linesAt + writeLatin1(memory, fields.lines, linesAt);
  const answerAt = align(copyChunks(memory, body, align(linesEnd)));
  if (answerBytes > 0) answer.copy(memory, answerAt, 0, answerBytes);
}

/** Writes the record that chunkRecordBytes() has measured. */
export function writeChunk(
  { memory, view }: RecordSpace,
  at: number,
  rule: number,
  stream: number,
  bytes: Uint8Array,
): void {
  writeOpening(view, at, KIND_CHUNK, chunkRecordBytes(bytes.length), rule);
  view.setUint32(at + AT_BODY_BYTES, bytes.length, true);
  view.setUint32(at + AT_STREAM, stream, true);
  memory.set(bytes, at + HEADER_BYTES);
}

/** Writes FORGET_RECORD_BYTES. */
export function writeForget({ view }: RecordSpace, at: number, rule: number, stream: number): void {
  writeOpening(view, at, KIND_FORGET, FORGET_RECORD_BYTES, rule);
  view.setUint32(at + AT_STREAM, stream, true);
}

/** `length` is a multiple of 8, at least 8. */
export function writeGap({ view }: RecordSpace, at: number, length: number): void {
  view.setUint32(at + AT_LENGTH, length, true);
  view.setUint8(at + AT_KIND, KIND_GAP);
}

function writeOpening(view: DataView, at: number, kind: number, length: number, rule: number): void {
  view.setUint32(at + AT_LENGTH, length, true);
  view.setUint8(at + AT_KIND, kind);
  view.setUint32(at + AT_RULE, rule, true);
}

/** Returns where they end. */
function copyChunks(memory: Buffer, chunks: readonly Uint8Array[], to: number): number {
  let at = to;
  for (const chunk of chunks) {
    memory.set(chunk, at);
    at += chunk.length;
  }
  return at;
}

/** One job as read. */
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
  readonly headText: string;
  /** As in JobFields. */
  readonly lines: string;
  readonly body: Buffer;
  readonly answerBody: Buffer;
}

export interface RecordVisitor {
  onJob(job: Job): void;
  /** `chunk` only during the call; `bytes` as in Job. */
  onChunk(rule: number, stream: number, chunk: Buffer, bytes: number): void;
  onForget(rule: number, stream: number, bytes: number): void;
}

/** Walks a batch's records in the order in which they were written. Bodies share its memory and keep it alive. */
export function readBatch(records: ArrayBuffer, visitor: RecordVisitor): void {
  const space = { memory: Buffer.from(records), view: new DataView(records) };
  for (let at = 0; at < records.byteLength; ) at += readRecord(space, at, visitor, share);
}

/** Reads one record and returns its length. Bodies are what `keep` makes of their place in memory. */
export function readRecord(
  { memory, view }: RecordSpace,
  at: number,
  visitor: RecordVisitor,
  keep: (bytes: Buffer) => Buffer,
): number {
  const bytes = view.getUint32(at + AT_LENGTH, true);
  const kind = view.getUint8(at + AT_KIND);
  if (kind === KIND_GAP) return bytes;
  const rule = view.getUint32(at + AT_RULE, true);
  const stream = view.getUint32(at + AT_STREAM, true);
  const bodyBytes = view.getUint32(at + AT_BODY_BYTES, true);
  const start = at + HEADER_BYTES;
  if (kind === KIND_JOB) {
    const headEnd = start + view.getUint32(at + AT_HEAD_BYTES, true);
    const linesAt = align(headEnd);
    const linesEnd = linesAt + view.getUint32(at + AT_LINES_BYTES, true);
    const bodyAt = align(linesEnd);
    const answerAt = align(bodyAt + bodyBytes);
    const answerBytes = view.getUint32(at + AT_ANSWER_BYTES, true);
    visitor.onJob({
      rule,
      shadows: view.getUint32(at + AT_SHADOWS, true),
      answer: view.getUint8(at + AT_ANSWER) as PrimaryAnswer,
      status: view.getUint16(at + AT_STATUS, true),
      stream,
      primaryLatencyMs: view.getFloat64(at + AT_LATENCY, true),
      tappedMs: view.getFloat64(at + AT_TAPPED, true),
      bytes,
      headText: readLatin1(memory, start, headEnd),
      lines: linesEnd === linesAt ? '' : readLatin1(memory, linesAt, linesEnd),
      body: bodyBytes === 0 ? NOTHING : keep(memory.subarray(bodyAt, bodyAt + bodyBytes)),
      answerBody: answerBytes === 0 ? NOTHING : keep(memory.subarray(answerAt, answerAt + answerBytes)),
    });
  } else if (kind === KIND_CHUNK) {
    visitor.onChunk(rule, stream, memory.subarray(start, start + bodyBytes), bytes);
  } else {
    visitor.onForget(rule, stream, bytes);
  }
  return bytes;
}

const NOTHING = Buffer.alloc(0);

function share(bytes: Buffer): Buffer {
  return bytes;
}
