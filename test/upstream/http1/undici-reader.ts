// What undici makes of the bytes of one connection, over a stream in memory in place of a socket.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Client, type Dispatcher } from 'undici';
import { toEndToEnd } from './llhttp.ts';
import { createOutcome, type Outcome } from './outcome.ts';

/** Answers what is written to it with the bytes and their end. */
class Line extends Duplex {
  #bytes: Buffer | null;

  constructor(bytes: Buffer) {
    super({ emitClose: true, allowHalfOpen: true });
    this.#bytes = bytes;
  }

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    // Not before the client has noted that the request was sent.
    if (this.#bytes !== null) process.nextTick(() => this.#answer());
    done();
  }

  #answer(): void {
    const bytes = this.#bytes;
    this.#bytes = null;
    if (bytes === null || this.destroyed) return;
    if (bytes.length > 0) this.push(bytes);
    this.push(null);
  }

  ref(): void {}
  unref(): void {}
}

/** Incomplete and refused are not told apart: both are 'refused'. Persistence is not told. */
export async function readUndici(bytes: Buffer, isHead: boolean): Promise<Outcome> {
  const outcome = createOutcome();
  const client = new Client('http://origin', {
    connect: (_options, callback) => {
      queueMicrotask(() => callback(null, new Line(bytes) as unknown as Socket));
    },
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  await new Promise<void>((resolve) => {
    client.dispatch({ method: isHead ? 'HEAD' : 'GET', path: '/' }, toHandler(outcome, resolve));
  });
  await client.destroy();
  return outcome;
}

function toHandler(outcome: Outcome, done: () => void): Dispatcher.DispatchHandler {
  const body: Uint8Array[] = [];
  return {
    onRequestStart() {},
    onResponseStart(controller, status, _headers, statusText) {
      if (status < 200) return;
      outcome.hasHead = true;
      outcome.status = status;
      outcome.statusText = statusText ?? '';
      outcome.fields = toEndToEnd(toText(controller.rawHeaders));
    },
    onResponseData(_controller, piece) {
      body.push(Buffer.from(piece));
    },
    onResponseEnd() {
      outcome.verdict = 'complete';
      outcome.body = Buffer.concat(body);
      done();
    },
    onResponseError(_controller, error) {
      outcome.verdict = 'refused';
      outcome.error = error.message;
      done();
    },
  };
}

function toText(raw: unknown): string[] {
  return Array.from(raw as Iterable<Buffer>, (part) => part.toString('latin1'));
}
