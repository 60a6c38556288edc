// Instructions per request of the front-end thread by callgrind, where the processor's counters cannot be used.
//
// A fresh process per row, warmed up until its code is compiled; then equal segments of load, of which the median
// counts: one with a late compilation or a major garbage collection in it stands out and is shown, not used.

import { availableParallelism } from 'node:os';
import { CALLGRIND, openCallgrind } from './callgrind.ts';
import type { Gateway } from './gateway.ts';
import { BUSY_CONNECTIONS } from './rounds.ts';
import type { Row } from './rows.ts';
import type { Pair, Site } from './site.ts';

/** Numbers of bursts. */
export interface InstructionSettings {
  readonly warmup: number;
  readonly segments: number;
  readonly segment: number;
}

export interface InstructionRow {
  readonly row: string;
  /** By segment. */
  readonly perRequest: readonly number[];
  /** Copies that left the front end together, on average; NaN without any. */
  readonly jobsPerBatch: number;
  /** Of the copies that were due, how many were handed to the shadow; NaN when none was due. */
  readonly copiesShare: number;
}

/**
 * Load comes in bursts with a rest after each, in which the mirror thread catches up: on few cores, and in slow
 * motion, it would otherwise fall behind until copies are dropped, and a dropped copy costs the front end less.
 */
const BURST_REQUESTS = 250;
const PHASE_LIMIT_MS = 120_000;
const QUIET_LIMIT_MS = 10_000;

/**
 * Rows beside each other: what is counted does not depend on how fast it runs. No more than there are cores, since a gateway
 * that is slower still runs into the listener's deadlines.
 */

export async function measureInstructions(
  site: Site,
  rows: readonly Row[],
  settings: InstructionSettings,
): Promise<InstructionRow[]> {
  const counted: InstructionRow[] = [];
  const step = availableParallelism();
  for (let at = 0; at < rows.length; at += step) {
    const group = rows.slice(at, at + step).map((row) => measureRow(site, row, settings));
    counted.push(...(await Promise.all(group)));
  }
  return counted;
}

async function measureRow(site: Site, row: Row, settings: InstructionSettings): Promise<InstructionRow> {
  const pair = await site.startPair(row, CALLGRIND);
  const { gateway } = pair;
  await load(pair, settings.warmup, true);
  const session = await openCallgrind(gateway);
  // Counting has just been switched on, which translates all code anew.
  await session.count(() => load(pair, settings.segment, true));
  const figures = await countSegments(pair, session.count, settings);
  await site.stopPair(pair);
  return { row: row.name, ...figures };
}

async function countSegments(
  pair: Pair,
  count: (work: () => Promise<void>) => Promise<number>,
  { segments, segment }: InstructionSettings,
): Promise<Omit<InstructionRow, 'row'>> {
  const before = await readBooks(pair.gateway);
  const perRequest: number[] = [];
  for (let done = 0; done < segments; done++) {
    perRequest.push((await count(() => load(pair, segment, true))) / (segment * BURST_REQUESTS));
  }
  const after = await readBooks(pair.gateway);
  return {
    perRequest,
    jobsPerBatch: (after.jobs - before.jobs) / (after.batches - before.batches),
    copiesShare: (after.sent - before.sent) / (after.matched - before.matched),
  };
}

async function readBooks(gateway: Gateway): ReturnType<Gateway['readBooks']> {
  await gateway.untilQuiet(QUIET_LIMIT_MS);
  return gateway.readBooks();
}

async function load({ client, gateway }: Pair, bursts: number, rests: boolean): Promise<void> {
  const phase = { connections: BUSY_CONNECTIONS, ratePerSecond: 0, cutOffMs: Number.POSITIVE_INFINITY };
  if (!rests) await client.run({ ...phase, requests: bursts * BURST_REQUESTS }, PHASE_LIMIT_MS);
  for (let left = rests ? bursts : 0; left > 0; left--) {
    await client.run({ ...phase, requests: BURST_REQUESTS }, PHASE_LIMIT_MS);
    await gateway.untilQuiet(QUIET_LIMIT_MS);
  }
  await gateway.untilQuiet(QUIET_LIMIT_MS);
}
