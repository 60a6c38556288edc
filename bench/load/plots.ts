// The three plots of a run, drawn from what it found; a plot without data is left out.

import { plotBars } from '../plot/bar-plot.ts';
import { plotPercentiles } from '../plot/percentile-plot.ts';
import { plotTimeline } from '../plot/time-plot.ts';
import type { Findings } from './findings.ts';
import { INTERVAL_MS } from './phase.ts';
import { RECOVERY, type RecoveryFigures } from './recovery.ts';
import { CUT_OFF_MS } from './rounds.ts';

export interface Plot {
  readonly name: string;
  readonly svg: string;
}

const STATES: readonly (readonly [row: string, group: string, state: string])[] = [
  ['off', 'umbra', 'off'],
  ['mirror', 'umbra', 'mirrored'],
  ['slow', 'umbra', 'shadow takes 1 s'],
  ['hung', 'umbra', 'shadow hangs'],
  ['nginx', 'nginx', 'off'],
  ['nginx-mirror', 'nginx', 'mirrored'],
  ['nginx-slow', 'nginx', 'shadow takes 1 s'],
  ['nginx-hung', 'nginx', 'shadow hangs'],
];

const BARS = [
  'haproxy',
  'nginx',
  'nginx-mirror-empty',
  'nginx-mirror',
  'off',
  'mirror',
  'compare',
  'fast-proxy',
  'fastify-http-proxy',
  'http-proxy',
];

/** `subtitle` names the machine. */
export function drawPlots(
  findings: Findings,
  recoveries: readonly RecoveryFigures[],
  subtitle: string,
): Plot[] {
  const states = STATES.filter(([row]) => findings.latencies(row).length > 0);
  const bars = BARS.filter((row) => findings.figure(row, 'cpu') > 0);
  const plots: Plot[] = [];
  if (states.length > 0) plots.push({ name: 'latency', svg: drawLatency(findings, states, subtitle) });
  if (bars.length > 0) plots.push({ name: 'cpu', svg: drawCpu(findings, bars, subtitle) });
  if (recoveries.length > 0) plots.push({ name: 'recovery', svg: drawRecovery(recoveries, subtitle) });
  return plots;
}

function drawLatency(findings: Findings, states: typeof STATES, subtitle: string): string {
  const rate = findings.rows.find(({ name }) => name === states[0]![0])!.load.ratePerSecond;
  return plotPercentiles({
    title: `Latency of the client at ${rate} requests a second`,
    subtitle,
    series: states.map(([row, group, name]) => {
      const latenciesUs = Float64Array.from(findings.latencies(row));
      const isCut = latenciesUs.some((latency) => latency === Number.POSITIVE_INFINITY);
      return { name, group, latenciesUs, censoredAtUs: isCut ? CUT_OFF_MS * 1000 : undefined };
    }),
  });
}

function drawCpu(findings: Findings, rows: readonly string[], subtitle: string): string {
  return plotBars({
    title: 'CPU time per request, all threads and processes of the gateway',
    subtitle,
    unit: 'µs per request',
    bars: rows.map((row) => {
      const [value, frontend] = [findings.figure(row, 'cpu'), findings.figure(row, 'frontend_cpu')];
      const parts =
        frontend > 0 ? [{ name: 'front-end thread', value: Math.min(frontend, value) }] : undefined;
      return { name: findings.rows.find(({ name }) => name === row)!.title, value, parts };
    }),
  });
}

function drawRecovery(recoveries: readonly RecoveryFigures[], subtitle: string): string {
  return plotTimeline({
    title: 'Answers to clients while the shadow stops answering and comes back',
    subtitle,
    unit: 'answers per second',
    series: recoveries.map(({ row, answersPerSecond }) => ({
      name: 'all mirrored',
      group: row.startsWith('nginx') ? 'nginx' : 'umbra',
      points: answersPerSecond.map((value, index) => ({
        atSeconds: ((index + 0.5) * INTERVAL_MS) / 1000,
        value,
      })),
    })),
    marks: [
      { atSeconds: RECOVERY.frozenAtSeconds, label: 'shadow freezes' },
      { atSeconds: RECOVERY.thawedAtSeconds, label: 'shadow is back' },
    ],
  });
}
