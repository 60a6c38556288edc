// Horizontal bars from zero, in the order given: what one request costs each gateway.
//
// Must never cut the axis, since a bar's length is its value, nor stack parts that are more than the whole.

import { createLinearScale, type Scale, toLinearTicks } from './axis.ts';
import {
  type Area,
  AXIS_ROOM,
  DATA_WIDTH_MIN,
  drawBaseline,
  drawHeading,
  drawHorizontalTitle,
  drawLegend,
  drawVerticalGrid,
  EDGE,
  TEXT_SIZE,
  WIDTH,
} from './frame.ts';
import { BACKGROUND, type Fill, MUTED, REST_FILL, toFill, WHOLE_FILL } from './palette.ts';
import { toShortTick, toShortValue } from './short-number.ts';
import { drawElement, drawText, toSvg } from './svg.ts';
import { toTextWidth, toWidest } from './text-layout.ts';

export interface BarPart {
  readonly name: string;
  readonly value: number;
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** From zero on; what they leave of the value is drawn as the rest. */
  readonly parts?: readonly BarPart[] | undefined;
  /** Follows the value, say its spread. */
  readonly note?: string | undefined;
}

export interface BarPlot {
  readonly title: string;
  readonly subtitle: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

const BAR_HEIGHT = 24;
const BAR_PITCH = 36;
/** Parts are medians of their own, and medians need not add up: so much too much is rounding. */
const EXCESS_MAX = 0.05;
/** A rest below this share of the bar is not worth a colour. */
const REST_MIN = 0.005;

/** Throws a RangeError if there is no bar, or a value that has no length. */
export function plotBars(plot: BarPlot): string {
  if (plot.bars.length === 0) throw new RangeError('a bar plot of nothing: no bars');
  plot.bars.forEach(checkBar);
  const names = plot.bars.map(({ name }) => name);
  const left = EDGE + toWidest(names, TEXT_SIZE) + 10;
  const longest = Math.max(...plot.bars.map(toLength)) || 1;
  const right = toRight(left, longest, plot.bars);
  const x = createLinearScale({ low: 0, high: longest }, left, right);
  const width = Math.max(WIDTH, ...plot.bars.map((bar) => x(toLength(bar)) + toEndWidth(bar) + EDGE));
  const fills = toFills(plot.bars);
  const heading = drawHeading(plot.title, plot.subtitle, width);
  const entries = [...fills].map(([name, fill]) => ({ name, fill }));
  if (fills.size > 0 && !plot.bars.every(isDivided)) entries.push({ name: 'undivided', fill: WHOLE_FILL });
  if (plot.bars.some(hasRest)) entries.push({ name: 'rest', fill: REST_FILL });
  const legend = drawLegend(entries, EDGE, heading.bottom, width - 2 * EDGE);
  const top = legend.bottom + 4;
  const area = { left, top, right, bottom: top + plot.bars.length * BAR_PITCH };
  const ticks = toLinearTicks({ low: 0, high: longest }, Math.floor((right - left) / 70));
  return toSvg(width, area.bottom + AXIS_ROOM + EDGE / 2, plot.title, [
    heading.svg,
    legend.svg,
    drawVerticalGrid(
      area,
      ticks.map((value) => ({ at: x(value), label: toShortTick(value) })),
    ),
    ...plot.bars.map((bar, index) => drawBar(bar, index, area, x, fills)),
    drawBaseline({ x: area.left, y: area.top }, { x: area.left, y: area.bottom }),
    drawHorizontalTitle(area, plot.unit),
  ]);
}

function checkBar(bar: Bar): void {
  const parts = bar.parts ?? [];
  for (const value of [bar.value, ...parts.map((part) => part.value)]) {
    if (!(value >= 0 && Number.isFinite(value))) {
      throw new RangeError(`bar "${bar.name}" has a value that is no length: ${value}`);
    }
  }
  if (sumParts(bar) > bar.value * (1 + EXCESS_MAX)) {
    throw new RangeError(`bar "${bar.name}" has parts that are more than the whole`);
  }
}

function sumParts(bar: Bar): number {
  return (bar.parts ?? []).reduce((sum, part) => sum + part.value, 0);
}

function toLength(bar: Bar): number {
  return Math.max(bar.value, sumParts(bar));
}

/** As far as what stands behind each bar lets the longest one reach. */
function toRight(left: number, longest: number, bars: readonly Bar[]): number {
  const limits = bars
    .filter((bar) => toLength(bar) > 0)
    .map((bar) => left + ((WIDTH - EDGE - toEndWidth(bar) - left) * longest) / toLength(bar));
  return Math.max(left + DATA_WIDTH_MIN, Math.min(WIDTH - 2 * EDGE, ...limits));
}

function isDivided(bar: Bar): boolean {
  return bar.parts !== undefined && bar.parts.length > 0;
}

function hasRest(bar: Bar): boolean {
  return isDivided(bar) && bar.value - sumParts(bar) > bar.value * REST_MIN;
}

/** Parts of the same name have the same colour in every bar. */
function toFills(bars: readonly Bar[]): Map<string, Fill> {
  const names = new Set(bars.flatMap((bar) => (bar.parts ?? []).map((part) => part.name)));
  return new Map([...names].map((name, rank) => [name, toFill(rank)]));
}

function toEndWidth(bar: Bar): number {
  const note = bar.note === undefined ? 0 : 8 + toTextWidth(bar.note, TEXT_SIZE);
  return 8 + toTextWidth(toShortValue(bar.value), TEXT_SIZE, true) + note;
}

function drawBar(bar: Bar, index: number, area: Area, x: Scale, fills: ReadonlyMap<string, Fill>): string {
  const top = area.top + index * BAR_PITCH + (BAR_PITCH - BAR_HEIGHT) / 2;
  const baseline = top + BAR_HEIGHT / 2 + 4;
  const parts = bar.parts ?? [];
  const text = toShortValue(bar.value);
  const end = x(toLength(bar)) + 8;
  // Where bars have parts, the first part's colour would say that this bar is all of that part.
  const plain = fills.size === 0 ? toFill(0) : WHOLE_FILL;
  const drawn = [
    drawText({ x: area.left - 10, y: baseline, text: bar.name, size: TEXT_SIZE, anchor: 'end' }),
    drawStretch(x(0), x(bar.value), top, isDivided(bar) ? REST_FILL : plain),
    ...drawParts(parts, top, x, fills),
    drawText({ x: end, y: baseline, text, size: TEXT_SIZE, bold: true, halo: true }),
  ];
  if (bar.note !== undefined) {
    const after = end + toTextWidth(text, TEXT_SIZE, true) + 8;
    drawn.push(drawText({ x: after, y: baseline, text: bar.note, size: TEXT_SIZE, fill: MUTED, halo: true }));
  }
  return drawn.join('\n');
}

/** With its value in it where that fits. */
function drawParts(
  parts: readonly BarPart[],
  top: number,
  x: Scale,
  fills: ReadonlyMap<string, Fill>,
): string[] {
  let begun = 0;
  return parts.flatMap(({ name, value }) => {
    const [from, to] = [x(begun), x(begun + value)];
    begun += value;
    const fill = fills.get(name)!;
    const text = toShortValue(value);
    const stretch = drawStretch(from, to, top, fill);
    if (to - from < toTextWidth(text, TEXT_SIZE) + 12) return [stretch];
    const at = { x: (from + to) / 2, y: top + BAR_HEIGHT / 2 + 4 };
    return [stretch, drawText({ ...at, text, size: TEXT_SIZE, fill: fill.ink, anchor: 'middle' })];
  });
}

/** The thin rim keeps neighbours apart whose colours look alike to someone. */
function drawStretch(from: number, to: number, top: number, { fill }: Fill): string {
  const place = { x: from, y: top, width: to - from, height: BAR_HEIGHT };
  return drawElement('rect', { ...place, fill, stroke: BACKGROUND, 'stroke-width': 0.8 });
}
