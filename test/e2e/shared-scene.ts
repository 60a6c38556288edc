// Several whole gateways that share their routes by one Redis, for end-to-end tests.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request } from '../kit/raw.ts';
import { openRedis, type RedisServer } from '../kit/redis.ts';
import { readMetric } from './metric.ts';

const KEY = 'a-key-of-this-test';
/** Far above the second that it should take: machines of tests are slow. */
const SEEN_MS = 20_000;
export const TIMEOUT_MS = 1_000;

/** Ends with balanced books, exits of 0 and nothing left open. */
export interface Scene {
  readonly redis: RedisServer;
  readonly primary: Origin;
  readonly other: Origin;
  readonly shadow: Origin;
  /** `name` stays the same over restarts: it names the cache file. */
  start(name: string): Promise<Gateway>;
  cachePath(name: string): string;
}

export async function openScene(t: TestContext, port?: number): Promise<Scene> {
  const redis = await openRedis(t);
  const origins = await Promise.all(
    ['primary', 'other', 'shadow'].map((body) => openOrigin({ behaviour: { body } })),
  );
  const folder = mkdtempSync(join(tmpdir(), 'umbra-shared-'));
  const gateways = new Set<Gateway>();
  t.after(async () => {
    try {
      const codes = await Promise.all([...gateways].map((gateway) => gateway.stop()));
      assert.deepEqual(
        codes,
        codes.map(() => 0),
      );
      await Promise.all(origins.map((origin) => origin.waitForSockets(0)));
    } finally {
      for (const gateway of gateways) gateway.signal('SIGKILL');
      await Promise.all(origins.map((origin) => origin.close()));
      rmSync(folder, { recursive: true, force: true });
    }
  });
  const [primary, other, shadow] = origins as [Origin, Origin, Origin];
  const cachePath = (name: string): string => join(folder, name, 'routes.json');
  return {
    redis,
    primary,
    other,
    shadow,
    cachePath,
    async start(name) {
      const url = `redis://127.0.0.1:${port ?? redis.port}`;
      const gateway = await openGateway({
        admin: `key: ${KEY}`,
        config: `store: { type: redis, url: "${url}", path: ${JSON.stringify(cachePath(name))}, timeout: ${TIMEOUT_MS}ms }`,
        frontends: 2,
      });
      gateways.add(gateway);
      // One that a test has ended or killed; any other end is a failure.
      void gateway.exited.then((code) => (code === 0 || code === null) && gateways.delete(gateway));
      return gateway;
    },
  };
}

export async function call(
  gateway: Gateway,
  method: string,
  id: string,
  value?: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/apisix/admin/routes/${id}`, {
    method,
    headers: { 'x-api-key': KEY },
    ...(value === undefined ? {} : { body: JSON.stringify(value) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

export function toRoute(uri: string, primary: Origin, shadow: Origin | null = null): unknown {
  return {
    uri,
    upstream: { type: 'roundrobin', nodes: { [`127.0.0.1:${primary.port}`]: 1 } },
    plugins: shadow === null ? {} : { 'proxy-mirror': { host: shadow.url } },
  };
}

/** What a request gets: the body for a 200, else the status. */
export async function get(gateway: Gateway, path: string): Promise<string> {
  const { status, body } = await request(gateway.port, { path });
  return status === 200 ? body.toString() : String(status);
}

/** Asks until it is so; resolves with the milliseconds that it took. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<number> {
  const startedMs = performance.now();
  while (!(await condition())) {
    assert.ok(performance.now() - startedMs < SEEN_MS, `not within ${SEEN_MS} ms: ${what}`);
    await sleep(5);
  }
  return performance.now() - startedMs;
}

export function untilServed(gateway: Gateway, path: string, expected: string): Promise<number> {
  return until(async () => (await get(gateway, path)) === expected, `${path} → ${expected}`);
}

export function untilWritable(gateway: Gateway, expected: 0 | 1): Promise<number> {
  return until(
    async () => (await readMetric(gateway, 'umbra_store_writable')) === expected,
    `umbra_store_writable ${expected}`,
  );
}

/** Sends on one connection until told to stop; resolves with each answer's body and the slowest one's milliseconds. */
export async function keepSending(
  gateway: Gateway,
  path: string,
  isOver: () => boolean,
): Promise<{ bodies: Set<string>; count: number; slowestMs: number }> {
  const client = await openRaw(gateway.port);
  const bodies = new Set<string>();
  let count = 0;
  let slowestMs = 0;
  while (!isOver()) {
    const sentMs = performance.now();
    const { status, body } = await request(client, { path });
    slowestMs = Math.max(slowestMs, performance.now() - sentMs);
    bodies.add(`${status} ${body.toString()}`);
    count += 1;
  }
  client.close();
  return { bodies, count, slowestMs };
}
