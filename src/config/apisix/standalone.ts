// APISIX's standalone file, and single route objects, → resources.
//
// Owns the outer keys of the file and the ids of what has none: they are not optional here, as routes are counted by them.

import { findNearest, type Path } from '../problem.ts';
import type { Tree } from '../source.ts';
import {
  type DocumentTree,
  RESOURCE_KINDS,
  type Resource,
  type ResourceKind,
  type RewriteContext,
} from './resource.ts';
import { isResourceId, ResourceIds, toResourceId } from './resource-id.ts';

/** Whether requests would be handled otherwise without it, or only told about. */
const OTHER_KEYS: Readonly<Record<string, 'matters' | 'idle'>> = {
  global_rules: 'matters',
  plugin_configs: 'idle',
  plugin_metadata: 'idle',
  plugins: 'idle',
  plugin_attr: 'idle',
  consumers: 'idle',
  consumer_groups: 'idle',
  ssls: 'idle',
  stream_routes: 'idle',
  protos: 'idle',
  secrets: 'idle',
};

export const STANDALONE_KEYS: readonly string[] = [...RESOURCE_KINDS, ...Object.keys(OTHER_KEYS)];

/** An object of a document, before it has its id. */
interface Item {
  readonly kind: ResourceKind;
  readonly value: Tree;
}

/**
 * Standalone files and route objects of all files. What has no id gets one that is the same at every start: made of its name,
 * or `route-1`, `route-2` and so on in the order of the files.
 */
export function rewriteStandalone(
  documents: readonly DocumentTree[],
  context: RewriteContext,
): readonly Resource[] {
  const items = documents.flatMap((document) => listItems(document, context));
  const ids = new ResourceIds();
  const given = items.map((item) => readId(item));
  for (const [index, { kind }] of items.entries()) {
    const id = given[index];
    if (id !== undefined) ids.take(kind, id!);
  }
  return items.map(
    ({ kind, value }, index): Resource => ({ kind, value, id: given[index] ?? toId(kind, value, ids) }),
  );
}

/** Undefined when none is given, or one that the shape will refuse. */
function readId({ value }: Item): string | undefined {
  const { id } = value;
  const text = typeof id === 'string' || typeof id === 'number' ? String(id) : '';
  return isResourceId(text) ? text : undefined;
}

function toId(kind: ResourceKind, { name }: Tree, ids: ResourceIds): string {
  if (typeof name === 'string' && name !== '') {
    const id = toResourceId(name);
    // Two of one name are told apart by their numbers.
    if (ids.take(kind, id)) return id;
  }
  const word = kind.slice(0, -1);
  for (;;) {
    const id = `${word}-${ids.count(kind)}`;
    if (ids.take(kind, id)) return id;
  }
}

function listItems(document: DocumentTree, context: RewriteContext): readonly Item[] {
  const { tree } = document;
  if ('uri' in tree || 'uris' in tree) return [{ kind: 'routes', value: tree }];
  checkKeys(document, context);
  return RESOURCE_KINDS.flatMap((kind) => listKind(kind, document));
}

function listKind(kind: ResourceKind, { tree, report, path }: DocumentTree): readonly Item[] {
  const list = tree[kind] ?? [];
  if (!Array.isArray(list)) {
    report.add({ path: [...path, kind], rule: 'type', message: 'must be a list', found: list });
    return [];
  }
  return (list as readonly unknown[]).flatMap((value, index): Item[] => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return [{ kind, value: value as Tree }];
    const message = 'must be a mapping';
    report.add({ path: [...path, kind, index], rule: 'type', message, found: value });
    return [];
  });
}

function checkKeys({ tree, report, path }: DocumentTree, context: RewriteContext): void {
  for (const [key, value] of Object.entries(tree)) {
    const at: Path = [...path, key];
    const isEmpty = value === null || (typeof value === 'object' && Object.keys(value).length === 0);
    if (
      (RESOURCE_KINDS as readonly string[]).includes(key) ||
      key === 'plugin_attr' ||
      (isEmpty && Object.hasOwn(OTHER_KEYS, key))
    )
      continue;
    const weight = Object.hasOwn(OTHER_KEYS, key) ? OTHER_KEYS[key] : undefined;
    if (weight === 'idle') {
      context.addNotice({ report, path: at }, 'has no effect: routes, upstreams and services are read');
    } else if (weight === 'matters') {
      const message = 'is not served: write the plugins into routes or services';
      report.add({ path: at, rule: 'not_served', message, atKey: true });
    } else {
      const suggestion = findNearest(key, STANDALONE_KEYS);
      report.add({
        path: at,
        rule: 'unknown_key',
        message: 'is not a known key',
        found: key,
        suggestion,
        atKey: true,
      });
    }
  }
}
