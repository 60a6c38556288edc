// What answers of a listener may take that wait for their clients to read them, and which request of a connection has its
// turn.
//
// A connection has one answer under way: what it asks for besides, before it has taken that, waits unanswered, and a client
// that goes on asking loses the connection. Answers of all connections together are bounded in bytes.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Requests of a connection that wait for the answer before them; one more ends the connection. */
export const WAITING_MAX = 16;
/** Such answers have always room: a connection holds one of them. */
export const SMALL_BYTES = 16 * 1024;

/** To be called before other hooks are added. `toBody` gives the form of an error; `onRefused` hears of each bound that was met. */
export function addAnswerBounds(
  app: FastifyInstance,
  bytesMax: number,
  toBody: (request: FastifyRequest, message: string) => object,
  onRefused: () => void,
): void {
  const turns = new Turns(onRefused);
  const room = new AnswerRoom(bytesMax);
  app.addHook('onRequest', (request, reply, done) => turns.take(request.raw.socket, reply.raw, done));
  app.addHook('onSend', (request, reply, payload, done) => {
    const isText = typeof payload === 'string' || Buffer.isBuffer(payload);
    const bytes = isText ? Buffer.byteLength(payload) : 0;
    if (request.method === 'HEAD') {
      done();
    } else if (request.method === 'GET' && !room.hasRoom(bytes)) {
      onRefused();
      // Of a change the client must hear that it was made.
      reply.code(503).type('application/json; charset=utf-8').header('retry-after', '1');
      done(null, JSON.stringify(toBody(request, 'too many answers wait to be read')));
    } else {
      room.hold(reply.raw, bytes);
      done();
    }
  });
}

interface Turn {
  readonly waiting: (() => void)[];
}

class Turns {
  readonly #turns = new WeakMap<Socket, Turn>();
  readonly #onRefused: () => void;

  constructor(onRefused: () => void) {
    this.#onRefused = onRefused;
  }

  /** Calls `begin` when the answers before it have been taken; never, when the connection ends before. */
  take(socket: Socket, response: ServerResponse, begin: () => void): void {
    // What a read had in it is still parsed.
    if (socket.destroyed) return;
    const turn = this.#turns.get(socket);
    const enter = (): void => {
      response.once('close', () => this.#leave(socket));
      begin();
    };
    if (turn === undefined) {
      this.#turns.set(socket, { waiting: [] });
      enter();
    } else if (turn.waiting.length < WAITING_MAX) {
      turn.waiting.push(enter);
    } else {
      this.#onRefused();
      socket.destroy();
    }
  }

  #leave(socket: Socket): void {
    const next = socket.destroyed ? undefined : this.#turns.get(socket)?.waiting.shift();
    if (next === undefined) this.#turns.delete(socket);
    else next();
  }
}

class AnswerRoom {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether an answer may be sent that can be refused. One has always room, however long. */
  hasRoom(bytes: number): boolean {
    return bytes <= SMALL_BYTES || this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }

  /** Until the client has taken it, or has gone. */
  hold(response: ServerResponse, bytes: number): void {
    if (bytes <= SMALL_BYTES || response.destroyed) return;
    this.#bytes += bytes;
    response.once('close', () => {
      this.#bytes -= bytes;
    });
  }
}
