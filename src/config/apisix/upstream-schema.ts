// An upstream in APISIX's form, as a schema.
//
// Owns its keys and bounds. What of them umbra serves is the translation's to say.

import { type Static, Type } from 'typebox';
import { ENTRIES_MAX } from '../defaults.ts';
import {
  descriptionField,
  hostField,
  idField,
  labelsField,
  nameField,
  timeoutField,
  timestampField,
} from './word.ts';

const PORT_MAX = 65_535;

const NodeSchema = Type.Object(
  {
    host: hostField({ description: 'A name or an address.' }),
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: PORT_MAX, description: "Absent: the scheme's." }),
    ),
    weight: Type.Integer({ minimum: 0, description: 'Its share; 0 gets none.' }),
    priority: Type.Optional(
      Type.Integer({ description: 'Lower ones are used when no higher one is left.', default: 0 }),
    ),
    metadata: Type.Optional(Type.Object({}, { description: 'For people.' })),
  },
  { description: 'A node.' },
);

export type NodeInput = Static<typeof NodeSchema>;
/** Weights by `host:port`, or a list. */
export type NodesInput = Readonly<Record<string, number>> | readonly NodeInput[];

const NodesSchema = Type.Unsafe<NodesInput>({
  anyOf: [
    {
      type: 'object',
      patternProperties: { '.*': { type: 'integer', minimum: 0 } },
      maxProperties: ENTRIES_MAX,
    },
    { type: 'array', items: NodeSchema, maxItems: ENTRIES_MAX },
  ],
  errorMessage: 'must be a mapping of host:port to weight, or a list of nodes with host and weight',
  description: 'Servers with their weights. None: requests are answered 503.',
});

const TlsSchema = Type.Object(
  {
    client_cert_id: Type.Optional(idField({ description: 'Not served.' })),
    client_cert: Type.Optional(Type.String({ minLength: 128, maxLength: 65_536, writeOnly: true })),
    client_key: Type.Optional(Type.String({ minLength: 128, maxLength: 65_536, writeOnly: true })),
    verify: Type.Optional(Type.Boolean({ description: 'Without effect: certificates are not verified.' })),
  },
  { description: 'Client certificate. Not served.' },
);

export const UpstreamSchema = Type.Object(
  {
    id: Type.Optional(idField({ description: 'By which routes and services refer to it.' })),
    create_time: Type.Optional(timestampField()),
    update_time: Type.Optional(timestampField()),
    nodes: Type.Optional(NodesSchema),
    type: Type.Optional(
      Type.String({ description: 'roundrobin, least_conn, ewma or chash.', default: 'roundrobin' }),
    ),
    retries: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Further attempts. Absent: as many as there are further nodes.',
      }),
    ),
    retry_timeout: Type.Optional(
      Type.Number({ minimum: 0, description: 'Seconds after which no further attempt begins; 0: no bound.' }),
    ),
    timeout: Type.Optional(timeoutField()),
    pass_host: Type.Optional(
      Type.Enum(['pass', 'node', 'rewrite'], { description: 'What Host says.', default: 'pass' }),
    ),
    upstream_host: Type.Optional(hostField({ description: 'Host under pass_host: rewrite.' })),
    scheme: Type.Optional(
      Type.Enum(['grpc', 'grpcs', 'http', 'https', 'tcp', 'tls', 'udp', 'kafka'], {
        description: 'http and https are served.',
        default: 'http',
      }),
    ),
    keepalive_pool: Type.Optional(
      Type.Object(
        {
          size: Type.Optional(Type.Integer({ minimum: 1, default: 320 })),
          idle_timeout: Type.Optional(Type.Number({ minimum: 0, default: 60 })),
          requests: Type.Optional(Type.Integer({ minimum: 1, default: 1000 })),
        },
        { description: 'Without effect: `limits` has the bounds.' },
      ),
    ),
    checks: Type.Optional(
      Type.Unsafe<Record<string, unknown>>({
        type: 'object',
        properties: { active: { type: 'object' }, passive: { type: 'object' } },
        additionalProperties: false,
        anyOf: [{ required: ['active'] }, { required: ['active', 'passive'] }],
        errorMessage: 'must be a mapping with active, and passive if wanted',
        description: 'Health checks. Without effect.',
      }),
    ),
    hash_on: Type.Optional(
      Type.Enum(['vars', 'header', 'cookie', 'consumer', 'vars_combinations'], {
        description: 'Of type chash.',
        default: 'vars',
      }),
    ),
    key: Type.Optional(Type.String({ description: 'Of type chash.' })),
    tls: Type.Optional(TlsSchema),
    labels: Type.Optional(labelsField()),
    name: Type.Optional(nameField()),
    desc: Type.Optional(descriptionField()),
    service_name: Type.Optional(
      Type.String({ minLength: 1, maxLength: 256, description: 'Of a discovery. Not served.' }),
    ),
    discovery_type: Type.Optional(Type.String({ description: 'Not served.' })),
    discovery_args: Type.Optional(Type.Object({}, { description: 'Not served.' })),
  },
  {
    additionalProperties: false,
    description: 'Servers, and how they are spoken to.',
    oneOf: [{ required: ['nodes'] }, { required: ['service_name', 'discovery_type'] }],
    errorMessage: 'must be a mapping with nodes, or with service_name and discovery_type',
  },
);

export type UpstreamInput = Static<typeof UpstreamSchema>;
