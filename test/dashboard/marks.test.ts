// Where two texts part, and what in a text cannot be seen.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitDifference, toPieces } from '../../src/dashboard/marks.ts';

function toMiddles(primary: string, shadow: string): string[] {
  const parts = splitDifference(primary, shadow);
  for (const [place, text] of [primary, shadow].entries()) {
    const { before, middle, after } = parts[place]!;
    assert.equal(before + middle + after, text);
  }
  return parts.map(({ middle }) => middle);
}

test('the part between the common begin and the common end is marked', () => {
  assert.deepEqual(toMiddles('"Café noir"', '"Café au lait"'), ['noir', 'au lait']);
  assert.deepEqual(toMiddles('aa', 'aaa'), ['', 'a']);
  assert.deepEqual(toMiddles('', 'a'), ['', 'a']);
  assert.deepEqual(toMiddles('same', 'same'), ['', '']);
});

test('no character is torn, whichever half of it both texts have', () => {
  // The same first half; the same last half; both.
  assert.deepEqual(toMiddles('a😀b', 'a😁b'), ['😀', '😁']);
  assert.deepEqual(toMiddles('a\u{1f600}b', 'a\u{1fa00}b'), ['\u{1f600}', '\u{1fa00}']);
  assert.deepEqual(toMiddles('😀', '😀😀'), ['', '😀']);
  assert.deepEqual(toMiddles('😀😁', '😁'), ['😀', '']);
  assert.deepEqual(toMiddles('x\ud83d', 'x😀'), ['\ud83d', '😀']);
});

test('what cannot be seen has a name, and all else stays', () => {
  const show = (text: string): string =>
    toPieces(text)
      .map(({ text: piece, isName }) => (isName ? `[${piece}]` : piece))
      .join('');
  assert.equal(show('a b\nc – ü 😀 漢'), 'a b\nc – ü 😀 漢');
  assert.equal(show('abc\u200b'), 'abc[U+200B]');
  assert.equal(show('a\u00a0b'), 'a[U+00A0]b');
  assert.equal(show('\u202etxt\u2066\u2069'), '[U+202E]txt[U+2066 U+2069]');
  assert.equal(show('\r\n\t\0'), '[U+000D]\n[U+0009 U+0000]');
  assert.equal(show('x\ud800y\u{e0041}'), 'x[U+D800]y[U+E0041]');
  assert.equal(show('\u3164 \u2800'), '[U+3164] [U+2800]');
  assert.deepEqual(toPieces(''), []);
});
