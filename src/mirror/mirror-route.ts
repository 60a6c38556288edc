// One route's mirror on one front end: decides, counts, and opens taps. Everything here runs on the hot path.

import { type DropReason, RouteBook, type RouteEntry, RouteWord, ShadowCell } from '../core/book.ts';
import { type Mirror, ROLE_CONTROL } from '../core/model.ts';
import type { ExchangeObserver, Observation, ObservedExchange } from '../core/observer.ts';
import { LimitWindow } from '../core/window.ts';
import type { ShadowAccount } from './account.ts';
import type { AnswerMemory } from './answer-memory.ts';
import { isBreakerOpen } from './breaker.ts';
import { Decision } from './decision.ts';
import type { Lane } from './lane.ts';
import { Tap } from './tap.ts';

/** Tap objects kept for reuse by each route. */
const SPARE_MAX = 256;

/** What a mirrored route needs of its front end's mirroring as a whole. */
export interface MirrorRouteParts {
  readonly key: number;
  readonly entry: RouteEntry;
  readonly mirror: Mirror;
  /** In the order of the mirror's shadows. */
  readonly accounts: readonly ShadowAccount[];
  /** Writer index of the front end. */
  readonly writer: number;
  readonly lanes: readonly Lane[];
  readonly answerMemory: AnswerMemory;
  readonly isOverloaded: () => boolean;
  readonly isStopped: () => boolean;
  readonly nextStream: () => number;
  readonly onRetired: (route: MirrorRoute) => void;
}

export class MirrorRoute implements Observation {
  readonly key: number;
  readonly mirror: Mirror;
  readonly compares: boolean;
  readonly comparesHeaders: boolean;
  readonly accounts: readonly ShadowAccount[];
  readonly #parts: MirrorRouteParts;
  readonly #decision: Decision;
  readonly #window: LimitWindow | null;
  readonly #everyShadow: number;
  /** The control's bit; 0 without one. */
  readonly #control: number;
  readonly #row: number;
  readonly #words: Int32Array;
  readonly #spare: Tap[] = [];
  #nextLane = 0;
  /** Bytes in open taps. */
  #heldBytes = 0;

  constructor(parts: MirrorRouteParts) {
    const { limit } = parts.entry.memory;
    this.#parts = parts;
    this.key = parts.key;
    this.mirror = parts.mirror;
    this.compares = parts.mirror.compare !== null;
    this.comparesHeaders = (parts.mirror.compare?.detail ?? null) !== null;
    this.#words = new RouteBook(parts.entry.memory.book, 0).words;
    this.accounts = parts.accounts;
    this.#decision = new Decision(parts.mirror);
    this.#window = limit === null ? null : new LimitWindow(limit);
    this.#everyShadow = 2 ** parts.accounts.length - 1;
    const control = parts.mirror.shadows.findIndex(({ role }) => role === ROLE_CONTROL);
    this.#control = control === -1 ? 0 : 1 << control;
    this.#row = parts.accounts[0]!.book.row(parts.writer);
  }

  open(exchange: ObservedExchange, nowMs: number): ExchangeObserver | null {
    this.count(ShadowCell.matched, this.#everyShadow);
    const skipped = this.#decision.decide(exchange);
    if (skipped !== null) {
      this.count(ShadowCell[`skip_${skipped}`], this.#everyShadow);
      return null;
    }
    // Read without a lock: a copy more or less does not matter.
    if (this.#words[RouteWord.paused] !== 0) {
      this.count(ShadowCell.skip_paused, this.#everyShadow);
      return null;
    }
    if (this.#window?.isClosed(nowMs)) {
      this.count(ShadowCell.skip_limit, this.#everyShadow);
      return null;
    }
    const laneIndex = this.#nextLane++ % this.#parts.lanes.length;
    const lane = this.#parts.lanes[laneIndex]!;
    const refusal = this.refusal(lane);
    if (refusal !== null) {
      this.count(ShadowCell[`drop_${refusal}`], this.#everyShadow);
      return null;
    }
    const shadows = this.#passBreakers(nowMs);
    if (shadows === 0) return null;
    const tap = this.#spare.pop() ?? new Tap(this);
    tap.open(exchange, shadows, lane, laneIndex, nowMs);
    return tap;
  }

  retire(): void {
    this.#parts.onRetired(this);
  }

  /**
   * Bits of the shadows whose breaker lets copies pass; the others are counted. A control alone has nobody to be compared
   * for: it gets none then either, and is counted alike.
   */
  #passBreakers(nowMs: number): number {
    let shadows = this.#everyShadow;
    for (let index = 0; index < this.accounts.length; index++) {
      if (!isBreakerOpen(this.accounts[index]!.book, nowMs)) continue;
      this.count(ShadowCell.drop_breaker_open, 1 << index);
      shadows &= ~(1 << index);
    }
    if (shadows !== this.#control) return shadows;
    this.count(ShadowCell.drop_breaker_open, shadows);
    return 0;
  }

  // For taps

  releaseTap(tap: Tap): void {
    if (this.#spare.length < SPARE_MAX) this.#spare.push(tap);
  }

  get answerMemory(): AnswerMemory {
    return this.#parts.answerMemory;
  }

  nextStream(): number {
    return this.#parts.nextStream();
  }

  /** Adds one to a cell of every shadow whose bit is set. */
  count(cell: number, shadows: number): void {
    const at = this.#row + cell;
    for (let index = 0; index < this.accounts.length; index++) {
      if ((shadows & (1 << index)) === 0) continue;
      const { cells } = this.accounts[index]!.book;
      cells[at] = cells[at]! + 1;
    }
  }

  /** Why the lane takes nothing now, or null. */
  refusal(lane: Lane): DropReason | null {
    if (this.#parts.isStopped()) return 'shutdown';
    return this.#parts.isOverloaded() || lane.isOverloaded ? 'overload' : null;
  }

  /** Whether so many more bytes may wait. */
  hasRoom(bytes: number): boolean {
    return this.#heldBytes + this.accounts[0]!.waitingBytes() + bytes <= this.mirror.maxQueuedBytes;
  }

  /** Takes bytes into a tap, or gives them back when negative. False: no room. */
  hold(bytes: number): boolean {
    if (bytes > 0 && !this.hasRoom(bytes)) return false;
    this.#heldBytes += bytes;
    return true;
  }

  onHanded(lane: number, shadows: number, bytes: number): void {
    this.onPushed(lane, bytes);
    for (let index = 0; index < this.accounts.length; index++) {
      if ((shadows & (1 << index)) !== 0) this.accounts[index]!.addHanded(lane);
    }
  }

  onPushed(lane: number, bytes: number): void {
    this.accounts[0]!.addPushed(lane, bytes);
  }

  /** Bytes of this route's copies that wait anywhere on this front end. */
  queuedBytes(): number {
    return this.#heldBytes + this.accounts[0]!.waitingBytes();
  }
}
