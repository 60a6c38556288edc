// A front end and its mirror threads within the test's own process, where a test can end them.
//
// The same parts as a front-end thread of the gateway has, on real sockets; only the control thread is missing.
// The thread that runs the listener is the test's own and is never ended.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createLedger, type Ledger } from '../../src/control/ledger.ts';
import { type MirrorReport, readMirrors } from '../../src/control/mirrors.ts';
import { ThreadCell } from '../../src/core/book.ts';
import { createClock } from '../../src/core/clock.ts';
import {
  CLIENT_AUTO,
  type Limits,
  type Mirror,
  type Route,
  type WeightedBackend,
} from '../../src/core/model.ts';
import { FrontendThread } from '../../src/frontend/thread.ts';
import { Mirroring } from '../../src/mirror/mirroring.ts';
import { createClients } from '../../src/upstream/clients.ts';
import { assertBalanced } from '../kit/gateway.ts';
import { toRoute as toBareRoute } from '../mirror/rig.ts';

export const MIRROR_WORKER = fileURLToPath(new URL('../../src/mirror/worker.ts', import.meta.url));
const WAIT_MS_MAX = 60_000;

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

/** Resolves when the condition holds; polls what other threads write. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const giveUpAt = performance.now() + WAIT_MS_MAX;
  while (!condition()) {
    assert.ok(performance.now() < giveUpAt, `waited in vain for ${what}`);
    await sleep(2);
  }
}

/** Route `api`, every path, without retries. */
export function toRoute(primary: string, mirror: Mirror, edits: Partial<Route> = {}): Route {
  const authority = new URL(primary).host;
  const timeouts = { connectMs: 60_000, sendMs: 60_000, readMs: 60_000 };
  const backends: WeightedBackend[] = [
    { origin: primary, authority, tls: null, client: CLIENT_AUTO, weight: 1, priority: 0 },
  ];
  // Only a test's own doing may end a copy, not a machine that is busy.
  const patient = { ...mirror, timeouts };
  return { ...toBareRoute('api', patient), backends, timeouts, ...edits };
}

/** The mirror thread's entry with other code around it: `wrap` is the body of a function of (run, task). */
export function writeWorker(t: TestContext, wrap: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-worker-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'worker.mjs');
  writeFileSync(file, toWorkerText(wrap));
  return file;
}

export function toWorkerText(wrap: string): string {
  return `import { existsSync } from 'node:fs';
import { runTask as run } from ${JSON.stringify(MIRROR_WORKER)};
export function runTask(task) {
  ${wrap}
}
`;
}

export interface MirrorFrontend {
  readonly port: number;
  readonly mirroring: Mirroring;
  /** What was said of mirror threads that failed. */
  readonly defects: unknown[];
  /** Every sum of the route. */
  report(): MirrorReport;
  /** Resolves when so many exchanges were matched and all of their copies have ended. */
  settled(matched: number): Promise<MirrorReport>;
  count(cell: keyof typeof ThreadCell): number;
  setRoute(route: Route): void;
  /** Ends the lane's thread as a crash would; resolves when it is gone. */
  kill(lane?: number): Promise<void>;
  /** Ends the mirroring as a drain does; the books must balance then. */
  stop(graceMs: number): Promise<MirrorReport>;
}

export interface MirrorFrontendOptions {
  readonly lanes?: number;
  readonly workerFile?: string;
}

/** Ends with balanced books. */
export function openMirrorFrontend(
  t: TestContext,
  route: Route,
  options: MirrorFrontendOptions = {},
): MirrorFrontend {
  const writers = { frontends: 1, lanes: options.lanes ?? 1 };
  const ledger = createLedger(writers);
  const clock = createClock();
  const [defects, bugs]: [unknown[], unknown[]] = [[], []];
  const shared = { frontend: 0, writers, processBook: ledger.process.buffer, clock };
  const mirroring = new Mirroring({
    ...shared,
    logChannel: `umbra-test-${process.pid}-${Math.random()}`,
    findingsChannel: `umbra-test-findings-${process.pid}-${Math.random()}`,
    workerFile: options.workerFile ?? MIRROR_WORKER,
    isOverloaded: () => false,
    onDefect: (error) => defects.push(error),
  });
  const frontend = new FrontendThread({
    ...shared,
    listeners: [{ host: '127.0.0.1', port: 0, tls: null }],
    limits: LIMITS,
    adminOrigin: null,
    log: (_level, message, fields) => {
      if (message === 'defect') bugs.push(fields.stack);
      return true;
    },
    createClient: createClients(),
    observe: (entry) => mirroring.observe(entry),
    onTick: () => mirroring.refresh(),
  });
  const report = (): MirrorReport => readMirrors(ledger, { countMismatches: () => 0 }, clock()).api!;
  const opened = toFrontend(ledger, mirroring, frontend, report, defects);
  let stopping: Promise<void> | null = null;
  const stop = async (graceMs: number): Promise<MirrorReport> => {
    stopping ??= mirroring.stop(graceMs);
    await stopping;
    assertBalanced({ api: report() });
    return report();
  };
  t.after(async () => {
    await frontend.drain(clock() + 5_000, () => true);
    await stop(5_000).finally(() => frontend.close());
    assert.deepEqual(bugs, [], 'defects of the front end');
  });
  opened.setRoute(route);
  frontend.listen();
  return { ...opened, stop, port: frontend.ports[0]! };
}

function toFrontend(
  ledger: Ledger,
  mirroring: Mirroring,
  frontend: FrontendThread,
  report: () => MirrorReport,
  defects: unknown[],
): Omit<MirrorFrontend, 'port' | 'stop'> {
  return {
    mirroring,
    defects,
    report,
    count: (cell) => ledger.process.sumThreads(ThreadCell[cell]),
    setRoute(route) {
      frontend.setRoutes([route.id], ledger.enter([route]));
    },
    async settled(matched) {
      await until(() => {
        const {
          matched: found,
          total_mirrored,
          total_success,
          total_errors,
          skipped,
          dropped,
          in_flight,
        } = report();
        const left = [...Object.values(skipped), ...Object.values(dropped)].reduce(
          (sum, one) => sum + one,
          0,
        );
        return (
          found === matched &&
          left + total_mirrored === found &&
          in_flight === 0 &&
          total_success + total_errors === total_mirrored
        );
      }, `${matched} settled exchanges`).catch((error: unknown) => {
        throw new Error(`${error}\n${JSON.stringify(report())}`);
      });
      assertBalanced({ api: report() });
      return report();
    },
    async kill(lane = 0) {
      const { thread } = mirroring.lanes[lane]!;
      assert.ok(thread !== null, 'there is a thread to end');
      await thread.terminate();
      // Its lane has heard of it: it has no thread, or another one.
      await until(() => mirroring.lanes[lane]!.thread !== thread, 'the lane to notice');
    },
  };
}
