// Writes the head of a primary's answer to the client: status line, and the headers that go beyond this hop.

import { STATUS_CODES } from 'node:http';
import { isAscii, isResponseHopByHop, parseConnection } from '../core/headers.ts';
import type { ClientResponse } from './reply.ts';

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

/** Header list as from the upstream. `writesLength`: `content-length` is passed on; otherwise the listener writes it. */
export function writeResponseHead(
  response: ClientResponse,
  status: number,
  statusText: string,
  headers: readonly string[],
  writesLength: boolean,
): void {
  response.writeStatus(toStatusLine(status, statusText));
  const nominated = findNominated(headers);
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!;
    if (isResponseHopByHop(name) || nominated?.includes(name)) continue;
    if (name === 'content-length' && !writesLength) continue;
    const value = headers[at + 1]!;
    response.writeHeader(name, isAscii(value) ? value : Buffer.from(value, 'latin1'));
  }
}

function findNominated(headers: readonly string[]): readonly string[] | null {
  let nominated: readonly string[] | null = null;
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at] !== 'connection') continue;
    const more = parseConnection(headers[at + 1]!) ?? [];
    nominated = nominated === null ? more : nominated.concat(more);
  }
  return nominated;
}
