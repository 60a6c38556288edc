// Masks places of JSON text that is kept: nothing at or below them can be read from the result.

import { MASKED } from './answer-diff.ts';
import { editJsonText, type JsonEdit } from './json-edit.ts';
import type { PathMatcher } from './path-matcher.ts';

const MASK: JsonEdit = { replacesWhole: true, toText: () => `"${MASKED}"` };

/** Null when the text is not valid JSON, or beyond the bounds of json-edit.ts: then nothing of it may be kept. */
export function maskJsonText(text: string, paths: PathMatcher): string | null {
  return editJsonText(text, paths, MASK);
}
