// What every plot has around its data: heading, grid, axis titles, legend, labels at the curves' ends.
//
// Owns the sizes of text and the distances between things. Must never look at measured values: it is told
// where they are in pixels.

import { AXIS, type Fill, GRID, MUTED, type Stroke } from './palette.ts';
import { drawElement, drawLine, drawPath, drawText, type Point } from './svg.ts';
import { spreadApart, toTextWidth, toWidest, wrapText } from './text-layout.ts';

export const WIDTH = 860;
/** Between the drawing and the picture's edge. */
export const EDGE = 20;
export const TEXT_SIZE = 12;
/** Below this, the picture grows instead of the data shrinking. */
export const DATA_WIDTH_MIN = 360;

const TITLE_SIZE = 17;
const SUBTITLE_SIZE = 13;
const LABEL_GAP = 17;
const FAN_WIDTH = 26;
const SAMPLE_WIDTH = 30;

/** Where the data lie, in pixels. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Tick {
  /** In pixels along its axis. */
  readonly at: number;
  readonly label: string;
}

export interface CurveEnd extends Point {
  readonly label: string;
  readonly stroke: Stroke;
}

/** Title and subtitle, wrapped; `bottom` is where the next thing may begin. */
export function drawHeading(title: string, subtitle: string, width: number): { svg: string; bottom: number } {
  const room = width - 2 * EDGE;
  const parts: string[] = [];
  let y = EDGE - 4;
  for (const text of wrapText(title, TITLE_SIZE, room, true)) {
    y += 21;
    parts.push(drawText({ x: EDGE, y, text, size: TITLE_SIZE, bold: true }));
  }
  for (const text of wrapText(subtitle, SUBTITLE_SIZE, room)) {
    y += 19;
    parts.push(drawText({ x: EDGE, y, text, size: SUBTITLE_SIZE, fill: MUTED }));
  }
  return { svg: parts.join('\n'), bottom: y + 12 };
}

/** Room that the labels of a vertical axis need to the left of the data. */
export function toTickRoom(labels: readonly string[]): number {
  return EDGE + toWidest(labels, TEXT_SIZE) + 8;
}

export function drawHorizontalGrid(area: Area, ticks: readonly Tick[]): string {
  return ticks
    .flatMap(({ at, label }) => [
      drawLine({ x: area.left, y: at }, { x: area.right, y: at }, { stroke: GRID }),
      drawText({ x: area.left - 8, y: at + 4, text: label, size: TEXT_SIZE, fill: MUTED, anchor: 'end' }),
    ])
    .join('\n');
}

export function drawVerticalGrid(area: Area, ticks: readonly Tick[]): string {
  return ticks
    .flatMap(({ at, label }) => [
      drawLine({ x: at, y: area.top }, { x: at, y: area.bottom }, { stroke: GRID }),
      drawText({ x: at, y: area.bottom + 18, text: label, size: TEXT_SIZE, fill: MUTED, anchor: 'middle' }),
    ])
    .join('\n');
}

/** Drawn after the grid, so that it lies on it. */
export function drawBaseline(from: Point, to: Point): string {
  return drawLine(from, to, { stroke: AXIS, 'stroke-width': 1.2 });
}

/** Below the tick labels; `AXIS_ROOM` is what both need. */
export const AXIS_ROOM = 44;
export function drawHorizontalTitle(area: Area, text: string): string {
  return drawText({ x: area.left, y: area.bottom + 38, text, size: TEXT_SIZE, fill: MUTED });
}

/** Above the axis and not turned, because turned text is hard to read; `TITLE_ROOM` is what it needs. */
export const TITLE_ROOM = 24;
export function drawVerticalTitle(top: number, text: string): string {
  return drawText({ x: EDGE, y: top + 12, text, size: TEXT_SIZE, fill: MUTED });
}

/** Swatches with names in rows; takes no room if there are none. */
export function drawLegend(
  entries: readonly { readonly name: string; readonly fill: Fill }[],
  left: number,
  top: number,
  width: number,
): { svg: string; bottom: number } {
  if (entries.length === 0) return { svg: '', bottom: top };
  const parts: string[] = [];
  let [x, y] = [left, top + 12];
  for (const { name, fill } of entries) {
    const room = 20 + toTextWidth(name, TEXT_SIZE);
    if (x > left && x + room > left + width) {
      x = left;
      y += 20;
    }
    parts.push(drawElement('rect', { x, y: y - 11, width: 13, height: 13, fill: fill.fill }));
    parts.push(drawText({ x: x + 20, y, text: name, size: TEXT_SIZE }));
    x += room + 20;
  }
  return { svg: parts.join('\n'), bottom: y + 12 };
}

/** The name says enough alone if it holds the group's. */
export function toLabel(series: { readonly name: string; readonly group: string }): string {
  return series.name.includes(series.group) ? series.name : `${series.group}, ${series.name}`;
}

/** Room to the right of the data for the labels of the curves. */
export function toEndRoom(labels: readonly string[]): number {
  return FAN_WIDTH + SAMPLE_WIDTH + 8 + toWidest(labels, TEXT_SIZE) + EDGE;
}

/** Height that the labels of so many curves need. */
export function toEndHeight(count: number): number {
  return count * LABEL_GAP;
}

/** A sample of each line with its name, level with the curve's end where there is room and tied to it. */
export function drawEndLabels(area: Area, ends: readonly CurveEnd[]): string {
  const sorted = ends.toSorted((a, b) => a.y - b.y);
  const places = spreadApart(
    sorted.map(({ y }) => y),
    LABEL_GAP,
    area.top + LABEL_GAP / 2,
    area.bottom - LABEL_GAP / 2,
  );
  const left = area.right + FAN_WIDTH;
  return sorted
    .flatMap(({ x, y, label, stroke }, index) => {
      const place = places[index]!;
      const tie = [
        { x, y },
        { x: area.right + 4, y },
        { x: left - 4, y: place },
      ];
      return [
        drawPath(tie, {
          fill: 'none',
          stroke: AXIS,
          'stroke-width': 0.8,
          'stroke-dasharray': '1 3',
        }),
        drawSample({ x: left, y: place }, stroke),
        drawText({ x: left + SAMPLE_WIDTH + 8, y: place + 4, text: label, size: TEXT_SIZE }),
      ];
    })
    .join('\n');
}

function drawSample(at: Point, stroke: Stroke): string {
  return drawLine(at, { x: at.x + SAMPLE_WIDTH, y: at.y }, toStrokeAttributes(stroke));
}

export function drawCurve(points: readonly Point[], stroke: Stroke): string {
  return drawPath(points, { fill: 'none', 'stroke-linejoin': 'round', ...toStrokeAttributes(stroke) });
}

function toStrokeAttributes(stroke: Stroke): Record<string, string | number> {
  const { 'stroke-dasharray': dashes, ...solid } = stroke;
  return dashes === '' ? solid : { ...solid, 'stroke-dasharray': dashes };
}
