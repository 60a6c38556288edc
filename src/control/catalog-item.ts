// What the Admin API shows of a resource, and what the catalog adds to its value.

import { toApisixValue } from '../config/apisix/show.ts';
import type { Route } from '../core/model.ts';
import type { CatalogItem } from './catalog.ts';
import type { JsonObject, StoredResource, StoredResources } from './store/store.ts';

export function toStoredItem({ kind, id, value, createdIndex, modifiedIndex }: StoredResource): CatalogItem {
  return { kind, id, value, createdIndex, modifiedIndex, isReadOnly: false };
}

export function toFileItem(route: Route): CatalogItem {
  const value = toApisixValue(route);
  return { kind: 'routes', id: route.id, value, createdIndex: 0, modifiedIndex: 0, isReadOnly: true };
}

/** Unix times in seconds; that of the creation survives. */
export function toStoredValue(id: string, value: JsonObject, before: StoredResource | undefined): JsonObject {
  const now = Math.floor(Date.now() / 1000);
  const created = before?.value.create_time;
  return { ...value, id, create_time: typeof created === 'number' ? created : now, update_time: now };
}

/** What the client says, without what the catalog adds. */
export function toOwnValue({
  id: _id,
  create_time: _created,
  update_time: _updated,
  ...value
}: JsonObject): JsonObject {
  return value;
}

/** Unix time in milliseconds, 0 without any. */
export function findLastChange(resources: StoredResources): number {
  let last = 0;
  for (const { value } of resources.values()) {
    if (typeof value.update_time === 'number') last = Math.max(last, value.update_time);
  }
  return last * 1000;
}
