// What is measured: every row of the tables, with the load that it is put under.
//
// An umbra row differs from `off` by what its title says and by nothing else. `twin` does not differ at all: what it
// seems to cost is what the method cannot tell apart.

export type ShadowKind = 'answering' | 'drifting' | 'empty' | 'slow' | 'hung' | 'refusing';

export interface RowMirror {
  readonly shadow: ShadowKind;
  /** So many shadows get a copy each. */
  readonly copies: number;
  readonly percentage: number;
  /** `hash`: status and digest of the body. `detail`: headers, and JSON field by field. */
  readonly compares: 'nothing' | 'hash' | 'detail';
}

/** Bodies, and the fixed rate at which latency is taken. */
export interface Load {
  /** 0 is a GET. */
  readonly requestBytes: number;
  readonly answerBytes: number;
  /** Whether the answer has many fields (bench/json-body.ts), not a single one. */
  readonly hasFields: boolean;
  readonly ratePerSecond: number;
}

export interface Row {
  /** Unique; guards name it. */
  readonly name: string;
  /** For people, in tables. */
  readonly title: string;
  /** `direct` is no gateway at all; others than umbra are peers' names. */
  readonly gateway: string;
  readonly mirror: RowMirror | null;
  readonly load: Load;
  readonly tls: boolean;
  /** Of umbra's backends, primary and shadow. */
  readonly client: 'auto' | 'undici';
  /** Front-end threads. */
  readonly frontends: number;
  /** The row that it is divided by; null for `direct` alone. */
  readonly baseline: string | null;
  /**
   * How much it is measured: headline rows more often than others. A `stalling` one is expected to keep its clients
   * waiting: one slice a round, cut off, and no closed loop.
   */
  readonly weight: 'headline' | 'plain' | 'stalling';
}

const SMALL: Load = { requestBytes: 0, answerBytes: 1024, hasFields: false, ratePerSecond: 2_000 };
const MEDIUM: Load = { ...SMALL, requestBytes: 16 * 1024, answerBytes: 16 * 1024, ratePerSecond: 1_000 };
const LARGE: Load = { ...SMALL, requestBytes: 1024 * 1024, answerBytes: 1024 * 1024, ratePerSecond: 40 };
const JSON_2K: Load = { ...SMALL, answerBytes: 2 * 1024, hasFields: true };

const ALL: RowMirror = { shadow: 'answering', copies: 1, percentage: 100, compares: 'nothing' };

const BASE: Row = {
  name: 'off',
  title: 'umbra, no mirror',
  gateway: 'umbra',
  mirror: null,
  load: SMALL,
  tls: false,
  client: 'auto',
  frontends: 1,
  baseline: 'off',
  weight: 'plain',
};

function row(name: string, title: string, edits: Partial<Row> = {}): Row {
  return { ...BASE, name, title, ...edits };
}

function mirrored(name: string, title: string, mirror: Partial<RowMirror>, edits: Partial<Row> = {}): Row {
  return row(name, title, { mirror: { ...ALL, ...mirror }, ...edits });
}

const HEADLINE = { weight: 'headline' } as const;

/** Small requests: everything that is compared with `off` and with the peers. */
export const SMALL_ROWS: readonly Row[] = [
  row('direct', 'no gateway', { gateway: 'direct', baseline: null }),
  row('off', BASE.title, HEADLINE),
  row('twin', 'umbra, the same once more (A/A)', HEADLINE),
  mirrored('mirror-1', 'umbra, 1 % mirrored', { percentage: 1 }),
  mirrored('mirror-10', 'umbra, 10 % mirrored', { percentage: 10 }),
  mirrored('mirror', 'umbra, all mirrored', {}, HEADLINE),
  mirrored('compare', 'umbra, all mirrored and compared', { compares: 'hash' }, HEADLINE),
  mirrored('three', 'umbra, all to three shadows', { copies: 3 }),
  mirrored('slow', 'umbra, shadow takes 1 s', { shadow: 'slow' }, HEADLINE),
  mirrored('hung', 'umbra, shadow hangs', { shadow: 'hung' }, HEADLINE),
  mirrored('refusing', 'umbra, shadow refuses', { shadow: 'refusing' }),
  row('undici', 'umbra with undici, no mirror', { client: 'undici', baseline: 'undici' }),
  mirrored('undici-mirror', 'umbra with undici, all mirrored', {}, { client: 'undici', baseline: 'undici' }),
];

export const PEER_ROWS: readonly Row[] = [
  row('nginx', 'nginx', { gateway: 'nginx', ...HEADLINE }),
  mirrored('nginx-mirror', 'nginx, all mirrored', {}, { gateway: 'nginx', baseline: 'nginx', ...HEADLINE }),
  mirrored(
    'nginx-mirror-empty',
    'nginx, shadow answers 204',
    { shadow: 'empty' },
    { gateway: 'nginx', baseline: 'nginx' },
  ),
  mirrored(
    'nginx-slow',
    'nginx, shadow takes 1 s',
    { shadow: 'slow' },
    { gateway: 'nginx', baseline: 'nginx', weight: 'stalling' },
  ),
  mirrored(
    'nginx-hung',
    'nginx, shadow hangs',
    { shadow: 'hung' },
    { gateway: 'nginx', baseline: 'nginx', weight: 'stalling' },
  ),
  row('haproxy', 'haproxy', { gateway: 'haproxy' }),
  row('fast-proxy', 'fast-proxy', { gateway: 'fast-proxy' }),
  row('fastify-http-proxy', '@fastify/http-proxy', { gateway: '@fastify/http-proxy' }),
  row('http-proxy', 'http-proxy', { gateway: 'http-proxy' }),
];

/** Other bodies, TLS: each with a baseline of its own. */
export const BODY_ROWS: readonly Row[] = [
  row('off-16k', '16 KiB both ways, no mirror', { load: MEDIUM, baseline: 'off-16k' }),
  mirrored('mirror-16k', '16 KiB, all mirrored', {}, { load: MEDIUM, baseline: 'off-16k' }),
  row('off-1m', '1 MiB both ways, no mirror', { load: LARGE, baseline: 'off-1m' }),
  mirrored('mirror-1m', '1 MiB, all mirrored', {}, { load: LARGE, baseline: 'off-1m' }),
  row('off-tls', 'TLS, no mirror', { tls: true, baseline: 'off-tls' }),
  mirrored('mirror-tls', 'TLS, all mirrored', {}, { tls: true, baseline: 'off-tls' }),
];

const OF_JSON = { load: JSON_2K, baseline: 'off-json' } as const;

/** JSON of 2 KiB, compared in one way and the other. */
export const JSON_ROWS: readonly Row[] = [
  row('off-json', '2 KiB of JSON, no mirror', OF_JSON),
  mirrored('mirror-json', '2 KiB of JSON, all mirrored', {}, OF_JSON),
  mirrored('compare-json', '2 KiB of JSON, compared by hash', { compares: 'hash' }, OF_JSON),
  mirrored('detailed', '2 KiB of JSON, compared in detail', { compares: 'detail' }, OF_JSON),
  mirrored(
    'detailed-drift',
    '2 KiB of JSON, in detail, a field differs',
    { compares: 'detail', shadow: 'drifting' },
    OF_JSON,
  ),
];

/** One front-end thread to as many as there are cores, doubling. Measured without pinning, against one thread. */
export function toThreadRows(cores: number): Row[] {
  const rows: Row[] = [];
  for (let frontends = 1; frontends <= cores; frontends *= 2) {
    const off = `threads-${frontends}`;
    const title = `${frontends} front-end thread${frontends > 1 ? 's' : ''}`;
    rows.push(
      row(off, `${title}, no mirror`, { frontends, baseline: 'threads-1' }),
      mirrored(`${off}-mirror`, `${title}, all mirrored`, {}, { frontends, baseline: off }),
    );
  }
  return rows;
}

export const ROUTE_ID = 'bench';

export function toPath({ answerBytes, hasFields }: Load): string {
  return `/api/items/42?bytes=${answerBytes}${hasFields ? '&fields=1' : ''}`;
}
