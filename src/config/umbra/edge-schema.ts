// The keys of the edge, as schema parts: where clients connect, and how much they may send.
//
// Owns names, types, bounds and descriptions. Whether addresses and certificates are any good is the translation's to check.

import { type Static, Type } from 'typebox';
import {
  DEFAULTS,
  DURATION_MS_MAX,
  HEADER_COUNT_MAX,
  KEY_LENGTH_MAX,
  LISTENERS_MAX,
  PATH_LENGTH_MAX,
} from '../defaults.ts';
import { durationField, integerField, sizeField, textField } from '../field.ts';
import { GIB, KIB, MIB } from '../quantity.ts';

const closed = { additionalProperties: false } as const;

const HttpsSchema = Type.Object(
  {
    address: textField(KEY_LENGTH_MAX, { description: 'host:port, [::]:port or :port.' }),
    certificate: textField(PATH_LENGTH_MAX, {
      description: "PEM file of the certificate chain, relative to the config file's folder.",
    }),
    key: textField(PATH_LENGTH_MAX, { description: 'PEM file of its private key, without a passphrase.' }),
  },
  { ...closed, description: 'A TLS listener.' },
);

const HttpAddressSchema = textField(KEY_LENGTH_MAX, { description: 'host:port, [::]:port or :port.' });

export const ListenSchema = Type.Object(
  {
    http: Type.Optional(
      Type.Union(
        [HttpAddressSchema, Type.Array(HttpAddressSchema, { minItems: 1, maxItems: LISTENERS_MAX })],
        {
          description: 'Address or list of addresses for plain HTTP.',
          errorMessage: `must be an address such as 0.0.0.0:9080, or a list of 1 to ${LISTENERS_MAX} of them`,
        },
      ),
    ),
    https: Type.Optional(
      Type.Union([HttpsSchema, Type.Array(HttpsSchema, { minItems: 1, maxItems: LISTENERS_MAX })], {
        description: 'TLS listener or list of them.',
        errorMessage: `must be a mapping of address, certificate and key, or a list of 1 to ${LISTENERS_MAX} of them`,
      }),
    ),
  },
  {
    ...closed,
    minProperties: 1,
    errorMessage: 'must have http, https or both',
    description: `Where clients connect. Absent: http on ${DEFAULTS.httpAddress}.`,
  },
);

const { limits } = DEFAULTS;

export const LimitsSchema = Type.Object(
  {
    header_bytes: Type.Optional(
      sizeField(KIB, MIB, {
        description: 'Request line and headers; over it 431.',
        default: limits.headerBytes,
      }),
    ),
    header_count: Type.Optional(
      integerField(1, HEADER_COUNT_MAX, {
        description: 'Header lines; over it 431.',
        default: limits.headerCount,
      }),
    ),
    target_length: Type.Optional(
      sizeField(1, MIB, { description: 'Request target; over it 414.', default: limits.targetLength }),
    ),
    body: Type.Optional(
      sizeField(1, 1024 * GIB, { description: 'Request body; over it 413. Absent: no limit.' }),
    ),
    in_flight: Type.Optional(
      integerField(1, 1_000_000, {
        description: 'Exchanges under way in one front-end thread; over it 503.',
        default: limits.inFlight,
      }),
    ),
    connections_per_address: Type.Optional(
      integerField(1, 1_000_000, {
        description:
          'Connections from one client address to one front-end thread; over it the new one is closed.',
        default: limits.connectionsPerAddress,
      }),
    ),
    upstream_connections: Type.Optional(
      integerField(1, 65_535, {
        description: 'Connections to one primary origin from one front-end thread.',
        default: limits.upstreamConnections,
      }),
    ),
    upstream_queue: Type.Optional(
      integerField(0, 1_000_000, {
        description: 'Requests that may wait for one of those; over it 503.',
        default: limits.upstreamQueue,
      }),
    ),
    upstream_queue_timeout: Type.Optional(
      durationField(DURATION_MS_MAX, {
        description: 'How long they may wait; after it 503.',
        default: limits.upstreamQueueTimeout,
      }),
    ),
    overload_delay: Type.Optional(
      durationField(DURATION_MS_MAX, {
        description: 'A front-end loop that is late by this much sends no copies (drop: overload).',
        default: limits.overloadDelay,
      }),
    ),
  },
  { ...closed, description: 'Bounds of the edge.' },
);

export type HttpsInput = Static<typeof HttpsSchema>;
export type LimitsInput = Static<typeof LimitsSchema>;
