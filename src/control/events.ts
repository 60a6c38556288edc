// GET /events: tells dashboards each second what has changed in the mirrored routes, as server-sent events.
//
// Computes nothing without clients, and everything once for all of them. A client that is slow misses changes and is told
// everything again when it has caught up; one that takes nothing is cut off. None holds up the end of the listener.

import type { ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.ts';
import { WINDOW_MS } from '../core/histogram.ts';
import type { Mirror } from '../core/model.ts';
import type { Ledger, LedgerRow } from './ledger.ts';
import type { StoredCount } from './mirrors.ts';
import { isSameMark, type Mark, readMark, toRouteEvent } from './route-event.ts';

export const CLIENTS_MAX = 16;
export const TICK_MS = 1000;
/** Without anything to tell a comment is sent, so that both ends know of each other. */
export const HEARTBEAT_MS = 15_000;
/** How long a client may take for what it was sent. */
export const LATE_MS_MAX = 30_000;
const MINUTE_MS = 60_000;
const HEARTBEAT = ': here\n\n';

interface Client {
  readonly response: ServerResponse;
  /** When it was found not to have taken everything; null while it has. */
  lateSinceMs: number | null;
  /** When something was written to it. */
  writtenAtMs: number;
}

interface RouteState {
  readonly revision: string;
  readonly mark: Mark;
  readonly json: string;
  /** Of the last change of the mark. */
  readonly changedAtMs: number;
  readonly minute: number;
}

export interface EventFeedOptions {
  readonly ledger: Ledger;
  readonly stored: StoredCount;
  readonly clock: Clock;
}

export class EventFeed {
  readonly #ledger: Ledger;
  readonly #stored: StoredCount;
  readonly #clock: Clock;
  readonly #clients = new Set<Client>();
  #states = new Map<string, RouteState>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor({ ledger, stored, clock }: EventFeedOptions) {
    this.#ledger = ledger;
    this.#stored = stored;
    this.#clock = clock;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** Takes a response whose head is not written yet. Returns false when there are too many: then it is left alone. */
  open(
    response: ServerResponse,
    headers: Readonly<Record<string, string | number | string[] | undefined>>,
  ): boolean {
    if (this.#isClosed || this.#clients.size >= CLIENTS_MAX) return false;
    // Those that are there already hear of what this one is told as part of everything.
    this.tick();
    const client: Client = { response, lateSinceMs: null, writtenAtMs: this.#clock() };
    this.#clients.add(client);
    response.once('close', () => this.#forget(client));
    response.on('error', () => this.#forget(client));
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      // For proxies in front that would gather an answer before they pass it on.
      'x-accel-buffering': 'no',
    });
    if (this.#clients.size === 1) this.#refresh();
    response.write(this.#toFullEvent());
    this.#timer ??= setInterval(() => this.tick(), TICK_MS).unref();
    return true;
  }

  /** Once a second by itself, while there are clients. */
  tick(): void {
    if (this.#clients.size === 0) return;
    const change = this.#refresh();
    let full: string | null = null;
    const nowMs = this.#clock();
    for (const client of this.#clients) {
      if (client.response.writableLength > 0) {
        client.lateSinceMs ??= nowMs;
        if (nowMs - client.lateSinceMs >= LATE_MS_MAX) client.response.destroy();
        continue;
      }
      if (client.lateSinceMs !== null) {
        client.lateSinceMs = null;
        full ??= this.#toFullEvent();
        this.#write(client, full, nowMs);
      } else if (change !== null) {
        this.#write(client, change, nowMs);
      } else if (nowMs - client.writtenAtMs >= HEARTBEAT_MS) {
        this.#write(client, HEARTBEAT, nowMs);
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const { response } of this.#clients) {
      // What a client has not taken by now would hold up the end.
      if (response.writableLength > 0) response.destroy();
      else response.end();
    }
    this.#clients.clear();
    this.#stop();
  }

  #write(client: Client, text: string, nowMs: number): void {
    client.response.write(text);
    client.writtenAtMs = nowMs;
  }

  #forget(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size === 0) this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#states = new Map();
  }

  /** The event that tells what has changed; null when nothing has. */
  #refresh(): string | null {
    const nowMs = this.#clock();
    const states = new Map<string, RouteState>();
    const changed: string[] = [];
    for (const row of this.#ledger.rows()) {
      const { id, mirror } = row.entry.route;
      if (mirror === null) continue;
      const before = this.#states.get(id);
      const state = this.#readState(row, mirror, before, nowMs);
      states.set(id, state);
      if (state.json !== before?.json) changed.push(`${JSON.stringify(id)}:${state.json}`);
    }
    const removed = [...this.#states.keys()].filter((id) => !states.has(id));
    this.#states = states;
    if (changed.length === 0 && removed.length === 0) return null;
    return toEvent(false, changed, removed);
  }

  #readState(row: LedgerRow, mirror: Mirror, before: RouteState | undefined, nowMs: number): RouteState {
    const mark = readMark(row, this.#stored);
    const minute = Math.floor(nowMs / MINUTE_MS);
    const { revision } = row.entry.route;
    if (before !== undefined && before.revision === revision && isSameMark(mark, before.mark)) {
      // Percentiles of what happened before change with the minutes, until the last sample has left the window.
      const isSettled = nowMs - before.changedAtMs > WINDOW_MS + MINUTE_MS;
      if (minute === before.minute || isSettled) return before;
      return { ...before, minute, json: toRouteEvent(row, mirror, this.#stored, nowMs) };
    }
    return {
      revision,
      mark,
      json: toRouteEvent(row, mirror, this.#stored, nowMs),
      changedAtMs: nowMs,
      minute,
    };
  }

  #toFullEvent(): string {
    return toEvent(
      true,
      [...this.#states].map(([id, { json }]) => `${JSON.stringify(id)}:${json}`),
      [],
    );
  }
}

function toEvent(isFull: boolean, routes: readonly string[], removed: readonly string[]): string {
  const data = `{"at":${Date.now()},"full":${isFull},"routes":{${routes.join(',')}},"removed":${JSON.stringify(removed)}}`;
  return `event: mirrors\ndata: ${data}\n\n`;
}
