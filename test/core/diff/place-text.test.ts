// The texts of places that a walk comes through: the same as those of the place alone, however it came there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatField, formatPlace, PATH_LENGTH_MAX } from '../../../src/core/diff/json-path.ts';
import { WalkedPlace } from '../../../src/core/diff/place-text.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

function toFieldAt(...steps: readonly (string | number)[]): string {
  const place = new WalkedPlace();
  for (const step of steps) place.push(step);
  return place.text.field;
}

test('a place that is too long is shown by the ancestor that is not', () => {
  assert.equal(toFieldAt(), 'body');
  assert.equal(toFieldAt('a', 3, 'b'), 'body:a[].b');
  const long = 'a'.repeat(PATH_LENGTH_MAX);
  assert.equal(toFieldAt(long), `body:${long}`);
  assert.equal(toFieldAt(long, 'b', 'c'), `body:${long}`);
  assert.equal(toFieldAt(`${long}a`, 'b'), 'body');
  assert.equal(toFieldAt('a', 'b'.repeat(1 << 20)), 'body:a');
  // Escapes count as they are written.
  assert.equal(toFieldAt('a', '\u0000'.repeat(PATH_LENGTH_MAX - 10)), 'body:a');
});

test('wherever a walk goes, its texts are those of the place', () => {
  const step = fc.oneof(
    fc.nat({ max: 3 }),
    fc.constantFrom('a', 'b.c', '', '$', '*', '[]'),
    fc.string({ maxLength: 3 }),
  );
  const moves = fc.array(fc.option(step, { nil: null, freq: 3 }), { maxLength: 40 });
  fc.assert(
    fc.property(moves, fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }), (path, asks) => {
      const walked = new WalkedPlace();
      const place: (string | number)[] = [];
      for (const [index, move] of path.entries()) {
        if (move === null) {
          if (place.length > 0) walked.pop();
          place.pop();
        } else {
          walked.push(move);
          place.push(move);
        }
        if (!asks[index]) continue;
        const [field, at] = [formatField(place), formatPlace(place)];
        const isRoot = place.length === 0;
        assert.deepEqual(
          [walked.text.field, walked.text.at],
          isRoot ? ['body', 'body'] : [`body:${field}`, `body:${at}`],
        );
      }
    }),
    { seed, numRuns: 2_000 },
  );
});
