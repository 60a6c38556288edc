// The primary's side of a comparison: its answer out of a job, or out of the pieces that went ahead of the job.

import assert from 'node:assert';
import type { UncomparedReason } from '../core/book.ts';
import type { Mirror } from '../core/model.ts';
import { type Answer, BodyCapture, type CaptureBudget, NONE_CAPTURED, toAnswer } from './answer.ts';
import { type Job, PrimaryAnswer } from './job.ts';

/** Answers of primaries that may be under way in pieces at one time; one more is not compared. */
const STREAMS_MAX = 16_384;

/** What is left of a primary's answer for the comparison. */
export interface PrimaryReading {
  /** Null when there is something to compare with. */
  readonly uncompared: UncomparedReason | null;
  /** 0 when none came. */
  readonly status: number;
  readonly latencyMs: number;
  /** Null when there is nothing to compare with. */
  readonly answer: Answer | null;
}

/** Whether the primary gave no answer, a part of one, or one from 500 on. */
export function isPrimaryError({ uncompared, status }: PrimaryReading): boolean {
  return uncompared === 'primary_failed' || uncompared === 'primary_incomplete' || status >= 500;
}

/** Bytes of an answer's body that a route keeps, or NONE_CAPTURED. */
export function captureBytesMax(mirror: Mirror): number {
  return mirror.compare?.detail?.maxBodyCaptureBytes ?? NONE_CAPTURED;
}

/** The answers of primaries that come in pieces, ahead of their jobs. */
export class PrimaryStreams {
  /** Null for a stream that there was no room for, so that its further pieces are not taken for a beginning. */
  readonly #streams = new Map<number, BodyCapture | null>();
  #open = 0;

  /** The chunk is copied or hashed at once: a kept one would keep its whole batch in memory. */
  onChunk(stream: number, chunk: Uint8Array, budget: CaptureBudget, bytesMax: number): void {
    let running = this.#streams.get(stream);
    if (running === undefined) {
      running = this.#open < STREAMS_MAX ? new BodyCapture(budget, bytesMax) : null;
      this.#streams.set(stream, running);
      if (running !== null) this.#open++;
    }
    running?.add(chunk);
  }

  /** Ends a stream; null when nothing is known of it. The caller finishes or discards what it gets. */
  take(stream: number): BodyCapture | null {
    const running = this.#streams.get(stream) ?? null;
    this.#streams.delete(stream);
    if (running !== null) this.#open--;
    return running;
  }
}

/** Reads what a job of a comparing route says of its primary's answer. `streamed` is the job's stream, taken. */
export function readPrimary(
  job: Job,
  streamed: BodyCapture | null,
  mirror: Mirror,
  budget: CaptureBudget,
): PrimaryReading {
  switch (job.answer) {
    case PrimaryAnswer.inline:
      return toReading(job, toAnswer(job.status, job.lines, job.answerBody, budget, captureBytesMax(mirror)));
    case PrimaryAnswer.streamed:
      return streamed === null
        ? toUncompared(job, 'not_captured')
        : toReading(job, streamed.finish(job.status, job.lines));
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

function toReading(job: Job, answer: Answer): PrimaryReading {
  return { uncompared: null, status: job.status, latencyMs: job.primaryLatencyMs, answer };
}

function toUncompared(job: Job, reason: UncomparedReason): PrimaryReading {
  return { uncompared: reason, status: job.status, latencyMs: job.primaryLatencyMs, answer: null };
}
