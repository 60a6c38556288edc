// A gateway with a primary and a shadow that record, for tests of the dashboard.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import type { Behaviour } from '../kit/behaviour.ts';
import { type Gateway, type GatewayOptions, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { listen, listenOnOwnPort } from '../kit/port.ts';
import { openRaw, request } from '../kit/raw.ts';

export interface Scene {
  readonly gateway: Gateway;
  readonly primary: Origin;
  readonly shadow: Origin;
  /** Of the dashboard. */
  readonly url: string;
  /** Of the admin listener. */
  readonly key: string;
  /** So many requests, one after the other. */
  send(count: number, path?: string): Promise<void>;
}

export interface SceneOptions extends Omit<GatewayOptions, 'config'> {
  readonly config: (primary: Origin, shadow: Origin) => string;
}

/** Copies to a busy machine's shadow must not be given up. */
export const PATIENCE = 'timeout: { connect: 60s, send: 60s, read: 60s }, breaker: { failures: 1000000 }';

/** One route of a file that compares field by field. */
export function toShop(primary: Origin, shadow: Origin, compare = 'detailed_diff: true'): string {
  return `routes:
  - id: shop
    path: /
    path_prefix: true
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }], ${PATIENCE}, compare: { ${compare} } }`;
}

/** Ends with balanced books, an exit of 0 and nothing left open. */
export async function openScene(t: TestContext, { config, ...options }: SceneOptions): Promise<Scene> {
  const [primary, shadow] = [await openOrigin(), await openOrigin()];
  let gateway: Gateway | null = null;
  t.after(async () => {
    try {
      if (gateway !== null)
        assert.equal(await gateway.stop({ balanced: options.adminHost === undefined }), 0);
      for (const origin of [primary, shadow]) await origin.waitForSockets(0);
    } finally {
      gateway?.signal('SIGKILL');
      await Promise.all([primary.close(), shadow.close()]);
    }
  });
  gateway = await openGateway({ ...options, config: config(primary, shadow) });
  const { port, adminPort, file } = gateway;
  return {
    gateway,
    primary,
    shadow,
    url: `http://127.0.0.1:${adminPort}/`,
    get key() {
      return readFileSync(join(dirname(file), 'data/admin.key'), 'utf8').trim();
    },
    async send(count, path = '/') {
      const client = await openRaw(port);
      for (let sent = 0; sent < count; sent++) assert.ok((await request(client, { path })).status < 600);
      client.close();
    },
  };
}

export function toJson(value: unknown, edits: Behaviour = {}): Behaviour {
  return {
    ...edits,
    fields: ['content-type: application/json', ...(edits.fields ?? [])],
    body: Buffer.from(JSON.stringify(value)),
  };
}

export interface Relay {
  readonly url: string;
  /** Ends what is open, and refuses from now on. */
  cut(): Promise<void>;
  open(): Promise<void>;
}

/** Between a browser and the admin listener, for breaking connections. */
export async function openRelay(t: TestContext, target: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const onward = connect(target, '127.0.0.1');
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  const port = await listenOnOwnPort(server, '127.0.0.1');
  const cut = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  t.after(() => (server.listening ? cut() : undefined));
  return { url: `http://127.0.0.1:${port}/`, cut, open: () => listen(server, '127.0.0.1', port) };
}

const WAIT_MS_MAX = 60_000;

/** A route's row in the table. */
export function findRow(page: Page, id: string): Locator {
  return page.locator('#route-table tbody tr', { has: page.getByRole('link', { name: id, exact: true }) });
}

/** Resolves when a route's cell has that text. */
export async function waitForCell(page: Page, id: string, column: string, text: string): Promise<void> {
  await findRow(page, id)
    .locator(`[data-column="${column}"]`, {
      hasText: new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')}$`),
    })
    .waitFor();
}

/** All text in it, the cells of a table one after the other. */
export async function readText(locator: Locator): Promise<string> {
  return (await locator.textContent()) ?? '';
}

/** Resolves when the text in it matches. */
export async function waitForText(locator: Locator, pattern: RegExp): Promise<void> {
  await locator.filter({ hasText: pattern }).waitFor();
}

/**
 * Resolves when the expression is true in the page. The browser's own waiting evaluates it as text within the page, which
 * the page's policy forbids from the second time on.
 */
export async function waitForTrue(page: Page, expression: string): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while ((await page.evaluate(expression)) !== true) {
    assert.ok(performance.now() < deadline, `waited in vain for ${expression}`);
    await page.waitForTimeout(20);
  }
}
