// Keeps the last known set of resources in a local file, for a start while Redis is away.
//
// Owns the file. Under a burst of changes the newest set is written, at most twice a second. Never throws for what the disk
// does: a cache that cannot be written is a warning, and tried again.

import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { type Head, READ_BYTES_MAX } from './redis-script.ts';
import { type KnownSet, toKnownSet, toTexts } from './redis-set.ts';
import type { StoreHooks } from './store.ts';
import {
  openFolder,
  readWholeFile,
  removeLeftovers,
  replaceFile,
  syncFolder,
  toFileProblem,
} from './whole-file.ts';

const FORMAT = 'umbra-resources-1';
const INTERVAL_MS = 500;
const RETRY_MS = 5_000;
/** JSON in JSON: quotes are escaped, so that it is longer than what was read, at most twice. */
const FILE_BYTES_MAX = 2 * READ_BYTES_MAX + 1024 * 1024;

interface CachedSet {
  /** The hash in Redis that it is of. */
  readonly hash: string;
  readonly head: Head;
  readonly texts: Readonly<Record<string, string>>;
}

export interface CacheContent {
  readonly set: KnownSet | null;
  /** In one line, why there is no set. */
  readonly problem: string | null;
  /** There was one, and nobody can say which. */
  readonly isLost: boolean;
}

export class ResourceCache {
  readonly #path: string;
  readonly #hash: string;
  readonly #onWarning: StoreHooks['onWarning'];
  #waiting: KnownSet | null = null;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;
  #failures = 0;
  #isBroken = false;

  constructor(path: string, hash: string, onWarning: StoreHooks['onWarning']) {
    this.#path = path;
    this.#hash = hash;
    this.#onWarning = onWarning;
  }

  /** Writes that failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Never rejects for what the disk does. */
  async read(): Promise<CacheContent> {
    const path = this.#path;
    let text: string | undefined;
    try {
      text = (await readWholeFile(path, FILE_BYTES_MAX))?.text;
    } catch (error) {
      return { set: null, problem: `${path}: cannot be read: ${toFileProblem(error)}`, isLost: true };
    }
    if (text === undefined) return { set: null, problem: `there is no cache file ${path}`, isLost: false };
    // What a killed process left beside it. That it cannot be removed harms nobody.
    await removeLeftovers(path).catch(() => undefined);
    const end = text.indexOf('\n');
    const body = text.slice(end + 1);
    if (text.slice(0, Math.max(0, end)) !== toFirstLine(body)) {
      return { set: null, problem: `${path}: is damaged: its checksum does not fit`, isLost: true };
    }
    const { hash, head, texts } = JSON.parse(body) as CachedSet;
    if (hash !== this.#hash) {
      return { set: null, problem: `${path}: is of ${hash}, not of ${this.#hash}`, isLost: false };
    }
    return { set: toKnownSet(head, new Map(Object.entries(texts)), null), problem: null, isLost: false };
  }

  /** Returns at once; the file follows. */
  keep(set: KnownSet): void {
    this.#waiting = set;
    if (this.#timer === null && this.#writing === null) this.#write();
  }

  /** Resolves when the newest set is in the file, or could not be written once more. */
  async close(): Promise<void> {
    for (let attempts = 0; attempts < 2; attempts++) {
      if (this.#timer !== null) clearTimeout(this.#timer);
      this.#timer = null;
      if (this.#waiting !== null && this.#writing === null) this.#write();
      await this.#writing;
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #write(): void {
    const set = this.#waiting!;
    this.#waiting = null;
    this.#writing = this.#replace(set).then((isWritten) => {
      this.#writing = null;
      if (!isWritten) this.#waiting ??= set;
      this.#timer = setTimeout(
        () => {
          this.#timer = null;
          if (this.#waiting !== null) this.#write();
        },
        isWritten ? INTERVAL_MS : RETRY_MS,
      );
      // A process that has nothing else to do may end: close() writes what waits.
      this.#timer.unref();
    });
  }

  async #replace(set: KnownSet): Promise<boolean> {
    const cached: CachedSet = { hash: this.#hash, head: set.head, texts: toTexts(set) };
    const body = JSON.stringify(cached);
    try {
      await openFolder(this.#path);
      await replaceFile(this.#path, `${toFirstLine(body)}\n${body}`);
      await syncFolder(dirname(this.#path));
      this.#isBroken = false;
      return true;
    } catch (error) {
      this.#failures += 1;
      if (!this.#isBroken) {
        this.#onWarning('the cache file of the store cannot be written: a restart without Redis may fail', {
          file: this.#path,
          cause: toFileProblem(error),
        });
      }
      this.#isBroken = true;
      return false;
    }
  }
}

function toFirstLine(body: string): string {
  return `${FORMAT} ${createHash('sha256').update(body).digest('hex')}`;
}
