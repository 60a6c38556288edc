// What PATCH makes of a value: merged with an object, or with one of its nodes replaced.
//
// Never changes what it is given. A key of the client's is only ever a key: none reaches a prototype.

import { type CatalogItem, Refusal } from '../catalog.ts';
import { DEPTH_MAX } from './value.ts';

export type JsonObject = CatalogItem['value'];

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Objects merge, null deletes, everything else replaces what was there. */
export function merge(value: JsonObject, changes: JsonObject): JsonObject {
  const result = new Map(Object.entries(value));
  for (const [key, change] of Object.entries(changes)) {
    const old = result.get(key);
    if (change === null) result.delete(key);
    else if (isObject(change)) result.set(key, merge(isObject(old) ? old : {}, change));
    else result.set(key, change);
  }
  return Object.fromEntries(result);
}

/**
 * Puts `node` where `path` leads to; null removes what is there. Missing objects on the way are made. Throws a Refusal when
 * the way leads through what is not an object.
 */
export function replaceNode(value: JsonObject, path: readonly string[], node: unknown): JsonObject {
  if (path.length > DEPTH_MAX || path.includes('')) throw toRefusal(path);
  return replace(value, path, 0, node);
}

function replace(value: JsonObject, path: readonly string[], at: number, node: unknown): JsonObject {
  const key = path[at]!;
  const result = new Map(Object.entries(value));
  if (at < path.length - 1) {
    const old = result.get(key) ?? {};
    if (!isObject(old)) throw toRefusal(path.slice(0, at + 1));
    result.set(key, replace(old, path, at + 1, node));
  } else if (node === null) {
    result.delete(key);
  } else {
    result.set(key, node);
  }
  return Object.fromEntries(result);
}

function toRefusal(path: readonly string[]): Refusal {
  return new Refusal(400, { error_msg: `invalid sub-path: /${path.slice(0, DEPTH_MAX).join('/')}` });
}
