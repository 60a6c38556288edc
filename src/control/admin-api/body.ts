// The body of an Admin API request: its bytes within a bound, and the JSON that they are.
//
// Never keeps more than the bound, whatever a client sends, and passes on no value with a flaw (value.ts).

import type { Readable } from 'node:stream';
import { Refusal } from '../catalog.ts';
import { findFlaw } from './value.ts';

/** APISIX's bound. */
export const BODY_BYTES_MAX = 1.5 * 1024 * 1024;
/**
 * What is read of a body that is too large, and thrown away: an answer before its end, on a connection that is closed
 * then, may not reach a client that is still writing.
 */
const DRAIN_BYTES_MAX = 16 * 1024 * 1024;
/** What of a body that is not JSON is sent back with the error. */
const ECHO_LENGTH_MAX = 4096;

export interface RawBody {
  /** Null when there were more than BODY_BYTES_MAX of them. */
  readonly bytes: Buffer | null;
  readonly size: number;
  /** False when even more would have come than is worth waiting for. */
  readonly isComplete: boolean;
}

/** Rejects, with a status code for the client, when the connection breaks. */
export function readBody(stream: Readable): Promise<RawBody> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let size = 0;
    const end = (isComplete: boolean) => {
      stream.off('data', take).off('end', finish).off('error', fail).off('close', fail);
      const bytes = size > BODY_BYTES_MAX ? null : Buffer.concat(chunks, size);
      resolve({ bytes, size, isComplete });
    };
    const take = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= BODY_BYTES_MAX) chunks.push(chunk);
      else chunks = [];
      if (size > DRAIN_BYTES_MAX) end(false);
    };
    const finish = () => end(true);
    const fail = () => reject(Object.assign(new Error('the request body broke off'), { statusCode: 400 }));
    stream.on('data', take).on('end', finish).on('error', fail).on('close', fail);
  });
}

/** Undefined when there is no body. Throws a Refusal in APISIX's words. */
export function parseBody(raw: RawBody | undefined): unknown {
  if (raw === undefined || raw.size === 0) return undefined;
  if (raw.bytes === null) {
    throw toRefusal(`request size ${raw.size} is greater than the maximum size ${BODY_BYTES_MAX} allowed`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw.bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'it is not UTF-8';
    throw toRefusal(reason, raw.bytes.toString('utf8').slice(0, ECHO_LENGTH_MAX));
  }
  const flaw = findFlaw(value);
  if (flaw !== null) throw toRefusal(flaw);
  return value;
}

function toRefusal(reason: string, echo?: string): Refusal {
  const message = `invalid request body: ${reason}`;
  return new Refusal(
    400,
    echo === undefined ? { error_msg: message } : { error_msg: message, req_body: echo },
  );
}
