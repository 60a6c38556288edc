// ADC's file as a schema.
//
// Owns the outer shape of the file, which is as strict as ADC's own. What stands in a route, an upstream or a plugin is
// checked by the one translation that all of APISIX's forms share.

import { type Static, Type } from 'typebox';
import { ENTRIES_MAX } from '../defaults.ts';
import type { Loose } from '../shape.ts';
import type { Tree } from '../source.ts';

const closed = { additionalProperties: false } as const;
const anything = Type.Unsafe<unknown>({});
const mapping = Type.Unsafe<Tree>({ type: 'object', errorMessage: 'must be a mapping' });
const list = Type.Unsafe<readonly unknown[]>({
  type: 'array',
  maxItems: ENTRIES_MAX,
  errorMessage: `must be a list of at most ${ENTRIES_MAX} entries`,
});
/** What a file consists of: its size bounds them more tightly. */
const parts = { maxItems: 100_000, errorMessage: 'must be a list of at most 100000 entries' } as const;
const text = Type.String({
  minLength: 1,
  maxLength: 65_536,
  errorMessage: 'must be text (put it in quotes)',
});

const title = {
  id: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9._-]{1,256}$',
      errorMessage: 'must be 1 to 256 letters, digits, ".", "_" or "-" (quote a number)',
    }),
  ),
  name: text,
  description: Type.Optional(text),
  labels: Type.Optional(mapping),
};

const RouteSchema = Type.Object(
  {
    ...title,
    hosts: Type.Optional(list),
    uris: Type.Unsafe<readonly unknown[]>({
      type: 'array',
      minItems: 1,
      maxItems: ENTRIES_MAX,
      errorMessage: `must be a list of 1 to ${ENTRIES_MAX} paths`,
    }),
    priority: Type.Optional(anything),
    timeout: Type.Optional(mapping),
    vars: Type.Optional(list),
    methods: Type.Optional(list),
    enable_websocket: Type.Optional(anything),
    remote_addrs: Type.Optional(list),
    plugins: Type.Optional(mapping),
    filter_func: Type.Optional(anything),
  },
  closed,
);

const ServiceSchema = Type.Object(
  {
    ...title,
    upstream: Type.Optional(mapping),
    upstreams: Type.Optional(Type.Array(mapping, parts)),
    plugins: Type.Optional(mapping),
    path_prefix: Type.Optional(Type.String({ pattern: '^/', errorMessage: 'must start with /' })),
    strip_path_prefix: Type.Optional(Type.Boolean()),
    hosts: Type.Optional(list),
    routes: Type.Optional(Type.Array(RouteSchema, parts)),
    stream_routes: Type.Optional(Type.Array(anything, parts)),
  },
  closed,
);

export const AdcSchema = Type.Object(
  {
    services: Type.Optional(Type.Array(ServiceSchema, parts)),
    ssls: Type.Optional(Type.Array(anything, parts)),
    consumers: Type.Optional(Type.Array(anything, parts)),
    consumer_groups: Type.Optional(Type.Array(anything, parts)),
    global_rules: Type.Optional(mapping),
    plugin_metadata: Type.Optional(mapping),
  },
  closed,
);

export type AdcInput = Loose<Static<typeof AdcSchema>>;
export type Service = NonNullable<Loose<Static<typeof ServiceSchema>>>;
export type Route = NonNullable<Loose<Static<typeof RouteSchema>>>;
