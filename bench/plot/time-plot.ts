// Curves over time with marked moments: what happens to the traffic when a shadow dies and comes back.
//
// The value axis begins at zero, so that a dip is as deep as it was. Must never smooth or join over values:
// every point given is drawn.

import { createLinearScale, type Range, toLinearTicks, toZeroDomain } from './axis.ts';
import {
  type Area,
  AXIS_ROOM,
  DATA_WIDTH_MIN,
  drawBaseline,
  drawCurve,
  drawEndLabels,
  drawHeading,
  drawHorizontalGrid,
  drawHorizontalTitle,
  drawVerticalGrid,
  drawVerticalTitle,
  EDGE,
  TEXT_SIZE,
  TITLE_ROOM,
  toEndHeight,
  toEndRoom,
  toLabel,
  toTickRoom,
  WIDTH,
} from './frame.ts';
import { INK, toStrokes } from './palette.ts';
import { toShortTick } from './short-number.ts';
import { drawLine, drawText, toSvg } from './svg.ts';
import { toTextWidth } from './text-layout.ts';

export interface TimePoint {
  readonly atSeconds: number;
  readonly value: number;
}

export interface TimeSeries {
  /** The same name in two groups gets the same dash. */
  readonly name: string;
  /** Curves of one group share a hue. */
  readonly group: string;
  /** In any order. */
  readonly points: readonly TimePoint[];
}

export interface TimeMark {
  readonly atSeconds: number;
  readonly label: string;
}

export interface TimePlot {
  readonly title: string;
  readonly subtitle: string;
  readonly unit: string;
  readonly series: readonly TimeSeries[];
  readonly marks: readonly TimeMark[];
}

const DATA_HEIGHT = 300;
const LANE_HEIGHT = 18;
const VALUE_STEPS_MAX = 6;

/** Throws a RangeError if there is no series, one without points, or a value below zero or no number. */
export function plotTimeline(plot: TimePlot): string {
  if (plot.series.length === 0) throw new RangeError('a timeline of nothing: no series');
  plot.series.forEach(checkSeries);
  checkMarks(plot.marks);
  const labels = plot.series.map(toLabel);
  const seconds = toSecondsDomain(plot);
  const values = toZeroDomain(
    plot.series.reduce(
      (high, { points }) => points.reduce((most, { value }) => Math.max(most, value), high),
      0,
    ),
    VALUE_STEPS_MAX,
  );
  const valueTicks = toLinearTicks(values, VALUE_STEPS_MAX);
  const left = toTickRoom(valueTicks.map(toShortTick));
  const right = toRight(left, seconds, labels, plot.marks);
  const marks = layMarks(plot.marks, createLinearScale(seconds, left, right));
  const width = Math.max(right + toEndRoom(labels), ...marks.map((mark) => mark.end + EDGE));
  const heading = drawHeading(plot.title, plot.subtitle, width);
  const lanes = Math.max(0, ...marks.map((mark) => mark.lane + 1));
  const top = heading.bottom + TITLE_ROOM + lanes * LANE_HEIGHT;
  const area = { left, top, right, bottom: top + Math.max(DATA_HEIGHT, toEndHeight(labels.length)) };
  const y = createLinearScale(values, area.bottom, area.top);
  return toSvg(width, area.bottom + AXIS_ROOM + EDGE / 2, plot.title, [
    heading.svg,
    drawVerticalTitle(heading.bottom, plot.unit),
    drawHorizontalGrid(
      area,
      valueTicks.map((value) => ({ at: y(value), label: toShortTick(value) })),
    ),
    drawSeconds(area, seconds),
    drawBaseline({ x: area.left, y: area.bottom }, { x: area.right, y: area.bottom }),
    drawHorizontalTitle(area, 'time (s)'),
    drawMarks(area, marks, lanes),
    drawSeries(area, plot.series, seconds, values),
  ]);
}

function checkSeries(series: TimeSeries): void {
  if (series.points.length === 0) throw new RangeError(`series "${toLabel(series)}" is empty`);
  for (const { atSeconds, value } of series.points) {
    if (Number.isFinite(atSeconds) && Number.isFinite(value) && value >= 0) continue;
    throw new RangeError(
      `series "${toLabel(series)}" has a point that cannot be drawn: ${value} at ${atSeconds} s`,
    );
  }
}

function checkMarks(marks: readonly TimeMark[]): void {
  const mark = marks.find(({ atSeconds }) => !Number.isFinite(atSeconds));
  if (mark !== undefined) throw new RangeError(`mark "${mark.label}" is at no time: ${mark.atSeconds}`);
}

/** From the first to the last moment that is shown, marks included; never empty. */
function toSecondsDomain({ series, marks }: TimePlot): Range {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { atSeconds } of [...series.flatMap(({ points }) => points), ...marks]) {
    low = Math.min(low, atSeconds);
    high = Math.max(high, atSeconds);
  }
  return high > low ? { low, high } : { low, high: low + 1 };
}

/** As far as the curves' labels let the data reach; the marks' texts may stand above those labels. */
function toRight(
  left: number,
  seconds: Range,
  labels: readonly string[],
  marks: readonly TimeMark[],
): number {
  const end = WIDTH - toEndRoom(labels);
  const span = seconds.high - seconds.low;
  const limits = marks.map(({ atSeconds, label }) => {
    const share = (atSeconds - seconds.low) / span;
    return share === 0 ? end : left + (WIDTH - EDGE - toTextWidth(label, TEXT_SIZE) - 6 - left) / share;
  });
  return Math.max(left + DATA_WIDTH_MIN, Math.min(end, ...limits));
}

interface LaidMark {
  readonly x: number;
  /** Where its text ends, in pixels. */
  readonly end: number;
  /** From the top. */
  readonly lane: number;
  readonly label: string;
}

/** A text stands to the right of its line. A later line that would cross it begins in a lane below. */
function layMarks(marks: readonly TimeMark[], x: (seconds: number) => number): LaidMark[] {
  const laid: LaidMark[] = [];
  for (const { atSeconds, label } of marks.toSorted((a, b) => a.atSeconds - b.atSeconds)) {
    const at = x(atSeconds);
    const crossed = laid.filter((mark) => mark.end + 6 > at).map((mark) => mark.lane + 1);
    laid.push({ x: at, end: at + 6 + toTextWidth(label, TEXT_SIZE), lane: Math.max(0, ...crossed), label });
  }
  return laid;
}

function drawMarks(area: Area, marks: readonly LaidMark[], lanes: number): string {
  return marks
    .flatMap(({ x, lane, label }) => {
      const top = area.top - (lanes - lane) * LANE_HEIGHT;
      return [
        drawLine({ x, y: top }, { x, y: area.bottom }, { stroke: INK, 'stroke-dasharray': '4 3' }),
        drawText({ x: x + 6, y: top + 11, text: label, size: TEXT_SIZE }),
      ];
    })
    .join('\n');
}

function drawSeconds(area: Area, seconds: Range): string {
  const x = createLinearScale(seconds, area.left, area.right);
  const ticks = toLinearTicks(seconds, Math.floor((area.right - area.left) / 70));
  return drawVerticalGrid(
    area,
    ticks.map((second) => ({ at: x(second), label: String(second) })),
  );
}

function drawSeries(area: Area, series: readonly TimeSeries[], seconds: Range, values: Range): string {
  const x = createLinearScale(seconds, area.left, area.right);
  const y = createLinearScale(values, area.bottom, area.top);
  const strokes = toStrokes(series);
  const lines = series.map(({ points }) =>
    points
      .toSorted((a, b) => a.atSeconds - b.atSeconds)
      .map(({ atSeconds, value }) => ({ x: x(atSeconds), y: y(value) })),
  );
  const ends = lines.map((line, index) => ({
    ...line.at(-1)!,
    label: toLabel(series[index]!),
    stroke: strokes[index]!,
  }));
  return [drawEndLabels(area, ends), ...lines.map((line, index) => drawCurve(line, strokes[index]!))].join(
    '\n',
  );
}
