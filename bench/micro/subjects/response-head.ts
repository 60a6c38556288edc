// Writing the head of a primary's answer to the client.
//
// The listener's response is a stand-in that counts, so its crossing into native code is not in these figures.

import assert from 'node:assert/strict';
import type { ClientResponse } from '../../../src/frontend/reply.ts';
import { writeResponseHead } from '../../../src/frontend/response-head.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';
import { RESPONSE_HEADERS_8, RESPONSE_HEADERS_20, toReadHeaders } from '../traffic.ts';

const BATCH = 1_000;
const NOT_PASSED_ON: ReadonlySet<string> = new Set(['date', 'connection', 'keep-alive', 'content-length']);

const UNUSED = (): never => assert.fail('only the head is written');

/** Takes a head. Keeps the last value, so that it cannot be left out. */
class CountingResponse implements ClientResponse {
  lines = 0;
  status = '';
  last: string | Uint8Array = '';
  readonly names: string[] = [];
  readonly #keepsNames: boolean;

  constructor(keepsNames: boolean) {
    this.#keepsNames = keepsNames;
  }

  writeStatus(status: string): void {
    this.status = status;
  }

  writeHeader(name: string, value: string | Uint8Array): void {
    this.lines++;
    this.last = value;
    if (this.#keepsNames) this.names.push(name);
  }

  cork = UNUSED;
  write = UNUSED;
  tryEnd = UNUSED;
  end = UNUSED;
  endWithoutBody = UNUSED;
  getWriteOffset = UNUSED;
  onWritable = UNUSED;
  onAborted = UNUSED;
  onData = UNUSED;
  getRemoteAddress = UNUSED;
  pause = UNUSED;
  resume = UNUSED;
  close = UNUSED;
}

function openWrite(flat: readonly string[], statusText: string): OpenCase {
  const headers = toReadHeaders(flat);
  const names = headers.filter((name, at) => at % 2 === 0 && !NOT_PASSED_ON.has(name));
  const lines = names.map((name) => `${name}: ${headers[headers.indexOf(name) + 1]}\r\n`).join('');
  const response = new CountingResponse(false);
  return repeat(
    () => {
      const closely = new CountingResponse(true);
      writeResponseHead(closely, 200, statusText, lines);
      assert.equal(closely.status, `200 ${statusText}`);
      assert.deepEqual(closely.names, names.slice(0, 1));
    },
    () => {
      response.lines = 0;
      writeResponseHead(response, 200, statusText, lines);
      return response.lines === 1;
    },
  );
}

export const responseHead: readonly MicroCase[] = [
  { name: '8 headers', batch: BATCH, open: () => openWrite(RESPONSE_HEADERS_8, 'OK') },
  { name: '20 headers', batch: BATCH, open: () => openWrite(RESPONSE_HEADERS_20, 'OK') },
  {
    name: '8 headers, a phrase of its own',
    batch: BATCH,
    open: () => openWrite(RESPONSE_HEADERS_8, 'Fine'),
  },
  {
    name: '8 headers, a value beyond ASCII',
    batch: BATCH,
    open: () => openWrite([...RESPONSE_HEADERS_8, 'x-author', 'J\xf8rgen'], 'OK'),
  },
];
