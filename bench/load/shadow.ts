// The parent's side of an origin process: its port, how many requests have come to it, and how to freeze it.

import type { ChildProcess } from 'node:child_process';
import type { OriginCount } from '../origin.ts';
import { nextMessage } from './processes.ts';

const COUNT_LIMIT_MS = 10_000;

export class Shadow {
  readonly port: number;
  readonly #child: ChildProcess | null;

  /** Without a process nothing listens on the port. */
  constructor(child: ChildProcess | null, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Requests that have come to it. */
  async readCount(): Promise<number> {
    if (this.#child === null) return 0;
    const answer = nextMessage<OriginCount>(this.#child, COUNT_LIMIT_MS, 'the count of an origin');
    this.#child.send('count');
    return (await answer).requests;
  }

  /** From now on its connections are accepted, by the kernel, and nothing is answered. */
  freeze(): void {
    this.#child!.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child!.kill('SIGCONT');
  }
}
