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
import { chunkRecordBytes, FORGET_RECORD_BYTES } from '../../src/mirror/job.ts';
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
  /** Set when a record came twice or out of order, or before its rule. */
  disordered: 8,
  lastRecord: 9,
  wakes: 10,
  /** How often the thread was about to park. */
  parked: 11,
  lawless: 12,
  /** Threads whose module came by require(). */
  required: 13,
} as const;

const Order = { none: 0, wait: 1, throwLater: 2, hang: 3 } as const;

const INTAKE = new URL('../../src/mirror/intake.ts', import.meta.url);
const JOB = new URL('../../src/mirror/job.ts', import.meta.url);
const RING = new URL('../../src/mirror/ring.ts', import.meta.url);

/** Records are forget records, whose streams are their numbers. Waits while it is ordered to. */
const STAND_IN = `
import { createRequire } from 'node:module';
import { workerData } from 'node:worker_threads';
import { Intake } from '${INTAKE}';
import { readBatch } from '${JOB}';
import { RingReader } from '${RING}';
const cells = new Int32Array(workerData.processBook);
const add = (cell, amount) => Atomics.add(cells, cell, amount);
const known = new Set();
Atomics.store(cells, ${Cell.firstRecord}, 0);
Atomics.store(cells, ${Cell.rules}, 0);
add(${Cell.threads}, 1);
if (createRequire(import.meta.url).cache[import.meta.filename] !== undefined) add(${Cell.required}, 1);
setInterval(() => {
  const order = Atomics.compareExchange(cells, ${Cell.order}, ${Order.throwLater}, ${Order.none});
  if (order === ${Order.throwLater}) throw new Error('told to');
}, 1);
const visitor = {
  onForget(rule, number) {
    Atomics.wait(cells, ${Cell.order}, ${Order.wait});
    Atomics.compareExchange(cells, ${Cell.firstRecord}, 0, number);
    if (number <= Atomics.exchange(cells, ${Cell.lastRecord}, number)) add(${Cell.disordered}, 1);
    if (!known.has(rule)) add(${Cell.lawless}, 1);
    add(${Cell.records}, 1);
  },
  onChunk() {},
};
class Ring extends RingReader {
  park() {
    // Before: the other side may wake it at once.
    add(${Cell.parked}, 1);
    return super.park();
  }
}
const intake = new Intake(new Ring(workerData.ring), visitor, () => {});
export function runTask(task) {
  if (Atomics.load(cells, ${Cell.order}) === ${Order.hang}) return new Promise(() => {});
  Atomics.wait(cells, ${Cell.order}, ${Order.wait});
  // Counted before what they bring: a test waits for that.
  if (task.kind === 'wake') add(${Cell.wakes}, 1);
  if (task.kind === 'batch' && task.records.byteLength > 0) add(${Cell.batches}, 1);
  intake.open();
  if (task.kind === 'stop') {
    add(${Cell.stopped}, 1);
    return;
  }
  if (task.kind === 'wake') return;
  add(${Cell.retired}, task.retired.length);
  for (const { key } of task.rules) known.add(key);
  add(${Cell.rules}, task.rules.length);
  readBatch(task.records, visitor);
}
`;

interface Rig {
  readonly lane: Lane;
  /** Records written when a thread was lost, for each loss. */
  readonly losses: number[];
  readonly defects: unknown[];
  read(cell: number): number;
  order(order: number): void;
  /** Writes so many records of a rule, each with the next number. */
  write(count: number, rule?: number): void;
  written(): number;
}

async function openRig(t: TestContext): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-lane-'));
  const workerFile = join(folder, 'worker.mjs');
  writeFileSync(workerFile, STAND_IN);
  const memory = new SharedArrayBuffer(64);
  const cells = new Int32Array(memory);
  const [losses, defects]: [number[], unknown[]] = [[], []];
  let written = 0;
  let ready = false;
  const lane = new Lane({
    workerData: {
      workerFile,
      writers: { frontends: 1, lanes: 1 },
      frontend: 0,
      lane: 0,
      processBook: memory,
      logChannel: '',
      findingsChannel: '',
    },
    clock: createClock(),
    onLost: () => losses.push(written),
    onReady: () => {
      ready = true;
    },
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
    losses,
    defects,
    order,
    read: (cell) => Atomics.load(cells, cell),
    write(count, rule = 1) {
      for (let left = count; left > 0; left--) {
        lane.outbox.writeForget(rule, ++written);
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

test('a batch leaves with its 128th record at once, and what follows does not leave beside it', async (t) => {
  const rig = await openRig(t);
  rig.order(Order.wait);
  rig.write(127);
  assert.equal(rig.lane.outbox.bytes, 127 * FORGET_RECORD_BYTES);
  rig.write(1);
  assert.equal(rig.lane.outbox.bytes, 0);
  rig.write(1);
  assert.equal(rig.lane.outbox.bytes, FORGET_RECORD_BYTES);
  rig.order(Order.none);
  await until(() => rig.read(Cell.records) === 129, 'the thread to have them');
  // What was left waited for the first batch, and then went into the ring.
  assert.equal(rig.read(Cell.batches), 1);
});

test('a batch that is not full leaves a little later', async (t) => {
  const rig = await openRig(t);
  rig.write(1);
  await until(() => rig.read(Cell.records) === 1, 'the thread to have it');
  assert.equal(rig.read(Cell.batches), 1);
});

test('a batch leaves at 256 KiB, whatever its records', async (t) => {
  const rig = await openRig(t);
  const { lane } = rig;
  const bytes = chunkRecordBytes(60_000);
  for (const left of [bytes, 2 * bytes, 3 * bytes, 4 * bytes, 0]) {
    lane.outbox.writeChunk(1, 1, new Uint8Array(60_000));
    lane.onRecord();
    assert.equal(lane.outbox.bytes, left);
  }
});

test('eight batches are under way at most; what follows waits, whole and in order', async (t) => {
  const rig = await openRig(t);
  rig.order(Order.wait);
  rig.write(128 * 20);
  assert.equal(rig.lane.underWay, 8);
  assert.equal(rig.lane.isEmpty, false);
  // A backlog is kept batch by batch, so that no long copy is ever made of it.
  assert.equal(rig.lane.outbox.bytes, 0);
  rig.order(Order.none);
  await until(() => rig.read(Cell.records) === 128 * 20, 'all records');
  await until(() => rig.lane.isEmpty, 'the last answer');
  assert.equal(rig.read(Cell.disordered), 0);
  assert.equal(rig.read(Cell.batches), 20);
});

test('after its first batch a thread is sent no messages, as long as records keep coming', async (t) => {
  const rig = await openRig(t);
  rig.write(1);
  await until(() => rig.lane.outbox.isDirect, 'the first answer');
  for (let round = 1; round <= 200; round++) {
    rig.write(100);
    assert.ok(rig.lane.outbox.isDirect);
    await until(() => rig.read(Cell.records) === 1 + round * 100, 'the records');
  }
  assert.equal(rig.read(Cell.batches), 1);
  assert.equal(rig.read(Cell.disordered), 0);
  assert.ok(rig.read(Cell.wakes) <= rig.read(Cell.parked), 'only a thread that has parked is woken');
});

test('a thread that finds nothing for a while parks, and the next record wakes it, once', async (t) => {
  const rig = await openRig(t);
  rig.write(1);
  // A round may end without a wake-up: the records came just before the thread was parked. On a busy machine it may
  // also park, and be woken, between two of them.
  for (let round = 1; rig.read(Cell.wakes) < 5; round++) {
    await until(
      () => rig.lane.outbox.isDirect && rig.read(Cell.parked) > rig.read(Cell.wakes),
      'the thread to park',
    );
    rig.write(3);
    await until(() => rig.read(Cell.records) === 1 + round * 3, 'the records');
    assert.ok(rig.read(Cell.wakes) <= rig.read(Cell.parked), 'woken once for each time');
  }
  assert.equal(rig.read(Cell.batches), 1);
});

test('when the ring is full, what follows goes by message, in order, and later through the ring again', async (t) => {
  const rig = await openRig(t);
  rig.write(1);
  await until(() => rig.lane.outbox.isDirect, 'the first answer');
  rig.order(Order.wait);
  const fits = Math.floor((1024 * 1024) / FORGET_RECORD_BYTES);
  rig.write(fits - 1);
  assert.ok(rig.lane.outbox.isDirect);
  rig.write(1_000);
  assert.equal(rig.lane.outbox.isDirect, false);
  assert.equal(rig.lane.isEmpty, false);
  rig.order(Order.none);
  const written = rig.written();
  await until(() => rig.read(Cell.records) === written, 'all records');
  await until(() => rig.lane.outbox.isDirect, 'the way back to the ring');
  const batches = rig.read(Cell.batches);
  rig.write(100);
  await until(() => rig.read(Cell.records) === written + 100, 'the last records');
  assert.equal(rig.read(Cell.batches), batches);
  assert.equal(rig.read(Cell.disordered), 0);
});

test('a record that is too long for the ring goes by message, behind those that went before it', async (t) => {
  const rig = await openRig(t);
  rig.write(1);
  await until(() => rig.lane.outbox.isDirect, 'the first answer');
  rig.order(Order.wait);
  rig.write(10);
  rig.lane.outbox.writeChunk(1, 1, new Uint8Array(200_000));
  rig.lane.onRecord();
  assert.equal(rig.lane.outbox.isDirect, false);
  rig.write(10);
  rig.order(Order.none);
  await until(() => rig.read(Cell.records) === 21, 'all records');
  assert.equal(rig.read(Cell.disordered), 0);
});

test('a lane that is never at rest finds back to the ring', async (t) => {
  const rig = await openRig(t);
  let running = true;
  const feed = async (): Promise<void> => {
    while (running) {
      rig.write(3);
      await sleep(1);
    }
  };
  const feeding = feed();
  try {
    for (let round = 0; round < 5; round++) {
      await until(() => rig.lane.outbox.isDirect, 'the way through the ring');
      rig.lane.outbox.writeChunk(1, 1, new Uint8Array(200_000));
      rig.lane.onRecord();
      assert.equal(rig.lane.outbox.isDirect, false);
    }
    await until(() => rig.lane.outbox.isDirect, 'the way through the ring');
  } finally {
    running = false;
    await feeding;
  }
  await until(() => rig.read(Cell.records) === rig.written(), 'all records');
  assert.equal(rig.read(Cell.disordered), 0);
});

test('thousands of rules go ahead of the first record, a hundred in a message', async (t) => {
  const rig = await openRig(t);
  for (let key = 1; key <= 2_050; key++) rig.lane.addRule({ key, entry: toEntry() });
  rig.write(300, 2_050);
  assert.equal(rig.lane.underWay, 0);
  await until(() => rig.read(Cell.records) === 300, 'the records');
  assert.equal(rig.read(Cell.rules), 2_050);
  assert.equal(rig.read(Cell.lawless), 0);
  await rig.lane.thread!.terminate();
  await until(() => rig.losses.length === 1, 'the loss');
  rig.write(10, 7);
  await until(() => rig.read(Cell.records) === 310, 'the records for the next thread');
  assert.equal(rig.read(Cell.rules), 2_050);
  assert.equal(rig.read(Cell.lawless), 0);
});

test('a thread’s module is imported: Node aborts when a thread is ended while it requires one', async (t) => {
  const rig = await openRig(t);
  rig.write(1);
  await until(() => rig.read(Cell.records) === 1, 'the record');
  assert.equal(rig.read(Cell.required), 0);
});

test('a rule is there before the first record that names it', async (t) => {
  const rig = await openRig(t);
  for (let key = 1; key <= 100; key++) {
    rig.lane.addRule({ key, entry: toEntry() });
    rig.write(5, key);
    if (key % 3 === 0) await until(() => rig.lane.outbox.isDirect, 'the way through the ring');
    rig.write(5, key);
  }
  await until(() => rig.read(Cell.records) === 1_000, 'all records');
  assert.equal(rig.read(Cell.lawless), 0);
  assert.equal(rig.read(Cell.disordered), 0);
});

test('a thread that fails between two batches leaves none of them to its successor', async (t) => {
  const rig = await openRig(t);
  let running = true;
  t.after(() => {
    running = false;
  });
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
