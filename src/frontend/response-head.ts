// Writes the head of a primary's answer to the client: status line, and the headers that go beyond this hop.

import { STATUS_CODES } from 'node:http';
import { isAscii } from '../core/headers.ts';
import type { ClientResponse } from './reply.ts';

const SPACE = 0x20;

/** RFC 9110's phrases, put together once; a primary may say something else. */
const STANDARD_LINES: readonly (string | undefined)[] = toStandardLines();

function toStandardLines(): string[] {
  const lines: string[] = [];
  for (const [status, text] of Object.entries(STATUS_CODES)) lines[Number(status)] = `${status} ${text}`;
  return lines;
}

function toStatusLine(status: number, text: string): string {
  if (STATUS_CODES[status] === text) return STANDARD_LINES[status]!;
  return isAscii(text) ? `${status} ${text}` : `${status} `;
}

/**
 * `lines` as from the upstream, each with its line end. They go out in one call: behind the first one's name the
 * listener writes what it is given, the other lines with it.
 */
export function writeResponseHead(
  response: ClientResponse,
  status: number,
  statusText: string,
  lines: string,
): void {
  response.writeStatus(toStatusLine(status, statusText));
  if (lines === '') return;
  const colon = lines.indexOf(':');
  const rest = lines.slice(lines.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1, -2);
  // Strings go out as UTF-8.
  response.writeHeader(lines.slice(0, colon), isAscii(rest) ? rest : Buffer.from(rest, 'latin1'));
}
