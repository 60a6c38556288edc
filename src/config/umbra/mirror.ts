// A mirror in umbra's own dialect → model.
//
// Owns the rules of mirrors that a schema cannot say, but those of shadows and comparisons. Like all of the translation it
// reports and goes on.

import type { Conditions, HeaderCondition, Limit, Mirror, Redaction } from '../../core/model.ts';
import {
  CONDITION_ABSENT,
  CONDITION_EQUALS,
  CONDITION_PRESENT,
  LIMIT_LOCAL,
  LIMIT_REDIS_CLUSTER,
} from '../../core/model.ts';
import { DEFAULTS } from '../defaults.ts';
import type { Path } from '../problem.ts';
import { readDuration, readSize } from '../quantity.ts';
import { toRedisSettings } from '../redis.ts';
import type { Loose } from '../shape.ts';
import { toComparison } from './compare.ts';
import { toExpression } from './expression.ts';
import { toJsonPaths } from './json-paths.ts';
import type { LimitInput } from './limit-schema.ts';
import type { MirrorInput } from './mirror-schema.ts';
import { findEditProblem, listGiven, takeName, toShadows } from './shadow.ts';
import { checkRawPath, type Translation, toTimeouts } from './upstream.ts';

/** What the shadow could not do without, beside what nobody may edit. */
const NEVER_REDACTED: ReadonlyMap<string, string> = new Map([
  ['content-type', 'says what the body is'],
  ['content-encoding', 'says how the body is packed'],
  [
    'idempotency-key',
    'tells one write from another: with the same key for all of them only the first would count',
  ],
]);

export function toMirror(input: Loose<MirrorInput>, at: Path, translation: Translation): Mirror {
  if (input.path !== undefined) checkRawPath(input.path, [...at, 'path'], translation);
  const defaults = DEFAULTS.mirror;
  const own = toShadows(input.backends ?? [], [...at, 'backends'], translation);
  const { compare, shadows } =
    input.compare === undefined
      ? { compare: null, shadows: own }
      : toComparison(input.compare, own, [...at, 'compare'], translation);
  return {
    enabled: input.enabled ?? defaults.enabled,
    percentage: input.percentage ?? defaults.percentage,
    sampleByHeader: input.sample_by?.slice('header:'.length).toLowerCase() ?? null,
    methods: input.methods ?? defaults.methods,
    shadows,
    conditions: toConditions(input.conditions ?? {}, [...at, 'conditions'], translation),
    path: input.path ?? null,
    pathConcatMode: input.path_concat_mode ?? defaults.pathConcatMode,
    timeouts: toTimeouts(input.timeout, defaults.timeout),
    limit: input.limit === undefined ? null : toLimit(input.limit, [...at, 'limit'], translation),
    maxBodyBytes: readSize(input.max_body, defaults.maxBody),
    maxAnswerBytes: readSize(input.max_answer, defaults.maxAnswer),
    redact: toRedaction(input.redact ?? {}, [...at, 'redact'], translation),
    idempotencyKey: input.idempotency_key ?? defaults.idempotencyKey,
    maxInFlight: input.max_in_flight ?? defaults.maxInFlight,
    maxQueuedBytes: readSize(input.max_queued, defaults.maxQueued),
    breaker: {
      failures: input.breaker?.failures ?? DEFAULTS.breaker.failures,
      openForMs: readDuration(input.breaker?.open_for, DEFAULTS.breaker.openFor),
    },
    compare,
  };
}

function toRedaction(
  input: NonNullable<Loose<MirrorInput>['redact']>,
  at: Path,
  translation: Translation,
): Redaction {
  const headers = new Set<string>();
  for (const [index, name] of listGiven(input.headers)) {
    const lowerCase = name.toLowerCase();
    const reason = findEditProblem(name) ?? NEVER_REDACTED.get(lowerCase);
    headers.add(lowerCase);
    if (reason === undefined) continue;
    const message = `cannot be redacted: it ${reason}`;
    translation.report.add({ path: [...at, 'headers', index], rule: 'conflict', message, found: name });
  }
  const query = new Set(listGiven(input.query).map(([, name]) => name));
  const json = toJsonPaths(input.json, [...at, 'json'], translation);
  return { headers: [...headers], query: [...query], json };
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
  return {
    methods: listGiven(input.methods).map(([, method]) => method),
    headers,
    pathRegex: regex ?? null,
    vars,
  };
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
