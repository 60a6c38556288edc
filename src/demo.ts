// `umbra demo`: a sample primary, a sample shadow that answers slightly wrong, the gateway between them, a little
// real traffic, and what umbra found. The gateway is a process of its own, exactly as `umbra run` starts it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const REQUESTS = 600;
const CLIENTS = 8;
/** Between two requests of one client: a service at work, not a benchmark. */
const PAUSE_MS = 20;
const ORDER_EVERY = 3;
/** The next version's mistakes: some prices are rounded, some orders refused, and everything is a bit slower. */
const ROUNDED_EVERY = 20;
const REFUSED_EVERY = 30;
const SHADOW_DELAY_MS = 3;
const READY_MS = 60_000;
const SETTLE_MS = 30_000;

/** What the demo reads of a route's object under /mirrors. */
interface Figures {
  readonly matched: number;
  readonly total_mirrored: number;
  readonly total_success: number;
  readonly total_errors: number;
  readonly total_compared: number;
  readonly total_mismatches: number;
  readonly status_mismatches: number;
  readonly body_mismatches: number;
  readonly skipped: Record<string, number>;
  readonly dropped: Record<string, number>;
  readonly [percentile: `${string}_ms`]: number | null;
}

interface Sample {
  readonly path: string;
  readonly method: 'GET' | 'POST';
}

export interface DemoOptions {
  /** Goes on with the traffic, for the dashboard, until SIGINT or SIGTERM. */
  readonly keep: boolean;
}

export async function runDemo({ keep }: DemoOptions): Promise<void> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const primary = await openShop(false);
  const shadow = await openShop(true);
  const folder = mkdtempSync(join(tmpdir(), 'umbra-demo-'));
  const gateway = startGateway(join(folder, 'umbra.yaml'), toConfig(toOrigin(primary), toOrigin(shadow)));
  try {
    const { url, admin } = await gateway.ready;
    print(`primary  ${toOrigin(primary)}   a little shop`);
    print(`shadow   ${toOrigin(shadow)}   its next version, not quite right`);
    print(`umbra    ${url}   mirrors everything and compares`);
    print(`\nsending ${REQUESTS} requests over ${CLIENTS} connections …`);
    const failures = await sendTraffic(url);
    const figures = await readSettled(admin);
    report(figures, failures, gateway.mismatches, print);
    if (keep) {
      print(`\ndashboard ${admin}/#route=shop   until Ctrl-C`);
      await keepSending(url);
    }
  } finally {
    // Ctrl-C at a terminal is told to the gateway as well.
    const isRunning = gateway.process.exitCode === null && gateway.process.signalCode === null;
    if (isRunning && gateway.process.kill('SIGTERM')) await once(gateway.process, 'exit');
    for (const server of [primary, shadow]) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The sample service. `isNext` makes it the version with the mistakes. */
async function openShop(isNext: boolean): Promise<Server> {
  const server = createServer((incoming, response) => {
    incoming.resume();
    incoming.once('end', () => {
      const number = Number(incoming.url!.split('/').at(-1));
      const answer = (): void => answerShop(response, incoming.method!, number, isNext);
      if (isNext) setTimeout(answer, SHADOW_DELAY_MS);
      else answer();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function answerShop(response: ServerResponse, method: string, number: number, isNext: boolean): void {
  response.setHeader('content-type', 'application/json');
  if (method === 'POST') {
    response.statusCode = isNext && number % REFUSED_EVERY === 0 ? 422 : 201;
    response.end(JSON.stringify({ order: number, accepted: response.statusCode === 201 }));
    return;
  }
  const price = (number * 7.35).toFixed(isNext && number % ROUNDED_EVERY === 0 ? 0 : 2);
  response.end(JSON.stringify({ product: number, price, currency: 'EUR' }));
}

function toOrigin(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function toConfig(primary: string, shadow: string): string {
  return `listen: { http: 127.0.0.1:0 }
admin: { listen: 127.0.0.1:0 }
threads: { frontend: 1, mirror: 1 }
routes:
  - id: shop
    path: /
    path_prefix: true
    backends: [{ url: ${primary} }]
    mirror:
      backends: [{ url: ${shadow} }]
      compare: { enabled: true, log_mismatches: true }
`;
}

interface RunningGateway {
  readonly process: ChildProcess;
  readonly ready: Promise<{ url: string; admin: string }>;
  /** Log lines about mismatches so far. */
  readonly mismatches: readonly string[];
}

function startGateway(file: string, config: string): RunningGateway {
  writeFileSync(file, config);
  const main = fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
  );
  const child = spawn(process.execPath, [main, 'run', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const mismatches: string[] = [];
  const ready = new Promise<{ url: string; admin: string }>((resolve, reject) => {
    setTimeout(() => reject(new Error('the gateway did not become ready')), READY_MS).unref();
    child.once('exit', (code) => reject(new Error(`the gateway ended with code ${code}`)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const found = /^umbra ready: (\S+) admin (\S+)$/.exec(line);
      if (found) resolve({ url: found[1]!, admin: found[2]! });
      else if (line.includes('"mirror mismatch"')) mismatches.push(line);
    });
  });
  return { process: child, ready, mismatches };
}

/** Resolves with the number of requests that were not answered with 200 or 201. */
async function sendTraffic(url: string): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const samples = Array.from({ length: REQUESTS }, (_, index): Sample => {
    const number = index + 1;
    const isOrder = number % ORDER_EVERY === 0;
    return { method: isOrder ? 'POST' : 'GET', path: `${isOrder ? '/orders' : '/products'}/${number}` };
  });
  let failures = 0;
  const client = async (): Promise<void> => {
    for (let sample = samples.shift(); sample !== undefined; sample = samples.shift()) {
      const status = await send(url, sample, agent);
      if (status !== 200 && status !== 201) failures++;
      await sleep(PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  agent.destroy();
  return failures;
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
    const sent = sendTraffic(url).catch(end);
    await Promise.race([sent, ending.promise]);
  }
}

function send(url: string, { method, path }: Sample, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}${path}`, { method, agent }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode!));
    });
    outgoing.once('error', reject);
    outgoing.end(method === 'POST' ? '{"amount":1}' : undefined);
  });
}

/** Reads the figures when every copy has ended. */
async function readSettled(admin: string): Promise<Figures> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const figures = (await (await fetch(`${admin}/mirrors/shop`)).json()) as Figures;
    const isSettled =
      figures.matched === REQUESTS &&
      figures.total_mirrored === figures.total_success + figures.total_errors &&
      figures.matched === sum(figures.skipped) + sum(figures.dropped) + figures.total_mirrored;
    if (isSettled || performance.now() > deadline) return figures;
    await sleep(20);
  }
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function report(
  figures: Figures,
  failures: number,
  mismatches: readonly string[],
  print: (line: string) => void,
): void {
  const latency = (side: string): string =>
    ['p50', 'p95', 'p99']
      .map((p) => `${p} ${(figures[`${side}latency_${p}_ms`] ?? 0).toFixed(1)} ms`)
      .join('   ');
  const share = ((100 * figures.total_mismatches) / Math.max(1, figures.total_compared)).toFixed(1);
  print(`clients  ${REQUESTS - failures} of ${REQUESTS} answered well\n`);
  print('what umbra found');
  print(
    `  copies sent      ${figures.total_mirrored} of ${figures.matched}, ${figures.total_success} answered`,
  );
  print(`  primary latency  ${latency('primary_')}`);
  print(`  shadow latency   ${latency('')}`);
  print(`  compared         ${figures.total_compared}`);
  print(
    `  mismatches       ${figures.total_mismatches} (${share} %): ${figures.status_mismatches} in status, ${figures.body_mismatches} in body`,
  );
  print('\nthe first of them');
  for (const line of mismatches.slice(0, 5)) {
    const { method, path, primary_status, shadow_status, body_match } = JSON.parse(line) as Record<
      string,
      unknown
    >;
    print(
      `  ${method} ${path}: status ${primary_status} and ${shadow_status}, body ${body_match ? 'equal' : 'different'}`,
    );
  }
}
