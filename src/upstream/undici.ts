// The HTTP/1.1 client on undici: one undici Client per connection, and a bounded queue in front of them.
//
// Owns which attempt gets which connection, how long one may wait for it, and the turn in which an attempt
// hears of its end. Never lets anything wait inside undici, never retries, never throws to its caller.
//
// undici's Pool is not used: a request that it refuses by an exception (a header it does not like) leaves
// the pool's connection marked as busy for good, so that `connections` such requests stop the pool.

import { Client } from 'undici';
import type {
  CreateUpstreamClient,
  UpstreamAttempt,
  UpstreamClient,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamSettings,
} from './client.ts';
import { type Connector, createConnector, toHostName } from './connector.ts';
import { Attempt, type AttemptOwner } from './undici-attempt.ts';
import { PHASE_HANDED, PHASE_WAITING } from './undici-phase.ts';

/** A kept connection is closed after this long without a request, unless the upstream's `Keep-Alive` says otherwise. */
const KEEP_ALIVE_MS = 4_000;
/** The longest that an upstream's `Keep-Alive: timeout` is believed. */
const KEEP_ALIVE_MS_MAX = 60_000;
/** Taken off an upstream's `Keep-Alive: timeout`, so that we close first. */
const KEEP_ALIVE_MARGIN_MS = 1_000;

/** Response status line and headers; over it the attempt ends as malformed. */
const HEADER_BYTES_MAX = 64 * 1024;

const SWEEP_MS_MAX = 500;
const SWEEP_MS_MIN = 10;

export const createUndiciClient: CreateUpstreamClient = (settings) => new UndiciClient(settings);

class UndiciClient implements UpstreamClient, AttemptOwner {
  active = 0;
  readonly readMs: number;
  readonly serverName: string;

  private readonly settings: UpstreamSettings;
  private readonly origin: URL;
  private readonly connector: Connector;
  /** A connection per slot, made when first needed. undici opens it again by itself after it was closed. */
  private readonly clients: Client[] = [];
  /** Slots without a request, the last used one last: it is used first, so that the others may idle out. */
  private readonly free: number[] = [];
  /** Attempts inside undici. */
  private running = 0;

  private first: Attempt | null = null;
  private last: Attempt | null = null;
  private waiting = 0;
  private queueTimer: NodeJS.Timeout | null = null;
  private pumping = false;

  private postponed: Attempt[] = [];
  private readonly watched = new Set<Attempt>();
  private readonly sweepMs: number;
  private sweepTimer: NodeJS.Timeout | null = null;

  private closing: Promise<void> | null = null;
  private destroyed = false;
  private whenIdle: (() => void) | null = null;

  constructor(settings: UpstreamSettings) {
    this.settings = settings;
    this.origin = new URL(settings.origin);
    this.readMs = settings.timeouts.readMs;
    this.serverName = toHostName(this.origin);
    const shortest = Math.min(settings.timeouts.sendMs, settings.timeouts.readMs);
    this.sweepMs = Math.max(SWEEP_MS_MIN, Math.min(SWEEP_MS_MAX, Math.floor(shortest / 4)));
    this.connector = createConnector({
      origin: this.origin,
      tls: settings.tls,
      connectMs: settings.timeouts.connectMs,
    });
  }

  dispatch(request: UpstreamRequest, handler: UpstreamHandler): UpstreamAttempt {
    const attempt = new Attempt(this, request, handler);
    this.active += 1;
    if (this.closing !== null || this.destroyed) attempt.stop('reset', 'client is closed');
    else if (this.running < this.settings.connectionsMax && this.waiting === 0) this.hand(attempt);
    else if (this.waiting < this.settings.queueMax) this.enqueue(attempt);
    else attempt.stop('queue_full', `${this.waiting} attempts wait for a connection`);
    return attempt;
  }

  close(): Promise<void> {
    this.closing ??= this.closeWhenIdle();
    return this.closing;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    while (this.first !== null) this.first.stop('reset', 'client was destroyed');
    for (const attempt of this.watched) attempt.stop('reset', 'client was destroyed');
    for (const client of this.clients) void client.destroy();
    this.connector.destroy();
  }

  // For attempts.

  leave(attempt: Attempt): void {
    if (attempt.previous === null) this.first = attempt.next;
    else attempt.previous.next = attempt.next;
    if (attempt.next === null) this.last = attempt.previous;
    else attempt.next.previous = attempt.previous;
    attempt.next = null;
    attempt.previous = null;
    this.waiting -= 1;
  }

  release(attempt: Attempt, broken: boolean): void {
    const slot = attempt.slot;
    if (slot === -1) return;
    attempt.slot = -1;
    if (broken) this.replace(slot);
    this.free.push(slot);
    this.running -= 1;
    if (this.waiting > 0) this.schedulePump();
  }

  postpone(attempt: Attempt): void {
    if (this.postponed.push(attempt) === 1) setImmediate(reportPostponed, this);
  }

  settle(attempt: Attempt): void {
    this.active -= 1;
    this.unwatch(attempt);
    if (this.active === 0 && this.whenIdle !== null) this.whenIdle();
  }

  watch(attempt: Attempt): void {
    this.watched.add(attempt);
    this.sweepTimer ??= setInterval(sweepWatched, this.sweepMs, this);
  }

  unwatch(attempt: Attempt): void {
    if (this.sweepTimer === null || !this.watched.delete(attempt) || this.watched.size > 0) return;
    clearInterval(this.sweepTimer);
    this.sweepTimer = null;
  }

  // For the timers below.

  reportPostponed(): void {
    const attempts = this.postponed;
    this.postponed = [];
    for (const attempt of attempts) attempt.report();
  }

  /** Gives free connections to those who wait longest. */
  pump(): void {
    this.pumping = false;
    while (this.first !== null && this.running < this.settings.connectionsMax && !this.destroyed) {
      const attempt = this.first;
      this.leave(attempt);
      this.hand(attempt);
    }
  }

  /** All wait equally long, so the first one's deadline is the next one. */
  expireWaiting(): void {
    const { queueTimeoutMs } = this.settings;
    const nowMs = performance.now();
    this.queueTimer = null;
    while (this.first !== null && nowMs - this.first.queuedAt >= queueTimeoutMs) {
      this.first.stop('queue_timeout', `no free connection within ${queueTimeoutMs} ms`);
    }
    if (this.first !== null) this.armQueueTimer(this.first.queuedAt + queueTimeoutMs - nowMs);
  }

  sweepWatched(): void {
    const nowMs = performance.now();
    const { sendMs, readMs } = this.settings.timeouts;
    for (const attempt of this.watched) attempt.sweep(nowMs, sendMs, readMs);
  }

  private hand(attempt: Attempt): void {
    const slot = this.free.pop() ?? this.clients.push(this.createConnection()) - 1;
    attempt.slot = slot;
    attempt.phase = PHASE_HANDED;
    this.running += 1;
    // Reports everything to the attempt, its own exceptions too.
    this.clients[slot]?.dispatch(attempt, attempt);
  }

  private enqueue(attempt: Attempt): void {
    attempt.phase = PHASE_WAITING;
    attempt.queuedAt = performance.now();
    attempt.previous = this.last;
    if (this.last === null) this.first = attempt;
    else this.last.next = attempt;
    this.last = attempt;
    this.waiting += 1;
    if (this.queueTimer === null) this.armQueueTimer(this.settings.queueTimeoutMs);
  }

  /** Stays armed when the queue empties, which it may do at every request; the process does not wait for it. */
  private armQueueTimer(delayMs: number): void {
    this.queueTimer = setTimeout(expireWaiting, Math.max(1, Math.ceil(delayMs)), this);
    this.queueTimer.unref();
  }

  /** In a later turn, when undici is done with the connection that became free. */
  private schedulePump(): void {
    if (this.pumping) return;
    this.pumping = true;
    setImmediate(pump, this);
  }

  private createConnection(): Client {
    return new Client(this.origin, {
      connect: this.connector.connect,
      allowH2: false,
      pipelining: 1,
      headersTimeout: this.readMs,
      bodyTimeout: this.readMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS_MAX,
      keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
      strictContentLength: true,
      useMilo: false,
    });
  }

  /** An exception out of undici's own code leaves its Client in a state that it does not recover from. */
  private replace(slot: number): void {
    void this.clients[slot]?.destroy();
    this.clients[slot] = this.createConnection();
  }

  private async closeWhenIdle(): Promise<void> {
    if (this.active > 0) {
      await new Promise<void>((resolve) => {
        this.whenIdle = resolve;
      });
    }
    if (this.queueTimer !== null) clearTimeout(this.queueTimer);
    this.destroyed = true;
    this.connector.destroy();
    await Promise.all(this.clients.map((client) => client.destroy()));
  }
}

function reportPostponed(client: UndiciClient): void {
  client.reportPostponed();
}

function pump(client: UndiciClient): void {
  client.pump();
}

function expireWaiting(client: UndiciClient): void {
  client.expireWaiting();
}

function sweepWatched(client: UndiciClient): void {
  client.sweepWatched();
}
