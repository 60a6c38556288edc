// What may differ between two answers, and what must not be shown: a route's rules in the form that a comparison uses.

import { RESPONSE_HOP_BY_HOP } from '../headers.ts';
import type { DetailedDiff, Redaction, Tolerance } from '../model.ts';
import { ParameterNames } from '../parameters.ts';
import { isPathProblem, parseJsonPath } from './json-path.ts';
import { compilePathValues, type PathState } from './path-matcher.ts';

/** What holds for a place of a JSON body. */
export interface JsonRule {
  /** Here and below. */
  readonly isIgnored: boolean;
  /** Here and below: values, never the names of keys. */
  readonly isMasked: boolean;
  readonly isUnordered: boolean;
  /** Here and below; one that holds is enough. */
  readonly tolerances: readonly Tolerance[];
}

export type JsonRules = PathState<JsonRule> | null;

export interface DiffRules {
  /** Lower case. */
  readonly ignoredHeaders: ReadonlySet<string>;
  readonly json: JsonRules;
  /**
   * Whether any place is masked: then nothing of a body that is not compared as JSON may be shown, and of JSON no object or
   * array as a whole. A shadow may have put what is masked into another place, and no path says where.
   */
  readonly hasMask: boolean;
  /** The last keys of masked paths: what stands under such a key is masked wherever it is. */
  readonly maskedKeys: ReadonlySet<string>;
  /** Whether numbers may differ anywhere. */
  readonly hasTolerance: boolean;
  /** Lower case; beside those that carry credentials by their name. */
  readonly maskedHeaders: ReadonlySet<string>;
  /** Parameters whose values are not shown in headers that are URLs. */
  readonly maskedParameters: ParameterNames;
  /** Also of what a body is decoded to. */
  readonly maxBodyCaptureBytes: number;
}

const NO_RULE: JsonRule = { isIgnored: false, isMasked: false, isUnordered: false, tolerances: [] };

function mergeRules(first: JsonRule, second: JsonRule): JsonRule {
  return {
    isIgnored: first.isIgnored || second.isIgnored,
    isMasked: first.isMasked || second.isMasked,
    isUnordered: first.isUnordered || second.isUnordered,
    tolerances: [...first.tolerances, ...second.tolerances],
  };
}

function toEntries(paths: readonly string[], rule: Partial<JsonRule>): (readonly [string, JsonRule])[] {
  return paths.map((path) => [path, { ...NO_RULE, ...rule }] as const);
}

const NO_REDACTION: Redaction = { headers: [], query: [], json: [] };

/** The last key that each path names: `ssn` of `user.ssn`, `cards` of `cards[]` and of `cards.*`. */
function toLastKeys(paths: readonly string[]): Set<string> {
  const keys = new Set<string>();
  for (const text of paths) {
    const path = parseJsonPath(text);
    const last = isPathProblem(path) ? undefined : path.findLast((step) => step.kind === 'key');
    if (last?.kind === 'key') keys.add(last.key);
  }
  return keys;
}

/** Once for a revision of a route. What copies do not tell a shadow (`redact`) is masked like the rest. */
export function compileDiffRules(
  detail: DetailedDiff,
  mask: readonly string[],
  redact: Redaction = NO_REDACTION,
): DiffRules {
  const masked = [...mask, ...redact.json];
  const entries = [
    ...toEntries(detail.ignoreJsonFields, { isIgnored: true }),
    ...toEntries(masked, { isMasked: true }),
    ...toEntries(detail.unordered, { isUnordered: true }),
    ...detail.tolerances.flatMap((tolerance) => toEntries([tolerance.path], { tolerances: [tolerance] })),
  ];
  return {
    // A body's length is seen by comparing the body; that of a body that did not come, as to a HEAD, is not compared.
    ignoredHeaders: new Set([...RESPONSE_HOP_BY_HOP, 'content-length', ...detail.ignoreHeaders]),
    json: compilePathValues(entries, mergeRules),
    hasMask: masked.length > 0,
    maskedKeys: toLastKeys(masked),
    hasTolerance: detail.tolerances.length > 0,
    maskedHeaders: new Set(redact.headers),
    maskedParameters: new ParameterNames(redact.query),
    maxBodyCaptureBytes: detail.maxBodyCaptureBytes,
  };
}
