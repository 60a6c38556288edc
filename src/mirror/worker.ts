// A mirror thread, started by piscina (worker-entry.cts).
//
// A task is answered as soon as it is taken over. A bug ends the thread, so that its front end counts what is lost
// and starts another one, instead of going on with half a batch taken over.

import { workerData } from 'node:worker_threads';
import { createClients } from '../upstream/clients.ts';
import { Intake } from './intake.ts';
import { RingReader } from './ring.ts';
import { MirrorSender } from './sender.ts';
import type { MirrorTask, MirrorWorkerData } from './task.ts';

const data = workerData as MirrorWorkerData;
const sender = new MirrorSender(data, createClients());
const intake = new Intake(new RingReader(data.ring), sender, () => sender.onBatch());

export function runTask(task: MirrorTask): void | Promise<void> {
  try {
    // First what was written into the ring before the message was sent.
    intake.open();
    if (task.kind === 'batch') sender.take(task);
    if (task.kind === 'stop') {
      intake.close();
      return sender.stop(task.deadlineMs);
    }
  } catch (error) {
    // Out of piscina's reach, which would make it the rejection of this one task. It gets no other answer.
    queueMicrotask(() => {
      throw error;
    });
    return new Promise(() => {});
  }
}
