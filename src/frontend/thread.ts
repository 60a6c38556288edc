// One front-end thread: its listeners, its current table, its exchanges, its way out.
//
// Holds what all exchanges of the thread share, and nothing that belongs to one of them. Everything slow is the
// control thread's.

import { ProcessBook, type RouteEntry, ThreadCell, type Writers } from '../core/book.ts';
import type { Clock } from '../core/clock.ts';
import type { FailureReason } from '../core/failure.ts';
import { HeaderNames } from '../core/headers.ts';
import type { LogFields, LogLevel, LogSink } from '../core/log.ts';
import type { Limits, Listener } from '../core/model.ts';
import type { Observation } from '../core/observer.ts';
import { HeadWriter } from '../core/request-head.ts';
import type { CreateUpstreamClient } from '../upstream/client.ts';
import { ClientAddresses } from './addresses.ts';
import { createAdminTarget, isAdminPath } from './admin-target.ts';
import { ChunkSlots } from './chunk-slots.ts';
import { ClientPool } from './clients.ts';
import { Exchange } from './exchange.ts';
import { type RequestHead, RequestIds } from './head.ts';
import { type OpenListener, openListener } from './listener.ts';
import type { ClientResponse } from './reply.ts';
import { RetryBudget } from './retry.ts';
import { type RouteParts, RouteTable, type RouteTarget } from './table.ts';

export interface FrontendOptions {
  readonly frontend: number;
  readonly writers: Writers;
  readonly processBook: SharedArrayBuffer;
  readonly listeners: readonly Listener[];
  readonly limits: Limits;
  /** Where requests for the Admin API go; null when they are requests like all others. */
  readonly adminOrigin: string | null;
  readonly clock: Clock;
  readonly log: LogSink;
  readonly createClient: CreateUpstreamClient;
  /** The observer's factory for a route; null when it has none. */
  readonly observe: (entry: RouteEntry) => Observation | null;
  /** Called ten times a second. */
  readonly onTick: () => void;
}

/** Exchange objects kept for reuse. */
const SPARE_MAX = 1_024;
const TICK_MS = 100;
const DRAIN_POLL_MS = 10;

export class FrontendThread {
  readonly limits: Limits;
  readonly clock: Clock;
  readonly ids: RequestIds;
  readonly names = new HeaderNames();
  readonly heads = new HeadWriter();
  readonly slots = new ChunkSlots();
  table = new RouteTable(new Map());
  isDraining = false;
  /** Whether the loop is so late that copies must go first. */
  isOverloaded = false;

  readonly #options: FrontendOptions;
  readonly #clients: ClientPool;
  readonly #addresses: ClientAddresses;
  readonly #cells: Float64Array;
  readonly #row: number;
  /** Of the Admin API, before all routes; null when it is not served here. */
  readonly #admin: RouteTarget | null;
  readonly #retries = new RetryBudget();
  readonly #spare: Exchange[] = [];
  readonly #tick: NodeJS.Timeout;
  #listeners: OpenListener[] = [];
  #exchanges = 0;
  #tickDueMs: number;

  constructor(options: FrontendOptions) {
    this.#options = options;
    this.limits = options.limits;
    this.clock = options.clock;
    this.ids = new RequestIds(options.frontend);
    this.#clients = new ClientPool(options.createClient);
    this.#addresses = new ClientAddresses(
      options.limits.connectionsPerAddress,
      () => this.ports,
      options.writers.frontends,
    );
    const { adminOrigin } = options;
    this.#admin = adminOrigin === null ? null : createAdminTarget(adminOrigin, this.#routeParts());
    const book = new ProcessBook(options.processBook, options.writers);
    this.#cells = book.threads;
    this.#row = book.threadRow(options.frontend);
    this.#tickDueMs = this.clock() + TICK_MS;
    this.#tick = setInterval(() => this.#onTick(), TICK_MS);
    this.#tick.unref();
  }

  /** Throws when one of the listeners cannot be opened. */
  listen(): void {
    const shared = this.#options.writers.frontends > 1;
    for (const { host, port, tls } of this.#options.listeners) {
      this.#listeners.push(
        openListener({
          host,
          port,
          tls,
          shared,
          onRequest: (response, request) => this.#take().start(response, request, tls !== null),
          onConnection: (change, address) => this.#onConnection(change, address),
          onDefect: (error) => this.onDefect(error),
        }),
      );
    }
  }

  /** The ports, in the order of the listeners. */
  get ports(): number[] {
    return this.#listeners.map((listener) => listener.port);
  }

  /** From now on exchanges begin on these routes (see RouteTable.next()); running ones end on theirs. */
  setRoutes(ids: readonly string[], changed: readonly RouteEntry[]): void {
    this.table = this.table.next(ids, changed, this.#routeParts());
  }

  #routeParts(): RouteParts {
    return {
      frontend: this.#options.frontend,
      frontends: this.#options.writers.frontends,
      limits: this.limits,
      clients: this.#clients,
      observe: this.#options.observe,
    };
  }

  /**
   * Accepts no more connections and lets what runs end, until the deadline: exchanges, those too that still come on
   * kept connections, and whatever `isSettled` speaks for.
   */
  async drain(deadlineMs: number, isSettled: () => boolean): Promise<void> {
    this.isDraining = true;
    for (const listener of this.#listeners) listener.stop();
    while ((this.#exchanges > 0 || !isSettled()) && this.clock() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }

  /** Ends everything that is left. */
  close(): void {
    clearInterval(this.#tick);
    for (const listener of this.#listeners) listener.close();
    this.#listeners = [];
    this.#clients.destroy();
  }

  // What exchanges ask for

  get exchanges(): number {
    return this.#exchanges;
  }

  /** Where a request goes; null when nobody wants it. */
  findTarget(head: RequestHead): RouteTarget | null {
    if (this.#admin !== null && isAdminPath(head.path)) return this.#admin;
    return this.table.find(head);
  }

  hasRoom(): boolean {
    return this.#exchanges <= this.limits.inFlight;
  }

  /** Whether one more retry is within the budget. */
  takeRetry(): boolean {
    const isWithin = this.#retries.take();
    if (!isWithin) this.#add(ThreadCell.retries_denied);
    return isWithin;
  }

  addRefused(reason: FailureReason): void {
    const cell = (ThreadCell as Partial<Record<FailureReason, number>>)[reason];
    if (cell !== undefined) this.#add(cell);
  }

  toClientAddress(response: ClientResponse): string {
    return this.#addresses.sole ?? this.#addresses.toText(response.getRemoteAddress());
  }

  log(level: LogLevel, message: string, fields: LogFields): void {
    if (!this.#options.log(level, message, fields)) this.#add(ThreadCell.logs_suppressed);
  }

  onDefect(error: unknown): void {
    this.log('error', 'defect', {
      stack: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }

  /** A mirror thread failed: its copies are lost and counted, exchanges are not touched. */
  onMirrorDefect(error: unknown): void {
    this.log('error', 'mirror thread failed', {
      cause: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }

  release(exchange: Exchange): void {
    this.#exchanges--;
    if (exchange.isReusable && this.#spare.length < SPARE_MAX) this.#spare.push(exchange);
  }

  #take(): Exchange {
    this.#exchanges++;
    this.#add(ThreadCell.requests);
    this.#retries.onExchange();
    return this.#spare.pop() ?? new Exchange(this);
  }

  #onConnection(change: number, address: ArrayBuffer | null): boolean {
    if (address === null || change < 0) {
      this.#addresses.leave();
      return true;
    }
    if (this.#addresses.enter(address)) return true;
    this.#add(ThreadCell.connections_refused);
    return false;
  }

  #add(cell: number): void {
    const at = this.#row + cell;
    this.#cells[at] = this.#cells[at]! + 1;
  }

  #onTick(): void {
    const now = this.clock();
    const delayMs = Math.max(0, now - this.#tickDueMs);
    this.#tickDueMs = now + TICK_MS;
    this.isOverloaded = delayMs > this.limits.overloadDelayMs;
    this.#cells[this.#row + ThreadCell.loop_delay_ms] = delayMs;
    this.#cells[this.#row + ThreadCell.connections] = this.#addresses.connections;
    this.#cells[this.#row + ThreadCell.exchanges] = this.#exchanges;
    this.#options.onTick();
  }
}
