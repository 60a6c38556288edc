// A route of APISIX's world, with the service and the upstream that it refers to → model.
//
// Owns what wins where several of them say something. Reads what the shape left over; like all of the translation it
// reports and goes on.

import { findExpressionProblem } from '../../core/expression.ts';
import type { Mirror, PathPattern, Route, Timeouts } from '../../core/model.ts';
import { isHostPattern } from '../address.ts';
import { DEFAULTS, HOSTS_MAX, INTEGER_MAX, INTEGER_MIN, ROUTE_PATTERNS_MAX, URIS_MAX } from '../defaults.ts';
import { countPatterns, findUriProblem, toPathPattern } from '../path-pattern.ts';
import type { Path } from '../problem.ts';
import { toRevised } from '../revision.ts';
import type { Loose } from '../shape.ts';
import type { Tree } from '../source.ts';
import { toComparison } from './compare.ts';
import { toMirror } from './mirror.ts';
import { PROXY_MIRROR, UMBRA_COMPARE } from './plugin-schema.ts';
import { type Remark, Remarks, type Subject } from './remark.ts';
import type { FindResource, ResourceKind } from './resource.ts';
import type { ApisixRouteInput, ApisixServiceInput } from './schema.ts';
import { NO_UPSTREAM, toTimeouts, toUpstream, type Upstream } from './upstream.ts';
import type { UpstreamInput } from './upstream-schema.ts';

export interface RouteContext {
  /** Deadlines of mirrors: `plugin_attr.proxy-mirror.timeout`. */
  readonly mirrorTimeouts: Timeouts;
  /** Of Resource. */
  readonly moreShadows?: readonly string[] | undefined;
}

export interface TranslatedRoute {
  /** Null when its `status` is 0, and when there are problems. */
  readonly route: Route | null;
  readonly problems: readonly Remark[];
  readonly notices: readonly Remark[];
}

type RouteInput = Loose<ApisixRouteInput>;
type ServiceInput = Loose<ApisixServiceInput>;

/** Of a route whose upstream says nothing either. */
const TIMEOUTS: Timeouts = { connectMs: 60_000, sendMs: 60_000, readMs: 60_000 };

const LUA_KEYS = ['filter_func', 'script', 'script_id'] as const;

/** For values that have passed checkResource or the shape of files, and so are not looked at twice. */
export function translateRoute(
  id: string,
  value: Tree,
  find: FindResource,
  context: RouteContext,
): TranslatedRoute {
  const remarks = new Remarks();
  const about: Subject = { kind: 'routes', id, value, path: [] };
  const input = value as RouteInput;
  const service = findReferred(about, 'service_id', 'services', find, remarks);
  const serviceInput: ServiceInput = service?.value ?? {};
  checkServed(input, about, remarks);
  if (service !== null) checkServed(serviceInput, service, remarks);
  const upstream = toRouteUpstream(about, service, find, remarks);
  const route: Omit<Route, 'revision'> = {
    id,
    hosts: toHosts(about, service, remarks),
    paths: toPaths(input, about, remarks),
    methods: isList(input.methods) ? toGiven(input.methods) : [],
    remoteAddrs: toGiven([input.remote_addr, ...(input.remote_addrs ?? [])]),
    vars: toVars(input, about, remarks),
    priority: toPriority(input, about, remarks),
    backends: upstream.backends,
    hostHeader: upstream.hostHeader,
    retries: upstream.retries,
    retryTimeoutMs: upstream.retryTimeoutMs,
    timeouts: toTimeouts(input.timeout) ?? upstream.timeouts ?? TIMEOUTS,
    mirror: toRouteMirror(about, service, context, remarks),
  };
  const patterns = countPatterns(route);
  if (patterns > ROUTE_PATTERNS_MAX) {
    const message = `must have at most ${ROUTE_PATTERNS_MAX} pairs of a host and a path`;
    remarks.addProblem(about, ['uris'], 'range', message, patterns);
  }
  const { problems, notices } = remarks;
  const isServed = problems.length === 0 && input.status !== 0;
  return { route: isServed ? toRevised(route) : null, problems, notices };
}

/** What is wrong with a service or an upstream itself, for those that no route uses. */
export function translateUnused(
  kind: ResourceKind,
  id: string,
  value: Tree,
  find: FindResource,
): readonly Remark[] {
  const remarks = new Remarks();
  const about: Subject = { kind, id, value, path: [] };
  if (kind === 'upstreams') toUpstream(value as Loose<UpstreamInput>, about, remarks);
  else {
    checkServed(value as ServiceInput, about, remarks);
    toHosts({ ...about, value: {} }, about, remarks);
    toRouteUpstream({ ...about, value: {} }, about, find, remarks);
    toRouteMirror({ ...about, value: {} }, about, { mirrorTimeouts: TIMEOUTS }, remarks);
  }
  // What it refers to is told where that is used, or as unused itself.
  return remarks.problems.filter((problem) => problem.value === value);
}

/** What a key of a resource refers to; null when it refers to nothing, which is reported, or is not there. */
function findReferred(
  about: Subject,
  key: 'service_id' | 'upstream_id',
  kind: ResourceKind,
  find: FindResource,
  remarks: Remarks,
): Subject | null {
  const reference = about.value[key];
  if (reference === undefined) return null;
  const id = String(reference);
  const value = find(kind, id);
  if (value !== undefined) return { kind, id, value, path: [] };
  const [own, other] = [about.kind, kind].map((name) => name.slice(0, -1));
  const message = `leads nowhere: ${own} ${about.id} refers to ${other} ${id}, and there is none`;
  remarks.addProblem(about, [key], 'required', message);
  return null;
}

function checkServed(input: RouteInput & ServiceInput, about: Subject, remarks: Remarks): void {
  for (const key of LUA_KEYS) {
    if (input[key] === undefined) continue;
    remarks.addProblem(about, [key], 'not_served', 'is not served: umbra runs no Lua');
  }
  if (input.plugin_config_id !== undefined) {
    const message = 'is not served yet: write the plugins into the route or its service';
    remarks.addProblem(about, ['plugin_config_id'], 'not_served', message, input.plugin_config_id);
  }
  if (input.enable_websocket === true) {
    remarks.addNotice(about, ['enable_websocket'], 'has no effect: an Upgrade is not passed on');
  }
  if (input.service_protocol !== undefined) {
    remarks.addNotice(about, ['service_protocol'], "has no effect: the upstream's scheme counts");
  }
}

/** In APISIX's order: the route's reference, what it says itself, then the same of its service. */
function toRouteUpstream(
  about: Subject,
  service: Subject | null,
  find: FindResource,
  remarks: Remarks,
): Upstream {
  for (const owner of service === null ? [about] : [about, service]) {
    const { upstream, upstream_id: reference } = owner.value;
    if (reference === undefined && upstream === undefined) continue;
    const own: Subject = { ...owner, path: ['upstream'] };
    const referred = findReferred(owner, 'upstream_id', 'upstreams', find, remarks);
    if (referred === null && reference !== undefined) return NO_UPSTREAM;
    if (referred !== null && upstream !== undefined) {
      remarks.addNotice(owner, ['upstream'], 'has no effect: upstream_id counts');
    }
    const input = (referred === null ? upstream : referred.value) as Loose<UpstreamInput>;
    return toUpstream(input, referred ?? own, remarks);
  }
  if (about.value.service_id === undefined || service !== null) {
    remarks.addNotice(about, [], 'has no upstream: every request is answered 503');
  }
  return NO_UPSTREAM;
}

/** Of the plugins only those that watch get this far beside umbra's. */
function noticeWatchers(owner: Subject, remarks: Remarks): void {
  for (const name of Object.keys((owner.value as RouteInput).plugins ?? {})) {
    if (name === PROXY_MIRROR || name === UMBRA_COMPARE) continue;
    remarks.addNotice(owner, ['plugins', name], 'has no effect here');
  }
}

function toRouteMirror(
  about: Subject,
  service: Subject | null,
  { mirrorTimeouts, moreShadows = [] }: RouteContext,
  remarks: Remarks,
): Mirror | null {
  const owners = service === null ? [about] : [about, service];
  for (const owner of owners) noticeWatchers(owner, remarks);
  for (const owner of owners) {
    const input = (owner.value as RouteInput).plugins?.[PROXY_MIRROR];
    if (input === undefined) continue;
    const plugin: Subject = { ...owner, path: ['plugins', PROXY_MIRROR] };
    const mirror = toMirror(input, moreShadows, mirrorTimeouts, plugin, remarks);
    return withComparison(mirror, owners, remarks);
  }
  if (moreShadows.length > 0) {
    const mirror = toMirror({}, moreShadows, mirrorTimeouts, about, remarks);
    return withComparison(mirror, owners, remarks);
  }
  return withComparison(null, owners, remarks);
}

/** What the first owner says that has the plugin at all; it is checked, whatever there is to compare. */
function withComparison(mirror: Mirror | null, owners: readonly Subject[], remarks: Remarks): Mirror | null {
  for (const owner of owners) {
    const input = (owner.value as RouteInput).plugins?.[UMBRA_COMPARE];
    if (input === undefined) continue;
    const plugin: Subject = { ...owner, path: ['plugins', UMBRA_COMPARE] };
    const { compare, shadows } = toComparison(input, mirror?.shadows ?? [], plugin, remarks);
    if (mirror !== null) return { ...mirror, shadows, compare };
    remarks.addNotice(plugin, [], 'has no effect: no proxy-mirror is beside it');
  }
  return mirror;
}

function toPaths(input: RouteInput, about: Subject, remarks: Remarks): readonly PathPattern[] {
  const uris: readonly (readonly [Path, string | undefined])[] =
    input.uri === undefined
      ? (input.uris ?? []).map((uri, index) => [['uris', index], uri])
      : [[['uri'], input.uri]];
  if (uris.length > URIS_MAX) {
    remarks.addProblem(about, ['uris'], 'range', `must have at most ${URIS_MAX} paths`, uris.length);
    return [];
  }
  const paths: PathPattern[] = [];
  for (const [path, uri] of uris) {
    if (uri === undefined) continue;
    const problem = findUriProblem(uri);
    if (problem === null) paths.push(toPathPattern(uri));
    else remarks.addProblem(about, path, 'format', problem, uri);
  }
  return paths;
}

/** The route's own, else those of its service. */
function toHosts(about: Subject, service: Subject | null, remarks: Remarks): readonly string[] {
  const { host, hosts } = about.value as RouteInput;
  if (host !== undefined) return toHostPatterns([[['host'], host]], about, remarks);
  if (hosts !== undefined) return toHostPatterns(withPaths(hosts), about, remarks);
  const inherited = (service?.value as ServiceInput | undefined)?.hosts;
  return inherited === undefined ? [] : toHostPatterns(withPaths(inherited), service!, remarks);
}

function withPaths(hosts: readonly (string | undefined)[]): readonly (readonly [Path, string])[] {
  return hosts.flatMap((host, index) => (host === undefined ? [] : [[['hosts', index], host] as const]));
}

function toHostPatterns(
  texts: readonly (readonly [Path, string])[],
  about: Subject,
  remarks: Remarks,
): readonly string[] {
  if (texts.length > HOSTS_MAX) {
    remarks.addProblem(about, ['hosts'], 'range', `must have at most ${HOSTS_MAX} hosts`, texts.length);
    return [];
  }
  const patterns = new Set<string>();
  for (const [path, text] of texts) {
    const pattern = text.toLowerCase();
    if (pattern === '*' || isHostPattern(pattern)) patterns.add(pattern);
    else {
      const message = 'must be a name, an IPv4 address, a bracketed IPv6 address or *.suffix, without a port';
      remarks.addProblem(about, path, 'format', message, text);
    }
  }
  // A `*` alone is every host, whatever stands beside it.
  return patterns.has('*') ? [] : [...patterns];
}

function toPriority({ priority }: RouteInput, about: Subject, remarks: Remarks): number {
  if (priority === undefined) return DEFAULTS.priority;
  return remarks.bound(about, ['priority'], priority, INTEGER_MIN, INTEGER_MAX);
}

function toVars({ vars }: RouteInput, about: Subject, remarks: Remarks): Route['vars'] {
  if (!isList(vars) || vars.length === 0) return null;
  const problem = findExpressionProblem(vars);
  if (problem !== null) remarks.addProblem(about, ['vars', ...problem.path], 'format', problem.message);
  return vars;
}

/** Lua's empty table is written as `{}`, where a list is meant too. */
function isList<T>(value: readonly T[] | undefined): value is readonly T[] {
  return Array.isArray(value);
}

function toGiven<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((value) => value !== undefined);
}
