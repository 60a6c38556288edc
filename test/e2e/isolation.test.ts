// What a client sees of mirroring: nothing, whatever the shadow does.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gateway, type GatewayOptions, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, type RawRequest, type RawResponse, request } from '../kit/raw.ts';

/** Origins, the primary first, and a gateway in front of them; ends with balanced books and nothing left open. */
async function openScene(
  t: TestContext,
  origins: readonly Origin[],
  options: GatewayOptions,
): Promise<Gateway> {
  let gateway: Gateway | null = null;
  t.after(async () => {
    try {
      if (gateway !== null) assert.equal(await gateway.stop(), 0);
      await Promise.all(origins.map((origin) => origin.waitForSockets(0)));
      for (const origin of origins) assert.deepEqual(origin.bad, []);
    } finally {
      gateway?.signal('SIGKILL');
      await Promise.all(origins.map((origin) => origin.close()));
    }
  });
  gateway = await openGateway(options);
  return gateway;
}

const MODES = ['off', 'healthy', 'slow', 'hung', 'refusing', 'crashing'] as const;
type Mode = (typeof MODES)[number];

const CHUNKED = '5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n';

/** Paths are put behind a route's prefix. */
const REQUESTS: readonly RawRequest[] = [
  { path: '/plain' },
  { path: '/plain?a=%20b&&c', fields: ['X-Twice: 1', 'X-Twice: 2', 'Cookie: a=1; b=2'] },
  { method: 'HEAD', path: '/plain' },
  { path: '/missing' },
  { path: '/empty' },
  { path: '/unchanged' },
  { path: '/chunked' },
  { path: '/large' },
  { path: '/odd-head' },
  { path: '/until-close' },
  { method: 'OPTIONS', path: '/plain' },
  { method: 'POST', path: '/echo', body: 'a=1' },
  { method: 'POST', path: '/echo', body: Buffer.alloc(300_000, 'umbra') },
  { method: 'POST', path: '/echo', fields: ['Content-Length: 0'] },
  { method: 'PUT', path: '/echo', body: Buffer.from([0, 255, 13, 10]) },
  { method: 'DELETE', path: '/echo', body: '{"id":1}' },
  { method: 'POST', path: '/echo', fields: ['Transfer-Encoding: chunked'], body: CHUNKED },
  { path: '/broken' },
  { path: '/cut' },
];

function behaveAsPrimary(primary: Origin, prefix: string): void {
  const tell = (path: string, behaviour: Parameters<Origin['behave']>[0]): void =>
    primary.behave(behaviour, `${prefix}${path}`);
  tell('/plain', {
    body: 'plain',
    fields: ['ETag: "1"', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'Connection: X-Hop', 'X-Hop: 1'],
  });
  tell('/missing', { status: 404, reason: 'Nothing Here', body: '<p>missing</p>' });
  tell('/empty', { status: 204, reason: 'No Content' });
  tell('/unchanged', { status: 304, reason: 'Not Modified', fields: ['ETag: "1"'] });
  tell('/chunked', { framing: 'chunked', body: 200_000 });
  tell('/large', { body: 700_000 });
  tell('/odd-head', {
    status: 299,
    reason: 'Odd; but fine',
    fields: ['X-Empty:', 'x-LOWER: \xc3\xa9\xff'],
    body: '\x00\xff',
  });
  tell('/until-close', { framing: 'close', body: 40_000 });
  tell('/echo', { body: 'echo', fields: ['Content-Type: application/octet-stream'] });
  tell('/broken', { raw: 'nonsense\r\n\r\n' });
  tell('/cut', { body: 60_000, cut: { at: 'body', how: 'close' } });
}

/** Everything that came but the date; what came before the connection was cut counts too. */
async function observe(port: number, options: RawRequest): Promise<unknown> {
  const client = await openRaw(port);
  try {
    const bytes: Buffer[] = [];
    client.socket.on('data', (chunk: Buffer) => bytes.push(chunk));
    const response = await request(client, options).catch(() => null);
    if (response !== null) return toSeen(response);
    await client.waitClosed();
    return Buffer.concat(bytes)
      .toString('latin1')
      .replace(/\r\ndate: [^\r]*/i, '');
  } finally {
    client.close();
  }
}

function toSeen(response: RawResponse): unknown {
  const { status, reason, fields, body, trailers } = response;
  // The listener spells `Connection` in its own way when head and body leave in one piece.
  const kept = fields.map(toLowerName).filter((field) => !field.startsWith('date:'));
  return { status, reason, fields: kept, body: body.toString('latin1'), trailers };
}

/** Resolves when so many of the route's copies have failed. */
async function waitForErrors(gateway: Gateway, route: string, count: number): Promise<void> {
  const giveUpAt = performance.now() + 60_000;
  while ((await gateway.mirrors())[route]!.total_errors < count) {
    assert.ok(performance.now() < giveUpAt, `${count} failed copies of ${route}`);
    await sleep(10);
  }
}

function toLowerName(field: string): string {
  const colon = field.indexOf(':');
  return field.slice(0, colon).toLowerCase() + field.slice(colon);
}

function toRoute(id: string, primary: Origin, shadow: Origin | null, compare: boolean): string {
  const mirror = `
    mirror:
      backends: [{ url: ${shadow?.url} }]
      timeout: { connect: 60s, send: 60s, read: ${id === 'hung' ? '2s' : '60s'} }
      breaker: { failures: 1000000 }
      ${compare ? 'compare: { log_mismatches: true }' : ''}`;
  return `  - id: ${id}
    path: /${id}
    path_prefix: true
    retries: 0
    backends: [{ url: ${primary.url} }]${shadow === null ? '' : mirror}`;
}

for (const compare of [false, true]) {
  test(`the client sees identical bytes whatever the shadow does, ${compare ? 'comparing' : 'not comparing'}`, async (t) => {
    const primary = await openOrigin();
    const shadows = new Map<Mode, Origin>();
    for (const mode of MODES) if (mode !== 'off') shadows.set(mode, await openOrigin());
    for (const mode of MODES) behaveAsPrimary(primary, `/${mode}`);
    shadows.get('slow')!.behave({ delayMs: 1000, body: 'late' });
    shadows.get('hung')!.behave({ hang: true });
    shadows.get('crashing')!.behave({ body: 100_000, cut: { at: 'head', how: 'reset' } });
    await shadows.get('refusing')!.refuse();
    const routes = MODES.map((mode) => toRoute(mode, primary, shadows.get(mode) ?? null, compare));
    const gateway = await openScene(t, [primary, ...shadows.values()], {
      config: `routes:\n${routes.join('\n')}`,
    });

    const seen = async (mode: Mode): Promise<unknown[]> => {
      const all: unknown[] = [];
      for (const one of REQUESTS) {
        // A shadow that crashes is gone for a while and then there again.
        if (mode === 'crashing' && all.length % 6 === 3) {
          await waitForErrors(gateway, mode, all.length);
          await shadows.get(mode)!.refuse();
        } else if (mode === 'crashing' && all.length % 6 === 5) {
          await waitForErrors(gateway, mode, all.length);
          await shadows.get(mode)!.open();
        }
        all.push(await observe(gateway.port, { ...one, path: `/${mode}${one.path}` }));
      }
      return all;
    };
    const [off, ...mirrored] = await Promise.all(MODES.map(seen));
    assert.equal(off?.length, REQUESTS.length);
    for (const [index, all] of mirrored.entries()) assert.deepEqual(all, off, MODES[index + 1]);

    const matched = MODES.filter((mode) => mode !== 'off').map((mode) => [mode, REQUESTS.length] as const);
    const reports = await gateway.settled(Object.fromEntries(matched));
    assert.deepEqual(Object.keys(reports).sort(), [...shadows.keys()].sort());
    const count = REQUESTS.length;
    for (const mode of ['healthy', 'slow'] as const) {
      assert.equal(reports[mode]!.total_success, count, mode);
      assert.equal(shadows.get(mode)!.completed, count, mode);
    }
    assert.equal(reports.hung!.total_errors, count);
    assert.equal(reports.hung!.errors.read_timeout, count);
    assert.equal(reports.refusing!.errors.refused, count);
    assert.equal(reports.crashing!.total_mirrored, count);
    assert.equal(reports.crashing!.total_success, 0);
    assert.equal(reports.crashing!.errors.refused, 6);
    assert.equal(shadows.get('crashing')!.completed, count - 6);
    for (const mode of ['healthy', 'slow'] as const) {
      const { total_compared, uncompared } = reports[mode]!;
      // The primary's two broken answers leave nothing to compare with.
      const broken = { primary_failed: 1, primary_incomplete: 1, not_captured: 0, body_is_noise: 0 };
      const nothing = { primary_failed: 0, primary_incomplete: 0, not_captured: 0, body_is_noise: 0 };
      assert.deepEqual(uncompared, compare ? broken : nothing);
      assert.equal(total_compared, compare ? count - 2 : 0);
    }
  });
}
