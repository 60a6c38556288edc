// The two plots of a route: latency distributions over each other, and the match rate over time.
//
// Draws on canvas through uPlot, which the page loads as a script of its own. Each plot says in words what it shows, for
// those who do not see it.

import type uPlot from 'uplot';
import { make, setAttribute, setText } from './dom.ts';
import { formatClock, formatMs, formatShare } from './format.ts';
import type { Bucket, History, Latency } from './shapes.ts';

/** Before the page is laid out. */
const SIZE_PX = { width: 320, height: 200 };
/** Bins of a quarter of an octave: wide enough to be smooth with a few hundred samples. */
const BINS_PER_OCTAVE = 4;
const FONT = '12px system-ui, sans-serif';
/** The least that the axis of time shows. */
const SPAN_SECONDS = 300;
/** Between samples that are farther apart than so many intervals there was no traffic. */
const GAP_INTERVALS = 2.5;
/** Of the hour that the gateway keeps. */
const HISTORY_SECONDS = 3600;

export interface Plot<Data> {
  readonly node: HTMLElement;
  show(data: Data): void;
  close(): void;
}

export interface Side {
  readonly name: 'primary' | 'shadow' | 'control';
  readonly label: string;
  readonly buckets: readonly Bucket[];
}

/** Primary, then all shadows together, then the control. */
export function toSides({ primary, shadows, control }: Latency): Side[] {
  const sides: Side[] = [
    { name: 'primary', label: 'primary', buckets: primary },
    { name: 'shadow', label: 'shadow', buckets: Object.values(shadows).flat() },
  ];
  return control === null ? sides : [...sides, { name: 'control', label: 'control', buckets: control }];
}

export function createLatencyPlot(): Plot<readonly Side[]> {
  const canvas = createCanvas({
    empty: 'no latencies in the last five minutes',
    options: {
      scales: {
        x: { time: false, range: (_plot, low, high) => [low - 0.5, high + 0.5] },
        y: { range: toShares },
      },
      axes: [
        {
          ...axis(),
          size: 34,
          splits: (_plot, _axis, low, high) => toTicks(low, high),
          values: (_plot, at) => at.map(toTickText),
        },
        { ...axis(), size: 52, values: (_plot, at) => at.map(toShareTick) },
      ],
      series: [{}, line('primary', []), line('shadow', [7, 4]), line('control', [2, 3])],
    },
  });
  return {
    node: canvas.node,
    close: canvas.close,
    show(sides) {
      const data = toDistribution(sides);
      canvas.show(data, `Latency distribution on a logarithmic scale. ${sides.map(describe).join(' ')}`);
    },
  };
}

export interface HistoryData {
  readonly history: History;
  /** By the gateway's clock: Unix time. */
  readonly nowSeconds: number;
}

/** `aside` says what came last, and when. */
export function createHistoryPlot(): Plot<HistoryData> & { readonly aside: HTMLElement } {
  let nowSeconds = 0;
  const aside = make('p', { class: 'legend' });
  const canvas = createCanvas({
    empty: 'nothing compared in the last hour',
    options: {
      scales: {
        x: { time: true, range: ({ data: [at] }: uPlot) => toSpan(at[0], nowSeconds) },
        y: { range: (_plot, low) => toMatchRange(low) },
      },
      axes: [
        { ...axis(), size: 34, values: (_plot, at) => at.map(formatClock) },
        { ...axis(), size: 62, values: (_plot, at) => at.map(toShareTick) },
      ],
      series: [{}, line('primary', [])],
    },
  });
  return {
    node: canvas.node,
    close: canvas.close,
    aside,
    show({ history, nowSeconds: now }) {
      nowSeconds = Math.max(now, history.samples.at(-1)?.[0] ?? 0);
      const points = toPoints(history, nowSeconds - HISTORY_SECONDS);
      const known = points.filter((point): point is [number, number] => point[1] !== null);
      const lowest = known.reduce((low, [, rate]) => Math.min(low, rate), 1);
      const [at, rate] = known.at(-1) ?? [0, null];
      const last = `last ${formatShare(rate)}, at ${formatClock(at)}`;
      setText(aside, rate === null ? '' : last);
      const text = `Match rate over time: ${last}, lowest ${formatShare(lowest)}.`;
      const data: uPlot.AlignedData = [points.map(([x]) => x), points.map(([, y]) => y)];
      canvas.show(rate === null ? null : data, text);
    },
  };
}

/** Time and match rate; null where nothing was compared. */
function toPoints({ interval_seconds, samples }: History, since: number): [number, number | null][] {
  const points: [number, number | null][] = [];
  for (const [at, compared, mismatched] of samples) {
    if (at <= since) continue;
    const before = points.at(-1)?.[0] ?? at;
    if (at - before > interval_seconds * GAP_INTERVALS) points.push([before + interval_seconds, null]);
    points.push([at, compared === 0 ? null : (compared - mismatched) / compared]);
  }
  return points;
}

/** There is room above 100 %, and nothing to write there. */
function toShareTick(share: number): string {
  return share > 1 + 1e-9 ? '' : formatShare(share);
}

interface CanvasOptions {
  /** What stands there without data. */
  readonly empty: string;
  readonly options: Pick<uPlot.Options, 'scales' | 'axes' | 'series'>;
}

/** A plot that follows the width that it is given and the colours of the page. */
function createCanvas({ empty, options }: CanvasOptions) {
  const note = make('p', { class: 'empty' }, empty);
  const node = make('div', { class: 'plot', role: 'img' }, note);
  const { uPlot: Plot } = globalThis as unknown as { readonly uPlot: typeof uPlot };
  let plot: uPlot | null = null;
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const repaint = (): void => plot?.redraw();
  scheme.addEventListener('change', repaint);
  const sizes = new ResizeObserver(() => {
    if (node.clientWidth > 0) plot?.setSize({ width: node.clientWidth, height: node.clientHeight });
  });
  sizes.observe(node);

  return {
    node,
    /** Null without data. */
    show(data: uPlot.AlignedData | null, text: string): void {
      note.hidden = data !== null;
      setAttribute(node, 'aria-label', data === null ? empty : text);
      if (data === null) {
        plot?.destroy();
        plot = null;
        return;
      }
      // A plot has as many series as it was made with.
      const wanted = { ...options, series: options.series.slice(0, data.length) };
      if (plot !== null && plot.series.length !== data.length) {
        plot.destroy();
        plot = null;
      }
      if (plot === null) {
        const size = {
          width: node.clientWidth || SIZE_PX.width,
          height: node.clientHeight || SIZE_PX.height,
        };
        const still = { legend: { show: false }, cursor: { show: false } };
        plot = new Plot({ ...wanted, ...still, ...size }, data, node);
      } else plot.setData(data);
    },
    close(): void {
      plot?.destroy();
      sizes.disconnect();
      scheme.removeEventListener('change', repaint);
    },
  };
}

/** From the stylesheet, so that the plots change with the page. */
function readColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function axis(): uPlot.Axis {
  return {
    stroke: () => readColor('quiet'),
    font: FONT,
    grid: { stroke: () => readColor('line'), width: 1 },
    ticks: { show: false },
  };
}

/** Lines differ in their dashes as well as in their colours. */
function line(side: Side['name'], dash: number[]): uPlot.Series {
  return {
    stroke: () => readColor(`${side}-line`),
    fill: () => `${readColor(`${side}-line`)}1a`,
    width: 2,
    dash,
    points: { size: 5 },
    paths: (plot, index, from, to) =>
      (globalThis as unknown as { readonly uPlot: typeof uPlot }).uPlot.paths.spline!()(
        plot,
        index,
        from,
        to,
      ),
  };
}

/** Shares of each side's latencies by bin; x is the binary logarithm of milliseconds. Null without any. */
function toDistribution(sides: readonly Side[]): uPlot.AlignedData | null {
  const binned = sides.map(({ buckets }) => toBins(buckets));
  const bins = binned.flatMap((side) => [...side.keys()]);
  if (bins.length === 0) return null;
  // An empty bin on either side, so that each line comes from zero and goes back to it.
  const first = bins.reduce((least, bin) => Math.min(least, bin)) - 1;
  const last = bins.reduce((most, bin) => Math.max(most, bin)) + 1;
  const all = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const shares = binned.map((side) => {
    const total = [...side.values()].reduce((sum, count) => sum + count, 0);
    return all.map((bin) => (total === 0 ? null : (side.get(bin) ?? 0) / total));
  });
  return [all.map((bin) => (bin + 0.5) / BINS_PER_OCTAVE), ...shares];
}

function toBins(buckets: readonly Bucket[]): Map<number, number> {
  const bins = new Map<number, number>();
  for (const [low, high, count] of buckets) {
    const middle = Math.max(0.001, (low + high) / 2);
    const bin = Math.floor(Math.log2(middle) * BINS_PER_OCTAVE);
    bins.set(bin, (bins.get(bin) ?? 0) + count);
  }
  return bins;
}

/** Where 1, 2, 5, 10, 20, 50… milliseconds are, or 1, 3, 10, 30…; not more than the axis has room for. */
function toTicks(low: number, high: number): number[] {
  const octaves = high - low;
  const steps = octaves > 12 ? [1] : octaves > 6 ? [1, 3] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = -3; power <= 6; power++) {
    for (const step of steps) {
      const at = Math.log2(step * 10 ** power);
      if (at >= low && at <= high) ticks.push(at);
    }
  }
  return ticks;
}

function toTickText(at: number): string {
  const ms = Number((2 ** at).toPrecision(3));
  return ms < 1000 ? `${ms} ms` : `${ms / 1000} s`;
}

function toShares(_plot: uPlot, _low: number, high: number): [number, number] {
  return [0, Math.max(0.05, high * 1.1)];
}

/** Up to now, from the first sample on: of a single one the library makes a span of years. */
function toSpan(first: number | undefined, now: number): [number, number] {
  return [Math.min(first ?? now, now - SPAN_SECONDS), now];
}

/** Up to 100 %, and down to a bit below the lowest: a steady rate is a line near the top, not noise. */
function toMatchRange(low: number): [number, number] {
  const room = Math.max(0.01, (1 - low) * 1.2);
  return [Math.max(0, 1 - room), 1 + room * 0.05];
}

function describe({ label, buckets }: Side): string {
  const total = buckets.reduce((sum, [, , count]) => sum + count, 0);
  if (total === 0) return `${label}: none.`;
  const at = (share: number): string => formatMs(quantile(buckets, total * share));
  return `${label}: ${total} samples, median ${at(0.5)} ms, 99th percentile ${at(0.99)} ms.`;
}

function quantile(buckets: readonly Bucket[], rank: number): number {
  const sorted = buckets.toSorted(([one], [other]) => one - other);
  let seen = 0;
  for (const [low, high, count] of sorted) {
    seen += count;
    if (seen >= rank) return (low + high) / 2;
  }
  return sorted.at(-1)?.[1] ?? 0;
}
