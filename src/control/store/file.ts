// Resources of the Admin API in one local file.
//
// Every change replaces the file whole, so that it holds every change that was acknowledged whenever the process ends, and
// never half of one. Never overwrites what it has not read: a file that is damaged, or that somebody else has changed.

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FormatError, parseFileText, type Snapshot, toFileText, toResourceText } from './file-format.ts';
import { withFileLock } from './file-lock.ts';
import {
  type Change,
  type Store,
  StoreConflict,
  type StoredResource,
  type StoredResources,
  type StoreHealth,
  type StoreHooks,
  StoreUnavailable,
  toKey,
  UNSHARED_HEALTH,
} from './store.ts';
import {
  type FileIdentity,
  openFolder,
  readWholeFile,
  removeLeftovers,
  replaceFile,
  syncFolder,
  toFileProblem,
  toIdentity,
} from './whole-file.ts';

/** Well above what the catalog lets a store grow to. */
const FILE_BYTES_MAX = 256 * 1024 * 1024;

export function createFileStore(path: string, hooks: StoreHooks): Store {
  return new FileStore(path, hooks);
}

class FileStore implements Store {
  readonly #path: string;
  readonly #hooks: StoreHooks;
  #revision = 0;
  #resources: Map<string, StoredResource> = new Map();
  /** Their lines, so that a change writes only its own anew. */
  #texts: Map<string, string> = new Map();
  /** Of the file that was read or written last; null when there was none. */
  #identity: FileIdentity | null = null;
  #isWritable = false;
  #isClosed = false;

  constructor(path: string, hooks: StoreHooks) {
    this.#path = path;
    this.#hooks = hooks;
  }

  async open(): Promise<StoredResources> {
    const snapshot = await this.#read();
    this.#revision = snapshot.revision;
    this.#resources = new Map(snapshot.resources);
    this.#texts = new Map(Array.from(this.#resources, ([key, resource]) => [key, toResourceText(resource)]));
    this.#isWritable = await canWrite(this.#path);
    if (this.#isWritable) await this.#tidy();
    return new Map(this.#resources);
  }

  async #read(): Promise<Snapshot> {
    try {
      const found = await readWholeFile(this.#path, FILE_BYTES_MAX);
      if (found === null) return { revision: 0, resources: new Map() };
      this.#identity = found.identity;
      return parseFileText(found.text);
    } catch (error) {
      const reason = error instanceof FormatError ? error.message : toFileProblem(error);
      throw new Error(`${this.#path}: routes cannot be read from it: ${reason}`, { cause: error });
    }
  }

  /** What a killed process left behind; that it cannot be removed harms nobody. */
  async #tidy(): Promise<void> {
    try {
      await withFileLock(this.#path, () => removeLeftovers(this.#path));
    } catch {
      // There is no folder yet, or somebody writes.
    }
  }

  async write(change: Change): Promise<StoredResource | null> {
    const { kind, id, value, basis } = change;
    const key = toKey(kind, id);
    const before = this.#resources.get(key);
    if ((before?.modifiedIndex ?? null) !== basis) throw new StoreConflict(`${key} is not what it was`);
    if (value === null && before === undefined) return null;
    const revision = this.#revision + 1;
    const after =
      value === null
        ? null
        : { kind, id, value, createdIndex: before?.createdIndex ?? revision, modifiedIndex: revision };
    const texts = new Map(this.#texts);
    if (after === null) texts.delete(key);
    else texts.set(key, toResourceText(after));
    await this.#replace(revision, texts);
    this.#texts = texts;
    this.#revision = revision;
    if (after === null) this.#resources.delete(key);
    else this.#resources.set(key, after);
    return after;
  }

  async #replace(revision: number, texts: ReadonlyMap<string, string>): Promise<void> {
    if (this.#isClosed) throw new StoreUnavailable('the gateway is ending');
    const path = this.#path;
    try {
      await openFolder(path);
      this.#identity = await withFileLock(path, async () => {
        await this.#assertOwn();
        return replaceFile(path, toFileText(revision, texts.values()));
      });
    } catch (error) {
      this.#isWritable = false;
      if (error instanceof StoreUnavailable) throw error;
      throw new StoreUnavailable(`${path} cannot be written: ${toFileProblem(error)}`, { cause: error });
    }
    this.#isWritable = true;
    // From here on the change is in force, and readers see it; only a loss of power could still undo it.
    await syncFolder(dirname(path)).catch((error: unknown) =>
      this.#hooks.onWarning('the folder of the stored routes cannot be synced', {
        file: path,
        cause: toFileProblem(error),
      }),
    );
  }

  async #assertOwn(): Promise<void> {
    const identity = await readIdentity(this.#path);
    if (identity === this.#identity) return;
    const what = identity === null ? 'is gone' : 'was changed by somebody else';
    throw new StoreUnavailable(
      `${this.#path} ${what} since this gateway read it: restart the gateway to go on from what is there`,
    );
  }

  health(): StoreHealth {
    return UNSHARED_HEALTH;
  }

  isWritable(): boolean {
    return this.#isWritable && !this.#isClosed;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }
}

async function readIdentity(path: string): Promise<FileIdentity | null> {
  try {
    return toIdentity(await stat(path, { bigint: true }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Whether its folder takes new files, or could be made. */
async function canWrite(path: string): Promise<boolean> {
  const folder = dirname(path);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return isMissing && folder !== dirname(folder) && canWrite(folder);
  }
}
