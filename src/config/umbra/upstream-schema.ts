// The keys that primaries and shadows have in common, as schema parts.
//
// Owns their names, types, bounds and descriptions. Whether files exist and fit is the translation's to check.

import { type Static, Type } from 'typebox';
import { DEFAULTS, DURATION_MS_MAX, PATH_LENGTH_MAX } from '../defaults.ts';
import { durationField, textField } from '../field.ts';

const closed = { additionalProperties: false } as const;

export const BackendTlsSchema = Type.Object(
  {
    verify: Type.Optional(
      Type.Boolean({
        description: "Whether the backend's certificate chain and name are verified.",
        default: DEFAULTS.tlsVerify,
      }),
    ),
    ca: Type.Optional(
      textField(PATH_LENGTH_MAX, {
        description:
          "PEM file of further certificate authorities, relative to the config file's folder. Absent: the system's alone.",
      }),
    ),
  },
  { ...closed, description: 'How an https:// backend is trusted.' },
);

export const ClientSchema = Type.Enum(['auto', 'undici'], {
  description:
    "Which HTTP client is used. `auto`: umbra's own for http://, undici for https://. `undici`: undici for both.",
  default: DEFAULTS.client,
});

export function timeoutSchema(defaults: { connect: string; send: string; read: string }) {
  return Type.Object(
    {
      connect: Type.Optional(
        durationField(DURATION_MS_MAX, {
          description: 'Until a connection stands, TLS included.',
          default: defaults.connect,
        }),
      ),
      send: Type.Optional(
        durationField(DURATION_MS_MAX, {
          description: 'Between two writes of the request.',
          default: defaults.send,
        }),
      ),
      read: Type.Optional(
        durationField(DURATION_MS_MAX, {
          description: 'For the first byte of the answer, and between further ones.',
          default: defaults.read,
        }),
      ),
    },
    { ...closed, description: 'Deadlines.' },
  );
}

export type TimeoutInput = Static<ReturnType<typeof timeoutSchema>>;
export type BackendTlsInput = Static<typeof BackendTlsSchema>;
