// Bytes of a body as text.

import { isUtf8 } from 'node:buffer';

const LATIN1: ReadonlySet<string> = new Set(['iso-8859-1', 'latin1', 'iso_8859-1', 'l1']);
const UTF8: ReadonlySet<string> = new Set(['', 'utf-8', 'utf8', 'us-ascii', 'ascii']);

function toBuffer(body: Uint8Array): Buffer {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

function hasMark(body: Uint8Array): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
}

/** Without a byte order mark; null when it is no UTF-8. */
export function decodeUtf8(body: Uint8Array): string | null {
  if (!isUtf8(body)) return null;
  return toBuffer(body).toString('utf8', hasMark(body) ? 3 : 0);
}

/** Null when the charset is none of those that are known, or the bytes are not in it. Without a charset: UTF-8. */
export function decodeText(body: Uint8Array, charset: string): string | null {
  if (UTF8.has(charset)) return decodeUtf8(body);
  return LATIN1.has(charset) ? toBuffer(body).toString('latin1') : null;
}
