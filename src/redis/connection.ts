// One connection to a Redis server or cluster: how it is set up, what a command may take, and when it counts as down.
//
// Owns the client library. A command is answered or fails within its deadline, whatever Redis does; nothing is queued while
// there is no connection, nothing is sent twice by the library, and the connection comes back by itself.

import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { RedisSettings } from '../core/model.ts';

/** Between attempts to connect. */
const RECONNECT_MS = 100;
/** A connection that owes an answer for so long is given up: after a partition the system would try for minutes. */
const SILENT_MS_MIN = 1_000;
/** How often a cluster is asked who serves what, beside when an answer says that it has changed. */
const SLOTS_REFRESH_MS = 5_000;
const REDIRECTIONS_MAX = 8;

/** Lua that Redis runs as one step. Its keys come first; in a cluster all of them must be in one slot. */
export interface RedisScript {
  /** A word, unlike Redis's own commands. */
  readonly name: string;
  readonly lua: string;
}

export interface RedisHooks {
  /** It answers (again); `cause` is null. Or it does not, and why. Called on changes only, the first one included. */
  readonly onState?: (isUp: boolean, cause: string | null) => void;
  /** Of a subscribed channel. Those of the time without connection are lost. */
  readonly onMessage?: (channel: string, text: string) => void;
}

/** No answer in time, none to be had, or Redis answered with an error. The message is one line without secrets. */
export class RedisFailure extends Error {
  override readonly name = 'RedisFailure';
}

export type RedisArgument = string | number;

export class RedisConnection {
  readonly #client: Redis | Cluster;
  readonly #timeoutMs: number;
  readonly #hooks: RedisHooks;
  #isUp = false;
  #isTold = false;
  #cause = 'not connected yet';
  #isClosed = false;

  constructor(settings: RedisSettings, hooks: RedisHooks = {}) {
    this.#timeoutMs = settings.timeoutMs;
    this.#hooks = hooks;
    const client = openClient(settings);
    this.#client = client;
    client.on('ready', () => {
      this.#cause = 'the connection was closed';
      this.#setState(true, null);
    });
    client.on('close', () => this.#setState(false, this.#cause));
    // Without a listener the library keeps errors to itself. What they are about follows as close or as a failed command.
    client.on('error', (error: Error) => {
      this.#cause = toLine(error);
      if (!this.#isUp) this.#setState(false, this.#cause);
    });
    client.on('message', (channel: string, text: string) => hooks.onMessage?.(channel, text));
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Why it is not up. */
  get cause(): string {
    return this.#cause;
  }

  /** Runs a script by its digest, or with its text where Redis does not know it (any more). Rejects with RedisFailure. */
  run(script: RedisScript, keys: readonly string[], values: readonly RedisArgument[]): Promise<unknown> {
    const client = this.#client as unknown as Record<string, (...rest: RedisArgument[]) => Promise<unknown>>;
    if (client[script.name] === undefined) this.#client.defineCommand(script.name, { lua: script.lua });
    return this.#within(() => client[script.name]!(keys.length, ...keys, ...values));
  }

  /** Rejects with RedisFailure. */
  call(command: string, ...values: readonly RedisArgument[]): Promise<unknown> {
    return this.#within(() => this.#client.call(command, ...values));
  }

  /** From now on, also after a reconnection. A subscribed connection takes no other commands. */
  async subscribe(channel: string): Promise<void> {
    await this.#within(() => this.#client.subscribe(channel));
  }

  /** At once; commands under way fail. */
  close(): void {
    this.#isClosed = true;
    this.#client.disconnect();
  }

  async #within(send: () => Promise<unknown>): Promise<unknown> {
    if (!this.#isUp) throw new RedisFailure(this.#cause);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const message = `no answer within ${this.#timeoutMs} ms`;
      timer = setTimeout(() => reject(new RedisFailure(message)), this.#timeoutMs);
    });
    try {
      return await Promise.race([send(), late]);
    } catch (error) {
      throw error instanceof RedisFailure ? error : new RedisFailure(toLine(error));
    } finally {
      clearTimeout(timer);
    }
  }

  #setState(isUp: boolean, cause: string | null): void {
    if (this.#isClosed || (this.#isTold && this.#isUp === isUp)) return;
    this.#isTold = true;
    this.#isUp = isUp;
    this.#hooks.onState?.(isUp, cause);
  }
}

function openClient(settings: RedisSettings): Redis | Cluster {
  const { nodes, isCluster, username, password, database, tls } = settings;
  const silentMs = Math.max(SILENT_MS_MIN, settings.timeoutMs);
  const options = {
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    // The older protocol has all that is used here, and old servers and proxies have no other.
    protocol: 2,
    disableClientInfo: true,
    connectTimeout: silentMs,
    socketTimeout: silentMs,
    retryStrategy: () => RECONNECT_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: true,
    maxRetriesPerRequest: 0,
    enableReadyCheck: true,
    enableAutoPipelining: false,
  } satisfies RedisOptions;
  if (!isCluster) return new Redis({ ...options, host: nodes[0]!.host, port: nodes[0]!.port, db: database });
  const clusterOptions = {
    redisOptions: options,
    clusterRetryStrategy: () => RECONNECT_MS,
    clusterNodeRetryStrategy: () => RECONNECT_MS,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    scaleReads: 'master',
    maxRedirections: REDIRECTIONS_MAX,
    retryDelayOnFailover: RECONNECT_MS,
    retryDelayOnClusterDown: RECONNECT_MS,
    retryDelayOnTryAgain: RECONNECT_MS,
    slotsRefreshTimeout: silentMs,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    enableAutoPipelining: false,
  } satisfies ClusterOptions;
  return new Cluster(
    nodes.map(({ host, port }) => ({ host, port })),
    clusterOptions,
  );
}

function toLine(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  return message.split('\n', 1)[0]!.slice(0, 200);
}
