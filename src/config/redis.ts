// The `redis_*` keys of a limit → how Redis is spoken to. They are those of APISIX's plugins, in every dialect.
//
// Owns which of them count for a single server and which for a cluster.

import { isIPv6 } from 'node:net';
import type { RedisNode, RedisSettings } from '../core/model.ts';
import { isHostName, isServerAddress } from './address.ts';
import { DEFAULTS } from './defaults.ts';
import type { Path } from './problem.ts';
import type { Loose } from './shape.ts';
import type { LimitInput } from './umbra/limit-schema.ts';

export type RedisInput = Pick<Loose<LimitInput>, Extract<keyof LimitInput, `redis_${string}`>>;

/** What is wrong with the key at that path. */
export type AddProblem = (path: Path, message: string, found: string) => void;

/** For input that has passed the schema, which asks for what each policy needs. */
export function toRedisSettings(input: RedisInput, isCluster: boolean, add: AddProblem): RedisSettings {
  const { limit } = DEFAULTS;
  const server = toServer(input, add);
  const members = toMembers(input, add);
  return {
    nodes: isCluster ? members : server,
    isCluster,
    username: null,
    password: input.redis_password === undefined || input.redis_password === '' ? null : input.redis_password,
    database: isCluster ? 0 : (input.redis_database ?? limit.redisDatabase),
    tls: false,
    timeoutMs: input.redis_timeout ?? limit.redisTimeout,
  };
}

function toServer(input: RedisInput, add: AddProblem): readonly RedisNode[] {
  const { redis_host: host, redis_port: port = DEFAULTS.limit.redisPort } = input;
  if (host === undefined) return [];
  if (!isHostName(host) && !isIPv6(host)) {
    add(['redis_host'], 'must be a name or an address, without a port', host);
  }
  return [{ host: toBare(host), port }];
}

function toMembers(input: RedisInput, add: AddProblem): readonly RedisNode[] {
  const nodes: RedisNode[] = [];
  for (const [index, text] of (input.redis_cluster_nodes ?? []).entries()) {
    if (text === undefined) continue;
    if (!isServerAddress(text)) {
      add(['redis_cluster_nodes', index], 'must be host:port', text);
      continue;
    }
    const colon = text.lastIndexOf(':');
    nodes.push({ host: toBare(text.slice(0, colon)), port: Number(text.slice(colon + 1)) });
  }
  return nodes;
}

function toBare(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
