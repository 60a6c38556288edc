// One gateway's commands to the Redis that keeps the resources.
//
// Owns the command connection, Redis's clock as it is known here, and the truth about a write whose answer was lost. Knows
// nothing of what is in force.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisSettings } from '../../core/model.ts';
import { RedisConnection, RedisFailure } from '../../redis/connection.ts';
import {
  type Head,
  type Keys,
  parseReadAnswer,
  parseWriteAnswer,
  READ,
  RESOURCES_MAX,
  RESTORE,
  type ReadAnswer,
  SETTLE,
  type StoredAnswer,
  WRITE,
  type WriteAnswer,
} from './redis-script.ts';
import type { KnownSet } from './redis-set.ts';
import { type Change, toKey } from './store.ts';

/** How long a lost answer is looked for, at least; with a longer timeout, that long. */
const SETTLE_MS_MIN = 1_000;
const SETTLE_STEP_MS = 20;

/** What became of a write. */
export type WriteResult =
  | StoredAnswer
  | { readonly type: 'conflict' }
  /** Not stored, or nobody could say so in time: the cause says which. It is not stored later than the timeout. */
  | { readonly type: 'refused'; readonly cause: string };

export interface SessionHooks {
  readonly onState: (isUp: boolean, cause: string | null) => void;
  /** A write had no answer in time, or the connection broke meanwhile. */
  readonly onLost: (cause: string) => void;
}

/** A whole set over a slow line; a Redis that sends nothing is given up much sooner. */
export const READ_MS = 30_000;

export class RedisSession {
  readonly #keys: Keys;
  readonly #connection: RedisConnection;
  readonly #timeoutMs: number;
  readonly #hooks: SessionHooks;
  readonly #node: string;
  /** Redis's clock minus performance.now(). */
  #clockMs = 0;
  #writes = 0;
  #isClosed = false;

  /** Connects. `node` names this process among all that share the resources. */
  constructor(settings: RedisSettings, keys: Keys, node: string, hooks: SessionHooks) {
    this.#node = node;
    this.#keys = keys;
    this.#timeoutMs = settings.timeoutMs;
    this.#hooks = hooks;
    this.#connection = new RedisConnection(settings, { onState: hooks.onState });
  }

  get isUp(): boolean {
    return this.#connection.isUp;
  }

  /** Why it is not up. */
  get cause(): string {
    return this.#connection.cause;
  }

  /** At once; what is under way fails. */
  close(): void {
    this.#isClosed = true;
    this.#connection.close();
  }

  /** All resources where the state is another than the known one. Rejects with RedisFailure. */
  async read(head: Head | null): Promise<ReadAnswer> {
    const { epoch, revision, stamp } = head ?? { epoch: '', revision: '', stamp: '' };
    const sentMs = performance.now();
    const known = [epoch, revision, stamp];
    const answer = await this.#connection.run(READ, [this.#keys.hash], known, READ_MS);
    const read = parseReadAnswer(answer);
    this.#clockMs = read.serverMs - (sentMs + performance.now()) / 2;
    return read;
  }

  /** Makes a set of the texts, by field, where there is none: its head, or null when there is one. Rejects with RedisFailure. */
  async restore(revision: number, texts: Readonly<Record<string, string>>): Promise<Head | null> {
    const head: Head = { epoch: randomUUID(), revision, stamp: randomUUID() };
    const values = [
      head.epoch,
      head.revision,
      head.stamp,
      this.#keys.channel,
      ...Object.entries(texts).flat(),
    ];
    return (await this.#connection.run(RESTORE, [this.#keys.hash], values)) === 1 ? head : null;
  }

  /** `text` is the value's, empty for a removal. Takes at most twice the timeout. Never rejects for what Redis does. */
  async write(known: KnownSet, change: Change, text: string): Promise<WriteResult> {
    this.#writes += 1;
    const number = this.#writes;
    const field = toKey(change.kind, change.id);
    const damaged = known.damaged.get(field);
    const lastCreated = known.entries.get(field)?.resource.createdIndex;
    const stamp = `${this.#node}-${number}`;
    const values = [
      field,
      change.basis ?? '',
      text,
      known.head.epoch,
      number,
      stamp,
      performance.now() + this.#clockMs + this.#timeoutMs,
      this.#keys.channel,
      damaged ?? '',
      damaged === undefined || lastCreated === undefined ? '' : lastCreated,
    ];
    try {
      const answer = await this.#connection.run(WRITE, [this.#keys.hash, this.#keys.outcome], values);
      return toResult(parseWriteAnswer(answer), 'too slow');
    } catch (error) {
      if (!(error instanceof RedisFailure)) throw error;
      const cause = error.message;
      if (error.isAnswer) return { type: 'refused', cause: `${cause}; the change was not stored` };
      this.#hooks.onLost(cause);
      const answer = await this.#settle(number);
      if (answer !== null) return toResult(answer, cause);
      return { type: 'refused', cause: `${cause}; whether the change was stored is not known` };
    }
  }

  /** Finds out what became of a write without an answer; null when Redis does not say so in time. */
  async #settle(number: number): Promise<WriteAnswer | null> {
    const limitMs = performance.now() + Math.max(SETTLE_MS_MIN, this.#timeoutMs);
    while (!this.#isClosed && performance.now() < limitMs) {
      if (this.#connection.isUp) {
        const answer = await this.#ask(number, limitMs - performance.now());
        if (answer !== null) return answer;
      }
      await sleep(SETTLE_STEP_MS);
    }
    return null;
  }

  async #ask(number: number, withinMs: number): Promise<WriteAnswer | null> {
    const over = new AbortController();
    const late = sleep(withinMs, null, { signal: over.signal });
    late.catch(() => undefined);
    try {
      const answer = this.#connection.run(SETTLE, [this.#keys.outcome], [number]).then(parseWriteAnswer);
      return await Promise.race([answer, late]);
    } catch (error) {
      if (!(error instanceof RedisFailure)) throw error;
      return null;
    } finally {
      over.abort();
    }
  }
}

function toResult(answer: WriteAnswer, lateCause: string): WriteResult {
  switch (answer.type) {
    case 'late':
      return { type: 'refused', cause: `${lateCause}; the change was not stored` };
    case 'full':
      return { type: 'refused', cause: `there are ${RESOURCES_MAX} resources already` };
    default:
      return answer;
  }
}
