// A raw HTTP/1.1 client: sends exactly the bytes it is given, cut where it is told, and reads what comes.
//
// Owns one connection. Never adds, repairs or repeats anything. Every wait has a deadline.

import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { findField, type Head, MessageReader } from './message.ts';
import { createWaiting } from './waiting.ts';

export interface RawResponse {
  readonly status: number;
  readonly reason: string;
  /** Header lines as they came. */
  readonly fields: readonly string[];
  readonly body: Buffer;
  readonly trailers: readonly string[];
  /** 1xx heads that came before. */
  readonly interim: readonly Head[];
  /** Value of the first field of that name (lower case), or null. */
  field(name: string): string | null;
}

export interface RawOptions {
  readonly host?: string;
  readonly localAddress?: string;
  /** TLS with that authority (PEM), or without verification when true. */
  readonly tls?: string | true;
  readonly deadlineMs?: number;
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  /** Header lines; Host and Content-Length are added where missing. */
  readonly fields?: readonly string[];
  readonly body?: string | Uint8Array;
}

/** Connects; text is sent as latin1, one byte per character. */
export async function openRaw(port: number, options: RawOptions = {}): Promise<RawClient> {
  return new RawClient(await openSocket(port, options), options.deadlineMs ?? 20_000);
}

export class RawClient {
  readonly socket: Socket;
  /** Final responses read so far and not yet taken by read(). */
  readonly responses: RawResponse[] = [];
  /** Whether what comes next answers HEAD, so that no body follows; to be set before sending. */
  answersHead = false;
  /** Whether the peer has ended or reset the connection. */
  closed = false;
  /** What was wrong with the bytes received, or null. */
  bad: string | null = null;
  private readonly deadlineMs: number;
  private readonly waiting = createWaiting();
  private readonly reader: MessageReader;
  private head: Head = { line: '', fields: [] };
  private interim: Head[] = [];
  private chunks: Buffer[] = [];

  constructor(socket: Socket, deadlineMs: number) {
    this.socket = socket;
    this.deadlineMs = deadlineMs;
    this.reader = new MessageReader('response', {
      onHead: (head) => this.onHead(head),
      onBody: (chunk) => this.chunks.push(chunk),
      onEnd: (trailers) => this.onEnd(trailers),
      onBad: (reason) => {
        this.bad = reason;
      },
    });
    socket.on('data', (chunk) => {
      this.reader.feed(chunk);
      this.waiting.check();
    });
    for (const event of ['end', 'error', 'close']) socket.on(event, () => this.leave());
  }

  send(bytes: string | Uint8Array): Promise<void> {
    return this.sendSplit(bytes, []);
  }

  /** Sends with a flush and `gapMs` after each of the offsets. */
  async sendSplit(bytes: string | Uint8Array, offsets: readonly number[], gapMs = 1): Promise<void> {
    const all = toBytes(bytes);
    const cuts = [...offsets.filter((offset) => offset > 0 && offset < all.length), all.length];
    let from = 0;
    for (const to of cuts) {
      // The peer may close in the middle, which read() then shows.
      if (!this.socket.writable) return;
      await new Promise<void>((resolve) => this.socket.write(all.subarray(from, to), () => resolve()));
      if (to < all.length) await sleep(gapMs);
      from = to;
    }
  }

  /** Sends every byte on its own. */
  sendBytewise(bytes: string | Uint8Array, gapMs?: number): Promise<void> {
    return this.sendSplit(bytes, Array.from(toBytes(bytes).keys()), gapMs);
  }

  /** The next `count` responses; fewer when the peer closes or sends nonsense. */
  async read(count = 1): Promise<RawResponse[]> {
    const met = () => this.responses.length >= count || this.closed || this.bad !== null;
    const missing = () => `${count} responses, got ${this.responses.length}`;
    await this.waiting.until(met, missing, this.deadlineMs);
    return this.responses.splice(0, count);
  }

  waitClosed(): Promise<void> {
    const missing = () => 'the peer closes the connection';
    return this.waiting.until(() => this.closed, missing, this.deadlineMs);
  }

  /** Ends our side only. */
  end(): void {
    this.socket.end();
  }

  close(): void {
    this.socket.destroy();
  }

  /** Resets the connection (RST). */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  private onHead(head: Head): boolean {
    this.head = head;
    const status = toStatus(head.line);
    return this.answersHead || status < 200 || status === 204 || status === 304;
  }

  private onEnd(trailers: readonly string[]): void {
    if (toStatus(this.head.line) < 200) {
      this.interim.push(this.head);
      return;
    }
    this.responses.push(toResponse(this.head, Buffer.concat(this.chunks), trailers, this.interim));
    this.interim = [];
    this.chunks = [];
  }

  private leave(): void {
    if (this.closed) return;
    this.closed = true;
    this.reader.finish();
    this.waiting.check();
  }
}

/** One request on the given connection (kept), or on a new one (closed afterwards). Throws when no answer came. */
export async function request(target: number | RawClient, options: RawRequest = {}): Promise<RawResponse> {
  const client = typeof target === 'number' ? await openRaw(target) : target;
  try {
    client.answersHead = options.method === 'HEAD';
    await client.send(toRequestBytes(options));
    const [response] = await client.read();
    if (response === undefined) throw new Error(`no answer: ${client.bad ?? 'closed'}`);
    return response;
  } finally {
    if (typeof target === 'number') client.close();
  }
}

/** The bytes of a well-formed request. */
export function toRequestBytes(options: RawRequest = {}): Buffer {
  const { method = 'GET', path = '/', fields = [], body } = options;
  const lines = [`${method} ${path} HTTP/1.1`, ...fields];
  if (findField(fields, 'host') === null) lines.push('Host: test.example');
  const bytes = body === undefined ? null : toBytes(body);
  const framed = findField(fields, 'content-length') ?? findField(fields, 'transfer-encoding');
  if (bytes !== null && framed === null) lines.push(`Content-Length: ${bytes.length}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes ?? Buffer.alloc(0)]);
}

function openSocket(port: number, options: RawOptions): Promise<Socket> {
  const { host = '127.0.0.1', localAddress, tls } = options;
  const address = { host, port, ...(localAddress === undefined ? {} : { localAddress }) };
  const socket =
    tls === undefined
      ? connectTcp(address)
      : connectTls({ ...address, ...(tls === true ? { rejectUnauthorized: false } : { ca: tls }) });
  socket.setNoDelay(true);
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

function toResponse(
  head: Head,
  body: Buffer,
  trailers: readonly string[],
  interim: readonly Head[],
): RawResponse {
  const { line, fields } = head;
  const reason = line.split(' ').slice(2).join(' ');
  const field = (name: string) => findField(fields, name);
  return { status: toStatus(line), reason, fields, body, trailers, interim, field };
}

function toStatus(line: string): number {
  return Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line)?.[1] ?? Number.NaN);
}

function toBytes(bytes: string | Uint8Array): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes);
}
