// What a load benchmark stands on: the origins, a folder of its own, all processes. One for the whole run.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { type Certificate, createCertificate } from '../../test/kit/certificate.ts';
import type { OriginKind, OriginReady } from '../origin.ts';
import type { Cores } from './cores.ts';
import { type Gateway, type Launcher, NATIVE, startGateway } from './gateway.ts';
import { LoadClient } from './load-client.ts';
import { nextMessage, ProcessGroup } from './processes.ts';
import { type Row, toPath } from './rows.ts';
import { Shadow } from './shadow.ts';
import { hasWrk, Wrk } from './wrk.ts';

const ORIGIN_FILE = resolve(import.meta.dirname, '../origin.ts');
const ORIGIN_LIMIT_MS = 10_000;
const ANSWERING_SHADOWS = 3;

/** A gateway with its own load client, and the shadows that get its copies. */
export interface Pair {
  readonly gateway: Gateway;
  readonly client: LoadClient;
  readonly shadows: readonly Shadow[];
}

export class Site {
  readonly group = new ProcessGroup();
  readonly cores: Cores | null;
  /** Null where it is not installed. */
  readonly wrk: Wrk | null;
  readonly #folder = mkdtempSync(join(tmpdir(), 'umbra-bench-'));
  #primary: Shadow | null = null;
  #shadows: Record<'answering' | 'empty', readonly Shadow[]> | null = null;
  /** By row: copies that reach a slow shadow late must not count for another row. */
  readonly #ownShadows = new Map<string, readonly Shadow[]>();
  #certificate: Certificate | null = null;

  constructor(cores: Cores | null) {
    this.cores = cores;
    this.wrk = hasWrk ? new Wrk(this.group, this.#folder, cores?.others ?? null) : null;
    process.once('exit', () => {
      this.#certificate?.remove();
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  /** Primary and shadows are processes of their own, so that one's load is not the other's. */
  async open(): Promise<void> {
    this.#primary = await this.startShadow('answering');
    this.#shadows = {
      answering: await Promise.all(
        Array.from({ length: ANSWERING_SHADOWS }, () => this.startShadow('answering')),
      ),
      empty: [await this.startShadow('empty')],
    };
  }

  /** An origin beyond those that every row uses. */
  async startShadow(kind: OriginKind): Promise<Shadow> {
    const child = this.group.fork(ORIGIN_FILE, kind, this.cores?.others ?? null);
    const { port } = await nextMessage<OriginReady>(child, ORIGIN_LIMIT_MS, 'an origin');
    return new Shadow(child, port);
  }

  /** `shadows` in place of those that the row asks for. */
  async startPair(
    row: Row,
    launcher: Launcher = NATIVE,
    given: readonly Shadow[] | null = null,
  ): Promise<Pair> {
    const shadows = given ?? (await this.#findShadows(row));
    const gateway = await startGateway(this.group, {
      row,
      folder: this.#folder,
      primaryPort: this.#primary!.port,
      shadowPorts: shadows.map(({ port }) => port),
      certificate: row.tls ? this.#openCertificate() : null,
      launcher,
      cores: this.cores?.gateway ?? null,
    });
    const { requestBytes } = row.load;
    const client = new LoadClient(
      this.group,
      { port: gateway.port, path: toPath(row.load), requestBytes, tls: row.tls },
      this.cores?.others ?? null,
    );
    return { gateway, client, shadows };
  }

  async stopPair({ gateway, client }: Pair): Promise<void> {
    await client.close();
    if (gateway.child !== null) await this.group.stop(gateway.child);
  }

  close(): Promise<void> {
    return this.group.stopAll();
  }

  async #findShadows({ name, mirror }: Row): Promise<readonly Shadow[]> {
    if (mirror === null) return [];
    if (mirror.shadow === 'refusing') return [REFUSING];
    if (mirror.shadow === 'answering' || mirror.shadow === 'empty') {
      return this.#shadows![mirror.shadow].slice(0, mirror.copies);
    }
    const own = this.#ownShadows.get(name) ?? [await this.startShadow(mirror.shadow)];
    this.#ownShadows.set(name, own);
    return own;
  }

  #openCertificate(): Certificate {
    this.#certificate ??= createCertificate();
    return this.#certificate;
  }
}

/** Nothing listens on the first of all ports. */
const REFUSING = new Shadow(null, 1);
