// Tells the log of defects that are caught at a border of a mirror thread, so that a body which provokes one cannot end
// the thread as often as somebody sends it.
//
// At most one a second, and never what a request or an answer holds.

import type { LogSink } from '../core/log.ts';

const TELL_MS = 1000;

export interface DefectHost {
  readonly log: LogSink;
  /** A log event was not written. */
  onLogSuppressed(): void;
}

export class DefectLog {
  readonly #host: DefectHost;
  readonly #message: string;
  readonly #route: string;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(host: DefectHost, message: string, route: string) {
    this.#host = host;
    this.#message = message;
    this.#route = route;
  }

  tell(error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < TELL_MS) return;
    this.#toldMs = nowMs;
    const fields = { route: this.#route, cause: toTrace(error) };
    if (!this.#host.log('error', this.#message, fields)) this.#host.onLogSuppressed();
  }
}

/** What it was and where. Not its message, which may show what nobody should see. */
function toTrace(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^ +at /.test(line));
  return [error.name, ...frames].join('\n');
}
