// Ports for listeners that end while others still connect to them.
//
// A port that the system picks may be handed to any other process the moment it is free, and a gateway that should
// meet a refused connection meets somebody else's server. So these lie below the range that the system picks from
// (net.ipv4.ip_local_port_range, by default from 32768), and each process walks through a slice of its own. It has the
// slice for as long as it listens on the slice's first port, which it does until it ends.

import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

const FIRST = 10_240;
const SLICE = 64;
const SLICES = 340;

let slice: Promise<number> | null = null;
let taken = 0;

/** Listens on a port that no other listener is given while this process runs; resolves with the port. */
export async function listenOnOwnPort(server: Server, host: string): Promise<number> {
  slice ??= takeSlice();
  const first = await slice;
  for (let attempt = 1; attempt < SLICE; attempt++) {
    const port = first + 1 + (taken++ % (SLICE - 1));
    if (await tryListen(server, host, port)) return port;
  }
  throw new Error('no free port');
}

/** Resolves with the first port of a slice that no other process has. */
async function takeSlice(): Promise<number> {
  for (let attempt = 0; attempt < SLICES; attempt++) {
    const first = FIRST + ((process.pid + attempt) % SLICES) * SLICE;
    const lock = createServer().unref();
    if (await tryListen(lock, '127.0.0.1', first)) return first;
  }
  throw new Error('no free slice of ports');
}

async function tryListen(server: Server, host: string, port: number): Promise<boolean> {
  try {
    await listen(server, host, port);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return false;
  }
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
