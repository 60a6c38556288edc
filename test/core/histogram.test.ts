// The latency histogram: how far a percentile may be off, what the window keeps, and who may write.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { HISTOGRAM_BYTES, HistogramReading, HistogramWriter } from '../../src/core/histogram.ts';

/** Half of the width of a bucket, relative to its lower border: 1/32, and a little for rounding. */
const TOLERANCE = 0.032;
const MINUTE_MS = 60_000;
const NOW_MS = 100 * MINUTE_MS;

function read(buffer: SharedArrayBuffer, nowMs: number, writers = 1): HistogramReading {
  const reading = new HistogramReading();
  for (let writer = 0; writer < writers; writer++) reading.add(buffer, writer * HISTOGRAM_BYTES, nowMs);
  return reading;
}

function record(samples: readonly number[], nowMs = NOW_MS): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(HISTOGRAM_BYTES);
  const writer = new HistogramWriter(buffer, 0);
  for (const sample of samples) writer.record(sample, nowMs);
  return buffer;
}

/** Exact quantile: the smallest sample that at least this share of the samples does not exceed. */
function toExact(samples: readonly number[], quantile: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)]!;
}

function assertClose(actual: number | null, exact: number, what: string): void {
  assert.ok(actual !== null, `${what}: no value`);
  // Samples are whole microseconds inside.
  const allowed = exact * TOLERANCE + 0.001;
  assert.ok(Math.abs(actual - exact) <= allowed, `${what}: ${actual} ms, exact ${exact} ms`);
}

/** mulberry32, so that a printed seed repeats the run. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SHAPES: Record<string, (random: () => number) => number> = {
  uniform: (random) => 0.1 + random() * 200,
  exponential: (random) => -5 * Math.log(1 - random()),
  'log-normal': (random) =>
    2 * Math.exp(0.8 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())),
  'two peaks': (random) => (random() < 0.97 ? 1 + random() * 0.2 : 900 + random() * 200),
};

for (const [shape, draw] of Object.entries(SHAPES)) {
  test(`percentiles of ${shape} latencies are within 3.2 % of the exact ones`, (t: TestContext) => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
    t.diagnostic(`SEED=${seed}`);
    const random = createRandom(seed);
    for (const size of [1, 10, 1000, 50_000]) {
      const samples = Array.from({ length: size }, () => draw(random));
      const reading = read(record(samples), NOW_MS);
      assert.equal(reading.count, size);
      for (const quantile of [0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1]) {
        assertClose(
          reading.quantileMs(quantile),
          toExact(samples, quantile),
          `p${quantile * 100} of ${size}`,
        );
      }
    }
  });
}

test('a constant latency shows within 3.2 % at every percentile', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.016, max: 60_000, noNaN: true }),
      fc.integer({ min: 1, max: 300 }),
      (ms, size) => {
        const reading = read(record(new Array<number>(size).fill(ms)), NOW_MS);
        for (const quantile of [0, 0.5, 0.95, 0.99, 1]) {
          assertClose(reading.quantileMs(quantile), ms, `p${quantile * 100} of ${size}`);
        }
      },
    ),
  );
});

test('any samples show within 3.2 % and in the order of their percentiles', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 400 }),
      (samples) => {
        const reading = read(record(samples), NOW_MS);
        let before = 0;
        for (const quantile of [0.1, 0.25, 0.5, 0.75, 0.95, 0.99]) {
          const value = reading.quantileMs(quantile);
          assertClose(value, toExact(samples, quantile), `p${quantile * 100}`);
          assert.ok(value! >= before, 'percentiles never fall');
          before = value!;
        }
      },
    ),
  );
});

test('nothing recorded is no value, not zero', () => {
  const reading = read(new SharedArrayBuffer(HISTOGRAM_BYTES), NOW_MS);
  assert.equal(reading.count, 0);
  assert.equal(reading.quantileMs(0.5), null);
});

test('latencies beyond both ends are counted in the first and the last bucket', () => {
  const reading = read(record([-1, 0]), NOW_MS);
  assert.equal(reading.count, 2);
  assert.ok(reading.quantileMs(1)! <= 0.001);
  const ends = read(record([67_108.863, 67_108.864, 1e9, Number.MAX_VALUE]), NOW_MS);
  assert.equal(ends.count, 4);
  for (const quantile of [0.25, 1]) assertClose(ends.quantileMs(quantile), 67_108.863, 'last bucket');
});

test('a sample is seen in its minute and the four after it, then gone', () => {
  const buffer = record([10], NOW_MS);
  for (const minutes of [0, 1, 2, 3, 4]) assert.equal(read(buffer, NOW_MS + minutes * MINUTE_MS).count, 1);
  assert.equal(read(buffer, NOW_MS + 5 * MINUTE_MS - 1).count, 1);
  assert.equal(read(buffer, NOW_MS + 5 * MINUTE_MS).count, 0);
});

test('the ring goes round without keeping what it held', () => {
  const buffer = new SharedArrayBuffer(HISTOGRAM_BYTES);
  const writer = new HistogramWriter(buffer, 0);
  for (let minute = 0; minute < 23; minute++) {
    const nowMs = NOW_MS + minute * MINUTE_MS;
    for (let sample = 0; sample <= minute; sample++) writer.record(1 + minute, nowMs);
    let expected = 0;
    for (let kept = Math.max(0, minute - 4); kept <= minute; kept++) expected += kept + 1;
    const reading = read(buffer, nowMs);
    assert.equal(reading.count, expected);
    assertClose(reading.quantileMs(1), 1 + minute, 'newest');
    assertClose(reading.quantileMs(0), 1 + Math.max(0, minute - 4), 'oldest');
  }
});

test('a silence longer than the window leaves nothing behind', () => {
  const buffer = record([10, 20, 30], NOW_MS);
  const later = NOW_MS + 7 * MINUTE_MS;
  new HistogramWriter(buffer, 0).record(40, later);
  const reading = read(buffer, later);
  assert.equal(reading.count, 1);
  assertClose(reading.quantileMs(0.5), 40, 'p50');
});

test('another writer goes on where the first one ended', () => {
  const buffer = record([10, 10, 10], NOW_MS);
  const second = new HistogramWriter(buffer, 0);
  second.record(20, NOW_MS + 1);
  assert.equal(read(buffer, NOW_MS + 1).count, 4);
  second.record(20, NOW_MS + MINUTE_MS);
  const reading = read(buffer, NOW_MS + MINUTE_MS);
  assert.equal(reading.count, 5);
  assertClose(reading.quantileMs(0.5), 10, 'p50');
  assertClose(reading.quantileMs(0.99), 20, 'p99');
});

test('writers of one buffer do not touch each other', () => {
  const buffer = new SharedArrayBuffer(3 * HISTOGRAM_BYTES);
  for (let place = 0; place < 3; place++) {
    const writer = new HistogramWriter(buffer, place * HISTOGRAM_BYTES);
    for (let sample = 0; sample < 100; sample++) writer.record(10 ** place, NOW_MS);
  }
  for (let place = 0; place < 3; place++) {
    const reading = new HistogramReading();
    reading.add(buffer, place * HISTOGRAM_BYTES, NOW_MS);
    assert.equal(reading.count, 100);
    assertClose(reading.quantileMs(0.01), 10 ** place, 'lowest');
    assertClose(reading.quantileMs(1), 10 ** place, 'highest');
  }
  const merged = read(buffer, NOW_MS, 3);
  assert.equal(merged.count, 300);
  assertClose(merged.quantileMs(0.5), 10, 'merged p50');
});

const RECORDER = `
const { parentPort, workerData } = require('node:worker_threads');
const { module, buffer, offset, nowMs, samples } = workerData;
import(module).then(({ HistogramWriter }) => {
  const writer = new HistogramWriter(buffer, offset);
  for (let sample = 1; sample <= samples; sample++) writer.record(sample / 100, nowMs);
  parentPort.postMessage('done');
});
`;

test('what four threads record at once is all there', async () => {
  const buffer = new SharedArrayBuffer(4 * HISTOGRAM_BYTES);
  const samples = 25_000;
  await Promise.all(
    [0, 1, 2, 3].map((place) => {
      const worker = new Worker(RECORDER, {
        eval: true,
        workerData: {
          module: new URL('../../src/core/histogram.ts', import.meta.url).href,
          buffer,
          offset: place * HISTOGRAM_BYTES,
          nowMs: NOW_MS,
          samples,
        },
      });
      return new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    }),
  );
  const reading = read(buffer, NOW_MS, 4);
  assert.equal(reading.count, 4 * samples);
  assertClose(reading.quantileMs(0.5), samples / 200, 'p50');
});
