// The comparison of one exchange: its primary's answer, its control's, and the shadows that wait for that.
//
// A shadow that answers before the control has to wait until the control has answered, failed or was dropped: the
// deadlines of the control's own copy bound that. Only answers wait here, and no place in flight with them. Their number is
// bounded by the control's copies: those in flight by max_in_flight, those that wait by max_queued; their bytes by the
// thread's budget. Every answer that comes in is compared or counted as uncompared, once.

import { ShadowCell } from '../core/book.ts';
import type { Answer, CaptureBudget } from './answer.ts';
import type { ComparedShadow } from './comparer.ts';
import type { MirroredExchange } from './exchange.ts';
import type { ExchangeNoise } from './noise.ts';
import { isPrimaryError, type PrimaryReading } from './primary.ts';

interface WaitingAnswer {
  readonly shadow: ComparedShadow;
  readonly answer: Answer;
  readonly latencyMs: number;
}

export class Comparison {
  readonly #exchange: MirroredExchange;
  readonly #budget: CaptureBudget;
  #primary: PrimaryReading | null = null;
  /** Copies that have not ended. */
  #open: number;
  #isControlAwaited: boolean;
  #isKept = false;
  /** Null until the control has answered, and for good when it does not or says nothing. */
  #noise: ExchangeNoise | null = null;
  #waiting: WaitingAnswer[] = [];

  /** `copies`: how many the job names, the control's among them. */
  constructor(exchange: MirroredExchange, budget: CaptureBudget, copies: number, hasControl: boolean) {
    this.#exchange = exchange;
    this.#budget = budget;
    this.#open = copies;
    this.#isControlAwaited = hasControl;
  }

  /** Once, before the first copy is sent or in the same turn; not needed when all of them are dropped. */
  setPrimary(primary: PrimaryReading): void {
    this.#primary = primary;
    if (this.#isKept) primary.answer?.keep();
  }

  /** Its copies wait: what is kept for them must not keep more. */
  keep(): void {
    this.#isKept = true;
    this.#primary?.answer?.keep();
  }

  /** A copy was dropped: it is not sent. */
  onDropped(shadow: ComparedShadow): void {
    if (shadow.isControl) this.#decideControl(null);
    this.#close();
  }

  /** A copy was sent and got no answer. */
  onFailed(shadow: ComparedShadow): void {
    this.#countPrimaryError(shadow);
    this.onDropped(shadow);
  }

  /** No copy of it is sent. Instead of all other calls. */
  discard(): void {
    this.#primary?.answer?.release(this.#budget);
  }

  /** A copy was answered. The answer is released here; it is null when nobody was to look at it. */
  onAnswered(shadow: ComparedShadow, answer: Answer | null, latencyMs: number): void {
    const primary = this.#countPrimaryError(shadow);
    if (primary.answer === null || answer === null) {
      shadow.onUncompared(primary.uncompared!);
      answer?.release(this.#budget);
      if (shadow.isControl) this.#decideControl(null);
    } else if (shadow.isControl) {
      this.#decideControl(shadow.onControl(primary.answer, answer));
      answer.release(this.#budget);
    } else if (this.#isControlAwaited) {
      shadow.count(ShadowCell.awaiting_control);
      this.#waiting.push({ shadow, answer, latencyMs });
    } else {
      this.#compare(shadow, answer, latencyMs);
    }
    this.#close();
  }

  #countPrimaryError(shadow: ComparedShadow): PrimaryReading {
    const primary = this.#primary!;
    if (isPrimaryError(primary)) shadow.count(ShadowCell.primary_errors);
    return primary;
  }

  #decideControl(noise: ExchangeNoise | null): void {
    this.#isControlAwaited = false;
    this.#noise = noise;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { shadow, answer, latencyMs } of waiting) {
      shadow.count(ShadowCell.awaiting_control, -1);
      this.#compare(shadow, answer, latencyMs);
    }
  }

  #compare(shadow: ComparedShadow, answer: Answer, latencyMs: number): void {
    const primary = this.#primary!;
    const diff = shadow.comparer.compareShadow(primary.answer!, answer, this.#noise);
    const facts = { status: answer.status, latencyMs };
    if (typeof diff === 'string') shadow.onUncompared(diff);
    else shadow.onCompared(this.#exchange, primary, facts, diff, this.#noise);
    answer.release(this.#budget);
  }

  /** A copy has ended; nothing is compared any more after the last one, since the control's own is among them. */
  #close(): void {
    if (--this.#open === 0) this.#primary?.answer?.release(this.#budget);
  }
}
