// `umbra demo`: a sample service, its next version with some mistakes as the shadow, a second copy of today's version as
// the control, the gateway between them, a little real traffic, and what umbra found; then the same with the mistakes mended.
// The gateway is a process of its own, exactly as `umbra run` starts it.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openShop, type Shop, sendTraffic } from './demo-shop.ts';
import { runVerdict } from './verdict.ts';

const ROUTE = 'shop';
const REQUESTS = 600;
const CLIENTS = 8;
const READY_MS = 60_000;
const SETTLE_MS = 30_000;
const FIELDS_SHOWN_MAX = 6;

/** What the demo reads of a route's object under /mirrors. */
interface Figures {
  readonly matched: number;
  readonly total_mirrored: number;
  readonly total_success: number;
  readonly total_errors: number;
  readonly total_compared: number;
  readonly total_mismatches: number;
  readonly mismatch_store_size: number;
  readonly skipped: Record<string, number>;
  readonly dropped: Record<string, number>;
  readonly [percentile: `${string}_ms`]: number | null;
}

/** … under /mirrors/shop/mismatches and /mirrors/shop/fields. */
interface Mismatches {
  readonly groups: readonly {
    readonly count: number;
    readonly fields: readonly string[];
    readonly example: { readonly method: string; readonly path: string } | null;
  }[];
}
interface Fields {
  readonly fields: readonly { readonly field: string; readonly state: string; readonly differed: number }[];
}

export interface DemoOptions {
  /** Leaves the mistakes as they are and goes on with the traffic, for the dashboard, until SIGINT or SIGTERM. */
  readonly keep: boolean;
}

interface Stage {
  readonly url: string;
  readonly admin: string;
  readonly key: string;
  readonly print: (line: string) => void;
}

export async function runDemo({ keep }: DemoOptions): Promise<void> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const primary = await openShop(false);
  const control = await openShop(false);
  const shadow = await openShop(true);
  const shops = [primary, control, shadow];
  const folder = mkdtempSync(join(tmpdir(), 'umbra-demo-'));
  const key = randomUUID();
  const gateway = startGateway(join(folder, 'umbra.yaml'), toConfig(shops.map(toOrigin), key));
  try {
    const stage = { ...(await gateway.ready), key, print };
    print(`primary  ${primary.origin}   a little shop`);
    print(`control  ${control.origin}   the same once more: what differs there is noise`);
    print(`shadow   ${shadow.origin}   its next version, not quite right`);
    print(`umbra    ${stage.url}   mirrors everything and compares field by field`);
    await showMistakes(stage);
    if (keep) {
      print(`\ndashboard ${stage.admin}/#route=${ROUTE}   until Ctrl-C`);
      await keepSending(stage.url);
    } else {
      await showMended(stage, shadow);
      print('\nwith a service of your own, begin with `methods: safe`: copies of what changes nothing');
    }
  } finally {
    // Ctrl-C at a terminal is told to the gateway as well.
    const isRunning = gateway.process.exitCode === null && gateway.process.signalCode === null;
    if (isRunning && gateway.process.kill('SIGTERM')) await once(gateway.process, 'exit');
    for (const shop of shops) shop.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function toOrigin({ origin }: Shop): string {
  return origin;
}

function toConfig([primary, control, shadow]: readonly string[], key: string): string {
  return `listen: { http: 127.0.0.1:0 }
admin: { listen: 127.0.0.1:0, key: ${key} }
threads: { frontend: 1, mirror: 1 }
store: { type: file, path: routes.json }
routes:
  - id: ${ROUTE}
    path: /
    path_prefix: true
    backends: [{ url: ${primary} }]
    mirror:
      backends: [{ url: ${shadow} }]
      compare:
        detailed_diff: true
        control: { url: ${control} }
        verdict: { min_compared: 500, max_mismatch: 1% }
`;
}

interface RunningGateway {
  readonly process: ChildProcess;
  readonly ready: Promise<{ url: string; admin: string }>;
}

function startGateway(file: string, config: string): RunningGateway {
  writeFileSync(file, config);
  const main = fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url),
  );
  const child = spawn(process.execPath, [main, 'run', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ready = new Promise<{ url: string; admin: string }>((resolve, reject) => {
    setTimeout(() => reject(new Error('the gateway did not become ready')), READY_MS).unref();
    child.once('exit', (code) => reject(new Error(`the gateway ended with code ${code}`)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const found = /^umbra ready: (\S+) admin (\S+)$/.exec(line);
      if (found) resolve({ url: found[1]!, admin: found[2]! });
    });
  });
  return { process: child, ready };
}

async function showMistakes(stage: Stage): Promise<void> {
  const { url, admin, print } = stage;
  print(`\nsending ${REQUESTS} requests over ${CLIENTS} connections …`);
  const failures = await sendTraffic(url, REQUESTS, CLIENTS);
  const figures = await readSettled(admin, REQUESTS);
  print(`clients  ${REQUESTS - failures} of ${REQUESTS} answered well\n`);
  reportFigures(figures, print);
  const { fields } = await read<Fields>(`${admin}/mirrors/${ROUTE}/fields`);
  const noise = fields.filter(({ state }) => state === 'noise').map(({ field }) => field);
  print(`  noise            ${noise.join(', ')}`);
  print('\nwhat differs');
  const { groups } = await read<Mismatches>(`${admin}/mirrors/${ROUTE}/mismatches`);
  for (const { count, fields: differing, example } of groups) {
    const shown = differing.slice(0, FIELDS_SHOWN_MAX).join(', ');
    print(
      `  ${String(count).padStart(4)} ×  ${shown}${example ? `   as in ${example.method} ${example.path}` : ''}`,
    );
  }
  await judge(stage);
}

async function showMended(stage: Stage, shadow: Shop): Promise<void> {
  const { url, admin, key, print } = stage;
  print('\nits makers mend it; the same traffic once more …');
  shadow.isWrong = false;
  await fetch(`${admin}/mirrors/${ROUTE}/verdict`, { method: 'DELETE', headers: { 'x-api-key': key } });
  await sendTraffic(url, REQUESTS, CLIENTS);
  await readSettled(admin, 2 * REQUESTS);
  await judge(stage);
}

/** Asks as a pipeline would. */
async function judge({ admin, print }: Stage): Promise<void> {
  print('\numbra verdict');
  await runVerdict(['--admin', admin, '--route', ROUTE], {}, process.stdout, process.stderr);
}

async function read<Body>(url: string): Promise<Body> {
  return (await (await fetch(url)).json()) as Body;
}

/** Until SIGINT or SIGTERM. */
async function keepSending(url: string): Promise<void> {
  const ending = Promise.withResolvers<void>();
  let isEnding = false;
  const end = (): void => {
    isEnding = true;
    ending.resolve();
  };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  while (!isEnding) {
    // A gateway that ends first resets what it was asked.
    const sent = sendTraffic(url, REQUESTS, CLIENTS).catch(end);
    await Promise.race([sent, ending.promise]);
  }
}

/** Reads the figures when every copy has ended, was compared, and its finding has arrived. */
async function readSettled(admin: string, requests: number): Promise<Figures> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const figures = await read<Figures>(`${admin}/mirrors/${ROUTE}`);
    const { compared } = await read<{ readonly compared: number }>(`${admin}/mirrors/${ROUTE}/fields`);
    const isSettled =
      figures.matched === requests &&
      figures.total_mirrored === figures.total_success + figures.total_errors &&
      figures.matched === sum(figures.skipped) + sum(figures.dropped) + figures.total_mirrored &&
      compared === figures.total_compared;
    if (isSettled || performance.now() > deadline) return figures;
    await sleep(20);
  }
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function reportFigures(figures: Figures, print: (line: string) => void): void {
  const latency = (side: string): string =>
    ['p50', 'p95', 'p99']
      .map((p) => `${p} ${(figures[`${side}latency_${p}_ms`] ?? 0).toFixed(1)} ms`)
      .join('   ');
  const share = ((100 * figures.total_mismatches) / Math.max(1, figures.total_compared)).toFixed(1);
  print('what umbra found');
  print(
    `  copies sent      ${figures.total_mirrored} of ${figures.matched}, ${figures.total_success} answered`,
  );
  print(`  primary latency  ${latency('primary_')}`);
  print(`  shadow latency   ${latency('')}`);
  print(`  compared         ${figures.total_compared}`);
  print(`  mismatches       ${figures.total_mismatches} (${share} %)`);
}
