// GET /events: tells dashboards each second what has changed in the mirrored routes, as server-sent events.
//
// Computes nothing without clients, and everything once for all of them, at most once a second however many come and go. A
// client that is slow misses changes and is told
// everything again when it has caught up; one that takes nothing is cut off. None holds up the end of the listener.

import type { ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.ts';
import { WINDOW_MS } from '../../core/histogram.ts';
import type { Mirror } from '../../core/model.ts';
import type { Ledger, LedgerRow } from '../ledger.ts';
import type { StoredCount } from '../mirrors.ts';
import { isSameMark, type Mark, readMark, toRouteEvent } from './route-event.ts';

export const CLIENTS_MAX = 16;
export const TICK_MS = 1000;
/** What is known is kept for so long after the last client, so that the next one costs little. */
export const LINGER_MS = 10_000;
/** Without anything to tell a comment is sent, so that both ends know of each other. */
export const HEARTBEAT_MS = 15_000;
/** How long a client may take for what it was sent. */
export const LATE_MS_MAX = 30_000;
const MINUTE_MS = 60_000;
const HEARTBEAT = Buffer.from(': here\n\n');

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
  /** When the states were read; null when there are none. */
  #readAtMs: number | null = null;
  /** The event that tells all of the states; null until somebody needs it. One buffer for all who get it. */
  #full: Buffer | null = null;
  #emptyAtMs = 0;
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
    // While there are clients the timer reads, and what this one is told is what they know.
    const nowMs = this.#clock();
    const isOld = this.#readAtMs === null || nowMs - this.#readAtMs >= TICK_MS;
    if (isOld && this.#clients.size > 0) this.tick();
    else if (isOld) this.#refresh();
    const client: Client = { response, lateSinceMs: null, writtenAtMs: nowMs };
    this.#clients.add(client);
    response.once('close', () => this.#forget(client));
    response.on('error', () => this.#forget(client));
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      // For proxies in front that would gather an answer before they pass it on.
      'x-accel-buffering': 'no',
    });
    this.#full ??= this.#toFullEvent();
    response.write(this.#full);
    this.#timer ??= setInterval(() => this.tick(), TICK_MS).unref();
    return true;
  }

  /** Once a second by itself, while there are clients. */
  tick(): void {
    const nowMs = this.#clock();
    if (this.#clients.size === 0) {
      if (nowMs - this.#emptyAtMs >= LINGER_MS) this.#stop();
      return;
    }
    const change = this.#refresh();
    for (const client of this.#clients) {
      if (client.response.writableLength > 0) {
        client.lateSinceMs ??= nowMs;
        if (nowMs - client.lateSinceMs >= LATE_MS_MAX) client.response.destroy();
        continue;
      }
      if (client.lateSinceMs !== null) {
        client.lateSinceMs = null;
        this.#full ??= this.#toFullEvent();
        this.#write(client, this.#full, nowMs);
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

  #write(client: Client, text: Buffer, nowMs: number): void {
    client.response.write(text);
    client.writtenAtMs = nowMs;
  }

  #forget(client: Client): void {
    if (!this.#clients.delete(client) || this.#clients.size > 0) return;
    this.#emptyAtMs = this.#clock();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#states = new Map();
    this.#readAtMs = null;
    this.#full = null;
  }

  /** The event that tells what has changed; null when nothing has. */
  #refresh(): Buffer | null {
    const nowMs = this.#clock();
    this.#readAtMs = nowMs;
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
    this.#full = null;
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

  #toFullEvent(): Buffer {
    return toEvent(
      true,
      [...this.#states].map(([id, { json }]) => `${JSON.stringify(id)}:${json}`),
      [],
    );
  }
}

function toEvent(isFull: boolean, routes: readonly string[], removed: readonly string[]): Buffer {
  const data = `{"at":${Date.now()},"full":${isFull},"routes":{${routes.join(',')}},"removed":${JSON.stringify(removed)}}`;
  return Buffer.from(`event: mirrors\ndata: ${data}\n\n`);
}
