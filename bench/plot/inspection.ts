// Reads a finished plot back and refuses what a reader must never see: a broken file, or one that reaches
// beyond its own picture.
//
// Strict on purpose, and no parser for SVG at large: it knows no more than our plots may use. Must not
// import the writer, or both would share their mistakes.

import assert from 'node:assert/strict';
import { toTextWidth } from './text-layout.ts';

export interface SvgNode {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Unescaped, without that of the nodes in it. */
  readonly text: string;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };
const TAG = /<(\/?)([a-z]+)((?: [a-z][\w:-]*="[^"<]*")*)(\/?)>/gi;
const PATH = /^M-?[\d.]+ -?[\d.]+(L-?[\d.]+ -?[\d.]+)*Z?$/;
const ANCHORS: Readonly<Record<string, number>> = { start: 0, middle: 0.5, end: 1 };

function unescapeText(text: string): string {
  assert.doesNotMatch(text, /[<>]|&(?!(?:amp|lt|gt|quot);)/);
  assert.doesNotMatch(text, /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
  assert.ok(text.isWellFormed());
  return text.replaceAll(/&(\w+);/g, (_, name: string) => ENTITIES[name]!);
}

function parseAttributes(written: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, key, value] of written.matchAll(/ ([\w:-]+)="([^"]*)"/g)) {
    assert.ok(!Object.hasOwn(attributes, key!), `${key} stands twice`);
    attributes[key!] = unescapeText(value!);
  }
  return attributes;
}

/** All elements in the order of their beginning. Throws an AssertionError for what is not well-formed. */
export function parseSvg(svg: string): SvgNode[] {
  const nodes: { name: string; attributes: Record<string, string>; text: string }[] = [];
  const open: (typeof nodes)[number][] = [];
  let at = 0;
  for (const tag of svg.matchAll(TAG)) {
    const [whole, close, name, attributes, empty] = tag as unknown as [
      string,
      string,
      string,
      string,
      string,
    ];
    const between = unescapeText(svg.slice(at, tag.index));
    if (open.length > 0) open.at(-1)!.text += between;
    at = tag.index + whole.length;
    if (close === '/') {
      assert.equal(open.pop()?.name, name);
      continue;
    }
    assert.ok(open.length > 0 || nodes.length === 0, 'a second root');
    const node = { name, attributes: parseAttributes(attributes), text: '' };
    nodes.push(node);
    if (empty === '') open.push(node);
  }
  assert.equal(open.length, 0, 'an element is not closed');
  assert.equal(svg.slice(at), '\n');
  assert.equal(nodes[0]?.name, 'svg');
  return nodes;
}

function toNumber(text: string | undefined): number {
  assert.match(text ?? '', /^-?\d+(\.\d{1,2})?$/);
  return Number(text);
}

/** What a node covers, without the width of its line; null for one that draws nothing itself. */
export function toBox({ name, attributes, text }: SvgNode): Box | null {
  const read = (key: string): number => toNumber(attributes[key]);
  if (name === 'svg' || name === 'title') return null;
  if (name === 'rect') {
    assert.ok(read('width') >= 0 && read('height') >= 0);
    const [left, top] = [read('x'), read('y')];
    return { left, top, right: left + read('width'), bottom: top + read('height') };
  }
  if (name === 'text') {
    const width = toTextWidth(text, read('font-size'), attributes['font-weight'] !== undefined);
    const left = read('x') - width * ANCHORS[attributes['text-anchor']!]!;
    return { left, top: read('y') - read('font-size'), right: left + width, bottom: read('y') };
  }
  if (name === 'circle') {
    const [x, y, r] = [read('cx'), read('cy'), read('r')];
    return { left: x - r, top: y - r, right: x + r, bottom: y + r };
  }
  if (name === 'line') return toHull([read('x1'), read('y1'), read('x2'), read('y2')]);
  assert.equal(name, 'path', 'an element that no plot uses');
  assert.match(attributes.d ?? '', PATH);
  return toHull(attributes.d!.match(/-?[\d.]+/g)!.map(toNumber));
}

function toHull(numbers: readonly number[]): Box {
  const xs = numbers.filter((_, index) => index % 2 === 0);
  const ys = numbers.filter((_, index) => index % 2 === 1);
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}

/** The plot's nodes. Throws an AssertionError if it is not well-formed or reaches beyond its viewBox. */
export function inspectSvg(svg: string): SvgNode[] {
  const nodes = parseSvg(svg);
  const [left, top, right, bottom] = nodes[0]!.attributes.viewBox!.split(' ').map(toNumber);
  for (const node of nodes) {
    const box = toBox(node);
    if (box === null) continue;
    const isWithin = box.left >= left! && box.top >= top! && box.right <= right! && box.bottom <= bottom!;
    assert.ok(isWithin, `${node.name} ${JSON.stringify(node.attributes)} "${node.text}" is outside`);
  }
  return nodes;
}

/** Throws an AssertionError if two texts lie on one another. */
export function inspectTexts(nodes: readonly SvgNode[]): void {
  const texts = nodes.filter(({ name }) => name === 'text');
  const boxes = texts.map((node) => toBox(node)!);
  for (const [index, one] of boxes.entries()) {
    for (const [after, other] of boxes.slice(index + 1).entries()) {
      const apartX = one.left >= other.right || other.left >= one.right;
      const apartY = one.top >= other.bottom || other.top >= one.bottom;
      assert.ok(apartX || apartY, `"${texts[index]!.text}" lies on "${texts[index + 1 + after]!.text}"`);
    }
  }
}
