// Latency at a fixed rate and CPU time of the front-end thread, variant against variant.
//
// A round starts a fresh gateway per variant and then gives each, in turns, short slices of load; the order is
// reversed from pass to pass and from round to round. A disturbance from outside thus hits one slice, not one
// variant; and what is compared is what was measured next to each other, in the same pass of the same round.

import { quantile } from '../statistics.ts';
import { type CopyBooks, NATIVE } from './gateway.ts';
import type { Pair, Site } from './site.ts';
import type { Surroundings } from './surroundings.ts';
import { findFrontend, hasThreadFigures, readCpuNs, readThreads } from './threads.ts';
import type { Variant } from './variants.ts';

export interface RoundSettings {
  readonly rounds: number;
  readonly warmupRequests: number;
  /** Fixed rate, open loop. */
  readonly ratePerSecond: number;
  readonly rateConnections: number;
  readonly rateSlices: number;
  readonly rateSliceRequests: number;
  /** Closed loop: as fast as it goes. */
  readonly busyConnections: number;
  readonly busySlices: number;
  readonly busySliceRequests: number;
}

/** One slice. CPU is the front-end thread's per request, NaN where threads cannot be seen. */
export interface SliceFigures {
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly cpuUs: number;
  /** 99th percentile of how late the load client itself was. */
  readonly lateP99Us: number;
}

/** One variant in one round, by pass: what has the same place was measured next to each other. */
export interface RoundFigures {
  readonly rate: readonly SliceFigures[];
  readonly busy: readonly SliceFigures[];
}

export interface VariantFigures {
  readonly variant: string;
  readonly rounds: RoundFigures[];
  /** Every latency at the fixed rate, all rounds. */
  readonly latenciesUs: number[];
  /** At the fixed rate, all rounds. */
  readonly books: { matched: number; sent: number; batches: number; jobs: number };
}

interface Bench {
  readonly variant: Variant;
  readonly pair: Pair;
  /** Front-end thread; -1 where threads cannot be seen. */
  tid: number;
  readonly rate: SliceFigures[];
  readonly busy: SliceFigures[];
  readonly latenciesUs: number[];
}

const SLICE_LIMIT_MS = 60_000;
const QUIET_LIMIT_MS = 3_000;

export async function measureRounds(
  site: Site,
  surroundings: Surroundings,
  variants: readonly Variant[],
  settings: RoundSettings,
  onRound: (round: number) => void,
): Promise<VariantFigures[]> {
  const figures = variants.map(
    (variant): VariantFigures => ({
      variant: variant.name,
      rounds: [],
      latenciesUs: [],
      books: { matched: 0, sent: 0, batches: 0, jobs: 0 },
    }),
  );
  for (let round = 0; round < settings.rounds; round++) {
    onRound(round);
    const benches: Bench[] = [];
    for (const variant of inOrder(variants, round)) benches.push(await openBench(site, variant, settings));
    await measureRound(surroundings, benches, settings, figures);
    for (const bench of benches) await site.stopPair(bench.pair);
  }
  return figures;
}

async function measureRound(
  surroundings: Surroundings,
  benches: readonly Bench[],
  settings: RoundSettings,
  figures: readonly VariantFigures[],
): Promise<void> {
  for (let pass = 0; pass < settings.busySlices; pass++) {
    for (const bench of inOrder(benches, pass)) {
      const slice = await surroundings.measure(() => runBusySlice(bench, settings));
      bench.busy.push(toFigures(slice));
    }
  }
  const before = await readAllBooks(benches);
  for (let pass = 0; pass < settings.rateSlices; pass++) {
    for (const bench of inOrder(benches, pass)) {
      const slice = await surroundings.measure(() => runRateSlice(bench, settings));
      bench.rate.push(toFigures(slice));
      bench.latenciesUs.push(...slice.latenciesUs);
    }
  }
  const after = await readAllBooks(benches);
  for (const [index, { variant, rate, busy, latenciesUs }] of benches.entries()) {
    const entry = figures.find((other) => other.variant === variant.name)!;
    entry.rounds.push({ rate, busy });
    for (const latency of latenciesUs) entry.latenciesUs.push(latency);
    for (const key of ['matched', 'sent', 'batches', 'jobs'] as const) {
      entry.books[key] += after[index]![key] - before[index]![key];
    }
  }
}

/** Forwards at even turns, backwards at odd ones. */
function inOrder<T>(items: readonly T[], turn: number): readonly T[] {
  return turn % 2 === 0 ? items : items.toReversed();
}

/** Starts the variant's gateway and lets its code be compiled. */
async function openBench(site: Site, variant: Variant, settings: RoundSettings): Promise<Bench> {
  const pair = await site.startPair(variant, NATIVE);
  const bench: Bench = { variant, pair, tid: -1, rate: [], busy: [], latenciesUs: [] };
  const before = hasThreadFigures ? readThreads(pair.gateway.pid) : [];
  await runSlice(bench, settings.warmupRequests, settings.busyConnections, 0);
  if (hasThreadFigures) bench.tid = findFrontend(before, readThreads(pair.gateway.pid)).tid;
  await runRateSlice(bench, settings);
  return bench;
}

function runBusySlice(bench: Bench, settings: RoundSettings): Promise<Slice> {
  return runSlice(bench, settings.busySliceRequests, settings.busyConnections, 0);
}

function runRateSlice(bench: Bench, settings: RoundSettings): Promise<Slice> {
  return runSlice(bench, settings.rateSliceRequests, settings.rateConnections, settings.ratePerSecond);
}

interface Slice {
  readonly latenciesUs: Float64Array;
  readonly lateUs: Float64Array;
  readonly cpuUs: number;
}

async function runSlice(
  { pair, tid }: Bench,
  requests: number,
  connections: number,
  ratePerSecond: number,
): Promise<Slice> {
  const { gateway, client } = pair;
  const readCpu = (): number => (tid < 0 ? Number.NaN : readCpuNs(gateway.pid, tid));
  const before = readCpu();
  const result = await client.run({ requests, connections, ratePerSecond }, SLICE_LIMIT_MS);
  const cpuUs = (readCpu() - before) / 1000 / requests;
  if (hasThreadFigures) await gateway.untilQuiet(QUIET_LIMIT_MS);
  return { latenciesUs: result.latenciesUs, lateUs: result.lateUs, cpuUs };
}

function toFigures({ latenciesUs, lateUs, cpuUs }: Slice): SliceFigures {
  return {
    p50Us: quantile(latenciesUs, 0.5),
    p90Us: quantile(latenciesUs, 0.9),
    p99Us: quantile(latenciesUs, 0.99),
    cpuUs,
    lateP99Us: quantile(lateUs, 0.99),
  };
}

function readAllBooks(benches: readonly Bench[]): Promise<CopyBooks[]> {
  return Promise.all(benches.map((bench) => bench.pair.gateway.readBooks()));
}
