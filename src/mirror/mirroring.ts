// Mirroring as one front end sees it: its lanes, its mirrored routes, and what is under way to each shadow.
//
// Deleting the line that hands observe() to the front end, and this folder, leaves a working gateway.

import {
  frontendWriter,
  laneWriter,
  ProcessBook,
  type RouteEntry,
  ShadowBook,
  ThreadCell,
  type Writers,
  writerCount,
} from '../core/book.ts';
import type { Clock } from '../core/clock.ts';
import type { Observation } from '../core/observer.ts';
import { ShadowAccount } from './account.ts';
import { AnswerMemory } from './answer-memory.ts';
import { Lane } from './lane.ts';
import { MirrorRoute } from './mirror-route.ts';

export interface MirroringOptions {
  readonly frontend: number;
  readonly writers: Writers;
  readonly processBook: SharedArrayBuffer;
  readonly logChannel: string;
  readonly findingsChannel: string;
  readonly workerFile: string;
  readonly clock: Clock;
  /** Whether the machine has no time for copies. */
  readonly isOverloaded: () => boolean;
  readonly onDefect: (error: unknown) => void;
}

export class Mirroring {
  readonly lanes: readonly Lane[];
  readonly #options: MirroringOptions;
  readonly #cells: Float64Array;
  readonly #row: number;
  readonly #routes = new Map<number, MirrorRoute>();
  /** By route id and shadow origin, as the books are. */
  readonly #accounts = new Map<string, ShadowAccount>();
  /** Accounts that no route uses any more. */
  readonly #leaving = new Set<ShadowAccount>();
  readonly #answerMemory = new AnswerMemory();
  #nextKey = 1;
  #nextStream = 1;
  #stopped = false;

  constructor(options: MirroringOptions) {
    const { writers, frontend, processBook, logChannel, findingsChannel } = options;
    this.#options = options;
    const book = new ProcessBook(processBook, writers);
    this.#cells = book.threads;
    this.#row = book.threadRow(frontend);
    this.lanes = Array.from(
      { length: writers.lanes },
      (_, lane) =>
        new Lane({
          workerData: {
            workerFile: options.workerFile,
            writers,
            frontend,
            lane,
            processBook,
            logChannel,
            findingsChannel,
          },
          clock: options.clock,
          onLost: () => this.#onLost(lane),
          onReady: () => this.#countThreads(),
          onDefect: options.onDefect,
        }),
    );
  }

  /** The route's observation; null when it has no mirror. The observation must be retired. */
  observe(entry: RouteEntry): Observation | null {
    const { mirror } = entry.route;
    if (mirror === null) return null;
    const key = this.#nextKey++;
    for (const lane of this.lanes) lane.addRule({ key, entry });
    const route = new MirrorRoute({
      key,
      entry,
      mirror,
      accounts: mirror.shadows.map((shadow, index) => this.#account(entry, shadow.origin, index)),
      writer: frontendWriter(this.#options.writers, this.#options.frontend),
      lanes: this.lanes,
      answerMemory: this.#answerMemory,
      isOverloaded: this.#options.isOverloaded,
      isStopped: () => this.#stopped,
      nextStream: () => this.#stream(),
      onRetired: (retired) => this.#onRetired(retired),
    });
    this.#routes.set(key, route);
    return route;
  }

  /** Brings the gauges up to date. */
  refresh(): void {
    let bytes = 0;
    for (const route of this.#routes.values()) bytes += route.queuedBytes();
    this.#cells[this.#row + ThreadCell.queued_bytes] = bytes;
  }

  /** Whether every copy that was handed over has ended. */
  isSettled(): boolean {
    return (
      this.lanes.every((lane) => lane.isEmpty) &&
      [...this.#accounts.values()].every((account) => account.isSettled())
    );
  }

  /** Takes no more copies, gives those under way so long to end, and ends the threads. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.lanes.map((lane) => lane.stop(graceMs)));
    this.refresh();
  }

  #account(entry: RouteEntry, origin: string, index: number): ShadowAccount {
    const name = `${entry.route.id} ${origin}`;
    let account = this.#accounts.get(name);
    if (account === undefined) {
      const { writers, frontend } = this.#options;
      const lanes = this.lanes.map((_, lane) => laneWriter(writers, frontend, lane));
      account = new ShadowAccount(
        name,
        new ShadowBook(entry.memory.shadows[index]!, writerCount(writers)),
        lanes,
      );
      this.#accounts.set(name, account);
    }
    account.users++;
    return account;
  }

  #onRetired(route: MirrorRoute): void {
    this.#routes.delete(route.key);
    for (const lane of this.lanes) lane.retireRule(route.key);
    for (const account of route.accounts) {
      account.users--;
      if (account.users === 0) this.#leaving.add(account);
    }
    // Copies may still be under way; what is not settled now is looked at next time.
    for (const account of this.#leaving) {
      if (account.users === 0 && !account.isSettled()) continue;
      this.#leaving.delete(account);
      if (account.users === 0) this.#accounts.delete(account.name);
    }
  }

  #onLost(lane: number): void {
    this.#countThreads();
    if (!this.#stopped) this.#add(ThreadCell.mirror_threads_lost, 1);
    const now = this.#options.clock();
    for (const account of this.#accounts.values()) account.settleLost(lane, now);
  }

  #countThreads(): void {
    this.#cells[this.#row + ThreadCell.mirror_threads] = this.lanes.filter(
      ({ thread }) => thread !== null,
    ).length;
  }

  /** Names a stream of chunk records; 0 is none. */
  #stream(): number {
    const stream = this.#nextStream;
    this.#nextStream = stream === 0xffff_ffff ? 1 : stream + 1;
    return stream;
  }

  #add(cell: number, amount: number): void {
    const at = this.#row + cell;
    this.#cells[at] = this.#cells[at]! + amount;
  }
}
