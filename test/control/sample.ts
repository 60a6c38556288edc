// Routes for the tests of control/: complete models, in which a test says only what it is about.
//
// Data only. Nothing here listens or connects.

import type { Limit, Mirror, Route, Shadow } from '../../src/core/model.ts';

export interface SampleRoute {
  readonly id: string;
  readonly revision?: string;
  /** Origins of the shadows; null for a route without mirror. */
  readonly shadows?: readonly string[] | null;
  readonly limit?: Limit | null;
  /** Origin of the control; null for none. */
  readonly control?: string | null;
  readonly maxMismatches?: number;
  /** What else the mirror says. */
  readonly mirror?: Partial<Mirror>;
}

export const SHADOW = 'http://shadow:9000';
export const OTHER_SHADOW = 'http://other:9000';
export const CONTROL = 'http://control:9000';

const TIMEOUTS = { connectMs: 1000, sendMs: 1000, readMs: 1000 };

export function sampleRoute(sample: SampleRoute): Route {
  const { id, revision = '1', shadows = [SHADOW] } = sample;
  return {
    id,
    revision,
    hosts: [],
    paths: [{ match: 'prefix', path: `/${id}` }],
    methods: [],
    remoteAddrs: [],
    vars: null,
    priority: 0,
    backends: [
      {
        origin: 'http://primary:9000',
        authority: 'primary:9000',
        tls: null,
        client: 'auto',
        weight: 1,
        priority: 0,
      },
    ],
    hostHeader: 'pass',
    retries: 0,
    retryTimeoutMs: null,
    timeouts: TIMEOUTS,
    mirror: shadows === null ? null : sampleMirror(shadows, sample),
  };
}

function sampleMirror(
  origins: readonly string[],
  { limit = null, control = null, maxMismatches = 100, mirror }: SampleRoute,
): Mirror {
  const controls: Shadow[] = control === null ? [] : [{ ...sampleShadow(control), role: 'control' }];
  return {
    enabled: true,
    percentage: 100,
    sampleByHeader: null,
    shadows: [...origins.map(sampleShadow), ...controls],
    conditions: { methods: [], headers: [], pathRegex: null, vars: null },
    path: null,
    pathConcatMode: 'replace',
    timeouts: TIMEOUTS,
    limit,
    maxBodyBytes: 1024,
    methods: 'all',
    maxAnswerBytes: 1024,
    redact: { headers: [], query: [], json: [] },
    idempotencyKey: false,
    maxInFlight: 16,
    maxQueuedBytes: 1024,
    breaker: { failures: 5, openForMs: 1000 },
    compare: {
      logMismatches: false,
      detail: null,
      mask: [],
      maxMismatches,
      thresholds: { minCompared: 1000, maxMismatch: 0.01, maxError: 0.01, maxP99Ratio: null },
    },
    ...mirror,
  };
}

function sampleShadow(origin: string): Shadow {
  return {
    origin,
    authority: origin.replace(/^https?:\/\//, ''),
    tls: null,
    client: 'auto',
    headers: { set: [], remove: [] },
    hostHeader: 'pass',
    role: 'shadow',
  };
}
