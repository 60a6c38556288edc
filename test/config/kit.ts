// What the tests of config/ share: the smallest good config, and the problems of a bad one as an operator reads them.

import { loadConfig, parseConfig } from '../../src/config/loader.ts';
import { ConfigError, formatProblem, type Problem } from '../../src/config/problem.ts';
import { UmbraSchema } from '../../src/config/umbra/schema.ts';
import type { Config, Mirror, Route } from '../../src/core/model.ts';

type Environment = Readonly<Record<string, string>>;

/** A route whose keys end with `extra`, lines of YAML at its keys' depth. */
export function routeYaml(extra = '', id = 'a'): string {
  const lines = [`id: ${id}`, `path: /${id}`, 'backends: [{ url: "http://primary" }]', ...extra.split('\n')];
  return `  - ${lines.join('\n    ')}\n`;
}

export function mirrorYaml(extra = ''): string {
  const lines = ['backends: [{ url: "http://shadow" }]', ...extra.split('\n')];
  return `routes:\n${routeYaml(`mirror:\n  ${lines.join('\n  ')}`)}`;
}

export function parse(text: string, environment: Environment = {}): Config {
  return parseConfig(text, 'test.yaml', environment);
}

export function parseRoute(extra: string): Route {
  return parse(`routes:\n${routeYaml(extra)}`).routes[0]!;
}

export function parseMirror(extra: string): Mirror {
  return parse(mirrorYaml(extra)).routes[0]!.mirror!;
}

/** No problems for a good config. What is not a ConfigError is thrown on. */
export function listProblems(
  text: string,
  environment: Environment = {},
  file = 'test.yaml',
): readonly Problem[] {
  return collect(() => parseConfig(text, file, environment));
}

export function listFileProblems(file: string, environment: Environment = {}): readonly Problem[] {
  return collect(() => loadConfig([file], environment));
}

export function listLines(text: string, environment: Environment = {}): readonly string[] {
  return listProblems(text, environment).map(formatProblem);
}

function collect(load: () => Config): readonly Problem[] {
  try {
    load();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** Every key of the dialect, at whatever level. */
export function listKeys(schema: unknown = UmbraSchema): ReadonlySet<string> {
  if (typeof schema !== 'object' || schema === null) return new Set();
  const own = 'properties' in schema ? Object.keys(schema.properties as object) : [];
  return new Set([...own, ...Object.values(schema).flatMap((part) => [...listKeys(part)])]);
}
