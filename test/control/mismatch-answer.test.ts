// What reading mismatches costs: bounded answers, made once for many readers, and nobody waits for one.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { FindingsStore } from '../../src/control/findings/findings-store.ts';
import { MismatchStore } from '../../src/control/findings/mismatch-store.ts';
import { createLedger } from '../../src/control/ledger.ts';
import {
  ANSWER_BYTES_MAX,
  LIMIT_DEFAULT,
  LIMIT_MAX,
  MismatchAnswers,
} from '../../src/control/mirror-api/mismatch-answer.ts';
import type { MismatchesView } from '../../src/control/mirror-api/mismatch-view.ts';
import type { Mismatch } from '../../src/core/findings.ts';
import { NAME_DIFF, sampleMismatch, sampleReport } from './findings-sample.ts';
import { openMirrorApi } from './mirror-api-kit.ts';
import { type SampleRoute, sampleRoute } from './sample.ts';

const ALL = { entries: LIMIT_MAX, groups: LIMIT_MAX };
const stays = (): boolean => true;

function open(more: Partial<SampleRoute> = {}) {
  const ledger = createLedger({ frontends: 1, lanes: 1 });
  ledger.enter([sampleRoute({ id: 'api', maxMismatches: 10_000, ...more })]);
  const store = new FindingsStore({ ledger });
  const answers = new MismatchAnswers();
  const read = async (limits = ALL, isWanted = stays): Promise<Buffer | null> =>
    answers.read(ledger.row('api')!, store.route('api')!, limits, isWanted);
  return { store, answers, read };
}

function fill(store: FindingsStore, count: number, more: (index: number) => Partial<Mismatch>): void {
  for (let index = 0; index < count; index++) {
    store.accept(sampleReport({ mismatches: [sampleMismatch({ timestampMs: index + 1, ...more(index) })] }));
  }
}

function parse(answer: Buffer | null): MismatchesView {
  return JSON.parse(String(answer)) as MismatchesView;
}

/** In a group of its own. */
function alone(index: number): Partial<Mismatch> {
  return { diffs: [{ ...NAME_DIFF, field: `body:k${index}` }] };
}

async function openFilled(t: TestContext, count: number) {
  const api = await openMirrorApi(t, [sampleRoute({ id: 'api', maxMismatches: 10_000 })]);
  fill(api.findings, count, alone);
  const read = async (query: string) => {
    const { body } = await api.ask('GET', `/mirrors/api/mismatches${query}`);
    const { entries, groups, left_out, stored_count } = body as MismatchesView;
    return { entries, groups, left_out, stored_count };
  };
  return { ...api, read };
}

test('a hundred entries and groups are told unless more are asked for, a thousand at most, and how many are left out', async (t) => {
  const { findings, read } = await openFilled(t, 150);
  fill(findings, 1000, () => ({}));
  const first = await read('');
  assert.deepEqual([first.entries.length, first.groups.length], [LIMIT_DEFAULT, LIMIT_DEFAULT]);
  assert.deepEqual([first.stored_count, first.left_out], [1150, { entries: 1050, groups: 51 }]);
  // The most frequent group, and of those that are equally frequent the newest.
  assert.deepEqual([first.groups[0]!.count, first.groups[0]!.fields], [1000, ['body:name']]);
  const seen = first.groups.slice(1).map(({ fields }) => fields[0]);
  assert.deepEqual(
    seen,
    Array.from({ length: 99 }, (_, index) => `body:k${149 - index}`),
  );
  const most = await read('?limit=5000&groups=5000');
  assert.deepEqual([most.entries.length, most.groups.length], [LIMIT_MAX, 151]);
  assert.deepEqual(most.left_out, { entries: 150, groups: 0 });
  // Many new ones do not drive it out.
  fill(findings, 120, (index) => ({ ...alone(1000 + index), timestampMs: 2000 + index }));
  const [frequent, next] = (await read('?groups=50')).groups;
  assert.equal(frequent!.count, 1000);
  assert.ok(frequent!.last_seen < next!.last_seen);
  const least = await read('?limit=0&groups=1');
  assert.deepEqual([least.entries, least.groups.length], [[], 1]);
  assert.deepEqual(least.left_out, { entries: 1270, groups: 270 });
});

test('an answer is bounded in bytes whatever requests hold; the rest is left out, and said', async () => {
  for (const [what, size, requestBody] of [
    ['control characters', 250, '\u0001'.repeat(16 * 1024)],
    ['long bodies', 60, '\u0001'.repeat(60 * 1024)],
  ] as const) {
    const { store, read } = open();
    fill(store, size, (index) => ({ ...alone(index), requestBody }));
    const answer = await read();
    assert.ok(answer!.length <= ANSWER_BYTES_MAX, `${what}: ${answer!.length} bytes`);
    assert.ok(answer!.length > ANSWER_BYTES_MAX * 0.8, `${what}: ${answer!.length} bytes`);
    const { entries, groups, left_out, stored_count } = parse(answer);
    assert.ok(entries.length > 5 && left_out.entries > 0, what);
    assert.equal(entries.length + left_out.entries, stored_count);
    // Each group is there, though not each has an example.
    assert.deepEqual([groups.length, left_out.groups], [size, 0]);
    const examples = groups.filter(({ example }) => example !== null);
    assert.ok(examples.length > 0 && examples.length < size, `${what}: ${examples.length} examples`);
    assert.equal(entries[0]!.timestamp, new Date(size).toISOString());
  }
});

test('groups that fill an answer by themselves are left out from the rarest on, and the rest is whole', async () => {
  const { store, read } = open();
  // Each in as many fields as a group may have.
  const long = (index: number): Partial<Mismatch> => ({
    diffs: Array.from({ length: 32 }, (_, at) => ({
      ...NAME_DIFF,
      field: `body:${'\u0001'.repeat(400)}${index}-${at}`,
    })),
  });
  fill(store, 250, long);
  const answer = await read();
  assert.ok(answer!.length <= ANSWER_BYTES_MAX, `${answer!.length} bytes`);
  const { groups, left_out, entries } = parse(answer);
  assert.ok(left_out.groups > 0 && groups.length + left_out.groups <= 250);
  assert.ok(entries.length > 0);
});

test('the text of a mismatch is made once, for groups and entries and later readers', async () => {
  const { store, answers, read } = open();
  fill(store, 30, alone);
  const first = await read();
  assert.equal(answers.made, 30);
  fill(store, 1, () => alone(30));
  assert.equal(parse(await read()).entries.length, 31);
  assert.equal(answers.made, 31);
  assert.equal(parse(first).entries.length, 30);
});

test('readers who come together share an answer, and none is made for those who have gone', async () => {
  const { store, answers, read } = open();
  fill(store, 10, alone);
  const shared = await Promise.all(Array.from({ length: 20 }, () => read()));
  assert.equal(answers.built, 1);
  assert.ok(shared.every((answer) => answer === shared[0]));
  const gone = await Promise.all([read(ALL, () => false), read({ entries: 1, groups: 1 }, () => false)]);
  assert.deepEqual([gone, answers.built], [[null, null], 1]);
  const mixed = await Promise.all([read(ALL, () => false), read()]);
  assert.ok(mixed[1] !== null);
  assert.equal(answers.built, 2);
});

test('an answer that has begun is not given to who asks later, nor what was cleared to anybody', async () => {
  const { store, read } = open();
  fill(store, 200, () => ({ requestBody: '\u0001'.repeat(16 * 1024) }));
  const early = read();
  await turn();
  await turn();
  fill(store, 1, () => ({ requestId: 'newest', timestampMs: 1_700_000_000_000 }));
  const late = read();
  store.clearMismatches('api');
  const cleared = parse(await read());
  assert.deepEqual([cleared.stored_count, cleared.entries, cleared.groups], [0, [], []]);
  assert.notEqual(parse(await early).entries[0]!.request_id, 'newest');
  assert.equal(parse(await late).entries[0]!.request_id, 'newest');
});

test('others have their turn while a long answer is made', async () => {
  const { store, read } = open();
  fill(store, 250, () => ({ requestBody: '\u0001'.repeat(16 * 1024) }));
  let turns = 0;
  let isDone = false;
  const answer = read().finally(() => {
    isDone = true;
  });
  for (; !isDone; turns++) await turn();
  assert.ok((await answer)!.length > 4 * 2 ** 20);
  assert.ok(turns > 15, `${turns} turns`);
});

test('HEAD makes nothing', async (t) => {
  const { ask, findings } = await openFilled(t, 5);
  const entries = t.mock.method(MismatchStore.prototype, 'entries');
  const head = await ask('HEAD', '/mirrors/api/mismatches');
  assert.deepEqual([head.status, head.text, entries.mock.callCount()], [200, '', 0]);
  assert.match(head.headers['content-type']!, /^application\/json/);
  assert.equal((await ask('HEAD', '/mirrors/api/mismatches?limit=x')).status, 400);
  assert.equal((await ask('HEAD', '/mirrors/none/mismatches')).status, 404);
  assert.equal((await ask('GET', '/mirrors/api/mismatches')).status, 200);
  assert.ok(entries.mock.callCount() > 0);
  assert.equal(findings.countMismatches('api', null), 5);
});
