// Ports for listeners that end while others still connect to them.
//
// A port that the system picks may be handed to any other process the moment it is free, and a gateway that should
// meet a refused connection meets somebody else's server. So these lie below the range that the system picks from
// (net.ipv4.ip_local_port_range, by default from 32768), and each process walks through a slice of its own.

import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

const FIRST = 10_240;
const SLICE = 64;
const SLICES = 340;

let taken = 0;

/** Listens on a port that no other listener is given while this process runs; resolves with the port. */
export async function listenOnOwnPort(server: Server, host: string): Promise<number> {
  for (let attempt = 0; attempt < SLICE * SLICES; attempt++) {
    const port = FIRST + (((process.pid % SLICES) * SLICE + taken++) % (SLICE * SLICES));
    try {
      await listen(server, host, port);
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
  throw new Error('no free port');
}

/** The number of such a port, for a listener of another process. */
export async function takeOwnPort(host: string): Promise<number> {
  const server = createServer();
  const port = await listenOnOwnPort(server, host);
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when it listens; rejects with the listener's error. */
export function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
