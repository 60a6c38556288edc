// Comparing a shadow's answer with the primary's once both are hashed, and counting the verdict.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { ShadowBook, ShadowCell } from '../../../src/core/book.ts';
import {
  compareAnswers,
  countVerdict,
  logMismatch,
  type PrimaryReading,
  type ShadowReading,
} from '../../../src/mirror/comparer.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';

const BATCH = 1_000;
const DIGEST_BYTES = 32;

const SUBJECT = {
  route: 'orders',
  shadow: 'http://shadow.example:9000',
  method: 'GET',
  path: '/v1/customers/417/orders',
  requestId: '8f3b1c2d4e5f6a7b',
};

interface Answers {
  readonly primary: PrimaryReading;
  readonly shadow: ShadowReading;
  readonly isMatch: boolean;
}

/** Two digests are two strings, also when they say the same. */
function toAnswers(shadowStatus: number, isSameBody: boolean): Answers {
  const bytes = randomBytes(DIGEST_BYTES);
  const other = isSameBody ? bytes : randomBytes(DIGEST_BYTES);
  return {
    primary: { uncompared: null, status: 200, digest: bytes.toString('base64'), latencyMs: 3.5 },
    shadow: { status: shadowStatus, digest: other.toString('base64'), latencyMs: 4.25 },
    isMatch: shadowStatus === 200 && isSameBody,
  };
}

function openCompare({ primary, shadow, isMatch }: Answers, logs: boolean): OpenCase {
  const book = new ShadowBook(ShadowBook.allocate(1), 1);
  let logged = '';
  function compare(): boolean {
    const verdict = compareAnswers(primary, shadow);
    countVerdict(book.cells, book.row(0), verdict);
    if (verdict.statusMatch && verdict.bodyMatch) return true;
    if (logs) {
      logMismatch(
        (_level, message) => {
          logged = message;
          return true;
        },
        SUBJECT,
        primary,
        shadow,
        verdict,
      );
    }
    return false;
  }
  return repeat(
    () => {
      assert.equal(compare(), isMatch);
      assert.equal(book.sum(ShadowCell.compared), 1);
      assert.equal(book.sum(ShadowCell.mismatched), isMatch ? 0 : 1);
      assert.equal(logged, logs ? 'mirror mismatch' : '');
    },
    () => compare() === isMatch,
  );
}

export const answerCompare: readonly MicroCase[] = [
  { name: 'equal', batch: BATCH, open: () => openCompare(toAnswers(200, true), false) },
  { name: 'different status', batch: BATCH, open: () => openCompare(toAnswers(500, true), false) },
  { name: 'different body', batch: BATCH, open: () => openCompare(toAnswers(200, false), false) },
  {
    name: 'different body, as the log gets it',
    batch: BATCH,
    open: () => openCompare(toAnswers(200, false), true),
  },
];
