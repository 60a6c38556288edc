// The limits that Redis counts, in one mirror thread: which jobs wait for an answer, and what becomes of them.
//
// One place for each exchange, however many shadows it has. Fails open: where no answer is to be had jobs pass at once, each
// counted. Nothing waits for longer than two timeouts of Redis, and nothing waits while no answer is to be expected
// (limit-server.ts).

import assert from 'node:assert';
import type { Clock } from '../core/clock.ts';
import type { LogSink } from '../core/log.ts';
import type { Limit, Route } from '../core/model.ts';
import { LimitWindow } from '../core/window.ts';
import { Fifo } from './fifo.ts';
import { LimitServer } from './limit-server.ts';

/** As APISIX's, so that an operator finds them; what follows is umbra's own. */
const KEY_PREFIX = 'plugin-proxy-mirror';
/** A job that waits for its limit. One of the three is called, once. */
export interface LimitedJob {
  /** Of its record. */
  readonly bytes: number;
  send(nowMs: number): void;
  skip(): void;
  /** The thread ends. */
  cutOff(): void;
}

/** What limits need of the thread that they run in. */
export interface LimitHost {
  readonly clock: Clock;
  readonly log: LogSink;
  onLogSuppressed(): void;
}

export interface LimitSetup {
  readonly route: Route;
  readonly limit: Limit;
  /** core/window.ts */
  readonly memory: SharedArrayBuffer;
  /** Where exchanges that pass uncounted are added up. */
  readonly errorCells: Float64Array;
  readonly errorsAt: number;
}

/** All servers of one thread that count limits. */
export class Limiter {
  readonly #host: LimitHost;
  readonly #servers = new Map<string, LimitServer>();

  constructor(host: LimitHost) {
    this.#host = host;
  }

  /** Every open() is paired with a close() of the limit. */
  open(setup: LimitSetup): RedisLimit {
    const { redis } = setup.limit;
    assert(redis !== null, 'a limit without Redis');
    const name = JSON.stringify(redis);
    let server = this.#servers.get(name);
    if (server === undefined) {
      server = new LimitServer(this.#host, redis, () => this.#servers.delete(name));
      this.#servers.set(name, server);
    }
    return new RedisLimit(server, setup);
  }

  /** Jobs have come together: asks for those that wait. */
  flush(): void {
    for (const server of this.#servers.values()) server.flush();
  }

  /** What waits is cut off. */
  cutOff(): void {
    for (const server of this.#servers.values()) server.cutOff();
  }

  close(): void {
    for (const server of this.#servers.values()) server.close();
  }
}

/** The limit of one rule. */
export class RedisLimit {
  readonly setup: LimitSetup;
  readonly key: string;
  readonly window: LimitWindow;
  /** It is not counted: nothing waits for it. */
  isDoubtful: boolean;
  /** The call that its first jobs are part of, and how many. */
  call: object | null = null;
  asked = 0;
  readonly #server: LimitServer;
  readonly #waiting = new Fifo<LimitedJob>();

  constructor(server: LimitServer, setup: LimitSetup) {
    const { id, revision } = setup.route;
    this.setup = setup;
    // In braces, so that nothing else decides on the slot of a cluster.
    this.key = `${KEY_PREFIX}:{${id}:${revision}}`;
    this.window = new LimitWindow(setup.memory);
    this.#server = server;
    this.isDoubtful = server.add(this);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether a job of so many bytes is to be sent, skipped, or has to wait(). */
  look(nowMs: number, bytes: number): 'send' | 'skip' | 'wait' {
    if (this.window.isClosed(nowMs)) return 'skip';
    if (!this.isDoubtful && this.#server.hasRoom(this, bytes)) return 'wait';
    this.#countError();
    return 'send';
  }

  wait(job: LimitedJob): void {
    this.#waiting.push(job);
    this.#server.onWait(this, job.bytes);
  }

  /** The first ones that wait have got places, or there is none for them. */
  grant(granted: number, asked: number, nowMs: number): void {
    for (let index = 0; index < asked; index++) {
      const job = this.#shift();
      if (index < granted) job.send(nowMs);
      else job.skip();
    }
  }

  /** All pass, uncounted. */
  passAll(nowMs: number): void {
    while (this.#waiting.size > 0) {
      this.#countError();
      this.#shift().send(nowMs);
    }
  }

  cutOff(): void {
    this.call = null;
    while (this.#waiting.size > 0) this.#shift().cutOff();
  }

  /** Nothing waits any more. */
  close(): void {
    assert(this.#waiting.size === 0, 'a limit was closed that jobs wait for');
    this.#server.remove(this);
  }

  #shift(): LimitedJob {
    const job = this.#waiting.shift()!;
    this.#server.onLeave(job.bytes);
    return job;
  }

  #countError(): void {
    const { errorCells, errorsAt } = this.setup;
    errorCells[errorsAt] = errorCells[errorsAt]! + 1;
  }
}
