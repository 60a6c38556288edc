// Finds the entry file of a thread beside its caller: TypeScript in the repository, JavaScript in the published package.

import { fileURLToPath } from 'node:url';

/** `from` is the caller's import.meta.url, `name` the file's name in the repository, relative to it. */
export function workerFile(from: string, name: string): string {
  const published = from.endsWith('.js');
  return fileURLToPath(new URL(published ? name.replace(/ts$/, 'js') : name, from));
}
