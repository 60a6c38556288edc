// The keys of the admin listener and of the store, as schema parts.
//
// Owns names, types, bounds and descriptions. Whether addresses are any good is the translation's to check.

import { type Static, Type } from 'typebox';
import { ADDRESSES_MAX, DEFAULTS, DURATION_MS_MAX, KEY_LENGTH_MAX, PATH_LENGTH_MAX } from '../defaults.ts';
import { durationField, requireWhen, secretField, textField } from '../field.ts';

const closed = { additionalProperties: false } as const;

function keyField(description: string) {
  return Type.String({
    maxLength: KEY_LENGTH_MAX,
    pattern: '^[\\x21-\\x7e]*$',
    writeOnly: true,
    errorMessage: `must be text of at most ${KEY_LENGTH_MAX} visible ASCII characters (quote numbers)`,
    description,
  });
}

export const AdminSchema = Type.Object(
  {
    listen: Type.Optional(
      textField(KEY_LENGTH_MAX, {
        description: 'Address of the admin listener. Off loopback it needs a key.',
        default: DEFAULTS.adminAddress,
      }),
    ),
    key: Type.Optional(
      keyField('X-API-KEY of the Admin API; never printed. Empty or absent: one is generated at start.'),
    ),
    viewer_key: Type.Optional(keyField('A second key, good for reading alone; never printed.')),
    key_required: Type.Optional(
      Type.Boolean({
        description: 'Whether the Admin API and every write ask for a key at all.',
        default: DEFAULTS.adminKeyRequired,
      }),
    ),
    key_file: Type.Optional(
      textField(PATH_LENGTH_MAX, {
        description:
          "Where a generated key is kept, relative to the config file's folder. Default: admin.key beside the store's file.",
      }),
    ),
    allow: Type.Optional(
      Type.Array(textField(KEY_LENGTH_MAX, { description: 'An address, or address/bits.' }), {
        minItems: 1,
        maxItems: ADDRESSES_MAX,
        description: 'Addresses that may use the Admin API. Absent: every one.',
      }),
    ),
    admin_api_version: Type.Optional(
      Type.Enum(['v3', 'default'], {
        description: 'Shape of the bodies of the Admin API: that of APISIX 3, or (default) of APISIX 2.',
        default: DEFAULTS.adminApiVersion,
      }),
    ),
    on_proxy_port: Type.Optional(
      Type.Boolean({
        description: 'Whether the listeners for traffic serve the Admin API too. Needs a key.',
        default: DEFAULTS.adminOnProxyPort,
      }),
    ),
  },
  { ...closed, description: 'The admin listener.' },
);

export const StoreSchema = Type.Object(
  {
    type: Type.Enum(['file', 'redis'], {
      description: 'One local file, or a Redis server that gateways share.',
    }),
    path: Type.Optional(
      textField(PATH_LENGTH_MAX, {
        description: `Relative to the config file's folder. Of type file: where the routes are (default ${DEFAULTS.storePath}); of type redis: the last known ones, for a start without Redis (default ${DEFAULTS.storeCachePath}).`,
      }),
    ),
    url: Type.Optional(
      secretField(1, PATH_LENGTH_MAX, {
        description:
          'redis://[user[:password]@]host[:port][/database] or rediss://…, of type redis; never printed.',
      }),
    ),
    prefix: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9._:-]{1,64}$',
        errorMessage: 'must be 1 to 64 letters, digits, ".", "_", ":" or "-"',
        description:
          'Of type redis: begins the names of its keys; gateways with the same one share their routes.',
        default: DEFAULTS.storePrefix,
      }),
    ),
    timeout: Type.Optional(
      durationField(DURATION_MS_MAX, {
        description: 'Of type redis: what a command may take.',
        default: DEFAULTS.storeTimeout,
      }),
    ),
  },
  {
    ...closed,
    description: 'Where routes of the Admin API are kept.',
    allOf: [requireWhen('type', 'redis', ['url'])],
  },
);

export type AdminInput = Static<typeof AdminSchema>;
export type StoreInput = Static<typeof StoreSchema>;
