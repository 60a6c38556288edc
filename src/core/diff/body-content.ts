// A body's content: its media type, and its bytes without the codings that it was carried in.
//
// Decoding is bounded by the capture bound, so that a small body cannot become a huge one. Never throws.

import * as zlib from 'node:zlib';
import { isWholeZstdFrame } from './zstd-frame.ts';

/** Codings of one body; more are not undone. */
const CODINGS_MAX = 4;

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
} as const;
export type DecodeProblem = (typeof DecodeProblem)[keyof typeof DecodeProblem];

/** RFC 9110 section 8.4.1 calls the zlib format `deflate`, and many send the bare stream under that name. */
function inflate(body: Uint8Array, options: zlib.ZlibOptions): Uint8Array {
  const first = body[0]!;
  const isZlib = (first & 0x0f) === 8 && ((first << 8) | (body[1] ?? 0)) % 31 === 0;
  return isZlib ? zlib.inflateSync(body, options) : zlib.inflateRawSync(body, options);
}

/** Null for a coding that is not known; throws what zlib throws. */
function decodeOnce(coding: string, body: Uint8Array, maxOutputLength: number): Uint8Array | null {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return zlib.gunzipSync(body, { maxOutputLength });
    case 'deflate':
      return inflate(body, { maxOutputLength });
    case 'br':
      return zlib.brotliDecompressSync(body, { maxOutputLength });
    case 'zstd':
      return zlib.zstdDecompressSync(body, { maxOutputLength });
    default:
      return null;
  }
}

/** An empty body has no codings, whatever its head says: the answer to a HEAD is one. */
export function decodeBody(
  body: Uint8Array,
  codings: readonly string[],
  bytesMax: number,
): Uint8Array | DecodeProblem {
  if (codings.length > CODINGS_MAX) return DecodeProblem.unknown;
  let content = body;
  for (const coding of codings.toReversed()) {
    if (content.length === 0) return content;
    if (coding === 'zstd' && !isWholeZstdFrame(content)) return DecodeProblem.broken;
    try {
      const decoded = decodeOnce(coding, content, Math.max(bytesMax, 1));
      if (decoded === null) return DecodeProblem.unknown;
      content = decoded;
    } catch (error) {
      const isLong = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      return isLong ? DecodeProblem.long : DecodeProblem.broken;
    }
  }
  return content;
}
