// The package fast-proxy as a gateway: node fast-proxy.mjs PORT PRIMARY_PORT
//
// Forwards everything to one primary, by undici, which its manual recommends for throughput.

import { createServer } from 'node:http';
import process from 'node:process';
import fastProxy from 'fast-proxy';

const [port, primaryPort] = process.argv.slice(2).map(Number);

const { proxy } = fastProxy({
  base: `http://127.0.0.1:${primaryPort}`,
  undici: { connections: 1024, pipelining: 1, keepAliveTimeout: 60_000 },
});
const options = { rewriteRequestHeaders };

/** It names the upstream in Host, and always the client's Host in X-Forwarded-Host. */
function rewriteRequestHeaders(request, headers) {
  const { host, 'x-forwarded-for': forwardedFor, 'x-forwarded-host': forwardedHost } = request.headers;
  const address = request.socket.remoteAddress;
  headers.host = host;
  headers['x-forwarded-for'] = forwardedFor === undefined ? address : `${forwardedFor}, ${address}`;
  headers['x-forwarded-proto'] ??= 'http';
  headers['x-forwarded-host'] = forwardedHost ?? host;
  // It hands these on, and its undici refuses them.
  headers.connection = undefined;
  headers['keep-alive'] = undefined;
  headers['transfer-encoding'] = undefined;
  return headers;
}

const server = createServer({ keepAliveTimeout: 75_000, requestTimeout: 0 }, (request, response) => {
  proxy(request, response, request.url, options);
});
server.listen(port, '127.0.0.1');
process.once('SIGTERM', () => process.exit(0));
