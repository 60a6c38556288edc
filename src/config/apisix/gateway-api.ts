// HTTPRoute of the Gateway API, with the Services and PluginConfigs that it names → routes.
//
// Owns what each of its fields becomes, and its order of precedence. The host comes first, then the exact path, then the
// longest prefix: so does the router. What is left of it (method, most headers, most query parameters, order in the file)
// is put into the routes' priority, which decides between routes of one host and path.

import type { Path } from '../problem.ts';
import type { Loose } from '../shape.ts';
import type { Tree } from '../source.ts';
import { type GatewayPlugins, toGatewayPlugins } from './gateway-api-filter.ts';
import type { HttpRouteSpec } from './gateway-api-schema.ts';
import type { Cluster, Manifest } from './kubernetes-object.ts';
import { toHeaderVariable } from './kubernetes-route.ts';
import { toSeconds } from './kubernetes-schema.ts';
import { findService } from './kubernetes-service.ts';
import { type NodeGroup, toUpstream } from './kubernetes-upstream.ts';
import type { Resource } from './resource.ts';

type HttpRoute = Manifest<HttpRouteSpec>;
type Rule = NonNullable<Loose<NonNullable<HttpRouteSpec['rules']>[number]>>;
type Match = NonNullable<NonNullable<Rule['matches']>[number]>;
type ValueMatches = NonNullable<Match['headers']>;

/** In the priority: 16 headers and 16 query parameters at most are below one method, and all below an exact path. */
const EXACT_WORTH = 1 << 11;
const METHOD_WORTH = 1 << 10;
const HEADER_WORTH = 1 << 5;

/** Matches that differ in their paths alone are one route. */
interface MatchGroup {
  /** Of the first of them. */
  readonly index: number;
  readonly match: Match;
  readonly paths: (readonly [Path, string])[];
}

export function rewriteHttpRoute(route: HttpRoute, cluster: Cluster): readonly Resource[] {
  // No rules are one that matches everything, and so are no matches of a rule.
  const { rules = [{}] } = route.spec;
  return rules.flatMap((rule = {}, index) => {
    const at = ['rules', index];
    const groups = toMatchGroups(rule.matches ?? [], [...at, 'matches'], route, cluster);
    const plugins = toGatewayPlugins(rule.filters ?? [], route, [...at, 'filters'], cluster);
    const upstream = toUpstream(toBackends(rule, route, at, cluster), route, [...at, 'backendRefs'], cluster);
    const shared: Tree = {
      ...((route.spec.hostnames ?? []).length === 0 ? {} : { hosts: route.spec.hostnames }),
      ...toTimeout(rule, route, at, cluster),
      plugins: plugins.plugins,
      // A stand-in behind a problem: nobody will see it.
      upstream: upstream ?? cluster.note({ nodes: [] }, route, at),
    };
    noticeRest(rule, route, at, cluster);
    const title = `${route.namespace}_${route.name}_${rule.name ?? index}`;
    return groups.map((group) =>
      toResource(
        group,
        groups.length === 1 ? title : `${title}_${group.index}`,
        shared,
        plugins,
        route,
        [...at, 'matches', group.index],
        cluster,
      ),
    );
  });
}

function toResource(
  group: MatchGroup,
  name: string,
  shared: Tree,
  plugins: GatewayPlugins,
  route: HttpRoute,
  path: Path,
  cluster: Cluster,
): Resource {
  const { match, paths } = group;
  const uris = paths.flatMap(([at, text]) => toUris(match.path?.type, text, route, at, cluster));
  const headers = toVars(match.headers, toHeaderVariable, route, [...path, 'headers'], cluster);
  const queryParams = toVars(
    match.queryParams,
    (parameter) => `arg_${parameter}`,
    route,
    [...path, 'queryParams'],
    cluster,
  );
  const vars = cluster.note([...headers, ...queryParams], route, path);
  const value: Tree = {
    uris: cluster.note([...new Set(uris)], route, paths[0]?.[0] ?? path),
    ...(match.method === undefined
      ? {}
      : { methods: cluster.note([match.method], route, [...path, 'method']) }),
    ...(vars.length === 0 ? {} : { vars }),
    priority: toPriority(match),
    ...shared,
  };
  const id = cluster.ids.claim('routes', name);
  const { moreShadows } = plugins;
  const resource: Resource = { kind: 'routes', id, value: cluster.copy(cluster.note(value, route, path)) };
  return moreShadows.length === 0 ? resource : { ...resource, moreShadows };
}

function toMatchGroups(
  matches: readonly (Match | undefined)[],
  path: Path,
  route: HttpRoute,
  cluster: Cluster,
): readonly MatchGroup[] {
  if (matches.length === 0) return [{ index: 0, match: {}, paths: [[path, '/']] }];
  const groups = new Map<string, MatchGroup>();
  for (const [index, match = {}] of matches.entries()) {
    const at = [...path, index, 'path'];
    const { type = 'PathPrefix', value = '/' } = match.path ?? {};
    if (type === 'RegularExpression') {
      const message = 'is not served: paths are Exact or PathPrefix here';
      cluster.refuse(route, [...at, 'type'], message, type);
      continue;
    }
    const key = JSON.stringify([type, match.method, match.headers, match.queryParams]);
    const group = groups.get(key) ?? { index, match, paths: [] };
    group.paths.push([[...at, 'value'], value]);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** A prefix ends on a segment border, and a slash at its end means nothing. */
function toUris(
  type: string | undefined,
  text: string,
  route: HttpRoute,
  path: Path,
  cluster: Cluster,
): readonly string[] {
  if (text.includes('*')) {
    cluster.refuse(route, path, 'is not served with a *, which stands for any text in a path here', text);
  }
  if (type === 'Exact') return [text];
  const prefix = text.replace(/\/$/, '');
  return prefix === '' ? ['/*'] : [prefix, `${prefix}/*`];
}

function toPriority(match: Match): number {
  return (
    (match.path?.type === 'Exact' ? EXACT_WORTH : 0) +
    (match.method === undefined ? 0 : METHOD_WORTH) +
    (match.headers?.length ?? 0) * HEADER_WORTH +
    (match.queryParams?.length ?? 0)
  );
}

/** Of two for one name the first counts. */
function toVars(
  matches: ValueMatches | undefined,
  toVariable: (name: string) => string,
  route: HttpRoute,
  path: Path,
  cluster: Cluster,
): readonly unknown[] {
  const vars = new Map<string, unknown>();
  for (const [index, match] of (matches ?? []).entries()) {
    if (match?.name === undefined || match.value === undefined) continue;
    const variable = toVariable(match.name);
    const operator = match.type === 'RegularExpression' ? '~~' : '==';
    if (vars.has(variable)) continue;
    vars.set(variable, cluster.note([variable, operator, match.value], route, [...path, index]));
  }
  return [...vars.values()];
}

function toBackends(rule: Rule, route: HttpRoute, path: Path, cluster: Cluster): readonly NodeGroup[] {
  const references = rule.backendRefs ?? [];
  if (references.length === 0) {
    cluster.addNotice(route, path, 'has no backendRefs: every request of it is answered 503');
  }
  return references.flatMap((reference, index): NodeGroup[] => {
    const at = [...path, 'backendRefs', index];
    if (reference?.name === undefined) return [];
    if (!isService(reference)) {
      cluster.refuse(route, [...at, 'kind'], 'is not served: a backend is a Service', reference.kind);
      return [];
    }
    if ((reference.filters ?? []).length > 0) {
      cluster.refuse(route, [...at, 'filters'], 'is not served: filters belong to the rule');
    }
    const address = findService(
      { ...reference, name: reference.name, port: reference.port },
      route,
      at,
      KEYS,
      cluster,
    );
    if (address === null) return [];
    const { host, port, scheme } = address;
    const settings: Tree = scheme === 'https' ? { scheme } : {};
    return [{ weight: reference.weight ?? 1, nodes: [{ host, port, weight: 1 }], settings, path: at }];
  });
}

const KEYS = { name: 'name', port: 'port' } as const;

function isService({
  group = '',
  kind = 'Service',
}: {
  group?: string | undefined;
  kind?: string | undefined;
}): boolean {
  return group === '' && kind === 'Service';
}

/** umbra has no deadline for an exchange as a whole: each of its steps gets the whole time. */
function toTimeout(rule: Rule, route: HttpRoute, path: Path, cluster: Cluster): Tree {
  const { request, backendRequest } = rule.timeouts ?? {};
  const key = backendRequest === undefined ? 'request' : 'backendRequest';
  const at = [...path, 'timeouts', key];
  const seconds = toSeconds(backendRequest ?? request ?? '0s');
  if (seconds === 0) return {};
  cluster.addNotice(route, at, 'bounds connecting, each write and each read here, not all of them together');
  return { timeout: cluster.note({ connect: seconds, send: seconds, read: seconds }, route, at) };
}

function noticeRest(rule: Rule, route: HttpRoute, path: Path, cluster: Cluster): void {
  for (const key of ['retry', 'sessionPersistence'] as const) {
    if (rule[key] !== undefined) cluster.addNotice(route, [...path, key], 'has no effect here');
  }
}
