// Which failed attempts may be made again (RFC 9110 section 9.2.2), and how many of them.

import type { UpstreamFailure } from '../upstream/client.ts';

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** A malformed answer is an answer: it is not asked for again. */
const RETRYABLE: ReadonlySet<string> = new Set([
  'refused',
  'reset',
  'connect_timeout',
  'read_timeout',
  'queue_full',
]);
/** All retries of a thread: this share of its exchanges, and a burst. */
const BUDGET_SHARE = 0.2;
const BUDGET_BURST = 100;

/** What may have been processed is sent again only when that changes nothing. */
export function isRepeatable(failure: UpstreamFailure, method: string, hasBody: boolean): boolean {
  if (!RETRYABLE.has(failure.reason)) return false;
  return !failure.sent || (!hasBody && IDEMPOTENT.has(method));
}

/** Keeps retries from multiplying the load of a primary that is going down. */
export class RetryBudget {
  #left = BUDGET_BURST;

  onExchange(): void {
    if (this.#left < BUDGET_BURST) this.#left += BUDGET_SHARE;
  }

  /** Whether one more retry is within the budget. */
  take(): boolean {
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
