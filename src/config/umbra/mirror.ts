// A mirror in umbra's own dialect → model.
//
// Owns the rules of mirrors that a schema cannot say, and what is not served yet. Like all of the translation it reports
// and goes on.

import { classifyRequestHeader, RequestHeader } from '../../core/headers.ts';
import type {
  Compare,
  Conditions,
  HeaderCondition,
  HeaderEdits,
  Limit,
  Mirror,
  Shadow,
} from '../../core/model.ts';
import {
  CONDITION_ABSENT,
  CONDITION_EQUALS,
  CONDITION_PRESENT,
  LIMIT_LOCAL,
  LIMIT_REDIS_CLUSTER,
  ROLE_SHADOW,
} from '../../core/model.ts';
import { DEFAULTS } from '../defaults.ts';
import type { Path } from '../problem.ts';
import { readDuration, readSize } from '../quantity.ts';
import { toRedisSettings } from '../redis.ts';
import type { Loose } from '../shape.ts';
import type { CompareInput } from './compare-schema.ts';
import { toExpression } from './expression.ts';
import type { LimitInput } from './limit-schema.ts';
import type { MirrorInput, ShadowInput } from './mirror-schema.ts';
import { checkRawPath, type Translation, toBackend, toHostHeader, toTimeouts } from './upstream.ts';

/** Why an edit of this header would break the copy. */
const UNTOUCHABLE: ReadonlyMap<number, string> = new Map([
  [RequestHeader.hopByHop, 'belongs to one connection, not to the request'],
  [RequestHeader.connection, 'belongs to one connection, not to the request'],
  [RequestHeader.contentLength, 'frames the body, and umbra sets it'],
  [RequestHeader.transferEncoding, 'frames the body, and umbra sets it'],
  [RequestHeader.host, 'is set by host_header'],
  [RequestHeader.mirrorMark, "is umbra's guard against loops"],
]);

export function toMirror(input: Loose<MirrorInput>, at: Path, translation: Translation): Mirror {
  if (input.path !== undefined) checkRawPath(input.path, [...at, 'path'], translation);
  const defaults = DEFAULTS.mirror;
  return {
    enabled: input.enabled ?? defaults.enabled,
    percentage: input.percentage ?? defaults.percentage,
    methods: defaults.methods,
    sampleByHeader: input.sample_by?.slice('header:'.length).toLowerCase() ?? null,
    shadows: toShadows(input.backends ?? [], [...at, 'backends'], translation),
    conditions: toConditions(input.conditions ?? {}, [...at, 'conditions'], translation),
    path: input.path ?? null,
    pathConcatMode: input.path_concat_mode ?? defaults.pathConcatMode,
    timeouts: toTimeouts(input.timeout, defaults.timeout),
    limit: input.limit === undefined ? null : toLimit(input.limit, [...at, 'limit'], translation),
    maxBodyBytes: readSize(input.max_body, defaults.maxBody),
    maxAnswerBytes: readSize(undefined, defaults.maxAnswer),
    redact: { headers: [], query: [], json: [] },
    idempotencyKey: defaults.idempotencyKey,
    maxInFlight: input.max_in_flight ?? defaults.maxInFlight,
    maxQueuedBytes: readSize(input.max_queued, defaults.maxQueued),
    breaker: {
      failures: input.breaker?.failures ?? DEFAULTS.breaker.failures,
      openForMs: readDuration(input.breaker?.open_for, DEFAULTS.breaker.openFor),
    },
    compare: input.compare === undefined ? null : toCompare(input.compare, [...at, 'compare'], translation),
  };
}

function toShadows(
  inputs: readonly (Loose<ShadowInput> | undefined)[],
  at: Path,
  translation: Translation,
): readonly Shadow[] {
  const seen = new Map<string, Path>();
  return inputs.map((input = {}, index) => {
    const path = [...at, index];
    const backend = toBackend(input, path, translation);
    const other = seen.get(backend.origin);
    if (backend.origin !== '' && other !== undefined) {
      const { report } = translation;
      const message = `has the same origin as the shadow in line ${report.lineOf(other)}`;
      report.add({ path: [...path, 'url'], rule: 'duplicate', message, found: input.url });
    } else {
      seen.set(backend.origin, [...path, 'url']);
    }
    return {
      ...backend,
      headers: toHeaderEdits(input.headers ?? {}, [...path, 'headers'], translation),
      hostHeader: toHostHeader(input.host_header, [...path, 'host_header'], translation),
      role: ROLE_SHADOW,
    };
  });
}

function toHeaderEdits(
  input: NonNullable<Loose<ShadowInput>['headers']>,
  at: Path,
  translation: Translation,
): HeaderEdits {
  const set: [string, string][] = [];
  const names = new Set<string>();
  for (const [name, value = ''] of Object.entries(input.set ?? {})) {
    const path = [...at, 'set', name];
    checkEditable(name, path, true, translation);
    takeName(name, names, path, true, translation);
    set.push([name.toLowerCase(), value]);
  }
  const remove: string[] = [];
  for (const [index, name] of (input.remove ?? []).entries()) {
    if (name === undefined) continue;
    const path = [...at, 'remove', index];
    checkEditable(name, path, false, translation);
    takeName(name, names, path, false, translation);
    remove.push(name.toLowerCase());
  }
  return { set, remove };
}

function checkEditable(name: string, path: Path, atKey: boolean, { report }: Translation): void {
  const reason = UNTOUCHABLE.get(classifyRequestHeader(name.toLowerCase()));
  if (reason === undefined) return;
  report.add({ path, rule: 'conflict', message: `cannot be edited: it ${reason}`, found: name, atKey });
}

/** Names are compared without case, and YAML is not, so a header could be named twice. */
function takeName(
  name: string,
  names: Set<string>,
  path: Path,
  atKey: boolean,
  { report }: Translation,
): void {
  const lowerCase = name.toLowerCase();
  if (names.has(lowerCase)) {
    report.add({
      path,
      rule: 'duplicate',
      message: 'names the same header a second time',
      found: name,
      atKey,
    });
  }
  names.add(lowerCase);
}

function toConditions(
  input: NonNullable<Loose<MirrorInput>['conditions']>,
  at: Path,
  translation: Translation,
): Conditions {
  const headers: HeaderCondition[] = [];
  const names = new Set<string>();
  for (const [name, value = true] of Object.entries(input.headers ?? {})) {
    takeName(name, names, [...at, 'headers', name], true, translation);
    headers.push(toHeaderCondition(name, value));
  }
  const regex = input.path_regex;
  const wrong = regex === undefined ? null : findRegexProblem(regex);
  if (wrong !== null) {
    const path = [...at, 'path_regex'];
    translation.report.add({ path, rule: 'format', message: `does not compile: ${wrong}`, found: regex });
  }
  const vars = input.vars === undefined ? null : toExpression(input.vars, [...at, 'vars'], translation);
  return { methods: toListed(input.methods), headers, pathRegex: regex ?? null, vars };
}

/** The texts "true" and "false" mean what the truth values mean: whether the header is there. */
function toHeaderCondition(name: string, input: string | boolean): HeaderCondition {
  const value = String(input).toLowerCase();
  const lowerCase = name.toLowerCase();
  if (value === 'true') return { name: lowerCase, kind: CONDITION_PRESENT, value: '' };
  if (value === 'false') return { name: lowerCase, kind: CONDITION_ABSENT, value: '' };
  return { name: lowerCase, kind: CONDITION_EQUALS, value };
}

/** The engine's own words, without the expression that it repeats. */
function findRegexProblem(source: string): string | null {
  try {
    return new RegExp(source) instanceof RegExp ? null : '';
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return message.slice(message.lastIndexOf(': ') + 2);
  }
}

function toLimit(input: Loose<LimitInput>, at: Path, { report }: Translation): Limit {
  const policy = input.policy ?? DEFAULTS.limit.policy;
  const redis = toRedisSettings(input, policy === LIMIT_REDIS_CLUSTER, (path, message, found) =>
    report.add({ path: [...at, ...path], rule: 'format', message, found }),
  );
  return {
    count: input.count ?? DEFAULTS.limit.count,
    windowMs: (input.time_window ?? DEFAULTS.limit.timeWindow) * 1000,
    policy,
    redis: policy === LIMIT_LOCAL ? null : redis,
  };
}

function toCompare(input: Loose<CompareInput>, at: Path, { report }: Translation): Compare | null {
  if (input.detailed_diff === true) {
    const message = 'is not served yet: bodies are compared by their SHA-256, and status by status';
    report.add({ path: [...at, 'detailed_diff'], rule: 'not_served', message, found: true });
  }
  if (!(input.enabled ?? DEFAULTS.compare.enabled)) return null;
  const { verdict } = DEFAULTS;
  return {
    logMismatches: input.log_mismatches ?? DEFAULTS.compare.logMismatches,
    detail: null,
    mask: [],
    maxMismatches: input.max_mismatches ?? DEFAULTS.compare.maxMismatches,
    thresholds: { minCompared: verdict.minCompared, maxMismatch: 0.01, maxError: 0.01, maxP99Ratio: null },
  };
}

function toListed<T>(inputs: readonly (T | undefined)[] | undefined): readonly T[] {
  return (inputs ?? []).filter((input) => input !== undefined);
}
