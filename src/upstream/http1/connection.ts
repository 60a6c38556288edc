// One connection to an origin: writes a request, reads its response, and is then free for the next one.
//
// Serves one attempt at a time and tells its handler everything but its end by itself. Bytes are read into memory
// that all connections of the thread share, and are passed on within the read. Whatever goes wrong ends the
// connection: what cannot be trusted is never used again.

import type { Socket } from 'node:net';
import { writeLatin1 } from '../../core/latin1.ts';
import { addHeadLine } from '../../core/request-head.ts';
import type { UpstreamReason, UpstreamRequest } from '../client.ts';
import { type Attempt, toCause } from './attempt.ts';
import { PIECE_BYTES_MAX, RequestBody } from './request-body.ts';
import { ResponseParser } from './response-parser.ts';
import { type TimerWheel, WheelTimer } from './timer-wheel.ts';

/** What the client does for its connections. */
export interface ConnectionOwner {
  readonly wheel: TimerWheel;
  readonly sendTicks: number;
  readonly readTicks: number;
  readonly sendMs: number;
  readonly readMs: number;
  /** The connection has served its attempt and may serve another one; how long it may wait for that it says itself. */
  onFree(connection: Connection): void;
  /** The connection is gone. */
  onGone(connection: Connection): void;
  /** A kept connection was closed before a byte of its response came, and the request may be sent again. */
  repeat(attempt: Attempt): void;
}

/** A kept connection is closed after this long without a request, unless the origin's `Keep-Alive` says otherwise. */
const KEEP_ALIVE_SECONDS = 4;
/** The longest that an origin's `Keep-Alive: timeout` is believed. */
const KEEP_ALIVE_SECONDS_MAX = 60;
/** Taken off an origin's `Keep-Alive: timeout`, so that this side closes first. */
const KEEP_ALIVE_MARGIN_SECONDS = 1;

/** RFC 9110 section 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** Methods that say that they have no body when they have none (RFC 9110 section 8.6). */
const EXPECTS_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

export class Connection extends WheelTimer {
  /** Whether the owner counts it among the free ones. */
  isFree = false;
  /** Whether it must not be kept: its address is no longer the origin's, or the client is being closed. */
  isRetired = false;
  readonly #owner: ConnectionOwner;
  readonly #parser = new ResponseParser();
  readonly #onTakenBound = (): void => this.#onTaken();
  readonly #body = new RequestBody(this.#onTakenBound);
  #socket: Socket | null = null;
  #attempt: Attempt | null = null;
  #isGone = false;
  /** Whether it has waited for a request: then it may have been closed meanwhile. */
  #wasKept = false;
  /** When bytes went either way last, or the waiting for them began. */
  #movedTick = 0;
  /** Whether the socket had not taken all of the request at the last look. */
  #wasSending = false;
  /** How long it is kept without a request. */
  #keptTicks = 0;
  /** Whether the head of the response has come. */
  #isAnswered = false;
  /** Whether reading was stopped. */
  #isStopped = false;
  /** Body that came while the attempt was paused, and whether it was the last. */
  #held: Uint8Array | null = null;
  #isEndHeld = false;
  #isDrainOwed = false;

  constructor(owner: ConnectionOwner, attempt: Attempt) {
    super();
    this.#owner = owner;
    this.#attempt = attempt;
    attempt.connection = this;
  }

  /** Whether it stands; until then it has no address. */
  get isOpen(): boolean {
    return this.#socket !== null;
  }

  get remoteAddress(): string | undefined {
    return this.#socket?.remoteAddress;
  }

  onConnect(socket: Socket): void {
    if (this.#isGone) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.on('end', () => this.#onEnd());
    socket.on('error', (error) => this.#onBroken(toCause(error)));
    socket.on('close', () => this.#onBroken('connection closed'));
    if (this.#attempt !== null) this.serve(this.#attempt);
    else this.#keep(KEEP_ALIVE_SECONDS);
  }

  onConnectFailed(reason: UpstreamReason, cause: string): void {
    const attempt = this.#attempt;
    this.#leave();
    attempt?.fail(reason, cause);
  }

  /** Sends the attempt's request. The connection is free and open. */
  serve(attempt: Attempt): void {
    this.#attempt = attempt;
    attempt.connection = this;
    attempt.isSent = true;
    this.#parser.open(attempt.request.method === 'HEAD');
    this.#move();
    this.#owner.wheel.armBy(this, Math.min(this.#owner.readTicks, this.#owner.sendTicks));
    try {
      attempt.handler.onStart();
    } catch (error) {
      attempt.fault(error);
    }
    if (this.#attempt !== attempt) return;
    this.#send(attempt.request);
    this.#wasSending = this.#socket!.writableLength > 0;
  }

  #send(request: UpstreamRequest): void {
    const socket = this.#socket!;
    const { body, streaming, declaredBytes } = request;
    if (streaming) {
      const head =
        declaredBytes === -1
          ? addHeadLine(request.headText, 'transfer-encoding', 'chunked')
          : request.headText;
      socket.write(head, 'latin1', this.#onTakenBound);
      this.#body.openStream(socket, declaredBytes);
      this.#isDrainOwed = true;
      process.nextTick(tellRoom, this);
    } else if (body === null) {
      const isSilent = declaredBytes === -1 && EXPECTS_BODY.has(request.method);
      socket.write(
        isSilent ? addHeadLine(request.headText, 'content-length', '0') : request.headText,
        'latin1',
      );
      this.#body.openNone();
    } else {
      const { headText } = request;
      this.#sendWhole(
        declaredBytes === -1 ? addHeadLine(headText, 'content-length', String(body.length)) : headText,
        body,
      );
    }
  }

  /** One write for the head and a body that is not large. */
  #sendWhole(head: string, body: Uint8Array): void {
    const socket = this.#socket!;
    if (body.length > PIECE_BYTES_MAX) {
      socket.write(head, 'latin1', this.#onTakenBound);
      this.#body.openWhole(socket, body);
      return;
    }
    const message = Buffer.allocUnsafe(head.length + body.length);
    message.set(body, writeLatin1(message, head, 0));
    this.#body.openNone();
    socket.write(message);
  }

  // For the attempt.

  write(chunk: Uint8Array): boolean {
    const attempt = this.#attempt!;
    if (this.#body.isEnded) return true;
    if (!this.#body.write(chunk)) {
      attempt.stop('malformed', 'request body is longer than its content-length');
      return true;
    }
    this.#move();
    if (this.#body.hasRoom) return true;
    this.#isDrainOwed = true;
    return false;
  }

  endBody(): void {
    this.#move();
    if (!this.#body.close())
      this.#attempt!.stop('malformed', 'request body is shorter than its content-length');
  }

  /** Before the response has begun nothing is to be held back: the read that brings its head is the last one then. */
  pause(): void {
    if (!this.#isAnswered) return;
    this.#isStopped = true;
    this.#socket!.pause();
  }

  resume(): void {
    const attempt = this.#attempt;
    if (attempt === null || this.#socket === null) return;
    this.#move();
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#deliver(attempt, held);
    if (this.#attempt !== attempt || attempt.isPaused) return;
    if (this.#isEndHeld) this.#finish(attempt);
    else this.#read();
  }

  #read(): void {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    this.#socket!.resume();
  }

  /** The attempt has ended before its response did. */
  drop(): void {
    this.#attempt = null;
    // Another attempt may have use for a connection that is still being opened.
    if (this.#socket !== null) this.close();
  }

  /** Ends the connection and the attempt, if it has one, which hears of it in a later turn. */
  stop(reason: UpstreamReason, cause: string): void {
    this.#attempt?.stop(reason, cause);
    this.close();
  }

  /** Ends the connection. Nothing is told to anybody. */
  close(): void {
    const socket = this.#socket;
    this.#leave();
    socket?.destroy();
  }

  // The socket's side.

  /** `bytes` of the memory that all connections share. False: read no further. */
  onRead(count: number, bytes: Buffer): boolean {
    const attempt = this.#attempt;
    if (this.#isGone) return false;
    const parser = this.#parser;
    if (!parser.read(bytes, 0, count)) {
      if (attempt === null) this.close();
      else attempt.fail('malformed', parser.error);
      return false;
    }
    if (attempt === null) return true;
    this.#move();
    if (parser.hasHead) {
      this.#isAnswered = true;
      this.#deliverHead(attempt);
    }
    if (this.#attempt !== attempt) return !this.#isGone;
    if (parser.bodyEnd > parser.bodyStart) {
      const piece = parser.bytes.subarray(parser.bodyStart, parser.bodyEnd);
      if (attempt.isPaused) this.#held = new Uint8Array(piece);
      else this.#deliver(attempt, piece);
    } else if (parser.hasHead && !parser.isEnded) this.#tellHeadAlone(attempt);
    if (this.#attempt !== attempt) return !this.#isGone;
    if (parser.isEnded) {
      // The read took all that it could: what is left in the socket would be taken for the next answer.
      if (count === bytes.length) this.isRetired = true;
      if (!attempt.isPaused) {
        this.#finish(attempt);
        return !this.#isGone;
      }
      this.#isEndHeld = true;
    }
    if (!attempt.isPaused || !this.#isAnswered) return true;
    this.#isStopped = true;
    return false;
  }

  #deliverHead(attempt: Attempt): void {
    const { status, statusText, contentLength, lines } = this.#parser.head;
    try {
      attempt.handler.onHead(status, statusText, contentLength, lines);
    } catch (error) {
      attempt.fault(error);
    }
  }

  #tellHeadAlone(attempt: Attempt): void {
    try {
      attempt.handler.onHeadAlone();
    } catch (error) {
      attempt.fault(error);
    }
  }

  #deliver(attempt: Attempt, piece: Uint8Array): void {
    try {
      attempt.handler.onBody(piece);
    } catch (error) {
      attempt.fault(error);
    }
  }

  /** The response is complete. */
  #finish(attempt: Attempt): void {
    this.#attempt = null;
    this.#isEndHeld = false;
    this.#isAnswered = false;
    const seconds = this.#keepSeconds();
    if (seconds > 0) this.#keep(seconds);
    else this.close();
    attempt.finish();
  }

  #keep(seconds: number): void {
    const { wheel } = this.#owner;
    this.#wasKept = true;
    this.#move();
    this.#keptTicks = wheel.toTicks(seconds * 1000);
    wheel.armBy(this, this.#keptTicks);
    this.#read();
    this.#owner.onFree(this);
  }

  /** How long the connection may wait for its next request; 0: not at all. */
  #keepSeconds(): number {
    const { head } = this.#parser;
    if (this.isRetired || this.#isGone || !head.isPersistent) return 0;
    if (!this.#body.isEnded || this.#socket!.writableLength > 0) return 0;
    if (head.keepAliveSeconds === -1) return KEEP_ALIVE_SECONDS;
    return Math.min(KEEP_ALIVE_SECONDS_MAX, head.keepAliveSeconds - KEEP_ALIVE_MARGIN_SECONDS);
  }

  #onEnd(): void {
    const attempt = this.#attempt;
    if (attempt !== null && this.#parser.finish()) {
      this.isRetired = true;
      this.#finish(attempt);
    } else this.#onBroken('the upstream closed the connection');
  }

  #onBroken(cause: string): void {
    if (this.#isGone) return;
    const attempt = this.#attempt;
    if (attempt === null) this.close();
    // All of the response is here and waits for the caller.
    else if (this.#isEndHeld) this.isRetired = true;
    else if (this.#isRepeatable(attempt)) {
      attempt.isRepeated = true;
      this.#attempt = null;
      this.#owner.repeat(attempt);
      this.close();
    } else attempt.fail('reset', cause);
  }

  /** Whether a kept connection was closed before the request came to it, and the request may be sent again. */
  #isRepeatable({ request, isRepeated }: Attempt): boolean {
    if (!this.#wasKept || !this.#parser.isUntouched || isRepeated) return false;
    return IDEMPOTENT.has(request.method) && !request.streaming;
  }

  #onTaken(): void {
    if (this.#attempt === null) return;
    this.#move();
    if (this.#body.isEnded) return;
    this.#body.pump();
    this.tellRoom();
  }

  tellRoom(): void {
    const attempt = this.#attempt;
    if (attempt === null || !this.#isDrainOwed || !this.#body.hasRoom) return;
    this.#isDrainOwed = false;
    try {
      attempt.handler.onDrain();
    } catch (error) {
      attempt.fault(error);
    }
  }

  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#attempt = null;
    this.#held = null;
    this.#owner.wheel.disarm(this);
    this.#owner.onGone(this);
  }

  // Deadlines.

  #move(): void {
    this.#movedTick = this.#owner.wheel.now;
  }

  override onDue(): void {
    const attempt = this.#attempt;
    const { wheel, sendTicks, readTicks } = this.#owner;
    const stillTicks = wheel.now - this.#movedTick;
    if (attempt === null) {
      if (stillTicks >= this.#keptTicks) this.close();
      else wheel.arm(this, this.#keptTicks - stillTicks);
      return;
    }
    const lookTicks = Math.min(sendTicks, readTicks);
    const limitTicks = this.#limitTicks(attempt, sendTicks, readTicks);
    const isSending = this.#socket!.writableLength > 0;
    // Between two looks the socket has taken the last of the request: only now the upstream has to answer.
    const hasSent = this.#wasSending && !isSending;
    this.#wasSending = isSending;
    if (limitTicks === 0 || hasSent) {
      this.#move();
      wheel.arm(this, lookTicks);
    } else if (stillTicks < limitTicks) wheel.arm(this, Math.min(limitTicks - stillTicks, lookTicks));
    else if (isSending) {
      attempt.fail('send_timeout', `upstream took nothing of the request for ${this.#owner.sendMs} ms`);
    } else attempt.fail('read_timeout', `no response within ${this.#owner.readMs} ms`);
  }

  /** How long the upstream may take for what it has to do now; 0: nothing is asked of it. */
  #limitTicks(attempt: Attempt, sendTicks: number, readTicks: number): number {
    if (this.#socket!.writableLength > 0) return sendTicks;
    return !this.#body.isEnded || attempt.isPaused ? 0 : readTicks;
  }
}

/** Not within dispatch(): the caller does not know its attempt yet. */
function tellRoom(connection: Connection): void {
  connection.tellRoom();
}
