// Owns all shared memory of the process: who gets which buffer, and for how long it is remembered.
//
// Counters belong to a route id and to a shadow's origin on it, so that they go on across reloads; the window of
// a limit and the balancer's place belong to a route's revision, for as long as it is there without a break. Never clears a
// book: a buffer that threads may still hold is only handed out again or forgotten. But a pause ends with the route.

import assert from 'node:assert/strict';
import {
  ProcessBook,
  RouteBook,
  type RouteEntry,
  ShadowBook,
  type Writers,
  writerCount,
} from '../core/book.ts';
import type { Route, Shadow } from '../core/model.ts';
import { LimitWindow } from '../core/window.ts';
import { setPaused } from './mirror-api/pause.ts';

/** Removed routes, and removed shadows, whose memory is kept for their return; beyond it the oldest is forgotten. */
export const REMOVED_MAX = 1000;

export interface LedgerShadow {
  readonly origin: string;
  readonly role: Shadow['role'];
  readonly book: ShadowBook;
}

/** What a reader needs of one current route. */
export interface LedgerRow {
  readonly entry: RouteEntry;
  readonly book: RouteBook;
  /** In the order of the mirror's shadows, a control last; empty without mirror. */
  readonly shadows: readonly LedgerShadow[];
}

export interface Ledger {
  readonly writers: Writers;
  readonly process: ProcessBook;
  /** Makes these routes the current ones and gives each its memory. Ids differ from each other. */
  enter(routes: readonly Route[]): readonly RouteEntry[];
  /** The current routes, in the order in which they were entered: the same array until the next enter(). */
  rows(): readonly LedgerRow[];
  row(id: string): LedgerRow | undefined;
}

interface RouteKeep {
  readonly book: RouteBook;
  readonly revision: string;
  readonly limit: SharedArrayBuffer | null;
  readonly cursor: SharedArrayBuffer;
}

/** Values by key: the current ones, and a bounded number of removed ones, oldest first. */
class Shelf<Value> {
  #current = new Map<string, Value>();
  readonly #removed = new Map<string, Value>();

  find(key: string): Value | undefined {
    return this.#current.get(key) ?? this.#removed.get(key);
  }

  isCurrent(key: string): boolean {
    return this.#current.has(key);
  }

  /** Makes these the current ones; what is no longer among them counts as removed. */
  replace(next: Map<string, Value>): void {
    for (const key of next.keys()) this.#removed.delete(key);
    for (const [key, value] of this.#current) {
      if (!next.has(key)) this.#removed.set(key, value);
    }
    for (const key of this.#removed.keys()) {
      if (this.#removed.size <= REMOVED_MAX) break;
      this.#removed.delete(key);
    }
    this.#current = next;
  }
}

export function createLedger(writers: Writers): Ledger {
  const process = new ProcessBook(ProcessBook.allocate(writers), writers);
  const routeShelf = new Shelf<RouteKeep>();
  const shadowShelf = new Shelf<ShadowBook>();
  let byId: ReadonlyMap<string, LedgerRow> = new Map();
  let rows: readonly LedgerRow[] = [];

  return {
    writers,
    process,
    enter(routes) {
      const keeps = new Map<string, RouteKeep>();
      const books = new Map<string, ShadowBook>();
      const next = new Map<string, LedgerRow>();
      for (const route of routes) {
        assert(!next.has(route.id), `two routes with the id ${route.id}`);
        const found = routeShelf.find(route.id);
        const keep = toRouteKeep(route, found, routeShelf.isCurrent(route.id), writers);
        keeps.set(route.id, keep);
        const shadows = toShadows(route, shadowShelf, books, writers);
        next.set(route.id, { entry: toEntry(route, keep, shadows), book: keep.book, shadows });
      }
      routeShelf.replace(keeps);
      shadowShelf.replace(books);
      byId = next;
      rows = [...next.values()];
      return rows.map((row) => row.entry);
    },
    rows: () => rows,
    row: (id) => byId.get(id),
  };
}

function toRouteKeep(
  route: Route,
  found: RouteKeep | undefined,
  isCurrent: boolean,
  writers: Writers,
): RouteKeep {
  if (found !== undefined && isCurrent && found.revision === route.revision) return found;
  // Not when the route leaves: threads that have not heard of it yet would send copies until then.
  if (found !== undefined && !isCurrent) setPaused(found, false);
  return {
    book: found?.book ?? new RouteBook(RouteBook.allocate(writers.frontends), writers.frontends),
    revision: route.revision,
    limit: route.mirror?.limit ? LimitWindow.allocate() : null,
    cursor: new SharedArrayBuffer(4),
  };
}

function toShadows(
  route: Route,
  shelf: Shelf<ShadowBook>,
  books: Map<string, ShadowBook>,
  writers: Writers,
): readonly LedgerShadow[] {
  const count = writerCount(writers);
  return (route.mirror?.shadows ?? []).map(({ origin, role }) => {
    // An origin has no space, so no two pairs share a key.
    const key = `${origin} ${route.id}`;
    const book = shelf.find(key) ?? new ShadowBook(ShadowBook.allocate(count), count);
    books.set(key, book);
    return { origin, role, book };
  });
}

function toEntry(route: Route, keep: RouteKeep, shadows: readonly LedgerShadow[]): RouteEntry {
  return {
    route,
    memory: {
      book: keep.book.buffer,
      shadows: shadows.map((shadow) => shadow.book.buffer),
      limit: keep.limit,
      cursor: keep.cursor,
    },
  };
}
