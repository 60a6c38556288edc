// A job's way from the front-end thread to its mirror thread: what the front end pays for it.
//
// The ring is the usual way. A piscina task for each batch is the long way, with its thread awake all the time, since
// the tasks follow each other without a pause: waking a thread that sleeps costs more, and shows under real load only.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { type JobFields, jobBytes, PrimaryAnswer } from '../../../src/mirror/job.ts';
import { Outbox } from '../../../src/mirror/outbox.ts';
import { allocateRing, RingReader, RingWriter } from '../../../src/mirror/ring.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';
import { REQUEST_HEADERS_8, REQUEST_HEADERS_30, toHeadText, toReadHeaders } from '../traffic.ts';

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
/** Its task is taken by a thread that does nothing with it. */
const IDLE_WORKER = fileURLToPath(new URL('../idle-worker.ts', import.meta.url));
/** About 50 jobs with eight headers. */
const BATCH_BYTES = 32 * 1024;

function toHead(headers: readonly string[]): string {
  return toHeadText('GET', '/v1/customers/417/orders?limit=50', toReadHeaders(headers));
}

function openRing(headers: readonly string[], bodyBytes: number): OpenCase {
  const memory = allocateRing();
  const [outbox, reader] = [new Outbox(new RingWriter(memory)), new RingReader(memory)];
  const head = toHead(headers);
  const body = bodyBytes === 0 ? NOTHING : [new Uint8Array(bodyBytes)];
  const bytes = jobBytes(head.length, 0, bodyBytes, 0);
  let read = 0;
  const visitor = {
    onJob: () => {
      read++;
    },
    onChunk: () => assert.fail(),
    onForget: () => assert.fail(),
  };
  outbox.direct();
  return repeat(
    () => {
      outbox.writeJob(FIELDS, head, body, NO_ANSWER);
      reader.read(visitor);
      assert.equal(read, 1);
    },
    () => outbox.writeJob(FIELDS, head, body, NO_ANSWER) === bytes && outbox.isDirect,
    () => void reader.read(visitor),
  );
}

function openMessage(): OpenCase {
  const pool = new Piscina({ filename: IDLE_WORKER, minThreads: 1, maxThreads: 1, atomics: 'disabled' });
  const send = async (): Promise<boolean> => {
    const records = new ArrayBuffer(BATCH_BYTES);
    return (await pool.run({ records }, { transferList: [records] })) === BATCH_BYTES;
  };
  return {
    check: async () => assert.ok(await send()),
    run: async (calls) => {
      let right = 0;
      for (let call = 0; call < calls; call++) if (await send()) right++;
      return right;
    },
    refresh: null,
    close: () => pool.destroy(),
  };
}

export const handOff: readonly MicroCase[] = [
  { name: 'job through the ring, 8 headers', batch: 1_000, open: () => openRing(REQUEST_HEADERS_8, 0) },
  { name: 'job through the ring, 30 headers', batch: 400, open: () => openRing(REQUEST_HEADERS_30, 0) },
  {
    name: 'job through the ring, 8 headers and 16 KiB',
    batch: 50,
    open: () => openRing(REQUEST_HEADERS_8, 16 * 1024),
  },
  { name: 'batch of 32 KiB as a message, there and back', batch: 20, open: openMessage },
];
