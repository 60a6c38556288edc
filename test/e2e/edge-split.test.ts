// Sound requests are sent in two segments, cut at every byte, and byte by byte.
//
// The listener answers 505 and closes when the request line is cut right behind the method's space, or anywhere between
// the target's space and the line feed; that costs the client a request, never its meaning. There the verdict is:
// forwarded exactly, or 505 and closed. Everywhere else it is: forwarded exactly. Whether a segment was read before the
// next one is sent is known by the answer to a request on another connection: one loop serves both, in turn.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, type RawClient, request } from '../kit/raw.ts';
import { type EdgeCase, get, SMUGGLED, type Verdict } from './edge-case.ts';
import { codingCases, lengthCases } from './edge-framing.ts';
import { hopCases, hostCases, sizeCases, syntaxCases } from './edge-headers.ts';
import { assertSeen, toConfig } from './edge-seen.ts';
import { lineCases, targetCases } from './edge-targets.ts';
import { untilIdle } from './metric.ts';

type Sound = EdgeCase & { readonly verdict: Verdict & { readonly kind: 'forwarded' } };

/** Connections that wait for their second segment at the same time. */
const WAVE = 128;
/** Longer requests are not cut at every byte but at every so many-th. */
const EVERY_BYTE_MAX = 700;
const STRIDE = 211;

const cases = [lengthCases, codingCases, syntaxCases, hostCases, sizeCases, hopCases, targetCases, lineCases];
const sound = cases.flat().filter((row): row is Sound => row.verdict.kind === 'forwarded');

/** Places between bytes where a request is cut. */
function toCuts(bytes: string): number[] {
  const all = Array.from({ length: bytes.length - 1 }, (_, index) => index + 1);
  return bytes.length <= EVERY_BYTE_MAX ? all : all.filter((cut) => cut < 60 || cut % STRIDE === 0);
}

/** Where the request line and its CRLF end, behind what may precede it. */
function toLineEnd(row: Sound): number {
  return row.bytes.indexOf(row.verdict.sees.line) + row.verdict.sees.line.length + 2;
}

/** Whether the listener may answer 505 to that cut: right behind the method's space, or from the target's on. */
function isFragile(row: Sound, cut: number): boolean {
  const { line } = row.verdict.sees;
  const start = row.bytes.indexOf(line);
  const behindMethod = start + line.indexOf(' ') + 1;
  const behindTarget = start + line.lastIndexOf(' ') + 1;
  return cut === behindMethod || (cut >= behindTarget && cut < toLineEnd(row));
}

describe('requests in pieces', () => {
  let primary: Origin;
  let shadow: Origin;
  let idle: Origin;
  let gateway: Gateway;
  let bystander: RawClient;

  before(async () => {
    primary = await openOrigin({ behaviour: { body: 'answer' } });
    shadow = await openOrigin();
    idle = await openOrigin();
    gateway = await openGateway({ config: toConfig(primary, shadow, idle) });
    bystander = await openRaw(gateway.port);
  });

  after(async () => {
    bystander?.close();
    await gateway?.stop({ balanced: false });
    await Promise.all([primary, shadow, idle].map((origin) => origin?.close()));
  });

  /** Resolves when the gateway has read everything that was sent before. */
  async function passLoop(): Promise<void> {
    const answer = await request(bystander, { path: '/barrier', fields: ['Host: barrier.test'] });
    assert.equal(answer.status, 200);
  }

  function openAll(count: number, row: Sound): Promise<RawClient[]> {
    const open = async (): Promise<RawClient> => {
      const client = await openRaw(gateway.port, { deadlineMs: 60_000 });
      client.answersHead = row.bytes.startsWith('HEAD');
      return client;
    };
    return Promise.all(Array.from({ length: count }, open));
  }

  /** Reads every answer, and holds it and what the upstreams saw against the row. Gives the number of 505s. */
  async function judge(
    row: Sound,
    clients: readonly RawClient[],
    mayFail: (index: number) => boolean,
    marks: readonly [number, number],
  ): Promise<number> {
    let passed = 0;
    for (const [index, client] of clients.entries()) {
      const [answer] = await client.read();
      if (answer?.status === 505 && mayFail(index)) {
        await client.waitClosed();
        continue;
      }
      assert.equal(answer?.status, 200, `${row.name}: piece ${index}`);
      passed++;
    }
    await shadow.waitFor(marks[1] + passed);
    for (const [index, origin] of [primary, shadow].entries()) {
      const seen = origin.requests.slice(marks[index]);
      assert.equal(seen.length, passed, `${row.name}: as many requests as answers`);
      for (const each of seen) assertSeen(each, row.verdict.sees, origin === shadow);
    }
    for (const client of clients) client.close();
    return clients.length - passed;
  }

  it('a sound request passes in two segments, wherever it is cut', async () => {
    let sent = 0;
    let failed = 0;
    for (const row of sound) {
      const cuts = toCuts(row.bytes);
      for (let from = 0; from < cuts.length; from += WAVE) {
        const wave = cuts.slice(from, from + WAVE);
        const marks: [number, number] = [primary.requests.length, shadow.requests.length];
        const clients = await openAll(wave.length, row);
        await passLoop();
        await Promise.all(clients.map((client, index) => client.send(row.bytes.slice(0, wave[index]))));
        await passLoop();
        await Promise.all(clients.map((client, index) => client.send(row.bytes.slice(wave[index]))));
        failed += await judge(row, clients, (index) => isFragile(row, wave[index]!), marks);
        sent += wave.length;
      }
    }
    assert.ok(sent > 4_500, `${sent} requests`);
    assert.ok(failed < sent / 3, `${failed} of ${sent} answered 505`);
  });

  it('a sound request passes byte by byte behind its request line', async () => {
    const rows = sound.filter((row) => row.bytes.length < EVERY_BYTE_MAX);
    const marks: [number, number] = [primary.requests.length, shadow.requests.length];
    const clients = await Promise.all(rows.map(async (row) => (await openAll(1, row))[0]!));
    const places = rows.map(toLineEnd);
    await Promise.all(
      clients.map((client, index) => client.send(rows[index]!.bytes.slice(0, places[index]))),
    );
    for (let step = 0; step < EVERY_BYTE_MAX; step++) {
      await passLoop();
      const byte = (client: RawClient, index: number) => {
        const at = places[index]! + step;
        return client.send(rows[index]!.bytes.slice(at, at + 1));
      };
      await Promise.all(clients.map(byte));
    }
    for (const [index, client] of clients.entries()) {
      const [answer] = await client.read();
      assert.equal(answer?.status, 200, rows[index]?.name);
      client.close();
    }
    await shadow.waitFor(marks[1] + rows.length);
    assert.equal(primary.requests.length - marks[0], rows.length);
    for (const [index, origin] of [primary, shadow].entries()) {
      const seen = origin.requests.slice(marks[index]);
      for (const row of rows) {
        const fits = (each: (typeof seen)[number]) => {
          try {
            assertSeen(each, row.verdict.sees, origin === shadow);
            return true;
          } catch {
            return false;
          }
        };
        const found = seen.findIndex(fits);
        assert.notEqual(found, -1, row.name);
        seen.splice(found, 1);
      }
    }
  });

  it('a request that comes with the rest of another one is not answered, and never changes it', async () => {
    const bytes = get(['X-A: b']);
    const marks: [number, number] = [primary.requests.length, shadow.requests.length];
    const clients = await Promise.all(Array.from({ length: 20 }, () => openRaw(gateway.port)));
    await Promise.all(clients.map((client) => client.send(bytes.slice(0, 40))));
    await passLoop();
    await Promise.all(clients.map((client) => client.send(bytes.slice(40) + SMUGGLED)));
    await Promise.all(clients.map((client) => client.waitClosed()));
    for (const client of clients) assert.equal(client.responses.length, 0);
    await gateway.settled();
    for (const [index, origin] of [primary, shadow].entries()) {
      for (const seen of origin.requests.slice(marks[index])) assert.equal(seen.line, 'GET /row HTTP/1.1');
    }
  });

  it('nothing is left', async () => {
    await untilIdle(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    assert.deepEqual([...primary.bad, ...shadow.bad], []);
    assert.equal(await gateway.stop(), 0);
  });
});
