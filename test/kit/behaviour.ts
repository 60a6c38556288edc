// What a recording origin can be told to do with a request, and how an answer looks on the wire.
//
// Only describes and builds bytes; owns no socket.

import { createPattern } from './pattern.ts';

/** Where and how an answer without interim blocks breaks off. */
export interface Cut {
  /** Before its first byte, within the header, or within the body (after half of it). */
  readonly at: 'start' | 'head' | 'body';
  readonly how: 'close' | 'reset';
}

/** Everything is optional; an empty behaviour answers 200 with an empty body. */
export interface Behaviour {
  readonly status?: number;
  readonly reason?: string;
  /** Header lines, sent as they are, before the framing. */
  readonly fields?: readonly string[];
  /** Bytes, or that many bytes of the pattern (see pattern.ts), or the request's body (as far as it was kept). */
  readonly body?: string | Uint8Array | number | 'echo';
  readonly framing?: 'length' | 'chunked' | 'close';
  /** Says this in Content-Length, whatever is then sent. */
  readonly declaredBytes?: number;
  /** Lines after a chunked body. */
  readonly trailers?: readonly string[];
  /** Whole 1xx blocks sent before, such as `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n`. */
  readonly interim?: readonly string[];
  /** Sent instead of a built answer: garbage, huge headers, anything. */
  readonly raw?: string | Uint8Array;
  /** Never answers. */
  readonly hang?: boolean;
  readonly delayMs?: number;
  /** Answers at once after the request's head, without waiting for its body. */
  readonly early?: boolean;
  readonly cut?: Cut;
  /** Sends the answer in pieces of that size with that pause between them. */
  readonly trickle?: { readonly bytes: number; readonly pauseMs: number };
  /** Stops reading the connection after the request's head, or pauses after each chunk read. */
  readonly reading?: 'stop' | { readonly pauseMs: number };
  /** What becomes of the connection after the answer, without having said so (default keep). */
  readonly after?: 'keep' | 'close' | 'reset';
}

/** What an answer has to know of its request. */
export interface Asked {
  readonly method: string;
  readonly body: Buffer;
}

/** The whole answer in pieces; a body of the pattern is made as it is taken. */
export function* toAnswer(behaviour: Behaviour, asked: Asked): Generator<Buffer> {
  if (behaviour.raw !== undefined) {
    yield toBuffer(behaviour.raw);
    return;
  }
  for (const block of behaviour.interim ?? []) yield toBuffer(block);
  const chunked = behaviour.framing === 'chunked' || behaviour.trailers !== undefined;
  yield toHead(behaviour, asked, chunked);
  if (!hasBody(behaviour, asked)) return;
  for (const chunk of toChunks(behaviour, asked)) {
    if (chunk.length === 0) continue;
    if (chunked) yield Buffer.concat([toBuffer(`${chunk.length.toString(16)}\r\n`), chunk, toBuffer('\r\n')]);
    else yield chunk;
  }
  if (chunked) yield toBuffer(['0', ...(behaviour.trailers ?? []), '', ''].join('\r\n'));
}

/** Bytes of the answer's body, before any framing. */
export function toBodyBytes(behaviour: Behaviour, asked: Asked): number {
  const { body } = behaviour;
  if (body === undefined) return 0;
  if (typeof body === 'number') return body;
  return body === 'echo' ? asked.body.length : toBuffer(body).length;
}

function toHead(behaviour: Behaviour, asked: Asked, chunked: boolean): Buffer {
  const { status = 200, reason = 'OK', fields = [], framing, declaredBytes } = behaviour;
  const lines = [`HTTP/1.1 ${status} ${reason}`, ...fields];
  const bare = status === 204 || status === 304;
  if (declaredBytes !== undefined) lines.push(`Content-Length: ${declaredBytes}`);
  else if (chunked && !bare) lines.push('Transfer-Encoding: chunked');
  else if (framing === 'close') lines.push('Connection: close');
  else if (!bare) lines.push(`Content-Length: ${toBodyBytes(behaviour, asked)}`);
  return toBuffer(`${lines.join('\r\n')}\r\n\r\n`);
}

function hasBody(behaviour: Behaviour, asked: Asked): boolean {
  return asked.method !== 'HEAD' && behaviour.status !== 204 && behaviour.status !== 304;
}

function* toChunks(behaviour: Behaviour, asked: Asked): Generator<Buffer> {
  const { body } = behaviour;
  if (body === undefined) return;
  if (typeof body === 'number') yield* createPattern(body);
  else yield body === 'echo' ? asked.body : toBuffer(body);
}

function toBuffer(bytes: string | Uint8Array): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes);
}
