// Hears that somebody has changed the resources in Redis.
//
// Owns the connection for it: a subscribed one takes no other commands. What it misses is found by the periodic check.

import type { RedisSettings } from '../../core/model.ts';
import { RedisConnection } from '../../redis/connection.ts';

export class ChangeListener {
  readonly #channel: string;
  readonly #onNews: (text: string | null) => void;
  readonly #connection: RedisConnection;
  #isSubscribed = false;

  /** Connects. `onNews` gets what was published, and null when something may have been missed. */
  constructor(settings: RedisSettings, channel: string, onNews: (text: string | null) => void) {
    this.#channel = channel;
    this.#onNews = onNews;
    this.#connection = new RedisConnection(settings, {
      onState: (isUp) => {
        this.#isSubscribed = false;
        if (isUp) this.#subscribe();
      },
      onMessage: (_channel, text) => onNews(text),
    });
  }

  /** Subscribes where that has failed. */
  check(): void {
    if (this.#connection.isUp && !this.#isSubscribed) this.#subscribe();
  }

  close(): void {
    this.#connection.close();
  }

  #subscribe(): void {
    this.#connection.subscribe(this.#channel).then(
      () => {
        this.#isSubscribed = true;
        this.#onNews(null);
      },
      () => undefined,
    );
  }
}
