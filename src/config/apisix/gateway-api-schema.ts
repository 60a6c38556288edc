// The objects of the Gateway API that umbra reads, as schemas.
//
// Owns the names and types of their fields. What is known to the Gateway API and not served is accepted here and refused by
// the rewriting, which can say why.

import { type Static, Type } from 'typebox';
import {
  anything,
  choiceField,
  closed,
  duration,
  listField,
  name,
  namespace,
  objectSchema,
  port,
  text,
  texts,
  weight,
} from './kubernetes-schema.ts';

const objectReference = {
  group: Type.Optional(Type.String({ errorMessage: 'must be text' })),
  kind: Type.Optional(text),
  name,
};
const backendReference = {
  ...objectReference,
  namespace: Type.Optional(namespace),
  port: Type.Optional(port),
};

const valueMatch = Type.Object(
  {
    type: Type.Optional(choiceField(['Exact', 'RegularExpression'])),
    name: text,
    value: Type.String({ errorMessage: 'must be text (put it in quotes)' }),
  },
  closed,
);

const httpMatch = Type.Object(
  {
    path: Type.Optional(
      Type.Object(
        {
          type: Type.Optional(choiceField(['Exact', 'PathPrefix', 'RegularExpression'])),
          value: Type.Optional(text),
        },
        closed,
      ),
    ),
    headers: Type.Optional(listField(valueMatch, 16)),
    queryParams: Type.Optional(listField(valueMatch, 16)),
    method: Type.Optional(text),
  },
  closed,
);

const httpFilter = Type.Object(
  {
    type: choiceField([
      'ExtensionRef',
      'RequestMirror',
      'RequestHeaderModifier',
      'ResponseHeaderModifier',
      'RequestRedirect',
      'URLRewrite',
      'CORS',
      'ExternalAuth',
    ]),
    extensionRef: Type.Optional(Type.Object(objectReference, closed)),
    requestMirror: Type.Optional(
      Type.Object(
        {
          backendRef: Type.Object(backendReference, closed),
          percent: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
          fraction: Type.Optional(
            Type.Object(
              {
                numerator: Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }),
                denominator: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 })),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
    ),
    requestHeaderModifier: Type.Optional(anything),
    responseHeaderModifier: Type.Optional(anything),
    requestRedirect: Type.Optional(anything),
    urlRewrite: Type.Optional(anything),
    cors: Type.Optional(anything),
    externalAuth: Type.Optional(anything),
  },
  closed,
);

const httpRule = Type.Object(
  {
    name: Type.Optional(name),
    matches: Type.Optional(listField(httpMatch)),
    filters: Type.Optional(listField(httpFilter)),
    backendRefs: Type.Optional(
      listField(
        Type.Object(
          { ...backendReference, weight: Type.Optional(weight), filters: Type.Optional(listField(anything)) },
          closed,
        ),
      ),
    ),
    timeouts: Type.Optional(
      Type.Object({ request: Type.Optional(duration), backendRequest: Type.Optional(duration) }, closed),
    ),
    retry: Type.Optional(anything),
    sessionPersistence: Type.Optional(anything),
  },
  closed,
);

export const HttpRouteSchema = objectSchema(
  Type.Object(
    {
      parentRefs: Type.Optional(listField(anything)),
      useDefaultGateways: Type.Optional(text),
      hostnames: Type.Optional(texts),
      rules: Type.Optional(listField(httpRule)),
    },
    closed,
  ),
);

export type HttpRouteSpec = Static<typeof HttpRouteSchema>['spec'];
