// The kinds of values that keys of a config can have, as schema parts.
//
// Owns two keywords of our own: `errorMessage`, one sentence in place of the validator's several (editors show it as
// well), and `x-quantity`, the bounds of a duration or size. Knows no key by name.

import { Type } from 'typebox';
import { PATH_LENGTH_MAX as JSON_PATH_LENGTH_MAX } from '../core/diff/json-path.ts';
import { KEY_LENGTH_MAX } from './defaults.ts';
import {
  DURATION_PATTERN,
  PERCENT_PATTERN,
  SIZE_PATTERN,
  toDurationMs,
  toDurationText,
  toSizeBytes,
  toSizeText,
} from './quantity.ts';

/** RFC 9110 section 5.6.2. */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const HEADER_NAME_MESSAGE = "must be the name of a header: letters, digits and !#$%&'*+-.^_`|~";

export interface Quantity {
  readonly kind: 'duration' | 'size';
  /** Milliseconds or bytes, both included. */
  readonly minimum: number;
  readonly maximum: number;
}

/** Annotations of a key. */
export interface Notes {
  readonly description: string;
  readonly default?: unknown;
}

export function isWithin(quantity: Quantity, value: string | number): boolean {
  const amount = quantity.kind === 'size' ? toSizeBytes(value) : toDurationMs(String(value));
  return amount !== null && amount >= quantity.minimum && amount <= quantity.maximum;
}

/** At least 1ms: a deadline of zero would fail everything. */
export function durationField(maximumMs: number, notes: Notes) {
  return Type.Unsafe<string>({
    type: 'string',
    pattern: DURATION_PATTERN,
    'x-quantity': { kind: 'duration', minimum: 1, maximum: maximumMs } satisfies Quantity,
    errorMessage: `must be a duration from 1ms to ${toDurationText(maximumMs)}, such as 500ms, 2s, 1m or 1h`,
    ...notes,
  });
}

export function sizeField(minimum: number, maximum: number, notes: Notes) {
  const range = `from ${toSizeText(minimum)} to ${toSizeText(maximum)}`;
  return Type.Unsafe<string | number>({
    type: ['string', 'integer'],
    pattern: SIZE_PATTERN,
    'x-quantity': { kind: 'size', minimum, maximum } satisfies Quantity,
    errorMessage: `must be a size ${range}, such as 512B, 64KiB, 8MiB or a number of bytes`,
    ...notes,
  });
}

export function integerField(minimum: number, maximum: number, notes: Notes) {
  return Type.Integer({ minimum, maximum, ...notes });
}

export function threadsField(maximum: number, notes: Notes) {
  return Type.Unsafe<string | number>({
    type: ['string', 'integer'],
    pattern: '^auto$',
    minimum: 1,
    maximum,
    errorMessage: `must be auto or a whole number from 1 to ${maximum}`,
    ...notes,
  });
}

/** Text whose inner rules are checked by the translation. */
export function textField(maxLength: number, notes: Notes) {
  return Type.String({ minLength: 1, maxLength, ...notes });
}

/** Text that is never printed. */
export function secretField(minLength: number, maxLength: number, notes: Notes) {
  return Type.String({ minLength, maxLength, writeOnly: true, ...notes });
}

export function methodsField(maxItems: number, notes: Notes) {
  const method = Type.String({
    pattern: "^[!#$%&'*+.^_`|~0-9A-Z-]+$",
    errorMessage: 'must be an HTTP method in upper case, as methods are case-sensitive',
  });
  return Type.Array(method, { minItems: 1, maxItems, uniqueItems: true, ...notes });
}

export function headerNamesField(maxItems: number, notes: Notes) {
  const name = Type.String({ pattern: `^${TOKEN}$`, errorMessage: HEADER_NAME_MESSAGE });
  return Type.Array(name, { minItems: 0, maxItems, ...notes });
}

/** Places in JSON bodies. Whether each is one is core/diff/json-path.ts's to say. */
export function jsonPathsField(maxItems: number, notes: Notes) {
  return Type.Array(
    textField(JSON_PATH_LENGTH_MAX, { description: 'A path such as meta.timestamp or items[].id.' }),
    {
      maxItems,
      ...notes,
    },
  );
}

/** A number from 0 to 1, or a percentage. */
export function shareField(notes: Notes) {
  return Type.Unsafe<string | number>({
    type: ['number', 'string'],
    minimum: 0,
    maximum: 1,
    pattern: PERCENT_PATTERN,
    errorMessage: 'must be a share: a percentage such as 0.1%, or a number from 0 to 1',
    ...notes,
  });
}

/** How much numbers may differ: all of them, or those at the places that the keys name. */
export function toleranceField(maxProperties: number, notes: Notes) {
  const amount = { minimum: 0, pattern: PERCENT_PATTERN };
  const amountText = 'a number from 0, or a percentage up to 100% such as 0.5%';
  return Type.Unsafe<string | number | Record<string, string | number>>({
    type: ['number', 'string', 'object'],
    ...amount,
    propertyNames: {
      minLength: 1,
      // Less than of other paths: keys in YAML have up to 1024 characters, escapes included.
      maxLength: KEY_LENGTH_MAX,
      errorMessage: `must be a path of 1 to ${KEY_LENGTH_MAX} characters`,
    },
    additionalProperties: { type: ['number', 'string'], ...amount, errorMessage: `must be ${amountText}` },
    maxProperties,
    errorMessage: `must be ${amountText}, or a mapping of at most ${maxProperties} paths to such`,
    ...notes,
  });
}

/** Texts by header name. Values may be credentials, so they are never printed. */
export function headerValuesField(maxProperties: number, notes: Notes) {
  return Type.Unsafe<Record<string, string>>({
    type: 'object',
    propertyNames: { pattern: `^${TOKEN}$`, errorMessage: HEADER_NAME_MESSAGE },
    additionalProperties: {
      type: 'string',
      writeOnly: true,
      pattern: '^(?:[\\x21-\\x7e](?:[\\x20-\\x7e]{0,8190}[\\x21-\\x7e])?)?$',
      errorMessage:
        'must be text of visible ASCII characters with spaces only inside, at most 8192 (quote numbers and true/false)',
    },
    maxProperties,
    ...notes,
  });
}

/** What headers must hold: text, or whether the header is there at all. */
export function headerConditionsField(maxProperties: number, notes: Notes) {
  return Type.Unsafe<Record<string, string | boolean>>({
    type: 'object',
    propertyNames: { pattern: `^${TOKEN}$`, errorMessage: HEADER_NAME_MESSAGE },
    additionalProperties: {
      type: ['string', 'boolean'],
      writeOnly: true,
      pattern: '^[\\x20-\\x7e]{0,8192}$',
      errorMessage: 'must be text of ASCII characters to compare with, true (present) or false (absent)',
    },
    maxProperties,
    ...notes,
  });
}

export function sampleByField(notes: Notes) {
  return Type.String({
    pattern: `^header:${TOKEN}$`,
    errorMessage: 'must be header:NAME, such as header:x-user-id',
    ...notes,
  });
}

/** A list whose inner rules are core/expression.ts's. */
export function expressionField(notes: Notes) {
  return Type.Unsafe<readonly unknown[]>({
    type: 'array',
    errorMessage: 'must be a list of comparisons',
    ...notes,
  });
}

/** These keys are needed when that key is not there. */
export function requireUnless(key: string, keys: readonly string[]) {
  return {
    if: { not: { required: [key] } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; nobody awaits a schema.
    then: { required: keys },
  };
}

/** These keys are needed when that key has that value. */
export function requireWhen(key: string, value: string, keys: readonly string[]) {
  return {
    if: { required: [key], properties: { [key]: { const: value } } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; nobody awaits a schema.
    then: { required: keys },
  };
}
