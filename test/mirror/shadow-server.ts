// Shadows on real sockets: one that keeps the bytes it gets, one that answers as it is told.

import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface RawShadow {
  readonly origin: string;
  /** All that came, latin1, in the order of the connections. */
  received(): string;
  readonly connections: number;
}

async function listen(server: Server, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  // A test that fails before it closes its shadows ends all the same.
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function closing(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Calls `respond` for each chunk that comes; keeps every byte. */
export async function openRawShadow(
  test: TestContext,
  respond: (socket: Socket, chunk: string) => void,
): Promise<RawShadow> {
  const chunks: string[][] = [];
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    const mine: string[] = [];
    chunks.push(mine);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      mine.push(chunk.toString('latin1'));
      respond(socket, chunk.toString('latin1'));
    });
  });
  const origin = await listen(server, 0);
  test.after(() => closing(server, sockets));
  return {
    origin,
    received: () => chunks.map((mine) => mine.join('')).join(''),
    get connections() {
      return chunks.length;
    },
  };
}

export interface Received {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: string;
}

export interface HttpShadow {
  readonly origin: string;
  readonly port: number;
  readonly requests: readonly Received[];
  /** Most requests that were under way at one time. */
  readonly concurrencyMax: number;
  readonly connections: number;
  readonly openConnections: number;
}

/** Answers through `respond` once a request is complete. */
export async function openHttpShadow(
  test: TestContext,
  respond: (response: ServerResponse, request: Received) => void,
  port = 0,
): Promise<HttpShadow> {
  const requests: Received[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  let concurrency = 0;
  let concurrencyMax = 0;
  const server = createHttpServer((request: IncomingMessage, response: ServerResponse) => {
    concurrency++;
    concurrencyMax = Math.max(concurrencyMax, concurrency);
    response.once('close', () => concurrency--);
    const chunks: Buffer[] = [];
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const received: Received = {
        method: request.method!,
        target: request.url!,
        headers: request.rawHeaders,
        body: Buffer.concat(chunks).toString('latin1'),
      };
      requests.push(received);
      respond(response, received);
    });
  });
  server.on('connection', (socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const origin = await listen(server, port);
  test.after(() => closing(server, sockets));
  return {
    origin,
    port: Number(new URL(origin).port),
    requests,
    get concurrencyMax() {
      return concurrencyMax;
    },
    get connections() {
      return connections;
    },
    get openConnections() {
      return sockets.size;
    },
  };
}

/** A port that nobody listens on. */
export async function findClosedPort(): Promise<number> {
  const server = createNetServer();
  const origin = await listen(server, 0);
  await closing(server, new Set());
  return Number(new URL(origin).port);
}

/** The value of a header as it was received, or undefined. */
export function headerOf(request: Received | undefined, name: string): string | undefined {
  const at =
    request?.headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name) ?? -1;
  return at < 0 ? undefined : request?.headers[at + 1];
}
