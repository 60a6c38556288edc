// What is answered to bytes that the HTTP parser takes for no request, or that do not become one in time.
//
// No handler ever sees them, so neither does the guard: nothing is told here but what was wrong with the bytes.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

export interface ParserError extends Error {
  readonly code?: string;
  readonly bytesParsed?: number;
  /** The bytes that were being parsed. */
  readonly rawPacket?: unknown;
}

const REQUEST_LINE = /^[^\s:]+ (\S+) HTTP\//gm;

/** The answer's status, and the target that its request seems to have had, so that the answer has the right form. */
export interface Malformed {
  readonly status: 400 | 408 | 431;
  readonly message: string;
  /** Null when no line looks like a request's. */
  readonly target: string | null;
}

export function readMalformed(error: ParserError): Malformed {
  const target = findTarget(error);
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, message: 'the request did not come in time', target };
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, message: 'the headers are too large', target };
    case 'HPE_INVALID_METHOD':
      return { status: 400, message: 'the request method is unknown', target };
    default:
      return { status: 400, message: 'the request is not HTTP', target };
  }
}

/** Of the last request line up to the place where parsing ended: earlier requests may stand in front of it. */
function findTarget({ rawPacket, bytesParsed = 0 }: ParserError): string | null {
  if (!Buffer.isBuffer(rawPacket)) return null;
  const lineEnd = rawPacket.indexOf('\n', bytesParsed);
  const text = rawPacket.toString('latin1', 0, lineEnd === -1 ? rawPacket.length : lineEnd);
  return [...text.matchAll(REQUEST_LINE)].at(-1)?.[1] ?? null;
}

/** Ends the connection: nobody knows where on it the next request would begin. */
export function sendMalformed(
  socket: Socket,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: object,
): void {
  const text = JSON.stringify(body);
  const lines = Object.entries({
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`;
  socket.end(head + text, () => socket.destroy());
}
