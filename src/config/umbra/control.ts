// The admin listener and the store in umbra's own dialect → model.
//
// Owns who may be left without a key: nobody that can be reached from another machine.

import { dirname, join, resolve } from 'node:path';
import { findAddressProblem } from '../../core/address-set.ts';
import type { AdminSettings, RedisSettings, StoreSettings } from '../../core/model.ts';
import { type Address, isHostName, isLoopback } from '../address.ts';
import { DEFAULTS } from '../defaults.ts';
import { readDuration } from '../quantity.ts';
import type { Report } from '../report.ts';
import type { Loose } from '../shape.ts';
import type { AdminInput, StoreInput } from './control-schema.ts';
import type { Translation } from './upstream.ts';

const REDIS_PORT = 6379;
const REDIS_URL_MESSAGE =
  'must be redis://[user[:password]@]host[:port][/database] or the same with rediss://, its user name and password percent-encoded';
const STAND_IN: RedisSettings = {
  nodes: [],
  isCluster: false,
  username: null,
  password: null,
  database: 0,
  tls: false,
  timeoutMs: 0,
};
const OF_REDIS = ['url', 'prefix', 'timeout'] as const;

/** `address` is null when the one that is written is none. */
export function toAdmin(
  input: Loose<AdminInput>,
  address: Address | null,
  store: StoreSettings,
  { report, folder }: Translation,
): AdminSettings {
  const settings: AdminSettings = {
    host: address?.host ?? '',
    port: address?.port ?? 0,
    key: toKey(input.key),
    viewerKey: toKey(input.viewer_key),
    keyRequired: input.key_required ?? DEFAULTS.adminKeyRequired,
    keyFile: input.key_file === undefined ? toKeyFile(store) : resolve(folder, input.key_file),
    allow: (input.allow ?? []).filter((member) => member !== undefined),
    apiVersion: input.admin_api_version ?? DEFAULTS.adminApiVersion,
    onProxyPort: input.on_proxy_port ?? DEFAULTS.adminOnProxyPort,
  };
  for (const [index, member] of (input.allow ?? []).entries()) {
    const message = member === undefined ? null : findAddressProblem(member);
    if (message !== null)
      report.add({ path: ['admin', 'allow', index], rule: 'format', message, found: member });
  }
  if (settings.viewerKey !== null && settings.viewerKey === settings.key) {
    const message = 'must differ from admin.key, which may do more';
    report.add({ path: ['admin', 'viewer_key'], rule: 'conflict', message });
  }
  checkExposure(input, settings, address !== null && !isLoopback(address.host), report);
  return settings;
}

/** Whoever reaches the Admin API from another machine must bring a key that somebody has chosen. */
function checkExposure(
  input: Loose<AdminInput>,
  { key, keyRequired, onProxyPort, allow }: AdminSettings,
  isOpen: boolean,
  report: Report,
): void {
  const add = (name: 'listen' | 'on_proxy_port' | 'key_required', message: string): void =>
    report.add({ path: ['admin', name], rule: 'conflict', message, found: input[name] });
  const isKeyUnknown = report.hasProblemUnder(['admin'], ['key']);
  if (key === null && !isKeyUnknown) {
    if (isOpen) add('listen', 'must be on loopback unless admin.key is set');
    if (onProxyPort)
      add('on_proxy_port', 'needs admin.key: clients of the gateway can reach the Admin API then');
  }
  if (!keyRequired && allow.length === 0 && (isOpen || onProxyPort)) {
    const where = isOpen ? 'admin.listen is off loopback' : 'admin.on_proxy_port is on';
    add('key_required', `must be true while ${where}, unless admin.allow says who may come`);
  }
}

function toKey(input: string | undefined): string | null {
  return input === undefined || input === '' ? null : input;
}

function toKeyFile(store: StoreSettings): string {
  return join(dirname(store.type === 'file' ? store.path : store.cachePath), DEFAULTS.adminKeyName);
}

export function toStore(input: Loose<StoreInput>, { report, folder }: Translation): StoreSettings {
  if (input.type !== 'redis') {
    for (const key of OF_REDIS) {
      if (input.type !== 'file' || input[key] === undefined) continue;
      report.add({ path: ['store', key], rule: 'conflict', message: 'belongs to type redis', atKey: true });
    }
    return { type: 'file', path: resolve(folder, input.path ?? DEFAULTS.storePath) };
  }
  const redis = input.url === undefined ? STAND_IN : toRedis(input.url, input.timeout);
  if (redis === null) report.add({ path: ['store', 'url'], rule: 'format', message: REDIS_URL_MESSAGE });
  return {
    type: 'redis',
    redis: redis ?? STAND_IN,
    prefix: input.prefix ?? DEFAULTS.storePrefix,
    cachePath: resolve(folder, input.path ?? DEFAULTS.storeCachePath),
  };
}

/** Null when the text is no such address. */
function toRedis(text: string, timeout: string | undefined): RedisSettings | null {
  if (!/^rediss?:\/\/[^/]/i.test(text) || !URL.canParse(text)) return null;
  const { protocol, hostname, port, pathname, search, hash, username, password } = new URL(text);
  const database = /^(?:\/([0-9]{0,9}))?$/.exec(pathname);
  if (!isHostName(hostname) || port === '0' || search !== '' || hash !== '' || database === null) return null;
  try {
    return {
      nodes: [
        {
          host: hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase(),
          port: port === '' ? REDIS_PORT : Number(port),
        },
      ],
      isCluster: false,
      username: username === '' ? null : decodeURIComponent(username),
      password: password === '' ? null : decodeURIComponent(password),
      database: Number(database[1] ?? 0),
      tls: protocol === 'rediss:',
      timeoutMs: readDuration(timeout, DEFAULTS.storeTimeout),
    };
  } catch {
    // Of a percent sign that encodes nothing.
    return null;
  }
}
