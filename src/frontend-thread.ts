// Entry of a front-end thread: puts its parts together and obeys the control thread.

import { parentPort, workerData } from 'node:worker_threads';
import { createClock } from './core/clock.ts';
import { openLogSink } from './core/log.ts';
import type { FrontendData, Order, Report } from './core/message.ts';
import { workerFile } from './core/worker-file.ts';
import { FrontendThread } from './frontend/thread.ts';
import { Mirroring } from './mirror/mirroring.ts';
import { createUndiciClient } from './upstream/undici.ts';

/** Copies get at least this long to end, when exchanges have used up the grace. */
const COPIES_GRACE_MS = 500;

function start(data: FrontendData): void {
  const port = parentPort!;
  const report = (message: Report): void => port.postMessage(message);
  const clock = createClock();
  const log = openLogSink(data.logChannel);
  const mirroring = new Mirroring({
    ...data,
    workerFile: workerFile(import.meta.url, './mirror/worker'),
    clock,
    isOverloaded: () => frontend.isOverloaded,
    onDefect: (error) => frontend.onMirrorDefect(error),
  });
  const frontend = new FrontendThread({
    ...data,
    clock,
    log,
    createClient: createUndiciClient,
    observe: (entry) => mirroring.observe(entry),
    onTick: () => mirroring.refresh(),
  });
  frontend.setRoutes(
    data.entries.map((entry) => entry.route.id),
    data.entries,
  );

  const drain = async (graceMs: number): Promise<void> => {
    const deadlineMs = clock() + graceMs;
    const complete = await frontend.drain(deadlineMs);
    await mirroring.stop(Math.max(COPIES_GRACE_MS, deadlineMs - clock()));
    frontend.close();
    report({ kind: 'drained', complete });
    // Nothing keeps the thread now. It must end by itself: to terminate one that runs the listener ends the process.
    port.close();
  };

  port.on('message', (order: Order) => {
    if (order.kind === 'drain') {
      void drain(order.graceMs);
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
