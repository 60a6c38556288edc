// The filters of a rule of an HTTPRoute → plugins.
//
// Owns RequestMirror and the reference to a PluginConfig. Every other filter changes what the primary or the client gets, so
// it is refused and never passed over.

import type { Path } from '../problem.ts';
import type { Loose } from '../shape.ts';
import type { Tree } from '../source.ts';
import type { HttpRouteSpec } from './gateway-api-schema.ts';
import { type Cluster, type Manifest, placeOf } from './kubernetes-object.ts';
import { addPlugins } from './kubernetes-plugins.ts';
import type { PluginConfigSpec } from './kubernetes-schema.ts';
import { findService } from './kubernetes-service.ts';

type Rule = NonNullable<HttpRouteSpec['rules']>[number];
type Filters = Loose<NonNullable<Rule['filters']>>;
type Filter = NonNullable<Filters[number]>;
type RequestMirror = NonNullable<Filter['requestMirror']>;

const PROXY_MIRROR = 'proxy-mirror';

export interface GatewayPlugins {
  readonly plugins: Tree;
  /** Of Resource. */
  readonly moreShadows: readonly string[];
}

interface Shadow {
  readonly host: string;
  /** 0 to 1. */
  readonly share: number;
  readonly path: Path;
}

export function toGatewayPlugins(
  filters: Filters,
  route: Manifest,
  path: Path,
  cluster: Cluster,
): GatewayPlugins {
  const plugins: Tree = cluster.note(Object.create(null) as Tree, route, path);
  const shadows: Shadow[] = [];
  for (const [index, filter] of filters.entries()) {
    const at = [...path, index];
    if (filter?.type === 'ExtensionRef') {
      addReferredPlugins(plugins, filter, route, [...at, 'extensionRef'], cluster);
    } else if (filter?.type === 'RequestMirror') {
      const shadow = toShadow(filter.requestMirror, route, [...at, 'requestMirror'], cluster);
      if (shadow !== null) shadows.push(shadow);
    } else if (filter?.type !== undefined) {
      const message = 'is not served: without it other requests or answers would arrive than the route says';
      cluster.refuse(route, [...at, 'type'], message, filter.type);
    }
  }
  const [first, ...others] = shadows;
  if (first === undefined) return { plugins, moreShadows: [] };
  checkTogether(plugins, first, others, route);
  plugins[PROXY_MIRROR] = cluster.note(toProxyMirror(first, cluster, route), route, first.path);
  return { plugins, moreShadows: others.map((shadow) => shadow.host) };
}

function addReferredPlugins(
  plugins: Tree,
  filter: Filter,
  route: Manifest,
  path: Path,
  cluster: Cluster,
): void {
  const { group, kind, name } = filter.extensionRef ?? {};
  if (filter.extensionRef === undefined) addMissing(route, path);
  if (name === undefined) return;
  if (group !== 'apisix.apache.org' || kind !== 'PluginConfig') {
    const message = 'is not served: an extension is a PluginConfig of apisix.apache.org';
    cluster.refuse(route, [...path, 'kind'], message, `${group ?? ''}/${kind ?? ''}`);
    return;
  }
  const config = cluster.find<PluginConfigSpec>(route, [...path, 'name'], ['PluginConfig'], name);
  if (config !== null) addPlugins(plugins, config.spec.plugins ?? [], config, ['plugins'], cluster);
}

function addMissing(route: Manifest, path: Path): void {
  const place = placeOf(route, path);
  place.report.add({ path: place.path, rule: 'required', message: 'is missing' });
}

/** Null when something is wrong with it, which is reported. */
function toShadow(
  mirror: RequestMirror | undefined,
  route: Manifest,
  path: Path,
  cluster: Cluster,
): Shadow | null {
  if (mirror === undefined) {
    addMissing(route, path);
    return null;
  }
  const { percent, fraction } = mirror;
  if (percent !== undefined && fraction !== undefined) {
    const place = placeOf(route, [...path, 'fraction']);
    place.report.add({ path: place.path, rule: 'conflict', message: 'excludes percent', atKey: true });
  }
  const share =
    fraction === undefined
      ? (percent ?? 100) / 100
      : (fraction.numerator ?? 0) / (fraction.denominator ?? 100);
  if (share > 1) {
    const place = placeOf(route, [...path, 'fraction', 'numerator']);
    const message = 'must be at most the denominator';
    place.report.add({ path: place.path, rule: 'range', message, found: fraction?.numerator });
  }
  const { group = '', kind = 'Service', name, namespace, port } = mirror.backendRef ?? {};
  const at = [...path, 'backendRef'];
  if (name === undefined) return null;
  if (group !== '' || kind !== 'Service') {
    cluster.refuse(route, [...at, 'kind'], 'is not served: a shadow is a Service', kind);
    return null;
  }
  const keys = { name: 'name', port: 'port' };
  const address = findService({ name, namespace, port }, route, at, keys, cluster);
  if (address === null) return null;
  return { host: `${address.scheme}://${address.host}:${address.port}`, share, path };
}

/** One decision covers all copies of a request, so there is one share. */
function checkTogether(plugins: Tree, first: Shadow, others: readonly Shadow[], route: Manifest): void {
  const { report, path } = placeOf(route, first.path);
  if (plugins[PROXY_MIRROR] !== undefined) {
    const message = `excludes the ${PROXY_MIRROR} of a PluginConfig for the same rule`;
    report.add({ path, rule: 'conflict', message, atKey: true });
  }
  const seen = new Set([first.host]);
  for (const other of others) {
    const place = placeOf(route, other.path);
    if (other.share !== first.share) {
      const message =
        'is not served with another share than the first RequestMirror of its rule: one decision covers all copies of a request';
      report.add({ path: place.path, rule: 'not_served', message, atKey: true });
    }
    if (seen.has(other.host)) {
      const message = 'names the same shadow a second time';
      report.add({
        path: [...place.path, 'backendRef', 'name'],
        rule: 'duplicate',
        message,
        found: other.host,
      });
    }
    seen.add(other.host);
  }
}

function toProxyMirror({ host, share, path }: Shadow, cluster: Cluster, route: Manifest): Tree {
  if (share === 0) return { host, _meta: cluster.note({ disable: true }, route, path) };
  return share >= 1 ? { host } : { host, sample_ratio: share };
}
