// An Admin API over a real socket, for the tests of its parts.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createAdmin } from '../../src/control/admin.ts';
import type { Surface } from '../../src/control/admin-api/guard.ts';
import type { Catalog } from '../../src/control/catalog.ts';
import { FindingsStore } from '../../src/control/findings/findings-store.ts';
import { createLedger } from '../../src/control/ledger.ts';
import { History } from '../../src/control/mirror-api/history.ts';
import { createCatalog, type RouteCatalog } from '../../src/control/route-catalog.ts';
import { createFileStore } from '../../src/control/store/file.ts';
import type { AdminSettings, Route, Timeouts } from '../../src/core/model.ts';

export const KEY = 'the/key+of=an~admin';
export const VIEWER_KEY = 'the/key+of=a~viewer';

const MIRROR_TIMEOUTS: Timeouts = { connectMs: 60_000, sendMs: 60_000, readMs: 60_000 };

const SETTINGS: AdminSettings = {
  host: '127.0.0.1',
  port: 0,
  key: KEY,
  viewerKey: VIEWER_KEY,
  keyRequired: true,
  keyFile: '/nowhere',
  allow: [],
  apiVersion: 'v3',
  onProxyPort: false,
};

export interface Opening {
  readonly settings?: Partial<AdminSettings>;
  readonly surface?: Surface;
  /** Of the config files. */
  readonly files?: readonly Route[];
  /** Wraps the catalog, so that a test can see what reaches it, or make it fail. */
  readonly wrap?: (catalog: Catalog) => Catalog;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** Parsed; undefined without a body. */
  readonly body: unknown;
}

export interface Content {
  /** Sent as JSON, unless it is text or bytes. */
  readonly body?: unknown;
  /** The admin's by default; null for none. */
  readonly key?: string | null;
  readonly headers?: Record<string, string>;
}

export type Send = (method: string, path: string, content?: Content) => Promise<Answer>;

export interface AdminApi {
  readonly port: number;
  readonly errors: readonly Error[];
  /** `path` is what follows /apisix/admin/. */
  readonly send: Send;
  /** The whole path. */
  readonly ask: Send;
}

export async function openAdminApi(t: TestContext, opening: Opening = {}): Promise<AdminApi> {
  const { settings, surface, files = [], wrap = (catalog) => catalog } = opening;
  const catalog = await openCatalog(t, files);
  const errors: Error[] = [];
  const ledger = createLedger({ frontends: 1, lanes: 0 });
  const admin = createAdmin({
    settings: { ...SETTINGS, ...settings },
    ...(surface === undefined ? {} : { surface }),
    catalog: wrap(catalog),
    ledger,
    findings: new FindingsStore({ ledger }),
    history: new History({ ledger }),
    metrics: { contentType: 'text/plain', render: async () => '' },
    clock: () => 0,
    isReady: () => true,
    onError: (error) => errors.push(error),
  });
  t.after(() => admin.close());
  const { port } = await admin.listen();
  const ask: Send = (method, path, { body, key = KEY, headers = {} } = {}) => {
    const keyed = key === null ? headers : { 'x-api-key': key, ...headers };
    return exchange({ host: '127.0.0.1', port, method, path, headers: keyed }, body);
  };
  const send: Send = (method, path, content) => ask(method, `/apisix/admin/${path}`, content);
  return { port, errors, send, ask };
}

/** With a store of its own; what is put in force goes nowhere, unless `apply` takes it. */
export async function openCatalog(
  t: TestContext,
  routes: readonly Route[] = [],
  apply: (routes: readonly Route[]) => Promise<void> = async () => {},
): Promise<RouteCatalog> {
  const folder = await mkdtemp(join(tmpdir(), 'umbra-admin-'));
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  const files = { routes, mirrorTimeouts: MIRROR_TIMEOUTS };
  const catalog = createCatalog({ files, apply, onWarning });
  const hooks = { onChange: () => assert.fail('somebody else changed the store'), onWarning };
  await catalog.open(createFileStore(join(folder, 'routes.json'), hooks));
  t.after(async () => {
    await catalog.close();
    await rm(folder, { recursive: true });
    assert.deepEqual(warnings, []);
  });
  return catalog;
}

async function exchange(options: RequestOptions, content: unknown): Promise<Answer> {
  const outgoing = request({ agent: false, ...options });
  const isRaw = content === undefined || typeof content === 'string' || Buffer.isBuffer(content);
  const sent = isRaw ? content : JSON.stringify(content);
  if (sent !== undefined) {
    const length = outgoing.hasHeader('transfer-encoding') ? null : Buffer.byteLength(sent);
    if (length !== null && !outgoing.hasHeader('content-length'))
      outgoing.setHeader('content-length', length);
  }
  outgoing.end(sent);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  const body: unknown = text === '' ? undefined : JSON.parse(text);
  return { status: answer.statusCode ?? 0, headers: answer.headers, text, body };
}

/** Status and body of an error, and the form that every answer of the Admin API has. */
export function assertRefused(
  answer: Answer,
  status: number,
  expected: string | RegExp,
  about?: string,
): void {
  assert.equal(answer.status, status, `${about ?? ''} ${answer.text}`);
  assertForm(answer);
  const { error_msg } = answer.body as { readonly error_msg: string };
  if (typeof expected === 'string') assert.equal(error_msg, expected, about);
  else assert.match(error_msg, expected, about);
}

export function assertForm({ headers }: Answer, version = 'v3'): void {
  assert.match(headers['content-type'] ?? '', /^application\/json/);
  assert.equal(headers['x-api-version'], version);
  const allowing = Object.keys(headers).filter((name) => name.startsWith('access-control-'));
  assert.deepEqual(allowing, []);
}

export function sampleValue(uri: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { uri, upstream: { type: 'roundrobin', nodes: { '127.0.0.1:1980': 1 } }, ...more };
}

export const NODES = { type: 'roundrobin', nodes: { '127.0.0.1:1980': 1 } };
