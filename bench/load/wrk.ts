// Closed loop by wrk, where it is installed: as many requests as the gateway takes, from a client that costs little.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessGroup } from './processes.ts';
import { within } from './processes.ts';
import { type Row, toPath } from './rows.ts';

/** wrk takes whole seconds. */
const SECONDS = 1;
const LIMIT_MS = 20_000;

export interface WrkResult {
  readonly requests: number;
  readonly seconds: number;
}

export const hasWrk = spawnSync('wrk', ['--version']).error === undefined;

export class Wrk {
  readonly #group: ProcessGroup;
  readonly #folder: string;
  readonly #cores: string | null;

  /** The folder is the benchmark's own. */
  constructor(group: ProcessGroup, folder: string, cores: string | null) {
    this.#group = group;
    this.#folder = folder;
    this.#cores = cores;
  }

  /** Rejects when a single answer was not 200, or a connection broke. */
  async run(row: Row, port: number, connections: number): Promise<WrkResult> {
    const url = `${row.tls ? 'https' : 'http'}://127.0.0.1:${port}${toPath(row.load)}`;
    const parameters = [
      '-t',
      '1',
      '-c',
      String(connections),
      '-d',
      `${SECONDS}s`,
      '-s',
      this.#writeScript(row),
      url,
    ];
    const child = this.#group.spawn('wrk', parameters, {
      stdio: ['ignore', 'pipe', 'inherit'],
      cores: this.#cores,
    });
    let report = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      report += text;
    });
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    await within(LIMIT_MS, 'wrk', ended);
    return parseReport(row, report);
  }

  /** The same head as the other load client's, so that both put the same load on a gateway. */
  #writeScript({ name, load }: Row): string {
    const file = join(this.#folder, `wrk-${name}.lua`);
    const lines = [
      'wrk.headers["User-Agent"] = "umbra-bench/1.0"',
      'wrk.headers["Accept"] = "application/json"',
      'wrk.headers["Accept-Encoding"] = "identity"',
      'wrk.headers["Authorization"] = "Bearer 0123456789abcdef0123456789abcdef"',
      'wrk.headers["X-Request-Id"] = "0123456789abcdef"',
      'wrk.headers["Cookie"] = "session=0123456789abcdef0123456789abcdef"',
      ...(load.requestBytes === 0
        ? []
        : ['wrk.method = "POST"', `wrk.body = string.rep("x", ${load.requestBytes})`]),
      'function done(summary)',
      '  local errors = summary.errors',
      '  io.write(string.format("result %d %d %d\\n", summary.requests, summary.duration,',
      '    errors.connect + errors.read + errors.write + errors.status + errors.timeout))',
      'end',
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    return file;
  }
}

function parseReport({ title }: Row, report: string): WrkResult {
  const result = /^result (\d+) (\d+) (\d+)$/m.exec(report);
  if (result === null) throw new Error(`wrk said nothing of its result for ${title}:\n${report}`);
  const [requests = 0, microseconds = 0, errors = 0] = result.slice(1).map(Number);
  if (errors > 0 || requests === 0) {
    throw new Error(`wrk saw ${errors} errors in ${requests} requests for ${title}:\n${report}`);
  }
  return { requests, seconds: microseconds / 1e6 };
}
