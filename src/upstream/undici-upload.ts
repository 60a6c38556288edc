// The body of one streamed request, on its way from the caller to undici.
//
// Owns the bytes that wait between the two, at most about HELD_BYTES_MAX above what the caller wrote last,
// and knows whether the upload is held up by the upstream or by the caller. Never reports an error by
// itself: its attempt does that.

import { Readable } from 'node:stream';

const HELD_BYTES_MAX = 64 * 1024;

/** One write to the socket: small, so that an upstream which takes bytes slowly is seen to take them. */
const PIECE_BYTES_MAX = 64 * 1024;

export class Upload extends Readable {
  private readonly onRoom: () => void;
  /** What `content-length` says, or -1. */
  private readonly declaredBytes: number;
  private writtenBytes = 0;
  /** Whether the connection was given; before that nobody is asked for bytes. */
  private open = false;
  private wanted = false;
  /** Whether the caller waits to be told that there is room. */
  private drainOwed = true;
  private finished = false;
  private pieces = 0;
  private piecesSeen = 0;
  private idleSince = 0;

  constructor(declaredBytes: number, onRoom: () => void) {
    super({ highWaterMark: HELD_BYTES_MAX, autoDestroy: true, emitClose: true });
    this.declaredBytes = declaredBytes;
    this.onRoom = onRoom;
    // undici destroys the stream with an error that its handler is told as well.
    this.on('error', ignore);
  }

  /** The connection was given, `nowMs` on performance.now()'s clock. */
  start(nowMs: number): void {
    this.open = true;
    this.idleSince = nowMs;
    this.offer();
  }

  /** False when the chunk would exceed the declared length; it is then not taken. */
  fits(chunk: Uint8Array): boolean {
    return this.declaredBytes < 0 || this.writtenBytes + chunk.byteLength <= this.declaredBytes;
  }

  /** False when the caller has to wait for `onRoom`. */
  accept(chunk: Uint8Array): boolean {
    if (this.finished || this.destroyed) return true;
    if (chunk.byteLength === 0) return this.readableLength < HELD_BYTES_MAX;
    this.writtenBytes += chunk.byteLength;
    let room = true;
    for (let from = 0; from < chunk.byteLength; from += PIECE_BYTES_MAX) {
      room = this.push(chunk.subarray(from, from + PIECE_BYTES_MAX));
    }
    if (!room) {
      this.drainOwed = true;
      this.wanted = false;
    }
    return room;
  }

  /** False when fewer bytes came than were declared; the body is then not ended. */
  finish(): boolean {
    if (this.finished || this.destroyed) return true;
    if (this.declaredBytes >= 0 && this.writtenBytes !== this.declaredBytes) return false;
    this.finished = true;
    this.push(null);
    return true;
  }

  /** undici gave a piece to the socket. */
  count(): void {
    this.pieces += 1;
  }

  /** How long the upstream has taken nothing although something was there for it; 0 when it is the caller who is slow. */
  stalledMs(nowMs: number): number {
    // undici pauses its source while the socket's buffer is full.
    if (this.pieces !== this.piecesSeen || !this.isPaused()) {
      this.piecesSeen = this.pieces;
      this.idleSince = nowMs;
      return 0;
    }
    return nowMs - this.idleSince;
  }

  override _read(): void {
    this.wanted = true;
    this.offer();
  }

  private offer(): void {
    if (!this.open || !this.wanted || !this.drainOwed || this.finished) return;
    this.drainOwed = false;
    this.wanted = false;
    this.onRoom();
  }
}

function ignore(): void {}
