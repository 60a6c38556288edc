// One connection to a Redis server or cluster: how it is set up, what a command may take, and when it counts as down.
//
// Owns the client library. A command is answered or fails within its deadline, whatever Redis does; nothing is queued while
// there is no connection, nothing is sent twice by the library, and the connection comes back by itself.

import { Cluster, type ClusterOptions, Redis, type RedisOptions, ReplyError } from 'ioredis';
import type { RedisSettings } from '../core/model.ts';

/** Between attempts to connect. */
const RECONNECT_MS = 100;
/** A connection that owes an answer for so long is given up: after a partition the system would try for minutes. */
const SILENT_MS_MIN = 1_000;
/** How often a cluster is asked who serves what, beside when an answer says that it has changed. */
const SLOTS_REFRESH_MS = 5_000;
const REDIRECTIONS_MAX = 8;
/** A server that has become a replica is left for the one that its name means now, at most so often. */
const REPLICA_LEAVE_MS = 1_000;
const LINE_MAX = 200;

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
  /** It is what Redis answered: the command had no effect. Otherwise it may have, or may still. */
  readonly isAnswer: boolean;

  constructor(message: string, isAnswer = false) {
    super(message);
    this.isAnswer = isAnswer;
  }
}

export type RedisArgument = string | number;

export class RedisConnection {
  readonly #client: Redis | Cluster;
  readonly #timeoutMs: number;
  readonly #password: string | null;
  readonly #hooks: RedisHooks;
  #isUp = false;
  #isTold = false;
  #cause = 'not connected yet';
  /** What Redis has answered to the set-up of this connection, other than with OK. */
  #refusal: string | null = null;
  #isClosed = false;

  constructor(settings: RedisSettings, hooks: RedisHooks = {}) {
    this.#timeoutMs = settings.timeoutMs;
    this.#password = settings.password;
    this.#hooks = hooks;
    const client = openClient(settings);
    this.#client = client;
    client.on('connect', () => {
      this.#refusal = null;
    });
    client.on('ready', () => {
      if (this.#refusal !== null) {
        // The library goes on without the database that it was told to use, which is another one.
        this.#setState(false, this.#refusal);
        client.disconnect(true);
        return;
      }
      this.#cause = 'the connection was closed';
      if (client instanceof Redis) this.#setState(true, null);
      else void this.#openMasters(client);
    });
    client.on('close', () => this.#setState(false, this.#cause));
    // Without a listener the library keeps errors to itself. What they are about follows as close or as a failed command.
    client.on('error', (error: Error) => {
      this.#cause = this.#toLine(error);
      if (error instanceof ReplyError) this.#refusal = this.#cause;
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
  run(
    script: RedisScript,
    keys: readonly string[],
    values: readonly RedisArgument[],
    timeoutMs = this.#timeoutMs,
  ): Promise<unknown> {
    const client = this.#client as unknown as Record<string, (...rest: RedisArgument[]) => Promise<unknown>>;
    if (client[script.name] === undefined) this.#client.defineCommand(script.name, { lua: script.lua });
    return this.#within(() => client[script.name]!(keys.length, ...keys, ...values), timeoutMs);
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

  /** The library connects to a node at its first command, and refuses or delays those that come while it does. */
  async #openMasters(cluster: Cluster): Promise<void> {
    await Promise.all(cluster.nodes('master').map(untilTried));
    if (cluster.status === 'ready') this.#setState(true, null);
  }

  async #within(send: () => Promise<unknown>, timeoutMs = this.#timeoutMs): Promise<unknown> {
    if (!this.#isUp) throw new RedisFailure(this.#cause);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const message = `no answer within ${timeoutMs} ms`;
      timer = setTimeout(() => reject(new RedisFailure(message)), timeoutMs);
    });
    try {
      return await Promise.race([send(), late]);
    } catch (error) {
      // Somebody else may serve the slot by now. A look that is under way is not begun again.
      if (this.#client instanceof Cluster && !this.#isClosed) this.#client.refreshSlotsCache(() => {});
      if (error instanceof RedisFailure) throw error;
      throw new RedisFailure(this.#toLine(error), error instanceof ReplyError);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Redis may repeat what it was sent, the password too, and may cut it. */
  #toLine(error: unknown): string {
    const text = toText(error).replace(/,? with args beginning with.*/s, '');
    const clean = this.#password ? text.replaceAll(this.#password, '***') : text;
    return clean.split('\n', 1)[0]!.slice(0, LINE_MAX);
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
  if (!isCluster) {
    const { host, port } = nodes[0]!;
    return new Redis({ ...options, host, port, db: database, reconnectOnError: createReplicaLeave() });
  }
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

/** Resolves when the node is connected, or an attempt has failed. */
function untilTried(node: Redis): Promise<void> {
  return new Promise((resolve) => {
    if (node.status === 'ready' || node.status === 'end') {
      resolve();
      return;
    }
    for (const event of ['ready', 'close', 'end']) node.once(event, () => resolve());
    if (node.status === 'wait') node.connect().catch(() => {});
  });
}

/** After a failover behind one name the old connection leads to what is a replica now, and stays there. */
function createReplicaLeave(): (error: Error) => boolean {
  let leftAtMs = Number.NEGATIVE_INFINITY;
  return ({ message }) => {
    if (!message.includes('READONLY')) return false;
    const nowMs = performance.now();
    if (nowMs < leftAtMs + REPLICA_LEAVE_MS) return false;
    leftAtMs = nowMs;
    return true;
  };
}

function toText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // The library's name for a command that was under way when the connection was lost.
  if (error.name === 'MaxRetriesPerRequestError') return 'the connection was closed';
  const { lastNodeError } = error as { lastNodeError?: unknown };
  const reason = lastNodeError instanceof Error ? ` (${lastNodeError.message})` : '';
  return `${error.message || error.name}${reason}`;
}
