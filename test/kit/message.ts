// Reads HTTP/1.1 messages from raw bytes (RFC 9112), for the recording origin and for the raw client.
//
// Strict on purpose: what is not exactly a message is reported as bad, so that a test sees what a lenient
// parser would have hidden. Keeps every line as it came. Never holds more than one head or one line.

const HEAD_BYTES_MAX = 1024 * 1024;
const CRLF = '\r\n';

export interface Head {
  /** Request or status line as it came, latin1. */
  readonly line: string;
  /** Header lines as they came, in order and case. */
  readonly fields: readonly string[];
}

export interface MessageSink {
  /** True when no body follows whatever the header says (answer to HEAD, 1xx, 204, 304). */
  onHead(head: Head): boolean;
  onBody(chunk: Buffer): void;
  onEnd(trailers: readonly string[]): void;
  onBad(reason: string): void;
}

type Mode = 'head' | 'length' | 'size' | 'data' | 'data-end' | 'trailers' | 'close' | 'bad';

/** Value of the first field of that name (lower case), trimmed, or null. */
export function findField(fields: readonly string[], name: string): string | null {
  return findFields(fields, name)[0] ?? null;
}

/** Values of all fields of that name (lower case), trimmed, in order. */
export function findFields(fields: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (const field of fields) {
    const colon = field.indexOf(':');
    if (field.slice(0, colon).toLowerCase() === name) values.push(field.slice(colon + 1).trim());
  }
  return values;
}

export class MessageReader {
  private readonly sink: MessageSink;
  /** Whether a message without framing goes on to the end of the connection: responses do, requests do not. */
  private readonly closeDelimited: boolean;
  private mode: Mode = 'head';
  private pending: Buffer = Buffer.alloc(0);
  private left = 0;
  private trailers: string[] = [];

  constructor(kind: 'request' | 'response', sink: MessageSink) {
    this.closeDelimited = kind === 'response';
    this.sink = sink;
  }

  /** Whether the reader is between two messages with nothing pending. */
  get idle(): boolean {
    return this.mode === 'head' && this.pending.length === 0;
  }

  feed(chunk: Buffer): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    while (this.step());
  }

  /** The peer has ended its side. */
  finish(): void {
    if (this.mode === 'close') this.complete([]);
    else if (!this.idle && this.mode !== 'bad') this.fail('ends within a message');
  }

  /** False when more bytes are needed. */
  private step(): boolean {
    switch (this.mode) {
      case 'head':
        return this.readHead();
      case 'length':
      case 'data':
      case 'close':
        return this.readBody();
      case 'size':
        return this.readSize();
      case 'data-end':
        return this.readDataEnd();
      case 'trailers':
        return this.readTrailer();
      case 'bad':
        return false;
    }
  }

  private readHead(): boolean {
    const end = this.pending.indexOf('\r\n\r\n');
    if (end === -1) {
      if (this.pending.length > HEAD_BYTES_MAX) this.fail('head too large');
      return false;
    }
    const [line = '', ...fields] = this.pending.toString('latin1', 0, end).split(CRLF);
    this.pending = this.pending.subarray(end + 4);
    const wrong = fields.find(
      (field) => !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:/.test(field) || /[\r\n\0]/.test(field),
    );
    if (wrong !== undefined) return this.fail(`bad field ${JSON.stringify(wrong)}`);
    const framing = this.toFraming(fields);
    if (framing === null) return this.fail('bad framing');
    if (this.sink.onHead({ line, fields })) this.complete([]);
    else this.enter(framing);
    return true;
  }

  private enter(framing: { mode: Mode; left: number }): void {
    this.mode = framing.mode;
    this.left = framing.left;
    if (this.mode === 'length' && this.left === 0) this.complete([]);
  }

  private toFraming(fields: readonly string[]): { mode: Mode; left: number } | null {
    const codings = findFields(fields, 'transfer-encoding');
    const lengths = findFields(fields, 'content-length');
    if (codings.length > 0) {
      const valid = codings.length === 1 && codings[0]?.toLowerCase() === 'chunked' && lengths.length === 0;
      return valid ? { mode: 'size', left: 0 } : null;
    }
    if (lengths.length > 0) {
      const [length = ''] = lengths;
      return lengths.length === 1 && /^\d+$/.test(length) ? { mode: 'length', left: Number(length) } : null;
    }
    return { mode: this.closeDelimited ? 'close' : 'length', left: 0 };
  }

  private readBody(): boolean {
    if (this.pending.length === 0) return false;
    const take = this.mode === 'close' ? this.pending.length : Math.min(this.left, this.pending.length);
    const chunk = this.pending.subarray(0, take);
    this.pending = this.pending.subarray(take);
    this.left -= take;
    this.sink.onBody(chunk);
    if (this.mode === 'length' && this.left === 0) this.complete([]);
    else if (this.mode === 'data' && this.left === 0) this.mode = 'data-end';
    return true;
  }

  private readSize(): boolean {
    const line = this.takeLine();
    if (line === null) return false;
    const size = /^([0-9a-fA-F]{1,12})(?:[\t ]*;.*)?$/.exec(line)?.[1];
    if (size === undefined) return this.fail(`bad chunk size ${JSON.stringify(line)}`);
    this.left = Number.parseInt(size, 16);
    this.mode = this.left === 0 ? 'trailers' : 'data';
    return true;
  }

  private readDataEnd(): boolean {
    if (this.pending.length < 2) return false;
    if (this.pending.toString('latin1', 0, 2) !== CRLF) return this.fail('chunk data does not end with CRLF');
    this.pending = this.pending.subarray(2);
    this.mode = 'size';
    return true;
  }

  private readTrailer(): boolean {
    const line = this.takeLine();
    if (line === null) return false;
    if (line !== '') this.trailers.push(line);
    else this.complete(this.trailers);
    return true;
  }

  private takeLine(): string | null {
    const end = this.pending.indexOf(CRLF);
    if (end === -1) {
      if (this.pending.length > HEAD_BYTES_MAX) this.fail('line too long');
      return null;
    }
    const line = this.pending.toString('latin1', 0, end);
    this.pending = this.pending.subarray(end + 2);
    return line;
  }

  private complete(trailers: readonly string[]): void {
    this.mode = 'head';
    this.trailers = [];
    this.sink.onEnd(trailers);
  }

  private fail(reason: string): false {
    this.mode = 'bad';
    this.sink.onBad(reason);
    return false;
  }
}
