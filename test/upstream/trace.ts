// A handler that writes down everything an upstream client tells it, and a client made for one origin.
//
// Breaks the rule of exactly one end loudly: whatever comes after the end is kept in `late`.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { findHeader } from '../../src/core/headers.ts';
import { CLIENT_AUTO, CLIENT_UNDICI } from '../../src/core/model.ts';
import { HeadWriter } from '../../src/core/request-head.ts';
import type {
  UpstreamAttempt,
  UpstreamClient,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamSettings,
} from '../../src/upstream/client.ts';
import { createClients } from '../../src/upstream/clients.ts';
import { createWaiting } from '../kit/waiting.ts';

export type TraceEvent = 'start' | 'drain' | 'head' | 'body' | 'end' | 'error';

/** The contract holds for both. */
export const CLIENTS = ['http1', 'undici'] as const;
export type ClientKind = (typeof CLIENTS)[number];

/** Makes clients of that kind; settings with deadlines that no test runs into unless it says so. */
export function toCreateClient(
  kind: ClientKind,
): (origin: string, settings?: Partial<UpstreamSettings>) => UpstreamClient {
  const create = createClients();
  return (origin, settings = {}) =>
    create({
      origin,
      tls: null,
      client: kind === 'undici' ? CLIENT_UNDICI : CLIENT_AUTO,
      timeouts: { connectMs: 20_000, sendMs: 20_000, readMs: 20_000 },
      connectionsMax: 4,
      queueMax: 1_000,
      queueTimeoutMs: 20_000,
      ...settings,
    });
}

const heads = new HeadWriter();

export function toRequest(request: Partial<UpstreamRequest> = {}): UpstreamRequest {
  const { method = 'GET', target = '/', headers = ['host', 'test.example'] } = request;
  return {
    method,
    target,
    headers,
    headText: heads.write(method, target, headers),
    declaredBytes: Number(findHeader(headers, 'content-length') ?? -1),
    body: null,
    streaming: false,
    ...request,
  };
}

/** A streamed request; `declaredBytes` null sends no content-length. */
export function toUpload(declaredBytes: number | null, method = 'POST'): UpstreamRequest {
  const length = declaredBytes === null ? [] : ['content-length', String(declaredBytes)];
  return toRequest({ method, headers: ['host', 'test.example', ...length], streaming: true });
}

export class Trace implements UpstreamHandler {
  readonly events: TraceEvent[] = [];
  /** Calls after the end; always empty. */
  readonly late: TraceEvent[] = [];
  status = 0;
  statusText = '';
  contentLength = -1;
  /** Header lines without their ends. */
  lines: string[] = [];
  bodyBytes = 0;
  /** The first bytes of the body. */
  text = '';
  failure: UpstreamFailure | null = null;
  /** Whether an end came within dispatch(). */
  early = false;
  /** Called with each event after it was written down. */
  react: (event: TraceEvent, trace: Trace) => void;
  private handle: UpstreamAttempt | null = null;
  private readonly hash = createHash('sha256');
  private readonly waiting = createWaiting();

  constructor(react: (event: TraceEvent, trace: Trace) => void = () => undefined) {
    this.react = react;
  }

  get attempt(): UpstreamAttempt {
    if (this.handle === null) throw new Error('not dispatched');
    return this.handle;
  }

  /** SHA-256 of the body in hex; to be asked for once. */
  digest(): string {
    return this.hash.digest('hex');
  }

  dispatch(client: UpstreamClient, request: UpstreamRequest): this {
    const { method, target, headers } = request;
    this.handle = client.dispatch({ ...request, headText: heads.write(method, target, headers) }, this);
    this.early = this.ended;
    return this;
  }

  get ended(): boolean {
    return this.events.includes('end') || this.events.includes('error');
  }

  /** Resolves when the attempt has ended, and in a turn of its own: whatever came too much has come by then. */
  async done(): Promise<this> {
    await this.waiting.until(
      () => this.ended,
      () => `the attempt ends; it had ${this.events.join(' ')}`,
    );
    for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    return this;
  }

  until(event: TraceEvent, count = 1): Promise<void> {
    const met = () => this.events.filter((seen) => seen === event).length >= count;
    return this.waiting.until(met, () => `${count} × ${event}; there was ${this.events.join(' ')}`);
  }

  onStart(): void {
    this.note('start');
  }

  onDrain(): void {
    this.note('drain');
  }

  onHead(status: number, statusText: string, contentLength: number, lines: string): void {
    this.status = status;
    this.statusText = statusText;
    this.contentLength = contentLength;
    this.lines = lines.split('\r\n').slice(0, -1);
    this.note('head');
  }

  onHeadAlone(): void {}

  onBody(chunk: Uint8Array): void {
    this.bodyBytes += chunk.byteLength;
    if (this.text.length < 1024) this.text += Buffer.from(chunk).toString('latin1');
    this.hash.update(chunk);
    this.note('body');
  }

  onEnd(): void {
    this.note('end');
  }

  onError(failure: UpstreamFailure): void {
    this.failure = failure;
    this.note('error');
  }

  private note(event: TraceEvent): void {
    if (this.ended) this.late.push(event);
    // Many bodies would make a long list; one stands for a row of them.
    if (event !== 'body' || this.events.at(-1) !== 'body') this.events.push(event);
    this.react(event, this);
    this.waiting.check();
  }
}

/** Dispatches and waits for the end. */
export function run(client: UpstreamClient, request: Partial<UpstreamRequest> = {}): Promise<Trace> {
  return new Trace().dispatch(client, toRequest(request)).done();
}

/** A client goes on after every failure: its next request is answered with 200. */
export async function assertUsable(client: UpstreamClient): Promise<void> {
  const next = await run(client, { target: '/good' });
  assert.deepEqual([next.status, next.failure], [200, null]);
}
