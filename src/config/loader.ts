// Files or text → Config, or every reason why not.
//
// The border of the folder: what is wrong with a config leaves it as one ConfigError and in no other form.

import type { Config } from '../core/model.ts';
import { assemble, noticeUnused } from './assembly.ts';
import { type Bundle, type BundledFile, type InputFile, readBundle } from './bundle.ts';
import { readTextFile } from './file.ts';
import { ConfigError } from './problem.ts';

/** Of one file: some ten thousand routes. Also keeps the control thread's time for a reload within seconds. */
const CONFIG_BYTES_MAX = 8 * 1024 * 1024;

/** The config that the files make together. Throws ConfigError. */
export function loadConfig(files: readonly string[], environment: NodeJS.ProcessEnv): Config {
  const bundle = readBundle(readInputs(files), environment, false);
  return conclude(bundle, bundle.files);
}

export interface NoticedConfig {
  readonly config: Config;
  /** The config's notices about that route; with null those about none. */
  noticesOf(route: string | null): readonly string[];
}

/** As loadConfig, with what each notice is about. Throws ConfigError. */
export function loadNoticed(files: readonly string[], environment: NodeJS.ProcessEnv): NoticedConfig {
  const bundle = readBundle(readInputs(files), environment, false);
  return {
    config: conclude(bundle, bundle.files),
    noticesOf: (route) => bundle.files.flatMap((file) => file.noticesOf(route)),
  };
}

/**
 * A config for each file by itself, or the error that it has; what a file does not define itself may be in another. Nothing
 * is thrown.
 */
export function loadEach(
  files: readonly string[],
  environment: NodeJS.ProcessEnv,
): readonly (Config | ConfigError)[] {
  const bundle = readBundle(readInputs(files), environment, true);
  // All before the first is judged: what is wrong with an upstream is found when a route of another file uses it.
  const configs = bundle.files.map((file) => assemble(bundle, [file]));
  noticeUnused(bundle, bundle.files);
  return bundle.files.map((file, index) => {
    const problems = file.listProblems();
    return problems.length > 0 ? new ConfigError(problems) : { ...configs[index]!, notices: file.notices };
  });
}

/** `file` names the text in problems, and its folder is what relative file names are relative to. Throws ConfigError. */
export function parseConfig(text: string, file: string, environment: NodeJS.ProcessEnv): Config {
  const bundle = readBundle([{ file, text, problem: null }], environment, false);
  return conclude(bundle, bundle.files);
}

/** Each file is read once: it may be a pipe. */
function readInputs(files: readonly string[]): readonly InputFile[] {
  return files.map((file) => ({ file, ...readTextFile(file, CONFIG_BYTES_MAX) }));
}

function conclude(bundle: Bundle, files: readonly BundledFile[]): Config {
  const config = assemble(bundle, files);
  noticeUnused(bundle, files);
  const problems = files.flatMap((file) => file.listProblems());
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...config, notices: files.flatMap((file) => file.notices) };
}
