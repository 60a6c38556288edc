// The peers of the benchmark, each as it is measured: that it forwards faithfully, keeps its connections, mirrors
// where it can, and goes without leaving anything. One that is not installed is skipped.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PEERS, type Peer } from '../../bench/peers/peer.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { createPattern, digestPattern } from '../kit/pattern.ts';
import { listenOnOwnPort } from '../kit/port.ts';
import { openRaw, type RawClient, request } from '../kit/raw.ts';

const HOST = '127.0.0.1';
const START_MS = 60_000;
const STOP_MS = 30_000;
const POLL_MS = 10;
const TARGET = '/api/items/42?fields=text&empty=';
/** More than any of them buffers in memory. */
const LARGE_BYTES = 2 * 1024 * 1024;

interface Scene {
  readonly client: RawClient;
  readonly primary: Origin;
  readonly shadow: Origin;
}

/** A running peer with one connection to it. Ends with no process, socket, port or file left. */
async function openScene(t: TestContext, peer: Peer, mirrored: boolean): Promise<Scene> {
  const [primary, shadow] = [await openOrigin(), await openOrigin()];
  const folder = mkdtempSync(join(tmpdir(), 'umbra-peer-'));
  const port = await findPort();
  const { command, parameters } = peer.prepare({
    folder,
    port,
    primaryPort: primary.port,
    shadowPort: mirrored ? shadow.port : null,
  });
  // A process group of its own, so that its children can be counted after it.
  const child = spawn(command, parameters, {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(String(chunk)));
  const exited = once(child, 'exit');
  let client: RawClient | null = null;
  t.after(async () => {
    try {
      client?.close();
      child.kill('SIGTERM');
      const timer = setTimeout(() => killGroup(child), STOP_MS);
      const [code, signal] = await exited;
      clearTimeout(timer);
      assert.notEqual(signal, 'SIGKILL', `${peer.name} did not end at SIGTERM`);
      t.diagnostic(`${peer.name} ended with ${code ?? signal}`);
      assert.equal(hasGroup(child), false, 'no process is left');
      assert.equal(await isListening(port), false, 'the port is free');
      for (const origin of [primary, shadow]) {
        await origin.waitForSockets(0);
        assert.deepEqual(origin.bad, []);
      }
    } finally {
      killGroup(child);
      await Promise.all([primary.close(), shadow.close()]);
      rmSync(folder, { recursive: true, force: true });
    }
  });
  await untilListening(child, port, output);
  client = await openRaw(port);
  return { client, primary, shadow };
}

async function findPort(): Promise<number> {
  const server = createServer();
  const port = await listenOnOwnPort(server, HOST);
  server.close();
  await once(server, 'close');
  return port;
}

async function untilListening(child: ChildProcess, port: number, output: readonly string[]): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (!(await isListening(port))) {
    const ended = child.exitCode !== null || child.signalCode !== null;
    assert.ok(!ended, `it ended before it listened:\n${output.join('')}`);
    assert.ok(performance.now() < deadline, `it did not listen within ${START_MS} ms:\n${output.join('')}`);
    await sleep(POLL_MS);
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function hasGroup(child: ChildProcess): boolean {
  try {
    return process.kill(-child.pid!, 0);
  } catch {
    return false;
  }
}

function killGroup(child: ChildProcess): void {
  if (hasGroup(child)) process.kill(-child.pid!, 'SIGKILL');
}

function createBody(bytes: number): Buffer {
  return Buffer.concat([...createPattern(bytes)]);
}

for (const peer of PEERS) {
  const missing = peer.findMissing();
  const options = missing === null ? {} : { skip: missing };

  test(`${peer.name} says its version`, options, () => {
    assert.match(peer.readVersion(), /^\d+\.\d+\.\d+$/);
  });

  test(`${peer.name} forwards requests and answers whole, on one connection each`, options, async (t) => {
    const { client, primary, shadow } = await openScene(t, peer, false);
    primary.behave({ status: 203, fields: ['X-Answer: yes'], body: 'x'.repeat(1024) });
    for (let turn = 1; turn <= 2; turn++) {
      const answer = await request(client, { path: TARGET, fields: ['X-Asked: yes'] });
      assert.equal(answer.status, 203);
      assert.equal(answer.field('x-answer'), 'yes');
      assert.equal(answer.field('content-length'), '1024');
      assert.equal(answer.body.toString(), 'x'.repeat(1024));
      assert.equal(primary.requests.length, turn);
    }
    const body = createBody(LARGE_BYTES);
    primary.behave({ body: LARGE_BYTES });
    const posted = await request(client, { method: 'POST', path: TARGET, body });
    assert.equal(posted.status, 200);
    assert.ok(posted.body.equals(body), 'a large answer comes whole');

    assert.equal(primary.connections, 1);
    for (const seen of primary.requests) {
      assert.equal(seen.target, TARGET);
      assert.equal(seen.field('host'), 'test.example');
      assert.equal(seen.field('x-forwarded-for'), HOST);
      assert.equal(seen.field('x-forwarded-proto'), 'http');
      assert.equal(seen.field('x-forwarded-host'), 'test.example');
    }
    const [first, , last] = primary.requests;
    assert.equal(first?.method, 'GET');
    assert.equal(first.field('x-asked'), 'yes');
    assert.equal(last?.method, 'POST');
    assert.equal(last.field('content-length'), String(LARGE_BYTES));
    assert.equal(last.bodySha256, digestPattern(LARGE_BYTES));
    assert.equal(shadow.arrived, 0);
  });

  test(`${peer.name} forwards a chunked request`, options, async (t) => {
    const { client, primary } = await openScene(t, peer, false);
    await client.send(
      `PUT ${TARGET} HTTP/1.1\r\nHost: test.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    );
    const [answer] = await client.read();
    assert.equal(answer?.status, 200);
    assert.equal(primary.requests[0]?.line, `PUT ${TARGET} HTTP/1.1`);
    assert.equal(primary.requests[0].body.toString(), 'hello');
  });

  if (!peer.mirrors) continue;

  test(`${peer.name} mirrors requests with their bodies, on one connection`, options, async (t) => {
    const { client, primary, shadow } = await openScene(t, peer, true);
    const body = createBody(LARGE_BYTES);
    primary.behave({ body: 'primary' });
    // Without a body: nginx closes a shadow's connection rather than read an answer's body that nobody gets.
    shadow.behave({ status: 500 });
    for (const asked of [
      { method: 'GET', path: TARGET },
      { method: 'POST', path: TARGET, body },
    ]) {
      const answer = await request(client, asked);
      assert.equal(answer.status, 200);
      assert.equal(answer.body.toString(), 'primary');
    }
    await shadow.waitFor(2);
    assert.deepEqual(
      shadow.requests.map((copy) => copy.line),
      [`GET ${TARGET} HTTP/1.1`, `POST ${TARGET} HTTP/1.1`],
    );
    assert.equal(shadow.requests[1]?.bodySha256, digestPattern(LARGE_BYTES));
    for (const copy of shadow.requests) {
      assert.equal(copy.field('host'), 'test.example');
      assert.equal(copy.field('x-forwarded-for'), HOST);
    }
    assert.equal(primary.completed, 2);
    assert.equal(primary.connections, 1);
    assert.equal(shadow.connections, 1);
  });
}
