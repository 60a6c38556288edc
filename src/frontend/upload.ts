// The request body's way from the client to the upstream, with back pressure.
//
// A body that is here at once goes as one piece; anything longer is streamed, and the client is paused while the
// upstream does not want more. Keeps what one turn of the loop brought, up to a bound. One object serves many
// exchanges in turn.

import type { UpstreamAttempt } from '../upstream/client.ts';
import { ChunkQueue, type ChunkSlots } from './chunk-slots.ts';
import type { ClientResponse } from './reply.ts';

/** What an upload tells its exchange. */
export interface UploadOwner {
  /** Whether what the client sends is still of use. */
  readonly isTaking: boolean;
  /** The request can be sent: its body is here whole, or its first piece is. Called once. */
  onUploadReady(): void;
  /** A piece of the body that the upstream gets with the request, or now. It may be kept. Never empty. */
  onUploadPiece(bytes: Uint8Array): void;
  /** The body is complete and given to the upstream. Called once, after onUploadReady(). */
  onUploadEnd(): void;
  /** It cannot be taken to its end. */
  onUploadRefused(reason: 'body_too_large' | 'overload'): void;
  /** Chunks that were put off have been looked at; nothing is put off any more. */
  onUploadSettled(): void;
  onDefect(error: unknown): void;
}

/** Streamed at once. */
const PIECE_BYTES_MAX = 64 * 1024;
/** A client that sends more than this against back pressure is refused (chunk-slots.ts says how that can be). */
const WAITING_BYTES_MAX = 128 * 1024 * 1024;

export class Upload {
  /** The whole body when it came at once and is not empty. */
  body: Uint8Array | null = null;
  isStreaming = false;
  /** Whether nothing more will come. */
  isEnded = true;
  /** Whether bytes were streamed away, so that the request cannot be sent again. */
  hasStreamed = false;
  /** Whether chunks are put off to the next turn of the loop. */
  isPuttingOff = false;

  readonly #owner: UploadOwner;
  readonly #onDataBound: (chunk: ArrayBuffer, isLast: boolean) => void;
  #response: ClientResponse | null = null;
  #isDoubtful = false;
  #isReady = false;
  #bytesMax = 0;
  #bytes = 0;
  /** What the upstream does not want yet. */
  readonly #waiting: ChunkQueue;
  #attempt: UpstreamAttempt | null = null;
  #wanted = false;
  #paused = false;
  #endSent = false;

  constructor(owner: UploadOwner, slots: ChunkSlots) {
    this.#owner = owner;
    this.#waiting = new ChunkQueue(slots);
    this.#onDataBound = (chunk, isLast) => {
      try {
        this.#onData(chunk, isLast);
      } catch (error) {
        owner.onDefect(error);
      }
    };
  }

  reset(): void {
    this.body = null;
    this.isStreaming = false;
    this.isEnded = true;
    this.hasStreamed = false;
    this.isPuttingOff = false;
    this.#response = null;
    this.#isReady = false;
    this.#bytes = 0;
    this.#attempt = null;
    this.#wanted = false;
    this.#paused = false;
    this.#endSent = false;
    this.#waiting.clear();
  }

  /** Lets go of what waits: nobody will ask for it any more. */
  drop(): void {
    this.#waiting.clear();
  }

  /**
   * Takes the body in. `isEmpty`: there is none. `isDoubtful`: its end is found in a way that others may not share.
   * Then nothing of it goes on before the next turn of the loop: what followed in the same segment has by then been
   * read as another request, and a connection that sends one too early is ended by the listener.
   */
  open(response: ClientResponse, isEmpty: boolean, isDoubtful: boolean, bytesMax: number): void {
    this.#response = response;
    this.#isDoubtful = isDoubtful;
    this.#bytesMax = bytesMax;
    if (!isEmpty) {
      this.isEnded = false;
      response.onData(this.#onDataBound);
    } else if (isDoubtful) this.#putOff();
    else this.#takeWhole(null);
  }

  /** The attempt that the body goes to from now on. */
  attach(attempt: UpstreamAttempt): void {
    this.#attempt = attempt;
    // The upstream may have asked for the body before it was known by whom.
    if (this.#wanted) this.#pump();
  }

  /** The attempt is over, or another one is to come. */
  detach(): void {
    this.#attempt = null;
    this.#wanted = false;
  }

  /** The upstream wants more. */
  onDrain(): void {
    this.#wanted = true;
    this.#pump();
  }

  /** The client is gone, or its response is dead: nothing more will come, nothing may be called. */
  forget(): void {
    this.isEnded = true;
    this.#response = null;
    this.#waiting.clear();
  }

  /** Called by takePutOff() alone. */
  takePutOffNow(): void {
    this.isPuttingOff = false;
    try {
      if (this.#owner.isTaking) this.#advance();
    } catch (error) {
      this.#owner.onDefect(error);
    }
    this.#owner.onUploadSettled();
  }

  #onData(chunk: ArrayBuffer, isLast: boolean): void {
    if (isLast) this.#end();
    // The listener tells of a head whose body has not begun, too: no primary is kept waiting for that.
    if (!this.#owner.isTaking || (chunk.byteLength === 0 && !isLast)) return;
    this.#bytes += chunk.byteLength;
    if (this.#bytes > this.#bytesMax) {
      this.#refuse('body_too_large');
      return;
    }
    if (!this.#isDoubtful && !this.#isReady && isLast) {
      // The listener's memory is gone after this call.
      this.#takeWhole(chunk.byteLength === 0 ? null : Buffer.from(chunk.slice(0)));
      return;
    }
    if (!this.#waiting.push(chunk) || this.#waiting.bytes > WAITING_BYTES_MAX) this.#refuse('overload');
    else if (this.#isDoubtful) this.#putOff();
    else this.#advance();
  }

  #refuse(reason: 'body_too_large' | 'overload'): void {
    this.#waiting.clear();
    this.#owner.onUploadRefused(reason);
  }

  #putOff(): void {
    if (this.isPuttingOff) return;
    this.isPuttingOff = true;
    setImmediate(takePutOff, this);
  }

  /** The body is here from its first byte to its last. */
  #takeWhole(body: Uint8Array | null): void {
    this.#isReady = true;
    this.#endSent = true;
    this.body = body;
    if (body !== null) this.#owner.onUploadPiece(body);
    this.#owner.onUploadReady();
    this.#owner.onUploadEnd();
  }

  /** Goes on with what waits. */
  #advance(): void {
    if (this.#isReady) {
      this.#pump();
      return;
    }
    if (this.isEnded && this.#waiting.bytes <= PIECE_BYTES_MAX) {
      this.#takeWhole(this.#waiting.bytes === 0 ? null : this.#waiting.take(PIECE_BYTES_MAX));
      return;
    }
    this.#isReady = true;
    this.isStreaming = true;
    this.#pause();
    this.#owner.onUploadReady();
  }

  /** A client that stayed paused could go away without being noticed. */
  #end(): void {
    this.isEnded = true;
    if (!this.#paused) return;
    this.#paused = false;
    this.#response?.resume();
  }

  #pause(): void {
    if (this.#paused || this.isEnded) return;
    this.#paused = true;
    this.#response?.pause();
  }

  /** Gives the upstream what waits, as long as it wants more. */
  #pump(): void {
    const attempt = this.#attempt;
    while (this.#waiting.bytes > 0) {
      if (attempt === null || !this.#wanted) {
        this.#pause();
        return;
      }
      const piece = this.#waiting.take(PIECE_BYTES_MAX);
      this.hasStreamed = true;
      this.#wanted = attempt.write(piece);
      this.#owner.onUploadPiece(piece);
    }
    if (this.isEnded) this.#sendEnd();
    else if (!this.#wanted) this.#pause();
    else if (this.#paused && this.#owner.isTaking) {
      this.#paused = false;
      this.#response?.resume();
    }
  }

  #sendEnd(): void {
    if (this.#endSent || this.#attempt === null) return;
    this.#endSent = true;
    this.#attempt.end();
    this.#owner.onUploadEnd();
  }
}

function takePutOff(upload: Upload): void {
  upload.takePutOffNow();
}
