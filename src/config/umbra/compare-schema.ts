// The keys of a mirror's comparison, as a schema part.
//
// Owns names, types and bounds. Those of the detailed comparison are accepted and checked although it is not served yet, so
// that a file can be written once.

import { type Static, Type } from 'typebox';
import { DEFAULTS, HOSTS_MAX, KEY_LENGTH_MAX, LIST_MAX } from '../defaults.ts';
import { headerNamesField, integerField, sizeField } from '../field.ts';
import { GIB } from '../quantity.ts';

export const CompareSchema = Type.Object(
  {
    enabled: Type.Optional(
      Type.Boolean({ description: 'Whether answers are compared.', default: DEFAULTS.compare.enabled }),
    ),
    log_mismatches: Type.Optional(
      Type.Boolean({
        description: 'Whether each difference is logged.',
        default: DEFAULTS.compare.logMismatches,
      }),
    ),
    detailed_diff: Type.Optional(
      Type.Boolean({
        description: 'Whether headers and JSON bodies are compared in detail. Not served yet.',
        default: DEFAULTS.compare.detailedDiff,
      }),
    ),
    ignore_headers: Type.Optional(
      headerNamesField(HOSTS_MAX, { description: 'Headers that may differ; for detailed_diff.' }),
    ),
    ignore_json_fields: Type.Optional(
      Type.Array(
        Type.String({
          maxLength: KEY_LENGTH_MAX,
          pattern: '^(?:[^.[\\]]+(?:\\[\\])*|(?:\\[\\])+)(?:\\.[^.[\\]]+(?:\\[\\])*)*$',
          errorMessage: 'must be a path of JSON keys such as meta.timestamp or items[].id',
        }),
        { maxItems: LIST_MAX, description: 'Fields of JSON bodies that may differ; for detailed_diff.' },
      ),
    ),
    max_body_capture: Type.Optional(
      sizeField(1, GIB, {
        description: 'Bytes of a body that are kept for a difference; for detailed_diff.',
        default: DEFAULTS.compare.maxBodyCapture,
      }),
    ),
    max_mismatches: Type.Optional(
      integerField(1, 10_000, {
        description: 'Differences that are kept; for detailed_diff.',
        default: DEFAULTS.compare.maxMismatches,
      }),
    ),
  },
  { additionalProperties: false, description: "Compares the shadow's status and body with the primary's." },
);

export type CompareInput = Static<typeof CompareSchema>;
