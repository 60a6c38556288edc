// The HTTP clients of one mirror thread: one for each origin and its settings, shared by all rules that name it.
//
// Counts its users, so that an origin which a reload leaves unchanged keeps its connections. Sets no bound on
// connections itself: a copy has its place in flight before it is dispatched, and that is the bound.

import assert from 'node:assert';
import type { Shadow, Timeouts } from '../core/model.ts';
import type { CreateUpstreamClient, UpstreamClient } from '../upstream/client.ts';

/** More than all the places in flight of a process, so that no copy ever waits inside a client. */
const CONNECTIONS_MAX = 2 ** 24;
/** Never used, see above; a copy that did get there would fail at once instead of growing a queue. */
const QUEUE_MAX = 0;
const QUEUE_TIMEOUT_MS = 1000;

export interface ShadowClient {
  readonly key: string;
  readonly client: UpstreamClient;
  users: number;
}

export class ShadowClients {
  readonly #create: CreateUpstreamClient;
  readonly #clients = new Map<string, ShadowClient>();

  constructor(create: CreateUpstreamClient) {
    this.#create = create;
  }

  /** Every acquire() is paired with a release(). */
  acquire(shadow: Shadow, timeouts: Timeouts): ShadowClient {
    const { connectMs, sendMs, readMs } = timeouts;
    const key = JSON.stringify([shadow.origin, shadow.tls, shadow.client, connectMs, sendMs, readMs]);
    let shared = this.#clients.get(key);
    if (shared === undefined) {
      const client = this.#create({
        origin: shadow.origin,
        tls: shadow.tls,
        client: shadow.client,
        timeouts,
        connectionsMax: CONNECTIONS_MAX,
        queueMax: QUEUE_MAX,
        queueTimeoutMs: QUEUE_TIMEOUT_MS,
      });
      shared = { key, client, users: 0 };
      this.#clients.set(key, shared);
    }
    shared.users++;
    return shared;
  }

  /** The last user has no copy on its way any more; its connections are idle and are closed. */
  release(shared: ShadowClient): void {
    assert(shared.users > 0, 'a shadow client was released twice');
    if (--shared.users > 0) return;
    this.#clients.delete(shared.key);
    void shared.client.close();
  }

  destroy(): void {
    for (const { client } of this.#clients.values()) client.destroy();
    this.#clients.clear();
  }
}
