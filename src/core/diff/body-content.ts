// A body's content: its media type, and its bytes without the codings that it was carried in.
//
// Decoding is bounded by the capture bound, so that a small body cannot become a huge one. Never throws.

import * as zlib from 'node:zlib';
import { isWholeZstdFrame } from './zstd-frame.ts';

/** Codings of one body; more are not undone. */
const CODINGS_MAX = 4;
/** Decoded bytes of both bodies, all codings together: what takes some tens of milliseconds. */
export const DECODED_BYTES_MAX = 8 * 1024 * 1024;

/** As media types and charsets are compared: lower case. */
export interface MediaType {
  /** Type and subtype; empty without one. */
  readonly essence: string;
  /** Empty without one. */
  readonly charset: string;
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]{1,40})/i;

export function parseMediaType(value: string): MediaType {
  const end = value.indexOf(';');
  return {
    essence: (end < 0 ? value : value.slice(0, end)).trim().toLowerCase(),
    charset: end < 0 ? '' : (CHARSET.exec(value.slice(end))?.[1] ?? '').toLowerCase(),
  };
}

export function isJsonType(essence: string): boolean {
  return essence === 'application/json' || essence === 'text/json' || essence.endsWith('+json');
}

const TEXT_TYPES: ReadonlySet<string> = new Set([
  'application/xml',
  'application/javascript',
  'application/ecmascript',
  'application/x-javascript',
  'application/x-www-form-urlencoded',
  'application/x-ndjson',
  'application/yaml',
  'application/x-yaml',
  'application/graphql',
]);

export function isTextType(essence: string): boolean {
  return essence.startsWith('text/') || essence.endsWith('+xml') || TEXT_TYPES.has(essence);
}

/** As `content-encoding` names them, in the order in which they were applied, without `identity`. */
export function parseCodings(values: readonly string[]): readonly string[] {
  if (values.length === 0) return values;
  const names = values.join(',').split(',');
  return names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '' && name !== 'identity');
}

export const DecodeProblem = {
  /** A coding that is not known, or too many. */
  unknown: 'unknown',
  /** Not what the coding's name says, or cut short. */
  broken: 'broken',
  /** Longer than the bound. */
  long: 'long',
  /** Longer than what one comparison may decode. */
  costly: 'costly',
} as const;
export type DecodeProblem = (typeof DecodeProblem)[keyof typeof DecodeProblem];

/** What zlib gives with `info`: the engine says how much of the input it has taken. */
interface Inflated {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

/** RFC 9110 section 8.4.1 calls the zlib format `deflate`, and many send the bare stream under that name. */
function inflate(body: Uint8Array, options: zlib.ZlibOptions): unknown {
  const first = body[0]!;
  const isZlib = (first & 0x0f) === 8 && ((first << 8) | (body[1] ?? 0)) % 31 === 0;
  return isZlib ? zlib.inflateSync(body, options) : zlib.inflateRawSync(body, options);
}

/** Null where something follows that is no part of it. */
function toWhole({ buffer, engine }: Inflated, body: Uint8Array): Uint8Array | null {
  return engine.bytesWritten === body.length ? buffer : null;
}

/** DecodeProblem for a coding that is not known, or for what follows the coded body; throws what zlib throws. */
function decodeOnce(coding: string, body: Uint8Array, maxOutputLength: number): Uint8Array | DecodeProblem {
  const options = { maxOutputLength, info: true };
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return zlib.gunzipSync(body, { maxOutputLength });
    case 'deflate':
      return toWhole(inflate(body, options) as Inflated, body) ?? DecodeProblem.broken;
    case 'br':
      return (
        toWhole(zlib.brotliDecompressSync(body, options) as unknown as Inflated, body) ?? DecodeProblem.broken
      );
    case 'zstd':
      return isWholeZstdFrame(body)
        ? zlib.zstdDecompressSync(body, { maxOutputLength })
        : DecodeProblem.broken;
    default:
      return DecodeProblem.unknown;
  }
}

/** Bytes that may still be decoded. */
export class DecodeRoom {
  bytes = DECODED_BYTES_MAX;
}

/** An empty body has no codings, whatever its head says: the answer to a HEAD is one. */
export function decodeBody(
  body: Uint8Array,
  codings: readonly string[],
  bytesMax: number,
  room: DecodeRoom,
): Uint8Array | DecodeProblem {
  if (codings.length > CODINGS_MAX) return DecodeProblem.unknown;
  let content = body;
  for (const coding of codings.toReversed()) {
    if (content.length === 0) return content;
    const isRoomLess = room.bytes < bytesMax;
    try {
      const decoded = decodeOnce(coding, content, Math.max(Math.min(bytesMax, room.bytes), 1));
      if (typeof decoded === 'string') return decoded;
      content = decoded;
      room.bytes -= content.length;
    } catch (error) {
      const isLong = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      if (isLong) return isRoomLess ? DecodeProblem.costly : DecodeProblem.long;
      return DecodeProblem.broken;
    }
  }
  return content;
}
