// umbra's own dialect → Config: everything but the routes.
//
// Owns listeners, admin, threads, store and limits. Like all of the translation it reads what the shape left over,
// reports, and goes on with a stand-in, because a config with problems is never returned.

import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import {
  ADMIN_API_V3,
  type AdminSettings,
  type Config,
  type Limits,
  type Listener,
  type Threads,
} from '../core/model.ts';
import { type Address, isLoopback, toAddress } from './address.ts';
import { readTlsFiles } from './certificate.ts';
import { DEFAULTS, THREADS_FRONTEND_MAX } from './defaults.ts';
import type { HttpsInput, LimitsInput } from './edge-schema.ts';
import type { Path } from './problem.ts';
import type { UmbraInput } from './schema.ts';
import type { Loose } from './shape.ts';
import { toRoutes } from './umbra-route.ts';
import { readDuration, readSize, type Translation, toTimeouts } from './umbra-upstream.ts';

type Input = Loose<UmbraInput>;

const NO_ADDRESS: Address = { host: '', port: 0 };

export function toConfig(input: Input, translation: Translation): Config {
  // Addresses by path, so that two listeners on one address are found before the system mixes their connections up.
  const taken: (readonly [Path, Address])[] = [];
  const listeners = toListeners(input.listen ?? { http: DEFAULTS.httpAddress }, taken, translation);
  const admin = toAdmin(input.admin ?? {}, taken, translation);
  checkDistinct(taken, translation);
  return {
    listeners,
    admin,
    threads: toThreads(input.threads),
    store: { type: 'file', path: toStorePath(input.store, translation) },
    shutdownTimeoutMs: readDuration(input.shutdown_timeout, DEFAULTS.shutdownTimeout),
    limits: toLimits(input.limits ?? {}),
    routes: toRoutes(input.routes ?? [], ['routes'], translation),
    apisixMirrorTimeouts: toTimeouts(undefined, DEFAULTS.apisixMirrorTimeout),
    notices: [],
  };
}

function toListeners(
  input: NonNullable<Input['listen']>,
  taken: (readonly [Path, Address])[],
  translation: Translation,
): readonly Listener[] {
  const listeners: Listener[] = [];
  for (const [path, text] of listWithPaths(input.http, ['listen', 'http'])) {
    const address = takeAddress(text, path, taken, translation);
    listeners.push({ host: address.host, port: address.port, tls: null });
  }
  for (const [path, https] of listWithPaths<Loose<HttpsInput>>(input.https, ['listen', 'https'])) {
    const { report, folder } = translation;
    const { certificate, key } = https;
    const address =
      https.address === undefined
        ? NO_ADDRESS
        : takeAddress(https.address, [...path, 'address'], taken, translation);
    const isNamed = certificate !== undefined && key !== undefined;
    const tls = isNamed ? readTlsFiles(certificate, key, folder, path, report) : null;
    listeners.push({ host: address.host, port: address.port, tls });
  }
  return listeners;
}

/** One value or a list of them, each with its place. */
function listWithPaths<T>(input: T | readonly (T | undefined)[] | undefined, at: Path): [Path, T][] {
  if (input === undefined) return [];
  if (!isList(input)) return [[at, input]];
  return input.flatMap((item, index): [Path, T][] => (item === undefined ? [] : [[[...at, index], item]]));
}

function isList<T>(input: T | readonly T[]): input is readonly T[] {
  return Array.isArray(input);
}

function takeAddress(
  text: string,
  path: Path,
  taken: (readonly [Path, Address])[],
  { report }: Translation,
): Address {
  const { value, wrong } = toAddress(text);
  if (wrong !== null) {
    report.add({ path, rule: 'format', message: wrong, found: text });
    return NO_ADDRESS;
  }
  taken.push([path, value]);
  return value;
}

function checkDistinct(taken: readonly (readonly [Path, Address])[], { report }: Translation): void {
  for (const [index, [path, address]] of taken.entries()) {
    const other = taken.slice(0, index).find(([, earlier]) => isSamePlace(earlier, address));
    if (other === undefined) continue;
    const message = `takes an address that is taken already, in line ${report.lineOf(other[0])}`;
    report.add({ path, rule: 'duplicate', message, found: `${address.host}:${address.port}` });
  }
}

function isSamePlace(a: Address, b: Address): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  const isWide = (address: Address, wildcard: string, other: Address): boolean =>
    address.host === wildcard && other.host.includes(':') === wildcard.includes(':');
  const isCovered = ['0.0.0.0', '::'].some((wildcard) => isWide(a, wildcard, b) || isWide(b, wildcard, a));
  return a.host === b.host || isCovered;
}

function toAdmin(
  input: NonNullable<Input['admin']>,
  taken: (readonly [Path, Address])[],
  translation: Translation,
): AdminSettings {
  const { report } = translation;
  const path = ['admin', 'listen'];
  const address = takeAddress(input.listen ?? DEFAULTS.adminAddress, path, taken, translation);
  const key = input.key === undefined || input.key === '' ? null : input.key;
  const isOpen = address !== NO_ADDRESS && !isLoopback(address.host);
  if (isOpen && key === null && !report.hasProblemUnder(['admin'], ['key'])) {
    const message = 'must be on loopback unless admin.key is set';
    report.add({ path, rule: 'conflict', message, found: input.listen });
  }
  return {
    host: address.host,
    port: address.port,
    key,
    viewerKey: null,
    keyRequired: true,
    keyFile: resolve(translation.folder, DEFAULTS.adminKeyPath),
    allow: [],
    apiVersion: ADMIN_API_V3,
    onProxyPort: false,
  };
}

function toThreads(input: Input['threads']): Threads {
  const half = Math.floor(availableParallelism() / 2);
  const { frontend = DEFAULTS.threads, mirror = DEFAULTS.threads } = input ?? {};
  return {
    frontend: typeof frontend === 'number' ? frontend : Math.min(Math.max(1, half), THREADS_FRONTEND_MAX),
    mirror: typeof mirror === 'number' ? mirror : 1,
  };
}

function toStorePath(input: Input['store'], { report, folder }: Translation): string {
  const path = resolve(folder, input?.path ?? DEFAULTS.storePath);
  if (input?.type === 'redis') {
    const message = 'is not served yet: file is the only store so far';
    report.add({ path: ['store', 'type'], rule: 'not_served', message, found: input.type });
    if (input.path !== undefined) {
      report.add({ path: ['store', 'path'], rule: 'conflict', message: 'belongs to type file', atKey: true });
    }
  }
  if (input?.type === 'file' && input.url !== undefined) {
    report.add({ path: ['store', 'url'], rule: 'conflict', message: 'belongs to type redis', atKey: true });
  }
  if (input?.url !== undefined && !isRedisUrl(input.url)) {
    const message = 'must be a redis:// or rediss:// address with a host';
    report.add({ path: ['store', 'url'], rule: 'format', message });
  }
  return path;
}

function isRedisUrl(text: string): boolean {
  return URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol) && new URL(text).hostname !== '';
}

function toLimits(input: Loose<LimitsInput>): Limits {
  const { limits } = DEFAULTS;
  return {
    headerBytes: readSize(input.header_bytes, limits.headerBytes),
    headerCount: input.header_count ?? limits.headerCount,
    targetBytes: readSize(input.target_length, limits.targetLength),
    bodyBytes: input.body === undefined ? Number.POSITIVE_INFINITY : readSize(input.body, ''),
    inFlight: input.in_flight ?? limits.inFlight,
    connectionsPerAddress: input.connections_per_address ?? limits.connectionsPerAddress,
    upstreamConnections: input.upstream_connections ?? limits.upstreamConnections,
    upstreamQueue: input.upstream_queue ?? limits.upstreamQueue,
    upstreamQueueMs: readDuration(input.upstream_queue_timeout, limits.upstreamQueueTimeout),
    overloadDelayMs: readDuration(input.overload_delay, limits.overloadDelay),
  };
}
