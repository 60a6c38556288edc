// Plots of the benchmarks: exact scales, well-formed files, nothing outside the picture, nothing shown as
// answered that was not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as axis from '../../bench/plot/axis.ts';
import { plotBars } from '../../bench/plot/bar-plot.ts';
import { inspectSvg, inspectTexts, parseSvg, type SvgNode, toBox } from '../../bench/plot/inspection.ts';
import { plotPercentiles, toCurve } from '../../bench/plot/percentile-plot.ts';
import { toShortDuration, toShortTick, toShortValue } from '../../bench/plot/short-number.ts';
import { spreadApart, toTextWidth, wrapText } from '../../bench/plot/text-layout.ts';
import { plotTimeline } from '../../bench/plot/time-plot.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

const WORDS = { title: 'A title', subtitle: 'and what it means', unit: 'its unit' };
const ONE = { name: 'off', group: 'umbra' };

function checkTexts(nodes: readonly SvgNode[], expected: readonly string[]): void {
  const texts = nodes.filter(({ name }) => name === 'text').map(({ text }) => text);
  for (const text of expected) assert.ok(texts.includes(text), `"${text}" is missing`);
}

function assertNear(found: number, expected: number): void {
  assert.ok(Math.abs(found - expected) < 0.03, `${found} is not near ${expected}`);
}

function spreadLatencies(count: number, lowUs: number, highUs: number): Float64Array {
  return Float64Array.from({ length: count }, (_, index) => lowUs * (highUs / lowUs) ** (index / count));
}

const HUNG = Float64Array.of(...spreadLatencies(60, 100, 300), ...new Array<number>(340).fill(2e6));
const EIGHT = ['umbra', 'nginx'].flatMap((group) =>
  ['off', 'mirrored', 'slow shadow', 'hung shadow'].map((name) => {
    const latenciesUs =
      group === 'nginx' && name === 'hung shadow' ? HUNG : spreadLatencies(20_000, 100, 1_500);
    return { group, name, latenciesUs, censoredAtUs: 2e6 };
  }),
);

test('90, 99 and 99.9 are one step apart each', () => {
  assert.deepEqual([0, 90, 99].map(axis.toNines), [0, 1, 2]);
  assertNear(axis.toNines(99.9), 3);
  const ticks = axis.toNinesTicks(4);
  assert.deepEqual(
    ticks.map(({ label }) => label),
    ['0', '50', '90', '99', '99.9', '99.99'],
  );
  assert.deepEqual(
    ticks.map(({ nines }) => nines),
    [0, axis.toNines(50), 1, 2, 3, 4],
  );
  assert.equal(axis.toNinesTicks(1.99).length, 3);
});

test('scales are exact at their ends and between', () => {
  const linear = axis.createLinearScale({ low: 10, high: 30 }, 100, 200);
  assert.deepEqual([10, 20, 30].map(linear), [100, 150, 200]);
  const log = axis.createLogScale({ low: 1, high: 10_000 }, 400, 0);
  assert.deepEqual([1, 10, 100, 1_000, 10_000].map(log), [400, 300, 200, 100, 0]);
});

test('logarithmic ticks are 1, 2 and 5 of each decade, or 1 alone where room is short', () => {
  assert.deepEqual(axis.toLogDomain(120, 1_900), { low: 100, high: 2_000 });
  assert.deepEqual(axis.toLogDomain(100, 2_000), { low: 100, high: 2_000 });
  assert.deepEqual(axis.toLogDomain(100, 100), { low: 100, high: 200 });
  assert.deepEqual(axis.toLogDomain(0.004, 0.004), { low: 0.002, high: 0.005 });
  assert.deepEqual(axis.toLogTicks({ low: 100, high: 2_000 }, 200), [100, 200, 500, 1_000, 2_000]);
  assert.deepEqual(axis.toLogTicks({ low: 0.5, high: 2_000 }, 60), [1, 10, 100, 1_000]);
});

test('linear ticks are round, and the value axis begins at zero', () => {
  assert.deepEqual(axis.toLinearTicks({ low: 0, high: 60 }, 6), [0, 10, 20, 30, 40, 50, 60]);
  assert.deepEqual(axis.toLinearTicks({ low: 0.05, high: 0.31 }, 3), [0.1, 0.2, 0.3]);
  assert.deepEqual(axis.toZeroDomain(14_950, 6), { low: 0, high: 15_000 });
  assert.deepEqual(axis.toZeroDomain(0, 6), { low: 0, high: 1 });
});

test('numbers are short', () => {
  const values = [0, 4.5, 47, 999.7, 1_234, 12_345, 2e6].map(toShortValue);
  assert.deepEqual(values, ['0', '4.50', '47.0', '1.00k', '1.23k', '12.3k', '2.00M']);
  const ticks = [0, 4.5, 50, 150, 1_000, 1_200, 2.5e6].map(toShortTick);
  assert.deepEqual(ticks, ['0', '4.5', '50', '150', '1k', '1.2k', '2.5M']);
  const durations = [0.5, 350, 999.9, 1_500, 2e6].map(toShortDuration);
  assert.deepEqual(durations, ['0.5 µs', '350 µs', '1 ms', '1.5 ms', '2 s']);
});

test('labels are spread around where they want to be, and stay within bounds', () => {
  assert.deepEqual(spreadApart([10, 50, 90], 10, 0, 100), [10, 50, 90]);
  assert.deepEqual(spreadApart([50, 50, 50], 10, 0, 100), [40, 50, 60]);
  assert.deepEqual(spreadApart([0, 0, 100], 10, 0, 100), [0, 10, 100]);
  assert.deepEqual(spreadApart([99, 100, 100], 10, 0, 100), [80, 90, 100]);
  assert.deepEqual(spreadApart([], 10, 0, 100), []);
});

test('a word that is wider than the line is cut, and nothing of it is lost', () => {
  const lines = wrapText(`one ${'w'.repeat(50)} two`, 12, 200);
  assert.equal(lines.join('').replaceAll(' ', ''), `one${'w'.repeat(50)}two`);
  assert.ok(lines.every((line) => toTextWidth(line, 12) <= 200));
});

test('every point of a curve is the nearest rank, as far as ten requests lie beyond it', () => {
  const latenciesUs = Float64Array.from({ length: 1_000 }, (_, index) => 1_000 - index);
  const { points, censoredAtUs } = toCurve({ ...ONE, latenciesUs });
  assert.equal(censoredAtUs, null);
  assert.deepEqual(points[0], { nines: 0, us: 1 });
  assert.equal(points.find(({ nines }) => nines === 1)?.us, 900);
  assert.deepEqual(points.at(-1), { nines: 2, us: 990 });
  assert.equal(latenciesUs[0], 1_000, 'the caller’s values stay in their order');
  const flat = toCurve({ ...ONE, latenciesUs: new Float64Array(10_000).fill(7) });
  const ends = [0, 3].map((nines) => ({ nines, us: 7 }));
  assert.deepEqual(flat.points, ends, 'a flat stretch is its two ends');
});

test('a censored curve ends at the bound, at the share that was answered', () => {
  const unanswered = [...new Array<number>(9).fill(2e6), Number.POSITIVE_INFINITY];
  const latenciesUs = Float64Array.of(...spreadLatencies(90, 100, 200), ...unanswered);
  const curve = toCurve({ ...ONE, latenciesUs, censoredAtUs: 2e6 });
  assert.equal(curve.censoredAtUs, 2e6);
  assert.deepEqual(curve.points.at(-1), { nines: 1, us: 2e6 });
  assert.ok(curve.points.slice(0, -1).every(({ us }) => us < 200));
  const none = toCurve({ ...ONE, latenciesUs: Float64Array.of(2e6), censoredAtUs: 2e6 });
  assert.deepEqual(none.points, [{ nines: 0, us: 2e6 }]);
  const all = toCurve({ ...ONE, latenciesUs: Float64Array.of(2e6 - 1), censoredAtUs: 2e6 });
  assert.equal(all.censoredAtUs, null);
});

test('only a series with unanswered requests says so, and its arrow stands on the bound', () => {
  const nodes = inspectSvg(plotPercentiles({ ...WORDS, series: EIGHT }));
  assert.equal(nodes.filter(({ text }) => text === 'no answer within 2 s').length, 1);
  const arrows = nodes.filter(({ attributes }) => attributes.d?.endsWith('Z'));
  assert.equal(arrows.length, 1);
  const tick = nodes.find(({ text }) => text === '2 s')!;
  assertNear(toBox(arrows[0]!)!.bottom, Number(tick.attributes.y) - 4);
  assert.doesNotMatch(plotPercentiles({ ...WORDS, series: EIGHT.slice(0, 4) }), /no answer/);
});

test('eight curves on one another have eight labels apart, and a dash for each state', () => {
  const nodes = inspectSvg(plotPercentiles({ ...WORDS, series: EIGHT }));
  inspectTexts(nodes);
  checkTexts(nodes, [WORDS.title, WORDS.subtitle, 'latency (log scale)', '99.9', '100 µs']);
  checkTexts(
    nodes,
    EIGHT.map(({ name, group }) => `${group}, ${name}`),
  );
  const samples = nodes.filter(
    ({ name, attributes }) => name === 'line' && Number(attributes['stroke-width']) >= 2,
  );
  assert.equal(new Set(samples.map(({ attributes }) => attributes.stroke)).size, 8);
  assert.equal(new Set(samples.map(({ attributes }) => attributes['stroke-dasharray'])).size, 4);
});

test('bars are as long as their values, and parts stand in them one after the other', () => {
  const parts = [60, 30].map((value, index) => ({ name: ['front-end thread', 'others'][index]!, value }));
  const bars = [
    { name: 'umbra', value: 100, parts, note: '± 1' },
    { name: 'nginx', value: 50 },
  ];
  const nodes = inspectSvg(plotBars({ ...WORDS, bars }));
  inspectTexts(nodes);
  checkTexts(nodes, [...Object.values(WORDS), 'umbra', '100', '± 1', 'nginx', '50.0']);
  checkTexts(nodes, ['60.0', 'front-end thread', '30.0', 'others', 'undivided', 'rest']);
  const rects = nodes.filter(({ name, attributes }) => name === 'rect' && attributes.height === '24');
  const [whole, front, others, nginx] = rects.map((node) => toBox(node)!);
  const unit = (whole!.right - whole!.left) / 100;
  assertNear(front!.right, whole!.left + 60 * unit);
  assertNear(others!.left, front!.right);
  assertNear(others!.right, whole!.left + 90 * unit);
  assertNear(nginx!.right, whole!.left + 50 * unit);
});

test('a timeline marks its moments, and neither lines nor texts of close marks cross', () => {
  const points = Array.from({ length: 61 }, (_, atSeconds) => ({ atSeconds, value: 12_000 }));
  const series = ['umbra', 'nginx'].map((group) => ({ name: 'mirrored', group, points }));
  const marks = [
    { atSeconds: 60, label: 'the end, which has a long text' },
    { atSeconds: 20, label: 'shadow dies' },
    { atSeconds: 21, label: 'breaker opens' },
    { atSeconds: 40, label: 'shadow is back' },
  ];
  const nodes = inspectSvg(plotTimeline({ ...WORDS, series, marks }));
  inspectTexts(nodes);
  checkTexts(nodes, [...Object.values(WORDS), 'time (s)', '10k', '60', 'umbra, mirrored', 'nginx, mirrored']);
  checkTexts(
    nodes,
    marks.map(({ label }) => label),
  );
  const lines = nodes.filter(({ attributes }) => attributes['stroke-dasharray'] === '4 3');
  const top = Number(nodes.find(({ text }) => text === '12k')!.attributes.y) - 4;
  const lanes = lines.map(({ attributes }) => (top - Number(attributes.y1)) / 18);
  for (const [index, lane] of [2, 1, 2, 2].entries()) assertNear(lanes[index]!, lane);
});

test('text is escaped, and what XML cannot hold is replaced', () => {
  const title = 'a < b && "c" > <script>\u0001\ud800';
  const bars = [{ name: '</text>', value: 1, note: '&lt;' }];
  const nodes = inspectSvg(plotBars({ title, subtitle: '', unit: '<&>', bars }));
  checkTexts(nodes, ['a < b && "c" > <script>\ufffd\ufffd', '<&>', '</text>', '&lt;']);
});

test('the inspection refuses broken files', () => {
  const svg = plotBars({ ...WORDS, bars: [{ name: 'x', value: 1 }] });
  for (const [good, bad] of [
    ['</svg>', ''],
    ['</text>', '</texts>'],
    ['A title', 'A & title'],
    ['<title>', '<title title>'],
    ['x="0"', 'x="-1"'],
    ['x="0"', 'x="NaN"'],
  ] as const) {
    assert.ok(svg.includes(good));
    assert.throws(() => inspectSvg(svg.replace(good, bad)), assert.AssertionError, bad);
  }
  assert.throws(() => inspectTexts([...parseSvg(svg), ...parseSvg(svg)]), /"A title" lies on "A title"/);
});

test('nothing to plot is an error that says so', () => {
  const draw = (latencies: readonly number[], censoredAtUs?: number) => () =>
    plotPercentiles({
      ...WORDS,
      series: [{ ...ONE, latenciesUs: Float64Array.from(latencies), censoredAtUs }],
    });
  assert.throws(() => plotPercentiles({ ...WORDS, series: [] }), /^RangeError: .*no series$/);
  assert.throws(draw([]), /^RangeError: series "umbra, off" is empty$/);
  for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(draw([1, value]), /^RangeError: series "umbra, off" has a latency that is not/);
  }
  assert.throws(draw([1], 0), RangeError);
  assert.throws(() => plotBars({ ...WORDS, bars: [] }), /^RangeError: .*no bars$/);
  const bar = { name: 'x', value: 1 };
  assert.throws(() => plotBars({ ...WORDS, bars: [{ ...bar, value: -1 }] }), /"x" .*no length: -1$/);
  const parts = [{ name: 'y', value: 1.1 }];
  assert.throws(() => plotBars({ ...WORDS, bars: [{ ...bar, parts }] }), /more than the whole/);
  const trace = (points: { atSeconds: number; value: number }[]) => () =>
    plotTimeline({ ...WORDS, series: [{ ...ONE, points }], marks: [] });
  assert.throws(() => plotTimeline({ ...WORDS, series: [], marks: [] }), /^RangeError: .*no series$/);
  assert.throws(trace([]), /^RangeError: series "umbra, off" is empty$/);
  assert.throws(trace([{ atSeconds: 0, value: Number.NaN }]), /cannot be drawn: NaN at 0 s$/);
});

const text = fc.string({ unit: 'binary', maxLength: 60 });
const words = { title: text, subtitle: text, unit: text };
const amount = fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 1e12, noNaN: true }));
const second = fc.integer({ min: 0, max: 10_000_000 }).map((thousandths) => thousandths / 1_000);
const list = <Item>(item: fc.Arbitrary<Item>, minLength = 1): fc.Arbitrary<Item[]> =>
  fc.array(item, { minLength, maxLength: 12 });

function checkAlways<Plot>(plots: fc.Arbitrary<Plot>, draw: (plot: Plot) => string): void {
  const property = fc.property(plots, (plot) => {
    const svg = draw(plot);
    inspectSvg(svg);
    assert.equal(draw(plot), svg, 'the same input is the same file');
  });
  fc.assert(property, { seed, numRuns: 150 });
}

test('any percentile plot is well-formed and within its picture', () => {
  const latency = fc.double({ min: 1e-3, max: 1e10, noNaN: true });
  const latenciesUs = list(latency).map((values) => Float64Array.from(values));
  const censoredAtUs = fc.option(latency, { nil: undefined });
  const series = list(fc.record({ name: text, group: text, latenciesUs, censoredAtUs }));
  checkAlways(fc.record({ ...words, series }), plotPercentiles);
});

test('any bar plot is well-formed and within its picture', () => {
  const share = fc.double({ min: 0, max: 1 / 12, noNaN: true });
  const part = fc.record({ name: text, value: share });
  const note = fc.option(text, { nil: undefined });
  const bar = fc.record({ name: text, value: amount, note, parts: list(part, 0) }).map((drawn) => ({
    ...drawn,
    parts: drawn.parts.map(({ name, value }) => ({ name, value: value * drawn.value })),
  }));
  checkAlways(fc.record({ ...words, bars: list(bar) }), plotBars);
});

test('any timeline is well-formed and within its picture', () => {
  const points = list(fc.record({ atSeconds: second, value: amount }));
  const series = list(fc.record({ name: text, group: text, points }));
  const marks = list(fc.record({ atSeconds: second, label: text }), 0);
  checkAlways(fc.record({ ...words, series, marks }), plotTimeline);
});
