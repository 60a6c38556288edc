// One Redis server or cluster that counts limits, as a mirror thread deals with it: its connection, calls and failures.
//
// However many rules use it, there is one connection. Jobs that come together are asked for together, and those that come
// meanwhile gather for the next call. After a failure limits are doubtful: nothing waits for them, and they are asked about
// in the background until they are counted again.

import type { RedisSettings } from '../core/model.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { readAnswers, TAKE_PLACES, toValues } from './limit-script.ts';
import type { LimitHost, RedisLimit } from './limiter.ts';

/** How often a limit that is not counted is asked about again. */
const PROBE_MS = 200;
/** Keys of one call: Redis does nothing else while it runs. */
const KEYS_MAX = 128;
/** Calls that find out whether limits are counted again, at a time. */
const PROBES_MAX = 16;
/** What may wait for the answers of one server; beyond it jobs pass uncounted. */
const JOBS_MAX = 16_384;
const BYTES_MAX = 64 * 1024 * 1024;
/** Failures of one server are told at most this often. */
const LOG_MS = 1_000;

/** One connection, and the limits that it serves. */
export class LimitServer {
  readonly #host: LimitHost;
  readonly #settings: RedisSettings;
  readonly #onUnused: () => void;
  readonly #limits = new Set<RedisLimit>();
  /** Those with jobs that are not part of a call. */
  readonly #pending = new Set<RedisLimit>();
  #connection: RedisConnection | null = null;
  /** Whether it is known to answer or not to; until then jobs wait for the connection. */
  #isKnown = false;
  /** Why nothing is counted here at all, as far as it is known. */
  #failure: string | null = null;
  #connectTimer: NodeJS.Timeout | null = null;
  #probeTimer: NodeJS.Timeout | null = null;
  /** Under way. */
  #probes = 0;
  /** Whether one of them found that its limit is counted again. */
  #hasCounted = false;
  /** Calls with places asked for, under way. */
  #calls = 0;
  #jobs = 0;
  #bytes = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  /** That limits are not counted; so it is to be told when they are again. */
  #isTold = false;
  #isClosed = false;

  constructor(host: LimitHost, settings: RedisSettings, onUnused: () => void) {
    this.#host = host;
    this.#settings = settings;
    this.#onUnused = onUnused;
    // Only here: the client library takes 60 ms and 8 MiB of heap, which threads without such a limit do not need.
    void import('../redis/connection.ts').then((module) => this.#connect(module.RedisConnection));
  }

  /** Whether it begins as doubtful. */
  add(limit: RedisLimit): boolean {
    this.#limits.add(limit);
    if (this.#failure === null) return false;
    this.#armProbe();
    return true;
  }

  remove(limit: RedisLimit): void {
    this.#limits.delete(limit);
    this.#pending.delete(limit);
    if (this.#limits.size > 0) return;
    this.close();
    this.#onUnused();
  }

  hasRoom(limit: RedisLimit, bytes: number): boolean {
    if (this.#jobs < JOBS_MAX && this.#bytes + bytes <= BYTES_MAX) return true;
    this.#tell([limit], 'too many copies wait for an answer');
    return false;
  }

  onWait(limit: RedisLimit, bytes: number): void {
    this.#jobs++;
    this.#bytes += bytes;
    if (limit.call === null) this.#pending.add(limit);
  }

  onLeave(bytes: number): void {
    this.#jobs--;
    this.#bytes -= bytes;
  }

  flush(): void {
    if (!this.#isKnown || this.#pending.size === 0) return;
    const pending = [...this.#pending];
    // In a cluster keys lie on different nodes, and each has a call of its own.
    if (this.#settings.isCluster) for (const limit of pending) this.#call([limit]);
    // Else what comes while calls are under way gathers for the next ones.
    else if (this.#calls === 0) {
      for (let at = 0; at < pending.length; at += KEYS_MAX) this.#call(pending.slice(at, at + KEYS_MAX));
    }
  }

  cutOff(): void {
    for (const limit of this.#limits) limit.cutOff();
    this.#pending.clear();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#connectTimer !== null) clearTimeout(this.#connectTimer);
    if (this.#probeTimer !== null) clearTimeout(this.#probeTimer);
    this.#connection?.close();
  }

  #connect(Connection: typeof RedisConnection): void {
    if (this.#isClosed) return;
    const { timeoutMs } = this.#settings;
    this.#connectTimer = setTimeout(() => {
      if (!this.#isKnown) this.#onState(false, `no connection within ${timeoutMs} ms`);
    }, timeoutMs);
    this.#connection = new Connection(this.#settings, {
      onState: (isUp, cause) => this.#onState(isUp, cause),
    });
  }

  #onState(isUp: boolean, cause: string | null): void {
    if (this.#isClosed) return;
    this.#isKnown = true;
    if (isUp) {
      this.#failure = null;
      this.flush();
      this.#probe();
    } else this.#failAll(cause ?? 'no connection');
  }

  #call(limits: readonly RedisLimit[]): void {
    const call = {};
    const sentMs = this.#host.clock();
    for (const limit of limits) {
      this.#pending.delete(limit);
      limit.call = call;
      limit.asked = limit.waiting;
    }
    this.#calls++;
    const ended = (error: string | null): void => {
      this.#calls--;
      if (this.#isClosed) return;
      // Those that were given up meanwhile, or asked for anew, are not this call's any more.
      const left = limits.filter((limit) => limit.call === call);
      if (error !== null && this.#settings.isCluster) this.#fail(left, error);
      else if (error !== null) this.#failAll(error);
      this.flush();
    };
    this.#run(limits, sentMs, (limit, granted) => this.#onGranted(limit, call, granted), ended);
  }

  #onGranted(limit: RedisLimit, call: object, granted: number): void {
    if (limit.call !== call) return;
    const nowMs = this.#host.clock();
    limit.call = null;
    limit.grant(granted, limit.asked, nowMs);
    // Those that gathered meanwhile need not ask whether a full window is full.
    if (limit.window.isClosed(nowMs)) limit.grant(0, limit.waiting, nowMs);
    if (limit.waiting > 0) this.#pending.add(limit);
  }

  /**
   * Asks for nothing, in the background, until the limits that are not counted are counted again: some of them now and
   * then, all of them as soon as one is.
   */
  #probe(): void {
    // A connection that is down says when it is up.
    if (this.#isClosed || this.#probes > 0 || this.#connection?.isUp !== true) return;
    const keys = this.#settings.isCluster ? 1 : KEYS_MAX;
    const doubtful = this.#takeDoubtful(keys * PROBES_MAX);
    const sentMs = this.#host.clock();
    this.#hasCounted = false;
    for (let at = 0; at < doubtful.length; at += keys) {
      const limits = doubtful.slice(at, at + keys);
      for (const limit of limits) limit.asked = 0;
      this.#probes++;
      const counted = (limit: RedisLimit): void => {
        limit.isDoubtful = false;
        this.#hasCounted = true;
      };
      this.#run(limits, sentMs, counted, () => this.#onProbed());
    }
  }

  /** Up to so many; others come first the next time. */
  #takeDoubtful(most: number): readonly RedisLimit[] {
    const taken: RedisLimit[] = [];
    for (const limit of this.#limits) {
      if (taken.length === most) break;
      if (limit.isDoubtful) taken.push(limit);
    }
    for (const limit of taken) {
      this.#limits.delete(limit);
      this.#limits.add(limit);
    }
    return taken;
  }

  #onProbed(): void {
    this.#probes--;
    if (this.#isClosed || this.#probes > 0) return;
    for (const limit of this.#limits) {
      if (!limit.isDoubtful) continue;
      if (this.#hasCounted) this.#probe();
      else this.#armProbe();
      return;
    }
    if (!this.#isTold) return;
    this.#isTold = false;
    if (!this.#host.log('info', 'limit counted again', { redis: this.#name })) this.#host.onLogSuppressed();
  }

  /** `onPlaces` for each limit that was counted, then `onEnd` with the reason why none was, or null. */
  #run(
    limits: readonly RedisLimit[],
    sentMs: number,
    onPlaces: (limit: RedisLimit, granted: number) => void,
    onEnd: (error: string | null) => void,
  ): void {
    const keys = limits.map((limit) => limit.key);
    const asked = limits.map(({ asked: places, setup: { limit } }) => ({
      places,
      count: limit.count,
      windowMs: limit.windowMs,
    }));
    const onReply = (reply: unknown): void => {
      const answers = readAnswers(reply, limits.length);
      if (answers === null) {
        onEnd('an answer that the script does not give');
        return;
      }
      this.#failure = null;
      answers.forEach((answer, index) => {
        const limit = limits[index]!;
        if (answer.error !== null) this.#fail([limit], answer.error);
        else {
          // From when it was sent, which is before it was answered: never later than the window's true end.
          if (answer.closedMs > 0) limit.window.close(sentMs + answer.closedMs);
          onPlaces(limit, answer.granted);
        }
      });
      onEnd(null);
    };
    const onError = (error: unknown): void => onEnd(error instanceof Error ? error.message : String(error));
    this.#connection!.run(TAKE_PLACES, keys, toValues(asked)).then(onReply, onError);
  }

  #failAll(cause: string): void {
    this.#failure = cause;
    this.#fail([...this.#limits], cause);
  }

  #fail(limits: readonly RedisLimit[], cause: string): void {
    const nowMs = this.#host.clock();
    const fresh = limits.filter((limit) => !limit.isDoubtful);
    for (const limit of limits) {
      this.#pending.delete(limit);
      limit.call = null;
      limit.isDoubtful = true;
      limit.passAll(nowMs);
    }
    if (fresh.length > 0) {
      this.#isTold = true;
      this.#tell(fresh, cause);
    }
    this.#armProbe();
  }

  #armProbe(): void {
    if (this.#isClosed || this.#probes > 0) return;
    this.#probeTimer ??= setTimeout(() => {
      this.#probeTimer = null;
      this.#probe();
    }, PROBE_MS);
  }

  #tell(limits: readonly RedisLimit[], cause: string): void {
    const nowMs = this.#host.clock();
    if (nowMs < this.#toldAtMs + LOG_MS) {
      this.#host.onLogSuppressed();
      return;
    }
    this.#toldAtMs = nowMs;
    const route = limits[0]!.setup.route.id;
    const fields = { route, routes: limits.length, redis: this.#name, cause };
    if (!this.#host.log('warn', 'limit not counted, copies are sent', fields)) this.#host.onLogSuppressed();
  }

  get #name(): string {
    return this.#settings.nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  }
}
