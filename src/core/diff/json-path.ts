// Paths into JSON bodies: their text, their steps, and the text of a place where something was found.
//
// Owns the grammar. Segments stand between dots; a segment is a key, `*` (any one key) or a quoted key `["a.b"]`, and any
// number of `[]` (any element of an array) may follow it. `$` alone is the whole body, `$[]` or `[]` are its elements.
// A formatted place is parsed back to the same steps, whatever its keys hold.

/** Levels of a path, and of a JSON body that is compared field by field. */
export const LEVELS_MAX = 100;
/** Characters of a path. A longer place is shown by one of its ancestors. */
export const PATH_LENGTH_MAX = 1024;

export type JsonStep =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'any_key' }
  | { readonly kind: 'element' };

/** Empty for the whole body. */
export type JsonPath = readonly JsonStep[];

/** Where something is: keys, and indices of arrays. */
export type JsonPlace = readonly (string | number)[];

export interface PathProblem {
  readonly problem: string;
}

const ANY_KEY: JsonStep = { kind: 'any_key' };
const ELEMENT: JsonStep = { kind: 'element' };

/** No character of the grammar, none that a terminal would not show, no white space at an edge. */
const PLAIN_KEY = /^(?!\s)[^.[\]"*\x00-\x1f\x7f-\x9f\u2028\u2029]{1,1024}(?<!\s)$/;
const PLAIN_END = /[.[\]"\x00-\x1f]/;
const INDEX = /^(?:0|[1-9][0-9]{0,9})$/;

/** What the parser has found; an index only where places are parsed. */
type Step = JsonStep | number;

class PathReader {
  readonly #text: string;
  readonly #allowsIndices: boolean;
  readonly #steps: Step[] = [];
  #at = 0;

  constructor(text: string, allowsIndices: boolean) {
    this.#text = text;
    this.#allowsIndices = allowsIndices;
  }

  read(): Step[] | PathProblem {
    const text = this.#text;
    if (text === '') return { problem: 'a path is empty; `$` stands for the whole body' };
    if (text.length > PATH_LENGTH_MAX)
      return { problem: `a path is longer than ${PATH_LENGTH_MAX} characters` };
    if (text === '$') return [];
    // A longer first key may begin with it, such as `$ref`.
    if (text.startsWith('$.') || text.startsWith('$[')) this.#at = 1;
    const hasRoot = this.#at === 1;
    while (this.#at < text.length) {
      const isFirst = this.#steps.length === 0;
      const problem = text[this.#at] === '[' ? this.#readBracket() : this.#readSegment(isFirst && !hasRoot);
      if (problem !== null) return { problem };
      if (this.#steps.length > LEVELS_MAX) return { problem: `a path has more than ${LEVELS_MAX} levels` };
    }
    return this.#steps;
  }

  /** At `[`: an element, or a quoted key. */
  #readBracket(): string | null {
    const text = this.#text;
    const start = this.#at;
    if (text[start + 1] === '"') return this.#readQuoted();
    const end = text.indexOf(']', start);
    if (end < 0) return this.#say('`[` is not closed');
    const inner = text.slice(start + 1, end);
    if (inner === '') {
      this.#steps.push(ELEMENT);
    } else if (INDEX.test(inner)) {
      if (!this.#allowsIndices) return this.#say('an index has no place in a path; `[]` is any element');
      this.#steps.push(Number(inner));
    } else {
      return this.#say('between brackets stands nothing (any element) or a key in double quotes');
    }
    this.#at = end + 1;
    return null;
  }

  #readQuoted(): string | null {
    const text = this.#text;
    const start = this.#at + 1;
    let end = start + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    const key = parseString(text.slice(start, end + 1));
    if (key === null) return this.#say('a key in double quotes is not a JSON string');
    if (text[end + 1] !== ']') return this.#say('a key in double quotes is not followed by `]`');
    this.#steps.push({ kind: 'key', key });
    this.#at = end + 2;
    return null;
  }

  /** A dot and what follows it; the very first segment has no dot. */
  #readSegment(isFirst: boolean): string | null {
    const text = this.#text;
    if (!isFirst) {
      if (text[this.#at] !== '.') return this.#say('a dot is missing');
      this.#at++;
      // `.["a.b"]`, as well as `["a.b"]` without the dot.
      if (text[this.#at] === '[' && text[this.#at + 1] === '"') return this.#readQuoted();
    }
    const rest = text.slice(this.#at);
    const length = rest.search(PLAIN_END);
    const key = length < 0 ? rest : rest.slice(0, length);
    if (key === '') {
      const found = rest[0];
      if (found === undefined) return this.#say('a key is missing at the end');
      return this.#say(
        found === '.' || found === '[' ? 'a key is missing' : 'a key must be written in `["…"]`',
      );
    }
    if (key === '*') {
      this.#steps.push(ANY_KEY);
    } else if (key.includes('*')) {
      return this.#say('`*` stands for a whole key; in a key it must be written in `["…"]`');
    } else if (!PLAIN_KEY.test(key)) {
      return this.#say('a key with such characters, or white space at its edge, must be written in `["…"]`');
    } else {
      this.#steps.push({ kind: 'key', key });
    }
    this.#at += key.length;
    return null;
  }

  #say(what: string): string {
    return `${what} (character ${this.#at + 1})`;
  }
}

function parseString(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : null;
  } catch {
    return null;
  }
}

export function parseJsonPath(text: string): JsonPath | PathProblem {
  // Without indices there are only steps.
  return new PathReader(text, false).read() as JsonPath | PathProblem;
}

export function isPathProblem(path: JsonPath | PathProblem): path is PathProblem {
  return 'problem' in path;
}

/** The inverse of formatPlace(); null for what it does not write. */
export function parseJsonPlace(text: string): JsonPlace | null {
  const steps = new PathReader(text, true).read();
  if ('problem' in steps) return null;
  const place: (string | number)[] = [];
  for (const step of steps) {
    if (typeof step === 'number') place.push(step);
    else if (step.kind === 'key') place.push(step.key);
    else return null;
  }
  return place;
}

/** A dot and the key; the very first one has no dot. */
export function formatKey(key: string, isFirst: boolean): string {
  const isPlain = PLAIN_KEY.test(key) && key.isWellFormed() && key !== '$';
  return `${isFirst ? '' : '.'}${isPlain ? key : `[${JSON.stringify(key)}]`}`;
}

export function formatJsonPath(path: JsonPath): string {
  let text = '';
  for (const step of path) {
    if (step.kind === 'element') text += '[]';
    else if (step.kind === 'any_key') text += text === '' ? '*' : '.*';
    else text += formatKey(step.key, text === '');
  }
  return text === '' ? '$' : text;
}

/** Such as `items[3].id`; `$` for the whole body. */
export function formatPlace(place: JsonPlace): string {
  let text = '';
  for (const step of place) {
    text += typeof step === 'number' ? `[${step}]` : formatKey(step, text === '');
  }
  return text === '' ? '$' : text;
}

/** The same for every index, such as `items[].id`: a path that names the place. */
export function formatField(place: JsonPlace): string {
  let text = '';
  for (const step of place) text += typeof step === 'number' ? '[]' : formatKey(step, text === '');
  return text === '' ? '$' : text;
}
