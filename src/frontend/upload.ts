// The request body's way from the client to the upstream, with back pressure.
//
// A body that is here at once goes as one piece; anything longer is streamed, and the client is paused while the
// upstream does not want more. Keeps what one read brought, never more. One object serves many exchanges in turn.

import type { UpstreamAttempt } from '../upstream/client.ts';
import type { ClientResponse } from './reply.ts';

/** What an upload tells its exchange. */
export interface UploadOwner {
  /** Whether what the client sends is still of use. */
  readonly isTaking: boolean;
  /** Some of the body, never empty. */
  onUploadChunk(bytes: Uint8Array): void;
  /** The request can be sent: its body is here whole, or its first piece is. Called once. */
  onUploadReady(): void;
  /** The body is complete. Called once, after onUploadReady(). */
  onUploadEnd(): void;
  onUploadTooLarge(): void;
  /** Chunks that were put off have been looked at; nothing is put off any more. */
  onUploadSettled(): void;
  onDefect(error: unknown): void;
}

const NO_BYTES = new Uint8Array(0);

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
  #bytesMax = 0;
  #bytes = 0;
  /** Chunks that the upstream does not want yet. */
  readonly #waiting: Uint8Array[] = [];
  readonly #putOff: Uint8Array[] = [];
  #endPutOff = false;
  #attempt: UpstreamAttempt | null = null;
  #wanted = false;
  #paused = false;
  #endSent = false;

  constructor(owner: UploadOwner) {
    this.#owner = owner;
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
    this.#bytes = 0;
    this.#waiting.length = 0;
    this.#putOff.length = 0;
    this.#endPutOff = false;
    this.#attempt = null;
    this.#wanted = false;
    this.#paused = false;
    this.#endSent = false;
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
    } else if (isDoubtful) this.#hold(NO_BYTES, true);
    else this.#take(NO_BYTES, true);
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
  }

  /** Called by takePutOff() alone. */
  takePutOffNow(): void {
    this.isPuttingOff = false;
    try {
      for (const bytes of this.#putOff) {
        if (this.#owner.isTaking) this.#take(bytes, false);
      }
      if (this.#endPutOff && this.#owner.isTaking) this.#take(NO_BYTES, true);
    } catch (error) {
      this.#owner.onDefect(error);
    }
    this.#putOff.length = 0;
    this.#owner.onUploadSettled();
  }

  #onData(chunk: ArrayBuffer, isLast: boolean): void {
    if (!this.#owner.isTaking) {
      if (isLast) this.isEnded = true;
      return;
    }
    this.#bytes += chunk.byteLength;
    if (this.#bytes > this.#bytesMax) {
      this.isEnded = isLast;
      this.#owner.onUploadTooLarge();
      return;
    }
    // The listener's memory is gone after this call.
    const bytes = chunk.byteLength === 0 ? NO_BYTES : Buffer.from(chunk.slice(0));
    if (this.#isDoubtful) this.#hold(bytes, isLast);
    else this.#take(bytes, isLast);
  }

  #hold(bytes: Uint8Array, isLast: boolean): void {
    if (bytes.length > 0) this.#putOff.push(bytes);
    this.#endPutOff = isLast;
    if (this.isPuttingOff) return;
    this.isPuttingOff = true;
    setImmediate(takePutOff, this);
  }

  #take(bytes: Uint8Array, isLast: boolean): void {
    if (isLast) this.#end();
    if (bytes.length > 0) this.#owner.onUploadChunk(bytes);
    if (this.isStreaming) this.#stream(bytes);
    else if (isLast) {
      this.body = bytes.length > 0 ? bytes : null;
      this.#owner.onUploadReady();
    } else {
      this.isStreaming = true;
      this.#waiting.push(bytes);
      this.#pause();
      this.#owner.onUploadReady();
    }
    if (isLast) this.#owner.onUploadEnd();
  }

  /** A client that stayed paused could go away without being noticed. */
  #end(): void {
    this.isEnded = true;
    if (!this.#paused) return;
    this.#paused = false;
    this.#response?.resume();
  }

  #stream(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#waiting.push(bytes);
    if (this.#wanted) this.#pump();
    else this.#pause();
  }

  #pause(): void {
    if (this.#paused || this.isEnded) return;
    this.#paused = true;
    this.#response?.pause();
  }

  /** Gives the upstream what waits, as long as it wants more. */
  #pump(): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    while (this.#waiting.length > 0) {
      this.hasStreamed = true;
      if (attempt.write(this.#waiting.shift()!)) continue;
      this.#wanted = false;
      this.#pause();
      return;
    }
    if (this.isEnded) {
      if (!this.#endSent) attempt.end();
      this.#endSent = true;
    } else if (this.#paused && this.#owner.isTaking) {
      this.#paused = false;
      this.#response?.resume();
    }
  }
}

function takePutOff(upload: Upload): void {
  upload.takePutOffNow();
}
