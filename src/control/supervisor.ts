// The gateway as a whole, seen from the control thread: start, reload, drain.
//
// Owns the order in which these happen and the config in force. Never on a request's path.

import { type AddressInfo, createServer } from 'node:net';
import { threadId } from 'node:worker_threads';
import type { RouteEntry, Writers } from '../core/book.ts';
import { createClock } from '../core/clock.ts';
import type { Config, Listener } from '../core/model.ts';
import { type Admin, type AdminAddress, createAdmin } from './admin.ts';
import { FrontendHandle } from './frontends.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createLogs, type Logs } from './logs.ts';
import { createMetrics } from './metrics.ts';

/** How long a thread may take beyond the grace before the gateway goes without it. */
const DRAIN_MARGIN_MS = 5_000;

export interface SupervisorOptions {
  readonly config: Config;
  readonly version: string;
  /** Entry file of a front-end thread. */
  readonly frontendFile: string;
  /** A front-end thread is gone that should be there: the process cannot serve as it was told to. */
  readonly onFatal: (error: Error) => void;
}

export interface Addresses {
  readonly listeners: readonly string[];
  readonly admin: string;
}

/** Makes a name for the log channel that no other gateway of this process has. */
let gateways = 0;

export class Supervisor {
  readonly ledger: Ledger;
  readonly logs: Logs;
  readonly #options: SupervisorOptions;
  readonly #writers: Writers;
  readonly #logChannel: string;
  readonly #admin: Admin;
  #config: Config;
  #frontends: FrontendHandle[] = [];
  #generation = 0;
  #isReady = false;
  #reload = { isSuccessful: true, succeededAtMs: Date.now() };
  #applying: Promise<void> = Promise.resolve();
  #drained: Promise<void> | null = null;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#writers = { frontends: options.config.threads.frontend, lanes: options.config.threads.mirror };
    this.#logChannel = `umbra-${process.pid}-${threadId}-${gateways++}`;
    this.logs = createLogs({ channelName: this.#logChannel });
    this.ledger = createLedger(this.#writers);
    const clock = createClock();
    const metrics = createMetrics({
      ledger: this.ledger,
      version: options.version,
      clock,
      readReload: () => this.#reload,
      readLogsLost: () => this.logs.lost(),
    });
    this.#admin = createAdmin({
      settings: options.config.admin,
      ledger: this.ledger,
      metrics,
      clock,
      isReady: () => this.#isReady,
      onError: (error) => this.logs.error('admin request failed', { cause: error.stack ?? error.message }),
    });
  }

  /** Rejects with a message of one line when an address cannot be listened on; then nothing is left running. */
  async start(): Promise<Addresses> {
    const { limits } = this.#config;
    // The listener reads it once, when its native part is loaded into the process.
    process.env.UWS_HTTP_MAX_HEADERS_SIZE = String(limits.headerBytes);
    const listeners: Listener[] = [];
    for (const listener of this.#config.listeners) listeners.push(await probe(listener));
    const entries = this.ledger.enter(this.#config.routes);
    let admin: AdminAddress;
    try {
      admin = await this.#admin.listen();
      await Promise.all(
        Array.from({ length: this.#writers.frontends }, (_, index) =>
          this.#startFrontend(index, listeners, entries),
        ),
      );
      this.#isReady = true;
      return {
        listeners: listeners.map(
          ({ host, port, tls }) => `${tls ? 'https' : 'http'}://${toHostText(host)}:${port}`,
        ),
        admin: `http://${toHostText(admin.host)}:${admin.port}`,
      };
    } catch (error) {
      await this.#stop(0);
      throw error;
    }
  }

  #startFrontend(
    frontend: number,
    listeners: readonly Listener[],
    entries: readonly RouteEntry[],
  ): Promise<void> {
    const data = {
      frontend,
      writers: this.#writers,
      processBook: this.ledger.process.buffer,
      listeners,
      limits: this.#config.limits,
      logChannel: this.#logChannel,
      entries,
    };
    const handle = new FrontendHandle(this.#options.frontendFile, data, {
      onLost: (error) => {
        this.#isReady = false;
        this.#options.onFatal(error);
      },
    });
    this.#frontends.push(handle);
    return handle.ready();
  }

  /** Routes change at once; what needs a restart is named and left as it was. Resolves when every front end has them. */
  reload(config: Config): Promise<void> {
    this.#applying = this.#applying.then(async () => {
      for (const key of ['listeners', 'admin', 'threads', 'limits', 'store'] as const) {
        if (JSON.stringify(config[key]) === JSON.stringify(this.#config[key])) continue;
        this.logs.warn('a changed setting needs a restart', { setting: RESTART_NAMES[key] });
      }
      const { routes, shutdownTimeoutMs } = config;
      this.#config = { ...this.#config, routes, shutdownTimeoutMs };
      const inForce = new Map(this.ledger.rows().map(({ entry }) => [entry.route.id, entry.route.revision]));
      const entries = this.ledger.enter(routes);
      const order = {
        kind: 'routes' as const,
        generation: ++this.#generation,
        ids: routes.map((route) => route.id),
        // A route that is as it was has the same memory as before.
        changed: entries.filter(({ route }) => inForce.get(route.id) !== route.revision),
      };
      await Promise.all(this.#frontends.map((handle) => handle.apply(order)));
      this.#reload = { isSuccessful: true, succeededAtMs: Date.now() };
      this.logs.info('routes reloaded', {
        routes: routes.length,
        changed: order.changed.length,
        generation: order.generation,
      });
    });
    return this.#applying;
  }

  /** A reload was refused; what is in force stays. */
  addRefusedReload(problems: readonly string[]): void {
    this.#reload = { ...this.#reload, isSuccessful: false };
    for (const problem of problems) this.logs.error('config problem', { problem });
    this.logs.error('reload refused, the old config stays', { problems: problems.length });
  }

  /** Stops accepting, lets exchanges and copies end within the shutdown timeout, ends the threads. */
  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  async #drain(): Promise<void> {
    this.#isReady = false;
    const graceMs = this.#config.shutdownTimeoutMs;
    this.logs.info('draining', { grace_seconds: graceMs / 1000 });
    const complete = await this.#stop(graceMs);
    if (!complete) this.logs.warn('the shutdown timeout cut exchanges off', {});
    await this.logs.close();
  }

  async #stop(graceMs: number): Promise<boolean> {
    this.#isReady = false;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean[]>((resolve) => {
      timer = setTimeout(() => resolve([false]), graceMs + DRAIN_MARGIN_MS);
    });
    const ended = await Promise.race([
      Promise.all(this.#frontends.map((handle) => handle.drain(graceMs))),
      late,
    ]);
    clearTimeout(timer);
    await this.#admin.close();
    return ended.every(Boolean);
  }
}

const RESTART_NAMES = {
  listeners: 'listen',
  admin: 'admin',
  threads: 'threads',
  limits: 'limits',
  store: 'store',
} as const;

/**
 * Front ends share their port among each other, and the system would let them share it with a foreign process that
 * does so too. Whether somebody is there is found out by asking for the port alone; port 0 becomes a free one.
 */
function probe(listener: Listener): Promise<Listener> {
  const { host, port } = listener;
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'EADDRINUSE' ? 'the port is in use' : (error.code ?? error.message);
      reject(new Error(`cannot listen on ${toHostText(host)}:${port}: ${reason}`));
    });
    server.listen({ host, port, exclusive: true }, () => {
      const bound = (server.address() as AddressInfo).port;
      server.close(() => resolve({ ...listener, port: bound }));
    });
  });
}

function toHostText(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
