// Latency percentile curves: the tail at the same width as the middle, microseconds next to seconds.
//
// Every drawn point is a measured value (nearest rank). A curve ends where too few answers are left to speak
// of, or where requests were given up; it must never be drawn past that bound as if they had been answered.

import {
  createLinearScale,
  createLogScale,
  type Scale,
  toLogDomain,
  toLogTicks,
  toNinesTicks,
} from './axis.ts';
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
import { MUTED, type Stroke, toStrokes } from './palette.ts';
import { toShortDuration } from './short-number.ts';
import { drawElement, drawPath, drawText, type Point, toSvg } from './svg.ts';
import { spreadApart, toTextWidth } from './text-layout.ts';

export interface PercentileSeries {
  /** The state that was measured: the same name in two groups gets the same dash. */
  readonly name: string;
  /** The gateway: its curves share a hue. */
  readonly group: string;
  /** In any order. */
  readonly latenciesUs: Float64Array;
  /** Values from here on mean that there was no answer until then. */
  readonly censoredAtUs?: number | undefined;
}

export interface PercentilePlot {
  readonly title: string;
  readonly subtitle: string;
  readonly series: readonly PercentileSeries[];
}

export interface Curve {
  /** Ascending; the last one of a censored curve is at the bound. */
  readonly points: readonly { readonly nines: number; readonly us: number }[];
  /** Null if every request was answered. */
  readonly censoredAtUs: number | null;
}

/** A percentile that rests on fewer requests beyond it is chance. */
const BEYOND_MIN = 10;
/** About two pixels. */
const NINES_STEP = 0.02;
const DATA_HEIGHT = 380;
/** Above the bound, for arrow and label. */
const CENSORED_HEADROOM = 1.6;
const ARROW_HEIGHT = 9;

/** Throws a RangeError for no values, and for values that a logarithm cannot show. */
export function toCurve(series: PercentileSeries): Curve {
  const sorted = series.latenciesUs.toSorted();
  const bound = series.censoredAtUs ?? Number.POSITIVE_INFINITY;
  if (sorted.length === 0) throw new RangeError(`series "${toLabel(series)}" is empty`);
  // NaN sorts last and fails the comparison; infinity needs a bound before it.
  if (!(sorted[0]! > 0 && bound > 0 && Math.min(sorted.at(-1)!, bound) < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`series "${toLabel(series)}" has a latency that is not above zero and finite`);
  }
  const count = sorted.length;
  const first = sorted.findIndex((us) => us >= bound);
  const answered = first === -1 ? count : first;
  const isCensored = answered < count;
  // Requests that were given up are shown however few they are.
  const end = isCensored
    ? Math.log10(count / (count - answered))
    : Math.log10(Math.max(2, count / BEYOND_MIN));
  const points = answered === 0 ? [] : samplePercentiles(sorted, answered, end);
  if (isCensored) points.push({ nines: end, us: bound });
  return { points, censoredAtUs: isCensored ? bound : null };
}

function samplePercentiles(
  sorted: Float64Array,
  answered: number,
  end: number,
): { nines: number; us: number }[] {
  const points: { nines: number; us: number }[] = [];
  const steps = Math.ceil(end / NINES_STEP);
  for (let step = 0; step <= steps; step++) {
    const nines = Math.min(end, step * NINES_STEP);
    const beyond = Math.floor(sorted.length * 10 ** -nines + 1e-6);
    const rank = Math.min(answered, Math.max(1, sorted.length - beyond));
    const us = sorted[rank - 1]!;
    // A flat stretch needs its two ends only.
    if (points.at(-1)?.us === us && points.at(-2)?.us === us) points.pop();
    points.push({ nines, us });
  }
  return points;
}

interface Scales {
  readonly x: Scale;
  readonly y: Scale;
}

/** Throws a RangeError if there is no series, or one that `toCurve` refuses. */
export function plotPercentiles(plot: PercentilePlot): string {
  if (plot.series.length === 0) throw new RangeError('a percentile plot of nothing: no series');
  const curves = plot.series.map(toCurve);
  const strokes = toStrokes(plot.series);
  const labels = plot.series.map(toLabel);
  const values = curves.flatMap((curve) => curve.points.map(({ us }) => us));
  const censored = curves.some((curve) => curve.censoredAtUs !== null);
  const domain = toLogDomain(Math.min(...values), Math.max(...values) * (censored ? CENSORED_HEADROOM : 1));
  const height = Math.max(DATA_HEIGHT, toEndHeight(curves.length));
  const latencies = toLogTicks(domain, height);
  const left = toTickRoom(latencies.map(toShortDuration));
  const width = Math.max(WIDTH, left + DATA_WIDTH_MIN + toEndRoom(labels));
  const heading = drawHeading(plot.title, plot.subtitle, width);
  const top = heading.bottom + TITLE_ROOM;
  const area = { left, top, right: width - toEndRoom(labels), bottom: top + height };
  const ninesMax = Math.max(1, ...curves.map((curve) => curve.points.at(-1)!.nines));
  const x = createLinearScale({ low: 0, high: ninesMax }, area.left, area.right);
  const y = createLogScale(domain, area.bottom, area.top);
  return toSvg(width, area.bottom + AXIS_ROOM + EDGE / 2, plot.title, [
    heading.svg,
    drawVerticalTitle(heading.bottom, 'latency (log scale)'),
    drawVerticalGrid(
      area,
      toNinesTicks(ninesMax).map(({ nines, label }) => ({ at: x(nines), label })),
    ),
    drawHorizontalGrid(
      area,
      latencies.map((us) => ({ at: y(us), label: toShortDuration(us) })),
    ),
    drawBaseline({ x: area.left, y: area.bottom }, { x: area.right, y: area.bottom }),
    drawHorizontalTitle(area, 'percentile of requests (90, 99, 99.9: one in 10, 100, 1,000 took longer)'),
    ...drawCurves(area, { x, y }, curves, strokes, labels),
  ]);
}

function drawCurves(
  area: Area,
  { x, y }: Scales,
  curves: readonly Curve[],
  strokes: readonly Stroke[],
  labels: readonly string[],
): string[] {
  const lines = curves.map(({ points }) => points.map(({ nines, us }) => ({ x: x(nines), y: y(us) })));
  const ends = lines.map((line, index) => ({
    ...line.at(-1)!,
    label: labels[index]!,
    stroke: strokes[index]!,
  }));
  const bounds = curves.map((curve) => curve.censoredAtUs);
  return [
    drawEndLabels(area, ends),
    ...lines.map((line, index) => drawCurve(line, strokes[index]!)),
    ...ends.map((end, index) => (bounds[index] === null ? drawDot : drawArrow)(end, end.stroke.stroke)),
    drawBounds(area, y, bounds, ends),
  ];
}

/** Says that the curve ends here, and is not hidden by another one from here on. */
function drawDot(at: Point, colour: string): string {
  return drawElement('circle', { cx: at.x, cy: at.y, r: 2.8, fill: colour });
}

function drawArrow(foot: Point, colour: string): string {
  const corners = [
    { x: foot.x - 5, y: foot.y },
    { x: foot.x, y: foot.y - ARROW_HEIGHT },
    { x: foot.x + 5, y: foot.y },
  ];
  return drawPath(corners, { fill: colour }, true);
}

/** One text for each bound, above the leftmost of its arrows: it says the same for all of them. */
function drawBounds(
  area: Area,
  y: Scale,
  bounds: readonly (number | null)[],
  ends: readonly Point[],
): string {
  const distinct = [...new Set(bounds.filter((bound) => bound !== null))].sort((a, b) => b - a);
  const wanted = distinct.map((bound) => y(bound) - ARROW_HEIGHT - 5);
  const places = spreadApart(wanted, 15, area.top + 10, area.bottom);
  return distinct
    .map((bound, index) => {
      const text = `no answer within ${toShortDuration(bound)}`;
      const leftmost = Math.min(...ends.filter((_, end) => bounds[end] === bound).map((end) => end.x));
      const last = area.right - toTextWidth(text, TEXT_SIZE);
      const at = Math.min(last, Math.max(area.left + 6, leftmost - 5));
      return drawText({ x: at, y: places[index]!, text, size: TEXT_SIZE, fill: MUTED, halo: true });
    })
    .join('\n');
}
