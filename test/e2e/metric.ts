// Reads single figures from a gateway's GET /metrics.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Gateway } from '../kit/gateway.ts';

const DEADLINE_MS = 60_000;
/** Front ends write their gauges ten times a second. */
const PAUSE_MS = 50;

/** `series` is a name with its labels, as it stands in the text. */
export async function readMetric(gateway: Gateway, series: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`);
  const text = await response.text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  if (line === undefined) throw new Error(`no ${series} in /metrics`);
  return Number(line.slice(series.length + 1));
}

/** Resolves when the figure is that value; rejects after a minute with what it was. */
export async function untilMetric(gateway: Gateway, series: string, value: number): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const found = await readMetric(gateway, series);
    if (found === value) return;
    if (performance.now() > deadline) throw new Error(`${series}: expected ${value}, found ${found}`);
    await sleep(PAUSE_MS);
  }
}

/** Resolves when no exchange is left. */
export function untilIdle(gateway: Gateway): Promise<void> {
  return untilMetric(gateway, 'umbra_exchanges_in_flight', 0);
}
