// The kinds of values that APISIX's resources have, as schema parts.
//
// Owns the patterns: they are APISIX's own, because its refusals quote them. Two keywords beside those of field.ts:
// `x-address` for an address or CIDR block, `x-unknown-key` for what an unknown key is called.

import { Type } from 'typebox';

export const ID_PATTERN = '^(?!\\.{1,2}$)[a-zA-Z0-9-_.]+$';
const HOST_PATTERN = '^\\*$|^\\*?[0-9a-zA-Z-._\\[\\]:]+$';
const ID_LENGTH_MAX = 64;

interface Notes {
  readonly description: string;
  readonly default?: unknown;
}

export function idField(notes: Notes) {
  return Type.Unsafe<string | number>({
    anyOf: [
      { type: 'string', minLength: 1, maxLength: ID_LENGTH_MAX, pattern: ID_PATTERN },
      { type: 'integer', minimum: 1 },
    ],
    errorMessage:
      'must be 1 to 64 letters, digits, "-", "_" or ".", or a whole number from 1, and must not be . or ..: they cannot stand in the path of a URL',
    ...notes,
  });
}

export function hostField(notes: Notes) {
  return Type.String({
    pattern: HOST_PATTERN,
    errorMessage: 'must be a name or an address, with or without a * before it',
    ...notes,
  });
}

export function addressField(notes: Notes) {
  return Type.Unsafe<string>({
    type: 'string',
    'x-address': true,
    errorMessage: 'must be an IPv4 or IPv6 address, or a block of them as in 10.0.0.0/8',
    ...notes,
  });
}

/** A resource's name, which is told nowhere. */
export function nameField() {
  return Type.String({ minLength: 1, maxLength: 256, description: 'A name for people.' });
}

export function descriptionField() {
  return Type.String({ maxLength: 256, description: 'A sentence for people.' });
}

export function labelsField() {
  return Type.Unsafe<Record<string, string>>({
    type: 'object',
    patternProperties: {
      '.*': { type: 'string', pattern: '^\\S+$', maxLength: 256, minLength: 1 },
    },
    maxProperties: 16,
    description: 'Labels to find it by.',
  });
}

/** Unix seconds, which APISIX writes. */
export function timestampField() {
  return Type.Integer({ description: 'Unix time in seconds.' });
}

/** Seconds; all three are needed. */
export function timeoutField() {
  const seconds = (description: string) => Type.Number({ exclusiveMinimum: 0, description });
  return Type.Object(
    {
      connect: seconds('Until a connection stands, in seconds.'),
      send: seconds('Between two writes of the request, in seconds.'),
      read: seconds('For the first byte of the answer and between further ones, in seconds.'),
    },
    { description: 'Deadlines.' },
  );
}

/** `keys` of which exactly one is needed, or at most one. */
export function requireOne(keys: readonly [string, string], isNeeded: boolean) {
  const [first, second] = keys;
  const none = { not: { anyOf: [{ required: [first] }, { required: [second] }] } };
  return {
    oneOf: [...(isNeeded ? [] : [none]), { required: [first] }, { required: [second] }],
    errorMessage: isNeeded
      ? `must have ${first} or ${second}, and only one of them`
      : `must have only one of ${first} and ${second}`,
  };
}
