// Writes config/umbra.schema.json from the schema that validates, for editors; `--check` only compares.
//
// Owns that file: it is never edited by hand.

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { toSchemaText } from '../src/config/umbra/schema.ts';

const file = new URL('../config/umbra.schema.json', import.meta.url);

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
if (!values.check) {
  writeFileSync(file, toSchemaText());
} else if (readText() !== toSchemaText()) {
  process.stderr.write(
    'config/umbra.schema.json differs from src/config/umbra/schema.ts: run `npm run schema`\n',
  );
  process.exitCode = 1;
}

/** Null when there is no such file yet. */
function readText(): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
