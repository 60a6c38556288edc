// umbra's own dialect → Config: everything but the routes.
//
// Owns listeners, threads and limits. Like all of the translation it reads what the shape left over,
// reports, and goes on with a stand-in, because a config with problems is never returned.

import { availableParallelism } from 'node:os';
import type { Config, Limits, Listener, Threads } from '../../core/model.ts';
import { type Address, toAddress } from '../address.ts';
import { readTlsFiles } from '../certificate.ts';
import { DEFAULTS, THREADS_FRONTEND_MAX } from '../defaults.ts';
import type { Path } from '../problem.ts';
import { readDuration, readSize } from '../quantity.ts';
import type { Report } from '../report.ts';
import type { Loose } from '../shape.ts';
import { toAdmin, toStore } from './control.ts';
import type { HttpsInput, LimitsInput } from './edge-schema.ts';
import type { UmbraInput } from './schema.ts';
import { type Translation, toTimeouts } from './upstream.ts';

type Input = Loose<UmbraInput>;

const NO_ADDRESS: Address = { host: '', port: 0 };

/** The sections may come from several documents: `of` says from which. Routes, timeouts and notices are left to the loader. */
export function toConfig(input: Input, of: (section: keyof Input) => Translation): Config {
  // Addresses by path, so that two listeners on one address are found before the system mixes their connections up.
  const taken: (readonly [Path, Address])[] = [];
  const listeners = toListeners(input.listen ?? { http: DEFAULTS.httpAddress }, taken, of('listen'));
  const adminText = input.admin?.listen ?? DEFAULTS.adminAddress;
  const adminAddress = takeAddress(adminText, ['admin', 'listen'], taken, of('admin'));
  checkDistinct(taken, of);
  const store = toStore(input.store ?? {}, of('store'));
  const isAddress = adminAddress !== NO_ADDRESS;
  return {
    listeners,
    admin: toAdmin(input.admin ?? {}, isAddress ? adminAddress : null, store, of('admin')),
    threads: toThreads(input.threads),
    store,
    shutdownTimeoutMs: readDuration(input.shutdown_timeout, DEFAULTS.shutdownTimeout),
    limits: toLimits(input.limits ?? {}),
    routes: [],
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

function checkDistinct(
  taken: readonly (readonly [Path, Address])[],
  of: (section: keyof Input) => Translation,
): void {
  const reportOf = (path: Path): Report => of(path[0] as keyof Input).report;
  for (const [index, [path, address]] of taken.entries()) {
    const other = taken.slice(0, index).find(([, earlier]) => isSamePlace(earlier, address));
    if (other === undefined) continue;
    const message = `takes an address that is taken already, in ${reportOf(path).name(reportOf(other[0]), other[0])}`;
    reportOf(path).add({ path, rule: 'duplicate', message, found: `${address.host}:${address.port}` });
  }
}

function isSamePlace(a: Address, b: Address): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  const isWide = (address: Address, wildcard: string, other: Address): boolean =>
    address.host === wildcard && other.host.includes(':') === wildcard.includes(':');
  const isCovered = ['0.0.0.0', '::'].some((wildcard) => isWide(a, wildcard, b) || isWide(b, wildcard, a));
  return a.host === b.host || isCovered;
}

function toThreads(input: Input['threads']): Threads {
  const half = Math.floor(availableParallelism() / 2);
  const { frontend = DEFAULTS.threads, mirror = DEFAULTS.threads } = input ?? {};
  return {
    frontend: typeof frontend === 'number' ? frontend : Math.min(Math.max(1, half), THREADS_FRONTEND_MAX),
    mirror: typeof mirror === 'number' ? mirror : 1,
  };
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
