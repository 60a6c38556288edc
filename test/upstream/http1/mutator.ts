// Changes to a message's text: one at a time, most of them where a parser looks.

import type { Random } from './random.ts';

/** Bytes that mean something to some parser. */
const TELLING = '\r\n\t\v\f \0:;,="0129afAFgGxX+-.\x01\x1b\x7f\x80\x85\xa0\xff';
const SNIPPETS = [
  '\r\n',
  '\r\n\r\n',
  '\r\n ',
  '\n\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 1\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Connection: close\r\n',
  '0\r\n\r\n',
  '5\r\nhello\r\n',
  ' ',
  '\0',
];

type Mutation = (text: string, random: Random) => string;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  replaceByte,
  replaceByte,
  insertByte,
  insertByte,
  deleteByte,
  deleteByte,
  insertSnippet,
  duplicateLine,
  dropLine,
  swapLines,
  changeLineEnd,
  changeLineEnd,
  changeNumber,
  changeNumber,
  truncate,
  append,
  repeatSlice,
  changeCase,
];

export function mutate(text: string, random: Random): string {
  return random.pick(MUTATIONS)(text, random);
}

/** Somewhere; two times in three within the head, where there is more to break. */
function toPlace(text: string, random: Random): number {
  const head = text.indexOf('\r\n\r\n');
  const limit = head > 0 && !random.once(3) ? head + 4 : text.length;
  return random.below(limit + 1);
}

function splice(text: string, at: number, removed: number, added: string): string {
  return text.slice(0, at) + added + text.slice(at + removed);
}

function flipBit(text: string, random: Random): string {
  const at = toPlace(text, random);
  if (at >= text.length) return text;
  return splice(text, at, 1, String.fromCharCode(text.charCodeAt(at) ^ (1 << random.below(8))));
}

function replaceByte(text: string, random: Random): string {
  const at = toPlace(text, random);
  const byte = random.once(4) ? String.fromCharCode(random.below(256)) : random.pick(TELLING.split(''));
  return splice(text, at, 1, byte);
}

function insertByte(text: string, random: Random): string {
  return splice(text, toPlace(text, random), 0, random.pick(TELLING.split('')));
}

function deleteByte(text: string, random: Random): string {
  return splice(text, toPlace(text, random), 1 + (random.once(4) ? random.below(6) : 0), '');
}

function insertSnippet(text: string, random: Random): string {
  const line = text.indexOf('\n', toPlace(text, random));
  const at = random.once(2) && line !== -1 ? line + 1 : toPlace(text, random);
  return splice(text, at, 0, random.pick(SNIPPETS));
}

function changeLines(text: string, change: (lines: string[]) => void): string {
  const lines = text.split('\r\n');
  change(lines);
  return lines.join('\r\n');
}

function duplicateLine(text: string, random: Random): string {
  return changeLines(text, (lines) => {
    lines.splice(random.below(lines.length), 0, random.pick(lines));
  });
}

function dropLine(text: string, random: Random): string {
  return changeLines(text, (lines) => {
    lines.splice(random.below(lines.length), 1);
  });
}

function swapLines(text: string, random: Random): string {
  return changeLines(text, (lines) => {
    const one = random.below(lines.length);
    const other = random.below(lines.length);
    [lines[one], lines[other]] = [lines[other]!, lines[one]!];
  });
}

function changeLineEnd(text: string, random: Random): string {
  const end = text.indexOf('\r\n', toPlace(text, random));
  if (end === -1) return text;
  return splice(text, end, 2, random.pick(['\n', '\r', '\n\r', '\r\r\n', '\r\n\n', '\r\n\t', '\r \n', '']));
}

/** A length, a size, a status or a version. */
function changeNumber(text: string, random: Random): string {
  const numbers = [...text.matchAll(/\d+/g)];
  if (numbers.length === 0) return text;
  const { index, 0: digits } = random.pick(numbers);
  const value = Number(digits);
  const others = [
    value + 1,
    Math.max(0, value - 1),
    value * 10,
    `0${digits}`,
    `${digits}0`,
    '',
    '0',
    `${digits} `,
  ];
  return splice(text, index, digits.length, String(random.pick(others)));
}

function truncate(text: string, random: Random): string {
  return text.slice(0, random.below(text.length + 1));
}

function append(text: string, random: Random): string {
  return text + (random.once(2) ? random.pick(SNIPPETS) : random.text(TELLING, 3));
}

function repeatSlice(text: string, random: Random): string {
  const at = toPlace(text, random);
  return splice(text, at, 0, text.slice(at, at + 1 + random.below(12)));
}

function changeCase(text: string, random: Random): string {
  const at = toPlace(text, random);
  const part = text.slice(at, at + 8);
  return splice(text, at, part.length, random.once(2) ? part.toUpperCase() : part.toLowerCase());
}
