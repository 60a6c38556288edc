// The Kubernetes objects of all files, by kind, namespace and name.
//
// Owns who may be referred to, and what is said about a reference that leads nowhere. Knows nothing of what objects mean.

import { findNearest, type Path } from '../problem.ts';
import type { Loose } from '../shape.ts';
import type { DocumentTree, Place, RewriteContext } from './resource.ts';
import { ResourceIds } from './resource-id.ts';

const NAMESPACE_DEFAULT = 'default';
const SUGGESTIONS_MAX = 20;

/** One object, its spec as the shape left it. */
export interface Manifest<T = unknown> {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly spec: Loose<T>;
  readonly document: DocumentTree;
}

interface Metadata {
  readonly name?: string;
  readonly namespace?: string;
}

/** Null when it has no name, which was reported. */
export function toManifest(kind: string, document: DocumentTree): Manifest | null {
  const { name, namespace = NAMESPACE_DEFAULT } = (document.tree.metadata ?? {}) as Metadata;
  if (name === undefined) return null;
  return { kind, namespace, name, spec: (document.tree.spec ?? {}) as Loose<unknown>, document };
}

/** The place of what `path` leads to in the object's spec. */
export function placeOf({ document }: Manifest, path: Path = []): Place {
  return { report: document.report, path: [...document.path, 'spec', ...path] };
}

function toTitle({ kind, namespace, name }: Pick<Manifest, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${namespace}/${name}`;
}

export class Cluster {
  readonly context: RewriteContext;
  readonly ids = new ResourceIds();
  readonly #manifests = new Map<string, Manifest>();
  /** Of all clusters. */
  readonly #all: Map<string, Manifest>;
  #missing = 0;
  readonly #noticed = new Set<string>();

  constructor(context: RewriteContext, all: Map<string, Manifest>) {
    this.context = context;
    this.#all = all;
  }

  add(manifest: Manifest): void {
    const title = toTitle(manifest);
    if (!this.#manifests.has(title)) {
      this.#manifests.set(title, manifest);
      if (!this.#all.has(title)) this.#all.set(title, manifest);
      return;
    }
    const { report, path } = manifest.document;
    const message = `names a second ${title}: an object stands in one document only`;
    report.add({ path: [...path, 'metadata', 'name'], rule: 'duplicate', message, found: manifest.name });
  }

  /** In the order of the documents. */
  list<T>(kind: string): readonly Manifest<T>[] {
    return [...this.#manifests.values()].filter((manifest) => manifest.kind === kind) as Manifest<T>[];
  }

  /** An object in the same namespace that may be there or not. */
  look<T>(from: Manifest, kind: string, name: string): Manifest<T> | null {
    const title = toTitle({ kind, namespace: from.namespace, name });
    return this.#get<T>(title) ?? null;
  }

  /**
   * The object that `from` refers to at `path` of its spec, in its own namespace unless another is said. Null, and a problem,
   * when no file has it.
   */
  find<T>(
    from: Manifest,
    path: Path,
    kinds: readonly [string, ...string[]],
    name: string,
    namespace = from.namespace,
  ): Manifest<T> | null {
    for (const kind of kinds) {
      const found = this.#get<T>(toTitle({ kind, namespace, name }));
      if (found !== undefined) return found;
    }
    const place = placeOf(from, path);
    place.report.add({
      path: place.path,
      rule: 'required',
      message: `refers to ${toTitle({ kind: kinds[0], namespace, name })}, which is in none of the files, for ${toTitle(from)}`,
      found: name,
      suggestion: this.#suggest(kinds[0], namespace, name),
    });
    return null;
  }

  #get<T>(title: string): Manifest<T> | undefined {
    return (this.#manifests.get(title) ?? this.#all.get(title)) as Manifest<T> | undefined;
  }

  /** For the first few: the work is for each of them and each object. */
  #suggest(kind: string, namespace: string, name: string): string | null {
    if (++this.#missing > SUGGESTIONS_MAX) return null;
    const near = this.list(kind).filter((manifest) => manifest.namespace === namespace);
    return findNearest(
      name,
      near.map((manifest) => manifest.name),
    );
  }

  /** Notes an object that was made of what stands at that place of the spec, and returns it. */
  note<T extends object>(made: T, from: Manifest, path: Path): T {
    this.context.places.note(made, placeOf(from, path));
    return made;
  }

  /** A copy with the same places: what several routes share is looked at for each of them, and changed by that. */
  copy<T>(value: T): T {
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(([key, item]) => [key, this.copy(item)] as const);
    const copied = Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
    const place = this.context.places.find(value, []);
    if (place !== null) this.context.places.note(copied, place);
    return copied as T;
  }

  /** Once, however many refer to the object. */
  addNotice(from: Manifest, path: Path, message: string): void {
    const key = JSON.stringify([toTitle(from), path, message]);
    if (this.#noticed.has(key)) return;
    this.#noticed.add(key);
    this.context.addNotice(placeOf(from, path), message);
  }

  refuse(from: Manifest, path: Path, message: string, found?: unknown): void {
    const place = placeOf(from, path);
    place.report.add({ path: place.path, rule: 'not_served', message, found });
  }
}
