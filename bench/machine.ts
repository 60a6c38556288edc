// On what, with what and when a benchmark ran: printed above every table and kept in every result.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const ROOT = join(import.meta.dirname, '..');

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  readonly umbra: string;
  /** Of the checkout; empty where there is none. `+` when files differ from it. */
  readonly commit: string;
  /** Over the last minute before the start. */
  readonly loadAverage: number;
  readonly startedAt: string;
}

export function describeMachine(): Machine {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    umbra: manifest.version,
    commit: readGit('describe', '--always', '--dirty=+', '--exclude=*'),
    loadAverage: loadavg()[0]!,
    startedAt: new Date().toISOString(),
  };
}

/** Changes whenever a file of the gateway does: one run must not measure two versions. */
export function readSourceState(): string {
  const folder = join(ROOT, 'src');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return files.map((file) => `${file} ${statSync(join(folder, file)).mtimeMs}`).join('\n');
}

function readGit(...parameters: readonly string[]): string {
  const { status, stdout } = spawnSync('git', parameters, { cwd: ROOT, encoding: 'utf8', timeout: 5_000 });
  return status === 0 ? stdout.trim() : '';
}
