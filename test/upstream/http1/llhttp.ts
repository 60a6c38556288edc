// llhttp as node:http's client uses it: the same binding, settings and answers to its calls, without a socket.
//
// Follows parserOnIncomingClient in Node's lib/_http_client.js. The binding is internal; should it change, the first
// vector fails.

import { createRequire } from 'node:module';
import { isResponseHopByHop, parseConnection } from '../../../src/core/headers.ts';
import { createOutcome, type Outcome, trim } from './outcome.ts';

interface Binding {
  [callback: number]: ((...values: never[]) => unknown) | null;
  initialize(type: number, resource: object, headBytesMax: number, lenient: number): void;
  /** Bytes taken, or what is wrong. */
  execute(bytes: Buffer): number | ParseError;
  finish(): ParseError | undefined;
}

interface ParseError extends Error {
  code: string;
  reason: string;
}

interface BindingClass {
  new (): Binding;
  RESPONSE: number;
  kOnMessageBegin: number;
  kOnHeaders: number;
  kOnHeadersComplete: number;
  kOnBody: number;
  kOnMessageComplete: number;
  kLenientNone: number;
}

/** A head as llhttp saw it. */
export interface SeenHead {
  status: number;
  minor: number;
  /** Name, value, name, value… */
  raw: string[];
}

export interface LlhttpOutcome extends Outcome {
  /** Of the error. */
  code: string;
  major: number;
  /** Final and interim heads in order. */
  heads: SeenHead[];
}

const HEAD_BYTES_MAX = 1024 * 1024;
const SKIP_BODY = 1;
const SWITCH_PROTOCOL = 2;

const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { HTTPParser: BindingClass };

export class Llhttp {
  readonly #binding = new HTTPParser();
  #outcome: LlhttpOutcome = createSeen();
  #isHead = false;
  #raw: string[] = [];
  #isInterim = false;
  #body: Buffer[] = [];

  constructor() {
    const binding = this.#binding;
    binding[HTTPParser.kOnMessageBegin] = () => {
      this.#raw = [];
      this.#isInterim = false;
    };
    binding[HTTPParser.kOnHeaders] = (raw: string[]) => {
      this.#raw.push(...raw);
    };
    binding[HTTPParser.kOnHeadersComplete] = (
      major: number,
      minor: number,
      raw: string[] | undefined,
      _method: unknown,
      _url: unknown,
      status: number,
      statusText: string,
      isUpgrade: boolean,
      isPersistent: boolean,
    ) => this.#onHead(major, minor, raw ?? this.#raw, status, statusText, isUpgrade, isPersistent);
    binding[HTTPParser.kOnBody] = (piece: Buffer) => {
      if (this.#outcome.verdict === 'incomplete') this.#body.push(Buffer.from(piece));
    };
    binding[HTTPParser.kOnMessageComplete] = () => {
      if (!this.#isInterim && this.#outcome.verdict === 'incomplete') this.#outcome.verdict = 'complete';
    };
  }

  /** Reads the bytes and then the connection's end; what comes after the first final response is ignored. */
  read(bytes: Buffer, isHead: boolean): LlhttpOutcome {
    const outcome = createSeen();
    this.#outcome = outcome;
    this.#isHead = isHead;
    this.#raw = [];
    this.#body = [];
    this.#isInterim = false;
    this.#binding.initialize(HTTPParser.RESPONSE, {}, HEAD_BYTES_MAX, HTTPParser.kLenientNone);
    const taken = this.#binding.execute(bytes);
    if (typeof taken !== 'number') this.#refuse(taken.code, taken.reason);
    else this.#binding.finish();
    outcome.body = this.#body.length === 1 ? this.#body[0]! : Buffer.concat(this.#body);
    return outcome;
  }

  #refuse(code: string, reason: string): void {
    const outcome = this.#outcome;
    if (outcome.verdict !== 'incomplete') return;
    outcome.verdict = 'refused';
    outcome.code = code;
    outcome.error = reason;
  }

  #onHead(
    major: number,
    minor: number,
    raw: string[],
    status: number,
    statusText: string,
    isUpgrade: boolean,
    isPersistent: boolean,
  ): number {
    const outcome = this.#outcome;
    if (outcome.verdict !== 'incomplete') return 0;
    outcome.heads.push({ status, minor, raw });
    if (isUpgrade) {
      // Nobody has asked for one: node:http then destroys the socket.
      this.#refuse('UPGRADE', 'switch of protocols');
      return SWITCH_PROTOCOL;
    }
    if (status >= 100 && status < 200) {
      this.#isInterim = true;
      return SKIP_BODY;
    }
    outcome.hasHead = true;
    outcome.major = major;
    outcome.status = status;
    outcome.statusText = statusText;
    outcome.fields = toEndToEnd(raw);
    outcome.isPersistent = isPersistent;
    return this.#isHead || status === 304 ? SKIP_BODY : 0;
  }
}

function createSeen(): LlhttpOutcome {
  return { ...createOutcome(), code: '', major: 0, heads: [] };
}

/** The fields that may go beyond this hop, each as `name:value`. */
export function toEndToEnd(raw: readonly string[]): string[] {
  const nominated = new Set<string>();
  for (let at = 0; at < raw.length; at += 2) {
    if (raw[at]!.toLowerCase() !== 'connection') continue;
    for (const name of parseConnection(raw[at + 1]!) ?? []) nominated.add(name);
  }
  const fields: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    if (name === 'content-length' || isResponseHopByHop(name) || nominated.has(name)) continue;
    fields.push(`${raw[at]!}:${trim(raw[at + 1]!)}`);
  }
  return fields;
}
