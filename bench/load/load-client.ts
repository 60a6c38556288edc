// The parent's side of a load client: starts the process, asks it for phases, ends it.

import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { ClientOptions, Phase, PhaseResult } from './phase.ts';
import { nextMessage, type ProcessGroup } from './processes.ts';

const CLIENT_FILE = join(import.meta.dirname, 'client.ts');

export class LoadClient {
  readonly #group: ProcessGroup;
  readonly #child: ChildProcess;

  constructor(group: ProcessGroup, options: ClientOptions, cores: string | null) {
    this.#group = group;
    this.#child = group.fork(CLIENT_FILE, options, cores);
  }

  /** Rejects when a request fails, is answered by other than 200, or the phase takes longer than the limit. */
  async run(phase: Phase, limitMs: number): Promise<PhaseResult> {
    const answer = nextMessage<PhaseResult>(this.#child, limitMs, `${phase.requests} requests`);
    this.#child.send(phase);
    const result = await answer;
    if (result.refused > 0) throw new Error(`${result.refused} of ${phase.requests} answers were not 200`);
    return result;
  }

  close(): Promise<void> {
    return this.#group.stop(this.#child);
  }
}
