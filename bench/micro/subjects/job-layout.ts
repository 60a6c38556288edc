// A job's record: measuring, writing and reading it, and taking its head apart in the mirror thread.
//
// Records lie one after another; by which way they go to the other thread does not matter here.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { parseHeadText } from '../../../src/core/request-head.ts';
import {
  type JobFields,
  jobBytes,
  PrimaryAnswer,
  type RecordSpace,
  type RecordVisitor,
  readBatch,
  writeJob,
} from '../../../src/mirror/job.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';
import { REQUEST_HEADERS_8, REQUEST_HEADERS_30, toHeadText, toReadHeaders } from '../traffic.ts';

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
  lines: '',
};
const NOTHING: readonly Uint8Array[] = [];
const NO_ANSWER = Buffer.alloc(0);
const UNEXPECTED = (): never => assert.fail('only jobs were written');

interface Sample {
  readonly headText: string;
  readonly body: readonly Uint8Array[];
  readonly bodyBytes: number;
  /** Of the record. */
  readonly bytes: number;
}

function toSample(headers: readonly string[], bodyBytes: number): Sample {
  const method = bodyBytes === 0 ? 'GET' : 'POST';
  const headText = toHeadText(method, '/v1/customers/417/orders?limit=50', toReadHeaders(headers));
  const body = bodyBytes === 0 ? NOTHING : [randomBytes(bodyBytes)];
  return { headText, body, bodyBytes, bytes: jobBytes(headText.length, 0, bodyBytes, 0) };
}

function toSpace(buffer: ArrayBuffer): RecordSpace {
  return { memory: Buffer.from(buffer), view: new DataView(buffer) };
}

function openMeasure({ headText, bytes }: Sample): OpenCase {
  return repeat(
    () => assert.equal(bytes % 8, 0),
    () => jobBytes(headText.length, 0, 0, 0) === bytes,
  );
}

function openWrite({ headText, body, bodyBytes, bytes }: Sample): OpenCase {
  const total = RECORDS * bytes;
  const space = toSpace(new ArrayBuffer(total));
  const fields = { ...FIELDS };
  function write(index: number): void {
    writeJob(space, (index % RECORDS) * bytes, bytes, fields, headText, body, NO_ANSWER, 0);
  }
  return repeat(
    () => {
      for (let index = 0; index < RECORDS; index++) write(index);
      const records = new ArrayBuffer(total);
      new Uint8Array(records).set(space.memory);
      checkRecords(records, { headText, body, bodyBytes, bytes });
    },
    (index) => {
      fields.tappedMs++;
      write(index);
      return space.view.getFloat64((index % RECORDS) * bytes + TAPPED_AT, true) === fields.tappedMs;
    },
  );
}

function checkRecords(records: ArrayBuffer, { headText, body, bytes }: Sample): void {
  let jobs = 0;
  readBatch(records, {
    onJob: (job) => {
      jobs++;
      assert.equal(job.bytes, bytes);
      assert.equal(job.tappedMs, FIELDS.tappedMs);
      assert.equal(job.headText, headText);
      assert.deepEqual(job.body, Buffer.concat(body));
    },
    onChunk: UNEXPECTED,
    onForget: UNEXPECTED,
  });
  assert.equal(jobs, RECORDS);
}

/** Reads all records at a time; the figure is that of one. */
function openRead(sample: Sample): OpenCase {
  const { headText, body, bodyBytes, bytes } = sample;
  const records = new ArrayBuffer(RECORDS * bytes);
  const space = toSpace(records);
  for (let index = 0; index < RECORDS; index++) {
    writeJob(space, index * bytes, bytes, FIELDS, headText, body, NO_ANSWER, 0);
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

function openParse({ headText }: Sample): OpenCase {
  const fresh = Buffer.from(headText, 'latin1').toString('latin1');
  const { method, target, headers } = parseHeadText(fresh);
  return repeat(
    () => assert.equal(toHeadText(method, target, headers), headText),
    () => parseHeadText(fresh).headers.length === headers.length,
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
