// Row against row: throughput, CPU time and instructions in the closed loop, latency at a fixed rate.
//
// A round starts a fresh gateway for every row and then gives each, in turns, short slices of load; the order is
// reversed from pass to pass and from round to round. A disturbance from outside thus hits one slice, not one row;
// and what is compared is what was measured next to each other, in the same pass of the same round.

import { availableParallelism } from 'node:os';
import { quantile } from '../statistics.ts';
import type { Instructions, PerfCount, PerfCounter } from './perf.ts';
import type { Row } from './rows.ts';
import type { Shadow } from './shadow.ts';
import type { Pair, Site } from './site.ts';
import type { Surroundings } from './surroundings.ts';
import { findFrontends, hasThreadFigures, readCpuNs, readThreads } from './threads.ts';

export interface RoundSettings {
  readonly rounds: number;
  /** Before a gateway is measured, so that its code is compiled. */
  readonly warmupRequests: number;
  /** In a closed loop of our own client; null for wrk, where it is installed. */
  readonly busyRequests: number | null;
  /** Slices a round, by the row's weight. */
  readonly rateSlices: Readonly<Record<Row['weight'], number>>;
  readonly busySlices: Readonly<Record<Row['weight'], number>>;
}

/** At a fixed rate, open loop. Times in µs; CPU and copies per request. */
export interface RateSlice {
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly frontendCpuUs: number;
  /** 99th percentile of how late the load client itself was. */
  readonly lateP99Us: number;
  /** Of the copies that were due, how many came to a shadow; NaN when none was. */
  readonly copiesShare: number;
}

/** As fast as it goes, closed loop; per request but for the first. */
export interface BusySlice {
  readonly requestsPerSecond: number;
  /** All threads and processes of the gateway. */
  readonly cpuUs: number;
  readonly frontendCpuUs: number;
  readonly userInstructions: number;
  readonly kernelInstructions: number;
  /** User and kernel together, of the front-end threads. */
  readonly frontendInstructions: number;
  readonly copiesShare: number;
}

/** One row in one round, by pass: what has the same place was measured next to each other. */
export interface RoundFigures {
  readonly rate: readonly RateSlice[];
  readonly busy: readonly BusySlice[];
  readonly peakBytes: number;
}

export interface RowFigures {
  readonly row: Row;
  readonly rounds: RoundFigures[];
  /** Every latency at the fixed rate, all rounds; infinite where no answer came before the cut. */
  readonly latenciesUs: number[];
}

/** A row in the round that is under way. */
interface Bench {
  readonly row: Row;
  readonly pair: Pair;
  /** Front-end threads of umbra, where threads can be seen. */
  frontends: readonly number[];
  readonly rate: RateSlice[];
  readonly busy: BusySlice[];
  readonly latenciesUs: number[];
}

export const BUSY_CONNECTIONS = 64;
/** With bodies that fill buffers, fewer keep a gateway as busy. */
const BUSY_CONNECTIONS_LARGE = 8;
const LARGE_BYTES = 100_000;
export const RATE_CONNECTIONS = 4;
const RATE_SLICE_MS = 250;
/** A large body's rate is low, and its slices are longer. */
const RATE_SLICE_REQUESTS_MIN = 20;
/** How long a stalling row is waited for. */
export const CUT_OFF_MS = 2_000;
/** With large bodies the same work takes fewer requests. */
const LARGE_SHARE = 0.05;
/** Where wrk is missing. */
const BUSY_SLICE_REQUESTS = 8_000;
const LIMIT_MS = 60_000;
const QUIET_LIMIT_MS = 3_000;

export class Rounds {
  readonly #site: Site;
  readonly #surroundings: Surroundings;
  readonly #counter: PerfCounter | null;
  readonly #settings: RoundSettings;

  constructor(site: Site, surroundings: Surroundings, counter: PerfCounter | null, settings: RoundSettings) {
    this.#site = site;
    this.#surroundings = surroundings;
    this.#counter = counter;
    this.#settings = settings;
  }

  async measure(rows: readonly Row[], onRound: (round: number) => void): Promise<RowFigures[]> {
    const figures = rows.map((row): RowFigures => ({ row, rounds: [], latenciesUs: [] }));
    for (let round = 0; round < this.#settings.rounds; round++) {
      onRound(round);
      const benches = await this.#openAll(inOrder(rows, round));
      await this.#measureRound(benches);
      for (const { row, rate, busy, latenciesUs, pair } of benches) {
        const entry = figures.find((other) => other.row === row)!;
        entry.rounds.push({ rate, busy, peakBytes: pair.gateway.readPeakBytes() });
        for (const latency of latenciesUs) entry.latenciesUs.push(latency);
        await this.#site.stopPair(pair);
      }
    }
    return figures;
  }

  /** As many at a time as there are cores: nothing is measured yet. */
  async #openAll(rows: readonly Row[]): Promise<Bench[]> {
    const benches: Bench[] = [];
    const step = availableParallelism();
    for (let at = 0; at < rows.length; at += step) {
      benches.push(...(await Promise.all(rows.slice(at, at + step).map((row) => this.#open(row)))));
    }
    return benches;
  }

  /** Starts the row's gateway and lets its code be compiled. */
  async #open(row: Row): Promise<Bench> {
    const pair = await this.#site.startPair(row);
    const { gateway, client } = pair;
    const bench: Bench = { row, pair, frontends: [], rate: [], busy: [], latenciesUs: [] };
    if (row.weight === 'stalling') return bench;
    const seesThreads = gateway.isUmbra && hasThreadFigures;
    const before = seesThreads ? readThreads(gateway.pid) : [];
    const requests = toRequests(row, this.#settings.warmupRequests);
    const cutOffMs = Number.POSITIVE_INFINITY;
    await client.run({ requests, connections: toConnections(row), ratePerSecond: 0, cutOffMs }, LIMIT_MS);
    if (seesThreads) {
      bench.frontends = findFrontends(before, readThreads(gateway.pid), row.frontends).map(({ tid }) => tid);
    }
    gateway.findProcesses();
    await gateway.untilQuiet(QUIET_LIMIT_MS);
    return bench;
  }

  async #measureRound(benches: readonly Bench[]): Promise<void> {
    const { rateSlices, busySlices } = this.#settings;
    for (let pass = 0; pass < Math.max(...Object.values(busySlices)); pass++) {
      for (const bench of inOrder(benches, pass)) {
        if (pass >= busySlices[bench.row.weight]) continue;
        bench.busy.push(await this.#surroundings.measure(() => this.#runBusy(bench)));
      }
    }
    for (let pass = 0; pass < Math.max(...Object.values(rateSlices)); pass++) {
      for (const bench of inOrder(benches, pass)) {
        if (pass >= rateSlices[bench.row.weight]) continue;
        const [slice, latenciesUs] = await this.#surroundings.measure(() => this.#runRate(bench));
        bench.rate.push(slice);
        for (const latency of latenciesUs) bench.latenciesUs.push(latency);
      }
    }
  }

  async #runRate(bench: Bench): Promise<[RateSlice, Float64Array]> {
    const { client } = bench.pair;
    const { ratePerSecond } = bench.row.load;
    const requests = Math.max(RATE_SLICE_REQUESTS_MIN, (ratePerSecond * RATE_SLICE_MS) / 1000);
    const cutOffMs =
      bench.row.weight === 'stalling'
        ? (requests * 1000) / ratePerSecond + CUT_OFF_MS
        : Number.POSITIVE_INFINITY;
    const phase = { requests, connections: RATE_CONNECTIONS, ratePerSecond, cutOffMs };
    const before = await this.#read(bench);
    const { latenciesUs, lateUs } = await client.run(phase, LIMIT_MS);
    const { frontendCpuUs, copies } = await this.#readSince(bench, before);
    const slice = {
      p50Us: quantile(latenciesUs, 0.5),
      p90Us: quantile(latenciesUs, 0.9),
      p99Us: quantile(latenciesUs, 0.99),
      frontendCpuUs: frontendCpuUs / requests,
      lateP99Us: quantile(lateUs, 0.99),
      copiesShare: toCopiesShare(bench.row, copies, requests),
    };
    return [slice, latenciesUs];
  }

  async #runBusy(bench: Bench): Promise<BusySlice> {
    const { pair, row, frontends } = bench;
    const { pids } = pair.gateway;
    const counts: (PerfCount | null)[] = [null];
    if (this.#counter !== null && pids.length > 0) {
      counts[0] = await this.#counter.start({ pids });
      for (const tid of frontends) counts.push(await this.#counter.start({ tid }));
    }
    const before = await this.#read(bench);
    const { requests, seconds } = await this.#load(bench);
    const { cpuUs, frontendCpuUs, copies } = await this.#readSince(bench, before);
    const [all = NOT_COUNTED, ...ofThreads] = await Promise.all(
      counts.map((count) => count?.stop() ?? NOT_COUNTED),
    );
    return {
      requestsPerSecond: requests / seconds,
      cpuUs: cpuUs / requests,
      frontendCpuUs: frontendCpuUs / requests,
      userInstructions: all.user / requests,
      kernelInstructions: all.kernel / requests,
      frontendInstructions: ofThreads.length === 0 ? Number.NaN : sumInstructions(ofThreads) / requests,
      copiesShare: toCopiesShare(row, copies, requests),
    };
  }

  async #load({ pair, row }: Bench): Promise<{ requests: number; seconds: number }> {
    const connections = toConnections(row);
    const { busyRequests } = this.#settings;
    if (this.#site.wrk !== null && busyRequests === null) {
      return this.#site.wrk.run(row, pair.gateway.port, connections);
    }
    const requests = toRequests(row, busyRequests ?? BUSY_SLICE_REQUESTS);
    const cutOffMs = Number.POSITIVE_INFINITY;
    const { seconds } = await pair.client.run(
      { requests, connections, ratePerSecond: 0, cutOffMs },
      LIMIT_MS,
    );
    return { requests, seconds };
  }

  async #read({ pair, frontends }: Bench): Promise<Reading> {
    const { gateway, shadows } = pair;
    return {
      cpuNs: gateway.readCpuNs(),
      frontendCpuNs: sumCpuNs(gateway.pids[0] ?? 0, frontends),
      copies: await countCopies(shadows),
    };
  }

  /** What has been used since then, all work of the slice included: copies may still be under way when it ends. */
  async #readSince(
    bench: Bench,
    before: Reading,
  ): Promise<{ cpuUs: number; frontendCpuUs: number; copies: number }> {
    await bench.pair.gateway.untilQuiet(QUIET_LIMIT_MS);
    const { gateway, shadows } = bench.pair;
    const frontendCpuNs = sumCpuNs(gateway.pids[0] ?? 0, bench.frontends);
    const cpuNs = gateway.readCpuNs();
    const isSeen = hasThreadFigures && gateway.pids.length > 0;
    return {
      cpuUs: isSeen ? (cpuNs - before.cpuNs) / 1000 : Number.NaN,
      frontendCpuUs: bench.frontends.length > 0 ? (frontendCpuNs - before.frontendCpuNs) / 1000 : Number.NaN,
      copies: (await countCopies(shadows)) - before.copies,
    };
  }
}

interface Reading {
  readonly cpuNs: number;
  readonly frontendCpuNs: number;
  readonly copies: number;
}

const NOT_COUNTED: Instructions = { user: Number.NaN, kernel: Number.NaN };

function isLarge({ load }: Row): boolean {
  return load.requestBytes + load.answerBytes > LARGE_BYTES;
}

function toConnections(row: Row): number {
  return isLarge(row) ? BUSY_CONNECTIONS_LARGE : BUSY_CONNECTIONS;
}

function toRequests(row: Row, requests: number): number {
  return isLarge(row) ? Math.ceil(requests * LARGE_SHARE) : requests;
}

/** Forwards at even turns, backwards at odd ones. */
function inOrder<T>(items: readonly T[], turn: number): readonly T[] {
  return turn % 2 === 0 ? items : items.toReversed();
}

function sumCpuNs(pid: number, tids: readonly number[]): number {
  return tids.reduce((total, tid) => total + readCpuNs(pid, tid), 0);
}

function sumInstructions(counts: readonly Instructions[]): number {
  return counts.reduce((total, { user, kernel }) => total + user + (Number.isNaN(kernel) ? 0 : kernel), 0);
}

async function countCopies(shadows: readonly Shadow[]): Promise<number> {
  const counts = await Promise.all(shadows.map((shadow) => shadow.readCount()));
  return counts.reduce((total, count) => total + count, 0);
}

function toCopiesShare({ mirror }: Row, copies: number, requests: number): number {
  if (mirror === null || mirror.shadow === 'refusing') return Number.NaN;
  return copies / (requests * mirror.copies * (mirror.percentage / 100));
}
