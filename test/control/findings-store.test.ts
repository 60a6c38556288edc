// What the control thread keeps of comparisons: of the revision in force alone, within its bounds, and given back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { FIELD_LENGTH_MAX, FIELDS_MAX } from '../../src/control/findings/field-table.ts';
import {
  FindingsInbox,
  REPORT_BYTES_MAX,
  REPORTS_MAX,
  REPORTS_PER_TURN,
} from '../../src/control/findings/findings-inbox.ts';
import { FindingsStore, openFindings } from '../../src/control/findings/findings-store.ts';
import { GROUPS_MAX, MismatchStore, RING_BYTES_MAX } from '../../src/control/findings/mismatch-store.ts';
import { PAIRS_MAX } from '../../src/control/findings/pair-ring.ts';
import { createLedger } from '../../src/control/ledger.ts';
import { ShadowCell } from '../../src/core/book.ts';
import type { FieldDelta } from '../../src/core/findings.ts';
import { createWaiting } from '../kit/waiting.ts';
import { NAME_DIFF, sampleMismatch, sampleReport } from './findings-sample.ts';
import { CONTROL, OTHER_SHADOW, type SampleRoute, SHADOW, sampleRoute } from './sample.ts';

const WRITERS = { frontends: 1, lanes: 1 };

interface Bounds {
  readonly mismatchBytesMax?: number;
  readonly pairBytesMax?: number;
  readonly fieldsMax?: number;
}

function open(routes: readonly SampleRoute[], bounds: Bounds = {}) {
  const ledger = createLedger(WRITERS);
  let nowMs = 1000;
  ledger.enter(routes.map(sampleRoute));
  const store = new FindingsStore({ ledger, now: () => nowMs, ...bounds });
  const enter = (next: readonly SampleRoute[], atMs: number): void => {
    nowMs = atMs;
    ledger.enter(next.map(sampleRoute));
    store.follow();
  };
  const setNow = (ms: number): void => {
    nowMs = ms;
  };
  return { ledger, store, enter, setNow };
}

function fieldDelta(field: string, more: Partial<FieldDelta> = {}): FieldDelta {
  return { field, differed: 1, counted: 1, controlDiffered: 0, fresh: 1, ...more };
}

test('reports are added up, for each route and shadow', () => {
  const { store } = open([{ id: 'api', shadows: [SHADOW, OTHER_SHADOW] }]);
  const fields = [fieldDelta('body:name', { differed: 3, counted: 2, controlDiffered: 1, fresh: 2 })];
  store.accept(sampleReport({ compared: 10, controlled: 4, fields }));
  store.accept(sampleReport({ compared: 5, controlled: 1, fields }));
  store.accept(sampleReport({ shadow: OTHER_SHADOW, compared: 7, fields: [fieldDelta('status')] }));
  const tables = store.route('api')!.fieldTables;
  const table = tables.get(SHADOW)!;
  assert.deepEqual([table.compared, table.controlled], [15, 5]);
  assert.deepEqual(Object.fromEntries(table.fields), {
    'body:name': { differed: 6, counted: 4, controlDiffered: 2, fresh: 4 },
  });
  assert.deepEqual([...tables.get(OTHER_SHADOW)!.fields.keys()], ['status']);
});

test('another revision begins without findings; one that is entered again goes on', () => {
  const { store, enter } = open([{ id: 'api' }]);
  store.accept(sampleReport({ mismatches: [sampleMismatch()], latencies: new Float32Array([1, 2]) }));
  enter([{ id: 'api' }, { id: 'other' }], 2000);
  assert.equal(store.route('api')!.mismatches!.count, 1);
  assert.equal(store.route('api')!.sinceMs, 1000);
  assert.equal(store.route('other')!.sinceMs, 2000);
  enter([{ id: 'api', revision: '2' }], 3000);
  assert.equal(store.route('api')!.mismatches, null);
  assert.equal(store.route('api')!.fieldTables.size, 0);
  assert.equal(store.route('api')!.pairs(SHADOW).length, 0);
  assert.equal(store.route('api')!.sinceMs, 3000);
  assert.equal(store.route('other'), undefined);
});

test('reports of unknown routes and of other revisions are dropped and counted', () => {
  const { store, enter } = open([{ id: 'api' }, { id: 'plain', shadows: null }]);
  enter(
    [
      { id: 'api', revision: '2' },
      { id: 'plain', shadows: null },
    ],
    2000,
  );
  store.accept(sampleReport({ mismatches: [sampleMismatch()] }));
  store.accept(sampleReport({ route: 'plain' }));
  store.accept(sampleReport({ route: '__proto__' }));
  assert.equal(store.route('api')!.mismatches, null);
  const { old_revision, unknown_route, ...others } = store.losses();
  assert.deepEqual([old_revision, unknown_route], [1, 2]);
  assert.deepEqual(new Set(Object.values(others)), new Set([0]));
  store.accept(sampleReport({ revision: '2', mismatches: [sampleMismatch()] }));
  assert.equal(store.countMismatches('api', null), 1);
});

test('the ring holds as many as the route says, newest first, whichever thread was first to report', () => {
  const cases = [
    [0, []],
    [1, [3]],
    [3, [5, 4, 3]],
  ] as const;
  for (const [capacity, expected] of cases) {
    const { store } = open([{ id: 'api', maxMismatches: capacity }]);
    for (const timestampMs of [1, 2, 5, 4, 3]) {
      store.accept(sampleReport({ mismatches: [sampleMismatch({ timestampMs })] }));
    }
    const { mismatches } = store.route('api')!;
    const kept = mismatches!.entries().map(({ mismatch }) => mismatch.timestampMs);
    assert.deepEqual(kept, expected);
    assert.equal(store.countMismatches('api', null), capacity);
    assert.equal(mismatches!.groups()[0]!.count, 5);
    assert.equal(mismatches!.groups()[0]!.example === null, capacity === 0);
  }
});

test('the ring is bounded in bytes: the oldest makes place, and what fits nowhere is counted', () => {
  const { store } = open([{ id: 'api', maxMismatches: 1000 }]);
  const mebibyte = 'x'.repeat(2 ** 20);
  for (let timestampMs = 1; timestampMs <= 6; timestampMs++) {
    store.accept(sampleReport({ mismatches: [sampleMismatch({ timestampMs, requestBody: mebibyte })] }));
  }
  const mismatches = store.route('api')!.mismatches!;
  assert.deepEqual(
    mismatches.entries().map(({ mismatch }) => mismatch.timestampMs),
    [6, 5, 4],
  );
  assert.ok(mismatches.ringBytes <= RING_BYTES_MAX && mismatches.ringBytes > 3 * 2 ** 20);
  assert.equal(store.losses().mismatch_too_large, 0);
  store.accept(sampleReport({ mismatches: [sampleMismatch({ requestBody: 'x'.repeat(RING_BYTES_MAX) })] }));
  assert.equal(store.losses().mismatch_too_large, 1);
  assert.equal(mismatches.count, 3);
});

test('a rare group keeps its example and its counts though the ring has only frequent ones', () => {
  const { store } = open([{ id: 'api', maxMismatches: 2 }]);
  const rare = sampleMismatch({ timestampMs: 10, diffs: [{ ...NAME_DIFF, field: 'status', at: 'status' }] });
  store.accept(sampleReport({ mismatches: [rare] }));
  for (let timestampMs = 11; timestampMs < 20; timestampMs++) {
    store.accept(sampleReport({ mismatches: [sampleMismatch({ timestampMs })] }));
  }
  const mismatches = store.route('api')!.mismatches!;
  const [frequent, other] = mismatches.groups();
  assert.deepEqual(
    [frequent!.fields, frequent!.count, frequent!.firstMs, frequent!.lastMs],
    [['body:name'], 9, 11, 19],
  );
  assert.equal(frequent!.example!.mismatch.timestampMs, 19);
  assert.deepEqual([other!.fields, other!.count], [['status'], 1]);
  assert.equal(other!.example!.mismatch, rare);
  assert.ok(mismatches.entries().every(({ mismatch }) => mismatch !== rare));
});

test('groups and fields are bounded: old groups and rare fields make place, and are counted', () => {
  const { store } = open([{ id: 'api' }]);
  const often = fieldDelta('body:often', { differed: 50 });
  store.accept(sampleReport({ fields: [fieldDelta('x'.repeat(FIELD_LENGTH_MAX + 1)), often] }));
  assert.equal(store.losses().field_no_room, 1);
  for (let index = 0; index < 2000; index++) {
    const diffs = [{ ...NAME_DIFF, field: `body:k${index}` }];
    const fields = [fieldDelta(`body:k${index}`)];
    store.accept(sampleReport({ mismatches: [sampleMismatch({ timestampMs: index, diffs })], fields }));
  }
  const findings = store.route('api')!;
  const groups = findings.mismatches!.groups();
  const fields = findings.fieldTables.get(SHADOW)!.fields;
  assert.ok(groups.length >= GROUPS_MAX && groups.length <= GROUPS_MAX + 50, `${groups.length} groups`);
  assert.ok(groups.some(({ lastMs }) => lastMs === 1999));
  assert.ok(!groups.some(({ lastMs }) => lastMs === 0));
  assert.equal(groups.length + store.losses().group_no_room, 2000);
  assert.ok(fields.size >= FIELDS_MAX && fields.size <= FIELDS_MAX + 100, `${fields.size} fields`);
  assert.equal(fields.get('body:often')!.differed, 50);
  assert.equal(fields.size + store.losses().field_no_room, 2000 + 2);
});

test('all routes together are bounded: the one that has most gives up half', () => {
  const bound = 4 * 2 ** 20;
  const { store } = open([{ id: 'large' }, { id: 'small' }], { mismatchBytesMax: bound });
  const give = (route: string, count: number): void => {
    const requestBody = 'x'.repeat(100 * 1024);
    store.accept(
      sampleReport({
        route,
        mismatches: Array.from({ length: count }, () => sampleMismatch({ requestBody })),
      }),
    );
  };
  give('small', 5);
  for (let round = 0; round < 8; round++) give('large', 10);
  const bytes = ['large', 'small'].map((id) => store.route(id)!.mismatches!.bytes);
  assert.ok(bytes[0]! + bytes[1]! <= bound, `${bytes} bytes`);
  assert.equal(store.countMismatches('small', null), 5);
  assert.ok(store.countMismatches('large', null) >= 10);
  assert.ok(store.losses().mismatch_no_room > 0);
});

test('a report costs the same however many routes have mismatches, and room is made for many at once', (t) => {
  const ids = Array.from({ length: 500 }, (_, index) => `route-${index}`);
  const { store, enter } = open(
    ids.map((id) => ({ id })),
    { mismatchBytesMax: 2 ** 20 },
  );
  const give = (route: string): void => store.accept(sampleReport({ route, mismatches: [sampleMismatch()] }));
  for (const id of ids) give(id);
  const looks = t.mock.getter(MismatchStore.prototype, 'bytes');
  for (let round = 0; round < 10; round++) give('route-0');
  assert.ok(looks.mock.callCount() <= 20, `${looks.mock.callCount()} looks for ten reports`);
  looks.mock.resetCalls();
  const sum = (): number => ids.reduce((total, id) => total + (store.route(id)?.mismatches?.bytes ?? 0), 0);
  let reports = 0;
  for (; store.losses().mismatch_no_room === 0; reports++) give(ids[reports % 100]!);
  assert.ok(sum() <= 2 ** 20 * (7 / 8), `${sum()} bytes`);
  assert.ok(reports > 50);
  // What is cleared and what goes is given back.
  looks.mock.restore();
  for (const id of ids) store.clearMismatches(id);
  const lost = store.losses().mismatch_no_room;
  for (let round = 0; round < 500; round++) give(ids[round]!);
  assert.equal(store.losses().mismatch_no_room, lost);
  enter(
    ids.map((id) => ({ id, revision: '2' })),
    2000,
  );
  for (const route of ids)
    store.accept(sampleReport({ route, revision: '2', mismatches: [sampleMismatch()] }));
  assert.equal(store.losses().mismatch_no_room, lost);
});

test('reports are added up a few at a time, in their order, and none is kept beyond the bound', async (t) => {
  const { store } = open([{ id: 'api' }]);
  const accept = t.mock.method(store, 'accept');
  const inbox = new FindingsInbox(store);
  t.after(() => inbox.close());
  const order = (): number[] => accept.mock.calls.map(({ arguments: [report] }) => report.compared);
  const count = 3 * REPORTS_PER_TURN + 1;
  for (let compared = 0; compared < count; compared++) inbox.push(sampleReport({ compared }));
  const perTurn = [order().length];
  while (inbox.waiting > 0) {
    const before = order().length;
    await turn();
    perTurn.push(order().length - before);
  }
  assert.ok(
    perTurn.every((each) => each <= REPORTS_PER_TURN),
    `${perTurn}`,
  );
  assert.deepEqual(
    order(),
    Array.from({ length: count }, (_, index) => index),
  );
  /** The next turn has room for as many again. */
  const rest = async (): Promise<void> => {
    for (let each = 0; each < 2; each++) await turn();
  };
  await rest();
  for (let index = 0; index < REPORTS_PER_TURN + REPORTS_MAX; index++) inbox.push(sampleReport());
  assert.deepEqual([inbox.waiting, store.losses().report_no_room], [REPORTS_MAX, 0]);
  inbox.push(sampleReport());
  assert.deepEqual([inbox.waiting, store.losses().report_no_room], [REPORTS_MAX, 1]);
  while (inbox.waiting > 0) await turn();
  await rest();
  const large = sampleReport({ mismatches: [sampleMismatch({ requestBody: 'x'.repeat(2 ** 20) })] });
  for (let index = 0; index < REPORTS_PER_TURN + REPORT_BYTES_MAX / 2 ** 20; index++) inbox.push(large);
  assert.equal(inbox.waiting, REPORT_BYTES_MAX / 2 ** 20 - 1);
  assert.equal(store.losses().report_no_room, 2);
});

test('the newest pairs of latencies are kept, in their order, for each shadow', () => {
  const { store } = open([{ id: 'api', shadows: [SHADOW, OTHER_SHADOW] }]);
  const send = (from: number, count: number): void => {
    const latencies = Float32Array.from({ length: count * 2 }, (_, at) => from + (at >> 1) + (at % 2) * 0.5);
    store.accept(sampleReport({ latencies }));
  };
  for (const [sent, expected] of [
    [0, 0],
    [1, 1],
    [299, 300],
    [PAIRS_MAX - 300, PAIRS_MAX],
    [1, PAIRS_MAX],
    [2 * PAIRS_MAX + 7, PAIRS_MAX],
  ] as const) {
    const before = store.route('api')!.pairs(SHADOW).at(-2) ?? -1;
    send(before + 1, sent);
    const pairs = store.route('api')!.pairs(SHADOW);
    assert.equal(pairs.length, expected * 2);
    const last = before + sent;
    for (let pair = 0; pair < expected; pair++) {
      const primary = last - expected + 1 + pair;
      if (pairs[pair * 2] !== primary || pairs[pair * 2 + 1] !== primary + 0.5) {
        assert.fail(`pair ${pair} is ${pairs[pair * 2]}, ${pairs[pair * 2 + 1]} instead of ${primary}`);
      }
    }
  }
  assert.equal(store.route('api')!.pairs(OTHER_SHADOW).length, 0);
});

test('pairs of all routes together are bounded, and room comes back with the routes that go', () => {
  const { store, enter } = open([{ id: 'one' }, { id: 'two' }], { pairBytesMax: 500 * 8 });
  const latencies = new Float32Array(2 * 2000).fill(3);
  store.accept(sampleReport({ route: 'one', latencies }));
  store.accept(sampleReport({ route: 'two', latencies }));
  const count = (id: string) => store.route(id)!.pairs(SHADOW).length / 2;
  assert.deepEqual([count('one'), count('two')], [500, 0]);
  enter([{ id: 'two' }], 2000);
  store.accept(sampleReport({ route: 'two', latencies }));
  assert.equal(count('two'), 500);
  store.resetVerdict('two');
  enter([{ id: 'two' }, { id: 'one' }], 3000);
  store.accept(sampleReport({ route: 'one', latencies }));
  assert.equal(count('one'), 500);
});

test('fields of all routes together are bounded, and room comes back with the routes that go', () => {
  const { store, enter } = open([{ id: 'one' }, { id: 'two' }], { fieldsMax: 3 });
  const give = (route: string): number => {
    const fields = ['a', 'b', 'c', 'd'].map((name) => fieldDelta(`body:${name}`));
    store.accept(sampleReport({ route, fields: fields.slice(0, route === 'one' ? 2 : 4) }));
    return store.route(route)!.fieldTables.get(SHADOW)!.fields.size;
  };
  assert.deepEqual([give('one'), give('two'), give('one')], [2, 1, 2]);
  assert.equal(store.losses().field_no_room, 3);
  enter([{ id: 'two' }], 2000);
  assert.equal(give('two'), 3);
});

test('groups are bounded in bytes too', () => {
  const { store } = open([{ id: 'api', maxMismatches: 0 }]);
  for (let index = 0; index < 200; index++) {
    const fields = Array.from({ length: 32 }, (_, field) => `body:${index}-${field}-${'x'.repeat(2000)}`);
    store.accept(sampleReport({ groups: [{ fields, count: 1, firstMs: index, lastMs: index }] }));
  }
  const mismatches = store.route('api')!.mismatches!;
  assert.ok(
    mismatches.bytes <= RING_BYTES_MAX && mismatches.bytes > RING_BYTES_MAX / 4,
    `${mismatches.bytes}`,
  );
  assert.ok(mismatches.groups().some(({ lastMs }) => lastMs === 199));
  assert.equal(mismatches.groups().length + store.losses().group_no_room, 200);
});

test('the verdict counts from the revision, or from when it was asked for anew', () => {
  const { ledger, store, enter, setNow } = open([{ id: 'api', control: CONTROL }]);
  const [shadow, control] = ledger.row('api')!.shadows.map(({ book }) => book);
  const add = (count: number): void => {
    for (const writer of [0, 1]) {
      shadow!.cells[shadow!.row(writer) + ShadowCell.compared]! += count;
      control!.cells[control!.row(writer) + ShadowCell.sent]! += count;
    }
  };
  const read = () => {
    const findings = store.route('api')!;
    return [
      findings.sinceMs,
      findings.since(SHADOW, ShadowCell.compared),
      findings.since(CONTROL, ShadowCell.sent),
    ];
  };
  add(5);
  assert.deepEqual(read(), [1000, 10, 10]);
  assert.equal(store.route('api')!.baseline.size, 0);
  store.accept(sampleReport({ mismatches: [sampleMismatch()], latencies: new Float32Array([1, 2]) }));
  setNow(1500);
  store.resetVerdict('api');
  assert.deepEqual(read(), [1500, 0, 0]);
  assert.equal(store.route('api')!.baseline.get(SHADOW)![ShadowCell.compared], 10);
  assert.equal(store.route('api')!.pairs(SHADOW).length, 0);
  assert.equal(store.countMismatches('api', null), 1);
  add(1);
  assert.deepEqual(read(), [1500, 2, 2]);
  enter([{ id: 'api', revision: '2', control: CONTROL }], 2000);
  assert.deepEqual(read(), [2000, 0, 0]);
  add(2);
  assert.deepEqual(read(), [2000, 4, 4]);
  assert.equal(store.route('api')!.since('http://nobody:1', ShadowCell.sent), 0);
});

test('clearing takes ring and groups and leaves the rest', () => {
  const { store } = open([{ id: 'api' }]);
  store.accept(
    sampleReport({
      mismatches: [sampleMismatch()],
      fields: [fieldDelta('status')],
      latencies: new Float32Array(2),
    }),
  );
  store.clearMismatches('api');
  const findings = store.route('api')!;
  assert.equal(findings.mismatches, null);
  assert.equal(findings.fieldTables.get(SHADOW)!.compared, 1);
  assert.equal(findings.pairs(SHADOW).length, 2);
  store.clearMismatches('nobody');
  store.resetVerdict('nobody');
});

test('mismatches are counted for each shadow', () => {
  const { store } = open([{ id: 'api', shadows: [SHADOW, OTHER_SHADOW] }]);
  store.accept(sampleReport({ mismatches: [sampleMismatch(), sampleMismatch()] }));
  store.accept(sampleReport({ shadow: OTHER_SHADOW, mismatches: [sampleMismatch()] }));
  const counts = [null, SHADOW, OTHER_SHADOW, CONTROL].map((origin) => store.countMismatches('api', origin));
  assert.deepEqual(counts, [3, 2, 1, 0]);
  assert.equal(store.countMismatches('nobody', null), 0);
});

test('ten thousand mirrored routes without findings take less than 4 MiB and are followed in a moment', (t) => {
  const ledger = createLedger({ frontends: 1, lanes: 0 });
  ledger.enter(Array.from({ length: 10_000 }, (_, index) => sampleRoute({ id: `route-${index}` })));
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  const begun = performance.now();
  const store = new FindingsStore({ ledger });
  const tookMs = performance.now() - begun;
  collect();
  const bytes = process.memoryUsage().heapUsed - before;
  t.diagnostic(`${(bytes / 2 ** 20).toFixed(1)} MiB, ${tookMs.toFixed(0)} ms`);
  assert.ok(store.route('route-9999') !== undefined);
  assert.ok(bytes < 4 * 2 ** 20);
});

test('reports come over the channel until it is closed', async () => {
  const { store } = open([{ id: 'api' }]);
  const name = `findings-test-${process.pid}`;
  const source = openFindings(store, name);
  const waiting = createWaiting();
  const sender = new BroadcastChannel(name);
  // It hears the same messages as the store, after it.
  const listener = new BroadcastChannel(name);
  listener.onmessage = () => waiting.check();
  sender.postMessage(sampleReport({ mismatches: [sampleMismatch()], latencies: new Float32Array([1, 2]) }));
  await waiting.until(
    () => store.countMismatches('api', null) === 1,
    () => 'the report is kept',
  );
  assert.deepEqual([...store.route('api')!.pairs(SHADOW)], [1, 2]);
  let heard = 0;
  listener.onmessage = () => {
    heard++;
    waiting.check();
  };
  source.close();
  sender.postMessage(sampleReport({ mismatches: [sampleMismatch()] }));
  await waiting.until(
    () => heard === 1,
    () => 'the second report has passed',
  );
  assert.equal(store.countMismatches('api', null), 1);
  for (const channel of [sender, listener]) channel.close();
});
