// The head of a request as it goes over the wire (RFC 9112 sections 2 and 3).
//
// Made once for an exchange: the primary gets it, and its copy carries it to the mirror thread.

import { writeLatin1 } from './latin1.ts';

const MEMORY_BYTES = 16 * 1024;
const VERSION = ' HTTP/1.1\r\n';
const SPACE = 0x20;
const COLON = 0x3a;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

/** Bytes of the head's text. */
function toHeadBytes(method: string, target: string, headers: readonly string[]): number {
  // A space after the method, the version, a colon with a space and a line end for each header, and the empty line.
  let bytes = method.length + target.length + VERSION.length + 3 + headers.length * 2;
  for (let at = 0; at < headers.length; at++) bytes += headers[at]!.length;
  return bytes;
}

/** Puts heads together in memory of its own: half the cost of joining their strings. */
export class HeadWriter {
  #memory = Buffer.allocUnsafeSlow(MEMORY_BYTES);

  /** `headers`: flat list of names and values, one byte per character. */
  write(method: string, target: string, headers: readonly string[]): string {
    const bytes = toHeadBytes(method, target, headers);
    if (bytes > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(bytes * 2);
    const memory = this.#memory;
    let at = writeLatin1(memory, method, 0);
    memory[at++] = SPACE;
    at += writeLatin1(memory, target, at);
    at += writeLatin1(memory, VERSION, at);
    for (let index = 0; index < headers.length; index += 2) {
      at += writeLatin1(memory, headers[index]!, at);
      memory[at++] = COLON;
      memory[at++] = SPACE;
      at += writeLatin1(memory, headers[index + 1]!, at);
      memory[at++] = CARRIAGE_RETURN;
      memory[at++] = LINE_FEED;
    }
    memory[at++] = CARRIAGE_RETURN;
    memory[at++] = LINE_FEED;
    return memory.toString('latin1', 0, at);
  }
}

/** A head, taken apart. */
export interface RequestParts {
  readonly method: string;
  readonly target: string;
  /** Flat list of names and values. */
  readonly headers: string[];
}

/** Takes a sound head apart, changing no character. */
export function parseHeadText(headText: string): RequestParts {
  const headers: string[] = [];
  const lineEnd = headText.indexOf('\r\n');
  for (let at = lineEnd + 2; at < headText.length - 2; ) {
    const end = headText.indexOf('\r\n', at);
    const colon = headText.indexOf(': ', at);
    headers.push(headText.slice(at, colon), headText.slice(colon + 2, end));
    at = end + 2;
  }
  return { method: readMethod(headText), target: readTarget(headText), headers };
}

export function readMethod(headText: string): string {
  return headText.slice(0, headText.indexOf(' '));
}

export function readTarget(headText: string): string {
  return headText.slice(headText.indexOf(' ') + 1, headText.indexOf('\r\n') + 2 - VERSION.length);
}

export function setTarget(headText: string, target: string): string {
  return `${readMethod(headText)} ${target}${VERSION}${headText.slice(headText.indexOf('\r\n') + 2)}`;
}

/** First value of that name, in lower case; null without. */
export function findHeadLine(headText: string, name: string): string | null {
  const at = headText.indexOf(`\r\n${name}: `);
  if (at === -1) return null;
  return headText.slice(at + name.length + 4, headText.indexOf('\r\n', at + 2));
}

/** Every value of that name, in lower case. */
export function findHeadLines(headText: string, name: string): string[] {
  const opening = `\r\n${name}: `;
  const values: string[] = [];
  for (let at = headText.indexOf(opening); at !== -1; ) {
    const end = headText.indexOf('\r\n', at + 2);
    values.push(headText.slice(at + opening.length, end));
    at = headText.indexOf(opening, end);
  }
  return values;
}

/** One more header line, the last one. */
export function addHeadLine(headText: string, name: string, value: string): string {
  return `${headText.slice(0, -2)}${name}: ${value}\r\n\r\n`;
}

/** One line of that name stays, in the place of the first one; at the end when there was none. */
export function setHeadLine(headText: string, name: string, value: string): string {
  const at = headText.indexOf(`\r\n${name}: `);
  if (at === -1) return addHeadLine(headText, name, value);
  const end = headText.indexOf('\r\n', at + 2);
  return `${headText.slice(0, at + 2)}${name}: ${value}${removeHeadLines(headText.slice(end), name)}`;
}

/** Every line of that name stays in its place, with another value. */
export function setEachHeadLine(headText: string, name: string, value: string): string {
  return editEachHeadLine(headText, name, () => value);
}

/** Every line of that name stays in its place, with what `edit` makes of its value. */
export function editEachHeadLine(headText: string, name: string, edit: (value: string) => string): string {
  const opening = `\r\n${name}: `;
  let edited = headText;
  for (let at = edited.indexOf(opening); at !== -1; ) {
    const valueAt = at + opening.length;
    const end = edited.indexOf('\r\n', at + 2);
    const value = edited.slice(valueAt, end);
    const next = edit(value);
    if (next !== value) edited = edited.slice(0, valueAt) + next + edited.slice(end);
    at = edited.indexOf(opening, valueAt + next.length);
  }
  return edited;
}

/** Removes every line of that name. */
export function removeHeadLines(headText: string, name: string): string {
  const opening = `\r\n${name}: `;
  let kept = headText;
  for (let at = kept.indexOf(opening); at !== -1; at = kept.indexOf(opening, at)) {
    kept = kept.slice(0, at) + kept.slice(kept.indexOf('\r\n', at + 2));
  }
  return kept;
}
