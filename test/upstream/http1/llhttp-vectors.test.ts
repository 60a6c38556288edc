// llhttp's published response vectors: our parser, and the llhttp of this Node to see that the table is right.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAnyway } from './differential.ts';
import { Llhttp } from './llhttp.ts';
import { VECTORS, type Vector } from './llhttp-vectors.ts';
import type { Outcome } from './outcome.ts';

const llhttp = new Llhttp();

function check(outcome: Outcome, vector: Vector): void {
  const { status, statusText, body } = vector;
  if (status !== undefined) assert.equal(outcome.status, status);
  if (statusText !== undefined) assert.equal(outcome.statusText, statusText);
  if (body !== undefined) assert.equal(outcome.body.toString('latin1'), body);
}

for (const vector of VECTORS) {
  const { name, isHead = false, verdict, ours = verdict, differs } = vector;
  test(`llhttp vector: ${name}: ${ours}${differs === undefined ? '' : ', on purpose'}`, () => {
    const bytes = Buffer.from(vector.bytes, 'latin1');
    const theirs = llhttp.read(bytes, isHead);
    assert.equal(theirs.verdict, verdict, 'llhttp');
    if (verdict !== 'refused') check(theirs, vector);
    const outcome = readAnyway({ bytes, isHead, cuts: [] });
    assert.equal(outcome.verdict, ours, outcome.error);
    if (ours === 'complete' && verdict === 'complete') check(outcome, vector);
    assert.equal(differs !== undefined, ours !== verdict, 'a difference has its reason');
  });
}
