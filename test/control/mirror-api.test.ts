// What is read and done under /mirrors/{route}: forms of the answers, statuses, methods and keys.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShadowCell, ShadowWord } from '../../src/core/book.ts';
import type { FieldDelta } from '../../src/core/findings.ts';
import { HistogramWriter } from '../../src/core/histogram.ts';
import { NAME_DIFF, sampleMismatch, sampleReport } from './findings-sample.ts';
import { type Answer, NOW_MS, openMirrorApi } from './mirror-api-kit.ts';
import { CONTROL, OTHER_SHADOW, SHADOW, sampleRoute } from './sample.ts';

const HOSTILE = '<script>alert(1)</script>"\'&';

function assertError(answer: Answer, status: number, pattern: RegExp): void {
  assert.equal(answer.status, status, answer.text);
  assert.match((answer.body as { readonly error: string }).error, pattern);
}

function delta(field: string, more: Partial<FieldDelta> = {}): FieldDelta {
  return { field, differed: 1, counted: 1, controlDiffered: 0, fresh: 1, ...more };
}

test('mismatches have the fields that they are known by, and what umbra knows besides', async (t) => {
  const { ask, findings, ledger } = await openMirrorApi(t, [sampleRoute({ id: 'api' })]);
  const book = ledger.row('api')!.shadows[0]!.book;
  book.cells[ShadowCell.mismatched] = 47;
  const diffs = [
    { field: 'status', at: 'status', kind: 'value', primary: '200', shadow: '500' },
    {
      field: 'header:content-type',
      at: 'header:content-type',
      kind: 'missing',
      primary: 'a/b',
      shadow: null,
    },
    {
      field: 'body:items[].name',
      at: 'body:items[3].name',
      kind: 'value',
      primary: '"Alice"',
      shadow: '"alice"',
    },
    { field: 'body:new', at: 'body:new', kind: 'extra', primary: null, shadow: '1' },
  ] as const;
  const mismatch = sampleMismatch({ shadowStatus: 500, diffs, requestNote: 'kept elsewhere' });
  findings.accept(sampleReport({ mismatches: [sampleMismatch({ timestampMs: 1000 }), mismatch] }));
  const answer = await ask('GET', '/mirrors/api/mismatches');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  assert.match(answer.headers['content-type']!, /^application\/json/);
  const { groups, entries, stored_bytes, ...head } = answer.body as Record<string, unknown[]>;
  assert.deepEqual(head, {
    route: 'api',
    total_mismatches: 47,
    stored_count: 2,
    capacity: 100,
    left_out: { groups: 0, entries: 0 },
  });
  assert.ok(Number(stored_bytes) > 0);
  const [entry, older] = entries as Record<string, unknown>[];
  const { curl, ...rest } = entry!;
  assert.deepEqual(Object.keys(curl as object), ['primary', 'mirror']);
  const fields = ['body:items[].name', 'body:new', 'header:content-type', 'status'];
  assert.deepEqual(rest, {
    timestamp: '2023-11-14T22:13:20.000Z',
    method: 'GET',
    path: '/api/users/123?full=1',
    backend: SHADOW,
    request_id: 'r-1',
    diff_types: ['status', 'headers', 'body'],
    detail: {
      status_diff: { primary: 200, mirror: 500, primary_status: 200, mirror_status: 500 },
      header_diffs: [
        {
          header: 'content-type',
          kind: 'missing',
          primary: 'a/b',
          mirror: null,
          primary_value: 'a/b',
          mirror_value: '',
        },
      ],
      body_diffs: [
        {
          path: 'items[3].name',
          kind: 'value',
          primary: '"Alice"',
          mirror: '"alice"',
          type: 'json_field_diff',
          details: { field: 'items[3].name', primary_value: '"Alice"', mirror_value: '"alice"' },
        },
        {
          path: 'new',
          kind: 'extra',
          primary: null,
          mirror: '1',
          type: 'json_field_diff',
          details: { field: 'new', primary_value: '', mirror_value: '1' },
        },
      ],
      body_method: 'json',
      note: null,
      is_cut: false,
    },
    status: { primary: 200, mirror: 500 },
    latency_ms: { primary: 12.5, mirror: 20.25 },
    fields,
    request_note: 'kept elsewhere',
  });
  assert.equal(older!.timestamp, '1970-01-01T00:00:01.000Z');
  assert.deepEqual((older!.detail as Record<string, unknown>).status_diff, null);
  const [group] = (groups as Record<string, unknown>[]).filter(
    ({ fields: own }) => (own as string[]).length === 4,
  );
  const { signature, example, ...counted } = group!;
  assert.match(String(signature), /^[0-9a-f]{16}$/);
  assert.deepEqual(example, entry);
  assert.deepEqual(counted, {
    fields,
    count: 1,
    first_seen: '2023-11-14T22:13:20.000Z',
    last_seen: '2023-11-14T22:13:20.000Z',
  });
});

test('bodies that were compared whole have the place $', async (t) => {
  const { ask, findings } = await openMirrorApi(t, [sampleRoute({ id: 'api' })]);
  const whole = { field: 'body', at: 'body', primary: 'a', shadow: 'b' };
  for (const kind of ['digest', 'text'] as const) {
    findings.accept(sampleReport({ mismatches: [sampleMismatch({ diffs: [{ ...whole, kind }] })] }));
  }
  const { entries } = (await ask('GET', '/mirrors/api/mismatches')).body as {
    readonly entries: readonly {
      readonly detail: { readonly body_diffs: readonly Record<string, unknown>[] };
    }[];
  };
  const seen = entries.map(({ detail }) => detail.body_diffs.map(({ path, type }) => [path, type]));
  assert.deepEqual(seen.flat().sort(), [
    ['$', 'content_diff'],
    ['$', 'hash_mismatch'],
  ]);
});

test('limit cuts the entries, and DELETE clears entries and groups and keeps the totals', async (t) => {
  const { ask, findings, ledger } = await openMirrorApi(t, [sampleRoute({ id: 'api' })]);
  ledger.row('api')!.shadows[0]!.book.cells[ShadowCell.mismatched] = 9;
  for (let timestampMs = 1; timestampMs <= 5; timestampMs++) {
    findings.accept(sampleReport({ mismatches: [sampleMismatch({ timestampMs })] }));
  }
  const read = async (query = '') => {
    const { body } = await ask('GET', `/mirrors/api/mismatches${query}`);
    const { entries, groups, ...head } = body as Record<string, readonly unknown[]>;
    return [entries!.length, groups!.length, head.stored_count, head.total_mismatches];
  };
  assert.deepEqual(await read(), [5, 1, 5, 9]);
  assert.deepEqual(await read('?limit=2'), [2, 1, 5, 9]);
  assert.deepEqual(await read('?limit=0'), [0, 1, 5, 9]);
  assert.deepEqual(await read('?limit=999999999'), [5, 1, 5, 9]);
  for (const limit of ['', '-1', '1.5', 'x', '1&limit=2', '9999999999']) {
    assertError(await ask('GET', `/mirrors/api/mismatches?limit=${limit}`), 400, /^limit/);
    const groups = limit.replace('limit', 'groups');
    assertError(await ask('GET', `/mirrors/api/mismatches?groups=${groups}`), 400, /^groups/);
  }
  const cleared = await ask('DELETE', '/mirrors/api/mismatches');
  assert.deepEqual([cleared.status, cleared.text], [204, '']);
  assert.deepEqual(await read(), [0, 0, 0, 9]);
});

test('what a shadow says is text in JSON, whatever it is', async (t) => {
  const { ask, findings } = await openMirrorApi(t, [sampleRoute({ id: 'api' })]);
  const diffs = [
    { ...NAME_DIFF, field: `body:${HOSTILE}`, at: `body:${HOSTILE}`, primary: HOSTILE, shadow: HOSTILE },
  ];
  const requestHeaders = ['host', HOSTILE, 'x-a', '$(touch /tmp/pwned)'];
  const mismatch = sampleMismatch({
    diffs,
    requestHeaders,
    requestBody: HOSTILE,
    method: 'POST',
    requestId: HOSTILE,
  });
  findings.accept(sampleReport({ mismatches: [mismatch], fields: [delta(`body:${HOSTILE}`)] }));
  for (const path of ['mismatches', 'fields']) {
    const answer = await ask('GET', `/mirrors/api/${path}`);
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.ok(answer.text.includes(JSON.stringify(HOSTILE).slice(1, -1)), path);
  }
});

test('fields say what differs how often, what is noise, and what is proposed where there is no control', async (t) => {
  const routes = [
    sampleRoute({ id: 'plain', shadows: [SHADOW, OTHER_SHADOW] }),
    sampleRoute({ id: 'controlled', control: CONTROL }),
  ];
  const { ask, findings } = await openMirrorApi(t, routes);
  const always = { differed: 20, counted: 20, fresh: 20 };
  findings.accept(
    sampleReport({
      route: 'plain',
      compared: 20,
      fields: [
        delta('body:meta.timestamp', always),
        delta('body:name', { differed: 17, counted: 17, fresh: 17 }),
        delta('body:same', { ...always, fresh: 17 }),
        delta('status', always),
      ],
    }),
  );
  findings.accept(
    sampleReport({
      route: 'plain',
      shadow: OTHER_SHADOW,
      compared: 60,
      fields: [delta('body:name', always)],
    }),
  );
  const plain = (await ask('GET', '/mirrors/plain/fields')).body as Record<string, unknown>;
  assert.deepEqual(plain.proposals, ['body:meta.timestamp']);
  assert.deepEqual([plain.route, plain.compared, plain.controlled], ['plain', 80, 0]);
  assert.deepEqual((plain.fields as unknown[])[0], {
    field: 'body:name',
    differed: 37,
    differed_share: 37 / 80,
    counted: 37,
    control_differed: 0,
    control_share: 0,
    state: 'counted',
    rule: 'ignore_json_fields: [name]',
  });
  const states = (
    plain.fields as { readonly field: string; readonly state: string; readonly rule: string | null }[]
  ).map(({ field, state, rule }) => [field, state, rule]);
  assert.deepEqual(states.slice(1), [
    ['body:meta.timestamp', 'proposed', 'ignore_json_fields: [meta.timestamp]'],
    ['body:same', 'counted', 'ignore_json_fields: [same]'],
    ['status', 'counted', null],
  ]);
  findings.accept(
    sampleReport({
      route: 'controlled',
      compared: 100,
      controlled: 100,
      fields: [
        delta('body:five', { ...always, controlDiffered: 5 }),
        delta('body:four', { ...always, controlDiffered: 4 }),
        delta('header:x-id', { differed: 100, counted: 0, fresh: 100, controlDiffered: 100 }),
        delta('body', { differed: 3, counted: 3, fresh: 0, controlDiffered: 100 }),
        delta('status', { differed: 2, counted: 2, fresh: 0, controlDiffered: 100 }),
      ],
    }),
  );
  const controlled = (await ask('GET', '/mirrors/controlled/fields')).body as typeof plain;
  assert.deepEqual(controlled.proposals, []);
  assert.deepEqual(
    (
      controlled.fields as {
        readonly field: string;
        readonly state: string;
        readonly control_share: number;
      }[]
    ).map(({ field, state, control_share }) => [field, state, control_share]),
    [
      ['header:x-id', 'noise', 1],
      ['body:five', 'noise', 0.05],
      ['body:four', 'counted', 0.04],
      ['body', 'counted', 1],
      ['status', 'counted', 1],
    ],
  );
});

test('fewer than twenty comparisons propose nothing', async (t) => {
  const { ask, findings } = await openMirrorApi(t, [sampleRoute({ id: 'api' })]);
  const propose = async (compared: number) => {
    findings.accept(
      sampleReport({ compared, fields: [delta('body:t', { differed: compared, fresh: compared })] }),
    );
    return ((await ask('GET', '/mirrors/api/fields')).body as { readonly proposals: unknown }).proposals;
  };
  assert.deepEqual(await propose(19), []);
  assert.deepEqual(await propose(1), ['body:t']);
});

test('latency is both sides as buckets, from fast to slow', async (t) => {
  const { ask, ledger } = await openMirrorApi(t, [sampleRoute({ id: 'api', control: CONTROL })]);
  const { book, shadows } = ledger.row('api')!;
  const primary = new HistogramWriter(book.buffer, book.histogramAt(0));
  const shadow = new HistogramWriter(shadows[0]!.book.buffer, shadows[0]!.book.histogramAt(1));
  for (const ms of [1, 1, 8]) primary.record(ms, NOW_MS);
  shadow.record(0.005, NOW_MS);
  const { status, body } = await ask('GET', '/mirrors/api/latency');
  assert.equal(status, 200);
  assert.deepEqual(body, {
    window_seconds: 300,
    primary: [
      [0.992, 1.024, 2],
      [7.936, 8.192, 1],
    ],
    shadows: { [SHADOW]: [[0.005, 0.006, 1]] },
    control: [],
  });
});

test('pausing sets the word that front ends look at, tells the log once, and outlives a change of the route', async (t) => {
  const { ask, ledger, notes, enter } = await openMirrorApi(t, [sampleRoute({ id: 'a/b' })]);
  const word = () => ledger.row('a/b')!.book.words[0];
  const isShown = async () =>
    ((await ask('GET', '/mirrors/a%2Fb')).body as { readonly paused: boolean }).paused;
  for (const times of ['first', 'second']) {
    const paused = await ask('PUT', '/mirrors/a%2Fb/pause');
    assert.deepEqual([paused.status, paused.body], [200, { route: 'a/b', paused: true }], times);
  }
  assert.deepEqual([word(), await isShown()], [1, true]);
  enter([sampleRoute({ id: 'a/b', revision: '2' })]);
  assert.deepEqual([word(), await isShown()], [1, true]);
  enter([sampleRoute({ id: 'a/b', revision: '3', shadows: null })]);
  enter([sampleRoute({ id: 'a/b', revision: '4' })]);
  assert.deepEqual([word(), await isShown()], [1, true]);
  const resumed = await ask('DELETE', '/mirrors/a%2Fb/pause');
  assert.deepEqual([resumed.status, resumed.body], [200, { route: 'a/b', paused: false }]);
  assert.deepEqual([word(), await isShown()], [0, false]);
  assert.deepEqual(notes, [
    ['mirror paused', { route: 'a/b' }],
    ['mirror resumed', { route: 'a/b' }],
  ]);
});

test('a paused route that is deleted and made again is not paused', async (t) => {
  const { ask, ledger, enter } = await openMirrorApi(t, [sampleRoute({ id: 'api' })]);
  const before = ledger.row('api')!;
  assert.equal((await ask('PUT', '/mirrors/api/pause')).status, 200);
  enter([]);
  // Front ends that have not heard of it yet must not begin to send.
  assert.equal(before.book.words[0], 1);
  enter([sampleRoute({ id: 'api' })]);
  assert.equal(ledger.row('api')!.book.words[0], 0);
  assert.equal(((await ask('GET', '/mirrors/api')).body as { readonly paused: boolean }).paused, false);
  assert.equal(ledger.row('api')!.book.buffer, before.book.buffer, 'counters go on');
});

test('the control stands beside the shadows, in no total of theirs', async (t) => {
  const { ask, ledger, findings } = await openMirrorApi(t, [sampleRoute({ id: 'api', control: CONTROL })]);
  const [shadow, control] = ledger.row('api')!.shadows.map(({ book }) => book);
  shadow!.cells[ShadowCell.sent] = 3;
  shadow!.cells[ShadowCell.noisy] = 2;
  control!.cells[ShadowCell.sent] = 5;
  control!.cells[ShadowCell.fail_reset] = 5;
  control!.words[ShadowWord.breaker_state] = 1;
  control!.words[ShadowWord.in_flight] = 4;
  findings.accept(sampleReport({ mismatches: [sampleMismatch()] }));
  const one = (await ask('GET', '/mirrors/api')).body as Record<string, Record<string, unknown>>;
  assert.deepEqual(
    [one.total_mirrored, one.total_errors, one.in_flight, one.breaker, one.noisy],
    [3, 0, 0, 'closed', 2],
  );
  assert.deepEqual(
    [one.mismatch_store_size, one.shadows![SHADOW]],
    [1, { ...(one.shadows![SHADOW] as object) }],
  );
  assert.equal((one.shadows![SHADOW] as Record<string, unknown>).mismatch_store_size, 1);
  assert.deepEqual(Object.keys(one.shadows!), [SHADOW]);
  const { origin, total_mirrored, total_errors, in_flight, breaker } = one.control!;
  assert.deepEqual([origin, total_mirrored, total_errors, in_flight, breaker], [CONTROL, 5, 5, 4, 'open']);
});

test('history is what happened in each ten seconds with traffic, oldest first', async (t) => {
  const { ask, ledger, history } = await openMirrorApi(t, [sampleRoute({ id: 'api', control: CONTROL })]);
  const [shadow, control] = ledger.row('api')!.shadows.map(({ book }) => book);
  const count = (matched: number, compared: number, mismatched: number): void => {
    shadow!.cells[ShadowCell.matched]! += matched;
    shadow!.cells[ShadowCell.sent]! += matched;
    shadow!.cells[ShadowCell.compared]! += compared;
    shadow!.cells[ShadowCell.mismatched]! += mismatched;
    control!.cells[ShadowCell.matched]! += 1000;
  };
  history.sample();
  count(10, 8, 2);
  history.sample();
  history.sample();
  count(5, 5, 0);
  history.sample();
  const { interval_seconds, samples } = (await ask('GET', '/mirrors/api/history')).body as {
    readonly interval_seconds: number;
    readonly samples: readonly (readonly number[])[];
  };
  assert.equal(interval_seconds, 10);
  assert.ok(samples.every(([seconds]) => Math.abs(seconds! - Date.now() / 1000) < 60));
  assert.deepEqual(
    samples.map(([, ...counts]) => counts),
    [
      [8, 2, 10, 10],
      [5, 0, 5, 5],
    ],
  );
});

const PATHS = ['mismatches', 'fields', 'latency', 'history', 'pause', 'ignored', 'verdict'];

test('a route that is unknown or has no mirror is 404 at every path', async (t) => {
  const { ask } = await openMirrorApi(t, [sampleRoute({ id: 'plain', shadows: null })]);
  for (const id of ['plain', 'nobody', '__proto__']) {
    for (const path of PATHS) {
      const method = { pause: 'PUT', ignored: 'POST' }[path] ?? 'GET';
      const body = path === 'ignored' ? '{"field":"body:x"}' : undefined;
      const answer = await ask(method, `/mirrors/${id}/${path}`, body === undefined ? {} : { body });
      assertError(answer, 404, new RegExp(`no mirrored route "${id}"`));
    }
  }
});

test('each path takes its methods and no other, HEAD where it takes GET', async (t) => {
  const { ask } = await openMirrorApi(t, [sampleRoute({ id: 'api' })]);
  const allowed: Record<string, string> = {
    'mirrors/api/mismatches': 'GET, HEAD, DELETE',
    'mirrors/api/fields': 'GET, HEAD',
    'mirrors/api/latency': 'GET, HEAD',
    'mirrors/api/history': 'GET, HEAD',
    'mirrors/api/pause': 'PUT, DELETE',
    'mirrors/api/ignored': 'POST',
    events: 'GET, HEAD',
  };
  for (const [path, methods] of Object.entries(allowed)) {
    for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS']) {
      if (methods.split(', ').includes(method)) continue;
      const answer = await ask(method, `/${path}`, { body: '{not json' });
      assertError(answer, 405, /this path takes/);
      assert.equal(answer.headers.allow, methods);
    }
    if (!methods.includes('GET')) continue;
    const head = await ask('HEAD', `/${path}`);
    assert.deepEqual([head.status, head.text], [200, ''], path);
  }
});

test('reading takes no key on loopback, every change does', async (t) => {
  const { ask, ledger, findings } = await openMirrorApi(t, [sampleRoute({ id: 'api' })]);
  findings.accept(sampleReport({ mismatches: [sampleMismatch()] }));
  for (const path of ['mismatches', 'fields', 'latency', 'history']) {
    assert.equal((await ask('GET', `/mirrors/api/${path}`, { key: null })).status, 200);
  }
  for (const [method, path] of [
    ['DELETE', 'mismatches'],
    ['PUT', 'pause'],
    ['DELETE', 'pause'],
    ['POST', 'ignored'],
  ] as const) {
    for (const key of [null, 'wrong']) {
      assertError(
        await ask(method, `/mirrors/api/${path}`, { key, body: '{"field":"body:x"}' }),
        401,
        /X-API-KEY/,
      );
    }
  }
  assert.equal(findings.countMismatches('api', null), 1);
  assert.equal(ledger.row('api')!.book.words[0], 0);
});
