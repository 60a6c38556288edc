// The long run of the differential test, on two threads: node test/upstream/http1/fuzz.ts --cases 1000000 --seed 1
//
// Prints the seed, how often each difference was met, and the first failure of a thread; exits 1 when there is one.

import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { LLHTTP_DIFFERENCES, UNDICI_DIFFERENCES } from './differences.ts';
import { runCases, type Share, type Tally } from './differential.ts';

const THREADS = 2;

interface Report {
  readonly tally: Tally;
  /** Empty when all is well. */
  readonly failure: string;
}

async function work(share: Share): Promise<Report> {
  const tally: Tally = new Map();
  try {
    await runCases(share, tally);
    return { tally, failure: '' };
  } catch (error) {
    return { tally, failure: error instanceof Error ? error.message : String(error) };
  }
}

function openWorker(share: Share): Promise<Report> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: share });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
      'undici-every': { type: 'string', default: '20' },
    },
  });
  const share = {
    seed: Number(values.seed),
    to: Number(values.cases),
    step: THREADS,
    undiciEvery: Number(values['undici-every']),
  };
  if (![share.seed, share.to, share.undiciEvery].every(Number.isSafeInteger)) throw new Error('not a number');
  console.log(`seed ${share.seed}, ${share.to} cases`);
  const startedMs = performance.now();
  const shares = Array.from({ length: THREADS }, (_, from) => ({ ...share, from }));
  const reports = await Promise.all(shares.map(openWorker));
  print(reports);
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  for (const { failure } of reports) {
    if (failure === '') continue;
    console.error(`failed: ${failure}`);
    process.exitCode = 1;
  }
}

function print(reports: readonly Report[]): void {
  const total: Tally = new Map();
  for (const { tally } of reports) {
    for (const [name, count] of tally) total.set(name, (total.get(name) ?? 0) + count);
  }
  for (const [name, count] of [...total].sort(([a], [b]) => (a < b ? -1 : 1))) {
    console.log(`${String(count).padStart(9)}  ${name}`);
  }
  const names = [
    ...LLHTTP_DIFFERENCES.map(({ name }) => `llhttp: ${name}`),
    ...UNDICI_DIFFERENCES.map(({ name }) => `undici: ${name}`),
  ];
  for (const name of new Set(names)) if (!total.has(name)) console.log(`        0  ${name}`);
}

if (isMainThread) await main();
else parentPort!.postMessage(await work(workerData as Share));
