// The keys of a mirror in umbra's own dialect, as a schema.
//
// Owns names, types, bounds and the words that editors show. Rules that need more than one key, a file or the
// environment are the translation's (mirror.ts).

import { type Static, Type } from 'typebox';
import { SHADOWS_MAX } from '../../core/model.ts';
import {
  DEFAULTS,
  DURATION_MS_MAX,
  HEADERS_MAX,
  KEY_LENGTH_MAX,
  LIST_MAX,
  PATH_LENGTH_MAX,
  PATHS_MAX,
  REGEX_LENGTH_MAX,
} from '../defaults.ts';
import {
  durationField,
  expressionField,
  headerConditionsField,
  headerNamesField,
  integerField,
  jsonPathsField,
  methodsField,
  sampleByField,
  sizeField,
  textField,
} from '../field.ts';
import { GIB } from '../quantity.ts';
import { CompareSchema } from './compare-schema.ts';
import { LimitSchema } from './limit-schema.ts';
import { shadowSchema } from './shadow-schema.ts';
import { timeoutSchema } from './upstream-schema.ts';

const closed = { additionalProperties: false } as const;

const ShadowSchema = shadowSchema(
  'Origin of the shadow, such as http://shadow:9000.',
  'A shadow: it gets its own copy, and its answer goes to nobody.',
);

const RedactSchema = Type.Object(
  {
    headers: Type.Optional(
      headerNamesField(HEADERS_MAX, { description: 'Headers whose values the copy does not have.' }),
    ),
    query: Type.Optional(
      Type.Array(textField(KEY_LENGTH_MAX, { description: 'Name of a query parameter.' }), {
        maxItems: PATHS_MAX,
        description: 'Query parameters whose values the copy does not have.',
      }),
    ),
    json: Type.Optional(
      jsonPathsField(PATHS_MAX, {
        description: 'Places in JSON bodies whose values, with all below them, the copy does not have.',
      }),
    ),
  },
  { ...closed, description: 'What a copy does not tell its shadow: these values are replaced.' },
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
    methods: Type.Optional(
      Type.Enum(['all', 'safe'], {
        description:
          '`safe`: only GET, HEAD, OPTIONS and TRACE are copied, so that a shadow never writes; `all`: every method.',
        default: DEFAULTS.mirror.methods,
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
    max_answer: Type.Optional(
      sizeField(1, GIB, {
        description: "A shadow's answer with a longer body is cut off, and the copy has failed.",
        default: DEFAULTS.mirror.maxAnswer,
      }),
    ),
    redact: Type.Optional(RedactSchema),
    idempotency_key: Type.Optional(
      Type.Boolean({
        description: 'Whether copies that write get an Idempotency-Key, where the request has none.',
        default: DEFAULTS.mirror.idempotencyKey,
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

export type MirrorInput = Static<typeof MirrorSchema>;
