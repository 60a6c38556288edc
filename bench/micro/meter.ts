// Times one case: its calls in tinybench's samples, and whether every one of them was right.
//
// A wrong result anywhere is an error, never a figure.

import assert from 'node:assert/strict';
import type { Bench, FnOptions } from 'tinybench';
import type { MicroCase, OpenCase } from './case.ts';

export class Meter {
  readonly title: string;
  readonly micro: MicroCase;
  /** Nanoseconds of one call, by sample. */
  readonly samples: number[] = [];
  readonly #opened: OpenCase;
  readonly #isAsync: boolean;
  #calls = 0;
  #right = 0;

  private constructor(title: string, micro: MicroCase, opened: OpenCase, isAsync: boolean) {
    this.title = title;
    this.micro = micro;
    this.#opened = opened;
    this.#isAsync = isAsync;
  }

  /** Checks the case before anything is timed. */
  static async open(title: string, micro: MicroCase): Promise<Meter> {
    const opened = micro.open();
    await opened.check();
    opened.refresh?.();
    const first = opened.run(micro.batch);
    assert.equal(await first, micro.batch, `wrong results: ${title}`);
    return new Meter(title, micro, opened, first instanceof Promise);
  }

  addTo(bench: Bench): void {
    const { run, refresh } = this.#opened;
    const { batch } = this.micro;
    const options: FnOptions = { async: this.#isAsync, retainSamples: true };
    if (refresh !== null) options.beforeEach = () => refresh();
    const sample = (): void => this.#add(run(batch) as number);
    const sampleLater = async (): Promise<void> => this.#add(await run(batch));
    bench.add(this.title, this.#isAsync ? sampleLater : sample, options);
  }

  #add(right: number): void {
    this.#calls += this.micro.batch;
    this.#right += right;
  }

  /** What the bench has measured of it. */
  takeFrom(bench: Bench): void {
    const result = bench.getTask(this.title)!.result;
    assert.equal(result.state, 'completed', this.title);
    assert.equal(this.#right, this.#calls, `wrong results: ${this.title}`);
    for (const ms of result.latency.samples!) this.samples.push((ms * 1e6) / this.micro.batch);
  }

  async close(): Promise<void> {
    await this.#opened.close?.();
  }
}
