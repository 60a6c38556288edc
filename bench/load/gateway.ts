// One gateway under test, umbra or a peer: its start from a configuration of its own, its processes, its end.
//
// Speaks to it only as an operator could: command line, configuration, and umbra's Admin API. `direct` is the origin
// itself, with nothing in between.

import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Certificate } from '../../test/kit/certificate.ts';
import { listenOnOwnPort } from '../../test/kit/port.ts';
import { PEERS, type PeerCommand } from '../peers/peer.ts';
import type { ProcessGroup } from './processes.ts';
import { ROUTE_ID, type Row } from './rows.ts';
import {
  hasThreadFigures,
  readPeakBytes,
  readProcessCpuNs,
  readProcessDemandNs,
  readTree,
} from './threads.ts';
import { toConfigText } from './umbra-config.ts';

const MAIN_FILE = resolve(import.meta.dirname, '../../src/main.ts');
const READY_POLL_MS = 25;
const QUIET_SAMPLE_MS = 40;
/** A process that uses less than this share of one core has nothing left to do. */
const QUIET_SHARE = 0.1;

export interface GatewayOptions {
  readonly row: Row;
  /** Exists, and is the benchmark's own. */
  readonly folder: string;
  readonly primaryPort: number;
  readonly shadowPorts: readonly number[];
  readonly certificate: Certificate | null;
  readonly launcher: Launcher;
  readonly cores: string | null;
}

/** How umbra's command line is run. */
export interface Launcher {
  /** Words before it; the folder is the gateway's own. */
  toCommand(folder: string): readonly string[];
  readonly nodeFlags: readonly string[];
  readonly readyLimitMs: number;
  /** It runs many times slower than it would by itself. */
  readonly isSlowed: boolean;
}

export const NATIVE: Launcher = { toCommand: () => [], nodeFlags: [], readyLimitMs: 60_000, isSlowed: false };

/** What umbra has told about its copies since its start. */
export interface CopyBooks {
  readonly matched: number;
  readonly sent: number;
  readonly compared: number;
  readonly dropped: number;
  /** Of copies that are not sent yet. */
  readonly queuedBytes: number;
  readonly batches: number;
  readonly jobs: number;
}

/** The part of GET /mirrors/{route} that is read here. */
interface MirrorFigures {
  readonly matched: number;
  readonly total_mirrored: number;
  readonly total_compared: number;
  readonly dropped: Readonly<Record<string, number>>;
}

/** A running gateway. */
export class Gateway {
  readonly row: Row;
  readonly port: number;
  readonly folder: string;
  /** Null for `direct`. */
  readonly child: ChildProcess | null;
  readonly #adminPort: number;
  #pids: readonly number[] = [];

  constructor(row: Row, port: number, folder: string, child: ChildProcess | null, adminPort: number) {
    this.row = row;
    this.port = port;
    this.folder = folder;
    this.child = child;
    this.#adminPort = adminPort;
  }

  get isUmbra(): boolean {
    return this.row.gateway === 'umbra';
  }

  /** Its process; only when there is one. */
  get pid(): number {
    return this.child!.pid!;
  }

  /** Looks which processes it has, once it has worked: some start their workers after they listen. */
  findProcesses(): void {
    this.#pids = hasThreadFigures && this.child !== null ? readTree(this.pid) : [];
  }

  /** All its processes, as far as they were found; none for `direct`. */
  get pids(): readonly number[] {
    return this.#pids;
  }

  /** CPU time of all its threads, in ns. */
  readCpuNs(): number {
    return this.#sum(readProcessCpuNs);
  }

  /** Peak memory so far. Memory that its processes share counts for each. */
  readPeakBytes(): number {
    return this.#sum(readPeakBytes);
  }

  async readBooks(): Promise<CopyBooks> {
    const mirrors = (await (await this.#get('/mirrors')).json()) as Record<string, MirrorFigures>;
    const metrics = await (await this.#get('/metrics')).text();
    const read = (name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(metrics)?.[1] ?? 0);
    const mirror = mirrors[ROUTE_ID];
    return {
      matched: mirror?.matched ?? 0,
      sent: mirror?.total_mirrored ?? 0,
      compared: mirror?.total_compared ?? 0,
      dropped: Object.values(mirror?.dropped ?? {}).reduce((total, count) => total + count, 0),
      queuedBytes: read('umbra_mirror_queue_bytes'),
      batches: read('umbra_mirror_batches_total'),
      jobs: read('umbra_mirror_jobs_total'),
    };
  }

  /** Waits until it works on nothing any more, so that one measurement's copies do not run into the next. */
  async untilQuiet(limitMs: number): Promise<void> {
    if (!hasThreadFigures || this.#pids.length === 0) return;
    const deadline = performance.now() + limitMs;
    let used = this.#sum(readProcessDemandNs);
    while (performance.now() < deadline) {
      await sleep(QUIET_SAMPLE_MS);
      const now = this.#sum(readProcessDemandNs);
      if (now - used < QUIET_SAMPLE_MS * 1e6 * QUIET_SHARE) return;
      used = now;
    }
  }

  async untilReady(limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (performance.now() < deadline) {
      if (this.child !== null && (this.child.exitCode !== null || this.child.signalCode !== null)) {
        throw new Error(this.#describe('ended before it was ready'));
      }
      if (await this.#isReady()) return;
      await sleep(READY_POLL_MS);
    }
    throw new Error(this.#describe(`was not ready within ${limitMs} ms`));
  }

  #isReady(): Promise<boolean> {
    if (!this.isUmbra) return accepts(this.port);
    return this.#get('/readyz').then(
      (answer) => answer.ok,
      () => false,
    );
  }

  #get(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#adminPort}${path}`, { signal: AbortSignal.timeout(30_000) });
  }

  #sum(read: (pid: number) => number): number {
    let total = 0;
    for (const pid of this.#pids) total += read(pid);
    return total;
  }

  #describe(what: string): string {
    const log = readFileSync(join(this.folder, 'gateway.log'), 'utf8').slice(-2_000);
    return `${this.row.title} (${this.row.name}) ${what}:\n${log}`;
  }
}

export async function startGateway(group: ProcessGroup, options: GatewayOptions): Promise<Gateway> {
  const { row, launcher } = options;
  if (row.gateway === 'direct') return new Gateway(row, options.primaryPort, '', null, 0);
  const folder = join(options.folder, `${row.name}-${randomBytes(4).toString('hex')}`);
  mkdirSync(folder);
  const [port, adminPort] = (await findFreePorts(2)) as [number, number];
  const { command, parameters } =
    row.gateway === 'umbra'
      ? prepareUmbra(options, folder, port, adminPort)
      : preparePeer(options, folder, port);
  const log = openSync(join(folder, 'gateway.log'), 'w');
  // It runs in its own folder, so that what it writes beside its config goes away with the benchmark's files.
  const child = group.spawn(command, parameters, {
    cwd: folder,
    stdio: ['ignore', log, log],
    cores: options.cores,
  });
  closeSync(log);
  const gateway = new Gateway(row, port, folder, child, adminPort);
  await gateway.untilReady(launcher.readyLimitMs);
  gateway.findProcesses();
  return gateway;
}

function prepareUmbra(
  { row, primaryPort, shadowPorts, certificate, launcher }: GatewayOptions,
  folder: string,
  port: number,
  adminPort: number,
): PeerCommand {
  const configFile = join(folder, 'umbra.yaml');
  const adminKey = randomBytes(16).toString('hex');
  const { isSlowed } = launcher;
  const setup = { port, adminPort, adminKey, primaryPort, shadowPorts, certificate, isSlowed };
  writeFileSync(configFile, toConfigText(row, setup));
  const node = [process.execPath, ...launcher.nodeFlags];
  const words = [...launcher.toCommand(folder), ...node, MAIN_FILE, 'run', '--config', configFile];
  return { command: words[0]!, parameters: words.slice(1) };
}

function preparePeer(
  { row, primaryPort, shadowPorts }: GatewayOptions,
  folder: string,
  port: number,
): PeerCommand {
  const peer = PEERS.find(({ name }) => name === row.gateway);
  if (peer === undefined) throw new Error(`no peer is named ${row.gateway}`);
  return peer.prepare({ folder, port, primaryPort, shadowPort: shadowPorts[0] ?? null });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

/** Ports that nothing listens on, and that the system gives to nobody else; all different. */
async function findFreePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const server = createServer();
    ports.push(await listenOnOwnPort(server, '127.0.0.1'));
    await new Promise((done) => server.close(done));
  }
  return ports;
}
