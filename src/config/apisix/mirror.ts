// The plugin proxy-mirror, in all its generations at once → mirror of the model.
//
// Owns what its keys mean. What it has no words for has umbra's defaults. Reads what the shape left over; like all of the
// translation it reports and goes on.

import { findExpressionProblem } from '../../core/expression.ts';
import {
  HOST_PASS,
  LIMIT_LOCAL,
  LIMIT_REDIS_CLUSTER,
  type Limit,
  type Mirror,
  ROLE_SHADOW,
  SHADOWS_MAX,
  type Shadow,
  type Timeouts,
} from '../../core/model.ts';
import { LIMIT_COUNT_MAX } from '../../core/window.ts';
import { toOrigin } from '../address.ts';
import { DEFAULTS, DURATION_MS_MAX, INTEGER_MAX, TIME_WINDOW_SECONDS_MAX } from '../defaults.ts';
import { findNearest } from '../problem.ts';
import { readDuration, readSize } from '../quantity.ts';
import { toRedisSettings } from '../redis.ts';
import type { Loose } from '../shape.ts';
import { type ProxyMirrorInput, ProxyMirrorSchema } from './plugin-schema.ts';
import type { Remarks, Subject } from './remark.ts';

type Input = Loose<ProxyMirrorInput>;

/** Keys of every plugin that say nothing here. */
export const IDLE_META = ['priority', 'error_response', 'pre_function'] as const;

/** Null when there is nothing that a copy could be sent to. */
export function toMirror(
  input: Input,
  moreShadows: readonly string[],
  timeouts: Timeouts,
  about: Subject,
  remarks: Remarks,
): Mirror | null {
  noticeIdleKeys(input, about, remarks);
  const shadows = toShadows([input.host, ...moreShadows], about, remarks);
  const vars = toFilter(input, about, remarks);
  const limit = input.enable_limit_count === true ? toLimit(input, about, remarks) : null;
  if (shadows.length === 0) return null;
  const { mirror: defaults, breaker } = DEFAULTS;
  return {
    enabled: !(input._meta?.disable ?? input.disable ?? false),
    percentage: toPercentage(input.sample_ratio ?? 1),
    sampleByHeader: null,
    methods: defaults.methods,
    shadows,
    conditions: { methods: [], headers: [], pathRegex: null, vars },
    path: input.path === undefined ? null : toRawPath(input.path),
    pathConcatMode: input.path_concat_mode ?? defaults.pathConcatMode,
    timeouts,
    limit,
    maxBodyBytes: readSize(undefined, defaults.maxBody),
    maxAnswerBytes: readSize(undefined, defaults.maxAnswer),
    redact: { headers: [], query: [], json: [] },
    idempotencyKey: defaults.idempotencyKey,
    maxInFlight: defaults.maxInFlight,
    maxQueuedBytes: readSize(undefined, defaults.maxQueued),
    breaker: { failures: breaker.failures, openForMs: readDuration(undefined, breaker.openFor) },
    compare: null,
  };
}

/** Without what multiplication adds to decimals: 0.07 is 7, not 7.000000000000001. */
function toPercentage(ratio: number): number {
  return Number((ratio * 100).toPrecision(12));
}

/** What a request line cannot hold is escaped: APISIX takes it, and sends a request that servers refuse. */
function toRawPath(path: string): string {
  return path.replaceAll(/[^\x21\x22\x24-\x7e]/gu, (character) =>
    [...new TextEncoder().encode(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

function toShadows(
  hosts: readonly (string | undefined)[],
  about: Subject,
  remarks: Remarks,
): readonly Shadow[] {
  const shadows = new Map<string, Shadow>();
  for (const host of hosts) {
    if (host === undefined) continue;
    if (host.startsWith('grpc')) {
      const message = 'is not served yet: http:// and https:// are';
      remarks.addProblem(about, ['host'], 'not_served', message, host);
      continue;
    }
    const { value, wrong } = toOrigin(host);
    if (wrong !== null) {
      // APISIX takes such a host as well, and no copy ever arrives.
      remarks.addNotice(about, ['host'], `is no server, so nothing is mirrored to it: it ${wrong}`, host);
      continue;
    }
    const { origin, authority, isHttps } = value;
    const tls = isHttps ? { verify: false, ca: null } : null;
    const headers = { set: [], remove: [] };
    const { client } = DEFAULTS;
    shadows.set(origin, {
      origin,
      authority,
      tls,
      client,
      headers,
      hostHeader: HOST_PASS,
      role: ROLE_SHADOW,
    });
  }
  if (shadows.size > SHADOWS_MAX) {
    remarks.addProblem(about, [], 'range', `must have at most ${SHADOWS_MAX} shadows`, shadows.size);
  }
  return [...shadows.values()];
}

function toFilter(input: Input, about: Subject, remarks: Remarks): readonly unknown[] | null {
  const filter = input._meta?.filter;
  if (!Array.isArray(filter) || filter.length === 0) return null;
  const problem = findExpressionProblem(filter);
  if (problem !== null) {
    remarks.addProblem(about, ['_meta', 'filter', ...problem.path], 'format', problem.message);
  }
  return filter;
}

function toLimit(input: Input, about: Subject, remarks: Remarks): Limit {
  const { limit } = DEFAULTS;
  const policy = input.policy ?? limit.policy;
  const bounded = (
    key: 'count' | 'time_window' | 'redis_timeout' | 'redis_database',
    fallback: number,
    maximum: number,
  ): number => {
    return remarks.bound(about, [key], input[key] ?? fallback, 0, maximum);
  };
  const redis = {
    ...input,
    redis_timeout: bounded('redis_timeout', limit.redisTimeout, DURATION_MS_MAX),
    redis_database: bounded('redis_database', limit.redisDatabase, INTEGER_MAX),
  };
  return {
    count: bounded('count', limit.count, LIMIT_COUNT_MAX),
    windowMs: bounded('time_window', limit.timeWindow, TIME_WINDOW_SECONDS_MAX) * 1000,
    policy,
    redis:
      policy === LIMIT_LOCAL
        ? null
        : toRedisSettings(redis, policy === LIMIT_REDIS_CLUSTER, (path, message, found) =>
            remarks.addProblem(about, path, 'format', message, found),
          ),
  };
}

function noticeIdleKeys(input: Input, about: Subject, remarks: Remarks): void {
  const known = Object.keys(ProxyMirrorSchema.properties);
  for (const key of Object.keys(input)) {
    if (known.includes(key)) continue;
    const nearest = findNearest(key, known);
    const hint = nearest === null ? '' : `; did you mean "${nearest}"?`;
    remarks.addNotice(about, [key], `has no effect: proxy-mirror has no such key${hint}`);
  }
  for (const key of IDLE_META) {
    if (input._meta?.[key] === undefined) continue;
    remarks.addNotice(about, ['_meta', key], 'has no effect: the plugin never answers');
  }
}
