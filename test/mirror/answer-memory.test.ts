// Memory for the beginnings of answers: lent once at a time, used again, bounded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerMemory, INLINE_ANSWER_MAX } from '../../src/mirror/answer-memory.ts';

test('what was given back is lent again, and never twice at a time', () => {
  const memory = new AnswerMemory();
  const first = memory.take()!;
  const second = memory.take()!;
  assert.equal(first.length, INLINE_ANSWER_MAX);
  assert.notEqual(first.buffer, second.buffer);
  memory.give(first);
  assert.equal(memory.take(), first);
});

test('at most 64 MiB are lent', () => {
  const memory = new AnswerMemory();
  const lent: Buffer[] = [];
  for (let piece = memory.take(); piece !== null; piece = memory.take()) lent.push(piece);
  assert.equal(lent.length * INLINE_ANSWER_MAX, 64 * 1024 * 1024);
  memory.give(lent.pop()!);
  assert.notEqual(memory.take(), null);
  assert.equal(memory.take(), null);
});
