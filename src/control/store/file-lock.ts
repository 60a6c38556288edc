// Keeps two processes from writing one file at the same time: a symbolic link beside it, there while one of them writes.
//
// The link's text says who holds it, and is there from the moment that the link is, so that what a killed process left behind
// is known for that at once. Never guards reading: files are replaced whole.

import { lstat, readlink, rename, symlink, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long another writer is waited for; a write takes milliseconds. */
const WAIT_MS = 5_000;
const RETRY_MS = 20;
/** A holder of which nobody can tell whether it runs has this long. */
const HELD_MS_MAX = 30_000;
/** File systems without symbolic links do without the lock; whoever changed the file meanwhile is still noticed. */
const NOT_SUPPORTED: readonly string[] = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'];

/** Runs it while no other process does so for that path. Rejects with what it rejects with, or when the lock is not to be had. */
export async function withFileLock<T>(path: string, run: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  const isHeld = await takeLock(lock);
  try {
    return await run();
  } finally {
    if (isHeld) await unlink(lock).catch(() => {});
  }
}

/** False where the file system has no such links. */
async function takeLock(lock: string): Promise<boolean> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    try {
      await symlink(toHolder(), lock);
      return true;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (NOT_SUPPORTED.includes(code)) return false;
      if (code !== 'EEXIST') throw error;
    }
    if (await removeStale(lock)) continue;
    if (performance.now() > deadline) throw new Error('another process is writing to it');
    await sleep(RETRY_MS);
  }
}

/** The process and its start: a number alone may be another process's by now. */
function toHolder(): string {
  return [process.pid, Math.round(performance.timeOrigin), hostname()].join(' ');
}

/** True when the lock may be tried again at once. */
async function removeStale(lock: string): Promise<boolean> {
  try {
    const holder = await readlink(lock);
    const { mtimeMs, ino } = await lstat(lock);
    if (isRunning(holder) && Date.now() - mtimeMs < HELD_MS_MAX) return false;
    // Moved away first: of several that find it stale only one succeeds, and nobody removes the lock that it then takes.
    const aside = `${lock}.${process.pid}.stale`;
    await rename(lock, aside);
    const isSame = (await lstat(aside)).ino === ino;
    if (!isSame) await rename(aside, lock);
    else await unlink(aside);
    return isSame;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}

/** Whether the holder may still run, as far as this machine can tell. */
function isRunning(holder: string): boolean {
  const [pid = '', startedAt = '', ...host] = holder.split(' ');
  if (host.join(' ') !== hostname()) return true;
  if (Number(pid) === process.pid) return Number(startedAt) === Math.round(performance.timeOrigin);
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
