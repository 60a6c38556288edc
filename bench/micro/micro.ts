// `node bench/micro/micro.ts [--filter TEXT]`: what single functions of the hot path cost.
//
// Owns how cases are timed and told. Every case is warmed up before any is timed, the order is reversed in the second
// round, and what an empty call costs in the same run is subtracted. Makes no claim; it only compares within a run.

import assert from 'node:assert/strict';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Bench } from 'tinybench';
import { quantile } from '../statistics.ts';
import { type Column, toFixed, toTable } from '../table.ts';
import { EMPTY } from './case.ts';
import { canCountInstructions, countInstructions } from './instructions.ts';
import { Meter } from './meter.ts';
import { findCases } from './subjects.ts';

export interface MicroSettings {
  /** For each case, all in all; half as much again goes into warming up. */
  readonly timeMs: number;
  /** Least number of samples of each case in a round. */
  readonly iterations: number;
  /** Only cases with that text in `subject: name`. */
  readonly filter?: string;
  /** Where the machine can; takes a few seconds for each case. */
  readonly countsInstructions?: boolean;
}

export interface MicroRow {
  readonly subject: string;
  readonly name: string;
  /** Calls in a sample. */
  readonly batch: number;
  /** Calls that were timed. */
  readonly calls: number;
  /** Median over the samples, without what an empty call costs; that one's own row is its whole cost. */
  readonly callNs: number;
  /** Quartiles of the same. */
  readonly lowNs: number;
  readonly highNs: number;
  /** Beyond an empty call's; null where they are not counted. */
  readonly instructions: number | null;
}

const ROUNDS = 2;
const BASELINE = 'baseline';
const USAGE = `usage: node bench/micro/micro.ts [--filter TEXT] [--time MS]

  --filter TEXT   only cases with that text in "subject: name"
  --time MS       for each case (200)
`;
const TIME_MS = 200;
const ITERATIONS = 10;

interface Measured {
  readonly subject: string;
  readonly meter: Meter;
}

/** One row for an empty call, then one for each case. */
export async function measureMicro(settings: MicroSettings): Promise<MicroRow[]> {
  const measured: Measured[] = [
    { subject: BASELINE, meter: await Meter.open(`${BASELINE}: ${EMPTY.name}`, EMPTY) },
  ];
  try {
    for (const { subject, title, micro } of findCases(settings.filter ?? '')) {
      measured.push({ subject, meter: await Meter.open(title, micro) });
    }
    const meters = measured.map(({ meter }) => meter);
    for (let round = 0; round < ROUNDS; round++) {
      await timeRound(round % 2 === 0 ? meters : meters.toReversed(), settings);
    }
    const counts = settings.countsInstructions !== false && (await canCountInstructions());
    return await toRows(measured, counts);
  } finally {
    for (const { meter } of measured) await meter.close();
  }
}

async function timeRound(meters: readonly Meter[], { timeMs, iterations }: MicroSettings): Promise<void> {
  const bench = new Bench({
    time: timeMs / ROUNDS,
    iterations,
    warmup: true,
    warmupTime: timeMs / ROUNDS / 2,
    warmupIterations: 1,
    timestampProvider: 'performanceNow',
    throws: true,
  });
  for (const meter of meters) meter.addTo(bench);
  await bench.run();
  for (const meter of meters) meter.takeFrom(bench);
}

async function toRows(measured: readonly Measured[], counts: boolean): Promise<MicroRow[]> {
  const emptyNs = quantile(measured[0]!.meter.samples, 0.5);
  const rows: MicroRow[] = [];
  for (const { subject, meter } of measured) {
    const { title, micro, samples } = meter;
    const isBaseline = subject === BASELINE;
    const [lowNs, callNs, highNs] = [0.25, 0.5, 0.75].map(
      (share) => quantile(samples, share) - (isBaseline ? 0 : emptyNs),
    ) as [number, number, number];
    const isCounted = counts && !isBaseline;
    rows.push({
      subject,
      name: micro.name,
      batch: micro.batch,
      calls: samples.length * micro.batch,
      callNs,
      lowNs,
      highNs,
      instructions: isCounted ? await countInstructions(title, micro.batch, callNs * micro.batch) : null,
    });
  }
  return rows;
}

const COLUMNS: readonly Column<MicroRow>[] = [
  { title: 'subject and case', cell: ({ subject, name }) => `${subject}: ${name}` },
  { title: 'ns per call', cell: ({ callNs }) => toFixed(callNs, digitsOf(callNs)) },
  {
    title: 'p25 to p75',
    cell: ({ callNs, lowNs, highNs }) =>
      `${toFixed(lowNs, digitsOf(callNs))} to ${toFixed(highNs, digitsOf(callNs))}`,
  },
  { title: 'calls', cell: ({ calls }) => calls.toLocaleString('en') },
  { title: 'in samples of', cell: ({ batch }) => batch.toLocaleString('en') },
];

const INSTRUCTIONS: Column<MicroRow> = {
  title: 'instructions',
  cell: ({ instructions }) => toFixed(instructions ?? Number.NaN, 0),
};

function digitsOf(ns: number): number {
  return ns < 100 ? 1 : 0;
}

/** For people. */
export function toMicroTable(rows: readonly MicroRow[]): string {
  if (rows.some(({ instructions }) => instructions !== null))
    return toTable([...COLUMNS, INSTRUCTIONS], rows);
  return `${toTable(COLUMNS, rows)}\n\n  Instructions per call are left out: perf can count none on this machine, or was not asked to.`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      filter: { type: 'string', default: '' },
      time: { type: 'string', default: String(TIME_MS) },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const timeMs = Number(values.time);
  assert.ok(timeMs > 0, '--time is a number of milliseconds');
  const rows = await measureMicro({ timeMs, iterations: ITERATIONS, filter: values.filter });
  assert.ok(rows.length > 1, `no case has "${values.filter}" in it`);
  process.stdout.write(`${toMicroTable(rows)}\n`);
}

if (import.meta.main) await main();
