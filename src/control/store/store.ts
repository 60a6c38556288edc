// What a store of Admin API resources can do, wherever it keeps them.
//
// A store holds what clients sent and when; it knows nothing of what resources mean. Nothing is ever half-written: a change
// is either in the store when its promise resolves, or it is not when it rejects.

import type { ResourceKind } from '../../config/apisix/resource.ts';

/** A plain JSON object. */
export type JsonObject = { readonly [key: string]: unknown };

export interface StoredResource {
  readonly kind: ResourceKind;
  readonly id: string;
  /** As the client sent it, with `id`, `create_time` and `update_time`. */
  readonly value: JsonObject;
  /** The store's revision when the resource was made, and when it was last changed. */
  readonly createdIndex: number;
  readonly modifiedIndex: number;
}

/** By `routes/ID` and so on. */
export type StoredResources = ReadonlyMap<string, StoredResource>;

export interface Change {
  readonly kind: ResourceKind;
  readonly id: string;
  /** Null removes the resource. */
  readonly value: JsonObject | null;
  /** The modifiedIndex that the change was made on; null: there must be no such resource. */
  readonly basis: number | null;
}

/** The resource is no longer what the change was made on: read again and decide anew. */
export class StoreConflict extends Error {
  override readonly name = 'StoreConflict';
}

/** The store cannot be written to now; the message says why, in one line that may be shown to a client. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

export interface StoreHooks {
  /** The resources are others now, by somebody else's change: another gateway's, or a repair. Never by write(). */
  readonly onChange: (resources: StoredResources) => void;
  readonly onWarning: (message: string, fields: Readonly<Record<string, string | number>>) => void;
}

/** What an operator should see of a store that others write to as well. */
export interface StoreHealth {
  /** When what is known was last what the store has, Unix milliseconds; null before, and in a store of one's own. */
  readonly lastSyncMs: number | null;
  /** Resources in the store that cannot be read. */
  readonly damaged: number;
  /** How often reading failed, or a change had no answer. */
  readonly failures: number;
  /** How often this gateway put what it knew back into a store that had lost it. */
  readonly restorations: number;
  /** How often what is known could not be kept on disk. */
  readonly cacheFailures: number;
}

export const UNSHARED_HEALTH: StoreHealth = {
  lastSyncMs: null,
  damaged: 0,
  failures: 0,
  restorations: 0,
  cacheFailures: 0,
};

export interface Store {
  /** The resources to start with. Rejects with a message of one line that names file or server when they cannot be known. */
  open(): Promise<StoredResources>;
  /** Resolves with what is stored, null after a removal. Rejects with StoreConflict or StoreUnavailable. One at a time. */
  write(change: Change): Promise<StoredResource | null>;
  /** Whether a write would be taken now. */
  isWritable(): boolean;
  health(): StoreHealth;
  close(): Promise<void>;
}

export function toKey(kind: ResourceKind, id: string): string {
  return `${kind}/${id}`;
}
