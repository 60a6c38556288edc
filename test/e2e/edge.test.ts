// A gateway is sent raw bytes, row by row, and everything that its client, its primary and its shadow get is checked.
//
// Behind each row a plain request is sent, so that whatever a row let through shows up with its own row.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { assertBalanced, type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, type RawClient, request } from '../kit/raw.ts';
import { type EdgeCase, SMUGGLED, type Verdict } from './edge-case.ts';
import { behindCases, chunkCases, codingCases, lengthCases } from './edge-framing.ts';
import { hopCases, hostCases, sizeCases, syntaxCases } from './edge-headers.ts';
import { assertSeen, toConfig } from './edge-seen.ts';
import { lineCases, targetCases } from './edge-targets.ts';
import { untilIdle } from './metric.ts';

/** The listener ends a silent connection after ten to thirteen seconds. */
const SILENCE_MS = 60_000;

/** The gateway's own, or its listener's; never any of what was sent. */
const WORDS = /^(?:[A-Z][A-Za-z ]+\n|<h1>[A-Z][\w </>.]+<hr><i>uWebSockets\/20 Server<\/i>)$/;

const groups = {
  'where a body ends by its length': lengthCases,
  'transfer codings': codingCases,
  chunks: chunkCases,
  'what stands behind a request': behindCases,
  'the syntax of fields': syntaxCases,
  'the host': hostCases,
  'the size of the header': sizeCases,
  'fields of one hop': hopCases,
  targets: targetCases,
  'methods, versions and other protocols': lineCases,
};
const rows = Object.values(groups).flat();
const silentRows = rows.filter((row) => row.verdict.kind === 'silent');

describe('raw bytes at the edge', () => {
  let primary: Origin;
  let shadow: Origin;
  let gateway: Gateway;
  /** Connections that must not be used again, with the name of their row. */
  const spent: [string, RawClient][] = [];

  before(async () => {
    primary = await openOrigin({ behaviour: { body: 'answer' } });
    shadow = await openOrigin();
    gateway = await openGateway({ config: toConfig(primary, shadow) });
  });

  after(async () => {
    await gateway?.stop({ balanced: false });
    await primary?.close();
    await shadow?.close();
  });

  /** Sends a plain request, by that connection or by a new one, and gives what else has come since the marks. */
  async function collect(marks: readonly [number, number], expected: number, client?: RawClient) {
    const answer = await request(client ?? gateway.port, { path: '/plain' });
    assert.equal(answer.status, 200, 'a plain request behind the row');
    await shadow.waitFor(marks[1] + expected + 1);
    return [primary, shadow].map((origin, index) =>
      origin.requests.slice(marks[index]).filter((seen) => seen.target !== '/plain'),
    );
  }

  function mark(): [number, number] {
    return [primary.requests.length, shadow.requests.length];
  }

  async function runForwarded(row: EdgeCase, verdict: Verdict & { kind: 'forwarded' }): Promise<void> {
    const marks = mark();
    const client = await openRaw(gateway.port);
    client.answersHead = row.bytes.startsWith('HEAD');
    await client.send(row.bytes);
    const [answer] = await client.read();
    assert.equal(answer?.status, 200);
    assert.equal(answer.body.toString(), client.answersHead ? '' : 'answer');
    assert.deepEqual(
      answer.interim.map((head) => head.line),
      verdict.continues ? ['HTTP/1.1 100 Continue'] : [],
    );
    assert.equal(answer.field('connection')?.toLowerCase() ?? null, verdict.closes ? 'close' : null);
    client.answersHead = false;
    if (verdict.closes) {
      await client.send(SMUGGLED);
      spent.push([row.name, client]);
    }
    const [atPrimary, atShadow] = await collect(marks, 1, verdict.closes ? undefined : client);
    if (!verdict.closes) client.close();
    assert.equal(atPrimary?.length, 1, 'requests at the primary');
    assert.equal(atShadow?.length, 1, 'requests at the shadow');
    assertSeen(atPrimary[0]!, verdict.sees, false);
    assertSeen(atShadow[0]!, verdict.sees, true);
    assert.equal(atShadow[0]?.field('x-request-id'), atPrimary[0]?.field('x-request-id'));
  }

  async function runRefused(bytes: string, status: number, isAlone: boolean): Promise<void> {
    const marks = mark();
    const client = await openRaw(gateway.port);
    await client.send(bytes);
    const [answer] = await client.read();
    // With a request behind it the listener may end the connection before it is answered.
    if (isAlone || answer !== undefined) {
      assert.equal(answer?.status, status);
      assert.match(answer.body.toString(), WORDS);
    }
    await client.send(SMUGGLED);
    await client.waitClosed();
    assert.equal(client.responses.length, 0, 'nothing else is answered');
    const [atPrimary, atShadow] = await collect(marks, 0);
    assert.deepEqual(toLines(atPrimary), [], 'nothing at the primary');
    assert.deepEqual(toLines(atShadow), [], 'nothing at the shadow');
  }

  async function runKilled(row: EdgeCase, first: string | null): Promise<void> {
    const marks = mark();
    const client = await openRaw(gateway.port);
    await client.send(row.bytes);
    await client.waitClosed();
    assert.equal(client.responses.length, 0, 'no answer');
    // How far the first one came is open: it was sound, but its client is gone.
    const expected = first === null ? 0 : (await settledCount()) - marks[1];
    const [atPrimary, atShadow] = await collect(marks, expected);
    const allowed = first === null ? [] : [first];
    for (const [who, seen] of [['primary', atPrimary] as const, ['shadow', atShadow] as const]) {
      const others = seen?.filter((each) => !allowed.includes(each.target));
      assert.deepEqual(toLines(others), [], `at the ${who}`);
    }
  }

  async function settledCount(): Promise<number> {
    await gateway.settled();
    return shadow.completed;
  }

  for (const [group, cases] of Object.entries(groups)) {
    describe(group, () => {
      for (const row of cases) {
        const { verdict, name, bytes } = row;
        if (verdict.kind === 'forwarded') {
          it(`forwarded: ${name}`, () => runForwarded(row, verdict));
        } else if (verdict.kind === 'refused') {
          it(`refused: ${name}`, () => runRefused(bytes, verdict.status, true));
          it(`refused with a request behind it: ${name}`, () =>
            runRefused(bytes + SMUGGLED, verdict.status, false));
        } else if (verdict.kind === 'killed') {
          it(`killed: ${name}`, () => runKilled(row, verdict.first));
        }
      }
    });
  }

  it('what is no request is never answered and never forwarded whole', {
    timeout: 2 * SILENCE_MS,
  }, async () => {
    const marks = mark();
    const sent = silentRows.flatMap((row) => [row.bytes, row.bytes + SMUGGLED]);
    const clients = await Promise.all(
      sent.map(async (bytes) => {
        const client = await openRaw(gateway.port, { deadlineMs: SILENCE_MS });
        await client.send(bytes);
        return client;
      }),
    );
    await Promise.all(clients.map((client) => client.waitClosed()));
    for (const [index, client] of clients.entries()) {
      const statuses = client.responses.map((response) => response.status);
      const isLone = index % 2 === 0;
      // A request behind it makes some of them plain nonsense.
      const isRight = statuses.length === 0 || (!isLone && statuses.length === 1 && statuses[0]! >= 400);
      assert.ok(isRight, `${silentRows[index >> 1]?.name}: answered ${statuses}`);
    }
    const [atPrimary, atShadow] = await collect(marks, 0);
    assert.deepEqual(toLines(atPrimary?.filter((seen) => seen.complete)), []);
    assert.deepEqual(toLines(atShadow), []);
  });

  it('a connection is closed unread once its framing cannot be trusted', {
    timeout: 2 * SILENCE_MS,
  }, async () => {
    assert.ok(spent.length > 10);
    for (const [name, client] of spent) {
      await client.waitClosed();
      assert.equal(client.responses.length, 0, name);
    }
  });

  it('nothing smuggled has reached anybody, the books balance and no exchange is left', async () => {
    const reports = await gateway.settled();
    assertBalanced(reports);
    assert.equal(reports.edge?.total_mirrored, shadow.completed);
    assert.deepEqual(gateway.logs('defect'), []);
    for (const origin of [primary, shadow]) {
      assert.deepEqual(toLines(origin.requests.filter((seen) => seen.target === '/smuggled')), []);
      const wrong = origin.bad.filter((reason) => reason !== 'ends within a message');
      assert.deepEqual(wrong, []);
    }
    assert.deepEqual(shadow.bad, []);
    await untilIdle(gateway);
    assert.equal(await gateway.stop(), 0);
  });
});

function toLines(requests: readonly { readonly line: string }[] | undefined): string[] {
  return (requests ?? []).map((seen) => seen.line);
}
