// What undici's and the system's errors mean in the words of the contract.
//
// Never claims that nothing was sent unless undici had not begun to write the request.

import { errors } from 'undici';
import type { UpstreamFailure, UpstreamReason } from './client.ts';

/** `started`: undici had begun to write the request. `answered`: the final response's head had come. */
export function toUpstreamFailure(error: unknown, started: boolean, answered: boolean): UpstreamFailure {
  const code = toCode(error);
  const message = error instanceof Error ? error.message : String(error);
  const reason = started ? toReasonAfterStart(error, code, message, answered) : toReasonBeforeStart(code);
  return { reason, sent: started, cause: code === '' ? message : `${code}: ${message}` };
}

/** Whether the request itself was at fault, so that the connection that refused it is as good as before. */
export function isRequestFault(error: unknown): boolean {
  const code = toCode(error);
  return code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED';
}

/** Throws a defect of ours outside of undici, which would take it for a failure of the connection and keep it. */
export function surface(error: unknown): void {
  process.nextTick(rethrow, error);
}

function rethrow(error: unknown): never {
  throw error;
}

function toCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

function toReasonBeforeStart(code: string): UpstreamReason {
  switch (code) {
    case 'UND_ERR_INVALID_ARG':
    case 'UND_ERR_NOT_SUPPORTED':
    case 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH':
      return 'malformed';
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return 'connect_timeout';
    // A kept connection that broke before the request was written to it, or our own end.
    case 'UND_ERR_SOCKET':
    case 'UND_ERR_DESTROYED':
    case 'UND_ERR_CLOSED':
    case 'ECONNRESET':
    case 'EPIPE':
      return 'reset';
    // Connecting failed: ECONNREFUSED, EHOSTUNREACH, ENOTFOUND, EAI_AGAIN, a certificate, …
    default:
      return 'refused';
  }
}

function toReasonAfterStart(
  error: unknown,
  code: string,
  message: string,
  answered: boolean,
): UpstreamReason {
  // The code of a parser error is not set (undici 8.12); its message ends with llhttp's own words.
  if (error instanceof errors.HTTPParserError) {
    return message.endsWith('(Invalid EOF state)') ? 'reset' : 'malformed';
  }
  switch (code) {
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return 'read_timeout';
    case 'UND_ERR_HEADERS_OVERFLOW':
    case 'UND_ERR_RES_EXCEEDED_MAX_SIZE':
    case 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH':
    case 'UND_ERR_INVALID_ARG':
      return 'malformed';
    // Within a body it means that the upstream closed too soon, which is the same whatever framed the body (the
    // other framings end in UND_ERR_SOCKET or an EOF error). Within the header it hides the parser's error.
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH':
      return answered ? 'reset' : 'malformed';
    // undici ends a connection that sends 100 or 101 unasked with this code and one of these messages.
    case 'UND_ERR_SOCKET':
      return message === 'bad response' || message === 'bad upgrade' ? 'malformed' : 'reset';
    default:
      return 'reset';
  }
}
