// What a load benchmark stands on: the processes, the origins, a folder of its own. One for the whole run.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import type { OriginOptions, OriginReady } from '../origin.ts';
import { type Gateway, type Launcher, startGateway } from './gateway.ts';
import { LoadClient } from './load-client.ts';
import { nextMessage, ProcessGroup } from './processes.ts';
import { REQUEST_PATH, type ShadowKind, type Variant } from './variants.ts';

const ORIGIN_FILE = resolve(import.meta.dirname, '../origin.ts');
const ORIGIN_LIMIT_MS = 10_000;

export const BODY_BYTES = 1024;

/** A gateway with its own load client. */
export interface Pair {
  readonly gateway: Gateway;
  readonly client: LoadClient;
}

export class Site {
  readonly group = new ProcessGroup();
  readonly #folder = mkdtempSync(join(tmpdir(), 'umbra-bench-'));
  #primaryPort = 0;
  #shadowPort: Record<ShadowKind, number> = { answering: 0, hung: 0 };

  constructor() {
    process.once('exit', () => rmSync(this.#folder, { recursive: true, force: true }));
  }

  /** Primary and shadow are processes of their own, so that one's load is not the other's. */
  async open(): Promise<void> {
    this.#primaryPort = await this.#startOrigin({ kind: 'answering', bodyBytes: BODY_BYTES });
    this.#shadowPort = {
      answering: await this.#startOrigin({ kind: 'answering', bodyBytes: BODY_BYTES }),
      hung: await this.#startOrigin({ kind: 'hung', bodyBytes: 0 }),
    };
  }

  async startPair(variant: Variant, launcher: Launcher): Promise<Pair> {
    const gateway = await startGateway(this.group, {
      variant,
      folder: this.#folder,
      primaryPort: this.#primaryPort,
      shadowPort: this.#shadowPort,
      launcher,
    });
    return { gateway, client: new LoadClient(this.group, { port: gateway.port, path: REQUEST_PATH }) };
  }

  async stopPair({ gateway, client }: Pair): Promise<void> {
    await client.close();
    await this.group.stop(gateway.process);
  }

  close(): Promise<void> {
    return this.group.stopAll();
  }

  async #startOrigin(options: OriginOptions): Promise<number> {
    const child = this.group.fork(ORIGIN_FILE, options);
    return (await nextMessage<OriginReady>(child, ORIGIN_LIMIT_MS, 'an origin')).port;
  }
}
