// What is shown of a value: short, and nothing of what is masked.
//
// The only place where values become text that is kept. Work is bounded by VALUE_LENGTH_MAX, whatever the value.

import { MASKED, VALUE_LENGTH_MAX } from './answer-diff.ts';
import type { JsonRules } from './diff-rules.ts';
import { ExactNumber, type JsonObject, type JsonValue } from './json-value.ts';

const ELLIPSIS = '…';
/** Characters shown before the first that differs, where the beginning is left out. */
const LEAD = 40;

/** Where a text may be cut at or before `at`: not within a pair of surrogates. */
function toCut(text: string, at: number): number {
  const code = text.charCodeAt(at - 1);
  return code >= 0xd800 && code < 0xdc00 ? at - 1 : at;
}

export function cutText(text: string): string {
  if (text.length <= VALUE_LENGTH_MAX) return text;
  return text.slice(0, toCut(text, VALUE_LENGTH_MAX - 1)) + ELLIPSIS;
}

/** Of long texts, the part around the first difference. */
export function cutTexts(first: string, second: string): [string, string] {
  if (first.length <= VALUE_LENGTH_MAX && second.length <= VALUE_LENGTH_MAX) return [first, second];
  let same = 0;
  const length = Math.min(first.length, second.length);
  while (same < length && first.charCodeAt(same) === second.charCodeAt(same)) same++;
  // The whole difference may lie within what is shown of the beginning.
  if (same < VALUE_LENGTH_MAX - LEAD) return [cutText(first), cutText(second)];
  const start = toCut(first, same - LEAD);
  return [cutText(ELLIPSIS + first.slice(start)), cutText(ELLIPSIS + second.slice(start))];
}

/** Writes JSON text until it is long enough. */
class PreviewWriter {
  text = '';

  get #isLong(): boolean {
    return this.text.length > VALUE_LENGTH_MAX;
  }

  write(value: JsonValue, rules: JsonRules): void {
    if (rules?.value?.isMasked === true) this.text += `"${MASKED}"`;
    else if (typeof value === 'string') this.#writeText(value);
    else if (value === null || typeof value !== 'object') this.text += String(value);
    else if (value instanceof ExactNumber) this.text += value.source.slice(0, VALUE_LENGTH_MAX + 1);
    else if (Array.isArray(value)) this.#writeArray(value, rules);
    else this.#writeObject(value as JsonObject, rules);
  }

  #writeText(text: string): void {
    this.text += JSON.stringify(text.slice(0, VALUE_LENGTH_MAX + 1));
  }

  #writeArray(elements: readonly JsonValue[], rules: JsonRules): void {
    const next = rules === null ? null : rules.stepElement();
    this.text += '[';
    for (let at = 0; at < elements.length && !this.#isLong; at++) {
      if (at > 0) this.text += ',';
      this.write(elements[at]!, next);
    }
    this.text += ']';
  }

  #writeObject(object: JsonObject, rules: JsonRules): void {
    this.text += '{';
    let isFirst = true;
    for (const key of Object.keys(object)) {
      if (this.#isLong) break;
      if (!isFirst) this.text += ',';
      isFirst = false;
      this.#writeText(key);
      this.text += ':';
      this.write(object[key]!, rules === null ? null : rules.stepKey(key));
    }
    this.text += '}';
  }
}

/** JSON text. `rules` are those of the value's place. */
export function previewJson(value: JsonValue, rules: JsonRules, isMasked: boolean): string {
  if (isMasked || rules?.value?.isMasked === true) return MASKED;
  const writer = new PreviewWriter();
  writer.write(value, rules);
  return cutText(writer.text);
}
