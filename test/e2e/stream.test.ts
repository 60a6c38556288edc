// Bodies that are larger than memory, slower than patience, or have no end in sight.
//
// Memory is the peak of the gateway's whole process, mirror threads and all, over what it held before.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Asked, toAnswer } from '../kit/behaviour.ts';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { MessageReader } from '../kit/message.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { BLOCK_BYTES, createPattern, digestPattern } from '../kit/pattern.ts';
import { request } from '../kit/raw.ts';
import { untilIdle } from './metric.ts';

const MIB = 1024 * 1024;
const HUGE_BYTES = 2 * 1024 * MIB;
const LARGE_BYTES = 256 * MIB;
const EXTRA_BYTES_MAX = 64 * MIB;
/**
 * A sender in the same machine that is faster than the listener copies makes it read on and on in one turn of its
 * loop, whatever it was told of a pause. No network is that fast: senders here have so much under way at most,
 * or are as slow as a fast network.
 */
const WINDOW_BYTES = 4 * MIB;
const NETWORK_BYTES_PER_MS = 200 * 1024;
/** What a paused client may still send, and what the engine has not collected of it yet (docs/architecture.md, bounds). */
const EXTRA_SLOW_BYTES_MAX = 2 * EXTRA_BYTES_MAX;
/** Comparing makes a mirror thread read along, whose garbage waits for a collector of its own. */
const EXTRA_COMPARED_BYTES_MAX = 3 * EXTRA_BYTES_MAX;
/** What may be under way between two ends that do not read: socket buffers on either side of the gateway. */
const UNDER_WAY_BYTES_MAX = 64 * MIB;

const ASKED: Asked = { method: 'GET', body: Buffer.alloc(0) };

interface Download {
  status: number;
  bytes: number;
  sha256: string;
}

/** Reads one response from the socket, keeping nothing of its body. */
function readDigest(socket: Socket): Promise<Download> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256');
    const result: Download = { status: 0, bytes: 0, sha256: '' };
    const reader = new MessageReader('response', {
      onHead: ({ line }) => {
        result.status = Number(line.split(' ')[1]);
        return result.status < 200;
      },
      onBody: (chunk) => {
        result.bytes += chunk.length;
        hash.update(chunk);
      },
      onEnd: () => {
        if (result.status >= 200) resolve({ ...result, sha256: hash.digest('hex') });
      },
      onBad: (reason) => reject(new Error(reason)),
    });
    socket.on('data', (chunk) => reader.feed(chunk));
    socket.on('close', () => reject(new Error(`closed after ${result.bytes} bytes`)));
    socket.on('error', reject);
  });
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** How a sender is held back beyond what its socket does. */
type Pace = () => Promise<void>;

async function writePattern(socket: Socket, bytes: number, isChunked: boolean, pace: Pace): Promise<void> {
  for (const block of createPattern(bytes)) {
    if (isChunked) socket.write(`${block.length.toString(16)}\r\n`);
    let isTaken = socket.write(block);
    if (isChunked) isTaken = socket.write('\r\n');
    if (!isTaken) await new Promise((resolve) => socket.once('drain', resolve));
    await pace();
  }
  if (isChunked) socket.write('0\r\n\r\n');
}

/** Bytes, from /proc/PID/status. */
function readMemory(pid: number, name: 'VmHWM' | 'VmRSS'): number {
  const [, kib = ''] =
    new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

describe('streaming', { skip: process.platform !== 'linux' }, () => {
  let primary: Origin;
  let shadow: Origin;
  let gateway: Gateway;

  before(async () => {
    primary = await openOrigin({ bodyBytesMax: 0 });
    shadow = await openOrigin({ bodyBytesMax: 0 });
    const mirror = (rest: string): string =>
      `mirror: { max_body: 1MiB, backends: [{ url: '${shadow.url}' }]${rest} }`;
    const route = (id: string, rest: string): string =>
      `  - { id: ${id}, path: /${id}, path_prefix: true, backends: [{ url: '${primary.url}' }], ${rest} }`;
    gateway = await openGateway({
      config: [
        'routes:',
        route('plain', 'retries: 0'),
        route('mirrored', mirror('')),
        route('compared', mirror(', max_queued: 8MiB, compare: { enabled: true }')),
      ].join('\n'),
    });
  });

  beforeEach(async () => {
    primary.behave({ body: 'small' });
    for (const path of ['/plain', '/mirrored', '/compared'])
      await request(gateway.port, { path, body: 'small' });
    await gateway.settled();
  });

  after(async () => {
    await gateway?.stop({ balanced: false });
    await primary?.close();
    await shadow?.close();
  });

  /** Runs it and gives the most memory that the gateway has held meanwhile, beyond what it held before. */
  async function measure(run: () => Promise<void>): Promise<number> {
    const before = readMemory(gateway.pid, 'VmRSS');
    // proc(5): sets the peak back to what is held now.
    writeFileSync(`/proc/${gateway.pid}/clear_refs`, '5');
    await run();
    return readMemory(gateway.pid, 'VmHWM') - before;
  }

  async function upload(
    path: string,
    bytes: number,
    isChunked: boolean,
    toPace: () => Pace,
  ): Promise<Download> {
    const socket = await open(gateway.port);
    const answer = readDigest(socket);
    const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`;
    socket.write(`POST ${path} HTTP/1.1\r\nHost: test.example\r\n${framing}\r\n\r\n`);
    await writePattern(socket, bytes, isChunked, toPace());
    const result = await answer;
    socket.destroy();
    return result;
  }

  /** Never more than the window between what was sent and what has come to the primary. */
  function toWindow(): Pace {
    const index = primary.requests.length;
    let sent = 0;
    return async () => {
      sent += BLOCK_BYTES;
      while (sent - (primary.requests[index]?.bodyBytes ?? 0) > WINDOW_BYTES) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
  }

  /** At the rate of a fast network. */
  function toNetwork(): Pace {
    const startedMs = performance.now();
    let sent = 0;
    return async () => {
      sent += BLOCK_BYTES;
      while (sent > (performance.now() - startedMs + 1) * NETWORK_BYTES_PER_MS) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
  }

  async function download(path: string): Promise<Download> {
    const socket = await open(gateway.port);
    const answer = readDigest(socket);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: test.example\r\n\r\n`);
    const result = await answer;
    socket.destroy();
    return result;
  }

  function assertFlat(extraBytes: number, bytesMax = EXTRA_BYTES_MAX): void {
    assert.ok(extraBytes < bytesMax, `${Math.round(extraBytes / MIB)} MiB of extra memory`);
  }

  describe('2 GiB in less than 64 MiB', () => {
    const digest = digestPattern(HUGE_BYTES);

    for (const path of ['/plain', '/mirrored']) {
      it(`up: ${path}`, async () => {
        const extra = await measure(async () => {
          assert.equal((await upload(path, HUGE_BYTES, false, toWindow)).status, 200);
        });
        assert.equal(primary.requests.at(-1)?.bodyBytes, HUGE_BYTES);
        assert.equal(primary.requests.at(-1)?.bodySha256, digest);
        assertFlat(extra);
      });
    }

    for (const path of ['/plain', '/compared']) {
      it(`down: ${path}`, async () => {
        primary.behave({ body: HUGE_BYTES });
        let answer: Download = { status: 0, bytes: 0, sha256: '' };
        const extra = await measure(async () => {
          answer = await download(path);
        });
        assert.deepEqual(answer, { status: 200, bytes: HUGE_BYTES, sha256: digest });
        assertFlat(extra, path === '/compared' ? EXTRA_COMPARED_BYTES_MAX : EXTRA_BYTES_MAX);
      });
    }

    it('no copy was made of what is too large to be copied, and it is counted', async () => {
      const reports = await gateway.settled();
      assert.equal(reports.mirrored?.skipped.body_too_large, 1);
      for (const seen of shadow.requests) assert.ok(seen.bodyBytes <= MIB);
    });
  });

  describe('256 MiB', () => {
    const digest = digestPattern(LARGE_BYTES);

    it('chunked, both ways', async () => {
      primary.behave({ body: LARGE_BYTES, framing: 'chunked' });
      const extra = await measure(async () => {
        const answer = await upload('/plain', LARGE_BYTES, true, toWindow);
        assert.deepEqual(answer, { status: 200, bytes: LARGE_BYTES, sha256: digest });
      });
      assert.equal(primary.requests.at(-1)?.bodySha256, digest);
      assertFlat(extra);
    });

    for (const framing of ['length', 'chunked'] as const) {
      it(`a client that does not read holds its primary back, then gets all of it (${framing})`, async () => {
        primary.behave({ body: LARGE_BYTES, framing });
        const extra = await measure(async () => {
          const socket = await open(gateway.port);
          socket.pause();
          const toSent = (): number => sum([...primary.sockets].map((each) => each.bytesWritten));
          const before = toSent();
          const heads = primary.arrived;
          socket.write('GET /plain HTTP/1.1\r\nHost: test.example\r\n\r\n');
          await primary.waitForHeads(heads + 1);
          const sent = (await untilStalled(toSent)) - before;
          assert.ok(sent > 0 && sent < UNDER_WAY_BYTES_MAX, `${sent} bytes were taken`);
          const answer = readDigest(socket);
          socket.resume();
          assert.deepEqual(await answer, { status: 200, bytes: LARGE_BYTES, sha256: digest });
          socket.destroy();
        });
        assertFlat(extra);
      });
    }

    it('clients that fall behind get all there is, though the primary goes on later', async () => {
      // Of these, some end where the socket is full (with small send buffers, see full-socket.test.ts).
      const sizes = Array.from({ length: 48 }, (_, index) => (index + 1) * 20 * 1024);
      const sockets = await Promise.all(
        sizes.map(async (bytes) => {
          const path = `/plain/${bytes}`;
          const [head, ...chunks] = toAnswer({ body: bytes, framing: 'chunked' }, ASKED);
          primary.behave({ raw: Buffer.concat([head!, ...chunks.slice(0, -1)]) }, path);
          const socket = await open(gateway.port);
          socket.pause();
          socket.write(`GET ${path} HTTP/1.1\r\nHost: test.example\r\n\r\n`);
          return socket;
        }),
      );
      await untilStalled(() => sum([...primary.sockets].map((each) => each.bytesWritten)));
      await Promise.all(sockets.map((socket, index) => readBytes(socket, sizes[index]!)));
      for (const socket of sockets) socket.destroy();
    });

    it('a primary that reads slowly holds its client back, and gets all of it', async () => {
      primary.behave({ reading: { pauseMs: 1 } });
      const extra = await measure(async () => {
        assert.equal((await upload('/plain', LARGE_BYTES, false, toNetwork)).status, 200);
      });
      assert.equal(primary.requests.at(-1)?.bodySha256, digestPattern(LARGE_BYTES));
      assertFlat(extra, EXTRA_SLOW_BYTES_MAX);
    });
  });

  it('nothing is left', async () => {
    await untilIdle(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    assert.equal(await gateway.stop(), 0);
  });
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** Resolves once so many bytes of a body have come. */
function readBytes(socket: Socket, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let come = 0;
    const reader = new MessageReader('response', {
      onHead: () => false,
      onBody: (chunk) => {
        come += chunk.length;
        if (come === bytes) resolve();
      },
      onEnd: () => reject(new Error('ended')),
      onBad: (reason) => reject(new Error(reason)),
    });
    socket.on('data', (chunk) => reader.feed(chunk));
    socket.on('close', () => reject(new Error(`closed after ${come} of ${bytes} bytes`)));
    socket.resume();
  });
}

/**
 * Resolves with the figure once it has stayed the same for a while: shorter by far than the listener's patience with
 * a client that does not read, also on a machine that stalls.
 */
async function untilStalled(read: () => number): Promise<number> {
  for (let last = -1; ; ) {
    const now = read();
    if (now === last) return now;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
