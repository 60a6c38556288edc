// umbra's own HTTP/1.1 client (RFC 9112) for http:// origins: connections, and a bounded queue in front of them.
//
// Owns which attempt gets which connection: the one that was used last, so that the others may idle out. Never
// pipelines, never throws to its caller, and repeats nothing but a request over a kept connection that turned out to
// be closed.

import type {
  CreateUpstreamClient,
  UpstreamAttempt,
  UpstreamClient,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamSettings,
} from '../client.ts';
import { type Connector, ConnectTimeout, createConnector, toHostName } from '../connector.ts';
import { OriginAddresses } from './addresses.ts';
import { Attempt, type AttemptOwner, toCause } from './attempt.ts';
import { Connection, type ConnectionOwner } from './connection.ts';
import { TimerWheel, WheelTimer } from './timer-wheel.ts';

/** One read of a socket. */
const READ_BYTES_MAX = 64 * 1024;

/** What all clients of a thread share. */
interface ThreadParts {
  readonly wheel: TimerWheel;
  readonly memory: Buffer;
}

/** Makes the clients of one thread. `addressLifeMs`: as in addresses.ts, for tests. */
export function createHttp1Clients(addressLifeMs?: number): CreateUpstreamClient {
  const parts: ThreadParts = { wheel: new TimerWheel(), memory: Buffer.allocUnsafeSlow(READ_BYTES_MAX) };
  return (settings) => new Http1Client(settings, parts, addressLifeMs);
}

/** Calls back when it is due. */
class Alarm extends WheelTimer {
  readonly onDue: () => void;

  constructor(onDue: () => void) {
    super();
    this.onDue = onDue;
  }
}

class Http1Client implements UpstreamClient, AttemptOwner, ConnectionOwner {
  active = 0;
  readonly wheel: TimerWheel;
  readonly sendMs: number;
  readonly readMs: number;
  readonly sendTicks: number;
  readonly readTicks: number;

  readonly #settings: UpstreamSettings;
  readonly #memory: Buffer;
  readonly #addresses: OriginAddresses;
  readonly #connector: Connector;
  readonly #connections = new Set<Connection>();
  /** The one that was used last is the last one. */
  readonly #free: Connection[] = [];

  #first: Attempt | null = null;
  #last: Attempt | null = null;
  #waiting = 0;
  readonly #queueTicks: number;
  readonly #queueAlarm = new Alarm(() => this.#expireWaiting());
  readonly #addressAlarm = new Alarm(() => this.#refreshAddresses());

  #postponed: Attempt[] = [];
  #closing: Promise<void> | null = null;
  #isDestroyed = false;
  #onIdle: (() => void) | null = null;

  constructor(settings: UpstreamSettings, { wheel, memory }: ThreadParts, addressLifeMs?: number) {
    const origin = new URL(settings.origin);
    const { connectMs, sendMs, readMs } = settings.timeouts;
    this.#settings = settings;
    this.#memory = memory;
    this.wheel = wheel;
    this.sendMs = sendMs;
    this.readMs = readMs;
    this.sendTicks = wheel.toTicks(sendMs);
    this.readTicks = wheel.toTicks(readMs);
    this.#queueTicks = wheel.toTicks(settings.queueTimeoutMs);
    this.#addresses = new OriginAddresses(toHostName(origin), addressLifeMs);
    this.#connector = createConnector({ origin, tls: null, connectMs, lookup: this.#addresses.lookup });
  }

  dispatch(request: UpstreamRequest, handler: UpstreamHandler): UpstreamAttempt {
    const attempt = new Attempt(this, request, handler);
    this.active++;
    if (this.#closing !== null || this.#isDestroyed) attempt.stop('reset', 'client is closed');
    else if (
      request.body !== null &&
      request.declaredBytes !== -1 &&
      request.declaredBytes !== request.body.length
    ) {
      attempt.stop('malformed', 'request body has not the length that content-length says');
    } else if (!this.#give(attempt)) {
      if (this.#waiting < this.#settings.queueMax) this.#enqueue(attempt);
      else attempt.stop('queue_full', `${this.#waiting} attempts wait for a connection`);
    }
    return attempt;
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeWhenIdle();
    return this.#closing;
  }

  destroy(): void {
    if (this.#isDestroyed) return;
    while (this.#first !== null) this.#first.stop('reset', 'client was destroyed');
    for (const connection of this.#connections) connection.stop('reset', 'client was destroyed');
    this.#shut();
  }

  // For attempts.

  leave(attempt: Attempt): void {
    if (attempt.previous === null) this.#first = attempt.next;
    else attempt.previous.next = attempt.next;
    if (attempt.next === null) this.#last = attempt.previous;
    else attempt.next.previous = attempt.previous;
    attempt.next = null;
    attempt.previous = null;
    attempt.isWaiting = false;
    this.#waiting--;
  }

  postpone(attempt: Attempt): void {
    if (this.#postponed.push(attempt) === 1) setImmediate(reportPostponed, this);
  }

  settle(): void {
    this.active--;
    if (this.active === 0) this.#onIdle?.();
  }

  // For connections.

  onFree(connection: Connection): void {
    const next = this.#first;
    if (next === null) {
      connection.isFree = true;
      this.#free.push(connection);
      return;
    }
    this.leave(next);
    connection.serve(next);
  }

  onGone(connection: Connection): void {
    this.#connections.delete(connection);
    if (connection.isFree) this.#free.splice(this.#free.indexOf(connection), 1);
    connection.isFree = false;
    if (this.#connections.size === 0) this.wheel.disarm(this.#addressAlarm);
    const next = this.#first;
    if (next === null || this.#isDestroyed || this.#connections.size >= this.#settings.connectionsMax) return;
    this.leave(next);
    this.#open(next);
  }

  repeat(attempt: Attempt): void {
    if (this.#isDestroyed) attempt.stop('reset', 'client was destroyed');
    else this.#open(attempt);
  }

  // For setImmediate().

  reportPostponed(): void {
    const attempts = this.#postponed;
    this.#postponed = [];
    for (const attempt of attempts) attempt.report();
  }

  /** Gives the attempt a connection, if there is one or may be one more. */
  #give(attempt: Attempt): boolean {
    const connection = this.#free.pop();
    if (connection !== undefined) {
      connection.isFree = false;
      connection.serve(attempt);
      return true;
    }
    if (this.#connections.size >= this.#settings.connectionsMax) return false;
    this.#open(attempt);
    return true;
  }

  #open(attempt: Attempt): void {
    const connection = new Connection(this, attempt);
    this.#connections.add(connection);
    const callback = (count: number, bytes: Uint8Array): boolean => connection.onRead(count, bytes as Buffer);
    this.#connector.open({ buffer: this.#memory, callback }, (error, socket) => {
      if (socket !== null) connection.onConnect(socket);
      else if (error instanceof ConnectTimeout) connection.onConnectFailed('connect_timeout', error.message);
      else connection.onConnectFailed('refused', toCause(error));
    });
    if (!this.#addresses.isFixed)
      this.wheel.armBy(this.#addressAlarm, this.wheel.toTicks(this.#addresses.lifeMs));
  }

  #enqueue(attempt: Attempt): void {
    attempt.isWaiting = true;
    attempt.queuedTick = this.wheel.now;
    attempt.previous = this.#last;
    if (this.#last === null) this.#first = attempt;
    else this.#last.next = attempt;
    this.#last = attempt;
    this.#waiting++;
    this.wheel.armBy(this.#queueAlarm, this.#queueTicks);
  }

  /** All wait equally long, so the first one's deadline is the next one. */
  #expireWaiting(): void {
    while (this.#first !== null) {
      const leftTicks = this.#first.queuedTick + this.#queueTicks - this.wheel.now;
      if (leftTicks > 0) {
        this.wheel.arm(this.#queueAlarm, leftTicks);
        return;
      }
      this.#first.fail('queue_timeout', `no free connection within ${this.#settings.queueTimeoutMs} ms`);
    }
  }

  /** Connections to addresses that are no longer the origin's are not used again. */
  #refreshAddresses(): void {
    this.#addresses.refresh(() => {
      if (this.#isDestroyed || this.#connections.size === 0) return;
      for (const connection of this.#connections) {
        if (!connection.isOpen || this.#addresses.has(connection.remoteAddress)) continue;
        if (connection.isFree) connection.close();
        else connection.isRetired = true;
      }
      this.wheel.armBy(this.#addressAlarm, this.wheel.toTicks(this.#addresses.lifeMs));
    });
  }

  async #closeWhenIdle(): Promise<void> {
    if (this.active > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#shut();
  }

  #shut(): void {
    this.#isDestroyed = true;
    this.wheel.disarm(this.#queueAlarm);
    this.wheel.disarm(this.#addressAlarm);
    for (const connection of this.#connections) connection.close();
    this.#connector.destroy();
    this.#addresses.close();
  }
}

function reportPostponed(client: Http1Client): void {
  client.reportPostponed();
}
