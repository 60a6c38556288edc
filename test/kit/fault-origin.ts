// An origin that does to each request what a script says, byte by byte: answers that are wrong, cut, too long, too
// early, and connections that end at any moment.
//
// Owns its listener and every socket it accepted. Sends nothing but what the script sends, and never waits by itself.

import { createServer, type Server, type Socket } from 'node:net';
import { findField, type Head, MessageReader } from './message.ts';
import { listen, listenOnOwnPort } from './port.ts';
import { leave } from './recording.ts';
import { createWaiting } from './waiting.ts';

/** Runs when the head of a request has come; what it throws is kept in `errors`. */
export type FaultScript = (exchange: FaultExchange) => Promise<void> | void;

/** Opens an origin; it answers 200 with an empty body until it is told otherwise. */
export async function openFaultOrigin(script: FaultScript = answerEmpty): Promise<FaultOrigin> {
  const origin = new FaultOrigin(script);
  await origin.open();
  return origin;
}

/** One request, and the socket that its answer is written to. */
export class FaultExchange {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly string[];
  /** Number of the connection, from 1, and of the request on it, from 1. */
  readonly connection: number;
  readonly turn: number;
  readonly socket: Socket;
  /** As far as it has come. */
  readonly body: Buffer[] = [];
  bodyBytes = 0;
  /** Whether the last byte of the request has come. */
  complete = false;
  /** Whether the peer has ended the connection. */
  gone = false;
  /** Whether the next request on the connection has come. */
  past = false;
  private readonly waiting = createWaiting();

  constructor(head: Head, socket: Socket, connection: number, turn: number) {
    const [method = '', target = ''] = head.line.split(' ');
    this.method = method;
    this.target = target;
    this.fields = head.fields;
    this.socket = socket;
    this.connection = connection;
    this.turn = turn;
  }

  /** Value of the first field of that name (lower case), or null. */
  field(name: string): string | null {
    return findField(this.fields, name);
  }

  /** Resolves when the request is whole; false when the connection ended before. */
  async whole(): Promise<boolean> {
    await this.waiting.until(
      () => this.complete || this.gone,
      () => 'a whole request',
    );
    return this.complete;
  }

  /** Resolves when that many bytes of the body have come, or the connection has ended. */
  taken(bytes: number): Promise<void> {
    const met = () => this.bodyBytes >= bytes || this.gone;
    return this.waiting.until(met, () => `${bytes} bytes of body, got ${this.bodyBytes}`);
  }

  /** Resolves when the peer has ended the connection. */
  left(): Promise<void> {
    return this.waiting.until(
      () => this.gone,
      () => 'the end of the connection',
    );
  }

  /** Text is latin1. Resolves when the system has taken all of it, or the connection is gone. */
  send(bytes: string | Uint8Array): Promise<void> {
    if (!this.socket.writable) return Promise.resolve();
    const piece = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    return new Promise((resolve) => this.socket.write(piece, () => resolve()));
  }

  close(): void {
    leave(this.socket, 'close');
  }

  /** Ends the connection with RST. */
  reset(): void {
    endNow(this.socket);
  }

  // For its origin.

  take(chunk: Buffer): void {
    this.body.push(chunk);
    this.bodyBytes += chunk.length;
    this.waiting.check();
  }

  finish(): void {
    this.complete = true;
    this.waiting.check();
  }

  leave(): void {
    this.gone = true;
    this.waiting.check();
  }
}

export class FaultOrigin {
  /** From the next request on. */
  script: FaultScript;
  /** Requests whose head came. */
  arrived = 0;
  /** Sockets accepted ever, and open now. */
  connections = 0;
  readonly sockets = new Set<Socket>();
  /** The last request. */
  last: FaultExchange | null = null;
  /** What was wrong with bytes that were not a request. */
  readonly bad: string[] = [];
  readonly errors: unknown[] = [];
  port = 0;
  private readonly waiting = createWaiting();
  private server: Server | null = null;

  constructor(script: FaultScript) {
    this.script = script;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Listens, after refuse() on the same port again. */
  async open(): Promise<void> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.accept(socket));
    if (this.port === 0) this.port = await listenOnOwnPort(server, '127.0.0.1');
    else await listen(server, '127.0.0.1', this.port);
    this.server = server;
  }

  /** Closes the listener and resets every open connection: from now on connections are refused. */
  async refuse(): Promise<void> {
    const server = this.server;
    this.server = null;
    if (server === null) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.dropConnections('reset');
    await closed;
  }

  /** Ends every open connection. */
  dropConnections(how: 'close' | 'reset'): void {
    for (const socket of this.sockets) {
      if (how === 'reset') endNow(socket);
      else leave(socket, how);
    }
  }

  /** Resolves when the heads of that many requests have come. */
  waitFor(count: number): Promise<void> {
    return this.waiting.until(
      () => this.arrived >= count,
      () => `${count} requests, got ${this.arrived}`,
    );
  }

  /** Resolves when exactly that many sockets are open. */
  waitForSockets(count: number): Promise<void> {
    return this.waiting.until(
      () => this.sockets.size === count,
      () => `${count} open sockets, have ${this.sockets.size}`,
    );
  }

  private accept(socket: Socket): void {
    const connection = ++this.connections;
    let turn = 0;
    let exchange: FaultExchange | null = null;
    this.sockets.add(socket);
    const reader = new MessageReader('request', {
      onHead: (head) => {
        if (exchange !== null) exchange.past = true;
        exchange = new FaultExchange(head, socket, connection, ++turn);
        this.begin(exchange);
        return false;
      },
      onBody: (chunk) => exchange?.take(chunk),
      onEnd: () => exchange?.finish(),
      onBad: (reason) => this.bad.push(reason),
    });
    socket.on('data', (chunk) => reader.feed(chunk));
    socket.on('error', () => undefined);
    socket.on('end', () => {
      exchange?.leave();
      socket.end();
    });
    socket.on('close', () => {
      exchange?.leave();
      this.sockets.delete(socket);
      this.waiting.check();
    });
    this.waiting.check();
  }

  private begin(exchange: FaultExchange): void {
    this.arrived++;
    this.last = exchange;
    this.waiting.check();
    void this.run(exchange);
  }

  private async run(exchange: FaultExchange): Promise<void> {
    try {
      await this.script(exchange);
    } catch (error) {
      this.errors.push(error);
    }
  }
}

/**
 * Node resets a connection only when all that was written has gone out, which may be never; and a reset while an end
 * is under way fails, leaves the handle open, and lets the process spin at its exit (22.23).
 */
function endNow(socket: Socket): void {
  if (socket.writableLength > 0 || socket.writableEnded) socket.destroy();
  else leave(socket, 'reset');
}

async function answerEmpty(exchange: FaultExchange): Promise<void> {
  if (await exchange.whole()) await exchange.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
}
