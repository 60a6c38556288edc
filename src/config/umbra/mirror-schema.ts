// The keys of a mirror in umbra's own dialect, as a schema.
//
// Owns names, types, bounds and the words that editors show. Rules that need more than one key, a file or the
// environment are the translation's (mirror.ts).

import { type Static, Type } from 'typebox';
import { SHADOWS_MAX } from '../../core/model.ts';
import {
  DEFAULTS,
  DURATION_MS_MAX,
  KEY_LENGTH_MAX,
  LIST_MAX,
  PATH_LENGTH_MAX,
  REGEX_LENGTH_MAX,
} from '../defaults.ts';
import {
  durationField,
  expressionField,
  headerConditionsField,
  headerNamesField,
  headerValuesField,
  integerField,
  methodsField,
  sampleByField,
  sizeField,
  textField,
} from '../field.ts';
import { GIB } from '../quantity.ts';
import { CompareSchema } from './compare-schema.ts';
import { LimitSchema } from './limit-schema.ts';
import { BackendTlsSchema, ClientSchema, timeoutSchema } from './upstream-schema.ts';

const closed = { additionalProperties: false } as const;

const ShadowSchema = Type.Object(
  {
    url: textField(PATH_LENGTH_MAX, { description: 'Origin of the shadow, such as http://shadow:9000.' }),
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
  { ...closed, description: 'A shadow: it gets its own copy, and its answer goes to nobody.' },
);

const ConditionsSchema = Type.Object(
  {
    methods: Type.Optional(methodsField(LIST_MAX, { description: 'The method is one of these.' })),
    headers: Type.Optional(
      headerConditionsField(LIST_MAX, {
        description:
          'The header has this value, compared without case. true or "true": it is present with any value; false or "false": it is absent.',
      }),
    ),
    path_regex: Type.Optional(
      textField(REGEX_LENGTH_MAX, {
        description: 'JavaScript regular expression, without flags, over the raw path without query.',
      }),
    ),
    vars: Type.Optional(expressionField({ description: "Conditions in the form of APISIX's vars." })),
  },
  { ...closed, description: 'All must hold; checked before the percentage.' },
);

const BreakerSchema = Type.Object(
  {
    failures: Type.Optional(
      integerField(1, 1_000_000, {
        description: 'Failures in a row after which a shadow gets no copies.',
        default: DEFAULTS.breaker.failures,
      }),
    ),
    open_for: Type.Optional(
      durationField(DURATION_MS_MAX, {
        description: 'How long it gets none before it is tried again.',
        default: DEFAULTS.breaker.openFor,
      }),
    ),
  },
  { ...closed, description: 'Spares a shadow that fails.' },
);

export const MirrorSchema = Type.Object(
  {
    enabled: Type.Optional(
      Type.Boolean({ description: 'Whether copies are made.', default: DEFAULTS.mirror.enabled }),
    ),
    percentage: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 100,
        description: 'Share of the matching requests that are copied, decimals allowed; 0 means none.',
        default: DEFAULTS.mirror.percentage,
      }),
    ),
    sample_by: Type.Optional(
      sampleByField({
        description: 'header:NAME: the same value always falls the same way, and 5 % is inside 10 %.',
      }),
    ),
    backends: Type.Array(ShadowSchema, {
      minItems: 1,
      maxItems: SHADOWS_MAX,
      description: 'The shadows; one decision covers them all. Their origins differ.',
    }),
    conditions: Type.Optional(ConditionsSchema),
    path: Type.Optional(
      textField(PATH_LENGTH_MAX, {
        description: "Replaces the copy's path, or goes before it; the query is kept.",
      }),
    ),
    path_concat_mode: Type.Optional(
      Type.Enum(['replace', 'prefix'], {
        description: 'Whether `path` replaces the path or is put before it.',
        default: DEFAULTS.mirror.pathConcatMode,
      }),
    ),
    timeout: Type.Optional(timeoutSchema(DEFAULTS.mirror.timeout)),
    limit: Type.Optional(LimitSchema),
    max_body: Type.Optional(
      sizeField(0, GIB, {
        description: 'A request with a longer body is not copied (skip: body_too_large).',
        default: DEFAULTS.mirror.maxBody,
      }),
    ),
    max_in_flight: Type.Optional(
      integerField(1, 65_535, {
        description: 'Copies under way at once, for each shadow.',
        default: DEFAULTS.mirror.maxInFlight,
      }),
    ),
    max_queued: Type.Optional(
      sizeField(1, 4 * GIB, {
        description: "Bytes of this route's copies that may wait in one front-end thread.",
        default: DEFAULTS.mirror.maxQueued,
      }),
    ),
    breaker: Type.Optional(BreakerSchema),
    compare: Type.Optional(CompareSchema),
  },
  { ...closed, description: 'Which requests of the route are copied, and to which shadows.' },
);

export type ShadowInput = Static<typeof ShadowSchema>;
export type MirrorInput = Static<typeof MirrorSchema>;
