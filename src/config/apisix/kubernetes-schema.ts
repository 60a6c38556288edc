// The Kubernetes objects that umbra reads, as schemas; those of the Gateway API are in gateway-api-schema.ts.
//
// Owns the names and types of their fields, as far as they mean something here; what stands in a route, an upstream or a
// plugin itself is checked by the one translation that all of APISIX's forms share. Like the API server's own check,
// unknown fields are problems; metadata, status and Services are read loosely, as clusters add to them.

import { type Static, type TSchema, Type } from 'typebox';
import type { Tree } from '../source.ts';

export const closed = { additionalProperties: false } as const;

function textField(errorMessage = 'must be text') {
  return Type.String({ minLength: 1, maxLength: 8192, errorMessage });
}

export function listField<T extends TSchema>(item: T, maxItems = 1024) {
  return Type.Array(item, { maxItems, errorMessage: `must be a list of at most ${maxItems} entries` });
}

export function choiceField<const T extends readonly string[]>(choices: T) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: choices });
}

export const anything = Type.Unsafe<unknown>({});
const mapping = Type.Unsafe<Tree>({ type: 'object', errorMessage: 'must be a mapping' });
export const text = textField();
export const texts = listField(text);
const flag = Type.Boolean();
export const port = Type.Integer({ minimum: 1, maximum: 65_535 });
export const weight = Type.Integer({ minimum: 0, maximum: 1_000_000 });
export const name = Type.String({
  maxLength: 253,
  pattern: '^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$',
  errorMessage: 'must be the name of an object: lower-case letters, digits, "-" and "."',
});
export const namespace = Type.String({
  maxLength: 63,
  pattern: '^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$',
  errorMessage: 'must be the name of a namespace: at most 63 lower-case letters, digits and "-"',
});
const portOrName = Type.Unsafe<string | number>({
  type: ['integer', 'string'],
  minimum: 1,
  maximum: 65_535,
  minLength: 1,
  errorMessage: 'must be a port from 1 to 65535 or the name of one',
});

const DURATION = /([0-9]+(?:\.[0-9]+)?)(h|ms|us|µs|ns|m|s)/g;
const SECONDS: Readonly<Record<string, number>> = {
  h: 3600,
  m: 60,
  s: 1,
  ms: 1e-3,
  us: 1e-6,
  µs: 1e-6,
  ns: 1e-9,
};
export const duration = Type.String({
  maxLength: 64,
  pattern: `^(?:0|(?:${DURATION.source})+)$`,
  errorMessage: 'must be a duration such as 500ms, 5s or 1m30s',
});

/** Seconds, of a text that has passed the schema; milliseconds are the finest that a deadline can be here. */
export function toSeconds(written: string): number {
  let seconds = 0;
  for (const [, amount, unit] of written.matchAll(DURATION)) seconds += Number(amount) * SECONDS[unit!]!;
  return Math.round(seconds * 1000) / 1000;
}

export function objectSchema<T extends TSchema>(spec: T) {
  return Type.Object(
    {
      apiVersion: text,
      kind: text,
      metadata: Type.Object({ name, namespace: Type.Optional(namespace) }),
      spec,
      status: Type.Optional(anything),
    },
    closed,
  );
}

const timeouts = Type.Object(
  { connect: Type.Optional(duration), send: Type.Optional(duration), read: Type.Optional(duration) },
  closed,
);

const plugin = Type.Object(
  {
    name: text,
    enable: Type.Optional(flag),
    config: Type.Optional(mapping),
    secretRef: Type.Optional(Type.String({ errorMessage: 'must be text' })),
  },
  closed,
);

const expression = Type.Object(
  {
    subject: Type.Object(
      {
        scope: choiceField(['Header', 'Query', 'Cookie', 'Path', 'Variable']),
        name: Type.Optional(Type.String({ errorMessage: 'must be text' })),
      },
      closed,
    ),
    op: choiceField([
      'Equal',
      'NotEqual',
      'GreaterThan',
      'GreaterThanEqual',
      'LessThan',
      'LessThanEqual',
      'In',
      'NotIn',
      'RegexMatch',
      'RegexNotMatch',
      'RegexMatchCaseInsensitive',
      'RegexNotMatchCaseInsensitive',
    ]),
    set: Type.Optional(listField(Type.String({ errorMessage: 'must be text (put it in quotes)' }))),
    value: Type.Optional(Type.String({ errorMessage: 'must be text (put it in quotes)' })),
  },
  closed,
);

const apisixRule = Type.Object(
  {
    name: text,
    priority: Type.Optional(Type.Unsafe<number>({ type: 'integer', errorMessage: 'must be a whole number' })),
    timeout: Type.Optional(timeouts),
    match: Type.Object(
      {
        paths: Type.Array(text, { minItems: 1, maxItems: 1024, errorMessage: 'must be a list of paths' }),
        methods: Type.Optional(texts),
        hosts: Type.Optional(texts),
        remoteAddrs: Type.Optional(texts),
        exprs: Type.Optional(listField(expression)),
        filter_func: Type.Optional(text),
      },
      closed,
    ),
    backends: Type.Optional(
      listField(
        Type.Object(
          {
            serviceName: name,
            servicePort: portOrName,
            resolveGranularity: Type.Optional(choiceField(['endpoint', 'endpoints', 'service'])),
            weight: Type.Optional(weight),
            subset: Type.Optional(text),
          },
          closed,
        ),
      ),
    ),
    upstreams: Type.Optional(listField(Type.Object({ name, weight: Type.Optional(weight) }, closed))),
    websocket: Type.Optional(flag),
    plugin_config_name: Type.Optional(name),
    plugin_config_namespace: Type.Optional(namespace),
    plugins: Type.Optional(listField(plugin)),
    authentication: Type.Optional(
      Type.Object({
        enable: Type.Optional(flag),
        type: Type.Optional(Type.String({ errorMessage: 'must be text' })),
      }),
    ),
  },
  closed,
);

export const ApisixRouteSchema = objectSchema(
  Type.Object(
    {
      ingressClassName: Type.Optional(text),
      http: Type.Optional(listField(apisixRule)),
      stream: Type.Optional(listField(anything)),
    },
    closed,
  ),
);

export const ApisixUpstreamSchema = objectSchema(
  Type.Object(
    {
      ingressClassName: Type.Optional(text),
      externalNodes: Type.Optional(
        listField(
          Type.Object(
            {
              name: text,
              type: Type.Optional(choiceField(['Domain', 'Service'])),
              weight: Type.Optional(weight),
              port: Type.Optional(port),
            },
            closed,
          ),
        ),
      ),
      loadbalancer: Type.Optional(
        Type.Object(
          { type: Type.Optional(text), hashOn: Type.Optional(text), key: Type.Optional(text) },
          closed,
        ),
      ),
      scheme: Type.Optional(text),
      retries: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
      timeout: Type.Optional(timeouts),
      passHost: Type.Optional(text),
      upstreamHost: Type.Optional(text),
      healthCheck: Type.Optional(anything),
      tlsSecret: Type.Optional(anything),
      subsets: Type.Optional(anything),
      portLevelSettings: Type.Optional(anything),
      discovery: Type.Optional(anything),
    },
    closed,
  ),
);

export const PluginConfigSchema = objectSchema(
  Type.Object({ ingressClassName: Type.Optional(text), plugins: listField(plugin) }, closed),
);

export const ServiceSchema = Type.Object({
  apiVersion: text,
  kind: text,
  metadata: Type.Object({ name, namespace: Type.Optional(namespace) }),
  spec: Type.Object({
    type: Type.Optional(choiceField(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'])),
    clusterIP: Type.Optional(Type.String({ errorMessage: 'must be text' })),
    externalName: Type.Optional(text),
    ports: Type.Optional(
      listField(
        Type.Object({
          name: Type.Optional(text),
          port,
          targetPort: Type.Optional(portOrName),
          appProtocol: Type.Optional(text),
        }),
      ),
    ),
  }),
});

export type ApisixRouteSpec = Static<typeof ApisixRouteSchema>['spec'];
export type ApisixUpstreamSpec = Static<typeof ApisixUpstreamSchema>['spec'];
export type PluginConfigSpec = Static<typeof PluginConfigSchema>['spec'];
export type ServiceSpec = Static<typeof ServiceSchema>['spec'];
