// The front-end threads as the control thread holds them: starts them, tells them, waits for them.
//
// Never terminates one: a thread that runs the listener ends by itself when it was drained.

import { Worker } from 'node:worker_threads';
import type { FrontendData, Order, Report } from '../core/message.ts';

export interface FrontendHooks {
  /** The thread ended without having been told to. */
  readonly onLost: (error: Error) => void;
}

interface Waiting {
  readonly resolve: () => void;
  readonly generation: number;
}

export class FrontendHandle {
  readonly #worker: Worker;
  #waiting: Waiting[] = [];
  #onReady: (() => void) | null = null;
  #onFailed: ((error: Error) => void) | null = null;
  #draining = false;
  readonly #ended: Promise<void>;
  #complete = true;

  constructor(file: string, data: FrontendData, hooks: FrontendHooks) {
    this.#worker = new Worker(file, { workerData: data, name: `umbra-front-${data.frontend}` });
    this.#worker.on('message', (report: Report) => this.#onReport(report));
    let lastError: Error | null = null;
    this.#worker.on('error', (error) => {
      lastError = error instanceof Error ? error : new Error(String(error));
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        resolve();
        for (const waiting of this.#waiting.splice(0)) waiting.resolve();
        const error = lastError ?? new Error(`front-end thread ended with code ${code}`);
        this.#onFailed?.(error);
        if (!this.#draining) hooks.onLost(error);
      });
    });
  }

  /** Resolves when it serves, rejects when it cannot. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onReady = resolve;
      this.#onFailed = reject;
    });
  }

  /** Resolves when new exchanges begin on that generation, or the thread is gone. */
  apply(order: Order & { kind: 'routes' }): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ resolve, generation: order.generation });
      this.#worker.postMessage(order);
    });
  }

  /** Resolves when the thread has ended: true when every exchange had. */
  async drain(graceMs: number): Promise<boolean> {
    this.#draining = true;
    this.#worker.postMessage({ kind: 'drain', graceMs } satisfies Order);
    await this.#ended;
    return this.#complete;
  }

  #onReport(report: Report): void {
    switch (report.kind) {
      case 'ready':
        this.#onFailed = null;
        this.#onReady?.();
        break;
      case 'failed':
        this.#draining = true;
        this.#onFailed?.(new Error(report.message));
        this.#onFailed = null;
        break;
      case 'applied':
        this.#waiting = this.#waiting.filter((waiting) => {
          if (waiting.generation > report.generation) return true;
          waiting.resolve();
          return false;
        });
        break;
      case 'drained':
        this.#complete = report.complete;
        break;
    }
  }
}
