// Real Redis for tests: one server, or a cluster of three masters with a replica each, on ports of the test's own.
//
// Owns the processes that it starts and ends only those, each by its id. Nothing is written to disk that outlives the
// test. Where redis-server is not installed tests are skipped by name (skipWithoutRedis); `npm test` tries to install it.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { RedisSettings } from '../../src/core/model.ts';
import { listenOnOwnPort } from './port.ts';

const HOST = '127.0.0.1';
const START_MS = 30_000;
const MASTERS = 3;
const SLOTS = 16_384;
const NODE_TIMEOUT_MS = 1_000;
/** Of the options and commands that are used here, not of the gateway. */
const VERSION_MIN = 7;

/** For a test's options: false, or why it cannot run here. */
export function skipWithoutRedis(): false | string {
  const { error, stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  if (error !== undefined) return 'redis-server is not installed (scripts/install-test-tools.sh)';
  const version = Number(/ v=(\d+)/.exec(stdout)?.[1] ?? 0);
  return version >= VERSION_MIN ? false : `redis-server ${version} is too old: ${VERSION_MIN} is needed`;
}

/** Polls what other processes do; fails after a time that no healthy run needs. */
async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const giveUpAt = performance.now() + START_MS;
  while (!(await condition())) {
    assert.ok(performance.now() < giveUpAt, `waited in vain for ${what}`);
    await sleep(10);
  }
}

/** A port that no other test is given while this process runs. */
export async function takePort(): Promise<number> {
  const server = createServer();
  const port = await listenOnOwnPort(server, HOST);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function toSettings(ports: readonly number[], edits: Partial<RedisSettings> = {}): RedisSettings {
  return {
    nodes: ports.map((port) => ({ host: HOST, port })),
    isCluster: false,
    username: null,
    password: null,
    database: 0,
    tls: false,
    timeoutMs: 1_000,
    ...edits,
  };
}

export class RedisServer {
  readonly port: number;
  readonly #folder: string;
  readonly #options: readonly string[];
  readonly #password: string | null;
  #process: ChildProcess | null = null;
  #client: Redis | null = null;

  constructor(port: number, options: readonly string[], password: string | null) {
    this.port = port;
    this.#folder = mkdtempSync(join(tmpdir(), 'umbra-redis-'));
    this.#options = options;
    this.#password = password;
  }

  get settings(): RedisSettings {
    return toSettings([this.port]);
  }

  /** Starts it, after kill() anew and empty; resolves when it accepts connections. */
  async start(): Promise<void> {
    assert.equal(this.#process, null, 'it is running');
    const own = [
      '--port',
      String(this.port),
      '--bind',
      HOST,
      '--dir',
      this.#folder,
      '--save',
      '',
      '--appendonly',
      'no',
    ];
    const password = this.#password === null ? [] : ['--requirepass', this.#password];
    const child = spawn(
      'redis-server',
      [...own, '--enable-debug-command', 'yes', ...password, ...this.#options],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    this.#process = child;
    const lines: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`redis-server ${why}:\n${lines.join('\n')}`));
      const timer = setTimeout(() => fail('is not ready'), START_MS);
      child.once('error', reject);
      child.once('exit', (code) => fail(`ended with ${code}`));
      createInterface({ input: child.stdout! }).on('line', (line) => {
        if (lines.length < 100) lines.push(line);
        if (!line.includes('Ready to accept connections')) return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** As seen by a client that is not the gateway's. */
  async command(name: string, ...values: (string | number)[]): Promise<unknown> {
    if (this.#client === null) {
      const { port } = this;
      this.#client = new Redis({ host: HOST, port, protocol: 2, retryStrategy: () => 20, ...this.#toAuth() });
      this.#client.on('error', () => {});
    }
    return await this.#client.call(name, ...values);
  }

  /** Alive, and silent from now on. */
  pause(): void {
    this.#signal('SIGSTOP');
  }

  resume(): void {
    this.#signal('SIGCONT');
  }

  /** At once, as a crash; its data is gone. */
  async kill(): Promise<void> {
    this.#client?.disconnect();
    this.#client = null;
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #toAuth(): { password?: string } {
    return this.#password === null ? {} : { password: this.#password };
  }

  #signal(signal: NodeJS.Signals): void {
    assert.ok(this.#process?.kill(signal), 'it is running');
  }
}

/** Running, and closed when the test ends. `options` as on the command line of redis-server. */
export async function openRedis(
  t: TestContext,
  options: readonly string[] = [],
  password: string | null = null,
): Promise<RedisServer> {
  const server = new RedisServer(await takePort(), options, password);
  t.after(() => server.close());
  await server.start();
  return server;
}

export class RedisCluster {
  /** Three masters, then the replica of each. */
  readonly servers: readonly RedisServer[];

  constructor(servers: readonly RedisServer[]) {
    this.servers = servers;
  }

  /** Of all nodes. */
  get settings(): RedisSettings {
    return toSettings(
      this.servers.map((server) => server.port),
      { isCluster: true },
    );
  }

  /** The running node that serves the key's slot as its master now, as any other node says. */
  async masterOf(key: string): Promise<RedisServer> {
    const [first] = this.servers;
    const slot = Number(await first!.command('CLUSTER', 'KEYSLOT', key));
    const ranges = (await first!.command('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    const range = ranges.find(([from, to]) => slot >= from && slot <= to);
    const server = this.servers.find(({ port }) => port === range?.[2][1]);
    assert.ok(server !== undefined, `nobody serves ${key}`);
    return server;
  }

  /** Resolves when what the key's master has of it has come to its replica; else it would be lost with the master. */
  async untilReplicated(key: string): Promise<void> {
    const master = await this.masterOf(key);
    // WAIT is about what its own connection has written. The braces of the key name this one's slot too.
    await master.command('SET', `replicated:${key}`, 1, 'PX', 60_000);
    assert.equal(await master.command('WAIT', 1, START_MS), 1, `the replica of ${master.port}`);
  }

  /** Resolves when the nodes say that all slots are served. */
  async untilOk(servers: readonly RedisServer[] = this.servers): Promise<void> {
    for (const server of servers) {
      const isOk = async () => String(await server.command('CLUSTER', 'INFO')).includes('cluster_state:ok');
      await until(isOk, `cluster_state:ok of ${server.port}`);
    }
  }
}

/** Formed, and closed when the test ends. `edits` to the nodes' options, as on the command line. */
export async function openRedisCluster(t: TestContext, edits: readonly string[] = []): Promise<RedisCluster> {
  const servers: RedisServer[] = [];
  const buses: number[] = [];
  t.after(() => Promise.all(servers.map((server) => server.close())));
  for (let node = 0; node < MASTERS * 2; node++) {
    const bus = await takePort();
    const options = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT_MS)];
    // Replicas are waited for one by one: a master need not wait for more of them.
    options.push('--repl-diskless-sync-delay', '0', ...edits);
    buses.push(bus);
    servers.push(new RedisServer(await takePort(), [...options, '--cluster-port', String(bus)], null));
  }
  await Promise.all(servers.map((server) => server.start()));
  await formCluster(servers, buses);
  return new RedisCluster(servers);
}

async function formCluster(servers: readonly RedisServer[], buses: readonly number[]): Promise<void> {
  const each = Math.ceil(SLOTS / MASTERS);
  for (const [index, server] of servers.entries()) {
    // Epochs that differ from the beginning: nodes that have the same one would have to find that out first.
    await server.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    if (index < MASTERS) {
      const last = Math.min(SLOTS, (index + 1) * each) - 1;
      await server.command('CLUSTER', 'ADDSLOTSRANGE', index * each, last);
    }
    if (index > 0) await server.command('CLUSTER', 'MEET', HOST, servers[0]!.port, buses[0]!);
  }
  for (const server of servers) {
    const knowsAll = async (): Promise<boolean> => {
      const nodes = String(await server.command('CLUSTER', 'NODES'));
      return nodes.trim().split('\n').length === servers.length && !nodes.includes('handshake');
    };
    await until(knowsAll, `all nodes at ${server.port}`);
  }
  for (const [index, master] of servers.slice(0, MASTERS).entries()) {
    const replica = servers[MASTERS + index]!;
    const id = String(await master.command('CLUSTER', 'MYID'));
    await replica.command('CLUSTER', 'REPLICATE', id);
    const isLinked = async () =>
      String(await replica.command('INFO', 'replication')).includes('master_link_status:up');
    await until(isLinked, `the link of replica ${replica.port}`);
  }
  const cluster = new RedisCluster(servers);
  await cluster.untilOk();
  // A replica that the masters do not take for one yet would not be elected.
  for (const server of servers) {
    const knowsReplicas = async () =>
      (String(await server.command('CLUSTER', 'NODES')).match(/\bslave\b/g) ?? []).length ===
      servers.length - MASTERS;
    await until(knowsReplicas, `the replicas at ${server.port}`);
  }
}
