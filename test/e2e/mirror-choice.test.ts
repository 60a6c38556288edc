// Which exchanges are mirrored: conditions first, then the sample.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Gateway, type GatewayOptions, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, type RawRequest, request, toRequestBytes } from '../kit/raw.ts';

interface Origins {
  readonly primary: Origin;
  readonly shadow: Origin;
}

async function openOrigins(t: TestContext): Promise<Origins> {
  const [primary, shadow] = [await openOrigin({ behaviour: { body: 'ok' } }), await openOrigin()];
  t.after(() => Promise.all([primary.close(), shadow.close()]));
  return { primary, shadow };
}

/** Ends with balanced books and nothing left open. */
async function withGateway(
  origins: Origins,
  mirrors: Record<string, string>,
  run: (gateway: Gateway) => Promise<void>,
  options: Omit<GatewayOptions, 'config'> = {},
): Promise<void> {
  const routes = Object.entries(mirrors).map(
    ([id, mirror]) => `  - id: ${id}
    path: /${id}
    path_prefix: true
    backends: [{ url: ${origins.primary.url} }]
    mirror: { backends: [{ url: ${origins.shadow.url} }], timeout: { connect: 60s, send: 60s, read: 60s }, ${mirror} }`,
  );
  const gateway = await openGateway({ ...options, config: `routes:\n${routes.join('\n')}` });
  try {
    await run(gateway);
    assert.equal(await gateway.stop(), 0);
    for (const origin of Object.values(origins)) await origin.waitForSockets(0);
  } finally {
    gateway.signal('SIGKILL');
  }
}

interface Case {
  /** Of the mirror. */
  readonly mirror: string;
  readonly hit: readonly RawRequest[];
  readonly miss: readonly RawRequest[];
}

const CONDITIONS: Record<string, Case> = {
  methods: {
    mirror: 'conditions: { methods: [GET, PURGE] }',
    hit: [{ method: 'GET' }, { method: 'PURGE' }],
    miss: [{ method: 'POST', body: 'x' }, { method: 'HEAD' }, { method: 'get' }],
  },
  present: {
    mirror: 'conditions: { headers: { X-Mirror: "true" } }',
    hit: [{ fields: ['x-mirror: no'] }, { fields: ['X-MIRROR:'] }],
    miss: [{}, { fields: ['x-mirror-2: 1'] }],
  },
  absent: {
    mirror: 'conditions: { headers: { X-Mirror: false } }',
    hit: [{}, { fields: ['x-mirrors: 1'] }],
    miss: [{ fields: ['x-mirror: false'] }, { fields: ['x-mirror:'] }],
  },
  value: {
    mirror: 'conditions: { headers: { X-Team: "Blue Sky" } }',
    hit: [{ fields: ['X-Team: Blue Sky'] }, { fields: ['x-team:   BLUE SKY  '] }],
    miss: [
      {},
      { fields: ['x-team: blue'] },
      { fields: ['x-team: blue sky 2'] },
      { fields: ['x-team: blue-sky'] },
    ],
  },
  host: {
    mirror: 'conditions: { headers: { Host: a.example } }',
    hit: [{ fields: ['Host: A.Example'] }],
    miss: [{ fields: ['Host: b.example'] }, { fields: ['Host: a.example:80'] }],
  },
  regex: {
    mirror: "conditions: { path_regex: '^/regex/v[0-9]+/[^/]*$' }",
    hit: [{ path: '/v2/a' }, { path: '/v10/?x=/y' }, { path: '/v1/%2f' }],
    miss: [{ path: '/v/a' }, { path: '/v2/a/b' }, { path: '/x?/regex/v2/a' }, { path: '/%76' + '2/a' }],
  },
  all: {
    mirror:
      'conditions: { methods: [POST], headers: { x-a: "1", x-b: false, x-c: true }, path_regex: "end$" }, percentage: 100',
    hit: [{ method: 'POST', path: '/end', fields: ['X-A: 1', 'X-C: c'], body: 'x' }],
    miss: [
      { method: 'PUT', path: '/end', fields: ['X-A: 1', 'X-C: c'], body: 'x' },
      { method: 'POST', path: '/end', fields: ['X-A: 2', 'X-C: c'], body: 'x' },
      { method: 'POST', path: '/end', fields: ['X-A: 1', 'X-B: b', 'X-C: c'], body: 'x' },
      { method: 'POST', path: '/end', fields: ['X-A: 1'], body: 'x' },
      { method: 'POST', path: '/end/', fields: ['X-A: 1', 'X-C: c'], body: 'x' },
    ],
  },
};

test('an exchange is mirrored when all conditions hold, and skipped as condition when one does not', async (t) => {
  const origins = await openOrigins(t);
  const mirrors = Object.fromEntries(Object.entries(CONDITIONS).map(([id, { mirror }]) => [id, mirror]));
  await withGateway(origins, mirrors, async (gateway) => {
    const expected: Record<string, number> = {};
    for (const [id, { hit, miss }] of Object.entries(CONDITIONS)) {
      for (const [kind, cases] of [
        ['hit', hit],
        ['miss', miss],
      ] as const) {
        for (const one of cases) {
          const fields = [...(one.fields ?? []), `X-Expected: ${kind}`];
          const response = await request(gateway.port, { ...one, path: `/${id}${one.path ?? ''}`, fields });
          assert.equal(response.status, 200, JSON.stringify(one));
        }
      }
      expected[id] = hit.length + miss.length;
    }
    const reports = await gateway.settled(expected);
    for (const [id, { hit, miss }] of Object.entries(CONDITIONS)) {
      assert.equal(reports[id]!.total_success, hit.length, id);
      assert.equal(reports[id]!.skipped.condition, miss.length, id);
    }
    for (const copy of origins.shadow.requests) assert.equal(copy.field('x-expected'), 'hit', copy.line);
  });
});

test('switched off means disabled, 0 % sampled out, 100 % all', async (t) => {
  const origins = await openOrigins(t);
  const mirrors = {
    disabled: 'enabled: false, conditions: { methods: [PUT] }',
    none: 'percentage: 0',
    all: 'percentage: 100',
    keyed: 'percentage: 0, sample_by: header:x-user',
    condition: 'percentage: 0, conditions: { methods: [PUT] }',
  };
  await withGateway(origins, mirrors, async (gateway) => {
    for (const id of Object.keys(mirrors)) {
      for (let sent = 0; sent < 20; sent++) await request(gateway.port, { path: `/${id}` });
    }
    const counts = Object.keys(mirrors).map((id) => [id, 20] as const);
    const { disabled, none, all, keyed, condition } = await gateway.settled(Object.fromEntries(counts));
    assert.equal(disabled!.skipped.disabled, 20);
    assert.equal(none!.skipped.sampled_out, 20);
    assert.equal(keyed!.skipped.sampled_out, 20);
    assert.equal(condition!.skipped.condition, 20);
    assert.equal(all!.total_success, 20);
  });
});

/** Sends `count` requests over a few connections, several at a time. */
async function sendMany(port: number, count: number, toBytes: (index: number) => Buffer): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    const client = await openRaw(port);
    try {
      while (next < count) {
        await client.send(toBytes(next++));
        const [response] = await client.read();
        assert.equal(response?.status, 200, client.bad ?? 'closed');
      }
    } finally {
      client.close();
    }
  };
  await Promise.all(Array.from({ length: 8 }, run));
}

test('50 % of 10,000 requests are within three standard deviations', async (t) => {
  const origins = await openOrigins(t);
  const bytes = toRequestBytes({ path: '/half' });
  await withGateway(origins, { half: 'percentage: 50' }, async (gateway) => {
    // By chance alone a run is outside once in 370 times; twice in a row is not chance.
    const shares: number[] = [];
    for (let run = 1; run <= 2; run++) {
      const before = (await gateway.mirrors()).half!.total_success;
      await sendMany(gateway.port, 10_000, () => bytes);
      const { half } = await gateway.settled({ half: run * 10_000 });
      assert.equal(half!.total_success + half!.skipped.sampled_out, run * 10_000);
      shares.push(half!.total_success - before);
      if (Math.abs(shares.at(-1)! - 5_000) <= 150) break;
    }
    assert.ok(Math.abs(shares.at(-1)! - 5_000) <= 150, `${shares} of 10,000`);
  });
});

test('sample_by falls the same way each time, in every thread and process, and small shares lie in large ones', async (t) => {
  const shares = [5, 10, 50];
  const users = Array.from({ length: 1_000 }, (_, index) => `user-${index}`);
  const mirrors = Object.fromEntries(
    shares.map((share) => [`p${share}`, `percentage: ${share}, sample_by: 'header:X-User-Id'`]),
  );
  /** What each share chose, by one process. */
  const choose = async (frontends: number, times: number): Promise<Map<string, number>[]> => {
    const origins = await openOrigins(t);
    await withGateway(
      origins,
      mirrors,
      async (gateway) => {
        for (const id of Object.keys(mirrors)) {
          await sendMany(gateway.port, users.length * times, (index) =>
            toRequestBytes({ path: `/${id}`, fields: [`X-User-Id: ${users[index % users.length]}`] }),
          );
        }
        await gateway.settled(
          Object.fromEntries(Object.keys(mirrors).map((id) => [id, users.length * times])),
        );
      },
      { frontends, mirrors: 2 },
    );
    return shares.map((share) => {
      const chosen = new Map<string, number>();
      for (const copy of origins.shadow.requests) {
        const user = copy.field('x-user-id')!;
        if (copy.target === `/p${share}`) chosen.set(user, (chosen.get(user) ?? 0) + 1);
      }
      return chosen;
    });
  };
  const once = await choose(1, 1);
  const twice = await choose(2, 2);
  for (const [index, share] of shares.entries()) {
    const chosen = once[index]!;
    const deviation = Math.sqrt((1_000 * share * (100 - share)) / 10_000);
    assert.ok(Math.abs(chosen.size - share * 10) <= 3 * deviation, `${chosen.size} of 1,000 for ${share} %`);
    assert.deepEqual([...twice[index]!.keys()].sort(), [...chosen.keys()].sort(), `${share} %`);
    for (const [user, count] of twice[index]!) assert.equal(count, 2, user);
    for (const user of chosen.keys()) {
      for (const larger of once.slice(index)) assert.ok(larger.has(user), `${user} of ${share} %`);
    }
  }
});
