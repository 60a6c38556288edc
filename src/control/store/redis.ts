// Keeps the resources of the Admin API in Redis, for all gateways with the same prefix: what one writes, all apply.
//
// Owns the set as it was last known, and when it is compared with Redis's. Never blocks and never waits without a bound:
// while Redis is away the last known set stays in force, across a restart by the cache file, and writes are refused. An
// emptied Redis is not believed: the last known set is put back.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreSettings } from '../../core/model.ts';
import { RedisFailure } from '../../redis/connection.ts';
import { ResourceCache } from './cache.ts';
import { ChangeListener } from './redis-listener.ts';
import {
  type Head,
  type Keys,
  type ReadAnswer,
  type StoredAnswer,
  toKeys,
  WRITE_BYTES_MAX,
} from './redis-script.ts';
import { READ_MS, RedisSession } from './redis-session.ts';
import {
  findTakeoverWarnings,
  hasSameResources,
  type KnownSet,
  toKnownSet,
  toResources,
  toTexts,
  withChange,
} from './redis-set.ts';
import {
  type Change,
  type Store,
  StoreConflict,
  type StoredResource,
  type StoredResources,
  type StoreHealth,
  type StoreHooks,
  StoreUnavailable,
  toKey,
} from './store.ts';

/** Repairs a notification that was missed, and notices what happened to Redis. */
const POLL_MS = 500;
/** How long a start waits for Redis. */
const OPEN_MS = 2_000;
/** A set that was not seen in Redis of late may be old: gateways that know a newer one go first. */
const RESTORE_PATIENCE_MS = 1_000;
const FRESH_MS = 2 * POLL_MS;

export type RedisStoreSettings = Extract<StoreSettings, { readonly type: 'redis' }>;

export function createRedisStore(settings: RedisStoreSettings, hooks: StoreHooks): RedisStore {
  return new RedisStore(settings, hooks);
}

export class RedisStore implements Store {
  readonly #settings: RedisStoreSettings;
  readonly #hooks: StoreHooks;
  readonly #node = randomUUID();
  readonly #keys: Keys;
  readonly #server: string;
  readonly #cache: ResourceCache;
  #session: RedisSession | null = null;
  #listener: ChangeListener | null = null;
  #poll: NodeJS.Timeout | undefined;
  #known: KnownSet | null = null;
  /** There was a cache file that cannot be read: nobody can say that there were no resources. */
  #isCacheLost = false;
  /** Since when Redis is seen without a set; of performance.now(). */
  #emptySinceMs: number | null = null;
  #isConnected = false;
  #cause = 'not connected yet';
  #isOpen = false;
  #isClosed = false;
  #onConnected: () => void = () => undefined;
  /** Everything that reads or changes the known set, one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #isCheckDue = false;
  /** Calls of onChange. */
  #tellings = 0;
  #lastSyncMs: number | null = null;
  #failures = 0;
  #restorations = 0;

  constructor(settings: RedisStoreSettings, hooks: StoreHooks) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#keys = toKeys(settings.prefix, this.#node);
    this.#server = `Redis at ${settings.redis.nodes.map(({ host, port }) => `${host}:${port}`).join(', ')}`;
    this.#cache = new ResourceCache(settings.cachePath, this.#keys.hash, hooks.onWarning);
  }

  async open(): Promise<StoredResources> {
    const cached = await this.#cache.read();
    this.#known = cached.set;
    this.#isCacheLost = cached.isLost;
    await this.#connect();
    if (this.#known === null) {
      const cause = this.#cause;
      await this.close();
      throw new Error(`store: ${this.#server}: ${cause}; and ${cached.problem}; the routes cannot be known`);
    }
    if (cached.isLost) this.#warn('the cache file of the store is not used', { cause: cached.problem ?? '' });
    if (!this.#isConnected) {
      const fields = { file: this.#settings.cachePath, cause: this.#cause };
      this.#warn('the store cannot be reached: the resources of the cache file are in force', fields);
    }
    this.#isOpen = true;
    return toResources(this.#known);
  }

  write(change: Change): Promise<StoredResource | null> {
    const tellings = this.#tellings;
    return this.#inTurn(() => this.#write(change, tellings));
  }

  isWritable(): boolean {
    return this.#isConnected && !this.#isClosed && this.#session?.isUp === true;
  }

  /** Of the known set; 0 before there is one. */
  get revision(): number {
    return this.#known?.head.revision ?? 0;
  }

  health(): StoreHealth {
    return {
      lastSyncMs: this.#lastSyncMs,
      damaged: this.#known?.damaged.size ?? 0,
      failures: this.#failures,
      restorations: this.#restorations,
      cacheFailures: this.#cache.failures,
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#poll);
    this.#session?.close();
    this.#listener?.close();
    await this.#queue;
    await this.#cache.close();
  }

  /** Resolves when the set is Redis's, or after OPEN_MS; later when it is on its way and there is no other. */
  async #connect(): Promise<void> {
    const connected = new Promise<void>((resolve) => {
      this.#onConnected = resolve;
    });
    this.#session = new RedisSession(this.#settings.redis, this.#keys, this.#node, {
      onState: (isUp, cause) => (isUp ? this.#check() : this.#setConnected(false, cause ?? 'not connected')),
      onLost: (cause) => this.#fail(cause),
    });
    this.#listener = new ChangeListener(this.#settings.redis, this.#keys.channel, (text) => {
      const head = this.#known?.head;
      if (head === undefined || text !== `${head.epoch} ${head.revision} ${head.stamp}`) this.#check();
    });
    this.#poll = setInterval(() => {
      this.#check();
      this.#listener?.check();
    }, POLL_MS);
    const over = new AbortController();
    const wait = (ms: number): Promise<void> => sleep(ms, undefined, { signal: over.signal });
    const late = wait(OPEN_MS)
      .then(() => (this.#known === null && this.#session!.isUp ? wait(READ_MS) : undefined))
      .catch(() => undefined);
    await Promise.race([connected, late]);
    over.abort();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(work);
    this.#queue = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** Soon; any number of calls until then are one. */
  #check(): void {
    if (this.#isCheckDue || this.#isClosed) return;
    this.#isCheckDue = true;
    void this.#inTurn(() => {
      this.#isCheckDue = false;
      return this.#sync();
    });
  }

  /** Makes the known set Redis's own, or an emptied Redis's the known one. Never rejects for what Redis does. */
  async #sync(): Promise<void> {
    const session = this.#session!;
    if (this.#isClosed) return;
    if (!session.isUp) return this.#setConnected(false, session.cause);
    try {
      let answer = await session.read(this.#known?.head ?? null);
      if (this.#isLost(answer)) {
        if (!this.#mayRestore()) return this.#setConnected(false, `it has no ${this.#keys.hash}`);
        await this.#restore(session);
        answer = await session.read(this.#known?.head ?? null);
      }
      if (answer.head === null) throw new RedisFailure('it lost the resources again');
      this.#emptySinceMs = null;
      this.#take(answer.head, answer.texts);
      this.#setConnected(true, '');
    } catch (error) {
      if (!(error instanceof RedisFailure)) throw error;
      this.#fail(error.message);
    }
  }

  /** There is no set, or one that nobody has ever written to while this gateway knows of changes. */
  #isLost({ head }: ReadAnswer): boolean {
    return head === null || (head.revision === 0 && this.#known !== null && this.#known.head.revision > 0);
  }

  /** Who has seen the set just now goes first: others may know an older one. */
  #mayRestore(): boolean {
    const isFresh = this.#lastSyncMs !== null && Date.now() - this.#lastSyncMs < FRESH_MS;
    if (this.#known === null) return !this.#isCacheLost;
    if (isFresh) return true;
    this.#emptySinceMs ??= performance.now();
    return performance.now() - this.#emptySinceMs >= RESTORE_PATIENCE_MS;
  }

  /** Puts the known set into Redis, or makes an empty one; unless another gateway was first. */
  async #restore(session: RedisSession): Promise<void> {
    const known = this.#known;
    const lastRevision = known?.head.revision ?? 0;
    const revision = lastRevision === 0 ? 0 : lastRevision + 1;
    const head = await session.restore(revision, known === null ? {} : toTexts(known));
    if (head === null || known === null) return;
    this.#keep({ ...known, head, damaged: new Map() });
    if (lastRevision === 0) return;
    this.#restorations += 1;
    this.#warn('the store had lost its resources: the last known ones were put back', {
      key: this.#keys.hash,
      resources: known.entries.size,
      revision,
    });
  }

  /** `texts` is null when nothing has changed. */
  #take(head: Head, texts: ReadonlyMap<string, string> | null): void {
    const before = this.#known;
    if (texts === null) return;
    const next = toKnownSet(head, texts, before);
    for (const { message, fields } of findTakeoverWarnings(before, next)) {
      this.#warn(message, { key: this.#keys.hash, ...fields });
    }
    this.#keep(next);
    const isChanged = before === null || !hasSameResources(before, next);
    if (isChanged && this.#isOpen) this.#tell();
  }

  #tell(): void {
    this.#tellings += 1;
    this.#hooks.onChange(toResources(this.#known!));
  }

  #keep(set: KnownSet): void {
    this.#known = set;
    this.#cache.keep(set);
  }

  #fail(cause: string): void {
    this.#failures += 1;
    this.#setConnected(false, cause);
  }

  #setConnected(isConnected: boolean, cause: string): void {
    this.#cause = cause;
    if (isConnected) this.#lastSyncMs = Date.now();
    if (this.#isConnected === isConnected || this.#isClosed) return;
    this.#isConnected = isConnected;
    if (isConnected) this.#onConnected();
    if (!this.#isOpen) return;
    if (isConnected) this.#warn('the store is reached again', {});
    else this.#warn('the store cannot be reached: the last known resources stay in force', { cause });
  }

  #warn(message: string, fields: Readonly<Record<string, string | number>>): void {
    this.#hooks.onWarning(message, { store: this.#server, ...fields });
  }

  /** `tellings` is how many there were when the change was asked for. */
  async #write(change: Change, tellings: number, isAgain = false): Promise<StoredResource | null> {
    const known = this.#known;
    if (this.#isClosed || known === null) throw this.#toUnavailable('the gateway is ending');
    if (!this.isWritable()) throw this.#toUnavailable(this.#cause);
    const text = change.value === null ? '' : JSON.stringify(change.value);
    if (text !== '' && known.bytes + Buffer.byteLength(text) > WRITE_BYTES_MAX) {
      throw this.#toUnavailable(`the resources would have more than ${WRITE_BYTES_MAX} bytes together`);
    }
    const result = await this.#session!.write(known, change, text);
    switch (result.type) {
      case 'done':
        return this.#takeOwn(known, change, result, tellings);
      case 'conflict':
        await this.#sync();
        if (!this.isWritable()) throw this.#toUnavailable(this.#cause);
        // It was not about this resource: the set is another one, or was put back.
        if (!isAgain && this.#isBasis(change)) return this.#write(change, tellings, true);
        throw new StoreConflict(`${toKey(change.kind, change.id)} is not what it was`);
      case 'refused':
        throw this.#toUnavailable(result.cause);
    }
  }

  #isBasis({ kind, id, basis }: Change): boolean {
    return (this.#known?.entries.get(toKey(kind, id))?.resource.modifiedIndex ?? null) === basis;
  }

  async #takeOwn(
    known: KnownSet,
    { kind, id, value }: Change,
    { before, revision, stamp, createdIndex }: StoredAnswer,
    tellings: number,
  ): Promise<StoredResource | null> {
    const resource = value === null ? null : { kind, id, value, createdIndex, modifiedIndex: revision };
    const isAlone = before === known.head.stamp;
    // With others' changes in between, the head stays what it was until they are known too.
    const head = isAlone ? { epoch: known.head.epoch, revision, stamp } : known.head;
    this.#keep(withChange(known, head, kind, id, resource));
    const toldWithout = this.#tellings;
    if (isAlone) this.#setConnected(true, '');
    else await this.#sync();
    // What was told while the change waited for its turn is without it, and the last word must have it.
    if (toldWithout !== tellings && toldWithout === this.#tellings) this.#tell();
    return resource;
  }

  #toUnavailable(cause: string): StoreUnavailable {
    return new StoreUnavailable(`${this.#server}: ${cause}`);
  }
}
