// umbra's own dialect as one schema: it types the translation, validates files, and is exported for editors.
//
// Owns the keys of the whole file but those of a mirror, of the edge, of the admin listener and of the store. Unknown keys are errors at every level.

import { type Static, Type } from 'typebox';
import {
  ADDRESSES_MAX,
  BACKENDS_MAX,
  DEFAULTS,
  DURATION_MS_MAX,
  HOSTS_MAX,
  KEY_LENGTH_MAX,
  LIST_MAX,
  PATH_LENGTH_MAX,
  THREADS_FRONTEND_MAX,
  THREADS_MIRROR_MAX,
  URIS_MAX,
  WEIGHT_MAX,
} from '../defaults.ts';
import {
  durationField,
  expressionField,
  integerField,
  methodsField,
  requireUnless,
  textField,
  threadsField,
} from '../field.ts';
import { AdminSchema, StoreSchema } from './control-schema.ts';
import { LimitsSchema, ListenSchema } from './edge-schema.ts';
import { MirrorSchema } from './mirror-schema.ts';
import { BackendTlsSchema, ClientSchema, timeoutSchema } from './upstream-schema.ts';

const closed = { additionalProperties: false } as const;

const BackendSchema = Type.Object(
  {
    url: textField(PATH_LENGTH_MAX, {
      description: 'Origin of the primary, such as http://production:9000.',
    }),
    weight: Type.Optional(
      integerField(0, WEIGHT_MAX, {
        description: 'Its share of the requests, beside the other weights; 0 gets none.',
        default: DEFAULTS.weight,
      }),
    ),
    priority: Type.Optional(
      integerField(-(2 ** 31), 2 ** 31 - 1, {
        description:
          'Backends of a lower priority are used only by a request that has tried all of the higher ones.',
        default: DEFAULTS.priority,
      }),
    ),
    tls: Type.Optional(BackendTlsSchema),
    client: Type.Optional(ClientSchema),
  },
  { ...closed, description: 'A primary backend.' },
);

const RouteSchema = Type.Object(
  {
    id: Type.String({
      pattern: '^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,64}$',
      errorMessage:
        'must be 1 to 64 letters, digits, ".", "_" or "-" (quote a number), and must not be . or ..: they cannot stand in the path of a URL',
      description: 'Names the route in metrics, logs and the Admin API; no other route has it.',
    }),
    path: Type.Optional(
      textField(PATH_LENGTH_MAX, { description: 'The raw path of a request, as received; or `uris`.' }),
    ),
    path_prefix: Type.Optional(
      Type.Boolean({
        description: 'Whether `path` is a prefix, on segment borders, instead of the whole path.',
        default: DEFAULTS.pathPrefix,
      }),
    ),
    uris: Type.Optional(
      Type.Array(
        textField(PATH_LENGTH_MAX, {
          description:
            "A raw path in APISIX's form: whole, with a * at its end, or with * for segments within.",
        }),
        {
          minItems: 1,
          maxItems: URIS_MAX,
          uniqueItems: true,
          description:
            'Paths, instead of `path`; a request matches any of them. /foo* is a prefix of the text.',
        },
      ),
    ),
    hosts: Type.Optional(
      Type.Array(
        textField(KEY_LENGTH_MAX, { description: 'A name, an address, or *.suffix for any depth below.' }),
        {
          minItems: 1,
          maxItems: HOSTS_MAX,
          description: 'Host names without port. Absent: every host.',
        },
      ),
    ),
    methods: Type.Optional(methodsField(LIST_MAX, { description: 'Absent: every method.' })),
    remote_addrs: Type.Optional(
      Type.Array(textField(KEY_LENGTH_MAX, { description: 'An address, or address/bits.' }), {
        minItems: 1,
        maxItems: ADDRESSES_MAX,
        description: "The client's address is one of these. Absent: every client.",
      }),
    ),
    vars: Type.Optional(
      expressionField({ description: "Conditions in the form of APISIX's vars. Absent: every request." }),
    ),
    priority: Type.Optional(
      integerField(-(2 ** 31), 2 ** 31 - 1, {
        description: 'The larger one wins between routes with the same host and path.',
        default: DEFAULTS.priority,
      }),
    ),
    backends: Type.Array(BackendSchema, {
      minItems: 1,
      maxItems: BACKENDS_MAX,
      description: 'The primary: weighted round robin.',
    }),
    host_header: Type.Optional(
      textField(KEY_LENGTH_MAX, {
        description: "`pass`: the client's; `node`: the backend's own authority; else that literal name.",
        default: DEFAULTS.hostHeader,
      }),
    ),
    retries: Type.Optional(
      integerField(0, 10, {
        description:
          'Further attempts. What may have been processed is never sent again, unless it is idempotent.',
        default: DEFAULTS.retries,
      }),
    ),
    retry_timeout: Type.Optional(
      durationField(DURATION_MS_MAX, {
        description: 'No further attempt begins later than this after the first one. Absent: no such bound.',
      }),
    ),
    timeout: Type.Optional(timeoutSchema(DEFAULTS.routeTimeout)),
    mirror: Type.Optional(MirrorSchema),
  },
  {
    ...closed,
    description: 'Requests that go to the same primary and are mirrored alike.',
    allOf: [requireUnless('uris', ['path'])],
  },
);

const ThreadsSchema = Type.Object(
  {
    frontend: Type.Optional(
      threadsField(THREADS_FRONTEND_MAX, {
        description: 'Front-end threads; auto: half of the cores, at least 1.',
        default: DEFAULTS.threads,
      }),
    ),
    mirror: Type.Optional(
      threadsField(THREADS_MIRROR_MAX, {
        description: 'Mirror threads of each front end; auto: 1.',
        default: DEFAULTS.threads,
      }),
    ),
  },
  { ...closed, description: 'How many threads share the work.' },
);

export const UmbraSchema = Type.Object(
  {
    listen: Type.Optional(ListenSchema),
    admin: Type.Optional(AdminSchema),
    threads: Type.Optional(ThreadsSchema),
    store: Type.Optional(StoreSchema),
    shutdown_timeout: Type.Optional(
      durationField(DURATION_MS_MAX, {
        description: 'How long a drain may take.',
        default: DEFAULTS.shutdownTimeout,
      }),
    ),
    limits: Type.Optional(LimitsSchema),
    routes: Type.Optional(
      Type.Array(RouteSchema, { description: 'Routes of this file. None: every request is answered 404.' }),
    ),
  },
  {
    ...closed,
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'umbra',
    description: 'Configuration of umbra in its own dialect.',
  },
);

export type UmbraInput = Static<typeof UmbraSchema>;
export type RouteInput = Static<typeof RouteSchema>;
export type BackendInput = Static<typeof BackendSchema>;

/** The text of config/umbra.schema.json. */
export function toSchemaText(): string {
  return `${JSON.stringify(UmbraSchema, null, 2)}\n`;
}
