// The package http-proxy as a gateway: node http-proxy.mjs PORT PRIMARY_PORT
//
// Forwards everything to one primary. Differs from umbra for the primary: X-Forwarded-Proto is appended to when the
// request has one, X-Forwarded-Port comes too, and neighbouring slashes of the path become one.

import { Agent, createServer } from 'node:http';
import process from 'node:process';
import httpProxy from 'http-proxy';

const [port, primaryPort] = process.argv.slice(2).map(Number);

const proxy = httpProxy.createProxyServer({
  // Parts instead of a URL, and the target as it came: otherwise both would be parsed anew for every request.
  target: { protocol: 'http:', host: '127.0.0.1', port: primaryPort },
  toProxy: true,
  xfwd: true,
  // Without an agent of its own it closes the connection after every request.
  agent: new Agent({ keepAlive: true, maxSockets: 1024, maxFreeSockets: 1024 }),
});
proxy.on('error', (_error, _request, response) => {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(502);
  response.end();
});

const server = createServer({ keepAliveTimeout: 75_000, requestTimeout: 0 }, (request, response) => {
  proxy.web(request, response);
});
server.listen(port, '127.0.0.1');
process.once('SIGTERM', () => process.exit(0));
