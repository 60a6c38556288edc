// Whether a port can be listened on, before the front ends share it.

import { type AddressInfo, createServer } from 'node:net';
import type { Listener } from '../core/model.ts';

/**
 * Front ends share their port among each other, and the system would let them share it with a foreign process that
 * does so too. Whether somebody is there is found out by asking for the port alone; port 0 becomes a free one.
 */
export function probe(listener: Listener): Promise<Listener> {
  const { host, port } = listener;
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'EADDRINUSE' ? 'the port is in use' : (error.code ?? error.message);
      reject(new Error(`cannot listen on ${toHostText(host)}:${port}: ${reason}`));
    });
    server.listen({ host, port, exclusive: true }, () => {
      const bound = (server.address() as AddressInfo).port;
      server.close(() => resolve({ ...listener, port: bound }));
    });
  });
}

export function toHostText(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
