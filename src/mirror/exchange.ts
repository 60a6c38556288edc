// What a mirror thread keeps of a job until the last of its copies has ended.
//
// Owns the copies' bytes: the head as it went to the primary, the body until the last copy was handed to
// its client. Gives the bytes back to the front end's account (released_bytes) as soon as no copy of the job waits
// any more, not when they are answered; what clients still hold for a hung shadow is bounded by max_in_flight.

import { REQUEST_ID } from '../core/headers.ts';
import type { Mirror, Route, Shadow } from '../core/model.ts';
import { findHeadLine, readMethod, readTarget } from '../core/request-head.ts';
import type { SpanIds } from '../core/trace-context.ts';
import { BodyCapture, BodyDigest, type BodyReader, type CaptureBudget } from './answer.ts';
import type { RuleComparer } from './comparer.ts';
import { Comparison } from './comparison.ts';
import { CopyRequest, toCopyHead, toShadowHead } from './copy.ts';
import { type BodySample, toBodySample } from './example.ts';
import { type Job, PrimaryAnswer } from './job.ts';
import { detach } from './memory.ts';
import { captureBytesMax } from './primary.ts';

/** A body that is sent at once may share the memory of its batch up to this size. */
const SHARED_BATCH_BYTES_MAX = 64 * 1024;

/** What an exchange needs to know of its rule. */
export interface ExchangeRule {
  readonly route: Route;
  readonly mirror: Mirror;
  readonly spanIds: SpanIds;
  /** Null unless the route compares. */
  readonly comparer: RuleComparer | null;
  readonly budget: CaptureBudget;
  /** Where the bytes that this thread is through with are added up. */
  readonly releasedCells: Float64Array;
  readonly releasedAt: number;
}

export class MirroredExchange {
  readonly rule: ExchangeRule;
  /** On core/clock.ts: a copy that has no room by then is dropped. */
  readonly waitUntilMs: number;
  /** As it went to the primary, redacted as copies are. */
  readonly headText: string;
  /** Null unless the route compares. */
  readonly comparison: Comparison | null;
  /** Whether there may be something to compare the shadows' answers with. */
  readonly #isComparable: boolean;
  readonly #bytes: number;
  /** Of the copies, before a shadow's own rules; empty until it is first needed. */
  #copyHead = '';
  #body: Uint8Array | null;
  /** Of the body, when it is gone but may have to be shown. */
  #bodySample: BodySample | null = null;
  /** Copies that are neither sent nor dropped. */
  #undecided: number;
  /** Copies that were not dropped. */
  #live: number;

  /** `copies`: how many shadows the job names; at least one. `hasControl`: one of them is the control. */
  constructor(rule: ExchangeRule, job: Job, copies: number, hasControl: boolean) {
    this.rule = rule;
    // A job of a comparing route sets out only when its primary has answered.
    const leftMs = job.answer === PrimaryAnswer.none ? job.tappedMs : job.tappedMs + job.primaryLatencyMs;
    this.waitUntilMs = leftMs + rule.mirror.timeouts.readMs;
    this.headText = job.headText;
    this.comparison = rule.comparer === null ? null : new Comparison(this, rule.budget, copies, hasControl);
    this.#isComparable =
      rule.comparer !== null &&
      (job.answer === PrimaryAnswer.inline || job.answer === PrimaryAnswer.streamed);
    this.#bytes = job.bytes;
    this.#body = job.body.length === 0 ? null : detach(job.body, SHARED_BATCH_BYTES_MAX);
    this.#undecided = copies;
    this.#live = copies;
  }

  get requestId(): string | null {
    return findHeadLine(this.headText, REQUEST_ID);
  }

  get method(): string {
    return readMethod(this.headText);
  }

  /** As in `headText`: the client's, with what is redacted replaced, before the rule's own path. */
  get rawTarget(): string {
    return readTarget(this.headText);
  }

  /** The beginning of its body, for a mismatch that is shown. */
  get bodySample(): BodySample | null {
    return this.#body === null ? this.#bodySample : toBodySample(this.#body);
  }

  /** What takes a shadow's answer for the comparison; null: nobody will look at it. */
  openReader(): BodyReader | null {
    const { rule } = this;
    if (rule.comparer === null || !this.#isComparable) return null;
    // One piece is hashed in one go, so a reader of one answer is cheaper than one of a stream beside many.
    if (!rule.comparer.isDetailed) return new BodyDigest();
    return new BodyCapture(rule.budget, captureBytesMax(rule.mirror));
  }

  /** The copy for one shadow. Not after its last copy was decided. */
  toRequest(shadow: Shadow): CopyRequest {
    if (this.#copyHead === '') {
      const { mirror, route } = this.rule;
      this.#copyHead = toCopyHead(this.headText, mirror, route.id, this.#body?.length ?? 0);
    }
    return new CopyRequest(toShadowHead(this.#copyHead, shadow, this.rule.spanIds), this.#body);
  }

  /** Called when copies have to wait, for room or for their limit: from now on only the exchange's own bytes are kept, not its batch's. */
  keep(): void {
    if (this.#body !== null) this.#body = detach(this.#body, 0);
    this.comparison?.keep();
  }

  /** Whether no copy of it will ever be answered. */
  get isDropped(): boolean {
    return this.#live === 0;
  }

  /** None of its copies is to be sent. Instead of onSent() and onDropped(). */
  skip(): void {
    this.#live = 0;
    this.#undecided = 1;
    this.comparison?.discard();
    this.#decide();
  }

  onSent(): void {
    this.#decide();
  }

  onDropped(): void {
    this.#live--;
    this.#decide();
  }

  #decide(): void {
    if (--this.#undecided > 0) return;
    if (this.#body !== null && this.#isComparable) this.#bodySample = toBodySample(this.#body);
    this.#body = null;
    const { releasedCells, releasedAt } = this.rule;
    releasedCells[releasedAt] = releasedCells[releasedAt]! + this.#bytes;
  }
}
