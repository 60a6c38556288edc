// How much a store may grow to, and how much it holds.
//
// Owns these numbers alone: what is in the store already may be more, and stays.

import type { ResourceKind } from '../config/apisix/resource.ts';
import { type JsonObject, type StoredResources, toKey } from './store/store.ts';

export interface RoomBounds {
  /** Of each kind. */
  readonly resources: number;
  /** All values as JSON. */
  readonly bytes: number;
}

export const ROOM_BOUNDS: RoomBounds = { resources: 10_000, bytes: 64 * 1024 * 1024 };

export class StoreRoom {
  readonly #bounds: RoomBounds;
  readonly #sizes = new Map<string, number>();
  readonly #counts: Record<ResourceKind, number> = { routes: 0, upstreams: 0, services: 0 };
  #bytes = 0;

  constructor(bounds: RoomBounds) {
    this.#bounds = bounds;
  }

  /** Null when there is room for that value, else what there is too much of. */
  findProblem(kind: ResourceKind, id: string, value: JsonObject): string | null {
    const { resources, bytes } = this.#bounds;
    const before = this.#sizes.get(toKey(kind, id));
    if (before === undefined && this.#counts[kind] >= resources) {
      return `the store has ${this.#counts[kind]} ${kind}, and takes ${resources} at most`;
    }
    const sum = this.#bytes - (before ?? 0) + toBytes(value);
    if (sum <= bytes) return null;
    return `the store would have ${sum} bytes of values, and takes ${bytes} at most`;
  }

  /** Null for a resource that is gone. */
  note(kind: ResourceKind, id: string, value: JsonObject | null): void {
    const key = toKey(kind, id);
    const before = this.#sizes.get(key);
    if (before !== undefined) {
      this.#bytes -= before;
      this.#counts[kind]--;
      this.#sizes.delete(key);
    }
    if (value === null) return;
    const bytes = toBytes(value);
    this.#bytes += bytes;
    this.#counts[kind]++;
    this.#sizes.set(key, bytes);
  }

  replace(resources: StoredResources): void {
    this.#sizes.clear();
    this.#bytes = 0;
    Object.assign(this.#counts, { routes: 0, upstreams: 0, services: 0 });
    for (const { kind, id, value } of resources.values()) this.note(kind, id, value);
  }
}

function toBytes(value: JsonObject): number {
  return Buffer.byteLength(JSON.stringify(value));
}
