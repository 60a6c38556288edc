// What is shown of a value: short, and with no other text held in memory by it.
//
// The only place where values become text that is kept. Work is bounded by VALUE_LENGTH_MAX, whatever the value.

import { VALUE_LENGTH_MAX } from './answer-diff.ts';
import { ExactNumber, type JsonObject, type JsonValue } from './json-value.ts';

const ELLIPSIS = '…';
/** Characters shown before the first that differs, where the beginning is left out. */
const LEAD = 40;

/** Where a text may be cut at or before `at`: not within a pair of surrogates. */
function toCut(text: string, at: number): number {
  const code = text.charCodeAt(at - 1);
  return code >= 0xd800 && code < 0xdc00 ? at - 1 : at;
}

/** The same text in memory of its own: what is cut out of a string holds the whole of it, which may be a whole body. */
export function toOwnText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

/** `text` has no half of a pair of surrogates: it was decoded from bytes, or written as JSON. */
export function cutText(text: string): string {
  return toOwnText(cut(text));
}

function cut(text: string): string {
  return text.length <= VALUE_LENGTH_MAX ? text : text.slice(0, toCut(text, VALUE_LENGTH_MAX - 1)) + ELLIPSIS;
}

/** Of long texts, the part around the first difference. */
export function cutTexts(first: string, second: string): [string, string] {
  const [left, right] = cutAround(first, second);
  return [toOwnText(left), toOwnText(right)];
}

/** The same for any strings, not yet in memory of their own. */
export function cutAround(first: string, second: string): [string, string] {
  if (first.length <= VALUE_LENGTH_MAX && second.length <= VALUE_LENGTH_MAX) return [first, second];
  let same = 0;
  const length = Math.min(first.length, second.length);
  while (same < length && first.charCodeAt(same) === second.charCodeAt(same)) same++;
  // The whole difference may lie within what is shown of the beginning.
  if (same < VALUE_LENGTH_MAX - LEAD) return [cut(first), cut(second)];
  const start = toCut(first, same - LEAD);
  return [cut(ELLIPSIS + first.slice(start)), cut(ELLIPSIS + second.slice(start))];
}

/** Writes JSON text until it is long enough. */
class PreviewWriter {
  text = '';

  get #isLong(): boolean {
    return this.text.length > VALUE_LENGTH_MAX;
  }

  write(value: JsonValue): void {
    if (typeof value === 'string') this.#writeText(value);
    else if (value === null || typeof value !== 'object') this.text += String(value);
    else if (value instanceof ExactNumber) this.text += value.source.slice(0, VALUE_LENGTH_MAX + 1);
    else if (Array.isArray(value)) this.#writeArray(value);
    else this.#writeObject(value as JsonObject);
  }

  #writeText(text: string): void {
    this.text += JSON.stringify(text.slice(0, VALUE_LENGTH_MAX + 1));
  }

  #writeArray(elements: readonly JsonValue[]): void {
    this.text += '[';
    for (let at = 0; at < elements.length && !this.#isLong; at++) {
      if (at > 0) this.text += ',';
      this.write(elements[at]!);
    }
    this.text += ']';
  }

  #writeObject(object: JsonObject): void {
    this.text += '{';
    let isFirst = true;
    for (const key of Object.keys(object)) {
      if (this.#isLong) break;
      if (!isFirst) this.text += ',';
      isFirst = false;
      this.#writeText(key);
      this.text += ':';
      this.write(object[key]!);
    }
    this.text += '}';
  }
}

/** JSON text. */
export function previewJson(value: JsonValue): string {
  const writer = new PreviewWriter();
  writer.write(value);
  return cutText(writer.text);
}
