// A whole config of the model → umbra's own YAML.
//
// Owns everything but the routes: listeners, admin, threads, store, limits. Writes only what differs from what umbra does
// without a file, in the order of the documentation's example.

import { dirname, join } from 'node:path';
import type { AdminSettings, Config, Limits, Listener, StoreSettings } from '../../core/model.ts';
import { DEFAULTS } from '../defaults.ts';
import { toDurationText } from '../quantity.ts';
import { putDuration, putSize } from './mirror-text.ts';
import { type RouteComments, toRouteBlocks } from './route-text.ts';
import { Secrets } from './secret-text.ts';
import { Block, Remark, toCommentLine, toYamlText, type Value } from './yaml-text.ts';

const MODELINE = 'yaml-language-server: $schema=config/umbra.schema.json';
const SECRET_COMMENT = 'It was left out here: give it in the environment.';

export interface UmbraText {
  readonly text: string;
  /** The environment with which the text means what the config meant. */
  readonly environment: NodeJS.ProcessEnv;
}

export interface Comments {
  /** Of the whole file. */
  readonly head: readonly string[];
  readonly routes: RouteComments;
}

/** `silent` is what holds where a file says nothing, in the same folder. */
export function toUmbraText(config: Config, silent: Config, comments: Comments): UmbraText {
  const secrets = new Secrets();
  const block = new Block()
    .putFilled('listen', toListenBlock(config.listeners, silent.listeners))
    .putFilled('admin', toAdminBlock(config, silent.admin, secrets))
    .putFilled(
      'threads',
      new Block()
        .putUnless(silent.threads.frontend, 'frontend', config.threads.frontend)
        .putUnless(silent.threads.mirror, 'mirror', config.threads.mirror),
    )
    .putFilled('store', toStoreBlock(config.store, silent.store, secrets));
  putDuration(block, 'shutdown_timeout', config.shutdownTimeoutMs, DEFAULTS.shutdownTimeout);
  block.putFilled('limits', toLimitsBlock(config.limits));
  const routes = toRouteBlocks(config.routes, comments.routes, secrets);
  const remarks = routes.filter((route) => route instanceof Remark);
  if (remarks.length < routes.length) block.put('routes', routes);
  else block.put('routes', [], ...remarks.map(({ text }) => text));
  const head = [MODELINE, ...(comments.head.length === 0 ? [] : ['', ...comments.head])];
  const lines = head.map(toCommentLine).join('\n');
  return { text: `${lines}\n\n${toYamlText(block)}`, environment: secrets.toEnvironment() };
}

function toListenBlock(listeners: readonly Listener[], silent: readonly Listener[]): Block {
  const block = new Block();
  if (JSON.stringify(listeners) === JSON.stringify(silent)) return block;
  const plain = listeners.filter(({ tls }) => tls === null).map(toAddressText);
  const https = listeners.flatMap((listener) =>
    listener.tls === null
      ? []
      : [
          new Block()
            .put('address', toAddressText(listener))
            .put('certificate', listener.tls.certificateFile)
            .put('key', listener.tls.keyFile),
        ],
  );
  return block.putFilled('http', toOneOrMore(plain)).putFilled('https', toOneOrMore(https));
}

function toOneOrMore<T extends Value>(list: readonly T[]): Block | readonly Value[] {
  const [only] = list;
  return list.length === 1 && only instanceof Block ? only : list;
}

function toAddressText({ host, port }: { host: string; port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function toAdminBlock({ admin, store }: Config, silent: AdminSettings, secrets: Secrets): Block {
  const block = new Block().putUnless(toAddressText(silent), 'listen', toAddressText(admin));
  if (admin.key !== null) block.put('key', secrets.refer('ADMIN_KEY', admin.key), SECRET_COMMENT);
  if (admin.viewerKey !== null) {
    block.put('viewer_key', secrets.refer('VIEWER_KEY', admin.viewerKey), SECRET_COMMENT);
  }
  const keyFile = join(dirname(store.type === 'file' ? store.path : store.cachePath), DEFAULTS.adminKeyName);
  return block
    .putUnless(silent.keyRequired, 'key_required', admin.keyRequired)
    .putUnless(keyFile, 'key_file', admin.keyFile)
    .putFilled('allow', admin.allow)
    .putUnless(silent.apiVersion, 'admin_api_version', admin.apiVersion)
    .putUnless(silent.onProxyPort, 'on_proxy_port', admin.onProxyPort);
}

function toStoreBlock(store: StoreSettings, silent: StoreSettings, secrets: Secrets): Block {
  const block = new Block();
  if (JSON.stringify(store) === JSON.stringify(silent)) return block;
  block.put('type', store.type);
  if (store.type === 'file') return block.put('path', store.path);
  const { nodes, tls, username, password, database, timeoutMs } = store.redis;
  const [node] = nodes;
  const user = encodeURIComponent(username ?? '');
  const login = password === null ? user : `${user}:${encodeURIComponent(password)}`;
  const server = toAddressText(node ?? { host: '', port: 0 });
  const url = `redis${tls ? 's' : ''}://${login}${login === '' ? '' : '@'}${server}/${database}`;
  block.put('path', store.cachePath);
  if (password === null) block.put('url', url);
  else block.put('url', secrets.refer('STORE_URL', url), SECRET_COMMENT);
  block.putUnless(DEFAULTS.storePrefix, 'prefix', store.prefix);
  putDuration(block, 'timeout', timeoutMs, DEFAULTS.storeTimeout);
  return block;
}

function toLimitsBlock(limits: Limits): Block {
  const defaults = DEFAULTS.limits;
  const block = new Block();
  putSize(block, 'header_bytes', limits.headerBytes, defaults.headerBytes);
  block.putUnless(defaults.headerCount, 'header_count', limits.headerCount);
  putSize(block, 'target_length', limits.targetBytes, defaults.targetLength);
  if (Number.isFinite(limits.bodyBytes)) putSize(block, 'body', limits.bodyBytes, '');
  block
    .putUnless(defaults.inFlight, 'in_flight', limits.inFlight)
    .putUnless(defaults.connectionsPerAddress, 'connections_per_address', limits.connectionsPerAddress)
    .putUnless(defaults.upstreamConnections, 'upstream_connections', limits.upstreamConnections)
    .putUnless(defaults.upstreamQueue, 'upstream_queue', limits.upstreamQueue);
  putDuration(block, 'upstream_queue_timeout', limits.upstreamQueueMs, defaults.upstreamQueueTimeout);
  putDuration(block, 'overload_delay', limits.overloadDelayMs, defaults.overloadDelay);
  return block;
}

/** Of mirrors that come by the Admin API; umbra's own dialect has no key for it. */
export function toApisixTimeoutComment({ apisixMirrorTimeouts }: Config, silent: Config): string | null {
  if (JSON.stringify(apisixMirrorTimeouts) === JSON.stringify(silent.apisixMirrorTimeouts)) return null;
  const { connectMs, sendMs, readMs } = apisixMirrorTimeouts;
  const [connect, send, read] = [connectMs, sendMs, readMs].map(toDurationText);
  return `Left out: plugin_attr.proxy-mirror.timeout (connect ${connect}, send ${send}, read ${read}) of routes that come by the Admin API.`;
}
