// Entry of a mirror thread, started by piscina.
//
// A task is answered as soon as it is taken over. A bug ends the thread, so that its front end counts what is lost
// and starts another one, instead of going on with half a batch taken over.

import { workerData } from 'node:worker_threads';
import { createUndiciClient } from '../upstream/undici.ts';
import type { MirrorTask, MirrorWorkerData } from './job.ts';
import { MirrorSender } from './sender.ts';

const sender = new MirrorSender(workerData as MirrorWorkerData, createUndiciClient);

export default function runTask(task: MirrorTask): void | Promise<void> {
  try {
    if (task.kind === 'stop') return sender.stop(task.deadlineMs);
    sender.take(task);
  } catch (error) {
    // Out of piscina's reach, which would make it the rejection of this one task. It gets no other answer.
    queueMicrotask(() => {
      throw error;
    });
    return new Promise(() => {});
  }
}
