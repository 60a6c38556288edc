// How items look in the answers of the Admin API: in APISIX 3's shape, and in the one before.
//
// Shapes only; what is in them was decided elsewhere.

import type { ResourceKind } from '../../config/apisix/resource.ts';
import { ADMIN_API_V3, type AdminSettings } from '../../core/model.ts';
import type { CatalogItem } from '../catalog.ts';
import type { Selection } from './filter.ts';
import type { JsonObject } from './patch.ts';

/** What was done, in the older shape's words. */
export const ACTION_SET = 'set';
export const ACTION_CREATE = 'create';
export const ACTION_PATCH = 'compareAndSwap';
export type Action = typeof ACTION_SET | typeof ACTION_CREATE | typeof ACTION_PATCH;

export interface Shape {
  /** Of the X-API-VERSION header. */
  readonly version: 'v3' | 'v2';
  toOne(item: CatalogItem): JsonObject;
  /** `kind` may be one that there is nothing of. */
  toList(kind: string, selection: Selection): JsonObject;
  toWritten(action: Action, item: CatalogItem): JsonObject;
  toRemoved(kind: ResourceKind, id: string): JsonObject;
}

export function createShape({ apiVersion }: Pick<AdminSettings, 'apiVersion'>): Shape {
  return apiVersion === ADMIN_API_V3 ? SHAPE_V3 : SHAPE_V2;
}

const SHAPE_V3: Shape = {
  version: 'v3',
  toOne: toNode,
  toList: (_kind, { items, total }) => ({ list: items.map(toNode), total }),
  toWritten: (_action, { kind, id, value }) => ({ key: toKey(kind, id), value }),
  toRemoved: (kind, id) => ({ deleted: '1', key: toKey(kind, id) }),
};

const SHAPE_V2: Shape = {
  version: 'v2',
  toOne: (item) => ({ action: 'get', count: 1, node: toNode(item) }),
  toList: (kind, { items, total }) => ({
    action: 'get',
    count: total,
    node: { key: toKey(kind), dir: true, nodes: items.map(toNode) },
  }),
  toWritten: (action, item) => ({ action, node: toNode(item) }),
  toRemoved: (kind, id) => ({ action: 'delete', deleted: '1', key: toKey(kind, id), node: {} }),
};

function toNode({ kind, id, value, createdIndex, modifiedIndex, isReadOnly }: CatalogItem): JsonObject {
  const node = { key: toKey(kind, id), value, createdIndex, modifiedIndex };
  return isReadOnly ? { ...node, read_only: true } : node;
}

function toKey(kind: string, id?: string): string {
  return id === undefined ? `/apisix/${kind}` : `/apisix/${kind}/${id}`;
}
