// W3C trace context (https://www.w3.org/TR/trace-context/): which `traceparent` values are sound, and span ids of one's own.
//
// Knows version 00 and no later one: of those it reads what they have in common with it, and writes version 00 (section
// "versioning of traceparent").

import { randomFillSync } from 'node:crypto';

/** Two lower-case hexadecimal digits, not `ff`; trace id and span id, neither all zero; flags, and what a later version may add. */
const SOUND = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;
/** Version 00 has nothing after its flags. */
const VERSION_00 = '00-';
const VERSION_00_LENGTH = 55;
const SPAN_AT = 36;
const SPAN_END = 52;
const FLAGS_AT = 53;
/** The only flag of version 00. */
const SAMPLED = 1;
const NO_SPAN = '0'.repeat(SPAN_END - SPAN_AT);
/** Of 512 span ids: one call into the system's generator for so many copies. */
const MEMORY_BYTES = 4096;

export function isTraceparent(value: string): boolean {
  if (value.length < VERSION_00_LENGTH || !SOUND.test(value)) return false;
  return value.length === VERSION_00_LENGTH || !value.startsWith(VERSION_00);
}

/** Random span ids. One for each thread. */
export class SpanIds {
  readonly #fill: (memory: Buffer) => void;
  readonly #memory = Buffer.alloc(MEMORY_BYTES);
  /** The memory in hexadecimal digits, and how many of them were used. */
  #digits = '';
  #at = 0;

  /** `fill` is for tests, which know what comes then. */
  constructor(fill: (memory: Buffer) => void = randomFillSync) {
    this.#fill = fill;
  }

  /** The text with another span id in the sound `traceparent` between these places: never all zero, never the one that it had. */
  renew(text: string, from: number, end: number): string {
    const received = text.slice(from + SPAN_AT, from + SPAN_END);
    let id = this.#next();
    while (id === NO_SPAN || id === received) id = this.#next();
    if (text.startsWith(VERSION_00, from)) {
      return text.slice(0, from + SPAN_AT) + id + text.slice(from + SPAN_END);
    }
    const isSampled = Number.parseInt(text.slice(from + FLAGS_AT, from + FLAGS_AT + 2), 16) & SAMPLED;
    const trace = text.slice(from + VERSION_00.length, from + SPAN_AT);
    return `${text.slice(0, from)}${VERSION_00}${trace}${id}-0${isSampled}${text.slice(end)}`;
  }

  #next(): string {
    if (this.#at === this.#digits.length) {
      this.#fill(this.#memory);
      this.#digits = this.#memory.toString('hex');
      this.#at = 0;
    }
    const from = this.#at;
    this.#at = from + NO_SPAN.length;
    return this.#digits.slice(from, this.#at);
  }
}
