// An upstream for the benchmarks, as a process of its own: answers every request at once with as many bytes as its
// query asks for, or does what a bad shadow does.
//
// Kept as small as an HTTP server can be, so that the figures are the gateway's. Tells its port over IPC, and how many
// requests have come when asked; ends with its parent.

import { App, type HttpResponse, us_socket_local_port } from 'uWebSockets.js';
import process from 'node:process';
import { createJsonBody, type JsonBody, stamp } from './json-body.ts';

/** `drifting` has another time stamp in each answer, `empty` answers 204 without a body, `slow` after a second, `hung` never. */
export type OriginKind = 'answering' | 'drifting' | 'empty' | 'slow' | 'hung';

export interface OriginReady {
  readonly port: number;
}

/** The answer to the message 'count'. */
export interface OriginCount {
  readonly requests: number;
}

const SLOW_MS = 1_000;

const bodies = new Map<number, Buffer>();
const jsonBodies = new Map<number, JsonBody>();

/** JSON text of that many bytes. */
function toBody(bytes: number): Buffer {
  let body = bodies.get(bytes);
  if (body === undefined) {
    const [head, tail] = ['{"text":"', '"}'];
    body = Buffer.from(head + 'x'.repeat(Math.max(0, bytes - head.length - tail.length)) + tail);
    bodies.set(bytes, body);
  }
  return body;
}

/** With many fields, of that many bytes. Of a drifting origin each has another time stamp. */
function toJson(kind: OriginKind, bytes: number): Buffer {
  let body = jsonBodies.get(bytes);
  if (body === undefined) {
    body = createJsonBody(bytes);
    jsonBodies.set(bytes, body);
  }
  if (kind === 'drifting') stamp(body, new Date());
  return body.bytes;
}

function answer(kind: OriginKind, response: HttpResponse, bytes: number, hasFields: boolean): void {
  if (kind === 'hung') return;
  if (kind === 'empty') response.writeStatus('204 No Content').end();
  else {
    const body = hasFields ? toJson(kind, bytes) : toBody(bytes);
    response.writeHeader('content-type', 'application/json').end(body);
  }
}

function serve(kind: OriginKind): void {
  let requests = 0;
  const app = App();
  app.any('/*', (response, request) => {
    requests++;
    const bytes = Number(request.getQuery('bytes'));
    const hasFields = request.getQuery('fields') === '1';
    const isWhole =
      request.getHeader('content-length') === '' && request.getHeader('transfer-encoding') === '';
    let isGone = false;
    if (kind === 'slow' || kind === 'hung' || !isWhole) {
      response.onAborted(() => {
        isGone = true;
      });
    }
    const onWhole = (): void => {
      if (kind !== 'slow') answer(kind, response, bytes, hasFields);
      else setTimeout(() => isGone || response.cork(() => answer(kind, response, bytes, hasFields)), SLOW_MS);
    };
    if (isWhole) onWhole();
    else response.onData((_chunk, isLast) => isLast && onWhole());
  });
  app.listen('127.0.0.1', 0, (socket) => {
    if (socket === false) throw new Error('no port to listen on');
    process.send!({ port: us_socket_local_port(socket) } satisfies OriginReady);
  });
  process.on('message', () => process.send!({ requests } satisfies OriginCount));
  process.once('disconnect', () => process.exit(0));
}

serve(JSON.parse(process.argv[2]!) as OriginKind);
