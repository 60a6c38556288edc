// Recording a latency, as a front end does for every answer and a mirror thread for every copy.

import assert from 'node:assert/strict';
import { HISTOGRAM_BYTES, HistogramReading, HistogramWriter } from '../../../src/core/histogram.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';

const BATCH = 1_000;
/** A power of two. */
const LATENCIES = 1_024;
const START_MS = 1.8e9;
/** A minute's buckets are cleared every 6 million calls. */
const STEP_MS = 0.01;

function openRecord(): OpenCase {
  const memory = new SharedArrayBuffer(HISTOGRAM_BYTES);
  const writer = new HistogramWriter(memory, 0);
  // From 50 µs to 3 s, evenly over the octaves.
  const latencies = Float64Array.from({ length: LATENCIES }, (_, at) => 0.05 * 60_000 ** (at / LATENCIES));
  let nowMs = START_MS;
  return repeat(
    () => {
      for (const latencyMs of latencies) writer.record(latencyMs, nowMs);
      const reading = new HistogramReading();
      reading.add(memory, 0, nowMs);
      assert.equal(reading.count, LATENCIES);
      assert.ok(Math.abs(reading.quantileMs(0.5)! / latencies[LATENCIES / 2]! - 1) < 0.05);
    },
    (index) => {
      nowMs += STEP_MS;
      writer.record(latencies[index & (LATENCIES - 1)]!, nowMs);
      return true;
    },
  );
}

export const latencyHistogram: readonly MicroCase[] = [{ name: 'record', batch: BATCH, open: openRecord }];
