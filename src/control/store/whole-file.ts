// Files that are there whole or not at all, whatever happens while they are written: temporary file, fsync, rename, fsync of
// the folder.
//
// Owns the words for what can go wrong with a file. Never leaves a temporary file behind unless the process is killed.

import { randomBytes } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Readable by the owner alone: routes may hold passwords. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** File systems that cannot sync a folder say so in one of these ways. */
const NO_FOLDER_SYNC: readonly string[] = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EACCES', 'EISDIR'];
const NO_LINKS: readonly string[] = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'];

const PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be too large',
  EIO: 'the device failed',
  ENOTDIR: 'a part of its path is no folder',
  EISDIR: 'it is a folder',
  ENOENT: 'no such file or folder',
  ELOOP: 'too many symbolic links',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  ENAMETOOLONG: 'the name is too long',
};

/** Why something with a file failed, in a few words without its name. */
export function toFileProblem(error: unknown): string {
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException;
  return PROBLEMS[code] ?? (code === '' ? message : code);
}

/** Differs as soon as anybody has put another file in its place, or written into it. */
export type FileIdentity = string;

export function toIdentity({ ino, size, mtimeNs }: BigIntStats): FileIdentity {
  return `${ino} ${size} ${mtimeNs}`;
}

/** What it holds and what it is; null when there is none. Rejects when it is longer than that. */
export async function readWholeFile(
  path: string,
  bytesMax: number,
): Promise<{ readonly text: string; readonly identity: FileIdentity; readonly mode: number } | null> {
  let handle: FileHandle;
  try {
    // A pipe in its place would be waited for.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile()) throw new Error('it is not a regular file');
    if (stats.size > BigInt(bytesMax)) throw new Error(`it is larger than ${bytesMax} bytes`);
    const text = await handle.readFile('utf8');
    return { text, identity: toIdentity(stats), mode: Number(stats.mode) & 0o777 };
  } finally {
    await handle.close();
  }
}

/** Makes the folder of a file where it is missing, and those above it. */
export async function openFolder(path: string): Promise<void> {
  const first = await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
  if (first !== undefined) await syncFolder(dirname(first));
}

/** Puts the text in the file's place. Rejects when it is not there; then whatever was there still is. */
export async function replaceFile(path: string, text: string): Promise<FileIdentity> {
  const { temporary, identity } = await writeTemporary(path, text);
  try {
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
  return identity;
}

/** Like replaceFile(), but only where there is no such file yet: false when there is one. */
export async function createFile(path: string, text: string): Promise<boolean> {
  const { temporary } = await writeTemporary(path, text);
  try {
    await link(temporary, path);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (!NO_LINKS.includes(code)) throw error;
    await rename(temporary, path);
  } finally {
    await unlink(temporary).catch(() => {});
  }
  await syncFolder(dirname(path));
  return true;
}

async function writeTemporary(
  path: string,
  text: string,
): Promise<{ readonly temporary: string; readonly identity: FileIdentity }> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  const handle = await open(temporary, 'wx', FILE_MODE);
  try {
    await handle.writeFile(text);
    await handle.sync();
    return { temporary, identity: toIdentity(await handle.stat({ bigint: true })) };
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  } finally {
    await handle.close();
  }
}

/** Makes a rename in it survive a loss of power, where the file system can do that at all. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!NO_FOLDER_SYNC.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Removes temporary files of processes that were killed; the caller knows that nobody else writes. */
export async function removeLeftovers(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(prefix)) continue;
    if (!/^\d+-[0-9a-f]{8}\.tmp$|^lock\.\d+\.stale$/.test(name.slice(prefix.length))) continue;
    await unlink(join(dirname(path), name)).catch(() => {});
  }
}
