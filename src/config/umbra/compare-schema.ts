// The keys of a mirror's comparison, as a schema part: of umbra's own dialect, and of the plugin umbra-compare.
//
// Owns names, types, bounds and descriptions. Those for detailed_diff are checked without it too, so that a file can be
// written once. What a path of JSON keys is, is core/diff/json-path.ts's to say.

import { type Static, Type } from 'typebox';
import { DEFAULTS, HEADERS_MAX, LIST_MAX, MISMATCHES_MAX, PATHS_MAX } from '../defaults.ts';
import {
  headerNamesField,
  integerField,
  jsonPathsField,
  shareField,
  sizeField,
  toleranceField,
} from '../field.ts';
import { GIB } from '../quantity.ts';
import { shadowSchema } from './shadow-schema.ts';

const closed = { additionalProperties: false } as const;

const ControlSchema = shadowSchema(
  'Origin of the control, such as http://production-copy:9000.',
  'A second copy of the primary: what differs between these two is noise. Needs detailed_diff.',
);

const VerdictSchema = Type.Object(
  {
    min_compared: Type.Optional(
      integerField(1, Number.MAX_SAFE_INTEGER, {
        description: 'With fewer comparisons there is too little data for a verdict.',
        default: DEFAULTS.verdict.minCompared,
      }),
    ),
    max_mismatch: Type.Optional(
      shareField({
        description: 'Share of the comparisons that may differ, after noise.',
        default: DEFAULTS.verdict.maxMismatch,
      }),
    ),
    max_error: Type.Optional(
      shareField({
        description:
          "Share of the copies that may fail or be answered with 5xx, beyond the primary's own share.",
        default: DEFAULTS.verdict.maxError,
      }),
    ),
    max_p99_ratio: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description: "The shadow's p99 latency divided by the primary's. Absent: not judged.",
      }),
    ),
  },
  { ...closed, description: 'What a verdict asks for.' },
);

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
        description:
          'Whether headers, and bodies field by field or line by line, are compared; else status and digest of the body.',
        default: DEFAULTS.compare.detailedDiff,
      }),
    ),
    ignore_headers: Type.Optional(
      headerNamesField(HEADERS_MAX, { description: 'Headers that may differ; for detailed_diff.' }),
    ),
    ignore_json_fields: Type.Optional(
      jsonPathsField(PATHS_MAX, {
        description:
          'Places in JSON bodies that may differ, with all below them, such as meta.timestamp or items[].id; for detailed_diff.',
      }),
    ),
    unordered: Type.Optional(
      jsonPathsField(LIST_MAX, {
        description: 'Arrays in JSON bodies whose elements may come in any order; for detailed_diff.',
      }),
    ),
    tolerance: Type.Optional(
      toleranceField(LIST_MAX, {
        description:
          'How much numbers in JSON bodies may differ: a number, or a share of the primary\'s value such as "0.5%"; for all of them, or by path; for detailed_diff.',
      }),
    ),
    mask: Type.Optional(
      jsonPathsField(PATHS_MAX, {
        description: 'Places in JSON bodies whose values, with all below them, are never kept or shown.',
      }),
    ),
    max_body_capture: Type.Optional(
      sizeField(1, GIB, {
        description: 'A longer body is compared by its digest; for detailed_diff.',
        default: DEFAULTS.compare.maxBodyCapture,
      }),
    ),
    max_mismatches: Type.Optional(
      integerField(1, MISMATCHES_MAX, {
        description: 'Mismatches that are kept of the route.',
        default: DEFAULTS.compare.maxMismatches,
      }),
    ),
    control: Type.Optional(ControlSchema),
    verdict: Type.Optional(VerdictSchema),
  },
  { ...closed, description: "Compares the shadow's answers with the primary's." },
);

export type CompareInput = Static<typeof CompareSchema>;
