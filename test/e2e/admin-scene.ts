// A gateway whose routes come by the Admin API, with a primary and a shadow that record, for end-to-end tests.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { JsonObject } from '../../src/control/store/store.ts';
import { type Gateway, type GatewayOptions, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request } from '../kit/raw.ts';

/** The one of the documents: APISIX's historic default. */
export const KEY = 'edd1c9f034335f136f87ad84b625c8f1';

export interface AdminAnswer {
  readonly status: number;
  readonly body: AdminBody;
}

/** Of version 3; a test knows which of these an answer has. */
export interface AdminBody {
  readonly key?: string;
  readonly value?: JsonObject;
  readonly list?: readonly { readonly key: string; readonly value: JsonObject }[];
  readonly total?: number;
  readonly error_msg?: string;
}

export interface AdminScene {
  readonly primary: Origin;
  readonly shadow: Origin;
  /** Of the store and the key, beyond the life of one gateway. */
  readonly folder: string;
  readonly store: string;
  gateway(): Gateway;
  /** Starts the first gateway, or the next one on the same store. */
  start(options?: Partial<GatewayOptions>): Promise<Gateway>;
  /** `path` behind /apisix/admin/. */
  call(
    method: string,
    path: string,
    value?: unknown,
    options?: { port?: number; key?: string },
  ): Promise<AdminAnswer>;
  /** Like call(), and asserts that it was taken. */
  put(path: string, value: unknown): Promise<AdminAnswer>;
}

/** Ends with balanced books, an exit of 0 and nothing left open. */
export async function openScene(context: TestContext): Promise<AdminScene> {
  const [primary, shadow] = [await openOrigin({ behaviour: { body: 'primary' } }), await openOrigin()];
  const folder = mkdtempSync(join(tmpdir(), 'umbra-admin-'));
  const store = join(folder, 'data/routes.json');
  let gateway: Gateway | null = null;
  context.after(async () => {
    try {
      if (gateway !== null) assert.equal(await gateway.stop(), 0);
      await Promise.all([primary.waitForSockets(0), shadow.waitForSockets(0)]);
    } finally {
      gateway?.signal('SIGKILL');
      await Promise.all([primary.close(), shadow.close()]);
      rmSync(folder, { recursive: true, force: true });
    }
  });
  const scene: AdminScene = {
    primary,
    shadow,
    folder,
    store,
    gateway: () => gateway!,
    async start({ config = '', ...options } = {}) {
      gateway = null;
      gateway = await openGateway({
        admin: `key: ${KEY}`,
        ...options,
        config: `store: { type: file, path: ${JSON.stringify(store)} }\n${config}`,
      });
      return gateway;
    },
    async call(method, path, value, { port = gateway!.adminPort, key = KEY } = {}) {
      const response = await fetch(`http://127.0.0.1:${port}/apisix/admin/${path}`, {
        method,
        headers: { 'x-api-key': key },
        ...(value === undefined ? {} : { body: JSON.stringify(value) }),
      });
      return { status: response.status, body: (await response.json()) as AdminBody };
    },
    async put(path, value) {
      const answer = await scene.call('PUT', path, value);
      assert.ok(answer.status === 200 || answer.status === 201, JSON.stringify(answer));
      return answer;
    },
  };
  return scene;
}

export function toNodes(origin: Origin): Record<string, number> {
  return { [`127.0.0.1:${origin.port}`]: 1 };
}

/** A route to the primary, with a copy to the shadow unless `plugin` is null. */
export function toRoute(
  scene: AdminScene,
  uri: string,
  plugin: Record<string, unknown> | null = {},
): unknown {
  return {
    uri,
    upstream: { type: 'roundrobin', nodes: toNodes(scene.primary) },
    plugins: plugin === null ? {} : { 'proxy-mirror': { host: scene.shadow.url, ...plugin } },
  };
}

/** One after the other on each connection; the statuses that came, each with its count. */
export async function send(
  port: number,
  path: string,
  { connections = 1, each = 1 }: { connections?: number; each?: number } = {},
): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  const run = async (): Promise<void> => {
    const client = await openRaw(port);
    try {
      for (let sent = 0; sent < each; sent++) {
        const { status } = await request(client, { path });
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    } finally {
      client.close();
    }
  };
  await Promise.all(Array.from({ length: connections }, run));
  return statuses;
}
