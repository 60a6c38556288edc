// What umbra does where the config is silent, and how far its settings may go.
//
// The only place of these numbers: the schema shows them to editors, the translation applies them. Texts are in the
// syntax of quantity.ts.

import { DAY_MS } from './quantity.ts';

export const DEFAULTS = {
  httpAddress: '0.0.0.0:9080',
  adminAddress: '127.0.0.1:9180',
  storePath: 'data/routes.json',
  storeCachePath: 'data/routes.cache.json',
  storePrefix: 'umbra',
  storeTimeout: '1s',
  /** Beside the store's file. */
  adminKeyName: 'admin.key',
  adminKeyRequired: true,
  adminApiVersion: 'v3',
  adminOnProxyPort: false,
  shutdownTimeout: '30s',
  threads: 'auto',
  weight: 1,
  hostHeader: 'pass',
  retries: 1,
  priority: 0,
  pathPrefix: false,
  /** `plugin_attr.proxy-mirror.timeout` of APISIX. */
  apisixMirrorTimeout: { connect: '60s', send: '60s', read: '60s' },
  routeTimeout: { connect: '5s', send: '60s', read: '60s' },
  limits: {
    headerBytes: '32KiB',
    headerCount: 96,
    targetLength: '8KiB',
    inFlight: 10_000,
    connectionsPerAddress: 10_000,
    upstreamConnections: 1024,
    upstreamQueue: 1024,
    upstreamQueueTimeout: '5s',
    overloadDelay: '200ms',
  },
  mirror: {
    enabled: true,
    percentage: 100,
    pathConcatMode: 'replace',
    timeout: { connect: '2s', send: '10s', read: '10s' },
    methods: 'all',
    maxBody: '8MiB',
    maxAnswer: '1GiB',
    idempotencyKey: false,
    maxInFlight: 256,
    maxQueued: '64MiB',
  },
  breaker: { failures: 5, openFor: '10s' },
  limit: { count: 1, timeWindow: 60, policy: 'local', redisPort: 6379, redisDatabase: 0, redisTimeout: 1000 },
  compare: {
    enabled: true,
    logMismatches: false,
    detailedDiff: false,
    maxBodyCapture: '1MiB',
    maxMismatches: 100,
  },
  /** Zero mismatches in 1,000 comparisons are at most 0.3 % of all (95 %). */
  verdict: { minCompared: 1000, maxMismatch: '1%', maxError: '1%' },
  tlsVerify: true,
  client: 'auto',
} as const;

/** Timers of the platform end at 24.8 days; a deadline of more than a day is a mistake anyway. */
export const DURATION_MS_MAX = DAY_MS;
export const THREADS_FRONTEND_MAX = 64;
export const THREADS_MIRROR_MAX = 16;
export const LISTENERS_MAX = 64;
/** The balancer remembers those that were tried in the bits of a word. */
export const BACKENDS_MAX = 32;
export const WEIGHT_MAX = 65_535;
/** Places in the balancer's cycle: the weights after division by what they have in common. */
export const CYCLE_MAX = 65_536;
/** The listener takes 98 header lines; umbra adds to them. */
export const HEADER_COUNT_MAX = 98;
export const HOSTS_MAX = 256;
export const URIS_MAX = 256;
/** A route's hosts times its paths: each pair is a pattern of the router's. */
export const ROUTE_PATTERNS_MAX = 4096;
/** Of all routes of all files. */
export const PATTERNS_MAX = 200_000;
export const ADDRESSES_MAX = 1024;
export const LIST_MAX = 64;
/** Names of headers in one list of a mirror. */
export const HEADERS_MAX = 256;
/** Places in JSON bodies, and names of query parameters, in one list of a mirror. */
export const PATHS_MAX = 256;
export const MISMATCHES_MAX = 10_000;
/** Where nothing in APISIX's forms says less. */
export const ENTRIES_MAX = 1024;
/** Priorities, and numbers of databases. */
export const INTEGER_MIN = -(2 ** 31);
export const INTEGER_MAX = 2 ** 31 - 1;
export const PATH_LENGTH_MAX = 8192;
export const REGEX_LENGTH_MAX = 1024;
export const KEY_LENGTH_MAX = 256;
export const TIME_WINDOW_SECONDS_MAX = 365 * 24 * 3600;
