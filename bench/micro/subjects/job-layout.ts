// A job's record: measuring, writing and reading it, and taking its head apart in the mirror thread.
//
// Records lie one after another; by which way they go to the other thread does not matter here.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { parseHead } from '../../../src/mirror/copy.ts';
import {
  type JobFields,
  type JobHead,
  jobBytes,
  PrimaryAnswer,
  type RecordSpace,
  type RecordVisitor,
  readBatch,
  writeJob,
} from '../../../src/mirror/job.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';
import { REQUEST_HEADERS_8, REQUEST_HEADERS_30, toReadHeaders } from '../traffic.ts';

const BATCH = 1_000;
/** Records in the memory; a batch of calls is a multiple. */
const RECORDS = 100;
const BODY_BYTES = 16 * 1024;

/** Where a record says when it was tapped. */
const TAPPED_AT = 40;

const FIELDS: JobFields = {
  rule: 1,
  shadows: 1,
  answer: PrimaryAnswer.none,
  status: 0,
  stream: 0,
  primaryLatencyMs: 0,
  tappedMs: 1.8e9,
};
const NOTHING: readonly Uint8Array[] = [];
const UNEXPECTED = (): never => assert.fail('only jobs were written');

interface Sample {
  readonly head: JobHead;
  readonly body: readonly Uint8Array[];
  readonly bodyBytes: number;
  /** Of the record. */
  readonly bytes: number;
}

function toSample(headers: readonly string[], bodyBytes: number): Sample {
  const method = bodyBytes === 0 ? 'GET' : 'POST';
  const head = { method, target: '/v1/customers/417/orders?limit=50', headers: toReadHeaders(headers) };
  const body = bodyBytes === 0 ? NOTHING : [randomBytes(bodyBytes)];
  return { head, body, bodyBytes, bytes: jobBytes(head, bodyBytes, 0) };
}

function toSpace(buffer: ArrayBuffer): RecordSpace {
  return { memory: Buffer.from(buffer), view: new DataView(buffer) };
}

function openMeasure({ head, bytes }: Sample): OpenCase {
  return repeat(
    () => assert.equal(bytes % 8, 0),
    () => jobBytes(head, 0, 0) === bytes,
  );
}

function openWrite({ head, body, bodyBytes, bytes }: Sample): OpenCase {
  const total = RECORDS * bytes;
  const space = toSpace(new ArrayBuffer(total));
  const fields = { ...FIELDS };
  function write(index: number): void {
    writeJob(space, (index % RECORDS) * bytes, bytes, fields, head, body, NOTHING);
  }
  return repeat(
    () => {
      for (let index = 0; index < RECORDS; index++) write(index);
      const records = new ArrayBuffer(total);
      new Uint8Array(records).set(space.memory);
      checkRecords(records, { head, body, bodyBytes, bytes });
    },
    (index) => {
      fields.tappedMs++;
      write(index);
      return space.view.getFloat64((index % RECORDS) * bytes + TAPPED_AT, true) === fields.tappedMs;
    },
  );
}

function checkRecords(records: ArrayBuffer, { head, body, bytes }: Sample): void {
  let jobs = 0;
  readBatch(records, {
    onJob: (job) => {
      jobs++;
      assert.equal(job.bytes, bytes);
      assert.equal(job.tappedMs, FIELDS.tappedMs);
      const { method, rawTarget, headers } = parseHead(job.head);
      assert.deepEqual({ method, target: rawTarget, headers }, head);
      assert.deepEqual(job.body, Buffer.concat(body));
    },
    onChunk: UNEXPECTED,
    onForget: UNEXPECTED,
  });
  assert.equal(jobs, RECORDS);
}

/** Reads all records at a time; the figure is that of one. */
function openRead(sample: Sample): OpenCase {
  const { head, body, bodyBytes, bytes } = sample;
  const records = new ArrayBuffer(RECORDS * bytes);
  const space = toSpace(records);
  for (let index = 0; index < RECORDS; index++) {
    writeJob(space, index * bytes, bytes, FIELDS, head, body, NOTHING);
  }
  let right = 0;
  const visitor: RecordVisitor = {
    onJob: (job) => {
      if (job.tappedMs === FIELDS.tappedMs && job.body.length === bodyBytes) right++;
    },
    onChunk: UNEXPECTED,
    onForget: UNEXPECTED,
  };
  return {
    check: () => checkRecords(records, sample),
    run: (calls) => {
      right = 0;
      for (let read = 0; read < calls; read += RECORDS) readBatch(records, visitor);
      return right;
    },
    refresh: null,
    close: null,
  };
}

function openParse({ head }: Sample): OpenCase {
  const pairs = Array.from({ length: head.headers.length / 2 }, (_, at) =>
    head.headers.slice(2 * at, 2 * at + 2).join(': '),
  );
  const text = [`${head.method} ${head.target}`, ...pairs, ''].join('\r\n');
  const bytes = Buffer.from(text, 'latin1');
  const fresh = bytes.toString('latin1');
  return repeat(
    () => {
      const { method, target, headers } = head;
      assert.deepEqual(parseHead(fresh), { method, rawTarget: target, headers });
    },
    () => parseHead(fresh).headers.length === head.headers.length,
  );
}

const SAMPLES = [
  { title: '8 headers', sample: toSample(REQUEST_HEADERS_8, 0) },
  { title: '30 headers', sample: toSample(REQUEST_HEADERS_30, 0) },
  { title: '8 headers and 16 KiB', sample: toSample(REQUEST_HEADERS_8, BODY_BYTES) },
] as const;
const HEADS = SAMPLES.slice(0, 2);

export const jobLayout: readonly MicroCase[] = [
  ...HEADS.map(({ title, sample }) => ({
    name: `measure, ${title}`,
    batch: BATCH,
    open: () => openMeasure(sample),
  })),
  ...SAMPLES.map(({ title, sample }) => ({
    name: `write, ${title}`,
    batch: BATCH,
    open: () => openWrite(sample),
  })),
  ...SAMPLES.map(({ title, sample }) => ({
    name: `read, ${title}`,
    batch: BATCH,
    open: () => openRead(sample),
  })),
  ...HEADS.map(({ title, sample }) => ({
    name: `take the head apart, ${title}`,
    batch: BATCH,
    open: () => openParse(sample),
  })),
];
