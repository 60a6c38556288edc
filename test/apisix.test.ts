// Holds docs/apisix.md to the tests: every rule in its tables names tests, and every test that it names is there.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const PAGE = readFileSync(new URL('../docs/apisix.md', import.meta.url), 'utf8');
const MATRIX = PAGE.slice(PAGE.indexOf('## Every rule'));

interface Row {
  readonly rule: string;
  readonly tests: string;
}

/** Rows of all tables below that heading; the last column has the tests. */
function listRows(): readonly Row[] {
  const lines = MATRIX.split('\n').filter((line) => line.startsWith('|') && !line.startsWith('|-'));
  const rows = lines.map((line) => line.slice(2, -2).split(' | '));
  return rows
    .filter((cells) => cells.at(-1) !== 'tests')
    .map((cells) => ({ rule: cells[0]!, tests: cells.at(-1)! }));
}

test('every rule of APISIX in docs/apisix.md names tests that are there', () => {
  const rows = listRows();
  assert.ok(rows.length > 60, `only ${rows.length} rules were found`);
  for (const { rule, tests } of rows) {
    for (const reference of tests.split('<br>')) {
      const [, file, name] = /^`([\w/-]+)`: (.+)$/.exec(reference) ?? [];
      assert.ok(file !== undefined && name !== undefined, `${rule}: no test in "${reference}"`);
      const path = new URL(`${file}.test.ts`, import.meta.url);
      assert.ok(existsSync(path), `${rule}: there is no ${file}.test.ts`);
      assert.ok(isTestIn(readFileSync(path, 'utf8'), name), `${rule}: ${file}.test.ts has no "${name}"`);
    }
  }
});

/** As the first argument of a call, whole, or as far as the text goes before something is put into it. */
function isTestIn(text: string, name: string): boolean {
  const quoted = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`\\b(?:test|it)\\(\\s*['"\`]${quoted}(?:['"\`]|,? ?\\(?[^'"\`]*\\$\\{)`).test(text);
}
