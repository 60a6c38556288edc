// Finds the entry file of a thread beside its caller: `.ts` in the repository, `.js` in the published package.

import { fileURLToPath } from 'node:url';

/** `from` is the caller's import.meta.url, `name` relative to it and without extension. */
export function workerFile(from: string, name: string): string {
  const extension = from.endsWith('.ts') ? '.ts' : '.js';
  return fileURLToPath(new URL(name + extension, from));
}
