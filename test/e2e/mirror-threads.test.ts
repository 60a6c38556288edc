// Two front ends with two mirror threads each: every sum holds under mixed load.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, type RawClient, type RawRequest, request } from '../kit/raw.ts';

const SHADOWS = ['healthy', 'slow', 'hung', 'refusing', 'crashing', 'wrong'] as const;
type Shadow = (typeof SHADOWS)[number];
const CONNECTIONS = 24;
const EACH = 150;

interface Kind {
  readonly shadows: readonly Shadow[];
  readonly mirror: string;
}

const ROUTES: Record<string, Kind> = {
  every: { shadows: SHADOWS, mirror: 'max_in_flight: 20, max_queued: 200KiB' },
  compared: { shadows: ['healthy', 'wrong', 'crashing'], mirror: 'compare: { log_mismatches: true }' },
  limited: { shadows: ['healthy', 'slow'], mirror: 'limit: { count: 37, time_window: 3600 }' },
  sampled: { shadows: ['healthy', 'refusing'], mirror: "percentage: 30, sample_by: 'header:x-user'" },
  small: { shadows: ['healthy'], mirror: 'max_body: 1000, conditions: { methods: [POST] }' },
};

function toConfig(primary: Origin, shadows: ReadonlyMap<Shadow, Origin>, edit: string): string {
  const routes = Object.entries(ROUTES).map(([id, kind]) => {
    const backends = kind.shadows.map((name) => `{ url: ${shadows.get(name)!.url} }`);
    return `  - id: ${id}
    path: /${id}
    path_prefix: true
    ${id === 'every' ? edit : ''}
    backends: [{ url: ${primary.url} }]
    mirror:
      {
        backends: [${backends.join(', ')}],
        timeout: { connect: 60s, send: 60s, read: 60s },
        breaker: { failures: 20, open_for: 300ms },
        ${kind.mirror},
      }`;
  });
  return `routes:\n${routes.join('\n')}`;
}

/** The nth request of a connection. */
function toRequest(connection: number, n: number): RawRequest {
  const ids = Object.keys(ROUTES);
  const path = `/${ids[(connection + n) % ids.length]}/${n}`;
  const fields = [`X-User: ${n % 97}`];
  const size = [0, 10, 999, 1_000, 1_001, 30_000][n % 6]!;
  if (n % 3 === 0) return { path, fields };
  if (n % 7 !== 0 || size === 0) return { method: 'POST', path, fields, body: Buffer.alloc(size, 'b') };
  const body = `${size.toString(16)}\r\n${'c'.repeat(size)}\r\n0\r\n\r\n`;
  return { method: 'POST', path, fields: [...fields, 'Transfer-Encoding: chunked'], body };
}

async function work(port: number, connection: number): Promise<void> {
  let client: RawClient | null = null;
  for (let n = 0; n < EACH; n++) {
    const one = toRequest(connection, n);
    client ??= await openRaw(port, { deadlineMs: 60_000 });
    const response = await request(client, one);
    assert.equal(response.status, 200);
    const chunked = one.fields?.includes('Transfer-Encoding: chunked') === true;
    if (!chunked) assert.equal(response.body.length, one.body?.length ?? 0);
    if (response.field('connection') !== 'close') continue;
    client.close();
    client = null;
  }
  client?.close();
}

test('2 front ends with 2 mirror threads each balance under mixed load, through reloads', async (t) => {
  const primary = await openOrigin({ behaviour: { body: 'echo' } });
  const shadows = new Map<Shadow, Origin>();
  for (const name of SHADOWS) shadows.set(name, await openOrigin({ behaviour: { body: 'echo' } }));
  shadows.get('slow')!.behave({ delayMs: 200 });
  shadows.get('hung')!.behave({ hang: true });
  shadows.get('wrong')!.behave({ status: 418, body: 'wrong' });
  shadows.get('crashing')!.behave({ cut: { at: 'head', how: 'reset' } });
  await shadows.get('refusing')!.refuse();
  let gateway: Gateway | null = null;
  t.after(async () => {
    gateway?.signal('SIGKILL');
    await Promise.all([primary, ...shadows.values()].map((origin) => origin.close()));
  });
  gateway = await openGateway({ frontends: 2, mirrors: 2, config: toConfig(primary, shadows, '') });
  const { port } = gateway;
  const load = Promise.all(Array.from({ length: CONNECTIONS }, (_, connection) => work(port, connection)));
  // Only one route changes, so that the other ones' limit stays what it was.
  for (const priority of [1, 2, 3]) {
    await primary.waitFor((priority * CONNECTIONS * EACH) / 4, 60_000);
    await gateway.reload(toConfig(primary, shadows, `priority: ${priority}`));
  }
  await load;
  // Its copies end with it.
  await shadows.get('hung')!.refuse();
  const total = CONNECTIONS * EACH;
  assert.equal(primary.completed, total);
  const each = total / Object.keys(ROUTES).length;
  const matched = Object.entries(ROUTES).map(([id, kind]) => [id, each * kind.shadows.length] as const);
  const reports = await gateway.settled(Object.fromEntries(matched));

  assert.equal(reports.limited!.total_mirrored, 2 * 37);
  assert.equal(reports.limited!.skipped.limit, 2 * (each - 37));
  const { small, compared, sampled } = reports;
  assert.ok(small!.skipped.condition > 0 && small!.skipped.body_too_large > 0);
  assert.equal(small!.total_success, each - small!.skipped.condition - small!.skipped.body_too_large);
  const healthy = compared!.shadows[shadows.get('healthy')!.url]!;
  const wrong = compared!.shadows[shadows.get('wrong')!.url]!;
  assert.equal(healthy.total_compared, each);
  assert.equal(healthy.total_mismatches, 0);
  assert.equal(wrong.total_compared, each);
  assert.equal(wrong.status_mismatches, each);
  assert.equal(wrong.total_mismatches, each);
  assert.ok(sampled!.skipped.sampled_out > 0 && sampled!.skipped.sampled_out < 2 * each);
  let mirrored = 0;
  for (const name of ['healthy', 'slow', 'wrong'] as const) {
    const { url, completed } = shadows.get(name)!;
    const sums = Object.values(reports).map((report) => report.shadows[url]?.total_success ?? 0);
    assert.equal(
      completed,
      sums.reduce((sum, one) => sum + one, 0),
      name,
    );
    mirrored += completed;
  }
  assert.ok(mirrored > 0);
  assert.equal(await gateway.stop(), 0);
  await primary.waitForSockets(0);
});
