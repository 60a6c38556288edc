// The front-end threads as the control thread holds them: starts them, tells them, waits for them.
//
// Never terminates one: a thread that runs the listener ends by itself when it was drained.

import { Worker } from 'node:worker_threads';
import type { FrontendData, Order, Report } from '../core/message.ts';

/** A thread whose loop has not turned for this long serves nobody. */
const SILENT_MS_MAX = 10_000;

export interface FrontendHooks {
  /** The thread ended without having been told to, or asks to be ended. Called once; the message has the stack. */
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
  #hasEnded = false;
  #isLost = false;
  #complete = true;
  #pingedAtMs: number | null = null;

  constructor(file: string, data: FrontendData, hooks: FrontendHooks) {
    this.#worker = new Worker(file, { workerData: data, name: `umbra-front-${data.frontend}` });
    this.#worker.on('message', (report: Report) => this.#onReport(report, hooks));
    let lastError: string | null = null;
    this.#worker.on('error', (error) => {
      lastError = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        resolve();
        this.#hasEnded = true;
        for (const waiting of this.#waiting.splice(0)) waiting.resolve();
        const error = new Error(lastError ?? `front-end thread ended with code ${code}`);
        if (this.#onFailed !== null) this.#onFailed(error);
        else this.#lose(error, hooks);
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
    if (this.#hasEnded) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ resolve, generation: order.generation });
      this.#worker.postMessage(order);
    });
  }

  /** Asks for a sign of life; to be called every few seconds. */
  ping(): void {
    if (this.#hasEnded || this.#pingedAtMs !== null) return;
    this.#pingedAtMs = performance.now();
    this.#worker.postMessage({ kind: 'ping' } satisfies Order);
  }

  /** Whether it has answered of late. */
  get isAlive(): boolean {
    return this.#pingedAtMs === null || performance.now() - this.#pingedAtMs < SILENT_MS_MAX;
  }

  /** Resolves when the thread has ended: true when every exchange had. */
  async drain(graceMs: number): Promise<boolean> {
    if (!this.#draining) this.#worker.postMessage({ kind: 'drain', graceMs } satisfies Order);
    this.#draining = true;
    await this.#ended;
    return this.#complete;
  }

  #lose(error: Error, hooks: FrontendHooks): void {
    if (this.#draining || this.#isLost) return;
    this.#isLost = true;
    hooks.onLost(error);
  }

  #onReport(report: Report, hooks: FrontendHooks): void {
    switch (report.kind) {
      case 'defect':
        this.#lose(new Error(report.message), hooks);
        break;
      case 'pong':
        this.#pingedAtMs = null;
        break;
      case 'ready':
        this.#onFailed = null;
        this.#onReady?.();
        break;
      case 'failed':
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
