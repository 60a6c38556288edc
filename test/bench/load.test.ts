// The load benchmarks, with real processes and very little load: every kind of row is measured, and nothing is
// claimed of how fast it was.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createJsonBody, stamp } from '../../bench/json-body.ts';
import { parseCoreList, planCores } from '../../bench/load/cores.ts';
import { Findings } from '../../bench/load/findings.ts';
import { measurePace, toPaceTable } from '../../bench/load/pace.ts';
import { PerfCounter, parseCount } from '../../bench/load/perf.ts';
import { drawPlots } from '../../bench/load/plots.ts';
import { ProcessGroup } from '../../bench/load/processes.ts';
import { measureRecovery, RECOVERY } from '../../bench/load/recovery.ts';
import { toReport } from '../../bench/load/report.ts';
import { Rounds, type RowFigures } from '../../bench/load/rounds.ts';
import { BODY_ROWS, JSON_ROWS, PEER_ROWS, SMALL_ROWS } from '../../bench/load/rows.ts';
import { Site } from '../../bench/load/site.ts';
import { Surroundings } from '../../bench/load/surroundings.ts';
import { PEERS } from '../../bench/peers/peer.ts';
import { inspectSvg } from '../../bench/plot/inspection.ts';

const RUN = fileURLToPath(new URL('../../bench/run.ts', import.meta.url));
const SETTINGS = {
  rounds: 1,
  warmupRequests: 200,
  // Not as fast as it goes: other tests run beside this one.
  busyRequests: 300,
  rateSlices: { headline: 1, plain: 1, stalling: 1 },
  busySlices: { headline: 1, plain: 1, stalling: 0 },
};
const NOTES = {
  instructionMethod: null,
  closedLoop: 'a client',
  pinning: 'Nothing was pinned.',
  skipped: ['skipped: one'],
  disturbed: 0,
  measured: 1,
};

const hasNginx = PEERS.find(({ name }) => name === 'nginx')!.findMissing() === null;

/** Each kind of shadow, of body and of transport. */
const ROWS = [
  ...SMALL_ROWS.filter(({ name }) => name !== 'twin' && name !== 'mirror-1' && name !== 'mirror-10'),
  ...PEER_ROWS.filter(({ gateway }) => gateway === 'nginx' && hasNginx),
  ...BODY_ROWS.filter(({ name }) => /16k|tls/.test(name)),
  ...JSON_ROWS.filter(({ name }) => /off|detailed/.test(name)),
];

async function withSite<T>(work: (site: Site) => Promise<T>): Promise<T> {
  const site = new Site(null);
  try {
    await site.open();
    return await work(site);
  } finally {
    await site.close();
    assert.deepEqual(site.group.pids(), [], 'no process is left');
  }
}

function checkFigures({ row, rounds, latenciesUs }: RowFigures): void {
  const [round] = rounds;
  assert.equal(rounds.length, 1, row.name);
  const [slice] = round!.rate;
  assert.equal(latenciesUs.length, Math.max(20, row.load.ratePerSecond / 4), row.name);
  const isStalling = row.weight === 'stalling';
  // Something was answered at once even there, and something never.
  assert.ok(
    latenciesUs.every((latency) => latency > 0),
    row.name,
  );
  assert.equal(
    latenciesUs.some((latency) => latency === Number.POSITIVE_INFINITY),
    isStalling,
    row.name,
  );
  assert.equal(round!.busy.length, isStalling ? 0 : 1, row.name);
  for (const { requestsPerSecond } of round!.busy) assert.ok(requestsPerSecond > 0, row.name);
  if (row.gateway !== 'direct' && process.platform === 'linux') assert.ok(round!.peakBytes > 0, row.name);
  if (row.gateway === 'umbra' && row.mirror?.shadow === 'answering') {
    // A busy machine may shed copies, but not all of them.
    assert.ok(slice!.copiesShare > 0, `${row.name}: ${slice!.copiesShare}`);
  }
}

test('every kind of row is measured, reported and drawn', async () => {
  const figures = await withSite((site) =>
    new Rounds(site, new Surroundings(0), null, SETTINGS).measure(ROWS, () => {}),
  );
  figures.forEach(checkFigures);
  const findings = new Findings(figures, []);
  const report = toReport(findings, NOTES);
  for (const { title } of ROWS) assert.ok(report.includes(title), title);
  assert.ok(report.includes('skipped: one'));
  assert.equal(findings.ratio('mirror', 'mirror', 'p99').median, 1);
  const plots = drawPlots(findings, [{ row: 'mirror', answersPerSecond: [1, 2, 3] }], 'a machine');
  assert.deepEqual(
    plots.map(({ name }) => name),
    ['latency', 'cpu', 'recovery'],
  );
  for (const { svg } of plots) inspectSvg(svg);
});

test('clients go on being answered while the shadow is frozen', async () => {
  const row = SMALL_ROWS.find(({ name }) => name === 'mirror')!;
  const { answersPerSecond } = await withSite((site) => measureRecovery(site, row));
  assert.equal(answersPerSecond.length, RECOVERY.seconds * 10);
  for (let second = 0; second < RECOVERY.seconds; second++) {
    const answers = answersPerSecond.slice(second * 10, second * 10 + 10);
    assert.ok(Math.max(...answers) > 0, `second ${second}: ${answers}`);
  }
});

test('what a mirror thread needs for a copy is measured at a fixed rate', async () => {
  const row = JSON_ROWS.find(({ name }) => name === 'detailed-drift')!;
  const settings = { ratePerSecond: 200, seconds: 2, warmupRequests: 200 };
  const pace = await withSite((site) => measurePace(site, row, settings));
  assert.ok(pace.answersPerSecond > 0 && pace.queuedBytes.length > 0);
  // A busy machine may shed copies, but whatever was answered by the shadow was compared.
  assert.ok(pace.compared > 0 && pace.compared + pace.dropped <= 400, JSON.stringify(pace));
  if (process.platform === 'linux') assert.ok(pace.mirrorCpuUs > 0 && pace.frontendCpuUs > 0);
  assert.ok(toPaceTable([pace]).includes(row.title));
});

test('an answer of many fields has exactly the length that was asked for, and another time when it is stamped', () => {
  for (const length of [200, 1024, 2048, 16 * 1024]) {
    const body = createJsonBody(length);
    assert.equal(body.bytes.length, length);
    const before = JSON.parse(body.bytes.toString()) as { meta: { timestamp: string } };
    stamp(body, new Date(1.9e12));
    const after = JSON.parse(body.bytes.toString()) as { meta: { timestamp: string } };
    assert.notEqual(after.meta.timestamp, before.meta.timestamp);
    assert.deepEqual({ ...after, meta: { ...after.meta, timestamp: before.meta.timestamp } }, before);
  }
});

test('cores are split in halves from four on, whatever their numbers', () => {
  assert.equal(planCores([0, 1, 2]), null);
  assert.deepEqual(planCores([0, 1, 2, 3]), { gateway: '0,1', others: '2,3' });
  assert.deepEqual(planCores([4, 6, 8, 10, 12]), { gateway: '4,6', others: '8,10,12' });
  assert.deepEqual(parseCoreList(' 0,2-4,7\n'), [0, 2, 3, 4, 7]);
});

test('perf’s report is read by event', () => {
  const report = '1234,,instructions:u,5,100.00,,\n<not supported>,,instructions:k,0,100.00,,\n';
  assert.equal(parseCount(report, 'instructions:u'), 1234);
  assert.ok(Number.isNaN(parseCount(report, 'instructions:k')));
  assert.ok(Number.isNaN(parseCount('', 'instructions:u')));
  const hybrid = '7,,cpu_atom/instructions:u/,5,1.00,,\n9,,cpu_core/instructions:u/,5,99.00,,\n';
  assert.equal(parseCount(hybrid, 'instructions:u'), 16);
});

/** Counted by the kernel, on machines without hardware counters too. */
const EVENTS = ['page-faults', 'context-switches'];

function canPerf(): boolean {
  const { status, stderr } = spawnSync('perf', ['stat', '-x', ',', '-e', EVENTS.join(','), 'true'], {
    encoding: 'utf8',
  });
  return status === 0 && parseCount(stderr, EVENTS[0]!) > 0;
}

test('perf counts a running process and a thread of it', { skip: !canPerf() && 'no perf here' }, async () => {
  const group = new ProcessGroup();
  const counter = new PerfCounter(group, EVENTS);
  try {
    for (const target of [{ pids: [process.pid] }, { tid: process.pid }]) {
      const count = await counter.start(target);
      const pages: Buffer[] = [];
      // New memory, written to: faults of this very thread.
      for (let round = 0; round < 64; round++) pages.push(Buffer.alloc(1024 * 1024, round + 1));
      const { user } = await count.stop();
      assert.ok(user > 0 && pages.length === 64);
    }
  } finally {
    await group.stopAll();
  }
});

test('the command says what it can, and refuses what it cannot', async () => {
  const run = (...parameters: string[]) =>
    new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, [RUN, ...parameters], { timeout: 60_000 }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });
  const help = await run('--help');
  assert.deepEqual([help.code, help.stdout.startsWith('usage: npm run bench')], [0, true]);
  for (const [parameters, says] of [
    [['--only', 'macro'], /no part is named macro: load, instructions, pace, recovery, micro/],
    [['--deadline', 'soon'], /--deadline takes seconds, found soon/],
    [['--fast'], /--fast/],
    [['--guard', '--only', 'micro'], /--guard .* goes with no --only/],
    [['--row', 'nosuch'], /no row has nosuch in its name: direct, /],
    [['--quick', '--only', 'micro'], /--quick leaves the micro-benchmarks out/],
  ] as const) {
    const { code, stderr } = await run(...parameters);
    assert.equal(code, 2);
    assert.match(stderr, says);
  }
});
