// The keys of a mirror's limit, as a schema part.
//
// Owns names, types, bounds and what each policy needs: those of APISIX's `enable_limit_count`, in every dialect. Which
// policies are served is the translation's to say.

import { type Static, Type } from 'typebox';
import { LIMIT_COUNT_MAX } from '../../core/window.ts';
import { DEFAULTS, DURATION_MS_MAX, KEY_LENGTH_MAX, LIST_MAX, TIME_WINDOW_SECONDS_MAX } from '../defaults.ts';
import { integerField, requireWhen, secretField, textField } from '../field.ts';

export const LimitSchema = Type.Object(
  {
    count: Type.Optional(
      integerField(1, LIMIT_COUNT_MAX, { description: 'Copies per window.', default: DEFAULTS.limit.count }),
    ),
    time_window: Type.Optional(
      integerField(1, TIME_WINDOW_SECONDS_MAX, {
        description: 'Seconds; the window is fixed and starts with its first copy.',
        default: DEFAULTS.limit.timeWindow,
      }),
    ),
    policy: Type.Optional(
      Type.Enum(['local', 'redis', 'redis-cluster'], {
        description:
          'Where copies are counted: in this process, or on a Redis server or cluster for all processes together.',
        default: DEFAULTS.limit.policy,
      }),
    ),
    redis_host: Type.Optional(
      Type.String({
        minLength: 2,
        maxLength: KEY_LENGTH_MAX,
        description: 'Host of the Redis server, for policy redis.',
      }),
    ),
    redis_port: Type.Optional(
      integerField(1, 65_535, {
        description: 'Port of the Redis server.',
        default: DEFAULTS.limit.redisPort,
      }),
    ),
    redis_password: Type.Optional(
      secretField(0, 1024, { description: 'Password for Redis; never printed.' }),
    ),
    redis_database: Type.Optional(
      integerField(0, 2 ** 31 - 1, {
        description: 'Number of the Redis database, for policy redis.',
        default: DEFAULTS.limit.redisDatabase,
      }),
    ),
    redis_timeout: Type.Optional(
      integerField(1, DURATION_MS_MAX, {
        description: 'Milliseconds that Redis may take for a command.',
        default: DEFAULTS.limit.redisTimeout,
      }),
    ),
    redis_cluster_nodes: Type.Optional(
      Type.Array(Type.String({ minLength: 2, maxLength: KEY_LENGTH_MAX }), {
        minItems: 2,
        maxItems: LIST_MAX,
        uniqueItems: true,
        description: 'Addresses host:port of nodes of the cluster, for policy redis-cluster.',
      }),
    ),
    redis_cluster_name: Type.Optional(
      textField(KEY_LENGTH_MAX, { description: 'Name of the cluster, for policy redis-cluster.' }),
    ),
  },
  {
    additionalProperties: false,
    description: 'At most so many copies per window; over it the copy is skipped (limit).',
    allOf: [
      requireWhen('policy', 'redis', ['redis_host']),
      requireWhen('policy', 'redis-cluster', ['redis_cluster_nodes', 'redis_cluster_name']),
    ],
  },
);

export type LimitInput = Static<typeof LimitSchema>;
