// The upstream clients of one front-end thread, shared by tables.
//
// A client lives as long as a table uses it, so that a reload keeps the connections of everything it did not
// change.

import type { CreateUpstreamClient, UpstreamClient, UpstreamSettings } from '../upstream/client.ts';

interface Shared {
  readonly client: UpstreamClient;
  readonly users: Set<object>;
}

export class ClientPool {
  readonly #create: CreateUpstreamClient;
  readonly #shared = new Map<string, Shared>();

  constructor(create: CreateUpstreamClient) {
    this.#create = create;
  }

  /** The client of these settings, for as long as `user` has not released it. */
  acquire(user: object, settings: UpstreamSettings): UpstreamClient {
    const key = JSON.stringify(settings);
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      shared = { client: this.#create(settings), users: new Set() };
      this.#shared.set(key, shared);
    }
    shared.users.add(user);
    return shared.client;
  }

  /** Closes what only `user` had. */
  release(user: object): void {
    for (const [key, shared] of this.#shared) {
      if (!shared.users.delete(user) || shared.users.size > 0) continue;
      this.#shared.delete(key);
      void shared.client.close();
    }
  }

  async close(): Promise<void> {
    const clients = [...this.#shared.values()].map((shared) => shared.client);
    this.#shared.clear();
    await Promise.all(clients.map((client) => client.close()));
  }

  destroy(): void {
    for (const { client } of this.#shared.values()) client.destroy();
    this.#shared.clear();
  }
}
