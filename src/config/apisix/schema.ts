// Routes and services in APISIX's form, as schemas; and which schema each kind of resource has.
//
// Owns their keys. One schema serves files, where a misfit is told in umbra's words with its line, and the Admin API, where
// it is told in APISIX's.

import { type Static, type TSchema, Type } from 'typebox';
import { ADDRESSES_MAX, ENTRIES_MAX, HOSTS_MAX, URIS_MAX } from '../defaults.ts';
import { PluginsSchema } from './plugin-schema.ts';
import type { ResourceKind } from './resource.ts';
import { UpstreamSchema } from './upstream-schema.ts';
import {
  addressField,
  descriptionField,
  hostField,
  idField,
  labelsField,
  nameField,
  requireOne,
  timeoutField,
  timestampField,
} from './word.ts';

const URI_LENGTH_MAX = 4096;
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'PURGE'];
const LUA = { minLength: 10, maxLength: 102_400, description: 'Lua. Not served.' } as const;

const hostsField = () =>
  Type.Array(hostField({ description: 'A name, an address, or *.suffix.' }), {
    minItems: 1,
    maxItems: HOSTS_MAX,
    uniqueItems: true,
    description: 'Hosts, any of which matches.',
  });

/** A route goes somewhere, or has a plugin that could answer it. */
const DESTINATIONS = ['uri', 'uris'].flatMap((uri) =>
  ['plugins', 'upstream', 'upstream_id', 'service_id'].map((key) => ({ required: [key, uri] })),
);

export const ApisixRouteSchema = Type.Object(
  {
    id: Type.Optional(idField({ description: 'Of the route; no other has it.' })),
    create_time: Type.Optional(timestampField()),
    update_time: Type.Optional(timestampField()),
    uri: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: URI_LENGTH_MAX,
        description: 'A path, or a prefix that ends in *.',
      }),
    ),
    uris: Type.Optional(
      Type.Array(Type.String(), {
        minItems: 1,
        maxItems: URIS_MAX,
        uniqueItems: true,
        description: 'Paths, any of which matches.',
      }),
    ),
    name: Type.Optional(nameField()),
    desc: Type.Optional(descriptionField()),
    priority: Type.Optional(
      Type.Integer({ description: 'The larger one wins between routes of the same uri.', default: 0 }),
    ),
    methods: Type.Optional(
      // With their type: only then the validator compares entries in linear time.
      Type.Array(Type.Unsafe<string>({ type: 'string', enum: METHODS }), {
        maxItems: METHODS.length,
        uniqueItems: true,
        description: 'None: every method.',
      }),
    ),
    host: Type.Optional(hostField({ description: 'A name, an address, or *.suffix.' })),
    hosts: Type.Optional(hostsField()),
    remote_addr: Type.Optional(addressField({ description: 'Of the client.' })),
    remote_addrs: Type.Optional(
      Type.Array(addressField({ description: 'An address or a block.' }), {
        minItems: 1,
        maxItems: ADDRESSES_MAX,
        uniqueItems: true,
        description: 'Of the client, any of which matches.',
      }),
    ),
    timeout: Type.Optional(timeoutField()),
    vars: Type.Optional(
      Type.Array(Type.Unknown(), { maxItems: ENTRIES_MAX, description: 'Conditions on the request.' }),
    ),
    filter_func: Type.Optional(
      Type.String({ minLength: 10, pattern: '^function', description: 'Lua. Not served.' }),
    ),
    script: Type.Optional(Type.String(LUA)),
    script_id: Type.Optional(idField({ description: 'Not served.' })),
    plugins: Type.Optional(PluginsSchema),
    plugin_config_id: Type.Optional(idField({ description: 'Not served.' })),
    upstream: Type.Optional(UpstreamSchema),
    labels: Type.Optional(labelsField()),
    service_id: Type.Optional(idField({ description: 'Service whose upstream, plugins and hosts apply.' })),
    upstream_id: Type.Optional(idField({ description: 'Upstream in place of one written here.' })),
    service_protocol: Type.Optional(Type.Enum(['grpc', 'http'], { description: 'Without effect.' })),
    enable_websocket: Type.Optional(Type.Boolean({ description: 'Without effect.' })),
    status: Type.Optional(
      Type.Unsafe<0 | 1>({ type: 'integer', enum: [1, 0], description: '0 switches it off.', default: 1 }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Requests that go to the same upstream and are mirrored alike.',
    allOf: [
      requireOne(['uri', 'uris'], true),
      requireOne(['host', 'hosts'], false),
      requireOne(['remote_addr', 'remote_addrs'], false),
    ],
    anyOf: [...DESTINATIONS, { required: ['script', 'uri'] }, { required: ['script', 'uris'] }],
    errorMessage: 'must be a mapping with upstream, upstream_id, service_id or plugins',
  },
);

export const ApisixServiceSchema = Type.Object(
  {
    id: Type.Optional(idField({ description: 'By which routes refer to it.' })),
    create_time: Type.Optional(timestampField()),
    update_time: Type.Optional(timestampField()),
    plugins: Type.Optional(PluginsSchema),
    upstream: Type.Optional(UpstreamSchema),
    upstream_id: Type.Optional(idField({ description: 'Upstream in place of one written here.' })),
    name: Type.Optional(nameField()),
    desc: Type.Optional(descriptionField()),
    labels: Type.Optional(labelsField()),
    script: Type.Optional(Type.String(LUA)),
    enable_websocket: Type.Optional(Type.Boolean({ description: 'Without effect.' })),
    hosts: Type.Optional(hostsField()),
  },
  { additionalProperties: false, description: 'What several routes have in common.' },
);

export const RESOURCE_SCHEMAS: Readonly<Record<ResourceKind, TSchema>> = {
  routes: ApisixRouteSchema,
  upstreams: UpstreamSchema,
  services: ApisixServiceSchema,
};

export type ApisixRouteInput = Static<typeof ApisixRouteSchema>;
export type ApisixServiceInput = Static<typeof ApisixServiceSchema>;
