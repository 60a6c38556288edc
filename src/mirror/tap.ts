// What is kept of one exchange for its copy, from the decision to mirror it until its job is in the outbox.
//
// Keeps references to body chunks that it shares with the primary's request, and what is compared of the primary's
// answer; bounded by the route's max_body and max_queued. Ends in exactly one of: handed over, skipped, dropped. One object serves many exchanges in turn.

import { type DropReason, ShadowCell, type SkipReason } from '../core/book.ts';
import type { ExchangeObserver, ObservedExchange } from '../core/observer.ts';
import { INLINE_ANSWER_MAX } from './answer-memory.ts';
import { chunkRecordBytes, type JobFields, jobBytes, PrimaryAnswer } from './job.ts';
import type { Lane } from './lane.ts';
import type { MirrorRoute } from './mirror-route.ts';

const NOTHING = Buffer.alloc(0);

export class Tap implements ExchangeObserver {
  readonly #route: MirrorRoute;
  readonly #fields: JobFields;
  #exchange: ObservedExchange | null = null;
  #lane: Lane | null = null;
  #laneIndex = 0;
  /** Bits of the shadows that get a copy; 0 when the tap is through. */
  #shadows = 0;
  #requestEnded = false;
  readonly #body: Uint8Array[] = [];
  /** Holds the first bytes of the answer, lent; null while there are none. */
  #answer: Buffer | null = null;
  #heldBytes = 0;
  #bodyBytes = 0;
  #answerBytes = 0;
  #incarnation = 0;
  /** Whether the answer could be kept or sent ahead so far. */
  #captured = true;
  /** Whether the mirror thread has pieces of an answer that neither a job nor a forget record has closed. */
  #isStreamOpen = false;

  constructor(route: MirrorRoute) {
    this.#route = route;
    this.#fields = {
      rule: route.key,
      shadows: 0,
      answer: PrimaryAnswer.none,
      status: 0,
      stream: 0,
      primaryLatencyMs: 0,
      tappedMs: 0,
      lines: '',
    };
  }

  open(exchange: ObservedExchange, shadows: number, lane: Lane, laneIndex: number, nowMs: number): void {
    this.#exchange = exchange;
    this.#lane = lane;
    this.#laneIndex = laneIndex;
    this.#shadows = shadows;
    this.#requestEnded = false;
    this.#heldBytes = 0;
    this.#bodyBytes = 0;
    this.#answerBytes = 0;
    this.#incarnation = lane.incarnation;
    this.#captured = true;
    this.#isStreamOpen = false;
    const fields = this.#fields;
    fields.status = 0;
    fields.stream = 0;
    fields.primaryLatencyMs = 0;
    fields.tappedMs = nowMs;
    fields.lines = '';
  }

  onRequestBody(chunk: Uint8Array): void {
    if (this.#shadows === 0) return;
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > this.#route.mirror.maxBodyBytes) this.#skip('body_too_large');
    else if (this.#hold(chunk.length)) this.#body.push(chunk);
    else this.#drop('queue_full');
  }

  onRequestEnd(): void {
    this.#requestEnded = true;
    if (this.#shadows !== 0 && !this.#route.compares) this.#handOver(PrimaryAnswer.none);
  }

  onAnswerHead(status: number, lines: string): void {
    this.#fields.status = status;
    if (!this.#route.comparesHeaders || this.#shadows === 0) return;
    // Kept for as long as the answer takes, and a client may take long.
    if (this.#hold(lines.length)) this.#fields.lines = lines;
    else this.#drop('queue_full');
  }

  onAnswerBody(chunk: Uint8Array): void {
    if (this.#shadows === 0 || !this.#route.compares || !this.#captured) return;
    if (this.#fields.stream === 0) {
      if (this.#holdAnswer(chunk)) return;
      this.#fields.stream = this.#route.nextStream();
      this.#release(this.#answerBytes);
      if (this.#answer !== null) this.#sendAhead(this.#answer.subarray(0, this.#answerBytes));
      this.#dropAnswer();
    }
    this.#sendAhead(chunk);
  }

  onAnswerEnd(latencyMs: number): void {
    this.#fields.primaryLatencyMs = latencyMs;
    if (!this.#captured) this.#end(PrimaryAnswer.notCaptured);
    else this.#end(this.#fields.stream === 0 ? PrimaryAnswer.inline : PrimaryAnswer.streamed);
  }

  onAnswerFailed(): void {
    // No primary at all is found out before the request's end is told, though all of it is here.
    if (this.#bodyBytes === this.#exchange!.contentLength) this.#requestEnded = true;
    this.#endWithoutAnswer(this.#fields.status === 0 ? PrimaryAnswer.failed : PrimaryAnswer.incomplete);
  }

  onClientGone(): void {
    this.#endWithoutAnswer(PrimaryAnswer.incomplete);
  }

  onRefused(): void {
    this.#requestEnded = false;
    this.#endWithoutAnswer(PrimaryAnswer.failed);
  }

  #endWithoutAnswer(answer: PrimaryAnswer): void {
    this.#forget();
    this.#dropAnswer();
    this.#end(answer);
  }

  #end(answer: PrimaryAnswer): void {
    // Still set when the primary answered before the request was complete, or when the route compares.
    if (this.#shadows !== 0) {
      if (this.#requestEnded) this.#handOver(answer);
      else this.#skip('incomplete');
    }
    this.#exchange = null;
    this.#lane = null;
    this.#route.releaseTap(this);
  }

  /** Writes the job into the outbox. */
  #handOver(answer: PrimaryAnswer): void {
    const lane = this.#lane!;
    const { headText } = this.#exchange!;
    this.#release(this.#heldBytes);
    const fields = this.#fields;
    const bytes = jobBytes(headText.length, fields.lines.length, this.#bodyBytes, this.#answerBytes);
    if (!this.#route.hasRoom(bytes)) {
      this.#drop('queue_full');
      return;
    }
    const refusal = this.#route.refusal(lane);
    if (refusal !== null) {
      this.#drop(refusal);
      return;
    }
    fields.answer = this.#route.compares ? answer : PrimaryAnswer.none;
    fields.shadows = this.#shadows;
    lane.outbox.writeJob(fields, headText, this.#body, this.#answer ?? NOTHING, this.#answerBytes);
    if (answer === PrimaryAnswer.streamed) this.#isStreamOpen = false;
    this.#route.onHanded(this.#laneIndex, this.#shadows, bytes);
    lane.onRecord();
    this.#clear();
  }

  /** Sends a piece of the primary's answer ahead of the job, or gives up comparing. */
  #sendAhead(chunk: Uint8Array): void {
    if (!this.#captured) return;
    const lane = this.#lane!;
    const bytes = chunkRecordBytes(chunk.length);
    if (
      lane.incarnation !== this.#incarnation ||
      !this.#route.hasRoom(bytes) ||
      this.#route.refusal(lane) !== null
    ) {
      this.#captured = false;
      this.#forget();
      return;
    }
    this.#isStreamOpen = true;
    lane.outbox.writeChunk(this.#fields.rule, this.#fields.stream, chunk);
    this.#route.onPushed(this.#laneIndex, bytes);
    lane.onRecord();
  }

  /** Tells the mirror thread that no job will close the stream, if there is one. */
  #forget(): void {
    if (!this.#isStreamOpen) return;
    this.#isStreamOpen = false;
    const lane = this.#lane!;
    if (lane.incarnation !== this.#incarnation) return;
    const bytes = lane.outbox.writeForget(this.#fields.rule, this.#fields.stream);
    this.#route.onPushed(this.#laneIndex, bytes);
    lane.onRecord();
  }

  #skip(reason: SkipReason): void {
    this.#route.count(ShadowCell[`skip_${reason}`], this.#shadows);
    this.#clear();
  }

  #drop(reason: DropReason): void {
    this.#route.count(ShadowCell[`drop_${reason}`], this.#shadows);
    this.#clear();
  }

  /** The tap is through: what it held is let go, further calls do nothing. */
  #clear(): void {
    this.#shadows = 0;
    this.#forget();
    this.#release(this.#heldBytes);
    this.#fields.lines = '';
    // Not for nothing: the engine's setter costs 500 instructions.
    if (this.#body.length > 0) this.#body.length = 0;
    this.#dropAnswer();
  }

  /** The chunk is only lent. */
  #holdAnswer(chunk: Uint8Array): boolean {
    const bytes = this.#answerBytes + chunk.length;
    if (bytes > INLINE_ANSWER_MAX || !this.#hold(chunk.length)) return false;
    this.#answer ??= this.#route.answerMemory.take();
    if (this.#answer === null) {
      this.#release(chunk.length);
      return false;
    }
    this.#answer.set(chunk, this.#answerBytes);
    this.#answerBytes = bytes;
    return true;
  }

  #dropAnswer(): void {
    this.#answerBytes = 0;
    if (this.#answer === null) return;
    this.#route.answerMemory.give(this.#answer);
    this.#answer = null;
  }

  #hold(bytes: number): boolean {
    if (!this.#route.hold(bytes)) return false;
    this.#heldBytes += bytes;
    return true;
  }

  #release(bytes: number): void {
    this.#route.hold(-bytes);
    this.#heldBytes -= bytes;
  }
}
