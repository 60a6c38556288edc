// Routes of the model → umbra's own YAML.
//
// Owns which keys say what, in which order, and what has no words in umbra's dialect: that becomes a comment.

import {
  HOST_PASS,
  PATH_EXACT,
  PATH_PREFIX,
  PATH_TEXT_PREFIX,
  type PathPattern,
  type Route,
  type WeightedBackend,
} from '../../core/model.ts';
import { DEFAULTS } from '../defaults.ts';
import { toDurationText } from '../quantity.ts';
import { putTrust, toExpressionValue, toMirrorBlock, toTimeoutBlock, toUrl } from './mirror-text.ts';
import type { Secrets } from './secret-text.ts';
import { Block, Remark } from './yaml-text.ts';

/** Of umbra's own dialect; APISIX takes more. */
const RETRIES_MAX = 10;

/** Comments of a route, by its id. */
export type RouteComments = ReadonlyMap<string, readonly string[]>;

export function toRouteBlocks(
  routes: readonly Route[],
  comments: RouteComments,
  secrets: Secrets,
): readonly (Block | Remark)[] {
  const seen = new Map<string, string>();
  return routes.flatMap((route): (Block | Remark)[] => {
    const leftOut = findNoWords(route, seen);
    const own = comments.get(route.id) ?? [];
    if (leftOut !== null) {
      return [...own, `Left out: route ${route.id}. ${leftOut}`].map((text) => new Remark(text));
    }
    const block = toRouteBlock(route, secrets);
    return [...own.map((text) => new Remark(text)), block];
  });
}

/** Why a route cannot be said at all; null when it can. */
function findNoWords(route: Route, seen: Map<string, string>): string | null {
  if (!route.backends.some((backend) => backend.weight > 0)) {
    return 'It has no backend with a weight above 0: its requests were answered 503.';
  }
  const pattern = toPatternText(route);
  const other = seen.get(pattern);
  if (other !== undefined) {
    return `It matches exactly the requests of route ${other}, which came first: it was never used.`;
  }
  seen.set(pattern, route.id);
  return null;
}

function toPatternText({ hosts, paths, methods, remoteAddrs, vars, priority }: Route): string {
  const texts = paths.map(({ match, path }) => `${match} ${path}`);
  const lists = [hosts, texts, methods, remoteAddrs].map((list) => list.toSorted());
  return JSON.stringify([...lists, vars, priority]);
}

function toRouteBlock(route: Route, secrets: Secrets): Block {
  const block = new Block().put('id', route.id);
  putPaths(block, route.paths);
  block
    .putFilled('hosts', route.hosts)
    .putFilled('methods', route.methods)
    .putFilled('remote_addrs', route.remoteAddrs);
  if (route.vars !== null) block.put('vars', toExpressionValue(route.vars, secrets));
  block
    .putUnless(DEFAULTS.priority, 'priority', route.priority)
    .put('backends', route.backends.map(toBackendBlock))
    .putUnless(HOST_PASS, 'host_header', route.hostHeader);
  if (route.retries > RETRIES_MAX) {
    block.put('retries', RETRIES_MAX, `It was ${route.retries}: ${RETRIES_MAX} is the most here.`);
  } else block.putUnless(DEFAULTS.retries, 'retries', route.retries);
  if (route.retryTimeoutMs !== null) block.put('retry_timeout', toDurationText(route.retryTimeoutMs));
  block.putFilled('timeout', toTimeoutBlock(route.timeouts, DEFAULTS.routeTimeout));
  if (route.mirror !== null) block.put('mirror', toMirrorBlock(route.mirror, secrets));
  return block;
}

function putPaths(block: Block, paths: readonly PathPattern[]): void {
  const [first] = paths;
  if (paths.length === 1 && (first!.match === PATH_EXACT || first!.match === PATH_PREFIX)) {
    block
      .put('path', first!.path)
      .putUnless(DEFAULTS.pathPrefix, 'path_prefix', first!.match === PATH_PREFIX);
    return;
  }
  block.put('uris', [...new Set(paths.flatMap(toUris))]);
}

/** A prefix on segment borders is two of them. */
function toUris({ match, path }: PathPattern): readonly string[] {
  if (match === PATH_TEXT_PREFIX) return [`${path}*`];
  if (match !== PATH_PREFIX) return [path];
  return path.endsWith('/') ? [`${path}*`] : [path, `${path}/*`];
}

function toBackendBlock(backend: WeightedBackend): Block {
  const block = new Block()
    .put('url', toUrl(backend))
    .putUnless(DEFAULTS.weight, 'weight', backend.weight)
    .putUnless(DEFAULTS.priority, 'priority', backend.priority);
  putTrust(block, backend);
  return block;
}
