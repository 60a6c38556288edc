// One connection of the recording origin: notes its requests and sends their answers in order.
//
// Owns nothing but the order of its answers; the socket and the books are the origin's.

import { createHash, type Hash } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Behaviour, toAnswer, toBodyBytes } from './behaviour.ts';
import { findField, findFields, type Head, MessageReader } from './message.ts';

/** What a connection asks of and tells its origin. */
export interface OriginBooks {
  readonly bad: string[];
  readonly bodyBytesMax: number;
  toBehaviour(target: string): Behaviour;
  noteHead(request: RecordedRequest): void;
  noteEnd(): void;
}

export class RecordedRequest {
  /** As it came: `GET /path HTTP/1.1`. */
  readonly line: string;
  readonly method: string;
  readonly target: string;
  /** Header lines as they came, in order and case. */
  readonly fields: readonly string[];
  /** Number of the connection, from 1. */
  readonly connection: number;
  /** When the head was complete, on performance.now()'s clock. */
  readonly arrivedAtMs = performance.now();
  /** The first bytes of the body, up to the bound. */
  body: Buffer = Buffer.alloc(0);
  bodyBytes = 0;
  /** SHA-256 of the whole body in hex, once it is complete. */
  bodySha256 = '';
  trailers: readonly string[] = [];
  /** Whether its last byte has come. */
  complete = false;

  constructor(head: Head, connection: number) {
    const [method = '', target = ''] = head.line.split(' ');
    this.line = head.line;
    this.method = method;
    this.target = target;
    this.fields = head.fields;
    this.connection = connection;
  }

  /** Value of the first field of that name (lower case), or null. */
  field(name: string): string | null {
    return findField(this.fields, name);
  }

  allFields(name: string): string[] {
    return findFields(this.fields, name);
  }
}

export class OriginConnection {
  private readonly origin: OriginBooks;
  private readonly socket: Socket;
  private readonly id: number;
  private readonly reader: MessageReader;
  private request: RecordedRequest | null = null;
  private behaviour: Behaviour = {};
  private hash: Hash | null = null;
  private kept: Buffer[] = [];
  /** Answers go out one after the other, in the order of their requests. */
  private tail: Promise<void> = Promise.resolve();

  constructor(origin: OriginBooks, socket: Socket, id: number) {
    this.origin = origin;
    this.socket = socket;
    this.id = id;
    this.reader = new MessageReader('request', {
      onHead: (head) => this.onHead(head),
      onBody: (chunk) => this.onBody(chunk),
      onEnd: (trailers) => this.onEnd(trailers),
      onBad: (reason) => this.origin.bad.push(reason),
    });
  }

  feed(chunk: Buffer): void {
    this.reader.feed(chunk);
    const { reading } = this.behaviour;
    if (reading === undefined || this.request === null || this.request.complete) return;
    this.socket.pause();
    if (reading !== 'stop') setTimeout(() => this.socket.resume(), reading.pauseMs);
  }

  /** The peer ended its side; ours is ended too unless an answer is under way. */
  finish(): void {
    this.reader.finish();
    void this.tail.then(() => this.socket.end());
  }

  private onHead(head: Head): boolean {
    const request = new RecordedRequest(head, this.id);
    this.request = request;
    this.behaviour = this.origin.toBehaviour(request.target);
    this.hash = createHash('sha256');
    this.kept = [];
    if (this.behaviour.early === true) this.answer(request, this.behaviour);
    this.origin.noteHead(request);
    return false;
  }

  private onBody(chunk: Buffer): void {
    const { request } = this;
    if (request === null) return;
    const room = this.origin.bodyBytesMax - Math.min(request.bodyBytes, this.origin.bodyBytesMax);
    if (room > 0) this.kept.push(chunk.subarray(0, room));
    request.bodyBytes += chunk.length;
    this.hash?.update(chunk);
  }

  private onEnd(trailers: readonly string[]): void {
    const { request, behaviour } = this;
    if (request === null) return;
    request.body = Buffer.concat(this.kept);
    request.bodySha256 = this.hash?.digest('hex') ?? '';
    request.trailers = trailers;
    request.complete = true;
    this.kept = [];
    if (behaviour.early !== true) this.answer(request, behaviour);
    this.origin.noteEnd();
  }

  private answer(request: RecordedRequest, behaviour: Behaviour): void {
    this.tail = this.tail.then(() => this.write(request, behaviour));
  }

  private async write(request: RecordedRequest, behaviour: Behaviour): Promise<void> {
    if (behaviour.hang === true) return await this.untilPeerLeaves();
    if (behaviour.delayMs !== undefined) await sleep(behaviour.delayMs);
    const { cut } = behaviour;
    if (cut?.at === 'start') return leave(this.socket, cut.how);
    const half = Math.ceil(toBodyBytes(behaviour, request) / 2);
    let sent = -1;
    for (const piece of toAnswer(behaviour, request)) {
      const isHead = sent === -1;
      if (cut?.at === 'head') return await this.breakOff(piece.subarray(0, 20), cut.how);
      if (cut?.at === 'body' && !isHead && sent + piece.length > half) {
        return await this.breakOff(piece.subarray(0, half - sent), cut.how);
      }
      sent = isHead ? 0 : sent + piece.length;
      if (!(await this.send(piece, behaviour.trickle))) return;
    }
    const after = behaviour.framing === 'close' ? 'close' : (behaviour.after ?? 'keep');
    if (after !== 'keep') leave(this.socket, after);
  }

  private untilPeerLeaves(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.once('end', resolve);
      this.socket.once('close', resolve);
    });
  }

  private async breakOff(last: Buffer, how: 'close' | 'reset'): Promise<void> {
    await this.send(last, undefined);
    leave(this.socket, how);
  }

  /** False when the peer has gone. */
  private async send(bytes: Buffer, trickle: Behaviour['trickle']): Promise<boolean> {
    const step = trickle?.bytes ?? bytes.length;
    for (let from = 0; from < bytes.length; from += step) {
      if (!this.socket.writable) return false;
      await new Promise((resolve) => this.socket.write(bytes.subarray(from, from + step), resolve));
      if (trickle !== undefined) await sleep(trickle.pauseMs);
    }
    return this.socket.writable;
  }
}

export function leave(socket: Socket, how: 'close' | 'reset'): void {
  // A TLS socket has no reset of its own.
  if (how === 'reset' && !('encrypted' in socket)) socket.resetAndDestroy();
  else if (how === 'reset') socket.destroy();
  else socket.end();
}
