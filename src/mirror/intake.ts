// How records come into a mirror thread: it looks into the ring every now and then, as long as something comes.
//
// Looking spares the front end a system call for each hand-over; parking spares an idle gateway the looking.

import type { RecordVisitor } from './job.ts';
import type { RingReader } from './ring.ts';

/** A copy waits half of this on average; each look costs some microseconds of a patient thread. */
const LOOK_MS = 2;
/**
 * After so many looks in vain the thread parks: 20 ms. Where copies are rarer than that, a message for each costs less
 * than looking all the time, which is 1.7 % of a core.
 */
const LOOKS_IN_VAIN_MAX = 10;

export class Intake {
  readonly #ring: RingReader;
  readonly #visitor: RecordVisitor;
  readonly #onBatch: () => void;
  #timer: NodeJS.Timeout | null = null;
  #looksInVain = 0;

  /** `onBatch` hears of each look that found something. */
  constructor(ring: RingReader, visitor: RecordVisitor, onBatch: () => void) {
    this.#ring = ring;
    this.#visitor = visitor;
    this.#onBatch = onBatch;
  }

  /** A message has come: reads what was written before it, and looks for more from now on. */
  open(): void {
    this.#ring.unpark();
    this.#looksInVain = 0;
    this.#look();
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
  }

  /** Looks no more. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    if (this.#ring.read(this.#visitor)) {
      this.#looksInVain = 0;
      this.#onBatch();
    } else if (++this.#looksInVain >= LOOKS_IN_VAIN_MAX && this.#ring.park()) this.close();
  }
}
