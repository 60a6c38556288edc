// A shadow that never answers, under load: the primary's latency and throughput stay, and memory stays flat.
//
// Both kinds of traffic go through one gateway process in turns, so that whatever else the machine does falls on
// both. The bounds are generous: the benchmarks hold the tight ones.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, type RawClient, toRequestBytes } from '../kit/raw.ts';

const CONNECTIONS = 4;
const BLOCKS = 20;
const BLOCK_REQUESTS = 1_000;
const BODY = Buffer.alloc(1024, 'umbra');
/** So much memory may the process gain between its second and its last block of copies. */
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;

interface Block {
  readonly elapsedMs: number;
  readonly p99Ms: number;
}

async function runBlock(clients: readonly RawClient[], path: string): Promise<Block> {
  const bytes = toRequestBytes({ method: 'POST', path, body: BODY });
  const latencies: number[] = [];
  const startedMs = performance.now();
  let left = BLOCK_REQUESTS;
  const work = async (client: RawClient): Promise<void> => {
    while (left-- > 0) {
      const sentMs = performance.now();
      await client.send(bytes);
      const [response] = await client.read();
      assert.equal(response?.status, 200, client.bad ?? '');
      assert.equal(response.body.length, 2);
      latencies.push(performance.now() - sentMs);
    }
  };
  await Promise.all(clients.map(work));
  latencies.sort((a, b) => a - b);
  assert.equal(latencies.length, BLOCK_REQUESTS);
  return { elapsedMs: performance.now() - startedMs, p99Ms: latencies[Math.floor(BLOCK_REQUESTS * 0.99)]! };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** Anonymous memory of the process: heaps and buffers, not files and shared libraries. */
function readAnonymousBytes(pid: number): number {
  const [, kibibytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

function toConfig(primary: Origin, shadow: Origin): string {
  return `routes:
  - { id: plain, path: /plain, backends: [{ url: ${primary.url} }] }
  - id: mirrored
    path: /mirrored
    backends: [{ url: ${primary.url} }]
    mirror:
      backends: [{ url: ${shadow.url} }]
      timeout: { connect: 10s, send: 30s, read: 30s }
      max_queued: 4MiB
      max_in_flight: 64
      breaker: { failures: 1000000 }`;
}

test('a shadow that never answers leaves the primary’s throughput and p99 unchanged, and memory flat', async (t) => {
  // What the origins keep is this process's memory, and not looked at here.
  const primary = await openOrigin({ behaviour: { body: 'ok' }, requestsMax: 0 });
  const shadow = await openOrigin({ behaviour: { hang: true }, requestsMax: 0 });
  const clients: RawClient[] = [];
  let gateway: Gateway | null = null;
  t.after(async () => {
    for (const client of clients) client.close();
    gateway?.signal('SIGKILL');
    await Promise.all([primary.close(), shadow.close()]);
  });
  gateway = await openGateway({ config: toConfig(primary, shadow) });
  for (let index = 0; index < CONNECTIONS; index++) clients.push(await openRaw(gateway.port));

  const plain: Block[] = [];
  const mirrored: Block[] = [];
  const memory: number[] = [];
  await runBlock(clients, '/plain');
  for (let round = 0; round < BLOCKS; round++) {
    // In alternating order, so that neither kind always follows the other.
    const blocks = round % 2 === 0 ? ['/plain', '/mirrored'] : ['/mirrored', '/plain'];
    for (const path of blocks) (path === '/plain' ? plain : mirrored).push(await runBlock(clients, path));
    memory.push(readAnonymousBytes(gateway.pid));
  }

  const elapsed = [plain, mirrored].map((blocks) => median(blocks.map((block) => block.elapsedMs)));
  const p99 = [plain, mirrored].map((blocks) => median(blocks.map((block) => block.p99Ms)));
  const growthBytes = Math.max(...memory.slice(2)) - memory[1]!;
  t.diagnostic(`block: ${elapsed.map((ms) => ms.toFixed(0)).join(' → ')} ms`);
  t.diagnostic(`p99: ${p99.map((ms) => ms.toFixed(2)).join(' → ')} ms`);
  t.diagnostic(`memory: ${memory.map((bytes) => (bytes / 2 ** 20).toFixed(0)).join(' ')} MiB`);
  // Half a millisecond is the clock's and the scheduler's, not the gateway's.
  assert.ok(p99[1]! <= p99[0]! * 3 + 0.5, `p99 ${p99}`);
  assert.ok(elapsed[1]! <= elapsed[0]! * 2, `elapsed ${elapsed}`);
  assert.ok(growthBytes <= GROWTH_BYTES_MAX, `grew by ${growthBytes} bytes: ${memory}`);

  // The shadow was full all the time: the copies it has not taken were dropped, and none was lost sight of.
  const before = (await gateway.mirrors()).mirrored!;
  assert.equal(before.matched, BLOCKS * BLOCK_REQUESTS);
  assert.equal(before.breaker, 'closed');
  assert.ok(before.dropped.queue_full > 0);
  assert.ok(before.in_flight <= 64);
  await shadow.refuse();
  const { mirrored: after } = await gateway.settled({ mirrored: BLOCKS * BLOCK_REQUESTS });
  assert.equal(after!.total_success, 0);
  assert.equal(primary.completed, (2 * BLOCKS + 1) * BLOCK_REQUESTS);
  assert.equal(await gateway.stop(), 0);
  await primary.waitForSockets(0);
});
