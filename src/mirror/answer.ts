// What is kept of an answer until it has been compared: its bytes up to a bound, or their number and digest.
//
// Owns the memory of captured bodies and the bound on all of them in a thread: over it, as over a route's own bound, a
// body is only hashed as it comes. No body is kept for a route that compares by digest, beyond one read.

import { createHash, type Hash, hash } from 'node:crypto';
import type { AnswerContent } from '../core/diff/answer-diff.ts';
import { ByteBudget } from './budget.ts';
import { detach } from './memory.ts';

/**
 * Captured bytes of one thread, of primaries, shadows and controls together. What waits is bounded in number by
 * max_in_flight of each shadow and max_queued of its route; this bounds what it weighs. One rule has half of it at most.
 */
const CAPTURED_BYTES_MAX = 64 * 1024 * 1024;
/** A captured body may share the memory of its batch up to this size. */
const SHARED_BATCH_BYTES_MAX = 64 * 1024;

/** In place of a bound on captured bytes: a body is only hashed, an empty one too. */
export const NONE_CAPTURED = -1;

const NO_BYTES = new Uint8Array(0);

/** How many more bytes of answers a thread may keep, or a rule in it. */
export class CaptureBudget extends ByteBudget {
  readonly #bytes: number;

  constructor(bytes = CAPTURED_BYTES_MAX, parent: CaptureBudget | null = null) {
    super(bytes, parent);
    this.#bytes = bytes;
  }

  /** Of one rule: half of all, so that a rule whose answers wait for a hung control leaves the others room. */
  openShare(): CaptureBudget {
    return new CaptureBudget(Math.floor(this.#bytes / 2), this);
  }
}

/** An answer as it is compared. What it holds of the budget is given back by release(), once. */
export class Answer implements AnswerContent {
  readonly status: number;
  readonly lines: string;
  readonly bodyBytes: number;
  #body: Uint8Array | null;
  #digest: string;
  #heldBytes: number;

  /** Exactly one of `body` and `digest` says what the body is. */
  constructor(
    status: number,
    lines: string,
    body: Uint8Array | null,
    bodyBytes: number,
    digest: string,
    heldBytes: number,
  ) {
    this.status = status;
    this.lines = lines;
    this.bodyBytes = bodyBytes;
    this.#body = body;
    this.#digest = digest;
    this.#heldBytes = heldBytes;
  }

  get body(): Uint8Array | null {
    return this.#body;
  }

  get digest(): string {
    return this.#digest;
  }

  /** From now on only its own bytes are kept, not its batch's. */
  keep(): void {
    if (this.#body !== null) this.#body = detach(this.#body, 0);
  }

  /** For a comparison with an answer that has only a digest. */
  toDigested(): AnswerContent {
    const { status, lines, bodyBytes } = this;
    if (this.#body === null) return this;
    return { status, lines, body: null, bodyBytes, digest: hash('sha256', this.#body, 'base64') };
  }

  release(budget: CaptureBudget): void {
    budget.give(this.#heldBytes);
    this.#heldBytes = 0;
    this.#body = null;
  }
}

/** Takes a body as it comes. Ends in one finish() or discard(). */
export interface BodyReader {
  /** The chunk is only lent. */
  add(chunk: Uint8Array): void;
  finish(status: number, lines: string): Answer;
  discard(): void;
}

/** SHA-256 of a shadow's body as it comes. A body of one piece, the usual one, is hashed in one go. */
export class BodyDigest implements BodyReader {
  #first: Uint8Array | null = null;
  #hash: Hash | null = null;
  #bytes = 0;

  /** Keeps the first chunk until the second one or finish(). */
  add(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#bytes += chunk.length;
    if (this.#hash !== null) {
      this.#hash.update(chunk);
    } else if (this.#first === null) {
      this.#first = new Uint8Array(chunk);
    } else {
      this.#hash = createHash('sha256').update(this.#first).update(chunk);
      this.#first = null;
    }
  }

  finish(status: number, lines: string): Answer {
    const digest = this.#hash?.digest('base64') ?? hash('sha256', this.#first ?? NO_BYTES, 'base64');
    return new Answer(status, lines, null, this.#bytes, digest, 0);
  }

  discard(): void {}
}

/** The bytes of a body up to a bound; beyond it, or without room for them, its digest. */
export class BodyCapture implements BodyReader {
  readonly #budget: CaptureBudget;
  readonly #bytesMax: number;
  /**
   * One piece of memory, grown by doubling: kept apart, a body in chunks of one byte would weigh a hundred times what it
   * counts for.
   */
  #memory: Uint8Array = NO_BYTES;
  #bytes = 0;
  #hash: Hash | null = null;

  constructor(budget: CaptureBudget, bytesMax: number) {
    this.#budget = budget;
    this.#bytesMax = bytesMax;
  }

  add(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (this.#hash === null && !this.#capture(chunk)) {
      this.#hash = createHash('sha256').update(this.#memory.subarray(0, this.#bytes));
      this.#giveUp();
    }
    this.#hash?.update(chunk);
    this.#bytes += chunk.length;
  }

  finish(status: number, lines: string): Answer {
    if (this.#hash !== null || this.#bytesMax === NONE_CAPTURED) {
      const digest = this.#hash?.digest('base64') ?? hash('sha256', NO_BYTES, 'base64');
      return new Answer(status, lines, null, this.#bytes, digest, 0);
    }
    const body = this.#memory.subarray(0, this.#bytes);
    const answer = new Answer(status, lines, body, this.#bytes, '', this.#memory.length);
    this.#memory = NO_BYTES;
    return answer;
  }

  discard(): void {
    this.#giveUp();
  }

  #giveUp(): void {
    this.#budget.give(this.#memory.length);
    this.#memory = NO_BYTES;
  }

  #capture(chunk: Uint8Array): boolean {
    const memory = this.#memory;
    const bytes = this.#bytes + chunk.length;
    if (bytes > this.#bytesMax) return false;
    if (bytes > memory.length) {
      // Most bodies are one chunk: no byte more than it has.
      const capacity =
        memory.length === 0 ? bytes : Math.min(this.#bytesMax, Math.max(bytes, memory.length * 2));
      if (!this.#budget.take(capacity - memory.length)) return false;
      this.#memory = Buffer.allocUnsafeSlow(capacity);
      this.#memory.set(memory.subarray(0, this.#bytes));
    }
    this.#memory.set(chunk, this.#bytes);
    return true;
  }
}

/** A body that is there as a whole. It may share its memory with others. */
export function toAnswer(
  status: number,
  lines: string,
  body: Uint8Array,
  budget: CaptureBudget,
  bytesMax: number,
): Answer {
  if (body.length <= bytesMax && budget.take(body.length)) {
    return new Answer(status, lines, detach(body, SHARED_BATCH_BYTES_MAX), body.length, '', body.length);
  }
  return new Answer(status, lines, null, body.length, hash('sha256', body, 'base64'), 0);
}
