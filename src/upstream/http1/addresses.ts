// The addresses of one origin: looked up by name, again when they have grown old, all of them used.
//
// The system's resolver says which (hosts file, search domains and all), DNS says for how long. A look-up that fails
// leaves the known addresses in force. An origin given by address is never looked up.

import { type LookupAddress, lookup as lookupName, Resolver } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

/** For a name that DNS does not give a time to live for, such as one from the hosts file. */
const LIFE_MS = 30_000;
const LIFE_MS_MIN = 1_000;
const LIFE_MS_MAX = 300_000;
/** For the time to live alone: nobody waits for it. */
const TTL_QUERY = { timeout: 1_000, tries: 1 };

export class OriginAddresses {
  readonly #host: string;
  readonly #resolver: Resolver | null;
  #known: readonly LookupAddress[] = [];
  #lookedUpMs = 0;
  readonly #unknownLifeMs: number;
  #lifeMs: number;
  /** Where the next connection begins to try. */
  #turn = 0;
  #waiting: ((error: NodeJS.ErrnoException | null) => void)[] = [];

  /** Host name or address, IPv6 without brackets. `lifeMs`: where DNS gives no time to live. */
  constructor(host: string, lifeMs: number = LIFE_MS) {
    this.#host = host;
    this.#unknownLifeMs = lifeMs;
    this.#lifeMs = lifeMs;
    this.#resolver = isIP(host) === 0 ? new Resolver(TTL_QUERY) : null;
  }

  get isFixed(): boolean {
    return this.#resolver === null;
  }

  /** Milliseconds until the known addresses should be looked up again. */
  get lifeMs(): number {
    return this.#lifeMs;
  }

  /** Whether connections to that address may stay; while nothing is known, all may. */
  has(address: string | undefined): boolean {
    return this.#known.length === 0 || this.#known.some((known) => known.address === address);
  }

  /** For net.connect(): all addresses, each connection beginning with the next one. */
  readonly lookup: LookupFunction = (_host, _options, callback) => {
    const isFresh = this.#known.length > 0 && performance.now() - this.#lookedUpMs < this.#lifeMs;
    if (isFresh) {
      callback(null, this.#rotate());
      return;
    }
    this.refresh((error) => {
      if (this.#known.length > 0) callback(null, this.#rotate());
      else callback(error ?? new Error(`${this.#host} has no address`), []);
    });
  };

  /** Looks the name up now. `done` hears of it once it is through; one look-up serves all that wait. */
  refresh(done: (error: NodeJS.ErrnoException | null) => void): void {
    if (this.#waiting.push(done) > 1) return;
    lookupName(this.#host, { all: true, order: 'verbatim' }, (error, addresses) => {
      this.#lookedUpMs = performance.now();
      if (error === null && addresses.length > 0) this.#known = addresses;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const each of waiting) each(error);
    });
    this.#refreshLife();
  }

  close(): void {
    this.#resolver?.cancel();
  }

  #rotate(): LookupAddress[] {
    const first = this.#turn++ % this.#known.length;
    return [...this.#known.slice(first), ...this.#known.slice(0, first)];
  }

  #refreshLife(): void {
    let shortest = Number.POSITIVE_INFINITY;
    let asked = 2;
    const onRecords = (error: Error | null, records: readonly { ttl: number }[] | undefined): void => {
      if (error === null) for (const { ttl } of records ?? []) shortest = Math.min(shortest, ttl * 1000);
      if (--asked > 0) return;
      const isKnown = shortest < Number.POSITIVE_INFINITY;
      this.#lifeMs = isKnown ? Math.min(LIFE_MS_MAX, Math.max(LIFE_MS_MIN, shortest)) : this.#unknownLifeMs;
    };
    this.#resolver?.resolve4(this.#host, { ttl: true }, onRecords);
    this.#resolver?.resolve6(this.#host, { ttl: true }, onRecords);
  }
}
