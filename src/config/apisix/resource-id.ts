// Ids for objects whose own form knows only names.
//
// Owns how a name becomes an id: the same name always becomes the same one, and two things never share one.

import { createHash } from 'node:crypto';
import type { ResourceKind } from './resource.ts';

/** Not . and .., which no URL's path can hold: clients resolve them, however they are escaped (WHATWG URL, path state). */
const ID = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/;
const ID_LENGTH_MAX = 64;
const DIGEST_LENGTH = 8;

export function isResourceId(text: string): boolean {
  return ID.test(text);
}

/** The name itself where it may be an id, else what is left of it and a digest of the whole. */
export function toResourceId(name: string): string {
  return isResourceId(name) ? name : toShortened(name, name);
}

/** Hands out ids, each once for a kind. */
export class ResourceIds {
  readonly #taken = new Set<string>();
  readonly #counts = new Map<ResourceKind, number>();

  /** False when it was taken before. */
  take(kind: ResourceKind, id: string): boolean {
    const key = `${kind}/${id}`;
    if (this.#taken.has(key)) return false;
    this.#taken.add(key);
    return true;
  }

  /** 1, 2 and so on, for each kind. */
  count(kind: ResourceKind): number {
    const number = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, number);
    return number;
  }

  /** The id of that name, or another one made of it when that is taken. */
  claim(kind: ResourceKind, name: string): string {
    let id = toResourceId(name);
    for (let count = 2; !this.take(kind, id); count++) id = toShortened(name, `${name}\0${count}`);
    return id;
  }
}

function toShortened(name: string, whole: string): string {
  const digest = createHash('sha256').update(whole).digest('hex').slice(0, DIGEST_LENGTH);
  const kept = name.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, ID_LENGTH_MAX - DIGEST_LENGTH - 1);
  return `${kept}-${digest}`;
}
