// Large bodies that need no memory: deterministic bytes, made on the way out and digested on the way in.
//
// Never holds more than one block of a body.

import { createHash } from 'node:crypto';

export const BLOCK_BYTES = 64 * 1024;

/** The pattern's chunks, `bytes` in all; each block carries its number, so that order and loss show. */
export function* createPattern(bytes: number): Generator<Buffer> {
  for (let offset = 0, block = 0; offset < bytes; offset += BLOCK_BYTES, block += 1) {
    const chunk = Buffer.alloc(Math.min(BLOCK_BYTES, bytes - offset), 'umbra-pattern-0123456789');
    if (chunk.length >= 4) chunk.writeUInt32BE(block, 0);
    yield chunk;
  }
}

/** SHA-256, in hex, of the pattern of that many bytes. */
export function digestPattern(bytes: number): string {
  const hash = createHash('sha256');
  for (const chunk of createPattern(bytes)) hash.update(chunk);
  return hash.digest('hex');
}
