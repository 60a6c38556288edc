// The books: layout, rows and sums, and that every reason has exactly one cell.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  BREAKER_STATES,
  BreakerState,
  DROP_REASONS,
  FAIL_REASONS,
  frontendWriter,
  LaneCell,
  laneWriter,
  ProcessBook,
  RouteBook,
  RouteCell,
  ShadowBook,
  ShadowCell,
  ShadowWord,
  SKIP_REASONS,
  ThreadCell,
  UNCOMPARED_REASONS,
  type Writers,
  writerCount,
} from '../../src/core/book.ts';
import { HISTOGRAM_BYTES, HistogramReading, HistogramWriter } from '../../src/core/histogram.ts';

const WRITERS: Writers = { frontends: 3, lanes: 2 };
const COUNT = writerCount(WRITERS);

function openShadowBook(writers = COUNT): ShadowBook {
  return new ShadowBook(ShadowBook.allocate(writers), writers);
}

test('every cell has its own place, and a row is as long as its cells', () => {
  const shadow = openShadowBook();
  const route = new RouteBook(RouteBook.allocate(3), 3);
  const whole = new ProcessBook(ProcessBook.allocate(WRITERS), WRITERS);
  const rows: [Record<string, number>, number][] = [
    [ShadowCell, shadow.row(1)],
    [RouteCell, route.row(1)],
    [ThreadCell, whole.threadRow(1)],
    [LaneCell, whole.laneRow(0, 1)],
  ];
  for (const [cells, length] of rows) {
    const places = Object.values(cells);
    assert.deepEqual(
      places,
      places.map((_, index) => index),
    );
    assert.equal(length, places.length);
  }
});

test('every reason has a cell, and every such cell a reason', () => {
  const families: [string, readonly string[]][] = [
    ['skip_', SKIP_REASONS],
    ['drop_', DROP_REASONS],
    ['fail_', FAIL_REASONS],
    ['uncompared_', UNCOMPARED_REASONS],
  ];
  for (const [prefix, reasons] of families) {
    const cells = Object.keys(ShadowCell).filter((name) => name.startsWith(prefix));
    assert.deepEqual(
      cells,
      reasons.map((reason) => prefix + reason),
    );
  }
});

test('the names of the breaker states stand in the order of their values', () => {
  assert.deepEqual(Object.keys(BreakerState), BREAKER_STATES);
  assert.deepEqual(
    BREAKER_STATES.map((name) => BreakerState[name]),
    [0, 1, 2],
  );
});

test('writer indices are dense and differ from each other', () => {
  const indices: number[] = [];
  for (let frontend = 0; frontend < WRITERS.frontends; frontend++) {
    indices.push(frontendWriter(WRITERS, frontend));
    for (let lane = 0; lane < WRITERS.lanes; lane++) indices.push(laneWriter(WRITERS, frontend, lane));
  }
  assert.deepEqual(indices, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(COUNT, 9);
});

for (const writers of [1, 2, 3, 9]) {
  test(`the parts of a shadow's book of ${writers} rows lie side by side and fill it`, () => {
    const book = openShadowBook(writers);
    const bytes = new Uint8Array(book.buffer);
    book.openUntil.fill(-1);
    book.words.fill(-1);
    book.cells.fill(-1);
    const histograms = writers * HISTOGRAM_BYTES;
    assert.equal(book.histogramAt(0) + histograms, bytes.length);
    assert.ok(bytes.subarray(book.histogramAt(0)).every((byte) => byte === 0));
    assert.equal(book.cells.byteOffset + book.cells.byteLength, book.histogramAt(0));
    assert.ok(book.words.byteOffset + book.words.byteLength <= book.cells.byteOffset);
    assert.ok(book.words.length === ShadowWord.in_flight + writers);
    for (let writer = 1; writer < writers; writer++) {
      assert.equal(book.histogramAt(writer) - book.histogramAt(writer - 1), HISTOGRAM_BYTES);
    }
  });
}

test("a shadow's sums are those of its rows, cell by cell", () => {
  const book = openShadowBook();
  for (const cell of Object.values(ShadowCell)) {
    for (let writer = 0; writer < COUNT; writer++)
      book.cells[book.row(writer) + cell] = (cell + 1) * 10 ** writer;
  }
  for (const cell of Object.values(ShadowCell)) assert.equal(book.sum(cell), (cell + 1) * 111_111_111);
});

test("a route's and the process's sums are those of their rows, cell by cell", () => {
  const route = new RouteBook(RouteBook.allocate(3), 3);
  for (const cell of Object.values(RouteCell)) {
    for (let frontend = 0; frontend < 3; frontend++) {
      route.cells[route.row(frontend) + cell] = (cell + 1) * 100 ** frontend;
    }
  }
  for (const cell of Object.values(RouteCell)) assert.equal(route.sum(cell), (cell + 1) * 10_101);

  const whole = new ProcessBook(ProcessBook.allocate(WRITERS), WRITERS);
  for (const cell of Object.values(ThreadCell)) {
    for (let frontend = 0; frontend < 3; frontend++) {
      whole.threads[whole.threadRow(frontend) + cell] = (cell + 1) * 100 ** frontend;
    }
  }
  for (const cell of Object.values(LaneCell)) {
    for (let frontend = 0; frontend < 3; frontend++) {
      for (let lane = 0; lane < 2; lane++) {
        whole.lanes[whole.laneRow(frontend, lane) + cell] = (cell + 1) * 10 ** (frontend * 2 + lane);
      }
    }
  }
  for (const cell of Object.values(ThreadCell)) assert.equal(whole.sumThreads(cell), (cell + 1) * 10_101);
  for (const cell of Object.values(LaneCell)) assert.equal(whole.sumLanes(cell), (cell + 1) * 111_111);
});

test('a process without mirror lanes has no lane rows', () => {
  const writers: Writers = { frontends: 2, lanes: 0 };
  const whole = new ProcessBook(ProcessBook.allocate(writers), writers);
  assert.equal(whole.lanes.length, 0);
  assert.equal(whole.sumLanes(LaneCell.waiting), 0);
  assert.equal(writerCount(writers), 2);
});

test('counts past 32 bits stay exact', () => {
  const book = openShadowBook();
  book.cells[book.row(0) + ShadowCell.sent] = 2 ** 40;
  book.cells[book.row(8) + ShadowCell.sent] = 1;
  assert.equal(book.sum(ShadowCell.sent), 2 ** 40 + 1);
});

test('latencies of all rows are read together', () => {
  const nowMs = 6_000_000;
  const shadow = openShadowBook();
  const route = new RouteBook(RouteBook.allocate(3), 3);
  for (let writer = 0; writer < COUNT; writer++) {
    new HistogramWriter(shadow.buffer, shadow.histogramAt(writer)).record(5, nowMs);
  }
  for (let frontend = 0; frontend < 3; frontend++) {
    new HistogramWriter(route.buffer, route.histogramAt(frontend)).record(7, nowMs);
  }
  const copies = new HistogramReading();
  shadow.readLatency(copies, nowMs);
  assert.equal(copies.count, COUNT);
  const primary = new HistogramReading();
  route.readLatency(primary, nowMs);
  assert.equal(primary.count, 3);
  assert.equal(shadow.sum(ShadowCell.matched), 0);
  assert.equal(route.sum(RouteCell.requests), 0);
});

const WRITER = `
const { parentPort, workerData } = require('node:worker_threads');
const { module, buffer, writers, writer, times } = workerData;
import(module).then(({ ShadowBook, ShadowCell, ShadowWord }) => {
  const book = new ShadowBook(buffer, writers);
  const row = book.row(writer);
  for (let time = 0; time < times; time++) {
    book.cells[row + ShadowCell.matched]++;
    book.cells[row + ShadowCell.sent] += 2;
    Atomics.add(book.words, ShadowWord.in_flight + writer, 1);
  }
  parentPort.postMessage('done');
});
`;

test('threads that write their own rows at once lose nothing', async () => {
  const writers = 4;
  const book = openShadowBook(writers);
  const times = 100_000;
  await Promise.all(
    [0, 1, 2, 3].map((writer) => {
      const worker = new Worker(WRITER, {
        eval: true,
        workerData: {
          module: new URL('../../src/core/book.ts', import.meta.url).href,
          buffer: book.buffer,
          writers,
          writer,
          times,
        },
      });
      return new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    }),
  );
  assert.equal(book.sum(ShadowCell.matched), 4 * times);
  assert.equal(book.sum(ShadowCell.sent), 8 * times);
  assert.equal(book.inFlight(), 4 * times);
});
