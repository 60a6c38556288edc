// Lists of places in JSON bodies → model.
//
// Reports what core/diff/json-path.ts finds wrong with each, at its place in the file.

import { isPathProblem, parseJsonPath } from '../../core/diff/json-path.ts';
import type { Path } from '../problem.ts';
import { listGiven } from './shadow.ts';
import type { PartTranslation } from './upstream.ts';

/** Each once, in the order in which they stand. */
export function toJsonPaths(
  inputs: readonly (string | undefined)[] | undefined,
  at: Path,
  translation: PartTranslation,
): readonly string[] {
  const given = listGiven(inputs);
  for (const [index, text] of given) checkJsonPath(text, [...at, index], false, translation);
  return [...new Set(given.map(([, text]) => text))];
}

export function checkJsonPath(text: string, path: Path, atKey: boolean, { report }: PartTranslation): void {
  const parsed = parseJsonPath(text);
  if (!isPathProblem(parsed)) return;
  const message = `must be a path of JSON keys such as meta.timestamp or items[].id: ${parsed.problem}`;
  report.add({ path, rule: 'format', message, found: text, atKey });
}
