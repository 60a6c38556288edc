// Whether mirror threads keep up: a fixed rate for some seconds, what a copy costs the mirror thread, and what waits for it.
//
// The rate is offered to the gateway; on few cores client, primary and shadow need the same ones, so what was reached is told
// beside it. A mirror thread's own time for a copy does not depend on that: its budget at 5,000 a second is 200 µs.

import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../statistics.ts';
import { type Column, toFixed, toTable } from '../table.ts';
import { type CopyBooks, type Gateway, NATIVE } from './gateway.ts';
import type { Row } from './rows.ts';
import type { Pair, Site } from './site.ts';
import { findFrontends, hasThreadFigures, isMirrorThread, readCpuNs, readThreads } from './threads.ts';

export interface PaceSettings {
  readonly ratePerSecond: number;
  readonly seconds: number;
  readonly warmupRequests: number;
}

export const PACE: PaceSettings = { ratePerSecond: 5_000, seconds: 6, warmupRequests: 20_000 };

export interface PaceFigures {
  readonly row: string;
  readonly title: string;
  /** What was asked for, and what the gateway answered. */
  readonly ratePerSecond: number;
  readonly answersPerSecond: number;
  /** Copies within the same seconds, without those that were still waiting. */
  readonly copiesPerSecond: number;
  readonly compared: number;
  readonly dropped: number;
  /** CPU time of the mirror thread for a copy, in µs; NaN where threads cannot be seen. */
  readonly mirrorCpuUs: number;
  readonly frontendCpuUs: number;
  /** Bytes that wait to be sent, sample by sample. */
  readonly queuedBytes: readonly number[];
}

const CONNECTIONS = 32;
const SAMPLE_MS = 250;
const LIMIT_MS = 120_000;
const QUIET_LIMIT_MS = 20_000;

export async function measurePace(site: Site, row: Row, settings: PaceSettings): Promise<PaceFigures> {
  const pair = await site.startPair(row, NATIVE);
  const { gateway, client } = pair;
  const phase = { connections: CONNECTIONS, cutOffMs: Number.POSITIVE_INFINITY };
  const started = hasThreadFigures ? readThreads(gateway.pid) : [];
  await client.run({ ...phase, requests: settings.warmupRequests, ratePerSecond: 0 }, LIMIT_MS);
  const [frontend] = hasThreadFigures ? findFrontends(started, readThreads(gateway.pid), row.frontends) : [];
  await gateway.untilQuiet(QUIET_LIMIT_MS);
  const before = await gateway.readBooks();
  const used = readUse(gateway, frontend?.tid);
  const { seconds, requests, atEnd, queuedBytes } = await runSampled(pair, settings);
  await gateway.untilQuiet(QUIET_LIMIT_MS);
  const after = await gateway.readBooks();
  const usedThen = readUse(gateway, frontend?.tid);
  await site.stopPair(pair);
  const sent = after.sent - before.sent;
  return {
    row: row.name,
    title: row.title,
    ratePerSecond: settings.ratePerSecond,
    answersPerSecond: requests / seconds,
    copiesPerSecond: (atEnd.sent - before.sent) / seconds,
    compared: after.compared - before.compared,
    dropped: after.dropped - before.dropped,
    mirrorCpuUs: (usedThen.mirrorUs - used.mirrorUs) / sent,
    frontendCpuUs: (usedThen.frontendUs - used.frontendUs) / requests,
    queuedBytes,
  };
}

async function runSampled({ client, gateway }: Pair, { ratePerSecond, seconds }: PaceSettings) {
  const requests = ratePerSecond * seconds;
  let isOver = false;
  const run = client
    .run({ requests, ratePerSecond, connections: CONNECTIONS, cutOffMs: Number.POSITIVE_INFINITY }, LIMIT_MS)
    .finally(() => {
      isOver = true;
    });
  const queuedBytes: number[] = [];
  while (!isOver) {
    await Promise.race([sleep(SAMPLE_MS), run]);
    if (!isOver) queuedBytes.push((await gateway.readBooks()).queuedBytes);
  }
  const result = await run;
  const atEnd: CopyBooks = await gateway.readBooks();
  return { seconds: result.seconds, requests, atEnd, queuedBytes };
}

function readUse(
  gateway: Gateway,
  frontend: number | undefined,
): { readonly mirrorUs: number; readonly frontendUs: number } {
  if (!hasThreadFigures || frontend === undefined) return { mirrorUs: Number.NaN, frontendUs: Number.NaN };
  const threads = readThreads(gateway.pid);
  const mirrors = threads.filter((thread) => isMirrorThread(thread, threads));
  const mirrorNs = mirrors.reduce((total, { cpuNs }) => total + cpuNs, 0);
  return { mirrorUs: mirrorNs / 1000, frontendUs: readCpuNs(gateway.pid, frontend) / 1000 };
}

const COLUMNS: readonly Column<PaceFigures>[] = [
  { title: '', cell: ({ title }) => title },
  { title: 'asked/s', cell: ({ ratePerSecond }) => String(ratePerSecond) },
  { title: 'answered/s', cell: ({ answersPerSecond }) => toFixed(answersPerSecond, 0) },
  { title: 'copies/s', cell: ({ copiesPerSecond }) => toFixed(copiesPerSecond, 0) },
  { title: 'compared', cell: ({ compared }) => String(compared) },
  { title: 'dropped', cell: ({ dropped }) => String(dropped) },
  { title: 'mirror thread µs a copy', cell: ({ mirrorCpuUs }) => toFixed(mirrorCpuUs, 1) },
  {
    title: 'of a core',
    cell: ({ mirrorCpuUs, ratePerSecond }) => toFixed((mirrorCpuUs * ratePerSecond) / 1e6, 2),
  },
  { title: 'front end µs', cell: ({ frontendCpuUs }) => toFixed(frontendCpuUs, 1) },
  { title: 'waiting KiB, first third', cell: ({ queuedBytes }) => toKib(queuedBytes, 0) },
  { title: 'last third', cell: ({ queuedBytes }) => toKib(queuedBytes, 2) },
];

/** Median of a third of the samples. */
function toKib(samples: readonly number[], third: number): string {
  const part = samples.slice(
    Math.floor((third * samples.length) / 3),
    Math.ceil(((third + 1) * samples.length) / 3),
  );
  return part.length === 0 ? '–' : toFixed(median(part) / 1024, 0);
}

export function toPaceTable(paces: readonly PaceFigures[]): string {
  return [
    'Mirror threads at a fixed rate; of a core: what the asked rate takes of one, by the CPU time of a copy',
    toTable(COLUMNS, paces),
  ].join('\n\n');
}
