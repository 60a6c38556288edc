// A route in umbra's own dialect → model, and the rules between routes.
//
// Owns ids, matching and the primaries' weights, and the revision: a hash of all that a route is. Like all of the
// translation it reports and goes on.

import { createHash } from 'node:crypto';
import { PATH_EXACT, PATH_PREFIX, type Route, type WeightedBackend } from '../core/model.ts';
import { isHostPattern } from './address.ts';
import { CYCLE_MAX, DEFAULTS } from './defaults.ts';
import type { Path } from './problem.ts';
import type { BackendInput, RouteInput } from './schema.ts';
import type { Loose } from './shape.ts';
import { toMirror } from './umbra-mirror.ts';
import { checkRawPath, type Translation, toBackend, toHostHeader, toTimeouts } from './umbra-upstream.ts';

const REVISION_LENGTH = 16;

export function toRoutes(
  inputs: readonly (Loose<RouteInput> | undefined)[],
  at: Path,
  translation: Translation,
): readonly Route[] {
  const routes = inputs.map((input, index) => toRoute(input ?? {}, [...at, index], translation));
  checkIds(inputs, at, translation);
  checkPatterns(inputs, routes, at, translation);
  return routes;
}

function toRoute(input: Loose<RouteInput>, at: Path, translation: Translation): Route {
  if (input.path !== undefined) checkRawPath(input.path, [...at, 'path'], translation);
  const route: Omit<Route, 'revision'> = {
    id: input.id ?? '',
    hosts: toHosts(input.hosts ?? [], [...at, 'hosts'], translation),
    paths: [
      {
        match: (input.path_prefix ?? DEFAULTS.pathPrefix) ? PATH_PREFIX : PATH_EXACT,
        path: input.path ?? '',
      },
    ],
    methods: (input.methods ?? []).filter((method) => method !== undefined),
    remoteAddrs: [],
    vars: null,
    priority: input.priority ?? DEFAULTS.priority,
    backends: toPrimaries(input.backends ?? [], [...at, 'backends'], translation),
    hostHeader: toHostHeader(input.host_header, [...at, 'host_header'], translation),
    retries: input.retries ?? DEFAULTS.retries,
    retryTimeoutMs: null,
    timeouts: toTimeouts(input.timeout, DEFAULTS.routeTimeout),
    mirror: input.mirror === undefined ? null : toMirror(input.mirror, [...at, 'mirror'], translation),
  };
  return toRevised(route);
}

/** The route with the hash of all its settings, in the order of the model, whatever order they were written in. */
export function toRevised(route: Omit<Route, 'revision'>): Route {
  const { id, ...rest } = route;
  const revision = createHash('sha256').update(JSON.stringify(route)).digest('hex').slice(0, REVISION_LENGTH);
  return { id, revision, ...rest };
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
    return { ...backend, weight: input?.weight ?? DEFAULTS.weight, priority: 0 };
  });
  if (inputs.some((input) => input === undefined) || primaries.length === 0) return primaries;
  const weights = primaries.map((primary) => primary.weight);
  const divisor = weights.reduce(toCommonDivisor, 0);
  if (divisor === 0) {
    report.add({ path: at, rule: 'conflict', message: 'must have at least one weight above 0' });
  } else {
    const places = weights.reduce((sum, weight) => sum + weight / divisor, 0);
    if (places > CYCLE_MAX) {
      const message = `must have weights that add up to ${CYCLE_MAX} at most after division by their common divisor`;
      report.add({ path: at, rule: 'range', message, found: places });
    }
  }
  return primaries;
}

function toCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : toCommonDivisor(b, a % b);
}

function checkIds(
  inputs: readonly (Loose<RouteInput> | undefined)[],
  at: Path,
  { report }: Translation,
): void {
  const seen = new Map<string, number>();
  for (const [index, input] of inputs.entries()) {
    const id = input?.id;
    if (id === undefined) continue;
    const other = seen.get(id);
    if (other === undefined) {
      seen.set(id, index);
      continue;
    }
    const line = report.lineOf([...at, other, 'id']);
    const message = `is the id of another route too, in line ${line}`;
    report.add({ path: [...at, index, 'id'], rule: 'duplicate', message, found: id });
  }
}

/** Two routes for exactly the same requests: one of them would never be used. */
function checkPatterns(
  inputs: readonly (Loose<RouteInput> | undefined)[],
  routes: readonly Route[],
  at: Path,
  { report }: Translation,
): void {
  const seen = new Map<string, number>();
  for (const [index, route] of routes.entries()) {
    const keys = ['hosts', 'path', 'path_prefix', 'methods', 'priority'];
    // Of a route without path, or with something wrong in these keys, nobody knows what it would match.
    if (inputs[index]?.path === undefined || report.hasProblemUnder([...at, index], keys)) continue;
    const { hosts, paths, methods, priority } = route;
    const pattern = JSON.stringify([hosts.toSorted(), paths, methods.toSorted(), priority]);
    const other = seen.get(pattern);
    if (other === undefined) {
      seen.set(pattern, index);
      continue;
    }
    const [line, otherLine] = [index, other].map((place) => report.lineOf([...at, place, 'path']));
    const message = `matches exactly the requests of another route: lines ${otherLine} and ${line} have the same hosts, path, path_prefix, methods and priority`;
    report.add({ path: [...at, index, 'path'], rule: 'duplicate', message, found: inputs[index]?.path });
  }
}
