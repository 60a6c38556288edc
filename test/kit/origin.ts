// The recording upstream: an HTTP/1.1 origin on a port of its own that notes every request as it came on
// the wire, and can be told at run time to answer, stall, trickle, lie or break off.
//
// Owns its listener and every socket it accepted. Never adds a header that it was not told to send, except
// the framing. Bodies are kept up to a bound; their length and digest are always exact.

import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Behaviour } from './behaviour.ts';
import { listen, listenOnOwnPort } from './port.ts';
import { leave, type OriginBooks, OriginConnection, type RecordedRequest } from './recording.ts';
import { createWaiting } from './waiting.ts';

const BODY_BYTES_MAX = 1024 * 1024;
const REQUESTS_MAX = 100_000;

export interface OriginOptions {
  /** TLS with this key and certificate (PEM). */
  readonly tls?: { readonly key: string; readonly certificate: string };
  readonly host?: string;
  /** One of its own by default. */
  readonly port?: number;
  readonly behaviour?: Behaviour;
  /** Bytes kept of each body; default 1 MiB. */
  readonly bodyBytesMax?: number;
  /** Requests kept; further ones are only counted. Default 100,000. */
  readonly requestsMax?: number;
}

/** Opens an origin; it answers 200 with an empty body until it is told otherwise. */
export async function openOrigin(options: OriginOptions = {}): Promise<Origin> {
  const origin = new Origin(options);
  await origin.open();
  return origin;
}

export class Origin implements OriginBooks {
  /** In the order their heads came, incomplete ones too. */
  readonly requests: RecordedRequest[] = [];
  /** Requests whose head came, and those whose body came as well. */
  arrived = 0;
  completed = 0;
  /** Sockets accepted ever, and open now. */
  connections = 0;
  readonly sockets = new Set<Socket>();
  /** What was wrong with bytes that were not a request. */
  readonly bad: string[] = [];
  port = 0;
  private readonly options: OriginOptions;
  private readonly waiting = createWaiting();
  private readonly behaviours = new Map<string, Behaviour>();
  private behaviour: Behaviour;
  private server: Server | null = null;

  constructor(options: OriginOptions) {
    this.options = options;
    this.behaviour = options.behaviour ?? {};
    this.port = options.port ?? 0;
  }

  /** `http://127.0.0.1:port`, or `https://localhost:port`. */
  get url(): string {
    if (this.options.tls !== undefined) return `https://localhost:${this.port}`;
    return `http://${this.options.host ?? '127.0.0.1'}:${this.port}`;
  }

  /** From now on; for requests to that path only (target without query) if one is given. */
  behave(behaviour: Behaviour, path?: string): void {
    if (path === undefined) this.behaviour = behaviour;
    else this.behaviours.set(path, behaviour);
  }

  /** Resolves when that many requests have come whole. */
  waitFor(count: number, deadlineMs?: number): Promise<void> {
    const missing = () => `${count} requests, got ${this.completed} of ${this.arrived} begun`;
    return this.waiting.until(() => this.completed >= count, missing, deadlineMs);
  }

  /** Resolves when the heads of that many requests have come. */
  waitForHeads(count: number, deadlineMs?: number): Promise<void> {
    const missing = () => `${count} request heads, got ${this.arrived}`;
    return this.waiting.until(() => this.arrived >= count, missing, deadlineMs);
  }

  /** Resolves when exactly that many sockets are open. */
  waitForSockets(count: number, deadlineMs?: number): Promise<void> {
    const missing = () => `${count} open sockets, have ${this.sockets.size}`;
    return this.waiting.until(() => this.sockets.size === count, missing, deadlineMs);
  }

  /** Resolves when that many connections were accepted since the beginning. */
  waitForConnections(count: number, deadlineMs?: number): Promise<void> {
    const missing = () => `${count} connections, had ${this.connections}`;
    return this.waiting.until(() => this.connections >= count, missing, deadlineMs);
  }

  /** Listens, after refuse() on the same port again. */
  async open(): Promise<void> {
    const { tls } = this.options;
    const accept = (socket: Socket) => this.accept(socket);
    // TLS sockets count from their first byte on, so that a handshake that fails is seen too.
    const server =
      tls === undefined
        ? createServer({ noDelay: true, allowHalfOpen: true }, accept)
        : createTlsServer({ key: tls.key, cert: tls.certificate }, accept);
    server.on('tlsClientError', () => undefined);
    const host = this.options.host ?? '127.0.0.1';
    if (this.port === 0) this.port = await listenOnOwnPort(server, host);
    else await listen(server, host, this.port);
    this.server = server;
  }

  /** Closes the listener and resets every open connection: from now on connections are refused. */
  async refuse(): Promise<void> {
    const server = this.server;
    this.server = null;
    if (server === null) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.dropConnections();
    await closed;
  }

  /** Ends every open connection. */
  dropConnections(how: 'close' | 'reset' = 'reset'): void {
    for (const socket of this.sockets) leave(socket, how);
  }

  close(): Promise<void> {
    return this.refuse();
  }

  private accept(socket: Socket): void {
    this.connections += 1;
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.waiting.check();
    });
    const connection = new OriginConnection(this, socket, this.connections);
    socket.on('data', (chunk) => connection.feed(chunk));
    socket.on('end', () => connection.finish());
    this.waiting.check();
  }

  // For its connections.

  get bodyBytesMax(): number {
    return this.options.bodyBytesMax ?? BODY_BYTES_MAX;
  }

  toBehaviour(target: string): Behaviour {
    const [path = ''] = target.split('?');
    return this.behaviours.get(path) ?? this.behaviour;
  }

  noteHead(request: RecordedRequest): void {
    this.arrived += 1;
    if (this.requests.length < (this.options.requestsMax ?? REQUESTS_MAX)) this.requests.push(request);
    this.waiting.check();
  }

  noteEnd(): void {
    this.completed += 1;
    this.waiting.check();
  }
}
