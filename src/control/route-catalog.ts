// The catalog: routes of files and of the store, in one list, and every change of them one after the other.
//
// Owns the queue that changes, reloads and news of the store wait in, and the bounds of what a store may grow to.

import { randomInt } from 'node:crypto';
import type { ResourceKind } from '../config/apisix/resource.ts';
import type { LogFields } from '../core/log.ts';
import type { Route, Timeouts } from '../core/model.ts';
import { type Catalog, type CatalogItem, NotInForce, Refusal } from './catalog.ts';
import { findLastChange, toFileItem, toOwnValue, toStoredItem, toStoredValue } from './catalog-item.ts';
import { toNotInForce, toReadOnly, toUnavailable } from './refusal.ts';
import { RouteSet } from './route-set.ts';
import { SerialQueue } from './serial-queue.ts';
import {
  type Change,
  type JsonObject,
  type Store,
  StoreConflict,
  type StoredResource,
  type StoredResources,
  type StoreHealth,
  StoreUnavailable,
  toKey,
  UNSHARED_HEALTH,
} from './store/store.ts';
import { ROOM_BOUNDS, type RoomBounds, StoreRoom } from './store-room.ts';

/** Changes that wait for others. */
export const WAITING_MAX = 1_000;
/** How often an edit is made anew because somebody else was faster. */
const CONFLICTS_MAX = 8;
/** How long the store may take to say what it was that somebody else changed. */
const NEWS_MS = 2_000;
const ID_DIGITS = 20;
const ID_RANDOM_DIGITS = 6;

/** What config files say of routes. */
export interface FileRoutes {
  readonly routes: readonly Route[];
  readonly mirrorTimeouts: Timeouts;
}

export interface CatalogStatus {
  readonly writes: number;
  readonly writeErrors: number;
  readonly isWritable: boolean;
  readonly store: StoreHealth;
  /** Unix time in milliseconds of the newest change of the store's resources, 0 without any. */
  readonly lastChangeMs: number;
  /** Routes in force, by where they stand. */
  readonly inForce: { readonly file: number; readonly admin_api: number };
  /** Stored routes that are not, by reason. */
  readonly idle: { readonly shadowed: number; readonly invalid: number; readonly disabled: number };
}

export interface CatalogOptions {
  readonly files: FileRoutes;
  /** Puts routes in force; resolves when every front end has them. Never called again before it has. */
  readonly apply: (routes: readonly Route[]) => Promise<void>;
  readonly onWarning: (message: string, fields: LogFields) => void;
  readonly bounds?: RoomBounds;
}

export interface RouteCatalog extends Catalog {
  /** Opens the store; resolves with all routes to start with. Rejects with a message of one line. */
  open(store: Store): Promise<readonly Route[]>;
  /** Other files are in force: resolves when every front end has their routes. */
  replaceFiles(files: FileRoutes): Promise<void>;
  /** For the hooks of the store. */
  takeNews(resources: StoredResources): void;
  status(): CatalogStatus;
  /** Refuses further changes, lets the one under way end, closes the store. */
  close(): Promise<void>;
}

export function createCatalog(options: CatalogOptions): RouteCatalog {
  return new StoredCatalog(options);
}

class StoredCatalog implements RouteCatalog {
  readonly #options: CatalogOptions;
  readonly #set: RouteSet;
  readonly #room: StoreRoom;
  readonly #queue = new SerialQueue();
  #store: Store | null = null;
  #files: ReadonlyMap<string, Route> = new Map();
  /** What the Admin API shows of the files; made when it is asked for. */
  #fileItems: ReadonlyMap<string, CatalogItem> | null = null;
  /** News of the store that nobody has looked at yet. */
  #news: StoredResources | null = null;
  #onNews: (() => void) | null = null;
  /** What is known here is not in force in the front ends yet. */
  #isAhead = false;
  /** Stored routes that were told not to be in force, with the reason. */
  readonly #told = new Map<string, string>();
  #isClosed = false;
  #writes = 0;
  #writeErrors = 0;
  #lastChangeMs = 0;
  #lastIdMs = 0;

  constructor(options: CatalogOptions) {
    this.#options = options;
    this.#room = new StoreRoom(options.bounds ?? ROOM_BOUNDS);
    this.#set = new RouteSet(options.files.mirrorTimeouts);
    this.#setFiles(options.files);
  }

  open(store: Store): Promise<readonly Route[]> {
    // In the queue, so that news that come meanwhile are looked at afterwards.
    return this.#queue.run(async () => {
      const resources = await store.open();
      this.#store = store;
      this.#replaceResources(resources);
      this.#lastChangeMs = findLastChange(resources);
      return this.#routes();
    });
  }

  list(kind: ResourceKind): readonly CatalogItem[] {
    const items = kind === 'routes' ? [...this.#readFileItems().values()] : [];
    for (const resource of this.#set.resources.values()) {
      const isHidden = kind === 'routes' && this.#files.has(resource.id);
      if (resource.kind === kind && !isHidden) items.push(toStoredItem(resource));
    }
    return items;
  }

  find(kind: ResourceKind, id: string): CatalogItem | undefined {
    const item = kind === 'routes' ? this.#readFileItems().get(id) : undefined;
    if (item !== undefined) return item;
    const resource = this.#set.resources.get(toKey(kind, id));
    return resource === undefined ? undefined : toStoredItem(resource);
  }

  newId(kind: ResourceKind): string {
    for (;;) {
      // Of the time, so that ids grow, and by chance, because other gateways make some too.
      this.#lastIdMs = Math.max(Date.now(), this.#lastIdMs + 1);
      const random = String(randomInt(10 ** ID_RANDOM_DIGITS)).padStart(ID_RANDOM_DIGITS, '0');
      const id = `${this.#lastIdMs}${random}`.padStart(ID_DIGITS, '0');
      if (this.find(kind, id) === undefined) return id;
    }
  }

  change(
    kind: ResourceKind,
    id: string,
    edit: (item: CatalogItem | undefined) => JsonObject | null,
    { force = false }: { readonly force?: boolean } = {},
  ): Promise<CatalogItem | null> {
    if (this.#isClosed) return Promise.reject(toUnavailable('the gateway is ending'));
    const { waiting } = this.#queue;
    if (waiting >= WAITING_MAX) {
      return Promise.reject(toUnavailable(`${waiting} changes are waiting already`));
    }
    return this.#queue.run(() => this.#change(kind, id, edit, force));
  }

  replaceFiles(files: FileRoutes): Promise<void> {
    return this.#queue.run(async () => {
      this.#setFiles(files);
      this.#set.setMirrorTimeouts(files.mirrorTimeouts);
      await this.#putInForce();
    });
  }

  takeNews(resources: StoredResources): void {
    this.#news = resources;
    this.#onNews?.();
    if (this.#isClosed) return;
    void this.#queue
      .run(async () => {
        // A change that ran before may have taken them, and put them in force or been refused.
        this.#takeNews();
        if (this.#isAhead) await this.#putInForce();
      })
      .catch((error: unknown) =>
        this.#options.onWarning('routes of the store could not be put in force', { cause: String(error) }),
      );
  }

  status(): CatalogStatus {
    const idle = { shadowed: 0, invalid: 0, disabled: 0 };
    let stored = 0;
    for (const [id, meaning] of this.#set.meanings()) {
      if (this.#files.has(id)) idle.shadowed++;
      else if (meaning.problem !== null) idle.invalid++;
      else if (meaning.route === null) idle.disabled++;
      else stored++;
    }
    return {
      writes: this.#writes,
      writeErrors: this.#writeErrors,
      isWritable: !this.#isClosed && (this.#store?.isWritable() ?? false),
      store: this.#store?.health() ?? UNSHARED_HEALTH,
      lastChangeMs: this.#lastChangeMs,
      inForce: { file: this.#files.size, admin_api: stored },
      idle,
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#queue.settled();
    await this.#store?.close();
  }

  async #change(
    kind: ResourceKind,
    id: string,
    edit: (item: CatalogItem | undefined) => JsonObject | null,
    isForced: boolean,
  ): Promise<CatalogItem | null> {
    const key = toKey(kind, id);
    for (let conflicts = 0; conflicts < CONFLICTS_MAX; conflicts++) {
      this.#takeNews();
      const item = this.find(kind, id);
      if (item?.isReadOnly) throw toReadOnly(kind, id);
      const before = this.#set.resources.get(key);
      const edited = edit(item);
      if (edited === null && before === undefined) return null;
      const own = edited === null ? null : toOwnValue(edited);
      const plan = this.#set.plan(kind, id, own, isForced);
      const value = own === null ? null : toStoredValue(id, own, before);
      const problem = value === null ? null : this.#room.findProblem(kind, id, value);
      if (problem !== null) throw new Refusal(507, { error_msg: problem });
      const stored = await this.#write({ kind, id, value, basis: before?.modifiedIndex ?? null });
      if (stored === CONFLICT) {
        await this.#waitForNews();
        continue;
      }
      this.#set.adopt(kind, id, stored, plan);
      this.#room.note(kind, id, value);
      this.#lastChangeMs = Date.now();
      for (const notice of plan.notices) {
        this.#options.onWarning('a part of a route has no effect', { resource: key, notice });
      }
      try {
        await this.#putInForce();
      } catch (error) {
        throw error instanceof NotInForce ? toNotInForce(error.message) : error;
      }
      return stored === null ? null : toStoredItem(stored);
    }
    throw toUnavailable(`${kind.slice(0, -1)} [${id}] is being changed by others all the time`);
  }

  async #write(change: Change): Promise<StoredResource | null | typeof CONFLICT> {
    if (this.#store === null) throw toUnavailable('there is no store');
    try {
      const stored = await this.#store.write(change);
      this.#writes++;
      return stored;
    } catch (error) {
      if (error instanceof StoreConflict) return CONFLICT;
      this.#writeErrors++;
      this.#options.onWarning('a change could not be stored', {
        resource: toKey(change.kind, change.id),
        cause: error instanceof Error ? error.message : String(error),
      });
      if (error instanceof StoreUnavailable) throw toUnavailable(error.message);
      throw error;
    }
  }

  #takeNews(): void {
    const news = this.#news;
    if (news === null) return;
    this.#news = null;
    this.#replaceResources(news);
    this.#lastChangeMs = Date.now();
    this.#isAhead = true;
  }

  #replaceResources(resources: StoredResources): void {
    this.#set.replace(resources);
    this.#room.replace(resources);
  }

  /** Resolves when the store has said what it is now, or should have. */
  async #waitForNews(): Promise<void> {
    if (this.#news !== null) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onNews = resolve;
      timer = setTimeout(resolve, NEWS_MS);
    });
    clearTimeout(timer);
    this.#onNews = null;
  }

  #setFiles({ routes }: FileRoutes): void {
    this.#files = new Map(routes.map((route) => [route.id, route]));
    this.#fileItems = null;
  }

  #readFileItems(): ReadonlyMap<string, CatalogItem> {
    this.#fileItems ??= new Map(Array.from(this.#files, ([id, route]) => [id, toFileItem(route)]));
    return this.#fileItems;
  }

  async #putInForce(): Promise<void> {
    this.#isAhead = true;
    await this.#options.apply(this.#routes());
    this.#isAhead = false;
  }

  /** Those of files first; tells of stored ones that are not in force. */
  #routes(): readonly Route[] {
    const routes = [...this.#files.values()];
    const idle = new Set<string>();
    for (const [id, meaning] of this.#set.meanings()) {
      const reason = this.#files.has(id) ? 'a config file has a route with this id' : meaning.problem;
      if (reason === null) {
        if (meaning.route !== null) routes.push(meaning.route);
        continue;
      }
      idle.add(id);
      if (this.#told.get(id) === reason) continue;
      this.#told.set(id, reason);
      this.#options.onWarning('a stored route is not in force', { route: id, reason });
    }
    for (const id of this.#told.keys()) if (!idle.has(id)) this.#told.delete(id);
    return routes;
  }
}

const CONFLICT = Symbol('conflict');
