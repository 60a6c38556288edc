// How much work one comparison of JSON bodies may be.

/** Values that are looked at; long texts that are sorted or hashed count as several. */
export const VISITS_MAX = 200_000;
/** Characters that cost as much as one visit. */
const VISIT_CHARACTERS = 32;

export class Work {
  #left: number;

  constructor(visits: number) {
    this.#left = visits;
  }

  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** May be below zero by the last thing that was begun. */
  get left(): number {
    return this.#left;
  }

  visit(): void {
    this.#left--;
  }

  /** False when there was not enough left. */
  visitText(characters: number): boolean {
    this.#left -= 1 + Math.trunc(characters / VISIT_CHARACTERS);
    return this.#left >= 0;
  }
}
