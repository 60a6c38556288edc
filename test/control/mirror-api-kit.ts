// An admin listener with mirrored routes and findings, over a real socket.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { TestContext } from 'node:test';
import { createAdmin } from '../../src/control/admin.ts';
import { FindingsStore } from '../../src/control/findings/findings-store.ts';
import { createLedger, type Ledger } from '../../src/control/ledger.ts';
import { History } from '../../src/control/mirror-api/history.ts';
import type { RouteCatalog } from '../../src/control/route-catalog.ts';
import type { LogFields } from '../../src/core/log.ts';
import type { Route } from '../../src/core/model.ts';
import { openCatalog } from './admin-api-kit.ts';

export const KEY = 'the key of an admin';
export const NOW_MS = 6_000_000;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** Parsed; undefined when it is no JSON. */
  readonly body: unknown;
}

export interface MirrorApi {
  readonly port: number;
  readonly ledger: Ledger;
  readonly findings: FindingsStore;
  readonly history: History;
  readonly catalog: RouteCatalog;
  readonly notes: readonly (readonly [string, LogFields])[];
  readonly errors: readonly Error[];
  /** With the key, unless told otherwise. */
  ask(
    method: string,
    path: string,
    content?: { readonly body?: string; readonly key?: string | null },
  ): Promise<Answer>;
  /** Other routes are in force. */
  enter(routes: readonly Route[]): void;
  close(): Promise<void>;
}

/** `routes` are those of files. */
export async function openMirrorApi(t: TestContext, routes: readonly Route[]): Promise<MirrorApi> {
  const ledger = createLedger({ frontends: 1, lanes: 1 });
  ledger.enter(routes);
  const findings = new FindingsStore({ ledger });
  const history = new History({ ledger });
  const enter = (next: readonly Route[]): void => {
    ledger.enter(next);
    findings.follow();
  };
  const catalog = await openCatalog(t, routes, async (next) => enter(next));
  const notes: (readonly [string, LogFields])[] = [];
  const errors: Error[] = [];
  const admin = createAdmin({
    settings: {
      host: '127.0.0.1',
      port: 0,
      key: KEY,
      viewerKey: null,
      keyRequired: true,
      keyFile: '/nowhere',
      allow: [],
      apiVersion: 'v3',
      onProxyPort: false,
    },
    catalog,
    ledger,
    findings,
    history,
    metrics: { contentType: 'text/plain', render: async () => '' },
    clock: () => NOW_MS,
    isReady: () => true,
    onNote: (message, fields) => notes.push([message, fields]),
    onError: (error) => errors.push(error),
  });
  t.after(() => admin.close());
  const { port } = await admin.listen();
  return {
    port,
    ledger,
    findings,
    history,
    catalog,
    notes,
    errors,
    enter,
    close: () => admin.close(),
    ask: (method, path, { body, key = KEY } = {}) => exchange(port, method, path, key, body),
  };
}

async function exchange(
  port: number,
  method: string,
  path: string,
  key: string | null,
  content: string | undefined,
): Promise<Answer> {
  const headers: Record<string, string> = key === null ? {} : { 'x-api-key': key };
  // As curl's -d says it.
  if (content !== undefined) {
    headers['content-type'] = 'application/x-www-form-urlencoded';
    headers['content-length'] = String(Buffer.byteLength(content));
  }
  const outgoing = request({ agent: false, host: '127.0.0.1', port, method, path, headers });
  outgoing.end(content);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  return { status: answer.statusCode ?? 0, headers: answer.headers, text, body: toBody(text) };
}

function toBody(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
