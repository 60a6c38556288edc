// The key of the Admin API that is made when none is configured: kept in a file that its owner alone can read.
//
// Owns that file. Never shows the key, and never uses one that others could have read.

import { randomBytes } from 'node:crypto';
import { createFile, openFolder, readWholeFile, toFileProblem } from './store/whole-file.ts';

const KEY_BYTES = 32;
const FILE_BYTES_MAX = 4096;
/** What a file may hold: one made here, or one that an operator put there. */
const SOUND_KEY = /^[\x21-\x7e]{16,256}$/;
const OTHERS = 0o077;

/** The key of that file, made where there is none. Rejects with a message of one line when there is none to be had. */
export async function openAdminKey(file: string): Promise<string> {
  try {
    const found = await readKey(file);
    if (found !== null) return found;
    await openFolder(file);
    const key = randomBytes(KEY_BYTES).toString('base64url');
    if (await createFile(file, `${key}\n`)) return key;
    // Another gateway was faster.
    const others = await readKey(file);
    if (others !== null) return others;
    throw new Error('it vanishes as soon as it is made');
  } catch (error) {
    throw new Error(`${file}: ${toFileProblem(error)}`, { cause: error });
  }
}

async function readKey(file: string): Promise<string | null> {
  const found = await readWholeFile(file, FILE_BYTES_MAX);
  if (found === null) return null;
  if ((found.mode & OTHERS) !== 0) {
    const mode = found.mode.toString(8).padStart(4, '0');
    throw new Error(
      `others than its owner may use the file (mode ${mode}): set it to 0600, or remove it to get a new key`,
    );
  }
  const key = found.text.trim();
  if (!SOUND_KEY.test(key)) {
    throw new Error(
      'it does not hold a key of 16 to 256 visible ASCII characters: remove it to get a new one',
    );
  }
  return key;
}
