// ApisixRoute, with the ApisixUpstream and the plugin configs that it names → routes.
//
// Owns what each field of those becomes. What would change who may do what, or where requests go, is refused; the rest that
// has no effect here is a notice.

import type { Path } from '../problem.ts';
import type { Loose } from '../shape.ts';
import type { Tree } from '../source.ts';
import { type Cluster, type Manifest, placeOf } from './kubernetes-object.ts';
import { addPlugins } from './kubernetes-plugins.ts';
import {
  type ApisixRouteSpec,
  type ApisixUpstreamSpec,
  type PluginConfigSpec,
  type ServiceSpec,
  toSeconds,
} from './kubernetes-schema.ts';
import { findService, toHost } from './kubernetes-service.ts';
import { type Node, type NodeGroup, toUpstream } from './kubernetes-upstream.ts';
import type { Resource } from './resource.ts';

type Rule = NonNullable<Loose<NonNullable<ApisixRouteSpec['http']>[number]>>;
type Match = NonNullable<Rule['match']>;
type Expressions = NonNullable<Match['exprs']>;
type Upstream = Manifest<ApisixUpstreamSpec>;

const WEIGHT_DEFAULT = 100;
const TIMEOUT_SECONDS_DEFAULT = 60;

/** What each operator is in `vars`. */
const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  Equal: ['=='],
  NotEqual: ['~='],
  GreaterThan: ['>'],
  GreaterThanEqual: ['>='],
  LessThan: ['<'],
  LessThanEqual: ['<='],
  In: ['in'],
  NotIn: ['!', 'in'],
  RegexMatch: ['~~'],
  RegexNotMatch: ['!', '~~'],
  RegexMatchCaseInsensitive: ['~*'],
  RegexNotMatchCaseInsensitive: ['!', '~*'],
};

export function rewriteApisixRoute(route: Manifest<ApisixRouteSpec>, cluster: Cluster): readonly Resource[] {
  const { http = [], stream = [] } = route.spec;
  if (stream.length > 0) cluster.addNotice(route, ['stream'], 'has no effect: umbra serves HTTP alone');
  const names = new Set<string>();
  return http.flatMap((rule, index): Resource[] => {
    // Of a rule without its paths there is nothing else to say.
    if (rule?.name === undefined || rule.match?.paths === undefined) return [];
    if (names.has(rule.name)) {
      const { report, path } = placeOf(route, ['http', index, 'name']);
      const message = 'is the name of another rule of this ApisixRoute too';
      report.add({ path, rule: 'duplicate', message, found: rule.name });
    }
    names.add(rule.name);
    const id = cluster.ids.claim('routes', `${route.namespace}_${route.name}_${rule.name}`);
    return [{ kind: 'routes', id, value: cluster.copy(toRouteValue(rule, route, ['http', index], cluster)) }];
  });
}

function toRouteValue(rule: Rule, route: Manifest, path: Path, cluster: Cluster): Tree {
  const match: Match = rule.match ?? {};
  refuseAuthentication(rule, route, path, cluster);
  const upstream = toUpstream(toGroups(rule, route, path, cluster), route, path, cluster);
  const value: Tree = {
    uris: match.paths ?? [],
    ...keep('hosts', match.hosts),
    ...keep('methods', match.methods),
    ...keep('remote_addrs', match.remoteAddrs),
    ...keep('filter_func', match.filter_func),
    ...keep('priority', rule.priority),
    ...keep('enable_websocket', rule.websocket),
    ...keep('timeout', toTimeout(rule.timeout, route, [...path, 'timeout'], cluster)),
    ...keep('vars', toVars(match.exprs, route, [...path, 'match', 'exprs'], cluster)),
    plugins: toPlugins(rule, route, path, cluster),
    // A stand-in behind a problem: nobody will see it.
    upstream: upstream ?? cluster.note({ nodes: [] }, route, path),
  };
  return cluster.note(value, route, path);
}

function keep(key: string, value: unknown): Tree {
  const isEmpty = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
  return isEmpty ? {} : { [key]: value };
}

function refuseAuthentication(rule: Rule, route: Manifest, path: Path, cluster: Cluster): void {
  if (rule.authentication?.enable !== true) return;
  const message = 'is not served: without it everybody would be let in';
  cluster.refuse(route, [...path, 'authentication', 'enable'], message, true);
}

function toPlugins(rule: Rule, route: Manifest, path: Path, cluster: Cluster): Tree {
  // Without prototype, so that no name of a plugin means anything else.
  const plugins: Tree = cluster.note(Object.create(null) as Tree, route, [...path, 'plugins']);
  const name = rule.plugin_config_name;
  if (name !== undefined) {
    const at = [...path, 'plugin_config_name'];
    const kinds = ['ApisixPluginConfig', 'PluginConfig'] as const;
    const config = cluster.find<PluginConfigSpec>(route, at, kinds, name, rule.plugin_config_namespace);
    if (config !== null) addPlugins(plugins, config.spec.plugins ?? [], config, ['plugins'], cluster);
  }
  addPlugins(plugins, rule.plugins ?? [], route, [...path, 'plugins'], cluster);
  return plugins;
}

function toGroups(rule: Rule, route: Manifest, path: Path, cluster: Cluster): readonly NodeGroup[] {
  const groups: NodeGroup[] = [];
  for (const [index, backend] of (rule.backends ?? []).entries()) {
    const at = [...path, 'backends', index];
    if (backend?.serviceName === undefined || backend.servicePort === undefined) continue;
    if (backend.subset !== undefined) {
      const message = 'is not served: umbra connects to the whole Service';
      cluster.refuse(route, [...at, 'subset'], message, backend.subset);
    }
    const reference = { name: backend.serviceName, port: backend.servicePort };
    const keys = { name: 'serviceName', port: 'servicePort' };
    const address = findService(reference, route, at, keys, cluster);
    if (address === null) continue;
    // An ApisixUpstream of the Service's name says how the Service is spoken to.
    const upstream = cluster.look<ApisixUpstreamSpec>(route, 'ApisixUpstream', backend.serviceName);
    groups.push({
      weight: backend.weight ?? WEIGHT_DEFAULT,
      nodes: [{ host: address.host, port: address.port, weight: 1 }],
      settings: upstream === null ? {} : toSettings(upstream, cluster),
      path: at,
    });
  }
  for (const [index, reference] of (rule.upstreams ?? []).entries()) {
    const at = [...path, 'upstreams', index];
    if (reference?.name === undefined) continue;
    const kinds = ['ApisixUpstream'] as const;
    const upstream = cluster.find<ApisixUpstreamSpec>(route, [...at, 'name'], kinds, reference.name);
    if (upstream === null) continue;
    groups.push({
      weight: reference.weight ?? WEIGHT_DEFAULT,
      nodes: toNodes(upstream, cluster),
      settings: toSettings(upstream, cluster),
      path: at,
    });
  }
  return groups;
}

function toNodes(upstream: Upstream, cluster: Cluster): readonly Node[] {
  const { externalNodes = [], scheme = 'http' } = upstream.spec;
  const standardPort = scheme === 'https' || scheme === 'grpcs' ? 443 : 80;
  return externalNodes.flatMap((node, index): Node[] => {
    if (node?.name === undefined) return [];
    const host = node.type === 'Domain' ? node.name : findExternalName(node.name, upstream, index, cluster);
    if (host === null) return [];
    return [{ host, port: node.port ?? standardPort, weight: node.weight ?? WEIGHT_DEFAULT }];
  });
}

function findExternalName(name: string, upstream: Upstream, index: number, cluster: Cluster): string | null {
  const at = ['externalNodes', index, 'name'];
  const service = cluster.find<ServiceSpec>(upstream, at, ['Service'], name);
  if (service === null) return null;
  if (service.spec.type === 'ExternalName') return toHost(service, service.spec.externalName);
  const { report, path } = placeOf(upstream, at);
  const message = `must name a Service of type ExternalName, unlike Service ${service.namespace}/${name}`;
  report.add({ path, rule: 'conflict', message, found: name });
  return null;
}

/** Everything but the nodes, in the words of the Admin API. */
function toSettings(upstream: Upstream, cluster: Cluster): Tree {
  const { spec } = upstream;
  const { loadbalancer } = spec;
  if (spec.healthCheck !== undefined) {
    cluster.addNotice(
      upstream,
      ['healthCheck'],
      'has no effect: umbra does not check its backends by itself',
    );
  }
  const refused = ['tlsSecret', 'subsets', 'portLevelSettings', 'discovery'] as const;
  for (const key of refused) {
    if (spec[key] !== undefined) cluster.refuse(upstream, [key], 'is not served');
  }
  return {
    ...keep('type', loadbalancer?.type),
    ...keep('hash_on', loadbalancer?.hashOn),
    ...keep('key', loadbalancer?.key),
    ...keep('scheme', spec.scheme),
    ...keep('retries', spec.retries),
    ...keep('timeout', toTimeout(spec.timeout, upstream, ['timeout'], cluster)),
    ...keep('pass_host', spec.passHost),
    ...keep('upstream_host', spec.upstreamHost),
  };
}

function toTimeout(timeout: Rule['timeout'], from: Manifest, path: Path, cluster: Cluster): Tree | undefined {
  if (timeout === undefined) return undefined;
  // Zero is as if it were not there.
  const read = (text: string | undefined): number => toSeconds(text ?? '0s') || TIMEOUT_SECONDS_DEFAULT;
  const seconds = { connect: read(timeout.connect), send: read(timeout.send), read: read(timeout.read) };
  return cluster.note(seconds, from, path);
}

function toVars(
  expressions: Expressions | undefined,
  route: Manifest,
  path: Path,
  cluster: Cluster,
): unknown[] | undefined {
  if (expressions === undefined) return undefined;
  const vars = expressions.flatMap((expression, index) => {
    const at = [...path, index];
    const subject = toSubject(expression?.subject, route, [...at, 'subject']);
    const operator = OPERATORS[expression?.op ?? ''];
    if (expression === undefined || subject === null || operator === undefined) return [];
    const key = expression.op === 'In' || expression.op === 'NotIn' ? 'set' : 'value';
    const operand = expression[key];
    if (operand === undefined) {
      const place = placeOf(route, [...at, key]);
      place.report.add({ path: place.path, rule: 'required', message: 'is missing' });
      return [];
    }
    return [cluster.note([subject, ...operator, operand], route, at)];
  });
  return cluster.note(vars, route, path);
}

function toSubject(
  subject: NonNullable<Expressions[number]>['subject'],
  route: Manifest,
  path: Path,
): string | null {
  const { scope, name = '' } = subject ?? {};
  if (scope === undefined) return null;
  if (scope === 'Path') return 'uri';
  if (name === '') {
    const place = placeOf(route, [...path, 'name']);
    place.report.add({ path: place.path, rule: 'required', message: 'is missing' });
    return null;
  }
  switch (scope) {
    case 'Header':
      return toHeaderVariable(name);
    case 'Query':
      return `arg_${name}`;
    case 'Cookie':
      return `cookie_${name}`;
    default:
      return name;
  }
}

/** The variable that holds a request header. */
export function toHeaderVariable(name: string): string {
  return `http_${name.toLowerCase().replaceAll('-', '_')}`;
}
