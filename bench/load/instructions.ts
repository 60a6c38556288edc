// Instructions per request of the front-end thread, by the best counter that the machine has.
//
// A fresh process per variant, warmed up until its code is compiled; then equal segments of load, of which the
// median counts: one with a late compilation or a major garbage collection in it stands out and is shown, not used.

import { createCallgrindCounter } from './callgrind.ts';
import type { Gateway, Launcher } from './gateway.ts';
import { createPerfCounter } from './perf.ts';
import type { Pair, Site } from './site.ts';
import { findFrontend, hasThreadFigures, readThreads } from './threads.ts';
import type { Variant } from './variants.ts';

export interface InstructionCounter {
  /** For people: what counts, and what is counted. */
  readonly method: string;
  readonly launcher: Launcher;
  /** The gateway is warmed up; the thread is its front end. */
  open(gateway: Gateway, tid: number): Promise<CounterSession>;
}

export interface CounterSession {
  /** Instructions of the thread while the work runs. */
  count(work: () => Promise<void>): Promise<number>;
}

/** Numbers of requests are multiples of BURST_REQUESTS. */
export interface InstructionSettings {
  readonly warmupRequests: number;
  readonly segments: number;
  readonly segmentRequests: number;
  /** Closed loop; each number of connections is measured by itself, since batches grow with them. */
  readonly connections: readonly number[];
}

export interface InstructionRow {
  readonly variant: string;
  readonly connections: number;
  /** By segment. */
  readonly perRequest: readonly number[];
  /** Copies that left the front end together, on average; 0 without any. */
  readonly jobsPerBatch: number;
  /** Of the copies that were due, how many were handed to the shadow; NaN when none was due. */
  readonly copiesShare: number;
}

/**
 * Load comes in bursts with a rest after each, in which the mirror thread catches up: on few cores, and in slow
 * motion, it would otherwise fall behind until copies are dropped, and a dropped copy costs the front end less.
 */
export const BURST_REQUESTS = 250;
const PHASE_LIMIT_MS = 120_000;
const QUIET_LIMIT_MS = 10_000;

/** Null when the machine has none. */
export function createInstructionCounter(site: Site): InstructionCounter | null {
  if (!hasThreadFigures) return null;
  return createPerfCounter(site.group) ?? createCallgrindCounter();
}

export async function measureInstructions(
  site: Site,
  counter: InstructionCounter,
  variant: Variant,
  settings: InstructionSettings,
): Promise<InstructionRow[]> {
  const pair = await site.startPair(variant, counter.launcher);
  const { gateway } = pair;
  const before = readThreads(gateway.pid);
  const warmup = {
    requests: settings.warmupRequests,
    connections: settings.connections[0]!,
    ratePerSecond: 0,
  };
  await pair.client.run(warmup, PHASE_LIMIT_MS);
  await gateway.untilQuiet(QUIET_LIMIT_MS);
  const session = await counter.open(gateway, findFrontend(before, readThreads(gateway.pid)).tid);
  const rows: InstructionRow[] = [];
  for (const connections of settings.connections) {
    // The counter has just been switched on, or the number of connections has changed.
    await session.count(() => load(pair, settings.segmentRequests, connections));
    rows.push(await measureRow(pair, session, connections, settings));
  }
  await site.stopPair(pair);
  return rows;
}

async function measureRow(
  pair: Pair,
  session: CounterSession,
  connections: number,
  { segments, segmentRequests }: InstructionSettings,
): Promise<InstructionRow> {
  const { gateway } = pair;
  await gateway.untilQuiet(QUIET_LIMIT_MS);
  const before = await gateway.readBooks();
  const perRequest: number[] = [];
  for (let segment = 0; segment < segments; segment++) {
    const count = await session.count(() => load(pair, segmentRequests, connections));
    perRequest.push(count / segmentRequests);
  }
  await gateway.untilQuiet(QUIET_LIMIT_MS);
  const after = await gateway.readBooks();
  const batches = after.batches - before.batches;
  return {
    variant: gateway.variant.name,
    connections,
    perRequest,
    jobsPerBatch: batches === 0 ? 0 : (after.jobs - before.jobs) / batches,
    copiesShare: (after.sent - before.sent) / (after.matched - before.matched),
  };
}

async function load({ client, gateway }: Pair, requests: number, connections: number): Promise<void> {
  for (let left = requests; left > 0; left -= BURST_REQUESTS) {
    await client.run({ requests: BURST_REQUESTS, connections, ratePerSecond: 0 }, PHASE_LIMIT_MS);
    await gateway.untilQuiet(QUIET_LIMIT_MS);
  }
}
