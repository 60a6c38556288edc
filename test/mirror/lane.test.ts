// The hand-off to one mirror thread: batches, their bound, rules, and what a lost thread takes with it.
//
// The threads run a small stand-in, which counts what it is given in shared memory and does what it is told there.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RouteEntry } from '../../src/core/book.ts';
import { createClock } from '../../src/core/clock.ts';
import { Lane } from '../../src/mirror/lane.ts';
import { toMirror, toRoute, toShadow, until } from './rig.ts';

/** Cells of the shared memory. */
const Cell = {
  /** What the thread is to do: see STAND_IN. */
  order: 0,
  batches: 1,
  records: 2,
  stopped: 3,
  /** How many threads have run, and the first record and the number of rules that the last one was given. */
  threads: 4,
  firstRecord: 5,
  rules: 6,
  retired: 7,
  /** Set when a record came twice or out of order. */
  disordered: 8,
  lastRecord: 9,
} as const;

const Order = { none: 0, wait: 1, throwLater: 2, hang: 3 } as const;

/** Records are forget records, whose streams are their numbers. Waits while it is ordered to. */
const STAND_IN = `
import { workerData } from 'node:worker_threads';
const cells = new Int32Array(workerData.processBook);
const add = (cell, amount) => Atomics.add(cells, cell, amount);
add(${Cell.threads}, 1);
Atomics.store(cells, ${Cell.firstRecord}, 0);
Atomics.store(cells, ${Cell.rules}, 0);
setInterval(() => {
  const order = Atomics.compareExchange(cells, ${Cell.order}, ${Order.throwLater}, ${Order.none});
  if (order === ${Order.throwLater}) throw new Error('told to');
}, 1);
export default function (task) {
  if (Atomics.load(cells, ${Cell.order}) === ${Order.hang}) return new Promise(() => {});
  Atomics.wait(cells, ${Cell.order}, ${Order.wait});
  if (task.kind === 'stop') {
    add(${Cell.stopped}, 1);
    return;
  }
  const view = new DataView(task.records);
  for (let at = 0; at < view.byteLength; at += view.getUint32(at, true)) {
    const number = view.getUint32(at + 28, true);
    Atomics.compareExchange(cells, ${Cell.firstRecord}, 0, number);
    if (number <= Atomics.exchange(cells, ${Cell.lastRecord}, number)) add(${Cell.disordered}, 1);
    add(${Cell.records}, 1);
  }
  add(${Cell.rules}, task.rules.length);
  add(${Cell.retired}, task.retired.length);
  add(${Cell.batches}, 1);
}
`;

interface Rig {
  readonly lane: Lane;
  /** Records of each batch that left. */
  readonly batches: number[];
  /** Records written when a thread was lost, for each loss. */
  readonly losses: number[];
  readonly defects: unknown[];
  read(cell: number): number;
  order(order: number): void;
  /** Writes so many records, each with the next number. */
  write(count: number): void;
  written(): number;
}

async function openRig(t: TestContext): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-lane-'));
  const workerFile = join(folder, 'worker.mjs');
  writeFileSync(workerFile, STAND_IN);
  const memory = new SharedArrayBuffer(64);
  const cells = new Int32Array(memory);
  const [batches, losses, defects]: [number[], number[], unknown[]] = [[], [], []];
  let written = 0;
  let ready = false;
  const lane = new Lane({
    workerFile,
    workerData: {
      writers: { frontends: 1, lanes: 1 },
      frontend: 0,
      lane: 0,
      processBook: memory,
      logChannel: '',
    },
    clock: createClock(),
    onLost: () => losses.push(written),
    onReady: () => {
      ready = true;
    },
    onBatch: (records) => batches.push(records),
    onDefect: (error) => defects.push(error),
  });
  const order = (value: number): void => {
    Atomics.store(cells, Cell.order, value);
    Atomics.notify(cells, Cell.order);
  };
  t.after(async () => {
    order(Order.none);
    await lane.stop(1_000);
    rmSync(folder, { recursive: true, force: true });
  });
  await until(() => ready, 'the first thread');
  return {
    lane,
    batches,
    losses,
    defects,
    order,
    read: (cell) => Atomics.load(cells, cell),
    write(count) {
      for (let left = count; left > 0; left--) {
        lane.writer.writeForget(1, ++written);
        lane.onRecord();
      }
    },
    written: () => written,
  };
}

function toEntry(): RouteEntry {
  const memory = {
    book: new SharedArrayBuffer(8),
    shadows: [],
    limit: null,
    cursor: new SharedArrayBuffer(4),
  };
  return { route: toRoute('route', toMirror([toShadow('http://127.0.0.1:1')])), memory };
}

test('a batch leaves with its 128th record at once, and with fewer a little later', async (t) => {
  const rig = await openRig(t);
  rig.write(127);
  assert.deepEqual(rig.batches, []);
  rig.write(1);
  assert.deepEqual(rig.batches, [128]);
  rig.write(1);
  assert.deepEqual(rig.batches, [128]);
  await until(() => rig.read(Cell.records) === 129, 'the thread to have them');
  assert.deepEqual(rig.batches, [128, 1]);
});

test('a batch leaves at 256 KiB, whatever its records', async (t) => {
  const rig = await openRig(t);
  const { lane } = rig;
  while (lane.writer.bytes < 256 * 1024) {
    assert.deepEqual(rig.batches, []);
    lane.writer.writeChunk(1, rig.batches.length, new Uint8Array(60_000));
    lane.onRecord();
    if (rig.batches.length > 0) break;
  }
  assert.deepEqual(rig.batches, [5]);
  assert.equal(lane.writer.bytes, 0);
});

test('eight batches are under way at most; what follows waits, whole and in order', async (t) => {
  const rig = await openRig(t);
  rig.order(Order.wait);
  rig.write(128 * 20);
  assert.deepEqual(rig.batches, Array(8).fill(128));
  assert.equal(rig.lane.isEmpty, false);
  // A backlog is kept batch by batch, so that no long copy is ever made of it.
  assert.equal(rig.lane.writer.bytes, 0);
  rig.order(Order.none);
  await until(() => rig.read(Cell.records) === 128 * 20, 'all records');
  assert.equal(rig.read(Cell.disordered), 0);
  assert.equal(rig.lane.isEmpty, true);
  assert.deepEqual(rig.batches, Array(20).fill(128));
  assert.equal(rig.batches.length, rig.read(Cell.batches));
});

test('a thread that fails between two batches leaves none of them to its successor', async (t) => {
  const rig = await openRig(t);
  let running = true;
  const feed = async (): Promise<void> => {
    while (running) {
      rig.write(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const feeding = feed();
  for (let round = 1; round <= 12; round++) {
    const taken = rig.read(Cell.records);
    await until(() => rig.read(Cell.records) > taken + 10, 'records to be taken');
    const threads = rig.read(Cell.threads);
    rig.order(Order.throwLater);
    await until(() => rig.losses.length === round, 'the loss');
    await until(() => rig.read(Cell.threads) > threads && rig.read(Cell.firstRecord) > 0, 'the next thread');
    const [first, lost] = [rig.read(Cell.firstRecord), rig.losses[round - 1]!];
    assert.ok(first > lost, `record ${first} reached the next thread, though it was counted as lost`);
  }
  running = false;
  await feeding;
  assert.equal(rig.read(Cell.disordered), 0);
  assert.equal(rig.lane.incarnation, 12);
  assert.equal(rig.defects.length, 12);
  for (const defect of rig.defects) assert.match(String(defect), /told to/);
});

test('a lost thread’s records and those that wait are given up, and the next thread learns every rule in force', async (t) => {
  const rig = await openRig(t);
  const { lane } = rig;
  for (const key of [1, 2, 3]) lane.addRule({ key, entry: toEntry() });
  rig.write(1);
  await until(() => rig.read(Cell.rules) === 3, 'the rules');
  lane.retireRule(2);
  await until(() => rig.read(Cell.retired) === 1, 'the retirement, which waits for no record');
  const { thread } = lane;
  await thread!.terminate();
  await until(() => rig.losses.length === 1, 'the loss');
  assert.equal(lane.thread, null);
  assert.equal(lane.incarnation, 1);
  // Records of a rule that is retired before there is a thread again still need it.
  lane.addRule({ key: 4, entry: toEntry() });
  rig.write(10);
  lane.retireRule(3);
  await until(() => rig.read(Cell.records) === 11, 'what waited for the next thread');
  assert.equal(rig.read(Cell.threads), 2);
  assert.equal(rig.read(Cell.rules), 3, 'rules 1, 3 and 4');
  assert.equal(rig.read(Cell.retired), 2);
  await lane.thread!.terminate();
  await until(() => rig.losses.length === 2, 'the second loss');
  rig.write(1);
  await until(() => rig.read(Cell.records) === 12, 'the third thread');
  assert.equal(rig.read(Cell.rules), 2, 'rules 1 and 4');
});

test('a stop hands over what waits, tells the thread, and takes nothing more', async (t) => {
  const rig = await openRig(t);
  rig.write(5);
  await rig.lane.stop(10_000);
  assert.equal(rig.read(Cell.records), 5);
  assert.equal(rig.read(Cell.stopped), 1);
  assert.equal(rig.lane.thread, null);
  rig.write(5);
  await sleep(20);
  assert.equal(rig.read(Cell.records), 5);
  assert.deepEqual(rig.batches, [5]);
});

test('a thread that never answers holds a stop up for its time and no longer', async (t) => {
  const rig = await openRig(t);
  rig.write(1);
  await until(() => rig.read(Cell.records) === 1, 'the thread to be up');
  rig.order(Order.hang);
  const startedMs = performance.now();
  await rig.lane.stop(100);
  assert.ok(performance.now() - startedMs >= 100);
  assert.equal(rig.read(Cell.stopped), 0);
  assert.equal(rig.lane.thread, null);
});
