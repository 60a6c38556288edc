// Replaces values in JSON text where paths say so, and leaves every other character as it is.
//
// Works on the text, because a value that was parsed and written again has lost digits of large numbers and keys that
// occur twice. Keeps its own stack, bounded, so that no depth harms it. The text must have been found valid before.

import type { PathMatcher } from './path-matcher.ts';

/** Levels of text that can be edited. */
export const EDIT_LEVELS_MAX = 1_000;

export type LeafKind = 'string' | 'number' | 'boolean' | 'null';

export interface JsonEdit {
  /** Whether objects and arrays at a covered place are replaced as one; else each of their leaves is. */
  readonly replacesWhole: boolean;
  /** JSON text for a covered value. */
  readonly toText: (kind: LeafKind | 'container') => string;
}

/** An object or array that is open. */
interface Frame {
  readonly isArray: boolean;
  /** Of the object's or array's own place; null where no path leads further. */
  readonly paths: PathMatcher;
  readonly isCovered: boolean;
  /** Where the text begins that is replaced as one when it is closed; -1 when it is not. */
  readonly start: number;
  /** Of elements; in an object of the member whose key was read last. */
  child: PathMatcher;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Just behind the quote that ends the string whose first quote is at `start`. */
function findStringEnd(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, start, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

/** An odd number of backslashes stands before it. */
function isEscaped(text: string, start: number, at: number): boolean {
  let before = at - 1;
  while (before > start && text.charCodeAt(before) === BACKSLASH) before--;
  return (at - 1 - before) % 2 === 1;
}

/** The key as it is meant: it may be written with escapes. */
function readKey(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  return raw.includes('\\') ? (JSON.parse(text.slice(start, end)) as string) : raw;
}

function toLeafKind(code: number): LeafKind {
  if (code === QUOTE) return 'string';
  if (code === 0x74 /* t */ || code === 0x66 /* f */) return 'boolean';
  return code === 0x6e /* n */ ? 'null' : 'number';
}

/** A number or word ends before any of these. */
function isWordEnd(code: number): boolean {
  return code <= 0x20 || code === 0x2c /* , */ || code === 0x5d /* ] */ || code === 0x7d /* } */;
}

class JsonEditor {
  readonly #text: string;
  readonly #edit: JsonEdit;
  readonly #frames: Frame[] = [];
  readonly #root: PathMatcher;
  #edited = '';
  /** What lies before is in `edited` already. */
  #copied = 0;
  #at = 0;

  constructor(text: string, paths: PathMatcher, edit: JsonEdit) {
    this.#text = text;
    this.#root = paths;
    this.#edit = edit;
  }

  /** Null when the text has too many levels. */
  run(): string | null {
    const text = this.#text;
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at);
      if (code === 0x7b /* { */ || code === 0x5b /* [ */) {
        if (this.#frames.length === EDIT_LEVELS_MAX) return null;
        this.#open(code === 0x5b);
      } else if (code === 0x7d /* } */ || code === 0x5d /* ] */) {
        this.#close();
      } else if (code <= 0x20 || code === 0x2c /* , */ || code === 0x3a /* : */) {
        this.#at++;
      } else {
        this.#readWord(code);
      }
    }
    return this.#edited + text.slice(this.#copied);
  }

  /** Paths at the value that begins here, and whether it lies at or below a place that is covered. */
  #enter(): { readonly paths: PathMatcher; readonly isCovered: boolean } {
    const frame = this.#frames.at(-1);
    const paths = frame === undefined ? this.#root : frame.child;
    return { paths, isCovered: frame?.isCovered === true || (paths !== null && paths.value !== null) };
  }

  #open(isArray: boolean): void {
    const { paths, isCovered } = this.#enter();
    const isOuter = this.#frames.at(-1)?.isCovered !== true;
    const start = isCovered && isOuter && this.#edit.replacesWhole ? this.#at : -1;
    const child = isArray && paths !== null ? paths.stepElement() : null;
    this.#frames.push({ isArray, paths, isCovered, start, child });
    this.#at++;
  }

  #close(): void {
    const { start } = this.#frames.pop()!;
    this.#at++;
    if (start >= 0) this.#replace(start, 'container');
  }

  /** A key, or a value that is no object or array. */
  #readWord(code: number): void {
    const start = this.#at;
    let end = start + 1;
    if (code === QUOTE) end = findStringEnd(this.#text, start);
    else while (end < this.#text.length && !isWordEnd(this.#text.charCodeAt(end))) end++;
    this.#at = end;
    const frame = this.#frames.at(-1);
    if (frame !== undefined && !frame.isArray && this.#isKey(end)) {
      frame.child = frame.paths === null ? null : frame.paths.stepKey(readKey(this.#text, start, end));
      return;
    }
    // What is replaced as one is replaced when it is closed.
    if (frame?.isCovered === true && this.#edit.replacesWhole) return;
    if (this.#enter().isCovered) this.#replace(start, toLeafKind(code));
  }

  /** A colon follows a key, and nothing else. */
  #isKey(end: number): boolean {
    let at = end;
    while (this.#text.charCodeAt(at) <= 0x20) at++;
    return this.#text.charCodeAt(at) === 0x3a; /* : */
  }

  /** From `start` to where the editor is. */
  #replace(start: number, kind: LeafKind | 'container'): void {
    this.#edited += this.#text.slice(this.#copied, start) + this.#edit.toText(kind);
    this.#copied = this.#at;
  }
}

/** Null when the text is not valid JSON, or has more than EDIT_LEVELS_MAX levels. */
export function editJsonText(text: string, paths: PathMatcher, edit: JsonEdit): string | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return new JsonEditor(text, paths, edit).run();
}
