// A request's body on its way into the socket: whole or streamed, of declared length or in chunks.
//
// Hands the socket one piece after the other, each when the one before has left it, so that an upstream that takes
// bytes slowly is seen to take them. Reports no error by itself.

import type { Socket } from 'node:net';

/** One write to the socket. */
export const PIECE_BYTES_MAX = 64 * 1024;

export class RequestBody {
  /** Whether all of it is with the socket. */
  isEnded = true;
  #socket: Socket | null = null;
  #isChunked = false;
  /** Of a streamed body, by content-length; -1 in chunks. */
  #left = -1;
  #waiting: Uint8Array | null = null;
  #waitingAt = 0;
  /** No further chunk will come. */
  #isClosed = true;
  readonly #onTaken: () => void;

  /** `onTaken`: the socket has taken a piece, or has failed. */
  constructor(onTaken: () => void) {
    this.#onTaken = onTaken;
  }

  /** There is no body, or it went with the head. */
  openNone(): void {
    this.isEnded = true;
    this.#isClosed = true;
    this.#waiting = null;
  }

  openWhole(socket: Socket, body: Uint8Array): void {
    this.#open(socket, false, -1);
    this.#isClosed = true;
    this.#waiting = body;
    this.pump();
  }

  /** `declaredBytes` -1: of unknown length, in chunks. */
  openStream(socket: Socket, declaredBytes: number): void {
    this.#open(socket, declaredBytes === -1, declaredBytes);
  }

  #open(socket: Socket, isChunked: boolean, left: number): void {
    this.isEnded = false;
    this.#socket = socket;
    this.#isChunked = isChunked;
    this.#left = left;
    this.#waiting = null;
    this.#waitingAt = 0;
    this.#isClosed = false;
  }

  /** Whether the caller may give more. */
  get hasRoom(): boolean {
    return !this.#isClosed && this.#waiting === null && this.#socket!.writableLength === 0;
  }

  /** Takes a chunk of a streamed body; false when it would be longer than declared. */
  write(chunk: Uint8Array): boolean {
    if (this.#isClosed || chunk.length === 0) return true;
    if (this.#left !== -1) {
      if (chunk.length > this.#left) return false;
      this.#left -= chunk.length;
    }
    this.#waiting =
      this.#waiting === null ? chunk : Buffer.concat([this.#waiting.subarray(this.#waitingAt), chunk]);
    this.#waitingAt = 0;
    this.pump();
    return true;
  }

  /** False when fewer bytes came than were declared; the body is then not ended. */
  close(): boolean {
    if (this.#isClosed) return true;
    if (this.#left > 0) return false;
    this.#isClosed = true;
    this.pump();
    return true;
  }

  /** Goes on: the socket has taken what it had. */
  pump(): void {
    const socket = this.#socket!;
    while (this.#waiting !== null) {
      if (socket.writableLength > 0) return;
      const end = Math.min(this.#waiting.length, this.#waitingAt + PIECE_BYTES_MAX);
      const piece = this.#waiting.subarray(this.#waitingAt, end);
      this.#waitingAt = end;
      if (end === this.#waiting.length) this.#waiting = null;
      this.#send(socket, piece);
    }
    if (!this.#isClosed || this.isEnded) return;
    this.isEnded = true;
    if (this.#isChunked) socket.write('0\r\n\r\n', 'latin1', this.#onTaken);
  }

  #send(socket: Socket, piece: Uint8Array): void {
    if (!this.#isChunked) {
      socket.write(piece, this.#onTaken);
      return;
    }
    // RFC 9112 section 7.1.
    socket.cork();
    socket.write(`${piece.length.toString(16)}\r\n`, 'latin1');
    socket.write(piece);
    socket.write('\r\n', 'latin1', this.#onTaken);
    socket.uncork();
  }
}
