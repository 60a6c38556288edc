// The front end's own record of what it has handed to mirror threads for one shadow, and how the books are put
// right when such a thread is lost.
//
// Lives as long as anything of the shadow is under way, also across reloads. While a lane's thread lives, only it
// writes the lane's row; when it is gone, this does.

import { DROP_REASONS, FAIL_REASONS, type ShadowBook, ShadowCell, ShadowWord } from '../core/book.ts';
import { releaseBreaker } from './breaker.ts';

const LANE_DROPS = DROP_REASONS.map((reason) => ShadowCell[`drop_${reason}`]);
const FAILS = FAIL_REASONS.map((reason) => ShadowCell[`fail_${reason}`]);

export class ShadowAccount {
  readonly name: string;
  readonly book: ShadowBook;
  /** Mirrored routes that use it. */
  users = 0;
  /** Writer indices of this front end's lanes. */
  readonly #lanes: readonly number[];
  /** Copies handed to each lane. */
  readonly #handed: Float64Array;
  /** Bytes of records handed to each lane; kept for the first shadow of a route only. */
  readonly #pushed: Float64Array;

  constructor(name: string, book: ShadowBook, lanes: readonly number[]) {
    this.name = name;
    this.book = book;
    this.#lanes = lanes;
    // An earlier account of the same book may have been closed, with everything settled.
    this.#handed = Float64Array.from(lanes, (writer) => book.cells[book.row(writer) + ShadowCell.received]!);
    this.#pushed = Float64Array.from(
      lanes,
      (writer) => book.cells[book.row(writer) + ShadowCell.released_bytes]!,
    );
  }

  addHanded(lane: number): void {
    this.#handed[lane] = this.#handed[lane]! + 1;
  }

  addPushed(lane: number, bytes: number): void {
    this.#pushed[lane] = this.#pushed[lane]! + bytes;
  }

  /** Bytes that wait in the outbox or at a mirror thread. */
  waitingBytes(): number {
    let bytes = 0;
    for (let lane = 0; lane < this.#lanes.length; lane++) {
      bytes += this.#pushed[lane]! - this.#cell(lane, ShadowCell.released_bytes);
    }
    return bytes;
  }

  /** Whether every copy handed over has ended, and every record's bytes are back. */
  isSettled(): boolean {
    if (this.waitingBytes() !== 0) return false;
    for (let lane = 0; lane < this.#lanes.length; lane++) {
      const ended = this.#sum(lane, FAILS) + this.#cell(lane, ShadowCell.answered);
      if (this.#handed[lane] !== this.#decided(lane) || this.#cell(lane, ShadowCell.sent) !== ended)
        return false;
    }
    return true;
  }

  /** The lane's thread is gone, and with it whatever it had or was about to get. */
  settleLost(lane: number, nowMs: number): void {
    const { cells, words } = this.book;
    const writer = this.#lanes[lane]!;
    const row = this.book.row(writer);
    const inFlight =
      this.#cell(lane, ShadowCell.sent) - this.#cell(lane, ShadowCell.answered) - this.#sum(lane, FAILS);
    this.#add(lane, ShadowCell.fail_worker_lost, inFlight);
    this.#add(lane, ShadowCell.drop_worker_lost, this.#handed[lane]! - this.#decided(lane));
    // Answers that waited for their control's.
    this.#add(lane, ShadowCell.uncompared_not_captured, this.#cell(lane, ShadowCell.awaiting_control));
    cells[row + ShadowCell.awaiting_control] = 0;
    cells[row + ShadowCell.received] = this.#handed[lane]!;
    cells[row + ShadowCell.released_bytes] = this.#pushed[lane]!;
    Atomics.store(words, ShadowWord.in_flight + writer, 0);
    releaseBreaker(this.book, nowMs);
  }

  /** Copies of the lane that were decided on: skipped, dropped or sent. */
  #decided(lane: number): number {
    return (
      this.#cell(lane, ShadowCell.skip_limit) +
      this.#cell(lane, ShadowCell.skip_unredactable) +
      this.#sum(lane, LANE_DROPS) +
      this.#cell(lane, ShadowCell.sent)
    );
  }

  #cell(lane: number, cell: number): number {
    return this.book.cells[this.book.row(this.#lanes[lane]!) + cell]!;
  }

  #sum(lane: number, cells: readonly number[]): number {
    let total = 0;
    for (const cell of cells) total += this.#cell(lane, cell);
    return total;
  }

  #add(lane: number, cell: number, amount: number): void {
    const at = this.book.row(this.#lanes[lane]!) + cell;
    this.book.cells[at] = this.book.cells[at]! + amount;
  }
}
