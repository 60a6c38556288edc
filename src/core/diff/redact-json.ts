// Redacts places of a JSON body that is sent on: values are replaced by others of their type, names stay.

import { decodeUtf8 } from './body-text.ts';
import { editJsonText, type JsonEdit, type LeafKind } from './json-edit.ts';
import type { PathMatcher } from './path-matcher.ts';

const REDACTED: Readonly<Record<LeafKind | 'container', string>> = {
  string: '"redacted"',
  number: '0',
  boolean: 'false',
  null: 'null',
  // Not replaced as one: its leaves are.
  container: '',
};
const REDACTION: JsonEdit = { replacesWhole: false, toText: (kind) => REDACTED[kind] };

/**
 * Every string, number and boolean at and below the paths is replaced; every other character stays. Null when the body is
 * not valid JSON in UTF-8, or beyond the bounds of json-edit.ts: then it must not be sent.
 */
export function redactJsonBody(body: Uint8Array, paths: PathMatcher): Uint8Array | null {
  // Without the byte order mark, which JSON should not have (RFC 8259 section 8.1).
  const text = decodeUtf8(body);
  if (text === null) return null;
  const redacted = editJsonText(text, paths, REDACTION);
  return redacted === null ? null : Buffer.from(redacted);
}
