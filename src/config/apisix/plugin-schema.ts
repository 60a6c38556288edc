// The plugins of a route or service, as schema parts: `proxy-mirror` in all its generations at once, and umbra's own
// `umbra-compare`, which has the keys of `compare`.
//
// Owns its keys and bounds, and which other plugins may stand beside it: those that only watch. Like APISIX it takes keys that
// it does not know. A plugin that would change an answer, or who gets one, is refused rather than ignored.

import { type Static, Type } from 'typebox';
import { ENTRIES_MAX, LIST_MAX } from '../defaults.ts';
import { requireWhen, secretField } from '../field.ts';
import { CompareSchema } from '../umbra/compare-schema.ts';

/** The plugins that umbra serves. */
export const PROXY_MIRROR = 'proxy-mirror';
export const UMBRA_COMPARE = 'umbra-compare';

const INTEGER_MAX = 2 ** 53 - 1;

/** What every plugin takes. */
const MetaSchema = Type.Object(
  {
    disable: Type.Optional(Type.Boolean({ description: 'Whether the plugin is switched off.' })),
    priority: Type.Optional(
      Type.Integer({ description: 'Without effect here: plugins do not wait for each other.' }),
    ),
    filter: Type.Optional(
      Type.Array(Type.Unknown(), {
        maxItems: ENTRIES_MAX,
        description: 'An expression as in `vars`: copies are made where it holds.',
      }),
    ),
    error_response: Type.Optional(
      Type.Unsafe<string | object>({
        oneOf: [{ type: 'string' }, { type: 'object' }],
        description: 'Without effect here: the plugin never answers.',
      }),
    ),
    pre_function: Type.Optional(Type.String({ description: 'Without effect here: it is Lua.' })),
  },
  { additionalProperties: false, description: "APISIX's keys of every plugin." },
);

const count = (minimum: number, description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum: INTEGER_MAX, description }));

export const ProxyMirrorSchema = Type.Object(
  {
    host: Type.String({
      pattern: '^(http(s)?|grpc(s)?):\\/\\/([\\da-zA-Z.-]+|\\[[\\da-fA-F:]+\\])(:\\d+)?$',
      errorMessage:
        'must be scheme://host or scheme://host:port, without a path, such as http://127.0.0.1:9797',
      description: 'The shadow.',
    }),
    path: Type.Optional(
      Type.String({
        pattern: '^/[^?&]+$',
        errorMessage: 'must start with /, have a character more, and neither ? nor &',
        description: 'Replaces the path of the copy, or goes before it.',
      }),
    ),
    path_concat_mode: Type.Optional(
      Type.Enum(['replace', 'prefix'], { description: 'What is done with `path`.', default: 'replace' }),
    ),
    sample_ratio: Type.Optional(
      Type.Number({ minimum: 0.00001, maximum: 1, description: 'Share of the requests.', default: 1 }),
    ),
    enable_limit_count: Type.Optional(
      Type.Boolean({ description: 'Whether the keys below count.', default: false }),
    ),
    count: count(1, 'Copies per window, 1 if not given.'),
    time_window: count(1, 'Seconds, 60 if not given.'),
    policy: Type.Optional(
      Type.Enum(['local', 'redis', 'redis-cluster'], { description: 'Where is counted.', default: 'local' }),
    ),
    redis_host: Type.Optional(
      Type.String({ minLength: 2, maxLength: 256, description: 'For policy redis.' }),
    ),
    redis_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, description: 'Its port.' })),
    redis_password: Type.Optional(secretField(0, 1024, { description: 'Never printed.' })),
    redis_database: count(0, 'Number of the database, for policy redis.'),
    redis_timeout: count(1, 'Milliseconds for a command, 1000 if not given.'),
    redis_cluster_nodes: Type.Optional(
      Type.Array(Type.String({ minLength: 2, maxLength: 256 }), {
        minItems: 2,
        maxItems: LIST_MAX,
        description: 'host:port of nodes, for policy redis-cluster.',
      }),
    ),
    redis_cluster_name: Type.Optional(Type.String({ description: 'For policy redis-cluster.' })),
    disable: Type.Optional(Type.Boolean({ description: 'As `_meta.disable`, in APISIX 2.' })),
    _meta: Type.Optional(MetaSchema),
  },
  {
    description: 'Mirrors requests to one shadow.',
    allOf: [
      requireWhen('policy', 'redis', ['redis_host']),
      requireWhen('policy', 'redis-cluster', ['redis_cluster_nodes', 'redis_cluster_name']),
    ],
  },
);

export const UmbraCompareSchema = Type.Object(
  {
    ...CompareSchema.properties,
    disable: Type.Optional(Type.Boolean({ description: 'As `_meta.disable`, in APISIX 2.' })),
    _meta: Type.Optional(MetaSchema),
  },
  {
    additionalProperties: false,
    description: 'Compares the answers of what proxy-mirror mirrors to with those of the upstream.',
  },
);

/** Plugins that only watch: without them the same requests are answered in the same way. */
export const WATCHERS =
  /^(?:[a-z-]+-logger|[a-z-]+-logging|prometheus|zipkin|skywalking|opentelemetry|datadog|node-status|server-info|inspect|log-rotate|syslog|loggly|lago|tencent-cloud-cls)$/;

export const PluginsSchema = Type.Object(
  {
    [PROXY_MIRROR]: Type.Optional(ProxyMirrorSchema),
    [UMBRA_COMPARE]: Type.Optional(UmbraCompareSchema),
  },
  {
    patternProperties: { [WATCHERS.source]: { type: 'object' } },
    additionalProperties: false,
    'x-unknown-key': 'is not a plugin that umbra has: proxy-mirror and umbra-compare are',
    description: 'Plugins by name.',
  },
);

export type ProxyMirrorInput = Static<typeof ProxyMirrorSchema>;
export type UmbraCompareInput = Static<typeof UmbraCompareSchema>;
export type PluginsInput = Static<typeof PluginsSchema>;
