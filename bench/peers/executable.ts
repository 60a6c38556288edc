// Finds the programs that peers are, and asks them for their version.
//
// Looks beyond PATH: servers lie in sbin folders, which are on root's PATH only.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';

const SERVER_FOLDERS: readonly string[] = ['/usr/local/sbin', '/usr/sbin', '/sbin'];
const VERSION_LIMIT_MS = 10_000;

/** The program's full path, or null. */
export function findExecutable(name: string): string | null {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of [...folders, ...SERVER_FOLDERS]) {
    const file = join(folder, name);
    if (isExecutable(file)) return file;
  }
  return null;
}

/** The first version number that the program prints; throws when there is none. */
export function readExecutableVersion(file: string, parameter: string): string {
  const { stdout, stderr } = spawnSync(file, [parameter], { encoding: 'utf8', timeout: VERSION_LIMIT_MS });
  const version = /\d+\.\d+(?:\.\d+)*/.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[0];
  if (version === undefined) throw new Error(`${file} ${parameter} prints no version`);
  return version;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
