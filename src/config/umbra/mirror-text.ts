// A mirror of the model → umbra's own YAML.
//
// Owns which keys say what, and in which order. Writes only what differs from what umbra does by itself.

import { isCredentialName } from '../../core/diff/credential.ts';
import {
  type Backend,
  type BackendTls,
  CLIENT_AUTO,
  CONDITION_ABSENT,
  CONDITION_PRESENT,
  type Conditions,
  HOST_PASS,
  LIMIT_LOCAL,
  LIMIT_REDIS,
  type Limit,
  type Mirror,
  type Redaction,
  ROLE_CONTROL,
  ROLE_SHADOW,
  type Shadow,
  type Timeouts,
} from '../../core/model.ts';
import { DEFAULTS } from '../defaults.ts';
import { toDurationMs, toDurationText, toSizeBytes, toSizeText } from '../quantity.ts';
import { toCompareBlock } from './compare-text.ts';
import type { Secrets } from './secret-text.ts';
import { Block, Flow } from './yaml-text.ts';

/** Variables that hold what a client sends by a name. */
const NAMED_VARIABLE = /^(?:http|cookie|arg)_/;
const LEFT_OUT = 'It was left out here: give it in the environment.';

export function toMirrorBlock(mirror: Mirror, secrets: Secrets): Block {
  const defaults = DEFAULTS.mirror;
  const block = new Block()
    .putUnless(defaults.enabled, 'enabled', mirror.enabled)
    .putUnless(defaults.percentage, 'percentage', mirror.percentage)
    .putUnless(defaults.methods, 'methods', mirror.methods);
  if (mirror.sampleByHeader !== null) block.put('sample_by', `header:${mirror.sampleByHeader}`);
  block
    .put(
      'backends',
      mirror.shadows
        .filter(({ role }) => role === ROLE_SHADOW)
        .map((shadow) => toShadowBlock(shadow, secrets)),
    )
    .putFilled('conditions', toConditionsBlock(mirror.conditions, secrets));
  if (mirror.path !== null) block.put('path', mirror.path);
  block
    .putUnless(defaults.pathConcatMode, 'path_concat_mode', mirror.pathConcatMode)
    .putFilled('timeout', toTimeoutBlock(mirror.timeouts, defaults.timeout));
  if (mirror.limit !== null) block.put('limit', toLimitBlock(mirror.limit, secrets));
  putSize(block, 'max_body', mirror.maxBodyBytes, defaults.maxBody);
  putSize(block, 'max_answer', mirror.maxAnswerBytes, defaults.maxAnswer);
  block
    .putFilled('redact', toRedactBlock(mirror.redact))
    .putUnless(defaults.idempotencyKey, 'idempotency_key', mirror.idempotencyKey);
  block.putUnless(defaults.maxInFlight, 'max_in_flight', mirror.maxInFlight);
  putSize(block, 'max_queued', mirror.maxQueuedBytes, defaults.maxQueued);
  const breaker = new Block().putUnless(DEFAULTS.breaker.failures, 'failures', mirror.breaker.failures);
  putDuration(breaker, 'open_for', mirror.breaker.openForMs, DEFAULTS.breaker.openFor);
  block.putFilled('breaker', breaker);
  if (mirror.compare !== null) {
    const control = mirror.shadows.find(({ role }) => role === ROLE_CONTROL);
    const controlBlock = control === undefined ? null : toShadowBlock(control, secrets);
    block.put('compare', toCompareBlock(mirror.compare, controlBlock));
  }
  return block;
}

function toRedactBlock({ headers, query, json }: Redaction): Block {
  return new Block().putFilled('headers', headers).putFilled('query', query).putFilled('json', json);
}

function toShadowBlock(shadow: Shadow, secrets: Secrets): Block {
  const block = new Block().put('url', toUrl(shadow));
  const set = new Block();
  for (const [name, value] of shadow.headers.set) {
    if (value === '' || !isCredentialName(name)) set.put(name, value);
    else set.put(name, secrets.refer('HEADER', value), LEFT_OUT);
  }
  const headers = new Block().putFilled('set', set).putFilled('remove', shadow.headers.remove);
  block.putFilled('headers', headers).putUnless(HOST_PASS, 'host_header', shadow.hostHeader);
  putTrust(block, shadow);
  return block;
}

/** With the port that is not the scheme's own. */
export function toUrl({ origin, authority }: Backend): string {
  return `${origin.slice(0, origin.indexOf('://'))}://${authority}`;
}

/** `tls` and `client`. */
export function putTrust(block: Block, backend: Backend): void {
  if (backend.tls !== null) {
    const tls = new Block().putUnless(DEFAULTS.tlsVerify, 'verify', backend.tls.verify);
    if (backend.tls.ca === null) block.putFilled('tls', tls);
    else if (tls.isEmpty) block.comment(toCaComment(backend.tls));
    else block.put('tls', tls, toCaComment(backend.tls));
  }
  block.putUnless(CLIENT_AUTO, 'client', backend.client);
}

function toCaComment({ ca }: BackendTls): string {
  const count = ca?.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;
  return `Left out: tls.ca, a file of ${count} authorities; name the file again.`;
}

export function toTimeoutBlock(
  timeouts: Timeouts,
  defaults: { connect: string; send: string; read: string },
): Block {
  const block = new Block();
  putDuration(block, 'connect', timeouts.connectMs, defaults.connect);
  putDuration(block, 'send', timeouts.sendMs, defaults.send);
  putDuration(block, 'read', timeouts.readMs, defaults.read);
  return block;
}

export function putDuration(block: Block, key: string, ms: number, without: string): void {
  if (ms !== toDurationMs(without)) block.put(key, toDurationText(ms));
}

export function putSize(block: Block, key: string, bytes: number, without: string): void {
  if (bytes !== toSizeBytes(without)) block.put(key, toSizeText(bytes));
}

function toConditionsBlock({ methods, headers, pathRegex, vars }: Conditions, secrets: Secrets): Block {
  const named = new Block();
  for (const { name, kind, value } of headers) {
    if (kind === CONDITION_PRESENT) named.put(name, true);
    else if (kind === CONDITION_ABSENT) named.put(name, false);
    else if (value === '' || !isCredentialName(name)) named.put(name, value);
    else named.put(name, secrets.refer('HEADER', value), LEFT_OUT);
  }
  const block = new Block().putFilled('methods', methods).putFilled('headers', named);
  if (pathRegex !== null) block.put('path_regex', pathRegex);
  // An empty expression holds always, and is another one than none.
  if (vars !== null) block.put('vars', toExpressionValue(vars, secrets));
  return block;
}

export function toExpressionValue(expression: readonly unknown[], secrets: Secrets): Flow | readonly Flow[] {
  if (expression.length === 0) return new Flow([]);
  return expression.map((part) => new Flow(toReferring(part, secrets)));
}

/** What credentials are compared with is left out. */
function toReferring(part: unknown, secrets: Secrets): unknown {
  if (!Array.isArray(part)) return part;
  const [variable] = part as readonly unknown[];
  const isSecret =
    typeof variable === 'string' && NAMED_VARIABLE.test(variable) && isCredentialName(variable);
  if (!isSecret) return part.map((item) => toReferring(item, secrets));
  return [...part.slice(0, -1), toReferences(part.at(-1), secrets)];
}

function toReferences(value: unknown, secrets: Secrets): unknown {
  if (Array.isArray(value)) return value.map((item) => toReferences(item, secrets));
  return typeof value === 'string' && value !== '' ? secrets.refer('VALUE', value) : value;
}

function toLimitBlock({ count, windowMs, policy, redis }: Limit, secrets: Secrets): Block {
  const defaults = DEFAULTS.limit;
  const block = new Block()
    .put('count', count)
    .putUnless(defaults.timeWindow, 'time_window', windowMs / 1000)
    .putUnless(defaults.policy, 'policy', policy);
  if (policy === LIMIT_LOCAL || redis === null) return block;
  if (policy === LIMIT_REDIS) {
    const [node] = redis.nodes;
    block.put('redis_host', node?.host ?? '').putUnless(defaults.redisPort, 'redis_port', node?.port ?? 0);
  }
  if (redis.password !== null) {
    block.put('redis_password', secrets.refer('REDIS_PASSWORD', redis.password), LEFT_OUT);
  }
  if (policy === LIMIT_REDIS) block.putUnless(defaults.redisDatabase, 'redis_database', redis.database);
  block.putUnless(defaults.redisTimeout, 'redis_timeout', redis.timeoutMs);
  if (policy === LIMIT_REDIS) return block;
  const nodes = redis.nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`);
  // The name of a cluster is asked for and has no effect, so that it is not kept.
  return block.put('redis_cluster_nodes', nodes).put('redis_cluster_name', 'redis-cluster');
}
