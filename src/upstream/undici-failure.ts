// What undici's and the system's errors mean in the words of the contract.
//
// Never claims that nothing was sent unless undici had not begun to write the request.

import type { UpstreamFailure, UpstreamReason } from './client.ts';

export function toUpstreamFailure(error: unknown, started: boolean): UpstreamFailure {
  const code = toCode(error);
  const message = error instanceof Error ? error.message : String(error);
  const reason = started ? toReasonAfterStart(code, message) : toReasonBeforeStart(code);
  return { reason, sent: started, cause: code === '' ? message : `${code}: ${message}` };
}

/** Whether the request itself was at fault, so that the connection that refused it is as good as before. */
export function isRequestFault(error: unknown): boolean {
  const code = toCode(error);
  return code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED';
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

function toReasonAfterStart(code: string, message: string): UpstreamReason {
  switch (code) {
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return 'read_timeout';
    case 'UND_ERR_HEADERS_OVERFLOW':
    case 'UND_ERR_RES_EXCEEDED_MAX_SIZE':
    case 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH':
    case 'UND_ERR_INVALID_ARG':
      return 'malformed';
    // The upstream closed before the answer was whole, whatever framed it. undici has three errors for that,
    // depending on `connection: close` and on the framing.
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH':
    case 'HPE_INVALID_EOF_STATE':
      return 'reset';
    // undici ends a connection that sends 100 or 101 unasked with this code and one of these messages.
    case 'UND_ERR_SOCKET':
      return message === 'bad response' || message === 'bad upgrade' ? 'malformed' : 'reset';
    default:
      return code.startsWith('HPE_') ? 'malformed' : 'reset';
  }
}
