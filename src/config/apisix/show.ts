// A route of the model as an object of APISIX's Admin API: what is shown of a route that stands in a config file.
//
// Best effort: what APISIX has no words for is left out. Never shows a password, nor the value of a header.

import {
  CONDITION_ABSENT,
  CONDITION_EQUALS,
  CONDITION_PRESENT,
  type Conditions,
  HOST_NODE,
  HOST_PASS,
  LIMIT_LOCAL,
  LIMIT_REDIS,
  type Limit,
  type Mirror,
  PATH_PREFIX,
  PATH_TEXT_PREFIX,
  type PathPattern,
  ROLE_CONTROL,
  type Route,
  type Timeouts,
  type WeightedBackend,
} from '../../core/model.ts';
import { HIDDEN, toComparePlugin } from './compare-show.ts';
import { PROXY_MIRROR, UMBRA_COMPARE } from './plugin-schema.ts';

type Shown = Record<string, unknown>;

/** Where a shown route comes from, as a label. */
const LABELS = { umbra_source: 'file' };

export function toApisixValue(route: Route): Shown {
  const value: Shown = { id: route.id };
  putOneOrMore(value, 'uri', 'uris', route.paths.flatMap(toUris));
  putOneOrMore(value, 'host', 'hosts', route.hosts);
  if (route.methods.length > 0) value.methods = route.methods;
  putOneOrMore(value, 'remote_addr', 'remote_addrs', route.remoteAddrs);
  if (route.vars !== null) value.vars = route.vars;
  if (route.priority !== 0) value.priority = route.priority;
  value.status = 1;
  value.labels = LABELS;
  value.upstream = toUpstream(route);
  value.plugins = route.mirror === null ? {} : toPlugins(route.mirror);
  return value;
}

function putOneOrMore(value: Shown, one: string, more: string, list: readonly string[]): void {
  if (list.length === 1) value[one] = list[0];
  else if (list.length > 1) value[more] = list;
}

/** A prefix on segment borders takes two of APISIX's patterns. */
function toUris({ match, path }: PathPattern): string[] {
  if (match === PATH_TEXT_PREFIX) return [`${path}*`];
  if (match === PATH_PREFIX) return path.endsWith('/') ? [`${path}*`] : [path, `${path}/*`];
  return [path];
}

function toUpstream(route: Route): Shown {
  const [first] = route.backends;
  const upstream: Shown = {
    type: 'roundrobin',
    scheme: first === undefined ? 'http' : new URL(first.origin).protocol.slice(0, -1),
    nodes: route.backends.map(toNode),
    retries: route.retries,
    timeout: toTimeout(route.timeouts),
  };
  if (route.retryTimeoutMs !== null) upstream.retry_timeout = route.retryTimeoutMs / 1000;
  const { hostHeader } = route;
  upstream.pass_host = hostHeader === HOST_PASS || hostHeader === HOST_NODE ? hostHeader : 'rewrite';
  if (upstream.pass_host === 'rewrite') upstream.upstream_host = hostHeader;
  return upstream;
}

function toNode({ origin, weight, priority }: WeightedBackend): Shown {
  const { protocol, hostname, port } = new URL(origin);
  const node: Shown = {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    weight,
  };
  if (priority !== 0) node.priority = priority;
  return node;
}

function toTimeout({ connectMs, sendMs, readMs }: Timeouts): Shown {
  return { connect: connectMs / 1000, send: sendMs / 1000, read: readMs / 1000 };
}

function toPlugins(mirror: Mirror): Shown {
  const plugins: Shown = { [PROXY_MIRROR]: toPlugin(mirror) };
  const { compare, shadows } = mirror;
  if (compare !== null) {
    const control = shadows.find(({ role }) => role === ROLE_CONTROL) ?? null;
    plugins[UMBRA_COMPARE] = toComparePlugin(compare, control);
  }
  return plugins;
}

/** The first shadow stands for all: the plugin knows one. */
function toPlugin(mirror: Mirror): Shown {
  const plugin: Shown = { host: mirror.shadows[0]?.origin };
  if (mirror.path !== null) {
    plugin.path = mirror.path;
    plugin.path_concat_mode = mirror.pathConcatMode;
  }
  if (mirror.percentage > 0 && mirror.percentage < 100) plugin.sample_ratio = mirror.percentage / 100;
  if (mirror.limit !== null) Object.assign(plugin, toLimit(mirror.limit));
  const meta: Shown = {};
  // A share of nothing is what APISIX says by switching the plugin off.
  if (!mirror.enabled || mirror.percentage === 0) meta.disable = true;
  const filter = toFilter(mirror.conditions);
  if (filter.length > 0) meta.filter = filter;
  if (Object.keys(meta).length > 0) plugin._meta = meta;
  return plugin;
}

function toLimit({ count, windowMs, policy, redis }: Limit): Shown {
  const limit: Shown = { enable_limit_count: true, count, time_window: windowMs / 1000, policy };
  if (policy === LIMIT_LOCAL || redis === null) return limit;
  limit.redis_timeout = redis.timeoutMs;
  if (policy === LIMIT_REDIS) {
    limit.redis_host = redis.nodes[0]?.host;
    limit.redis_port = redis.nodes[0]?.port;
    limit.redis_database = redis.database;
  } else {
    limit.redis_cluster_nodes = redis.nodes.map(({ host, port }) => `${host}:${port}`);
  }
  return limit;
}

/** Conditions as expressions over APISIX's variables; a header's name has underscores there. */
function toFilter({ methods, headers, pathRegex, vars }: Conditions): unknown[] {
  const filter: unknown[] = [];
  if (methods.length > 0) filter.push(['request_method', 'in', methods]);
  for (const { name, kind } of headers) {
    const variable = `http_${name.replaceAll('-', '_')}`;
    // The value may be a credential.
    if (kind === CONDITION_EQUALS) filter.push([variable, '==', HIDDEN]);
    if (kind === CONDITION_PRESENT) filter.push([variable, '~~', '.*']);
    if (kind === CONDITION_ABSENT) filter.push([variable, '!', '~~', '.*']);
  }
  if (pathRegex !== null) filter.push(['uri', '~~', pathRegex]);
  if (vars === null) return filter;
  return filter.length === 0 ? [...vars] : ['AND', ...filter, vars];
}
