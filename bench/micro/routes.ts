// Routes and their mirrors as the config would give them, with every field at an ordinary value.
//
// Only objects of the route model; nothing here opens a connection.

import {
  CONCAT_REPLACE,
  type Compare,
  type Conditions,
  HOST_PASS,
  METHODS_ALL,
  type Mirror,
  ROLE_SHADOW,
  type Route,
  type Timeouts,
} from '../../src/core/model.ts';

const TIMEOUTS: Timeouts = { connectMs: 2_000, sendMs: 5_000, readMs: 5_000 };

export const NO_CONDITIONS: Conditions = { methods: [], headers: [], pathRegex: null, vars: null };

export function toRoute(id: string, edits: Partial<Route>): Route {
  return {
    id,
    revision: '1',
    hosts: [],
    paths: [{ match: 'prefix', path: '/' }],
    methods: [],
    remoteAddrs: [],
    vars: null,
    priority: 0,
    backends: [
      {
        origin: 'http://primary.example:9000',
        authority: 'primary.example:9000',
        tls: null,
        client: 'auto',
        weight: 1,
        priority: 0,
      },
    ],
    hostHeader: HOST_PASS,
    retries: 1,
    retryTimeoutMs: null,
    timeouts: TIMEOUTS,
    mirror: null,
    ...edits,
  };
}

/** With one shadow and room for everything. */
export function toMirror(edits: Partial<Mirror>): Mirror {
  return {
    enabled: true,
    percentage: 100,
    sampleByHeader: null,
    shadows: [
      {
        origin: 'http://shadow.example:9000',
        authority: 'shadow.example:9000',
        tls: null,
        client: 'auto',
        headers: { set: [], remove: [] },
        hostHeader: HOST_PASS,
        role: ROLE_SHADOW,
      },
    ],
    conditions: NO_CONDITIONS,
    path: null,
    pathConcatMode: CONCAT_REPLACE,
    timeouts: TIMEOUTS,
    limit: null,
    maxBodyBytes: 8 * 1024 * 1024,
    methods: METHODS_ALL,
    maxAnswerBytes: 2 ** 30,
    redact: { headers: [], query: [], json: [] },
    idempotencyKey: false,
    maxInFlight: 256,
    maxQueuedBytes: 64 * 1024 * 1024,
    breaker: { failures: 5, openForMs: 10_000 },
    compare: null,
    ...edits,
  };
}

/** Status and digest alone. */
export const COMPARE: Compare = {
  logMismatches: false,
  detail: null,
  mask: [],
  maxMismatches: 100,
  thresholds: { minCompared: 1000, maxMismatch: 0.01, maxError: 0.01, maxP99Ratio: null },
};
