// Runs things one at a time, in the order in which they were asked for.
//
// What one rejects with is its own: the next one runs all the same.

export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Those that have not ended, the one that runs included. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Resolves or rejects as it does. */
  run<T>(run: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const done = this.#last.then(run).finally(() => {
      this.#waiting--;
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /** Resolves when everything has ended that was asked for so far. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
