// Values and comments → YAML in block style, for humans.
//
// Owns the look: two spaces, one key a line, quotes only where YAML or the reading of the environment needs them.

import { stringify } from 'yaml';

/** Controls, and spaces that do not look like one or like nothing. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
/** What JSON leaves as it is. */
const ESCAPED = /[\x7f-\xa0\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff0-\uffff]/g;

export type Value = string | number | boolean | Flow | Block | readonly (Value | Remark)[];

/** A line of its own among the entries of a list. */
export class Remark {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value that is written in one line, such as `[arg_a, "==", "1"]`. */
export class Flow {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

/** Text that reads the environment, written as it is. */
export class Reference {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

interface Entry {
  readonly key: string;
  readonly value: Value | Reference;
  readonly comments: readonly string[];
}

/** A mapping, in the order in which it is put together. */
export class Block {
  readonly #entries: Entry[] = [];
  readonly #comments: string[] = [];

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  get comments(): readonly string[] {
    return this.#comments;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  put(key: string, value: Value | Reference, ...comments: readonly string[]): this {
    this.#entries.push({ key, value, comments });
    return this;
  }

  /** Unless it says what holds without it. */
  putUnless(without: Value, key: string, value: Value): this {
    return value === without ? this : this.put(key, value);
  }

  /** Unless there is nothing in it. */
  putFilled(key: string, value: Block | readonly Value[]): this {
    const isEmpty = value instanceof Block ? value.isEmpty : value.length === 0;
    return isEmpty ? this : this.put(key, value);
  }

  /** Stands before the whole mapping. */
  comment(text: string): this {
    this.#comments.push(text);
    return this;
  }
}

/** Whole lines, with an empty one between sections. */
export function toYamlText(block: Block): string {
  const sections = block.entries.map(({ key, value, comments }) =>
    [...toLines(new Block().put(key, value, ...comments))].join('\n'),
  );
  return `${sections.join('\n\n')}\n`;
}

/** Text from elsewhere may have any character; a comment ends with its line. */
export function toCommentLine(text: string): string {
  return `# ${text.replace(/[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]+/g, ' ')}`.trimEnd();
}

function* toLines(block: Block): Generator<string> {
  for (const { key, value, comments } of block.entries) {
    yield* comments.map(toCommentLine);
    const name = toKey(key);
    if (value instanceof Reference) yield `${name}: ${value.text}`;
    else if (value instanceof Block) {
      yield value.isEmpty ? `${name}: {}` : `${name}:`;
      yield* value.comments.map((comment) => `  ${toCommentLine(comment)}`);
      yield* indent(toLines(value), '  ');
    } else if (isList(value)) {
      yield value.length === 0 ? `${name}: []` : `${name}:`;
      yield* indent(toItems(value), '  ');
    } else yield `${name}: ${toInline(value)}`;
  }
}

function* toItems(list: readonly (Value | Remark)[]): Generator<string> {
  for (const item of list) {
    if (item instanceof Remark) yield toCommentLine(item.text);
    else if (item instanceof Block) {
      yield* item.comments.map(toCommentLine);
      let isFirst = true;
      for (const line of toLines(item)) {
        yield `${isFirst ? '- ' : '  '}${line}`;
        isFirst = false;
      }
    } else if (!isList(item)) yield `- ${toInline(item)}`;
  }
}

function* indent(lines: Iterable<string>, by: string): Generator<string> {
  for (const line of lines) yield `${by}${line}`;
}

function isList(value: Value): value is readonly (Value | Remark)[] {
  return Array.isArray(value);
}

function toInline(value: string | number | boolean | Flow | Block): string {
  return value instanceof Flow ? toFlow(value.value) : toScalar(value);
}

function toFlow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toFlow).join(', ')}]`;
  // Quoted, because of its braces.
  if (value instanceof Reference) return `"${value.text}"`;
  // In a list of its own, because more texts need quotes between brackets.
  return toQuoted(value) ?? toPlain([escapeReferences(value)]).slice(1, -1);
}

/** Keys do not read the environment: nothing in them is escaped for it. */
function toKey(key: string): string {
  return INVISIBLE.test(key) ? toEscaped(key) : toPlain(key);
}

function toScalar(value: unknown): string {
  return toQuoted(value) ?? toPlain(escapeReferences(value));
}

/** Texts that nobody could read without quotes: with line breaks, and whatever else is invisible. */
function toQuoted(value: unknown): string | null {
  if (typeof value !== 'string' || !INVISIBLE.test(value)) return null;
  return toEscaped(escapeReferences(value) as string);
}

function toEscaped(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.replace(ESCAPED, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function toPlain(value: unknown): string {
  // Written out because one line, and the same one every time, is relied on.
  return stringify(value, {
    version: '1.2',
    collectionStyle: Array.isArray(value) ? 'flow' : 'any',
    flowCollectionPadding: false,
    lineWidth: 0,
    blockQuote: false,
    defaultStringType: 'PLAIN',
    defaultKeyType: 'PLAIN',
  }).replace(/\n$/, '');
}

/** `$${` is a literal `${`. */
function escapeReferences(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('${', () => '$${') : value;
}
