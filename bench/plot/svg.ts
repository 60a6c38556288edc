// Writes SVG as text: elements, escaped text, the page around them.
//
// Owns escaping and the form of numbers, so that the same drawing is always the same bytes. Must never emit
// a script, a link, a style sheet or anything that a viewer would have to fetch.

import { BACKGROUND, INK } from './palette.ts';
import { toShownText } from './text-layout.ts';

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

export type Attributes = Readonly<Record<string, string | number>>;

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface TextAttributes {
  readonly x: number;
  /** Of the baseline. */
  readonly y: number;
  readonly text: string;
  readonly size: number;
  readonly fill?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly bold?: boolean;
  /** A rim in the background's colour, for text that may lie on a curve. */
  readonly halo?: boolean;
}

export function escapeText(text: string): string {
  return toShownText(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** Hundredths of a pixel are finer than any screen. A coordinate that is no number is our mistake. */
export function toCoordinate(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`a coordinate must be finite, not ${value}`);
  return String(Math.round(value * 100) / 100 + 0);
}

/** `children` are markup already: only text passes through `drawText`. */
export function drawElement(name: string, attributes: Attributes, ...children: string[]): string {
  const written = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === 'number' ? toCoordinate(value) : escapeText(value)}"`,
  );
  const open = `<${name}${written.join('')}`;
  return children.length === 0 ? `${open}/>` : `${open}>${children.join('')}</${name}>`;
}

export function drawText(attributes: TextAttributes): string {
  const { x, y, text, size, fill = INK, anchor = 'start', bold = false, halo = false } = attributes;
  return drawElement(
    'text',
    {
      x,
      y,
      'font-size': size,
      fill,
      'text-anchor': anchor,
      ...(bold ? { 'font-weight': '600' } : {}),
      ...(halo ? { stroke: BACKGROUND, 'stroke-width': 4, 'paint-order': 'stroke' } : {}),
    },
    escapeText(text),
  );
}

export function drawLine(from: Point, to: Point, attributes: Attributes): string {
  return drawElement('line', { x1: from.x, y1: from.y, x2: to.x, y2: to.y, ...attributes });
}

export function drawPath(points: readonly Point[], attributes: Attributes, closed = false): string {
  const steps = points.map(
    ({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${toCoordinate(x)} ${toCoordinate(y)}`,
  );
  return drawElement('path', { d: steps.join('') + (closed ? 'Z' : ''), ...attributes });
}

/** The whole file. The background is ours: on a dark page, the dark text would vanish. */
export function toSvg(width: number, height: number, title: string, parts: readonly string[]): string {
  const size = { width: Math.ceil(width), height: Math.ceil(height) };
  return `${drawElement(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      ...size,
      viewBox: `0 0 ${size.width} ${size.height}`,
      role: 'img',
      'font-family': FONT,
    },
    `\n${drawElement('title', {}, escapeText(title))}\n`,
    `${drawElement('rect', { x: 0, y: 0, ...size, fill: BACKGROUND })}\n`,
    `${parts.filter((part) => part !== '').join('\n')}\n`,
  )}\n`;
}
