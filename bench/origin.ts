// An origin for the benchmarks, as a process of its own: answers every request at once with the same JSON body,
// or takes requests and never answers.
//
// Kept as small as an HTTP server can be, so that the figures are the gateway's. Tells its port over IPC and ends
// with its parent.

import { App, us_socket_local_port } from 'uWebSockets.js';
import process from 'node:process';

export interface OriginOptions {
  readonly kind: 'answering' | 'hung';
  readonly bodyBytes: number;
}

export interface OriginReady {
  readonly port: number;
}

function createBody(bytes: number): string {
  const head = '{"text":"';
  const tail = '"}';
  return head + 'x'.repeat(Math.max(0, bytes - head.length - tail.length)) + tail;
}

function serve({ kind, bodyBytes }: OriginOptions): void {
  const body = createBody(bodyBytes);
  const app = App();
  app.any('/*', (response, request) => {
    if (kind === 'hung') {
      response.onAborted(() => {});
    } else if (request.getHeader('content-length') === '' && request.getHeader('transfer-encoding') === '') {
      response.writeHeader('content-type', 'application/json').end(body);
    } else {
      response.onAborted(() => {});
      response.onData((_chunk, isLast) => {
        if (isLast) response.writeHeader('content-type', 'application/json').end(body);
      });
    }
  });
  app.listen('127.0.0.1', 0, (socket) => {
    if (socket === false) throw new Error('no port to listen on');
    process.send!({ port: us_socket_local_port(socket) } satisfies OriginReady);
  });
  process.once('disconnect', () => process.exit(0));
}

serve(JSON.parse(process.argv[2]!) as OriginOptions);
