// What may differ between two answers, and what must not be shown: a route's rules in the form that a comparison uses.

import { RESPONSE_HOP_BY_HOP } from '../headers.ts';
import type { DetailedDiff, Tolerance } from '../model.ts';
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
  /** Whether any place is masked: then nothing of a body that is not compared as JSON may be shown. */
  readonly hasMask: boolean;
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

/** Once for a revision of a route. */
export function compileDiffRules(detail: DetailedDiff, mask: readonly string[]): DiffRules {
  const entries = [
    ...toEntries(detail.ignoreJsonFields, { isIgnored: true }),
    ...toEntries(mask, { isMasked: true }),
    ...toEntries(detail.unordered, { isUnordered: true }),
    ...detail.tolerances.flatMap((tolerance) => toEntries([tolerance.path], { tolerances: [tolerance] })),
  ];
  return {
    // A body's length is seen by comparing the body.
    ignoredHeaders: new Set([...RESPONSE_HOP_BY_HOP, 'content-length', ...detail.ignoreHeaders]),
    json: compilePathValues(entries, mergeRules),
    hasMask: mask.length > 0,
    maxBodyCaptureBytes: detail.maxBodyCaptureBytes,
  };
}
