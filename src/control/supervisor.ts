// The gateway as a whole, seen from the control thread: start, reload, drain.
//
// Owns the order in which these happen and the config in force. Never on a request's path.

import { threadId } from 'node:worker_threads';
import type { RouteEntry, Writers } from '../core/book.ts';
import { createClock } from '../core/clock.ts';
import type { Order } from '../core/message.ts';
import type { AdminSettings, Config, Listener, Route } from '../core/model.ts';
import { type Admin, type AdminAddress, createAdmin } from './admin.ts';
import { SURFACE_ADMIN_API, SURFACE_ALL, type Surface } from './admin-api/guard.ts';
import { openAdminKey } from './admin-key.ts';
import { NotInForce } from './catalog.ts';
import { FindingsStore, openFindings } from './findings/findings-store.ts';
import { FrontendHandle } from './frontends.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createLogs, type Logs } from './logs.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { History } from './mirror-api/history.ts';
import { probe, toHostText } from './probe.ts';
import { createCatalog, type RouteCatalog } from './route-catalog.ts';
import { createStore } from './store/create.ts';

/** How long front ends may take for new routes before whoever asked for them is told. */
const APPLY_MS = 5_000;
const PING_MS = 1_000;
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
  /** Where the key is that was made because none is configured; null when one is, or none is needed or to be had. */
  readonly adminKeyFile: string | null;
}

/** Makes names for the channels of log and findings that no other gateway of this process has. */
let gateways = 0;

export class Supervisor {
  readonly ledger: Ledger;
  readonly logs: Logs;
  readonly #options: SupervisorOptions;
  readonly #writers: Writers;
  readonly #logChannel: string;
  readonly #findingsChannel: string;
  readonly #clock = createClock();
  readonly #findings: FindingsStore;
  /** Takes what mirror threads report. */
  readonly #findingsSource: { close(): void };
  readonly #history: History;
  readonly #metrics: Metrics;
  readonly #catalog: RouteCatalog;
  /** Of the admin listener, and of the one behind the listeners for traffic. */
  readonly #admins: Admin[] = [];
  /** Resolves when the front ends can be told of routes. */
  readonly #serving = Promise.withResolvers<void>();
  #config: Config;
  #frontends: FrontendHandle[] = [];
  #generation = 0;
  #unread = 0;
  #isReady = false;
  #reload = { isSuccessful: true, succeededAtMs: Date.now() };
  /** Of the last order of routes, for the log. */
  #lastOrder = { routes: 0, changed: 0, generation: 0 };
  #drained: Promise<void> | null = null;
  #pingTimer: NodeJS.Timeout | undefined;
  /** Front ends that the log says hang. */
  readonly #silent = new Set<number>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#writers = { frontends: options.config.threads.frontend, lanes: options.config.threads.mirror };
    this.#logChannel = `umbra-${process.pid}-${threadId}-${gateways++}`;
    this.#findingsChannel = `${this.#logChannel}-findings`;
    this.logs = createLogs({ channelName: this.#logChannel });
    this.ledger = createLedger(this.#writers);
    this.#findings = new FindingsStore({ ledger: this.ledger });
    this.#findingsSource = openFindings(this.#findings, this.#findingsChannel);
    this.#history = new History({ ledger: this.ledger });
    this.#catalog = createCatalog({
      files: { routes: options.config.routes, mirrorTimeouts: options.config.apisixMirrorTimeouts },
      apply: (routes) => this.#apply(routes),
      onWarning: (message, fields) => this.logs.warn(message, fields),
    });
    this.#metrics = createMetrics({
      ledger: this.ledger,
      findings: this.#findings,
      version: options.version,
      clock: this.#clock,
      isReady: () => this.#answersReady(),
      readReload: () => this.#reload,
      readLogsLost: () => this.logs.lost(),
      readUnread: () => this.#unread,
      readCatalog: () => this.#catalog.status(),
    });
  }

  /** Rejects with a message of one line when a part of it cannot be had; then nothing is left running. */
  async start(): Promise<Addresses> {
    const { limits, notices } = this.#config;
    // The listener reads it once, when its native part is loaded into the process.
    process.env.UWS_HTTP_MAX_HEADERS_SIZE = String(limits.headerBytes);
    const listeners: Listener[] = [];
    for (const listener of this.#config.listeners) listeners.push(await probe(listener));
    try {
      const entries = this.#enter(await this.#openCatalog());
      const { settings, keyFile } = await this.#openKey(this.#config.admin);
      const admin = await this.#openAdmin(settings, SURFACE_ALL);
      const inner = settings.onProxyPort ? await this.#openAdmin(settings, SURFACE_ADMIN_API) : null;
      const adminOrigin = inner === null ? null : toOrigin(inner);
      await Promise.all(
        Array.from({ length: this.#writers.frontends }, (_, index) =>
          this.#startFrontend(index, listeners, entries, adminOrigin),
        ),
      );
      this.#serving.resolve();
      this.#isReady = true;
      this.#pingTimer = setInterval(() => this.#ping(), PING_MS).unref();
      this.#history.start();
      this.#addNotices(notices);
      return {
        listeners: listeners.map(
          ({ host, port, tls }) => `${tls ? 'https' : 'http'}://${toHostText(host)}:${port}`,
        ),
        admin: toOrigin(admin),
        adminKeyFile: keyFile,
      };
    } catch (error) {
      await this.#stop(0);
      throw error;
    }
  }

  async #openCatalog(): Promise<readonly Route[]> {
    const store = await createStore(this.#config.store, {
      onChange: (resources) => this.#catalog.takeNews(resources),
      onWarning: (message, fields) => this.logs.warn(message, fields),
    });
    return this.#catalog.open(store);
  }

  /** A key that cannot be had is no reason to serve no traffic: on loopback nothing but the Admin API and writes need it. */
  async #openKey(
    settings: AdminSettings,
  ): Promise<{ readonly settings: AdminSettings; readonly keyFile: string | null }> {
    const { key, keyRequired, keyFile } = settings;
    if (key !== null || !keyRequired) return { settings, keyFile: null };
    try {
      return { settings: { ...settings, key: await openAdminKey(keyFile) }, keyFile };
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      this.logs.warn('there is no admin key: the Admin API and every write are refused', { cause });
      return { settings, keyFile: null };
    }
  }

  #openAdmin(settings: AdminSettings, surface: Surface): Promise<AdminAddress> {
    const admin = createAdmin({
      settings,
      surface,
      catalog: this.#catalog,
      ledger: this.ledger,
      findings: this.#findings,
      history: this.#history,
      metrics: this.#metrics,
      clock: this.#clock,
      isReady: () => this.#answersReady(),
      onNote: (message, fields) => this.logs.info(message, fields),
      onUnread: () => this.#unread++,
      onError: (error) => this.logs.error('admin request failed', { cause: error.stack ?? error.message }),
    });
    this.#admins.push(admin);
    return admin.listen();
  }

  #answersReady(): boolean {
    return this.#isReady && this.#frontends.every((frontend) => frontend.isAlive);
  }

  #startFrontend(
    frontend: number,
    listeners: readonly Listener[],
    entries: readonly RouteEntry[],
    adminOrigin: string | null,
  ): Promise<void> {
    const data = {
      frontend,
      writers: this.#writers,
      processBook: this.ledger.process.buffer,
      listeners,
      limits: this.#config.limits,
      logChannel: this.#logChannel,
      findingsChannel: this.#findingsChannel,
      adminOrigin,
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

  /**
   * Routes of files change at once; what needs a restart is named and left as it was, and routes of the store stay.
   * Resolves when every front end has them.
   */
  async reload(config: Config): Promise<void> {
    for (const key of ['listeners', 'admin', 'threads', 'limits', 'store'] as const) {
      if (JSON.stringify(config[key]) === JSON.stringify(this.#config[key])) continue;
      this.logs.warn('a changed setting needs a restart', { setting: RESTART_NAMES[key] });
    }
    const { routes, shutdownTimeoutMs, apisixMirrorTimeouts, notices } = config;
    this.#config = { ...this.#config, routes, shutdownTimeoutMs, apisixMirrorTimeouts, notices };
    this.#addNotices(notices);
    await this.#catalog.replaceFiles({ routes, mirrorTimeouts: apisixMirrorTimeouts });
    this.#reload = { isSuccessful: true, succeededAtMs: Date.now() };
    this.logs.info('routes reloaded', this.#lastOrder);
  }

  /** The catalog calls it, one call after the other. */
  async #apply(routes: readonly Route[]): Promise<void> {
    await this.#serving.promise;
    const inForce = new Map(this.ledger.rows().map(({ entry }) => [entry.route.id, entry.route.revision]));
    const entries = this.#enter(routes);
    const order = {
      kind: 'routes' as const,
      generation: ++this.#generation,
      ids: routes.map((route) => route.id),
      // A route that is as it was has the same memory as before.
      changed: entries.filter(({ route }) => inForce.get(route.id) !== route.revision),
    };
    await this.#tell(order);
    const { generation, changed } = order;
    this.#lastOrder = { routes: routes.length, changed: changed.length, generation };
  }

  #enter(routes: readonly Route[]): readonly RouteEntry[] {
    const entries = this.ledger.enter(routes);
    this.#findings.follow();
    return entries;
  }

  /** Rejects when a front end does not take it in time; it takes it later, if ever it does anything again. */
  async #tell(order: Order & { kind: 'routes' }): Promise<void> {
    let left = this.#frontends.length;
    const taken = this.#frontends.map((handle) => handle.apply(order).then(() => left--));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const seconds = APPLY_MS / 1000;
        reject(
          new NotInForce(`${left} of ${taken.length} front-end threads did not take it within ${seconds} s`),
        );
      }, APPLY_MS);
    });
    try {
      await Promise.race([Promise.all(taken), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A thread that hangs is noticed: nobody should send it further clients. */
  #ping(): void {
    for (const [index, frontend] of this.#frontends.entries()) {
      frontend.ping();
      const isSilent = !frontend.isAlive;
      if (isSilent && !this.#silent.has(index))
        this.logs.error('a front-end thread hangs', { thread: index });
      if (isSilent) this.#silent.add(index);
      else this.#silent.delete(index);
    }
  }

  #addNotices(notices: readonly string[]): void {
    for (const notice of notices) this.logs.warn('config notice', { notice });
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
    clearInterval(this.#pingTimer);
    this.#history.stop();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean[]>((resolve) => {
      timer = setTimeout(() => resolve([false]), graceMs + DRAIN_MARGIN_MS);
    });
    const ended = await Promise.race([
      Promise.all(this.#frontends.map((handle) => handle.drain(graceMs))),
      late,
    ]);
    clearTimeout(timer);
    await Promise.all(this.#admins.map((admin) => admin.close()));
    this.#findingsSource.close();
    await this.#closeCatalog();
    return ended.every(Boolean);
  }

  /** The change under way ends first; it is not waited for longer than a thread. */
  async #closeCatalog(): Promise<void> {
    // One that waits for front ends which never came.
    this.#serving.resolve();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DRAIN_MARGIN_MS);
    });
    try {
      await Promise.race([this.#catalog.close(), late]);
    } catch (error) {
      this.logs.warn('the store could not be closed', { cause: String(error) });
    }
    clearTimeout(timer);
  }
}

const RESTART_NAMES = {
  listeners: 'listen',
  admin: 'admin',
  threads: 'threads',
  limits: 'limits',
  store: 'store',
} as const;

function toOrigin({ host, port }: AdminAddress): string {
  return `http://${toHostText(host)}:${port}`;
}
