// Replaces values in JSON text where paths say so, and leaves every other character as it is.
//
// Works on the text, because a value that was parsed and written again has lost digits of large numbers and keys that
// occur twice. Checks the text on the way (RFC 8259) in one pass that makes no values, keeps its own stack, and
// bounds levels, replacements and growth, so that no body costs more than reading it.

import type { PathMatcher } from './path-matcher.ts';

/** Levels of text that can be edited. */
export const EDIT_LEVELS_MAX = 1_000;
/** Values that are replaced in one text. */
export const EDIT_REPLACEMENTS_MAX = 20_000;
/** Characters that a text may grow by. */
export const EDIT_GROWTH_MAX = 64 * 1024;

export type LeafKind = 'string' | 'number' | 'boolean' | 'null';

export interface JsonEdit {
  /** Whether objects and arrays at a covered place are replaced as one; else each of their leaves is. */
  readonly replacesWhole: boolean;
  /** JSON text for a covered value. */
  readonly toText: (kind: LeafKind | 'container') => string;
}

/** An object or array that is open. Used again for the next one of its level. */
interface Frame {
  isArray: boolean;
  /** Of the object's or array's own place; null where no path leads further. */
  paths: PathMatcher;
  isCovered: boolean;
  /** Where the text begins that is replaced as one when it is closed; -1 when it is not. */
  start: number;
  /** Of elements; in an object of the member whose key was read last. */
  child: PathMatcher;
}

/** What may come next, beside white space. */
const VALUE = 0;
const ELEMENT_OR_END = 1;
const KEY_OR_END = 2;
const KEY = 3;
const COLON = 4;
const COMMA_OR_END = 5;
const NOTHING = 6;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ESCAPED = '"\\/bfnrt';

/** Just behind the quote that ends the string whose first quote is at `start`; -1 when it is not a sound one. */
function findStringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code < 0x20) return -1;
    if (code !== BACKSLASH) continue;
    at++;
    if (text.charCodeAt(at) === 0x75 /* u */) {
      for (const end = at + 4; at < end; ) if (!isHexDigit(text.charCodeAt(++at))) return -1;
    } else if (at === text.length || !ESCAPED.includes(text[at]!)) return -1;
  }
  return -1;
}

/** Just behind the number, true, false or null that begins at `start`; -1 when there is none. */
function findWordEnd(text: string, start: number, code: number): number {
  if (code === 0x74 /* t */) return text.startsWith('true', start) ? start + 4 : -1;
  if (code === 0x66 /* f */) return text.startsWith('false', start) ? start + 5 : -1;
  if (code === 0x6e /* n */) return text.startsWith('null', start) ? start + 4 : -1;
  return findNumberEnd(text, code === 0x2d /* - */ ? start + 1 : start);
}

/** `start` is behind the sign. */
function findNumberEnd(text: string, start: number): number {
  let at = skipDigits(text, start);
  if (at === start || (at > start + 1 && text.charCodeAt(start) === 0x30) /* 0 */) return -1;
  if (text.charCodeAt(at) === 0x2e /* . */) {
    const fraction = at + 1;
    at = skipDigits(text, fraction);
    if (at === fraction) return -1;
  }
  if ((text.charCodeAt(at) | 0x20) !== 0x65 /* e */) return at;
  at++;
  const sign = text.charCodeAt(at);
  if (sign === 0x2b /* + */ || sign === 0x2d) at++;
  const exponent = at;
  at = skipDigits(text, exponent);
  return at === exponent ? -1 : at;
}

function skipDigits(text: string, from: number): number {
  let at = from;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

// Behind the text's end a code is no number, and so none of these.

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isHexDigit(code: number): boolean {
  return isDigit(code) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
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

class JsonEditor {
  readonly #text: string;
  readonly #edit: JsonEdit;
  /** By level, those below that were open before too. */
  readonly #frames: Frame[] = [];
  readonly #root: PathMatcher;
  #levels = 0;
  /** The one that is open and has no other open in it. */
  #frame: Frame | null = null;
  #next = VALUE;
  #edited = '';
  /** What lies before is in `edited` already. */
  #copied = 0;
  #at = 0;
  #replacements = 0;
  #growth = 0;

  constructor(text: string, paths: PathMatcher, edit: JsonEdit) {
    this.#text = text;
    this.#root = paths;
    this.#edit = edit;
  }

  run(): string | null {
    const text = this.#text;
    for (;;) {
      while (isBlank(text.charCodeAt(this.#at))) this.#at++;
      if (this.#at === text.length) break;
      if (!this.#take(text.charCodeAt(this.#at))) return null;
    }
    return this.#next === NOTHING ? this.#edited + text.slice(this.#copied) : null;
  }

  /** False: what is here may not be, or is too much. */
  #take(code: number): boolean {
    switch (this.#next) {
      case KEY_OR_END:
        return code === 0x7d /* } */ ? this.#close() : this.#takeKey(code);
      case KEY:
        return this.#takeKey(code);
      case COLON:
        this.#at++;
        this.#next = VALUE;
        return code === 0x3a /* : */;
      case ELEMENT_OR_END:
        return code === 0x5d /* ] */ ? this.#close() : this.#takeValue(code);
      case VALUE:
        return this.#takeValue(code);
      case COMMA_OR_END:
        if (code === (this.#frame!.isArray ? 0x5d : 0x7d)) return this.#close();
        this.#at++;
        this.#next = this.#frame!.isArray ? VALUE : KEY;
        return code === 0x2c /* , */;
      default:
        return false;
    }
  }

  #takeKey(code: number): boolean {
    if (code !== QUOTE) return false;
    const start = this.#at;
    const end = findStringEnd(this.#text, start);
    if (end === -1) return false;
    const frame = this.#frame!;
    frame.child = frame.paths === null ? null : frame.paths.stepKey(readKey(this.#text, start, end));
    this.#at = end;
    this.#next = COLON;
    return true;
  }

  #takeValue(code: number): boolean {
    if (code === 0x7b /* { */ || code === 0x5b /* [ */) return this.#open(code === 0x5b);
    const start = this.#at;
    const end = code === QUOTE ? findStringEnd(this.#text, start) : findWordEnd(this.#text, start, code);
    if (end === -1) return false;
    this.#at = end;
    const frame = this.#frame;
    this.#next = frame === null ? NOTHING : COMMA_OR_END;
    // What is replaced as one is replaced when it is closed.
    if (frame?.isCovered === true && this.#edit.replacesWhole) return true;
    return !this.#isCovered(this.#paths()) || this.#replace(start, toLeafKind(code));
  }

  /** Of the value that begins here. */
  #paths(): PathMatcher {
    return this.#frame === null ? this.#root : this.#frame.child;
  }

  /** Whether it lies at or below a place that is covered. */
  #isCovered(paths: PathMatcher): boolean {
    return this.#frame?.isCovered === true || (paths !== null && paths.value !== null);
  }

  #open(isArray: boolean): boolean {
    if (this.#levels === EDIT_LEVELS_MAX) return false;
    const paths = this.#paths();
    const isCovered = this.#isCovered(paths);
    const isOuter = this.#frame?.isCovered !== true;
    const start = isCovered && isOuter && this.#edit.replacesWhole ? this.#at : -1;
    const child = isArray && paths !== null ? paths.stepElement() : null;
    let frame = this.#frames[this.#levels];
    if (frame === undefined) {
      frame = { isArray, paths, isCovered, start, child };
      this.#frames.push(frame);
    } else {
      frame.isArray = isArray;
      frame.paths = paths;
      frame.isCovered = isCovered;
      frame.start = start;
      frame.child = child;
    }
    this.#frame = frame;
    this.#levels++;
    this.#at++;
    this.#next = isArray ? ELEMENT_OR_END : KEY_OR_END;
    return true;
  }

  #close(): boolean {
    const { start } = this.#frame!;
    this.#levels--;
    this.#frame = this.#levels === 0 ? null : this.#frames[this.#levels - 1]!;
    this.#at++;
    this.#next = this.#frame === null ? NOTHING : COMMA_OR_END;
    return start < 0 || this.#replace(start, 'container');
  }

  /** From `start` to where the editor is. False: it is one too many, or the text grows too long. */
  #replace(start: number, kind: LeafKind | 'container'): boolean {
    const replacement = this.#edit.toText(kind);
    this.#edited += this.#text.slice(this.#copied, start) + replacement;
    this.#growth += replacement.length - (this.#at - start);
    this.#copied = this.#at;
    return ++this.#replacements <= EDIT_REPLACEMENTS_MAX && this.#growth <= EDIT_GROWTH_MAX;
  }
}

/** Null when the text is not valid JSON, or more than the bounds above let through. */
export function editJsonText(text: string, paths: PathMatcher, edit: JsonEdit): string | null {
  return new JsonEditor(text, paths, edit).run();
}
