// `umbra check`: whether config files are good, and everything that is wrong with those that are not.
//
// Owns what it prints. Never stops at the first bad file.

import { loadConfig } from './loader.ts';
import { ConfigError, formatProblem } from './problem.ts';

/** Writes whole lines, each with its line feed. Returns the exit code: 0 when every file is good, else 1. */
export function checkFiles(
  files: readonly string[],
  environment: NodeJS.ProcessEnv,
  write: (line: string) => void,
): number {
  let exitCode = 0;
  for (const file of files) {
    try {
      const count = loadConfig(file, environment).routes.length;
      write(`${file}: ok, ${count} ${count === 1 ? 'route' : 'routes'}\n`);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const problem of error.problems) write(`${formatProblem(problem)}\n`);
      exitCode = 1;
    }
  }
  return exitCode;
}
