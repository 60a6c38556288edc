// The upstream clients of one front-end thread, shared by its routes.
//
// A client lives as long as a route uses it, so that a reload keeps the connections of everything it did not change.

import type { CreateUpstreamClient, UpstreamClient, UpstreamSettings } from '../upstream/client.ts';

interface Shared {
  readonly key: string;
  readonly client: UpstreamClient;
  users: number;
}

export class ClientPool {
  readonly #create: CreateUpstreamClient;
  readonly #shared = new Map<string, Shared>();
  readonly #held = new Map<object, Shared[]>();

  constructor(create: CreateUpstreamClient) {
    this.#create = create;
  }

  /** The client of these settings, for as long as `user` has not released what it has. */
  acquire(user: object, settings: UpstreamSettings): UpstreamClient {
    const key = JSON.stringify(settings);
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      shared = { key, client: this.#create(settings), users: 0 };
      this.#shared.set(key, shared);
    }
    shared.users++;
    const held = this.#held.get(user);
    if (held === undefined) this.#held.set(user, [shared]);
    else held.push(shared);
    return shared.client;
  }

  /** Closes what only `user` had. */
  release(user: object): void {
    for (const shared of this.#held.get(user) ?? []) {
      shared.users--;
      if (shared.users > 0) continue;
      this.#shared.delete(shared.key);
      void shared.client.close();
    }
    this.#held.delete(user);
  }

  destroy(): void {
    for (const { client } of this.#shared.values()) client.destroy();
    this.#shared.clear();
    this.#held.clear();
  }
}
