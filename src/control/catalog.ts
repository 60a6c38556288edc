// All routes of the gateway: those of the config files, and those that the Admin API made; and how one is changed.
//
// Owns the order of a change: check, store, put in force in every front end, and only then answer. A change that is
// refused has changed nothing; one that was stored and could not be put in force everywhere says that.

import type { ResourceKind } from '../config/apisix/resource.ts';
import type { JsonObject } from './store/store.ts';

export interface CatalogItem {
  readonly kind: ResourceKind;
  readonly id: string;
  readonly value: JsonObject;
  readonly createdIndex: number;
  readonly modifiedIndex: number;
  /** It stands in a config file: the Admin API shows it and does not change it. */
  readonly isReadOnly: boolean;
}

/** A change that is refused: what the client of the Admin API is told, with the status for it. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  /** Of the JSON answer; `error_msg` and whatever else APISIX adds. */
  readonly body: JsonObject;

  constructor(status: number, body: JsonObject) {
    super(String(body.error_msg ?? body.message ?? status));
    this.status = status;
    this.body = body;
  }
}

/** Routes that front ends were told of, and that not all of them use yet; the message says how many do not. */
export class NotInForce extends Error {
  override readonly name = 'NotInForce';
}

export interface Catalog {
  /** In the order of their creation; those of files first. */
  list(kind: ResourceKind): readonly CatalogItem[];
  find(kind: ResourceKind, id: string): CatalogItem | undefined;
  /**
   * Gives `edit` the item as it is and makes what it returns the new value: without `id` and the two times, which are the
   * catalog's; null removes it. Resolves when the change is stored and in force in every front end. Rejects with what
   * `edit` threw or with a Refusal: 400 for a value that is not right, 405 for a read-only item, 503 without a writable store,
   * or when it is stored and a front end does not take it in time.
   */
  change(
    kind: ResourceKind,
    id: string,
    edit: (item: CatalogItem | undefined) => JsonObject | null,
    options?: { readonly force?: boolean },
  ): Promise<CatalogItem | null>;
  /** An id that no item of this kind has: 20 digits. */
  newId(kind: ResourceKind): string;
}
