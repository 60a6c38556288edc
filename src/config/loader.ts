// Text → Config, or every reason why not.
//
// Owns the order of the steps: read, parse, fit to the schema, translate. The border of the folder: what is wrong with a
// config leaves it as one ConfigError and in no other form.

import { dirname, resolve } from 'node:path';
import type { Config } from '../core/model.ts';
import { readTextFile } from './file.ts';
import { ConfigError } from './problem.ts';
import { Report } from './report.ts';
import type { UmbraInput } from './schema.ts';
import { UmbraSchema } from './schema.ts';
import { createShape, fitShape, type Loose } from './shape.ts';
import { Source } from './source.ts';
import { toConfig } from './umbra.ts';

/** Some ten thousand routes. Also keeps the control thread's time for a reload within seconds. */
const CONFIG_BYTES_MAX = 8 * 1024 * 1024;

const umbraShape = createShape(UmbraSchema);

/** Throws ConfigError. */
export function loadConfig(file: string, environment: NodeJS.ProcessEnv): Config {
  const { text, problem } = readTextFile(file, CONFIG_BYTES_MAX);
  if (problem === null) return parseConfig(text, file, environment);
  const report = new Report(file, null);
  report.add({ path: [], rule: 'file', message: problem });
  throw new ConfigError(report.list());
}

/** `file` names the text in problems, and its folder is what relative file names are relative to. Throws ConfigError. */
export function parseConfig(text: string, file: string, environment: NodeJS.ProcessEnv): Config {
  const source = new Source(text, environment);
  const report = new Report(file, source);
  const tree = source.read(report);
  if (tree !== undefined) {
    const input = fitShape(umbraShape, tree, source, report) as Loose<UmbraInput>;
    const config = toConfig(input, { report, folder: dirname(resolve(file)) });
    if (report.list().length === 0) return config;
  }
  throw new ConfigError(report.list());
}
