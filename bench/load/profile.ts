// Where the front-end thread's time goes: samples of it, by whose code was running.
//
// perf takes samples by the clock, which needs no hardware counters, and knows compiled JavaScript by the map that
// Node writes on request. Shares repeat within a point or two; they say nothing about how fast anything is.

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launcher } from './gateway.ts';
import { within } from './processes.ts';
import type { Row } from './rows.ts';
import type { Site } from './site.ts';
import { findFrontends, readThreads } from './threads.ts';

const SAMPLES_PER_SECOND = 999;
const SECONDS = 6;
const CONNECTIONS = 64;
const WARMUP_REQUESTS = 40_000;
const LIMIT_MS = 120_000;

/** perf finds names of compiled code in `/tmp/perf-PID.map`, wherever the process runs. */
const MAPPED: Launcher = {
  toCommand: () => [],
  nodeFlags: ['--perf-basic-prof'],
  readyLimitMs: 15_000,
  isSlowed: false,
};

/** The first that fits an object file and a symbol owns the sample. */
const OWNERS: readonly { readonly owner: string; readonly object: RegExp; readonly symbol: RegExp }[] = [
  { owner: 'kernel: sockets and scheduling', object: /^\[(?:kernel|guest)/, symbol: /./ },
  { owner: 'listener (uWebSockets.js)', object: /uws_.*\.node/, symbol: /./ },
  {
    owner: 'garbage collection',
    object: /node$/,
    symbol: /Scaveng|Mark|Sweep|Heap|Evacuat|GCTracer|Space::/,
  },
  { owner: 'mirroring', object: /./, symbol: /src\/mirror\// },
  { owner: 'our code, without the upstream client', object: /./, symbol: /src\/(?:frontend|core)\// },
  { owner: 'upstream client, node:net', object: /./, symbol: /src\/upstream\/|undici|node:|wasm|Wasm/ },
  {
    owner: 'upstream client, node:net',
    object: /./,
    symbol: /node::(?:Stream|Libuv|TCP|Write)|^uv_/,
  },
  {
    owner: 'engine: built-in functions and the calls between native code and ours',
    object: /./,
    symbol: /./,
  },
];

export interface ProfileShares {
  readonly row: string;
  /** Owner to share of the samples, 0 to 1. */
  readonly shares: Readonly<Record<string, number>>;
  readonly samples: number;
}

/** Taking samples may be forbidden where perf is installed (kernel.perf_event_paranoid). */
export function canProfile(): boolean {
  return spawnSync('perf', ['record', '-q', '-e', 'cpu-clock', '-o', '/dev/null', 'true']).status === 0;
}

export async function measureProfile(site: Site, row: Row): Promise<ProfileShares> {
  const pair = await site.startPair(row, MAPPED);
  const { gateway, client } = pair;
  const before = readThreads(gateway.pid);
  const phase = { connections: CONNECTIONS, ratePerSecond: 0, cutOffMs: Number.POSITIVE_INFINITY };
  await client.run({ ...phase, requests: WARMUP_REQUESTS }, LIMIT_MS);
  const [frontend] = findFrontends(before, readThreads(gateway.pid), 1);
  const file = join(gateway.folder, 'perf.data');
  const load = client.run(
    { ...phase, requests: Number.POSITIVE_INFINITY, cutOffMs: (SECONDS + 1) * 1000 },
    LIMIT_MS,
  );
  const perf = site.group.spawn(
    'perf',
    ['record', '-q', '-e', 'cpu-clock', '-F', `${SAMPLES_PER_SECOND}`, '-t', `${frontend!.tid}`, '-o', file],
    { stdio: 'ignore', cores: null },
  );
  const recorded = new Promise<void>((resolve) => perf.once('close', () => resolve()));
  await sleep(SECONDS * 1000);
  perf.kill('SIGINT');
  await within(LIMIT_MS, 'perf record', recorded);
  await load;
  // While the process lives: perf reads its map and its files by its id.
  const report = readReport(file);
  await site.stopPair(pair);
  rmSync(`/tmp/perf-${gateway.pid}.map`, { force: true });
  return { row: row.name, ...report };
}

function readReport(file: string): Omit<ProfileShares, 'row'> {
  const { status, stdout, stderr } = spawnSync('perf', ['script', '-i', file, '-F', 'ip,sym,dso'], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`perf script: ${stderr}`);
  const counts = new Map<string, number>();
  const lines = stdout.split('\n').filter((line) => line.trim() !== '');
  for (const line of lines) {
    const owner = toOwner(line);
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  const shares = [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([owner, count]) => [owner, count / lines.length]);
  return { shares: Object.fromEntries(shares), samples: lines.length };
}

/** Of a line of `perf script -F ip,sym,dso`: "address symbol (object)". */
export function toOwner(line: string): string {
  const [, symbol = '', object = ''] = /^\s*[0-9a-f]+ (.*) \((.*)\)\s*$/.exec(line) ?? [];
  return OWNERS.find((rule) => rule.object.test(object) && rule.symbol.test(symbol))?.owner ?? 'unknown';
}
