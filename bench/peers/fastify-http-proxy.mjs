// The package @fastify/http-proxy as a gateway: node fastify-http-proxy.mjs PORT PRIMARY_PORT
//
// Forwards everything to one primary, by undici, which is its default and by its manual the fastest way.

import process from 'node:process';
import proxy from '@fastify/http-proxy';
import fastify from 'fastify';

const [port, primaryPort] = process.argv.slice(2).map(Number);

const app = fastify({
  logger: false,
  keepAliveTimeout: 75_000,
  requestTimeout: 0,
  bodyLimit: Number.MAX_SAFE_INTEGER,
});
app.register(proxy, {
  upstream: `http://127.0.0.1:${primaryPort}`,
  disableRequestLogging: true,
  undici: { connections: 1024, pipelining: 1, keepAliveTimeout: 60_000 },
  replyOptions: { rewriteRequestHeaders },
});

/** It names the upstream in Host and adds nothing by itself. */
function rewriteRequestHeaders(request, headers) {
  const { host, 'x-forwarded-for': forwardedFor } = request.headers;
  const address = request.raw.socket.remoteAddress;
  headers.host = host;
  headers['x-forwarded-for'] = forwardedFor === undefined ? address : `${forwardedFor}, ${address}`;
  headers['x-forwarded-proto'] ??= 'http';
  headers['x-forwarded-host'] ??= host;
  return headers;
}

await app.listen({ port, host: '127.0.0.1' });
process.once('SIGTERM', () => process.exit(0));
