// What the store keeps in Redis, and the scripts that read and change it, each in one step.
//
// Owns the layout: one hash, so that Redis can lose all of it or nothing (an eviction takes whole keys), with the fields
// `epoch`, `revision`, `stamp` and one `KIND/ID` for each resource; beside it the outcome of each gateway's last write.
// A script that is refused has changed nothing: the first command of it that writes is the one that can fail.
// Needs Redis 5: scripts that ask for the time may write there.

import { RedisFailure, type RedisScript } from '../../redis/connection.ts';

/** More are neither written nor read: the answer must fit into memory and into the deadline of a command. */
export const RESOURCES_MAX = 30_000;
/** Of their texts together. Reading is allowed a little more: writers at the same time may pass the bound together. */
export const WRITE_BYTES_MAX = 72 * 1024 * 1024;
export const READ_BYTES_MAX = WRITE_BYTES_MAX + 24 * 1024 * 1024;
/** How long a write's outcome can be asked for; longer than the system tries to deliver what was sent before. */
const OUTCOME_MS = 600_000;
/** Of the hash, beside the resources. */
const META_FIELDS = 3;

/**
 * Which state of the resources: `epoch` names the set since it was made, `revision` counts its changes, and `stamp` names
 * the last one: after a fail-over that lost some, another change may have the same number.
 */
export interface Head {
  readonly epoch: string;
  readonly revision: number;
  readonly stamp: string;
}

export interface Keys {
  readonly hash: string;
  /** Of this gateway's writes. */
  readonly outcome: string;
  readonly channel: string;
}

/** All keys are in one slot of a cluster. `node` names this process among all that share the resources. */
export function toKeys(prefix: string, node: string): Keys {
  const base = `${prefix}:{routes}:`;
  return { hash: `${base}resources`, outcome: `${base}outcome:${node}`, channel: `${base}changes` };
}

/** Answers with the head and Redis's time, and with all fields when the head is another than the one that is known. */
export const READ: RedisScript = {
  name: 'umbraStoreRead',
  lua: `
local head = redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'stamp')
local clock = redis.call('TIME')
local answer = {head[1], head[2], head[3], string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000)), false}
if head[1] and head[1] == ARGV[1] and head[2] == ARGV[2] and head[3] == ARGV[3] then return answer end
local count = redis.call('HLEN', KEYS[1]) - ${META_FIELDS}
if count > ${RESOURCES_MAX} then
  return redis.error_reply('ERR ' .. KEYS[1] .. ' has ' .. count .. ' resources, more than ${RESOURCES_MAX}')
end
local fields = redis.call('HGETALL', KEYS[1])
local bytes = 0
for i = 2, #fields, 2 do bytes = bytes + #fields[i] end
if bytes > ${READ_BYTES_MAX} then
  return redis.error_reply('ERR ' .. KEYS[1] .. ' has ' .. bytes .. ' bytes, more than ${READ_BYTES_MAX}')
end
answer[5] = fields
return answer`,
};

/**
 * One change. Refused as `late` after its deadline by Redis's clock, and when its outcome was already asked for: what a
 * client was told cannot be made wrong by bytes that were on their way. ARGV: field, basis or empty, text of the value or
 * empty, epoch, number of this gateway's write, stamp, deadline, channel; and where the resource is damaged, its text, which
 * is then the basis, and its createdIndex as last known, or empty.
 */
export const WRITE: RedisScript = {
  name: 'umbraStoreWrite',
  lua: `
local clock = redis.call('TIME')
if clock[1] * 1000 + clock[2] / 1000 > tonumber(ARGV[7]) then return {'late'} end
local last = redis.call('GET', KEYS[2])
if last and tonumber(string.match(last, '^%d+')) >= tonumber(ARGV[5]) then return {'late'} end
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[4] then return {'conflict'} end
local before = redis.call('HGET', KEYS[1], 'stamp') or ''
local text = redis.call('HGET', KEYS[1], ARGV[1])
local created = false
if text and text == ARGV[9] then
  created = ARGV[10] ~= '' and ARGV[10]
elseif text then
  local modified
  created, modified = string.match(text, '^{"createdIndex":(%d+),"modifiedIndex":(%d+),"value":{')
  if modified ~= ARGV[2] then return {'conflict'} end
elseif ARGV[2] ~= '' then
  return {'conflict'}
elseif redis.call('HLEN', KEYS[1]) - ${META_FIELDS} >= ${RESOURCES_MAX} then
  return {'full'}
end
local revision = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'revision', 1))
created = created or revision
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1],
    '{"createdIndex":' .. created .. ',"modifiedIndex":' .. revision .. ',"value":' .. ARGV[3] .. '}')
end
redis.call('HSET', KEYS[1], 'stamp', ARGV[6])
redis.call('SET', KEYS[2], table.concat({ARGV[5], before, revision, ARGV[6], created}, ' '), 'PX', ${OUTCOME_MS})
redis.call('PUBLISH', ARGV[8], ARGV[4] .. ' ' .. revision .. ' ' .. ARGV[6])
return {'done', before, revision, ARGV[6], created}`,
};

/** What became of a write whose answer was lost; one that did not happen never will. ARGV: the write's number. */
export const SETTLE: RedisScript = {
  name: 'umbraStoreSettle',
  lua: `
local last = redis.call('GET', KEYS[1])
local number, before, revision, stamp, created
if last then number, before, revision, stamp, created = string.match(last, '^(%d+) (%S*) (%d+) (%S+) (%d+)$') end
if number == ARGV[1] then return {'done', before, revision, stamp, created} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ${OUTCOME_MS})
return {'late'}`,
};

/**
 * Puts a whole set in, where there is none or none that was ever written to: then nothing is lost by it, and the first
 * gateway wins. ARGV: epoch, revision, stamp, channel, then fields and their texts in turn.
 */
export const RESTORE: RedisScript = {
  name: 'umbraStoreRestore',
  lua: `
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and (redis.call('HGET', KEYS[1], 'revision') ~= '0' or ARGV[2] == '0') then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
redis.call('HSET', KEYS[1], 'revision', ARGV[2])
redis.call('HSET', KEYS[1], 'stamp', ARGV[3])
for i = 5, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PUBLISH', ARGV[4], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
return 1`,
};

export interface ReadAnswer {
  /** Null when there is no set. */
  readonly head: Head | null;
  readonly serverMs: number;
  /** Texts by field; null when the head is the one that was known. */
  readonly texts: ReadonlyMap<string, string> | null;
}

/** Throws RedisFailure where the hash is not one of ours. */
export function parseReadAnswer(answer: unknown): ReadAnswer {
  const [epoch, revisionText, stamp, serverMs, fields] = answer as [
    string | null,
    string | null,
    string | null,
    string,
    readonly string[] | null,
  ];
  const revision = Number(revisionText);
  if (epoch !== null && (revisionText === null || !Number.isSafeInteger(revision) || revision < 0)) {
    throw new RedisFailure(`the field revision is damaged: ${String(revisionText).slice(0, 40)}`);
  }
  let texts: Map<string, string> | null = null;
  if (fields !== null) {
    texts = new Map();
    for (let index = 0; index < fields.length; index += 2) texts.set(fields[index]!, fields[index + 1]!);
    for (const field of ['epoch', 'revision', 'stamp']) texts.delete(field);
  }
  return {
    head: epoch === null ? null : { epoch, revision, stamp: stamp ?? '' },
    serverMs: Number(serverMs),
    texts,
  };
}

export interface StoredAnswer {
  readonly type: 'done';
  /** The stamp of the change before. */
  readonly before: string;
  readonly revision: number;
  readonly stamp: string;
  readonly createdIndex: number;
}

export type WriteAnswer =
  | StoredAnswer
  | { readonly type: 'conflict' }
  | { readonly type: 'late' }
  | { readonly type: 'full' };

export function parseWriteAnswer(answer: unknown): WriteAnswer {
  const [type, before, revision, stamp, createdIndex] = answer as readonly string[];
  if (type !== 'done') return { type: type as 'conflict' | 'late' | 'full' };
  return {
    type,
    before: before!,
    revision: Number(revision),
    stamp: stamp!,
    createdIndex: Number(createdIndex),
  };
}
