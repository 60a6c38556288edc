// Reading the files that a config consists of: the YAML text, certificates and keys.
//
// Owns the bound on their size and the words for what went wrong. Never reads without a bound, and never throws for
// what is wrong with a file.

import { closeSync, openSync, readSync } from 'node:fs';

export type FileText =
  | { readonly text: string; readonly problem: null }
  | { readonly text: null; readonly problem: string };

const CHUNK_BYTES = 64 * 1024;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  ERR_INVALID_ARG_VALUE: 'the name is not valid',
};

/** The text of a UTF-8 file of at most `bytesMax` bytes. Pipes are read to their end, as `check <(command)` needs. */
export function readTextFile(file: string, bytesMax: number): FileText {
  try {
    const bytes = readBounded(file, bytesMax);
    if (bytes === null) return { text: null, problem: `is larger than ${bytesMax / 1024 / 1024} MiB` };
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), problem: null };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return { text: null, problem: 'is not UTF-8 text' };
    return { text: null, problem: `cannot be read: ${REASONS[code] ?? code}` };
  }
}

function readBounded(file: string, bytesMax: number): Buffer | null {
  const descriptor = openSync(file, 'r');
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const bytes = readSync(descriptor, chunk, 0, CHUNK_BYTES, null);
      if (bytes === 0) return Buffer.concat(chunks);
      total += bytes;
      if (total > bytesMax) return null;
      chunks.push(chunk.subarray(0, bytes));
    }
  } finally {
    closeSync(descriptor);
  }
}
