// Every process that the load benchmarks start: started here, ended here, none left behind.
//
// Ends only what it started itself, by its id. A process that dies early is an error of whoever waits for it.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import process from 'node:process';

const STOP_GRACE_MS = 3_000;

export interface StartOptions {
  readonly cwd?: string;
  readonly stdio: SpawnOptions['stdio'];
  /** A list for `taskset -c`, or null to leave it to the system. */
  readonly cores: string | null;
}

/** Rejects when the promise takes longer than that. */
export async function within<T>(limitMs: number, what: string, promise: Promise<T>): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what}: nothing within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** The processes of one benchmark run. Each leads a process group of its own, which ends with it. */
export class ProcessGroup {
  readonly #running = new Set<ChildProcess>();

  constructor() {
    // The last resort, when the run itself ends by a signal or an error.
    process.once('exit', () => {
      for (const child of this.#running) kill(child, 'SIGKILL');
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => process.exit(130));
    }
  }

  /** Starts a script of ours that talks over IPC; typed arrays survive the channel. */
  fork(file: string, argument: unknown, cores: string | null): ChildProcess {
    return this.spawn(process.execPath, [file, JSON.stringify(argument)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      cores,
    });
  }

  spawn(command: string, parameters: readonly string[], { cores, ...options }: StartOptions): ChildProcess {
    const words =
      cores === null ? [command, ...parameters] : ['taskset', '-c', cores, command, ...parameters];
    // taskset becomes the command, so the id is the command's.
    const child = spawn(words[0]!, words.slice(1), { ...options, serialization: 'advanced', detached: true });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    return child;
  }

  /** Of those that run. */
  pids(): number[] {
    return [...this.#running].map((child) => child.pid!);
  }

  /** Asks it to end, and after a while ends it. Resolves when it is gone. */
  async stop(child: ChildProcess): Promise<void> {
    if (!this.#running.has(child)) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const timer = setTimeout(() => kill(child, 'SIGKILL'), STOP_GRACE_MS);
    child.kill('SIGTERM');
    await gone;
    clearTimeout(timer);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((child) => this.stop(child)));
  }
}

/** With all that it has started itself. */
function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch {
    // Gone by itself.
  }
}

/** The next message on the child's IPC channel; rejects when the child ends first. */
export async function nextMessage<T>(child: ChildProcess, limitMs: number, what: string): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onExit = (code: number | null): void => reject(new Error(`${what}: its process ended with ${code}`));
  const onMessage = (message: unknown): void => resolve(message as T);
  child.once('exit', onExit);
  child.once('error', reject);
  child.once('message', onMessage);
  try {
    return await within(limitMs, what, promise);
  } finally {
    child.off('exit', onExit);
    child.off('error', reject);
    child.off('message', onMessage);
  }
}
