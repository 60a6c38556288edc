// For tests of the store in Redis: stores that say what happens to them, a Redis that is looked into, and a wire between
// both that can be held.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect as openSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRedisStore, type RedisStore } from '../../src/control/store/redis.ts';
import type { StoredResource, StoredResources } from '../../src/control/store/store.ts';
import type { RedisSettings } from '../../src/core/model.ts';
import { listenOnOwnPort } from '../kit/port.ts';
import { openRedis, type RedisServer, toSettings } from '../kit/redis.ts';
import { createWaiting } from '../kit/waiting.ts';

export const PREFIX = 'umbra';
export const HASH = 'umbra:{routes}:resources';
export const CHANNEL = 'umbra:{routes}:changes';

export interface Event {
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

/** A store with what it told so far. */
export interface Watched {
  readonly store: RedisStore;
  readonly cachePath: string;
  /** What open() gave, then each onChange. */
  readonly sets: readonly StoredResources[];
  readonly warnings: readonly Event[];
  /** With the last set that was given. */
  readonly latest: StoredResources;
  until(met: () => boolean, what: string): Promise<void>;
  /** Resolves when that many warnings have come with that text in them. */
  warned(text: string, count?: number): Promise<Event>;
  open(): Promise<Watched>;
  close(): Promise<void>;
}

/** For the cache files of a test's stores; removed when it ends. */
export function makeFolder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'umbra-store-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A store with its cache file in that folder, open; closed when the test ends. */
export async function openStore(
  t: TestContext,
  port: number,
  cachePath: string,
  options: WatchOptions = {},
): Promise<Watched> {
  const watched = watch(port, cachePath, options);
  t.after(() => watched.close());
  return watched.open();
}

export interface WatchOptions {
  readonly timeoutMs?: number;
  readonly prefix?: string;
}

export function watch(
  server: number | RedisSettings,
  cachePath: string,
  options: WatchOptions = {},
): Watched {
  const sets: StoredResources[] = [];
  const warnings: Event[] = [];
  const waiting = createWaiting();
  const store = createRedisStore(
    {
      type: 'redis',
      redis:
        typeof server === 'number' ? toSettings([server], { timeoutMs: options.timeoutMs ?? 1_000 }) : server,
      prefix: options.prefix ?? PREFIX,
      cachePath,
    },
    {
      onChange: (resources) => {
        sets.push(resources);
        waiting.check();
      },
      onWarning: (message, fields) => {
        warnings.push({ message, fields });
        waiting.check();
      },
    },
  );
  const watched: Watched = {
    store,
    cachePath,
    sets,
    warnings,
    get latest() {
      return sets.at(-1)!;
    },
    until: (met, what) =>
      waiting.until(met, () => `${what}\n${JSON.stringify({ warnings, sets: sets.map(toShort) })}`),
    warned: async (text, count = 1) => {
      const found = (): Event | undefined =>
        warnings.filter(({ message }) => message.includes(text))[count - 1];
      await watched.until(() => found() !== undefined, `warned ${count} times: ${text}`);
      return found()!;
    },
    open: async () => {
      sets.push(await store.open());
      return watched;
    },
    close: () => store.close(),
  };
  return watched;
}

/** `KIND/ID` → [createdIndex, modifiedIndex, value]. */
export function toShort(resources: StoredResources): Record<string, unknown> {
  return Object.fromEntries(
    [...resources].map(([key, { createdIndex, modifiedIndex, value }]) => [
      key,
      [createdIndex, modifiedIndex, value],
    ]),
  );
}

/** Writes a route; `n` is told from others by its value. */
export function put(
  watched: Watched,
  id: string,
  n: number,
  basis: number | null,
): Promise<StoredResource | null> {
  return watched.store.write({ kind: 'routes', id, value: { id, n }, basis });
}

export function remove(watched: Watched, id: string, basis: number): Promise<StoredResource | null> {
  return watched.store.write({ kind: 'routes', id, value: null, basis });
}

/** For redis-server: what was answered survives a kill. */
export const PERSISTENT = ['--appendonly', 'yes', '--appendfsync', 'always'];

export interface Pair {
  readonly redis: RedisServer;
  readonly folder: string;
  readonly a: Watched;
  readonly b: Watched;
}

/** Two gateways that both know of one route, made by a. */
export async function openPair(t: TestContext, options: readonly string[] = []): Promise<Pair> {
  const redis = await openRedis(t, options);
  const folder = makeFolder(t);
  const a = await openStore(t, redis.port, join(folder, 'a'));
  const b = await openStore(t, redis.port, join(folder, 'b'));
  await put(a, '1', 1, null);
  await b.until(() => b.sets.length === 2, 'the first change');
  return { redis, folder, a, b };
}

export async function closeAll(...all: readonly Watched[]): Promise<void> {
  await Promise.all(all.map((watched) => watched.close()));
}

/** Resolves right after a periodic check: for a while none is under way. */
export async function untilChecked({ store }: Watched): Promise<void> {
  const { lastSyncMs } = store.health();
  while (store.health().lastSyncMs === lastSyncMs) await sleep(1);
}

/** A wire to Redis on a port of its own. What is held stays in order and goes on when it is released. */
export interface Wire {
  readonly port: number;
  /** From now on, also of new connections. */
  hold(direction: 'requests' | 'answers'): void;
  /** What is held goes on its way; resolves when Redis has had what connections sent that the gateway has closed since. */
  release(): Promise<void>;
  /** Holds only for the connections of now: later ones go through. */
  holdCurrent(direction: 'requests' | 'answers'): void;
  /** Ends the gateway's side of the connections that are held; what they hold still goes to Redis when it is released. */
  cut(): void;
  /** Bytes that were held back so far. */
  held(): number;
  /** Resolves when some bytes are held. */
  untilHeld(): Promise<void>;
  close(): void;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  held: { readonly requests: Buffer[]; readonly answers: Buffer[] };
  isHeld: { requests: boolean; answers: boolean };
}

export async function openWire(redisPort: number): Promise<Wire> {
  const links = new Set<Link>();
  const hold = { requests: false, answers: false };
  const waiting = createWaiting();
  const held = (): number =>
    [...links].reduce(
      (sum, { held: { requests, answers } }) => sum + Buffer.concat([...requests, ...answers]).length,
      0,
    );
  const server = createServer((client) => {
    const link: Link = {
      client,
      server: openSocket(redisPort, '127.0.0.1'),
      held: { requests: [], answers: [] },
      isHeld: { ...hold },
    };
    links.add(link);
    const pass = (direction: 'requests' | 'answers', to: Socket) => (bytes: Buffer) => {
      if (link.isHeld[direction]) link.held[direction].push(bytes);
      else to.write(bytes);
      waiting.check();
    };
    client.on('data', pass('requests', link.server));
    link.server.on('data', pass('answers', client));
    for (const socket of [client, link.server]) socket.on('error', () => undefined);
    link.server.on('close', () => client.destroy());
    // With requests held, Redis shall get them although who sent them has gone.
    client.on('close', () => {
      if (!link.isHeld.requests) link.server.destroy();
    });
  });
  const port = await listenOnOwnPort(server, '127.0.0.1');
  const set = (link: Link, direction: 'requests' | 'answers'): void => {
    link.isHeld[direction] = true;
  };
  return {
    port,
    hold: (direction) => {
      hold[direction] = true;
      for (const link of links) set(link, direction);
    },
    holdCurrent: (direction) => {
      for (const link of links) set(link, direction);
    },
    release: async () => {
      const over: Promise<unknown>[] = [];
      hold.requests = false;
      hold.answers = false;
      for (const link of links) {
        link.isHeld = { requests: false, answers: false };
        for (const bytes of link.held.requests.splice(0)) link.server.write(bytes);
        for (const bytes of link.held.answers.splice(0)) link.client.write(bytes);
        if (!link.client.destroyed || link.server.destroyed) continue;
        // Redis closes when it has read, and done, everything up to the end.
        over.push(once(link.server, 'close'));
        link.server.end();
      }
      await Promise.all(over);
    },
    cut: () => {
      for (const { client, isHeld } of links) if (isHeld.requests || isHeld.answers) client.destroy();
    },
    held,
    untilHeld: () =>
      waiting.until(
        () => held() > 0,
        () => 'bytes are held',
      ),
    close: () => {
      server.close();
      for (const { client, server } of links) {
        client.destroy();
        server.destroy();
      }
    },
  };
}
