// A real gateway process for tests: started on ports of its own, watched, and ended.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MirrorReport } from '../../src/control/mirrors.ts';
import { takeOwnPort } from './port.ts';

const HOST = '127.0.0.1';
const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
/** For a slow, busy machine. */
const START_MS = 60_000;
const SETTLE_MS = 60_000;

export interface Gateway {
  /** Ports of the listeners, http first. */
  readonly ports: readonly number[];
  readonly port: number;
  readonly adminPort: number;
  readonly pid: number;
  /** The config file; write it anew and call reload(). */
  readonly file: string;
  /** Everything on stdout and stderr so far, line by line. */
  readonly lines: readonly string[];
  /** Log events (JSON lines) so far. */
  logs(message?: string): Record<string, unknown>[];
  /** Resolves with the first log event of that message from now or earlier, from the nth on. */
  waitForLog(message: string, count?: number): Promise<Record<string, unknown>>;
  mirrors(): Promise<Record<string, MirrorReport>>;
  /** Resolves when nothing is under way: sent = answered + failed, matched = skipped + dropped + sent, twice in a row. */
  settled(expectedMatched?: Record<string, number>): Promise<Record<string, MirrorReport>>;
  /** Writes the config, sends SIGHUP and waits until it is in force or refused. */
  reload(config: string): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and waits for the exit: its code. Asserts that the books balance before, unless told not to. */
  stop(options?: { readonly balanced?: boolean }): Promise<number | null>;
  /** Resolves with the exit code. */
  readonly exited: Promise<number | null>;
}

export interface GatewayOptions {
  /** YAML of `routes:`, and of anything else but listen, admin and threads. */
  readonly config: string;
  /** Further keys of `admin`, as in `key: x, on_proxy_port: true`. */
  readonly admin?: string;
  /** What the admin listener listens on, instead of loopback; needs a key. It is reached at 127.0.0.1 all the same. */
  readonly adminHost?: string;
  readonly listen?: string;
  /** Texts of further config files by name; they lie beside `file`. */
  readonly files?: Readonly<Record<string, string>>;
  readonly frontends?: number;
  readonly mirrors?: number;
  readonly env?: NodeJS.ProcessEnv;
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

/** The sums that must hold for every route and shadow when nothing is under way. */
export function assertBalanced(reports: Record<string, MirrorReport>): void {
  for (const [id, report] of Object.entries(reports)) {
    const control = report.control === null ? [] : [['control', report.control] as const];
    for (const [name, figures] of [
      ['route', report] as const,
      ...Object.entries(report.shadows),
      ...control,
    ]) {
      const decided = sum(figures.skipped) + sum(figures.dropped) + figures.total_mirrored;
      assert.equal(
        decided,
        figures.matched,
        `${id} ${name}: skipped + dropped + sent = matched\n${JSON.stringify(figures)}`,
      );
      const ended = figures.total_success + figures.total_errors;
      assert.equal(
        ended,
        figures.total_mirrored,
        `${id} ${name}: answered + failed = sent\n${JSON.stringify(figures)}`,
      );
      assert.equal(figures.in_flight, 0, `${id} ${name}: nothing in flight`);
    }
  }
}

function isBalanced(reports: Record<string, MirrorReport>): boolean {
  try {
    assertBalanced(reports);
    return true;
  } catch {
    return false;
  }
}

/** So that clients which still call a gateway that was ended meet nobody else. */
interface OwnPorts {
  readonly http: number;
  readonly admin: number;
}

function toText(options: GatewayOptions, own: OwnPorts): string {
  return [
    `listen: ${options.listen ?? `{ http: 127.0.0.1:${own.http} }`}`,
    `admin: { listen: ${options.adminHost ?? HOST}:${own.admin}${options.admin === undefined ? '' : `, ${options.admin}`} }`,
    `threads: { frontend: ${options.frontends ?? 1}, mirror: ${options.mirrors ?? 1} }`,
    // A busy machine must not turn into dropped copies, unless a test is about that.
    ...(options.config.includes('limits:') ? [] : ['limits: { overload_delay: 1h }']),
    options.config,
  ].join('\n');
}

export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-test-'));
  const file = join(folder, 'umbra.yaml');
  const own = { http: await takeOwnPort(HOST), admin: await takeOwnPort(HOST) };
  writeFileSync(file, toText(options, own));
  const files = [file];
  for (const [name, text] of Object.entries(options.files ?? {})) {
    files.push(join(folder, name));
    writeFileSync(files.at(-1)!, text);
  }
  const child = spawn(process.execPath, [MAIN, 'run', ...files.flatMap((name) => ['--config', name])], {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const watch = watchLines(child, lines);
  const exited = once(child, 'exit').then(([code]) => {
    rmSync(folder, { recursive: true, force: true });
    watch.wake();
    return code as number | null;
  });
  const ready = await Promise.race([
    watch.until((line) => line.startsWith('umbra ready: '), 1, START_MS),
    exited.then((code) => assert.fail(`the gateway ended with ${code}:\n${lines.join('\n')}`)),
  ]);
  const ports = [...ready.matchAll(/:(\d+)(?=\s|$)/g)].map((match) => Number(match[1]));
  const adminPort = ports.pop()!;
  const logs = (message?: string): Record<string, unknown>[] =>
    lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((event) => message === undefined || event.msg === message);
  const mirrors = async (): Promise<Record<string, MirrorReport>> => {
    const response = await fetch(`http://127.0.0.1:${adminPort}/mirrors`);
    assert.equal(response.status, 200);
    return (await response.json()) as Record<string, MirrorReport>;
  };
  const gateway: Gateway = {
    ports,
    port: ports[0]!,
    adminPort,
    pid: child.pid!,
    file,
    lines,
    logs,
    exited,
    mirrors,
    async waitForLog(message, count = 1) {
      await watch.until(
        (line) => line.startsWith('{') && line.includes(`"msg":"${message}"`),
        count,
        SETTLE_MS,
      );
      return logs(message)[count - 1]!;
    },
    async settled(expectedMatched = {}) {
      const deadline = performance.now() + SETTLE_MS;
      for (let inARow = 0; ; ) {
        const reports = await mirrors();
        const arrived = Object.entries(expectedMatched).every(
          ([id, matched]) => reports[id]?.matched === matched,
        );
        inARow = arrived && isBalanced(reports) ? inARow + 1 : 0;
        if (inARow === 2) return reports;
        if (performance.now() > deadline) {
          assertBalanced(reports);
          assert.fail(
            `matched: expected ${JSON.stringify(expectedMatched)}, found ${JSON.stringify(reports)}`,
          );
        }
        await sleep(20);
      }
    },
    async reload(config) {
      const count = logs('routes reloaded').length + logs('reload refused, the old config stays').length;
      writeFileSync(file, toText({ ...options, config }, own));
      child.kill('SIGHUP');
      const isDone = (line: string): boolean =>
        line.includes('"msg":"routes reloaded"') || line.includes('"msg":"reload refused');
      await watch.until(isDone, count + 1, SETTLE_MS);
    },
    signal: (signal) => {
      child.kill(signal);
    },
    async stop({ balanced = true } = {}) {
      try {
        if (balanced && child.exitCode === null) await gateway.settled();
      } catch (error) {
        child.kill('SIGKILL');
        throw error;
      }
      child.kill('SIGTERM');
      return exited;
    },
  };
  return gateway;
}

interface LineWatch {
  /** Resolves with the nth line that fits, or rejects when none came in time or the process has ended. */
  until(fits: (line: string) => boolean, count: number, deadlineMs: number): Promise<string>;
  wake(): void;
}

function watchLines(child: ChildProcess, lines: string[]): LineWatch {
  const waiting = new Set<() => void>();
  let ended = false;
  const wake = (): void => {
    for (const check of [...waiting]) check();
  };
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      wake();
    });
  }
  child.once('close', () => {
    ended = true;
    wake();
  });
  return {
    wake,
    until: (fits, count, deadlineMs) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => give(`no such line within ${deadlineMs} ms`), deadlineMs);
        const give = (reason: string): void => {
          clearTimeout(timer);
          waiting.delete(check);
          reject(new Error(`${reason}:\n${lines.join('\n')}`));
        };
        const check = (): void => {
          const found = lines.filter(fits)[count - 1];
          if (found !== undefined) {
            clearTimeout(timer);
            waiting.delete(check);
            resolve(found);
          } else if (ended) give('the gateway has ended');
        };
        waiting.add(check);
        check();
      }),
  };
}
