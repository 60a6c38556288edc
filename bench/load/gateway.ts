// One gateway process under test: its start from a config of its own, its books, its end.
//
// Speaks to it only as an operator could: command line, config file, Admin API.

import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessGroup } from './processes.ts';
import { readProcessDemandNs } from './threads.ts';
import { ROUTE_ID, type ShadowKind, toConfigText, type Variant } from './variants.ts';

const MAIN_FILE = resolve(import.meta.dirname, '../../src/main.ts');
const READY_POLL_MS = 25;
const QUIET_SAMPLE_MS = 40;
/** A process that uses less than this share of one core has nothing left to do. */
const QUIET_SHARE = 0.1;

export interface GatewayOptions {
  readonly variant: Variant;
  /** Exists, and is the benchmark's own. */
  readonly folder: string;
  readonly primaryPort: number;
  readonly shadowPort: Record<ShadowKind, number>;
  readonly launcher: Launcher;
}

/** How the gateway's command line is run. */
export interface Launcher {
  /** Words before it; the folder is the gateway's own. */
  toCommand(folder: string): readonly string[];
  readonly readyLimitMs: number;
  /** It runs many times slower than it would by itself. */
  readonly isSlowed: boolean;
}

export const NATIVE: Launcher = { toCommand: () => [], readyLimitMs: 15_000, isSlowed: false };

/** What the gateway has told about its copies since its start. */
export interface CopyBooks {
  readonly matched: number;
  readonly sent: number;
  readonly batches: number;
  readonly jobs: number;
}

export class Gateway {
  readonly variant: Variant;
  readonly port: number;
  readonly folder: string;
  readonly #adminPort: number;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, variant: Variant, folder: string, ports: { http: number; admin: number }) {
    this.#child = child;
    this.variant = variant;
    this.folder = folder;
    this.port = ports.http;
    this.#adminPort = ports.admin;
  }

  get process(): ChildProcess {
    return this.#child;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async readBooks(): Promise<CopyBooks> {
    const mirrors = (await (await this.#get('/mirrors')).json()) as Record<string, Record<string, number>>;
    const metrics = await (await this.#get('/metrics')).text();
    const read = (name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(metrics)?.[1] ?? 0);
    return {
      matched: mirrors[ROUTE_ID]?.matched ?? 0,
      sent: mirrors[ROUTE_ID]?.total_mirrored ?? 0,
      batches: read('umbra_mirror_batches_total'),
      jobs: read('umbra_mirror_jobs_total'),
    };
  }

  /** Waits until it works on nothing any more, so that one measurement's copies do not run into the next. */
  async untilQuiet(limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    let used = readProcessDemandNs(this.pid);
    while (performance.now() < deadline) {
      await sleep(QUIET_SAMPLE_MS);
      const now = readProcessDemandNs(this.pid);
      if (now - used < QUIET_SAMPLE_MS * 1e6 * QUIET_SHARE) return;
      used = now;
    }
  }

  async untilReady(limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (performance.now() < deadline) {
      if (this.#child.exitCode !== null) throw new Error(this.#describe('ended before it was ready'));
      if (await this.#isReady()) return;
      await sleep(READY_POLL_MS);
    }
    throw new Error(this.#describe(`was not ready within ${limitMs} ms`));
  }

  #isReady(): Promise<boolean> {
    return this.#get('/readyz').then(
      (answer) => answer.ok,
      () => false,
    );
  }

  #get(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#adminPort}${path}`, { signal: AbortSignal.timeout(30_000) });
  }

  #describe(what: string): string {
    const log = readFileSync(join(this.folder, 'gateway.log'), 'utf8').slice(-2_000);
    return `the gateway (${this.variant.name}) ${what}:\n${log}`;
  }
}

export async function startGateway(group: ProcessGroup, options: GatewayOptions): Promise<Gateway> {
  const { variant, launcher } = options;
  const folder = join(options.folder, `${variant.name}-${randomBytes(4).toString('hex')}`);
  mkdirSync(folder);
  const [http, admin] = await findFreePorts(2);
  const ports = { http: http!, admin: admin!, primary: options.primaryPort, shadow: options.shadowPort };
  const configFile = join(folder, 'umbra.yaml');
  const adminKey = randomBytes(16).toString('hex');
  writeFileSync(configFile, toConfigText(variant, { ports, adminKey, isSlowed: launcher.isSlowed }));

  const words = [...launcher.toCommand(folder), process.execPath, MAIN_FILE, 'run', '--config', configFile];
  const log = openSync(join(folder, 'gateway.log'), 'w');
  // It runs in its own folder, so that what it writes beside its config goes away with the benchmark's files.
  const child = group.spawn(words[0]!, words.slice(1), { cwd: folder, stdio: ['ignore', log, log] });
  closeSync(log);
  const gateway = new Gateway(child, variant, folder, ports);
  await gateway.untilReady(launcher.readyLimitMs);
  return gateway;
}

/** Ports that nothing listens on at this moment; all different. */
async function findFreePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const { promise, resolve: done, reject } = Promise.withResolvers<ReturnType<typeof createServer>>();
      const server = createServer().once('error', reject);
      server.listen(0, '127.0.0.1', () => done(server));
      return promise;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
