// An upstream in APISIX's form → the part of a route that says where requests go.
//
// Owns what of it umbra serves. Reads what the shape left over, so anything may be missing; like all of the translation it
// reports and goes on.

import { isIPv6 } from 'node:net';
import { HOST_NODE, HOST_PASS, type Route, type Timeouts, type WeightedBackend } from '../../core/model.ts';
import { isHostHeader, toOrigin } from '../address.ts';
import {
  BACKENDS_MAX,
  CYCLE_MAX,
  DEFAULTS,
  DURATION_MS_MAX,
  INTEGER_MAX,
  INTEGER_MIN,
  WEIGHT_MAX,
} from '../defaults.ts';
import type { Path } from '../problem.ts';
import type { Loose } from '../shape.ts';
import { countPlaces, findCommonDivisor } from '../weight.ts';
import type { Remarks, Subject } from './remark.ts';
import type { NodeInput, UpstreamInput } from './upstream-schema.ts';

export interface Upstream extends Pick<Route, 'backends' | 'hostHeader' | 'retries' | 'retryTimeoutMs'> {
  /** Null when it says nothing about them. */
  readonly timeouts: Timeouts | null;
}

/** What a route without upstream has. */
export const NO_UPSTREAM: Upstream = {
  backends: [],
  hostHeader: HOST_PASS,
  retries: 0,
  retryTimeoutMs: null,
  timeouts: null,
};

interface Node {
  /** In the upstream. */
  readonly path: Path;
  /** As it is shown. */
  readonly text: string;
  readonly host: string;
  readonly port: number | string | null;
  readonly weight: number;
  readonly priority: number;
}

const DISCOVERY_KEYS = ['service_name', 'discovery_type', 'discovery_args'] as const;

/** What has no effect here, with the reason. */
const IDLE_KEYS = {
  checks: 'has no effect: the health of nodes is not checked, a failed attempt goes on to another one',
  keepalive_pool: 'has no effect: connections are bounded by `limits` of the configuration',
} as const;

export function toUpstream(input: Loose<UpstreamInput>, about: Subject, remarks: Remarks): Upstream {
  for (const key of DISCOVERY_KEYS) {
    if (input[key] !== undefined)
      remarks.addProblem(about, [key], 'not_served', 'is not served yet: list the nodes');
  }
  for (const [key, message] of Object.entries(IDLE_KEYS)) {
    if (input[key as keyof typeof IDLE_KEYS] !== undefined) remarks.addNotice(about, [key], message);
  }
  checkTls(input, about, remarks);
  const backends = toBackends(listNodes(input.nodes), input, about, remarks);
  const usable = backends.filter(({ weight }) => weight > 0).length;
  checkType(input, usable, about, remarks);
  // A node is never tried twice.
  const retriesMax = Math.max(0, usable - 1);
  const { retry_timeout: retryTimeout = 0 } = input;
  return {
    backends,
    hostHeader: toHostHeader(input, about, remarks),
    retries: Math.min(input.retries ?? retriesMax, retriesMax),
    retryTimeoutMs: retryTimeout === 0 ? null : toMs(retryTimeout),
    timeouts: toTimeouts(input.timeout),
  };
}

/** From seconds. */
export function toTimeouts(input: Loose<UpstreamInput>['timeout']): Timeouts | null {
  const { connect, send, read } = input ?? {};
  if (connect === undefined || send === undefined || read === undefined) return null;
  return { connectMs: toMs(connect), sendMs: toMs(send), readMs: toMs(read) };
}

function toMs(seconds: number): number {
  return Math.min(DURATION_MS_MAX, Math.max(1, Math.round(seconds * 1000)));
}

function listNodes(input: Loose<UpstreamInput>['nodes']): readonly Node[] {
  if (input === undefined || input === null) return [];
  if (Array.isArray(input)) {
    return (input as readonly (Loose<NodeInput> | undefined)[]).flatMap((node, index) => {
      const { host, port = null, weight, priority = 0 } = node ?? {};
      if (host === undefined || weight === undefined) return [];
      return [{ path: ['nodes', index], text: host, host, port, weight, priority }];
    });
  }
  return Object.entries(input as Readonly<Record<string, number | undefined>>).flatMap(([text, weight]) =>
    weight === undefined ? [] : [{ path: ['nodes', text], text, ...splitPort(text), weight, priority: 0 }],
  );
}

/** `host`, `host:port`, `[::1]:port`, and an IPv6 address without brackets. */
function splitPort(text: string): Pick<Node, 'host' | 'port'> {
  const end = text.startsWith('[') ? text.indexOf(']') + 1 : text.indexOf(':');
  if (end <= 0 || end === text.length || isIPv6(text)) return { host: text, port: null };
  return { host: text.slice(0, end), port: text.slice(end + 1) };
}

function toBackends(
  nodes: readonly Node[],
  input: Loose<UpstreamInput>,
  about: Subject,
  remarks: Remarks,
): readonly WeightedBackend[] {
  const scheme = input.scheme ?? 'http';
  if (scheme !== 'http' && scheme !== 'https') {
    const message = 'is not served yet: http and https are';
    remarks.addProblem(about, ['scheme'], 'not_served', message, scheme);
    return [];
  }
  const backends = new Map<string, WeightedBackend>();
  for (const node of nodes) {
    const host = isIPv6(node.host) ? `[${node.host}]` : node.host;
    const { value, wrong } = toOrigin(`${scheme}://${host}${node.port === null ? '' : `:${node.port}`}`);
    if (wrong !== null) {
      const message = 'must be a name or an address, with a port from 1 to 65535 or without one';
      remarks.addProblem(about, node.path, 'format', message, node.text);
      continue;
    }
    const { origin, authority } = value;
    // APISIX keeps the last weight of a node that is listed twice at one priority.
    const key = `${node.priority} ${origin}`;
    if (backends.has(key))
      remarks.addNotice(about, node.path, 'is listed before: this weight counts', node.text);
    const { weight } = node;
    const at = [...node.path, 'priority'];
    const priority = remarks.bound(about, at, node.priority, INTEGER_MIN, INTEGER_MAX);
    const tls = scheme === 'https' ? { verify: false, ca: null } : null;
    backends.set(key, { origin, authority, tls, client: DEFAULTS.client, weight, priority });
  }
  return toBalanced([...backends.values()], about, remarks);
}

function toBalanced(
  backends: readonly WeightedBackend[],
  about: Subject,
  remarks: Remarks,
): readonly WeightedBackend[] {
  if (backends.length > BACKENDS_MAX) {
    const message = `must have at most ${BACKENDS_MAX} nodes`;
    remarks.addProblem(about, ['nodes'], 'range', message, backends.length);
  }
  const divisors = new Map<number, number>();
  for (const [priority, tier] of Map.groupBy(backends, (backend) => backend.priority)) {
    const weights = tier.map(({ weight }) => weight);
    const isLarge = weights.some((weight) => weight > WEIGHT_MAX);
    divisors.set(priority, isLarge ? findCommonDivisor(weights) : 1);
    const places = countPlaces(weights);
    if (places <= CYCLE_MAX) continue;
    const message = `must have weights that add up to ${CYCLE_MAX} at most after division by their common divisor`;
    remarks.addProblem(about, ['nodes'], 'range', message, places);
  }
  return backends.map((backend) => ({
    ...backend,
    weight: backend.weight / divisors.get(backend.priority)!,
  }));
}

/** With one node to choose from, every way of choosing is the same. */
function checkType(
  { type = 'roundrobin' }: Loose<UpstreamInput>,
  usable: number,
  about: Subject,
  remarks: Remarks,
): void {
  if (type === 'roundrobin' || usable < 2) return;
  if (type === 'least_conn' || type === 'ewma') {
    remarks.addNotice(about, ['type'], 'is served as roundrobin', type);
  } else {
    remarks.addProblem(about, ['type'], 'not_served', 'is not served yet: roundrobin is', type);
  }
}

function toHostHeader(input: Loose<UpstreamInput>, about: Subject, remarks: Remarks): string {
  const { pass_host: rule = 'pass', upstream_host: host } = input;
  if (rule !== 'rewrite') {
    if (host !== undefined) {
      remarks.addNotice(about, ['upstream_host'], 'has no effect: it belongs to pass_host: rewrite');
    }
    return rule === 'node' ? HOST_NODE : HOST_PASS;
  }
  if (host === undefined) {
    const message = 'is missing: pass_host is rewrite';
    remarks.addProblem(about, ['upstream_host'], 'required', message);
    return HOST_PASS;
  }
  // The model has no other way to tell these two from the rules of the same name.
  if (host === HOST_PASS || host === HOST_NODE || !isHostHeader(host)) {
    const message = 'must be a host, with or without a port';
    remarks.addProblem(about, ['upstream_host'], 'format', message, host);
  }
  return host;
}

function checkTls({ tls = {} }: Loose<UpstreamInput>, about: Subject, remarks: Remarks): void {
  for (const key of ['client_cert_id', 'client_cert', 'client_key'] as const) {
    if (tls[key] === undefined) continue;
    const message = 'is not served yet: umbra shows upstreams no certificate';
    remarks.addProblem(about, ['tls', key], 'not_served', message);
  }
  if (tls.verify === true) {
    const message = "has no effect: certificates are verified with umbra's own form only";
    remarks.addNotice(about, ['tls', 'verify'], message);
  }
}
