// Random trees and texts: whatever a file holds, it is loaded or refused with problems.
//
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to the environment are among what is tested.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { ConfigError, formatProblem } from '../../src/config/problem.ts';
import { listKeys, parse } from './kit.ts';

const seed = Date.now() | 0;

/** Trees that are half made of known keys, so that the translation is reached. */
const KEYS = [...listKeys(), 'x', '<<', '__proto__', '', 'a b', '"', '\n'];
const scalar = fc.oneof(
  fc.constantFrom<unknown>(
    '5s',
    '1MiB',
    'auto',
    'http://h',
    'https://h',
    'http://u:p@h/x',
    '/a',
    'h:1',
    'a',
    'GET',
  ),
  fc.constantFrom<unknown>('${X}', '${X:-5}', '${', 'true', '(', 'redis', 'file', 'header:a', '*.a', ''),
  fc.constantFrom<unknown>(0, 1, 5, 1e300, -1, 0.5, true, false, null, Number.NaN),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 7 },
    scalar,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie('tree'), { maxKeys: 8 }),
  ),
}));
const routes = fc.array(fc.dictionary(fc.constantFrom('id', 'path', 'backends', 'mirror', 'hosts'), tree), {
  maxLength: 4,
});

function loadsOrRefuses(text: string): void {
  try {
    parse(text, { Y: '1' });
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.ok(error.problems.length > 0);
    for (const problem of error.problems) {
      assert.ok(problem.line >= 1 && problem.column >= 1);
      assert.ok(!formatProblem(problem).includes('\n'), formatProblem(problem));
    }
  }
}

test(`random trees are loaded or refused with problems, never anything else (seed ${seed})`, () => {
  fc.assert(
    fc.property(tree, (value) => loadsOrRefuses(stringify(value))),
    { seed, numRuns: 1500 },
  );
  fc.assert(
    fc.property(routes, (value) => loadsOrRefuses(stringify({ routes: value }))),
    { seed, numRuns: 1500 },
  );
});

test(`random texts are loaded or refused with problems, never anything else (seed ${seed})`, () => {
  const piece = fc.constantFrom(
    ...'a:[]{},-?&*!|>\'"%@` \n\t#<~'.split(''),
    ': ',
    '- ',
    '\n  ',
    '<<: ',
    '*a',
    '&a ',
    'routes',
    '${X}',
    '---\n',
    '\0',
    '\ufeff',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => loadsOrRefuses(pieces.join(''))),
    { seed, numRuns: 3000 },
  );
});
