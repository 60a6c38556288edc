// The deadlines of one thread, coarse and cheap: a hashed timer wheel (Varghese and Lauck, 1987).
//
// Arming, moving and disarming a timer costs a few stores and no allocation. A timer is due between its delay and two
// ticks more. Time in which the loop was held up counts for at most a quarter of a second, so that what came
// meanwhile is read before its deadline is looked at. The process is not kept alive by it.

export const TICK_MS = 20;
const SLOTS = 512;
const TICKS_AT_ONCE_MAX = 12;

/** What has a deadline. The links belong to the wheel. */
export abstract class WheelTimer {
  /** Tick; 0 while not armed. */
  dueTick = 0;
  next: WheelTimer | null = null;
  previous: WheelTimer | null = null;

  /** Called disarmed. */
  abstract onDue(): void;
}

class Slot extends WheelTimer {
  onDue(): void {}
}

export class TimerWheel {
  /** Ticks that have passed; never 0. Stands still while no timer is armed. */
  now = 1;
  readonly #slots = Array.from({ length: SLOTS }, () => new Slot());
  readonly #due: WheelTimer[] = [];
  #armed = 0;
  #interval: NodeJS.Timeout | null = null;
  #lastMs = 0;
  readonly #clock: () => number;

  /** `clock`: milliseconds from anywhere, never backwards. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Ticks after which at least so many milliseconds have passed. */
  toTicks(ms: number): number {
    return Math.ceil(ms / TICK_MS) + 1;
  }

  /** Arms the timer, or moves it. */
  arm(timer: WheelTimer, ticks: number): void {
    if (timer.dueTick !== 0) this.#unlink(timer);
    else this.#armed++;
    timer.dueTick = this.now + Math.max(1, ticks);
    const slot = this.#slots[timer.dueTick % SLOTS]!;
    timer.next = slot.next;
    timer.previous = slot;
    if (slot.next !== null) slot.next.previous = timer;
    slot.next = timer;
    if (this.#interval === null) this.#start();
  }

  /** Makes it due no later than in so many ticks. */
  armBy(timer: WheelTimer, ticks: number): void {
    if (timer.dueTick === 0 || timer.dueTick > this.now + ticks) this.arm(timer, ticks);
  }

  disarm(timer: WheelTimer): void {
    if (timer.dueTick === 0) return;
    this.#unlink(timer);
    timer.dueTick = 0;
    this.#armed--;
  }

  #unlink(timer: WheelTimer): void {
    timer.previous!.next = timer.next;
    if (timer.next !== null) timer.next.previous = timer.previous;
    timer.next = null;
    timer.previous = null;
  }

  #start(): void {
    this.#lastMs = this.#clock();
    this.#interval = setInterval(advance, TICK_MS, this);
    this.#interval.unref();
  }

  /** Called by the interval alone. */
  advance(): void {
    const nowMs = this.#clock();
    const ticks = Math.floor((nowMs - this.#lastMs) / TICK_MS);
    // What is left of a tick counts the next time; what is too much never does.
    this.#lastMs = ticks > TICKS_AT_ONCE_MAX ? nowMs : this.#lastMs + ticks * TICK_MS;
    for (let left = Math.min(ticks, TICKS_AT_ONCE_MAX); left > 0; left--) this.#tick();
    if (this.#armed > 0 || this.#interval === null) return;
    clearInterval(this.#interval);
    this.#interval = null;
  }

  #tick(): void {
    this.now++;
    const slot = this.#slots[this.now % SLOTS]!;
    for (let timer = slot.next; timer !== null; timer = timer.next) {
      if (timer.dueTick <= this.now) this.#due.push(timer);
    }
    // Only now: each may move and disarm others, those that are due with it too.
    for (const timer of this.#due) {
      if (timer.dueTick === 0 || timer.dueTick > this.now) continue;
      this.disarm(timer);
      timer.onDue();
    }
    this.#due.length = 0;
  }
}

function advance(wheel: TimerWheel): void {
  wheel.advance();
}
