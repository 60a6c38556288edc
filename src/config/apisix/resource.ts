// The one shape in which everything of APISIX's world is held before it becomes a route: the objects of its Admin API.
//
// Every other form (a standalone file, ADC's file, Kubernetes objects) is rewritten into it, keeping the objects that it is
// made of, so that a problem still names the place where its author wrote it.

import type { Path } from '../problem.ts';
import type { Report } from '../report.ts';
import type { Tree } from '../source.ts';

export const RESOURCE_KINDS = ['routes', 'upstreams', 'services'] as const;
export type ResourceKind = (typeof RESOURCE_KINDS)[number];

export interface Resource {
  readonly kind: ResourceKind;
  /** 1 to 64 of letters, digits, `-`, `_` and `.`. */
  readonly id: string;
  /** As in the Admin API's request bodies. */
  readonly value: Tree;
  /** Further origins that get a copy, each as in proxy-mirror's `host`: only the Gateway API can say several. */
  readonly moreShadows?: readonly string[];
}

/** A resource by its kind and id, wherever it was defined; undefined when there is none. */
export type FindResource = (kind: ResourceKind, id: string) => Tree | undefined;

/** One document of a file, as it was read. */
export interface DocumentTree {
  readonly tree: Tree;
  /** Of this document alone; its paths begin at the document's root. */
  readonly report: Report;
  /** Where `tree` stands in the document: empty, but for the items of a Kubernetes List. */
  readonly path: Path;
}

/** What those need who rewrite documents of another form into resources. */
export interface RewriteContext {
  /** Every object of the documents is noted. Note each object that you make, with the place of what it is made of. */
  readonly places: Places;
  /** For what is accepted and has no effect: `message` follows the path, as in a problem. */
  addNotice(place: Place, message: string): void;
}

/** Where an object stands. */
export interface Place {
  readonly report: Report;
  readonly path: Path;
}

/**
 * Remembers where objects of a tree were written. An object that was rewritten has the place that is noted for it; whatever
 * has none is where the nearest object around it is.
 */
export class Places {
  readonly #places = new WeakMap<object, Place>();

  note(object: object, place: Place): void {
    this.#places.set(object, place);
  }

  /** Notes every object of a tree as it was read. */
  noteTree(tree: unknown, report: Report, path: Path = []): void {
    if (typeof tree !== 'object' || tree === null) return;
    this.#places.set(tree, { report, path });
    for (const [key, value] of Object.entries(tree)) {
      this.noteTree(value, report, [...path, Array.isArray(tree) ? Number(key) : key]);
    }
  }

  /** The place of what `path` leads to in `root`; null when nothing on the way has one. */
  find(root: object, path: Path): Place | null {
    let place = this.#places.get(root) ?? null;
    let value: unknown = root;
    for (const step of path) {
      if (place !== null) place = { report: place.report, path: [...place.path, step] };
      value = (value as Tree | null | undefined)?.[step];
      if (typeof value === 'object' && value !== null) place = this.#places.get(value) ?? place;
    }
    return place;
  }
}
