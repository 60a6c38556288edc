// A front end within the test's own process, without mirroring and without a control thread: for what no config can say yet.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { createLedger, type Ledger } from '../../src/control/ledger.ts';
import { createClock } from '../../src/core/clock.ts';
import type { LogFields } from '../../src/core/log.ts';
import { HOST_PASS, type Limits, type Route } from '../../src/core/model.ts';
import { FrontendThread } from '../../src/frontend/thread.ts';
import { createClients } from '../../src/upstream/clients.ts';

const LIMITS: Limits = {
  headerBytes: 32_768,
  headerCount: 96,
  targetBytes: 8_192,
  bodyBytes: Number.POSITIVE_INFINITY,
  inFlight: 10_000,
  connectionsPerAddress: 1_000_000,
  upstreamConnections: 1_024,
  upstreamQueue: 1_024,
  upstreamQueueMs: 5_000,
  overloadDelayMs: 3_600_000,
};

/** Every path, no mirror, no retries. */
export function toBareRoute(id: string, edits: Partial<Route>): Route {
  return {
    id,
    revision: id,
    hosts: [],
    paths: [{ match: 'prefix', path: '/' }],
    methods: [],
    remoteAddrs: [],
    vars: null,
    priority: 0,
    backends: [],
    hostHeader: HOST_PASS,
    retries: 0,
    retryTimeoutMs: null,
    timeouts: { connectMs: 60_000, sendMs: 60_000, readMs: 60_000 },
    mirror: null,
    ...edits,
  };
}

export interface Frontend {
  readonly port: number;
  readonly ledger: Ledger;
  /** Everything that was logged. */
  readonly logs: readonly { readonly message: string; readonly fields: LogFields }[];
}

/** Ends without a defect and with no exchange left. */
export function openFrontend(
  t: TestContext,
  routes: readonly Route[],
  adminOrigin: string | null = null,
): Frontend {
  const writers = { frontends: 1, lanes: 0 };
  const ledger = createLedger(writers);
  const clock = createClock();
  const logs: { message: string; fields: LogFields }[] = [];
  const thread = new FrontendThread({
    frontend: 0,
    writers,
    processBook: ledger.process.buffer,
    listeners: [{ host: '127.0.0.1', port: 0, tls: null }],
    limits: LIMITS,
    adminOrigin,
    clock,
    log: (_level, message, fields) => {
      logs.push({ message, fields });
      return true;
    },
    createClient: createClients(),
    observe: () => null,
    onTick: () => {},
  });
  thread.setRoutes(
    routes.map((route) => route.id),
    ledger.enter(routes),
  );
  thread.listen();
  t.after(async () => {
    await thread.drain(clock() + 5_000, () => true);
    const left = thread.exchanges;
    thread.close();
    assert.equal(left, 0, 'exchanges left');
    assert.deepEqual(
      logs.filter(({ message }) => message === 'defect'),
      [],
    );
  });
  return { port: thread.ports[0]!, ledger, logs };
}
