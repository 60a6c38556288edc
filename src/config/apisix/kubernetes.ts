// Kubernetes manifests → resources.
//
// Owns which kinds are read and what is said of the others. A reference may lead to an object of another document, wherever
// that stands.

import type { ValidateFunction } from 'ajv';
import type { Path } from '../problem.ts';
import { createShape } from '../shape.ts';
import type { Tree } from '../source.ts';
import { fitDocument } from './document-shape.ts';
import { rewriteHttpRoute } from './gateway-api.ts';
import { HttpRouteSchema, type HttpRouteSpec } from './gateway-api-schema.ts';
import { Cluster, type Manifest, toManifest } from './kubernetes-object.ts';
import { rewriteApisixRoute } from './kubernetes-route.ts';
import {
  ApisixRouteSchema,
  type ApisixRouteSpec,
  ApisixUpstreamSchema,
  PluginConfigSchema,
  ServiceSchema,
} from './kubernetes-schema.ts';
import type { DocumentTree, Resource, RewriteContext } from './resource.ts';

interface Kind {
  readonly group: string;
  readonly versions: readonly string[];
  readonly shape: ValidateFunction;
}

const APISIX = 'apisix.apache.org';
const GATEWAY = 'gateway.networking.k8s.io';

const KINDS: Readonly<Record<string, Kind>> = {
  ApisixRoute: { group: APISIX, versions: ['v2'], shape: createShape(ApisixRouteSchema) },
  ApisixUpstream: { group: APISIX, versions: ['v2'], shape: createShape(ApisixUpstreamSchema) },
  ApisixPluginConfig: { group: APISIX, versions: ['v2'], shape: createShape(PluginConfigSchema) },
  PluginConfig: { group: APISIX, versions: ['v1alpha1'], shape: createShape(PluginConfigSchema) },
  HTTPRoute: { group: GATEWAY, versions: ['v1', 'v1beta1'], shape: createShape(HttpRouteSchema) },
  Service: { group: '', versions: ['v1'], shape: createShape(ServiceSchema) },
};

/** Kinds by which somebody decides who may do what. */
const GUARDS: ReadonlySet<string> = new Set([
  'ApisixConsumer',
  'ApisixGlobalRule',
  'ApisixTls',
  'AuthorizationPolicy',
  'BackendTLSPolicy',
  'Consumer',
  'NetworkPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'Secret',
  'SecurityPolicy',
]);

/** Whether a document is a manifest at all. */
export function isKubernetes(tree: Tree): boolean {
  return typeof tree.apiVersion === 'string' && typeof tree.kind === 'string';
}

/** Each group is a cluster; what it does not have may be in another one. */
export function rewriteKubernetes(
  groups: readonly (readonly DocumentTree[])[],
  context: RewriteContext,
): readonly Resource[] {
  const all = new Map<string, Manifest>();
  const clusters = groups.map((documents) => {
    const cluster = new Cluster(context, all);
    for (const document of documents.flatMap(toItems)) addDocument(document, cluster);
    return cluster;
  });
  return clusters.flatMap((cluster) => [
    ...cluster.list<ApisixRouteSpec>('ApisixRoute').flatMap((route) => rewriteApisixRoute(route, cluster)),
    ...cluster.list<HttpRouteSpec>('HTTPRoute').flatMap((route) => rewriteHttpRoute(route, cluster)),
  ]);
}

/** Whether what stands there in a manifest is read: a ConfigMap may hold anything, and annotations repeat the manifest. */
export function isReadManifest({ kind, items }: Tree, path: Path): boolean {
  const [key, next] = path;
  if (typeof kind !== 'string') return false;
  if (kind.endsWith('List') && key === 'items') {
    const item = Array.isArray(items) ? (items as readonly (Tree | null)[])[Number(next)] : null;
    return item !== null && item !== undefined && isReadManifest(item, path.slice(2));
  }
  return Object.hasOwn(KINDS, kind) && (key === 'spec' || (key === 'metadata' && next !== 'annotations'));
}

/** The objects of a List, however deep, or the document itself. */
function toItems(document: DocumentTree): readonly DocumentTree[] {
  const { tree, report, path } = document;
  const isList = typeof tree.kind === 'string' && tree.kind.endsWith('List') && tree.items !== undefined;
  if (!isList) return [document];
  if (!Array.isArray(tree.items)) {
    report.add({ path: [...path, 'items'], rule: 'type', message: 'must be a list', found: tree.items });
    return [];
  }
  return tree.items.flatMap((item: unknown, index) => {
    const at = [...path, 'items', index];
    if (typeof item === 'object' && item !== null && !Array.isArray(item)) {
      return toItems({ tree: item as Tree, report, path: at });
    }
    report.add({ path: at, rule: 'type', message: 'must be a mapping', found: item });
    return [];
  });
}

function addDocument(document: DocumentTree, cluster: Cluster): void {
  const { tree, report, path } = document;
  const kind = readText(document, 'kind');
  const apiVersion = readText(document, 'apiVersion');
  if (kind === null || apiVersion === null) return;
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  const known = Object.hasOwn(KINDS, kind) ? KINDS[kind]! : null;
  if (known === null || known.group !== group) {
    cluster.context.addNotice({ report, path: [...path, 'kind'] }, toSkipped(kind));
    return;
  }
  if (!known.versions.includes(version)) {
    const wanted = known.versions.map((name) => (group === '' ? name : `${group}/${name}`)).join(' or ');
    const message = `is not served: ${kind} is read in ${wanted}`;
    report.add({ path: [...path, 'apiVersion'], rule: 'not_served', message, found: tree.apiVersion });
    return;
  }
  const manifest = toManifest(kind, { ...document, tree: fitDocument(known.shape, document) as Tree });
  if (manifest !== null) cluster.add(manifest);
}

function readText({ tree, report, path }: DocumentTree, key: string): string | null {
  const text = tree[key];
  if (typeof text === 'string') return text;
  const at = [...path, key];
  if (text === undefined) report.add({ path: at, rule: 'required', message: 'is missing' });
  else report.add({ path: at, rule: 'type', message: 'must be text', found: text });
  return null;
}

function toSkipped(kind: string): string {
  const skipped = `${kind} has no effect here`;
  return GUARDS.has(kind) ? `${skipped}: whatever it protects elsewhere is not protected by umbra` : skipped;
}
