// `umbra convert`: configs of every accepted form → one of umbra's own.
//
// Owns what stands in its comments. Writes nothing but a whole file that loads; what cannot be said in umbra's own form is a
// comment, and what is wrong is a problem and no output.

import type { Config } from '../core/model.ts';
import { loadNoticed, parseConfig } from './loader.ts';
import { ConfigError, formatProblem } from './problem.ts';
import { toApisixTimeoutComment, toUmbraText, type UmbraText } from './umbra/text.ts';

/** Where whole texts go. */
interface Sink {
  write(text: string): unknown;
}

/** Names the written text in problems: settings that umbra's own dialect bounds more tightly than others do. */
const WRITTEN = "as umbra's own";

/** All files together, as `umbra run` takes them. Returns the exit code: 0 when `out` has the config, else 1. */
export function convertFiles(
  files: readonly string[],
  environment: NodeJS.ProcessEnv,
  out: Sink,
  err: Sink,
): number {
  try {
    const { config, noticesOf } = loadNoticed(files, environment);
    out.write(convert(config, files[0]!, noticesOf).text);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) err.write(`${formatProblem(problem)}\n`);
    return 1;
  }
}

/** `file` is where relative names in the config start from. Throws ConfigError for what umbra's own dialect would refuse. */
export function convert(
  config: Config,
  file: string,
  noticesOf: (route: string | null) => readonly string[],
): UmbraText {
  const silent = parseConfig('routes: []', file, {});
  const timeouts = toApisixTimeoutComment(config, silent);
  const head = [...noticesOf(null), ...(timeouts === null ? [] : [timeouts])];
  const routes = new Map(config.routes.map(({ id }) => [id, noticesOf(id)]));
  const written = toUmbraText(config, silent, { head, routes });
  try {
    parseConfig(written.text, file, written.environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.problems.map((problem) => ({ ...problem, file: `${file} ${WRITTEN}` })));
  }
  return written;
}
