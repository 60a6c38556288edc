// An upstream for the benchmarks, as a process of its own: answers every request at once with as many bytes as its
// query asks for, or does what a bad shadow does.
//
// Kept as small as an HTTP server can be, so that the figures are the gateway's. Tells its port over IPC, and how many
// requests have come when asked; ends with its parent.

import { App, type HttpResponse, us_socket_local_port } from 'uWebSockets.js';
import process from 'node:process';

/** `empty` answers 204 without a body, `slow` after a second, `hung` never. */
export type OriginKind = 'answering' | 'empty' | 'slow' | 'hung';

export interface OriginReady {
  readonly port: number;
}

/** The answer to the message 'count'. */
export interface OriginCount {
  readonly requests: number;
}

const SLOW_MS = 1_000;

const bodies = new Map<number, Buffer>();

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

function answer(kind: OriginKind, response: HttpResponse, bytes: number): void {
  if (kind === 'hung') return;
  if (kind === 'empty') response.writeStatus('204 No Content').end();
  else response.writeHeader('content-type', 'application/json').end(toBody(bytes));
}

function serve(kind: OriginKind): void {
  let requests = 0;
  const app = App();
  app.any('/*', (response, request) => {
    requests++;
    const bytes = Number(request.getQuery('bytes'));
    const isWhole =
      request.getHeader('content-length') === '' && request.getHeader('transfer-encoding') === '';
    let isGone = false;
    if (kind === 'slow' || kind === 'hung' || !isWhole) {
      response.onAborted(() => {
        isGone = true;
      });
    }
    const onWhole = (): void => {
      if (kind !== 'slow') answer(kind, response, bytes);
      else setTimeout(() => isGone || response.cork(() => answer(kind, response, bytes)), SLOW_MS);
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
