// One client of a soak run: asks over a kept connection, one request after the other, goes away at random moments,
// and holds every answer against the plan of its request.
//
// All that it decides comes from the seed and its number.

import { MessageReader } from '../kit/message.ts';
import { openRaw, type RawClient, toRequestBytes } from '../kit/raw.ts';
import {
  type Circumstances,
  createRandom,
  Outcome,
  type Plan,
  type Random,
  toBody,
  toHash,
  toPlan,
  toSum,
  turns,
} from './plan.ts';

/** What a client asks of and tells the run. */
export interface SoakBooks {
  readonly seed: number;
  readonly port: number;
  readonly isStopping: boolean;
  /** A request came to nothing that its plan explains; whether something else does. */
  isExcused(id: string, startedMs: number, got: string): boolean;
  count(what: string): void;
  fail(id: string, event: string): void;
  /** The request has ended for its client. */
  forget(id: string): void;
}

interface Asked extends Circumstances {
  readonly id: string;
  readonly route: string;
  readonly method: string;
  readonly bytes: Buffer;
  /** Of the body; empty when the answer does not say. */
  readonly sum: string;
}

const ROUTES = ['plain', 'plain', 'retried', 'mirrored', 'compared', 'hasty'] as const;
const METHODS = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'POST', 'PUT', 'DELETE'] as const;
const ABORT_SHARE = 0.04;
const DEADLINE_MS = 20_000;

/** Resolves when the run is stopping and the last answer has come. */
export async function runClient(books: SoakBooks, index: number): Promise<void> {
  const random = createRandom(toHash(`${books.seed}/client/${index}`));
  let client: RawClient | null = null;
  for (let count = 1; !books.isStopping; count++) {
    if (client === null || client.closed) client = await openRaw(books.port, { deadlineMs: DEADLINE_MS });
    const asked = toAsked(random, `${index}-${count}`);
    const isKept = await ask(books, client, asked, random);
    books.forget(asked.id);
    if (isKept) continue;
    client.close();
    client = null;
  }
  client?.close();
}

function toAsked(random: Random, id: string): Asked {
  const route = ROUTES[Math.floor(random() * ROUTES.length)]!;
  const method = METHODS[Math.floor(random() * METHODS.length)]!;
  const hasBody = method === 'POST' || method === 'PUT';
  const isHead = method === 'HEAD';
  const isHasty = route === 'hasty';
  const fields = [`X-Soak-Id: ${id}`, `X-Request-Id: ${id}`];
  const path = `/${route}/x?id=${id}`;
  if (!hasBody)
    return {
      id,
      route,
      method,
      isHead,
      hasBody,
      isHasty,
      sum: '0',
      bytes: toRequestBytes({ method, path, fields }),
    };
  const body = toBody(id, 1 + Math.floor(random() * (random() < 0.05 ? 1_000_000 : 20_000)));
  const isChunked = random() < 0.4;
  const framed = isChunked
    ? Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
    : body;
  if (isChunked) fields.push('Transfer-Encoding: chunked');
  const bytes = toRequestBytes({ method, path, fields, body: framed });
  return { id, route, method, isHead, hasBody, isHasty, sum: String(toSum([body])), bytes };
}

/** Whether the connection may be used again. */
async function ask(books: SoakBooks, client: RawClient, asked: Asked, random: Random): Promise<boolean> {
  const plan = toPlan(books.seed, asked.id, asked);
  const startedMs = performance.now();
  const seen = new Seen(client, asked.isHead);
  client.answersHead = asked.isHead;
  const aborts = random() < ABORT_SHARE;
  if (aborts) {
    await abort(client, asked, random);
    books.count('aborted');
    return false;
  }
  books.count('asked');
  const isSlow = random() < 0.03;
  if (isSlow) client.socket.pause();
  const sending = send(client, asked.bytes, random);
  if (isSlow) {
    await turns(20 + Math.floor(random() * 200));
    client.socket.resume();
  }
  try {
    await client.read();
  } catch (error) {
    fail(books, asked, plan, `no end: ${(error as Error).message}; ${seen.toText()}`);
    return false;
  }
  // An answer that came early ends the connection, and what is left of the request with it.
  if (!seen.ended || seen.closes) client.close();
  await sending;
  seen.leave();
  judge(books, asked, plan, seen, client, startedMs);
  return seen.ended && !seen.closes && !client.closed;
}

function judge(
  books: SoakBooks,
  asked: Asked,
  plan: Plan,
  seen: Seen,
  client: RawClient,
  startedMs: number,
): void {
  let got = seen.toOutcome();
  // The end of a body until close is the connection's, whatever has ended that.
  if (got === Outcome.whole && plan.framing === 'close' && seen.bodyBytes < plan.bodyBytes && !asked.isHead) {
    got = Outcome.broken;
  }
  if (client.responses.length > 0 || seen.count > 1)
    fail(books, asked, plan, `more than one answer: ${seen.toText()}`);
  else if (got === 0)
    fail(books, asked, plan, `neither a whole answer nor the beginning of one: ${seen.toText()}`);
  else if (got === Outcome.whole || got === Outcome.broken) {
    const wrong = findWrong(asked, plan, seen, got === Outcome.whole);
    if (wrong !== null) fail(books, asked, plan, `${wrong}: ${seen.toText()}`);
  }
  const name = Object.entries(Outcome).find(([, outcome]) => outcome === got)?.[0] ?? '';
  books.count(name);
  if ((plan.outcomes & got) !== 0) return;
  books.count(`excused: ${name}`);
  if ((got === Outcome.closed && !asked.hasBody) || !books.isExcused(asked.id, startedMs, name)) {
    fail(books, asked, plan, `not explained: ${seen.toText()}`);
  }
}

/** What does not belong to the request. */
function findWrong(asked: Asked, plan: Plan, seen: Seen, isWhole: boolean): string | null {
  if (seen.status !== 200) return 'a status that nobody sent';
  if (seen.id !== asked.id) return "another request's head";
  if (seen.sum !== '' && seen.sum !== 'early' && seen.sum !== asked.sum)
    return 'the request body came changed';
  const body = Buffer.concat(seen.body);
  const right = toBody(
    asked.id,
    plan.kind === 'bad chunk size behind a chunk' ? asked.id.length : plan.bodyBytes,
  );
  for (let at = 0; at < body.length; at++) {
    if (body[at] === right[at]) continue;
    return `the body is another one from byte ${at} on, ${JSON.stringify(body.toString('latin1', at, at + 80))}`;
  }
  if (isWhole && !asked.isHead && body.length !== right.length) return 'the body is too short';
  return null;
}

function fail(books: SoakBooks, asked: Asked, plan: Plan, event: string): void {
  const request = `${asked.method} /${asked.route} (${asked.bytes.length} bytes)`;
  const answer = `${plan.kind}, ${plan.bodyBytes} bytes by ${plan.framing}`;
  books.fail(asked.id, `${request}; plan: ${answer}; ${event}`);
}

/** In one piece or in some. */
async function send(client: RawClient, bytes: Buffer, random: Random): Promise<void> {
  const cuts = random() < 0.8 ? [] : [toHeadEnd(bytes), Math.floor((toHeadEnd(bytes) + bytes.length) / 2)];
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    if (to > from) await client.send(bytes.subarray(from, to));
    await turns(cuts.length);
    from = to;
  }
}

// The listener takes a request line in one piece only (test/e2e/edge-split.test.ts).
function toHeadEnd(bytes: Buffer): number {
  return bytes.indexOf('\r\n\r\n') + 4;
}

/** Goes away before, within or after the request, or at the first of the answer. */
async function abort(client: RawClient, { bytes }: Asked, random: Random): Promise<void> {
  const { socket } = client;
  const part = random() < 0.5 ? bytes.length : Math.floor(random() * bytes.length);
  // Nobody waits for its end: the peer may have stopped reading.
  void client.send(bytes.subarray(0, part));
  if (part === bytes.length && random() < 0.4) {
    await new Promise((resolve) => {
      for (const event of ['data', 'close']) socket.once(event, resolve);
    });
  } else await turns(Math.floor(random() * 40));
  // See endNow() in test/kit/fault-origin.ts.
  if (random() < 0.5 && socket.writableLength === 0 && !socket.writableEnded) client.reset();
  else client.close();
}

/** What a client has of one answer, complete or not. */
class Seen {
  status = 0;
  id = '';
  sum = '';
  closes = false;
  readonly body: Buffer[] = [];
  ended = false;
  /** Complete answers. */
  count = 0;
  bodyBytes = 0;
  private readonly client: RawClient;
  private readonly feed: (chunk: Buffer) => void;

  constructor(client: RawClient, isHead: boolean) {
    this.client = client;
    const reader = new MessageReader('response', {
      onHead: ({ line, fields }) => {
        this.status = Number(line.split(' ')[1]);
        for (const field of fields) this.note(field);
        return isHead;
      },
      onBody: (chunk) => {
        this.body.push(chunk);
        this.bodyBytes += chunk.length;
      },
      onEnd: () => {
        this.ended = true;
        this.count++;
      },
      onBad: () => undefined,
    });
    this.feed = (chunk) => reader.feed(chunk);
    client.socket.on('data', this.feed);
  }

  leave(): void {
    this.client.socket.off('data', this.feed);
  }

  toOutcome(): number {
    if (this.status === 0) return Outcome.closed;
    if (!this.ended) return Outcome.broken;
    if (this.status === 502) return Outcome.failed;
    return this.status === 504 ? Outcome.late : Outcome.whole;
  }

  toText(): string {
    const end = this.ended ? 'whole' : this.client.closed ? 'closed' : 'open';
    const bad = this.client.bad === null ? '' : `, ${this.client.bad}`;
    return `got ${this.status} with id ${JSON.stringify(this.id)} and ${this.bodyBytes} bytes, ${end}${bad}`;
  }

  private note(field: string): void {
    const colon = field.indexOf(':');
    const value = field.slice(colon + 1).trim();
    const name = field.slice(0, colon).toLowerCase();
    if (name === 'x-soak-id') this.id = value;
    else if (name === 'x-soak-sum') this.sum = value;
    else if (name === 'connection') this.closes = value.toLowerCase() === 'close';
  }
}
