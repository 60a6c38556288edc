// `umbra check`: whether config files are good, and everything that is wrong with those that are not.
//
// Owns what it prints. Never stops at the first bad file.

import type { Config } from '../core/model.ts';
import { loadConfig, loadEach } from './loader.ts';
import { ConfigError, formatProblem } from './problem.ts';

type Write = (line: string) => void;

/**
 * Each file by itself; what one of them refers to may be in another. Writes whole lines, each with its line feed. Returns
 * the exit code: 0 when every file is good, else 1.
 */
export function checkFiles(files: readonly string[], environment: NodeJS.ProcessEnv, write: Write): number {
  const outcomes = loadEach(files, environment);
  const codes = outcomes.map((outcome, index) => writeOutcome(files[index]!, outcome, write));
  return Math.max(...codes);
}

/** All files as the one config that they would be in `umbra run`. */
export function checkTogether(
  files: readonly string[],
  environment: NodeJS.ProcessEnv,
  write: Write,
): number {
  try {
    return writeOutcome(files.join(', '), loadConfig(files, environment), write);
  } catch (error) {
    if (error instanceof ConfigError) return writeOutcome('', error, write);
    throw error;
  }
}

function writeOutcome(name: string, outcome: Config | ConfigError, write: Write): number {
  if (outcome instanceof ConfigError) {
    for (const problem of outcome.problems) write(`${formatProblem(problem)}\n`);
    return 1;
  }
  for (const notice of outcome.notices) write(`${notice}\n`);
  const count = outcome.routes.length;
  write(`${name}: ok, ${count} ${count === 1 ? 'route' : 'routes'}\n`);
  return 0;
}
