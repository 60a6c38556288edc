// The keys of a backend that gets copies, as a schema part: a shadow, or the control of a comparison.
//
// Owns their names, types, bounds and descriptions.

import { type Static, Type } from 'typebox';
import { DEFAULTS, KEY_LENGTH_MAX, LIST_MAX, PATH_LENGTH_MAX } from '../defaults.ts';
import { headerNamesField, headerValuesField, textField } from '../field.ts';
import { BackendTlsSchema, ClientSchema } from './upstream-schema.ts';

const closed = { additionalProperties: false } as const;

export function shadowSchema(urlDescription: string, description: string) {
  return Type.Object(
    {
      url: textField(PATH_LENGTH_MAX, { description: urlDescription }),
      headers: Type.Optional(
        Type.Object(
          {
            set: Type.Optional(
              headerValuesField(LIST_MAX, {
                description: 'Headers that this copy gets; each replaces all of its name.',
              }),
            ),
            remove: Type.Optional(
              headerNamesField(LIST_MAX, { description: 'Names of headers that this copy does not get.' }),
            ),
          },
          { ...closed, description: 'Edits of the headers of this copy.' },
        ),
      ),
      host_header: Type.Optional(
        textField(KEY_LENGTH_MAX, {
          description:
            "`pass`: as the primary got it; `node`: this backend's own authority; else that literal name.",
          default: DEFAULTS.hostHeader,
        }),
      ),
      tls: Type.Optional(BackendTlsSchema),
      client: Type.Optional(ClientSchema),
    },
    { ...closed, description },
  );
}

export type ShadowInput = Static<ReturnType<typeof shadowSchema>>;
