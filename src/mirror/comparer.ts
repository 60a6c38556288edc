// Compares a shadow's answer with the primary's: status, and SHA-256 of the body.
//
// Bodies are hashed piece by piece as they come and are never put together; of a primary's answer only the
// digest is kept until its shadows have answered. Writes the comparing cells of a shadow's row and says each
// mismatch once to the log, which bounds itself.

import assert from 'node:assert';
import { createHash, type Hash, hash } from 'node:crypto';
import { ShadowCell, type UncomparedReason } from '../core/book.ts';
import type { LogSink } from '../core/log.ts';
import { type Job, PrimaryAnswer } from './job.ts';

/** Answers of primaries that may be under way in pieces at one time; one more is not compared. */
const STREAMS_MAX = 16_384;

const NO_CHUNK = new Uint8Array(0);

/** SHA-256 of a shadow's body as it comes. A body of one piece, the usual one, is hashed in one go. */
export class BodyDigest {
  #first: Uint8Array | null = null;
  #hash: Hash | null = null;

  /** Keeps the first chunk until the second one or finish(). */
  add(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (this.#hash !== null) {
      this.#hash.update(chunk);
    } else if (this.#first === null) {
      this.#first = new Uint8Array(chunk);
    } else {
      this.#hash = createHash('sha256').update(this.#first).update(chunk);
      this.#first = null;
    }
  }

  finish(): string {
    if (this.#hash !== null) return this.#hash.digest('base64');
    return hash('sha256', this.#first ?? NO_CHUNK, 'base64');
  }
}

/** What is left of a primary's answer for the comparison. */
export interface PrimaryReading {
  /** Null when there is something to compare with. */
  readonly uncompared: UncomparedReason | null;
  readonly status: number;
  /** Empty when there is nothing to compare with. */
  readonly digest: string;
  readonly latencyMs: number;
}

/** What a mismatch is logged with. */
export interface MismatchSubject {
  readonly route: string;
  readonly shadow: string;
  readonly method: string;
  readonly path: string;
  readonly requestId: string | null;
}

export interface ShadowReading {
  readonly status: number;
  readonly digest: string;
  readonly latencyMs: number;
}

/** Whether an answer was compared, and which parts of it differ. */
export interface Verdict {
  readonly uncompared: UncomparedReason | null;
  readonly statusMatch: boolean;
  readonly bodyMatch: boolean;
}

export function compareAnswers(primary: PrimaryReading, shadow: ShadowReading): Verdict {
  return {
    uncompared: primary.uncompared,
    statusMatch: primary.status === shadow.status,
    bodyMatch: primary.digest === shadow.digest,
  };
}

/** `row` is the index of the writer's first cell. */
export function countVerdict(cells: Float64Array, row: number, verdict: Verdict): void {
  if (verdict.uncompared !== null) {
    count(cells, row + ShadowCell[`uncompared_${verdict.uncompared}`]);
    return;
  }
  count(cells, row + ShadowCell.compared);
  if (!verdict.statusMatch) count(cells, row + ShadowCell.status_mismatched);
  if (!verdict.bodyMatch) count(cells, row + ShadowCell.body_mismatched);
  if (!verdict.statusMatch || !verdict.bodyMatch) count(cells, row + ShadowCell.mismatched);
}

function count(cells: Float64Array, at: number): void {
  cells[at] = cells[at]! + 1;
}

function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Returns false when the log suppressed it. */
export function logMismatch(
  log: LogSink,
  subject: MismatchSubject,
  primary: PrimaryReading,
  shadow: ShadowReading,
  verdict: Verdict,
): boolean {
  return log('warn', 'mirror mismatch', {
    route: subject.route,
    shadow: subject.shadow,
    method: subject.method,
    path: subject.path,
    request_id: subject.requestId,
    primary_status: primary.status,
    shadow_status: shadow.status,
    status_match: verdict.statusMatch,
    body_match: verdict.bodyMatch,
    primary_latency_ms: roundMs(primary.latencyMs),
    shadow_latency_ms: roundMs(shadow.latencyMs),
  });
}

/** The answers of primaries that come in pieces, ahead of their jobs. */
export class PrimaryStreams {
  /** Null for a stream that there was no room for, so that its further pieces are not taken for a beginning. */
  readonly #streams = new Map<number, Hash | null>();
  #hashes = 0;

  /** Hashed at once: a kept chunk would keep its whole batch in memory. */
  onChunk(stream: number, chunk: Uint8Array): void {
    let running = this.#streams.get(stream);
    if (running === undefined) {
      running = this.#hashes < STREAMS_MAX ? createHash('sha256') : null;
      this.#streams.set(stream, running);
      if (running !== null) this.#hashes++;
    }
    running?.update(chunk);
  }

  /** Ends a stream; null when nothing is known of it. */
  take(stream: number): Hash | null {
    const running = this.#streams.get(stream) ?? null;
    this.#streams.delete(stream);
    if (running !== null) this.#hashes--;
    return running;
  }
}

/** Reads what a job of a comparing route says of its primary's answer. `streamed` is the job's stream, taken. */
export function readPrimary(job: Job, streamed: Hash | null): PrimaryReading {
  switch (job.answer) {
    case PrimaryAnswer.inline:
      return toReading(job, hash('sha256', job.answerBody, 'base64'));
    case PrimaryAnswer.streamed:
      return streamed === null
        ? toUncompared(job, 'not_captured')
        : toReading(job, streamed.digest('base64'));
    case PrimaryAnswer.failed:
      return toUncompared(job, 'primary_failed');
    case PrimaryAnswer.incomplete:
      return toUncompared(job, 'primary_incomplete');
    case PrimaryAnswer.notCaptured:
      return toUncompared(job, 'not_captured');
    default:
      assert.fail(`a job of a comparing route says ${job.answer} of its primary's answer`);
  }
}

function toReading(job: Job, digest: string): PrimaryReading {
  return { uncompared: null, status: job.status, digest, latencyMs: job.primaryLatencyMs };
}

function toUncompared(job: Job, reason: UncomparedReason): PrimaryReading {
  return { uncompared: reason, status: job.status, digest: '', latencyMs: job.primaryLatencyMs };
}
