// Throughput over time while the shadow stops answering and comes back: what clients notice of it.
//
// The shadow is frozen, not killed: its connections stay open and are accepted, and nothing comes back, which is how
// a machine dies. The load client does not know; it counts its own answers.

import { setTimeout as sleep } from 'node:timers/promises';
import { NATIVE } from './gateway.ts';
import { INTERVAL_MS, type PhaseResult } from './phase.ts';
import type { Row } from './rows.ts';
import type { Site } from './site.ts';

const CONNECTIONS = 16;
const WARMUP_REQUESTS = 8_000;
const LIMIT_MS = 60_000;

export const RECOVERY = { seconds: 9, frozenAtSeconds: 3, thawedAtSeconds: 6 } as const;

export interface RecoveryFigures {
  readonly row: string;
  /** Answers a second, in each tenth of a second. */
  readonly answersPerSecond: readonly number[];
}

export async function measureRecovery(site: Site, row: Row): Promise<RecoveryFigures> {
  const shadow = await site.startShadow('answering');
  const pair = await site.startPair(row, NATIVE, [shadow]);
  const phase = { connections: CONNECTIONS, ratePerSecond: 0, cutOffMs: Number.POSITIVE_INFINITY };
  await pair.client.run({ ...phase, requests: WARMUP_REQUESTS }, LIMIT_MS);
  const work = pair.client.run(
    { ...phase, requests: Number.POSITIVE_INFINITY, cutOffMs: RECOVERY.seconds * 1000 },
    LIMIT_MS,
  );
  await sleep(RECOVERY.frozenAtSeconds * 1000);
  shadow.freeze();
  await sleep((RECOVERY.thawedAtSeconds - RECOVERY.frozenAtSeconds) * 1000);
  shadow.thaw();
  const result = await work;
  await site.stopPair(pair);
  return { row: row.name, answersPerSecond: toRates(result) };
}

function toRates({ answeredBy }: PhaseResult): number[] {
  const intervals = (RECOVERY.seconds * 1000) / INTERVAL_MS;
  return Array.from({ length: intervals }, (_, index) => (answeredBy[index] ?? 0) * (1000 / INTERVAL_MS));
}
