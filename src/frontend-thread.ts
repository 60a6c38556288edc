// Entry of a front-end thread: puts its parts together and obeys the control thread.

import { parentPort, workerData } from 'node:worker_threads';
import { createClock } from './core/clock.ts';
import { openLogSink } from './core/log.ts';
import type { FrontendData, Order, Report } from './core/message.ts';
import { workerFile } from './core/worker-file.ts';
import { FrontendThread } from './frontend/thread.ts';
import { Mirroring } from './mirror/mirroring.ts';
import { createClients } from './upstream/clients.ts';

/** Copies get at least this long to end, when exchanges have used up the grace. */
const COPIES_GRACE_MS = 500;

function start(data: FrontendData): void {
  const port = parentPort!;
  const report = (message: Report): void => port.postMessage(message);
  const clock = createClock();
  const log = openLogSink(data.logChannel);
  const mirroring = new Mirroring({
    ...data,
    workerFile: workerFile(import.meta.url, './mirror/worker.ts'),
    clock,
    isOverloaded: () => frontend.isOverloaded,
    onDefect: (error) => frontend.onMirrorDefect(error),
  });
  const frontend = new FrontendThread({
    ...data,
    clock,
    log,
    createClient: createClients(),
    observe: (entry) => mirroring.observe(entry),
    onTick: () => mirroring.refresh(),
  });
  frontend.setRoutes(
    data.entries.map((entry) => entry.route.id),
    data.entries,
  );

  let draining = false;
  const drain = async (graceMs: number): Promise<void> => {
    if (draining) return;
    draining = true;
    const deadlineMs = clock() + graceMs;
    await frontend.drain(deadlineMs, () => mirroring.isSettled());
    // A request that comes on a kept connection meanwhile is forwarded, and not mirrored any more.
    await mirroring.stop(Math.max(COPIES_GRACE_MS, deadlineMs - clock()));
    await frontend.drain(deadlineMs, () => true);
    const complete = frontend.exchanges === 0;
    frontend.close();
    report({ kind: 'drained', complete });
    // Nothing keeps the thread now. It must end by itself: to terminate one that runs the listener ends the process.
    port.close();
  };
  // What nobody caught may have left anything behind. The gateway is told, drains and ends, to be started again;
  // to let the thread die here and now would take the process and all its exchanges along.
  process.on('uncaughtException', (error) => {
    frontend.onDefect(error);
    report({ kind: 'defect', message: error.stack ?? error.message });
  });

  port.on('message', (order: Order) => {
    if (order.kind === 'drain') {
      void drain(order.graceMs);
      return;
    }
    if (order.kind === 'ping') {
      report({ kind: 'pong' });
      return;
    }
    frontend.setRoutes(order.ids, order.changed);
    report({ kind: 'applied', generation: order.generation });
  });
  try {
    frontend.listen();
    report({ kind: 'ready' });
  } catch (error) {
    report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

start(workerData as FrontendData);
