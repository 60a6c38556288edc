#!/usr/bin/env node
// The command line: reads it, puts the parts together, turns signals into calls and endings into exit codes.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runDemo } from './command/demo.ts';
import { runVerdict } from './command/verdict.ts';
import { checkFiles, checkTogether } from './config/check.ts';
import { convertFiles } from './config/convert.ts';
import { loadConfig } from './config/loader.ts';
import { ConfigError, formatProblem } from './config/problem.ts';
import type { Supervisor } from './control/supervisor.ts';
import { workerFile } from './core/worker-file.ts';

const USAGE = `usage: umbra [run] [--config FILE]...  run the gateway; several files make one config (default: config/umbra.yaml)
       umbra check FILE...            validate config files, each by itself, print every problem
       umbra check [--config FILE]... validate files as the one config that run would make of them
       umbra convert FILE...          print umbra's own config for files of any accepted form
       umbra verdict [flags]          ask a running gateway whether the shadows may take over; flags: umbra verdict --help
       umbra demo [--keep]            show what mirroring finds, on sample servers; keep them for the dashboard
       umbra --version | --help

signals: SIGHUP reloads the config, SIGTERM and SIGINT drain, a second one ends at once
`;

const DEFAULT_FILE = 'config/umbra.yaml';
const EXIT_NO_VERDICT = 2;

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function fail(message: string, code = 1): never {
  process.stderr.write(`umbra: ${message}\n`);
  process.exit(code);
}

/** A mistake in the command line. */
function refuse(message: string): never {
  process.stderr.write(`umbra: ${message}\n\n${USAGE}`);
  process.exit(2);
}

async function run(files: readonly string[]): Promise<void> {
  // Before anything is ready: a reload that is asked for during the start follows it.
  const started = Promise.withResolvers<Supervisor>();
  process.on('SIGHUP', () => void started.promise.then((supervisor) => reload(supervisor, files)));
  await startGateway(files, (supervisor) => {
    drainOnSignal(supervisor);
    started.resolve(supervisor);
  });
}

function drainOnSignal(supervisor: Supervisor): void {
  const drain = (): void => {
    // From here on a second one does what it does by default: it ends the process, at once and whatever runs.
    process.removeAllListeners('SIGTERM');
    process.removeAllListeners('SIGINT');
    void supervisor.drain().then(() => process.exit(0));
  };
  process.once('SIGTERM', drain);
  process.once('SIGINT', drain);
}

async function reload(supervisor: Supervisor, files: readonly string[]): Promise<void> {
  try {
    await supervisor.reload(loadConfig(files, process.env));
  } catch (error) {
    if (error instanceof ConfigError) {
      supervisor.addRefusedReload(error.problems.map(formatProblem));
      return;
    }
    // Ours: whatever it is, the gateway goes on with what it has.
    const { message, stack = message } = error instanceof Error ? error : new Error(String(error));
    supervisor.logs.error('reload failed', { stack });
    supervisor.addRefusedReload([`the reload failed: ${message}`]);
  }
}

/** `onStarted` is called before the gateway says that it is ready. */
async function startGateway(
  files: readonly string[],
  onStarted: (supervisor: Supervisor) => void,
): Promise<void> {
  try {
    // Only here: the other commands need nothing of the gateway.
    const { Supervisor } = await import('./control/supervisor.ts');
    const supervisor: Supervisor = new Supervisor({
      config: loadConfig(files, process.env),
      version: readVersion(),
      frontendFile: workerFile(import.meta.url, './frontend-thread.ts'),
      onFatal: (error) => {
        process.stderr.write(`umbra: a front-end thread is lost: ${error.message}\n`);
        void supervisor.drain().then(() => process.exit(1));
      },
    });
    const { listeners, admin, adminKeyFile } = await supervisor.start();
    onStarted(supervisor);
    if (adminKeyFile !== null) process.stdout.write(`umbra admin key: in ${adminKeyFile}\n`);
    process.stdout.write(`umbra ready: ${listeners.join(' ')} admin ${admin}\n`);
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const problem of error.problems) process.stderr.write(`${formatProblem(problem)}\n`);
      process.exit(1);
    }
    fail(error instanceof Error ? error.message : String(error));
  }
}

/** A pipeline reads the exit code: 1 is a shadow that fails, and nothing else may end so. */
async function verdict(args: readonly string[]): Promise<void> {
  let isLost = false;
  const lose = (error: unknown): void => {
    if (!isLost) {
      isLost = true;
      // Where that is what fails, nobody can be told.
      process.stderr.write(`umbra verdict: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  };
  process.stdout.on('error', lose);
  process.stderr.on('error', lose);
  process.on('uncaughtException', (error) => {
    lose(error);
    process.exit(EXIT_NO_VERDICT);
  });
  // A stream may fail before the code is known, or after.
  process.on('exit', () => {
    if (isLost) process.exitCode = EXIT_NO_VERDICT;
  });
  try {
    process.exitCode = await runVerdict(args, process.env, process.stdout, process.stderr);
  } catch (error) {
    lose(error);
  }
}

async function main(argv: readonly string[]): Promise<void> {
  // It has flags of its own.
  if (argv[0] === 'verdict') return verdict(argv.slice(1));
  const { values, positionals } = readArguments(argv);
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  if (values.version) {
    process.stdout.write(`umbra ${readVersion()}\n`);
    return;
  }
  const [command = 'run', ...files] = positionals;
  switch (command) {
    case 'run':
      if (files.length > 0) refuse(`run takes its file by --config, found ${files[0]}`);
      return run(values.config ?? [DEFAULT_FILE]);
    case 'check':
      process.exitCode = check(files, values.config);
      return;
    case 'convert':
      if (files.length === 0) refuse('convert needs at least one file');
      process.exitCode = convertFiles(files, process.env, process.stdout, process.stderr);
      return;
    case 'demo':
      return runDemo({ keep: values.keep });
    default:
      refuse(`unknown command ${command}`);
  }
}

/** Returns the exit code. */
function check(files: readonly string[], together: readonly string[] = []): number {
  const write = (line: string): void => void process.stdout.write(line);
  if (together.length === 0) {
    if (files.length === 0) refuse('check needs at least one file');
    return checkFiles(files, process.env, write);
  }
  if (files.length > 0) refuse(`check takes files or --config, not both, found ${files[0]}`);
  return checkTogether(together, process.env, write);
}

function readArguments(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        config: { type: 'string', short: 'c', multiple: true },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

await main(process.argv.slice(2));
