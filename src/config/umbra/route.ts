// A route in umbra's own dialect → model, and the rules between routes.
//
// Owns ids, matching and the primaries' weights, and the revision: a hash of all that a route is. Like all of the
// translation it reports and goes on.

import { findAddressProblem } from '../../core/address-set.ts';
import {
  PATH_EXACT,
  PATH_PREFIX,
  type PathPattern,
  type Route,
  type WeightedBackend,
} from '../../core/model.ts';
import { isHostPattern } from '../address.ts';
import { CYCLE_MAX, DEFAULTS, ROUTE_PATTERNS_MAX } from '../defaults.ts';
import { countPatterns, findUriProblem, toPathPattern } from '../path-pattern.ts';
import type { Path } from '../problem.ts';
import { toDurationMs } from '../quantity.ts';
import type { Report } from '../report.ts';
import { toRevised } from '../revision.ts';
import type { Loose } from '../shape.ts';
import { countPlaces } from '../weight.ts';
import { toExpression } from './expression.ts';
import { toMirror } from './mirror.ts';
import type { BackendInput, RouteInput } from './schema.ts';
import { checkRawPath, type Translation, toBackend, toHostHeader, toTimeouts } from './upstream.ts';

/** The routes of one document, which stand at `routes`. */
export interface RouteSource {
  readonly inputs: readonly (Loose<RouteInput> | undefined)[];
  readonly translation: Translation;
}

/** A route with where it came from. */
interface PlacedRoute {
  readonly input: Loose<RouteInput>;
  readonly route: Route;
  readonly at: Path;
  readonly report: Report;
}

/** The routes of all documents. Whether their ids are taken elsewhere is the loader's to check. */
export function toRoutes(sources: readonly RouteSource[]): readonly Route[] {
  const placed = sources.flatMap(({ inputs, translation }) =>
    inputs.map((input = {}, index): PlacedRoute => {
      const at = ['routes', index];
      return { input, at, report: translation.report, route: toRoute(input, at, translation) };
    }),
  );
  checkPatterns(placed);
  return placed.map(({ route }) => route);
}

function toRoute(input: Loose<RouteInput>, at: Path, translation: Translation): Route {
  const route: Omit<Route, 'revision'> = {
    id: input.id ?? '',
    hosts: toHosts(input.hosts ?? [], [...at, 'hosts'], translation),
    paths: toPaths(input, at, translation),
    methods: (input.methods ?? []).filter((method) => method !== undefined),
    remoteAddrs: toRemoteAddrs(input.remote_addrs ?? [], [...at, 'remote_addrs'], translation),
    vars: input.vars === undefined ? null : toExpression(input.vars, [...at, 'vars'], translation),
    priority: input.priority ?? DEFAULTS.priority,
    backends: toPrimaries(input.backends ?? [], [...at, 'backends'], translation),
    hostHeader: toHostHeader(input.host_header, [...at, 'host_header'], translation),
    retries: input.retries ?? DEFAULTS.retries,
    retryTimeoutMs: input.retry_timeout === undefined ? null : toDurationMs(input.retry_timeout),
    timeouts: toTimeouts(input.timeout, DEFAULTS.routeTimeout),
    mirror: input.mirror === undefined ? null : toMirror(input.mirror, [...at, 'mirror'], translation),
  };
  const patterns = countPatterns(route);
  if (patterns > ROUTE_PATTERNS_MAX) {
    const message = `must have at most ${ROUTE_PATTERNS_MAX} pairs of a host and a path`;
    translation.report.add({ path: [...at, 'uris'], rule: 'range', message, found: patterns });
  }
  return toRevised(route);
}

function toPaths(input: Loose<RouteInput>, at: Path, translation: Translation): readonly PathPattern[] {
  const { report } = translation;
  const { path = '', path_prefix: prefix, uris } = input;
  if (input.path !== undefined) checkRawPath(path, [...at, 'path'], translation);
  const own: PathPattern = { match: (prefix ?? DEFAULTS.pathPrefix) ? PATH_PREFIX : PATH_EXACT, path };
  if (uris === undefined) return [own];
  for (const key of ['path', 'path_prefix'] as const) {
    if (input[key] === undefined) continue;
    report.add({ path: [...at, key], rule: 'conflict', message: 'cannot stand beside uris', atKey: true });
  }
  return uris.map((uri = '/', index) => {
    const message = findUriProblem(uri) ?? findStarProblem(uri);
    if (message === null) return toPathPattern(uri);
    report.add({ path: [...at, 'uris', index], rule: 'format', message, found: uri });
    return own;
  });
}

/** APISIX takes a * inside a segment too, for what few would expect of it. */
function findStarProblem(uri: string): string | null {
  return /[^/]\*.|\*[^/]/.test(uri) ? 'must have a * only at its end or as a whole segment' : null;
}

function toRemoteAddrs(
  inputs: readonly (string | undefined)[],
  at: Path,
  { report }: Translation,
): readonly string[] {
  const addresses: string[] = [];
  for (const [index, input] of inputs.entries()) {
    if (input === undefined) continue;
    const message = findAddressProblem(input);
    if (message !== null) report.add({ path: [...at, index], rule: 'format', message, found: input });
    addresses.push(input);
  }
  return addresses;
}

function toHosts(
  inputs: readonly (string | undefined)[],
  at: Path,
  { report }: Translation,
): readonly string[] {
  const hosts: string[] = [];
  for (const [index, input] of inputs.entries()) {
    if (input === undefined) continue;
    const path = [...at, index];
    const host = input.toLowerCase();
    if (!isHostPattern(host)) {
      const message =
        'must be a host name, an IPv4 address, a bracketed IPv6 address or *.suffix, without a port';
      report.add({ path, rule: 'format', message, found: input });
    } else if (hosts.includes(host)) {
      report.add({ path, rule: 'duplicate', message: 'names the same host a second time', found: input });
    }
    hosts.push(host);
  }
  return hosts;
}

function toPrimaries(
  inputs: readonly (Loose<BackendInput> | undefined)[],
  at: Path,
  translation: Translation,
): readonly WeightedBackend[] {
  const { report } = translation;
  const primaries = inputs.map((input, index): WeightedBackend => {
    const backend = toBackend(input ?? {}, [...at, index], translation);
    const { weight = DEFAULTS.weight, priority = DEFAULTS.priority } = input ?? {};
    return { ...backend, weight, priority };
  });
  if (inputs.some((input) => input === undefined) || primaries.length === 0) return primaries;
  const weighted = primaries.filter((primary) => primary.weight > 0);
  if (weighted.length === 0) {
    report.add({ path: at, rule: 'conflict', message: 'must have at least one weight above 0' });
  }
  // Each priority has a cycle of its own.
  for (const tier of Map.groupBy(weighted, (primary) => primary.priority).values()) {
    const weights = tier.map((primary) => primary.weight);
    const places = countPlaces(weights);
    if (places <= CYCLE_MAX) continue;
    const message = `must have weights that add up to ${CYCLE_MAX} at most after division by their common divisor`;
    report.add({ path: at, rule: 'range', message, found: places });
  }
  return primaries;
}

/** Two routes for exactly the same requests: one of them would never be used. */
function checkPatterns(placed: readonly PlacedRoute[]): void {
  const seen = new Map<string, PlacedRoute>();
  for (const own of placed) {
    const { input, route, at, report } = own;
    const keys = ['hosts', 'path', 'path_prefix', 'uris', 'methods', 'remote_addrs', 'vars', 'priority'];
    // Of a route without path, or with something wrong in these keys, nobody knows what it would match.
    const key = toPathKey(input);
    if (input[key] === undefined || report.hasProblemUnder(at, keys)) continue;
    const { hosts, paths, methods, remoteAddrs, vars, priority } = route;
    const texts = paths.map(({ match, path }) => `${match} ${path}`);
    const lists = [hosts, texts, methods, remoteAddrs].map((list) => list.toSorted());
    const pattern = JSON.stringify([...lists, vars, priority]);
    const other = seen.get(pattern);
    if (other === undefined) {
      seen.set(pattern, own);
      continue;
    }
    const place = report.name(other.report, [...other.at, toPathKey(other.input)]);
    const message = `matches exactly the requests of another route, in ${place}: they have the same hosts, paths, methods, remote_addrs, vars and priority`;
    report.add({ path: [...at, key], rule: 'duplicate', message, found: input[key] });
  }
}

/** The key that says which paths a route has. */
function toPathKey(input: Loose<RouteInput>): 'path' | 'uris' {
  return input.uris === undefined ? 'path' : 'uris';
}
