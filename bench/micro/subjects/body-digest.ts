// Hashing bodies as comparing does: a shadow's answer piece by piece, a primary's out of its job.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { BodyDigest, CaptureBudget } from '../../../src/mirror/answer.ts';
import { type Job, PrimaryAnswer } from '../../../src/mirror/job.ts';
import { readPrimary } from '../../../src/mirror/primary.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';
import { COMPARE, toMirror } from '../routes.ts';

const KIB = 1024;
/** What one read of a socket brings at most. */
const READ_BYTES = 64 * KIB;

function hashSlowly(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('base64');
}

function openShadow(bytes: number): OpenCase {
  const body = randomBytes(bytes);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes; at += READ_BYTES) pieces.push(body.subarray(at, at + READ_BYTES));
  const expected = hashSlowly(body);
  function digest(): string {
    const running = new BodyDigest();
    for (const piece of pieces) running.add(piece);
    return running.finish(200, '').digest;
  }
  return repeat(
    () => assert.equal(digest(), expected),
    () => digest() === expected,
  );
}

function openPrimary(bytes: number): OpenCase {
  const answerBody = randomBytes(bytes);
  const job: Job = {
    rule: 1,
    shadows: 1,
    answer: PrimaryAnswer.inline,
    status: 200,
    stream: 0,
    primaryLatencyMs: 3.5,
    tappedMs: 1.8e9,
    bytes: bytes + 48,
    headText: '',
    lines: '',
    body: Buffer.alloc(0),
    answerBody,
  };
  const expected = hashSlowly(answerBody);
  const budget = new CaptureBudget();
  const mirror = toMirror({ compare: COMPARE });
  const read = (): string | undefined => readPrimary(job, null, mirror, budget).answer?.digest;
  return repeat(
    () => assert.equal(read(), expected),
    () => read() === expected,
  );
}

export const bodyDigest: readonly MicroCase[] = [
  { name: 'shadow, 1 KiB', batch: 100, open: () => openShadow(KIB) },
  { name: 'shadow, 16 KiB', batch: 20, open: () => openShadow(16 * KIB) },
  { name: 'shadow, 1 MiB in 16 pieces', batch: 1, open: () => openShadow(KIB * KIB) },
  { name: 'primary out of its job, 1 KiB', batch: 100, open: () => openPrimary(KIB) },
];
