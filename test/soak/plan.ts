// What becomes of each request of a soak run: made of the seed and the request's id alone, so that the client knows
// what the origin will do, and every event can be made again.

import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultExchange } from '../kit/fault-origin.ts';

/** Numbers from 0 to below 1. */
export type Random = () => number;

/** What a client may get. */
export const Outcome = {
  /** 200 with its own id and body. */
  whole: 1,
  /** 502, complete. */
  failed: 2,
  /** The beginning of the right answer, and the end of the connection. */
  broken: 4,
  /** 504, complete. */
  late: 8,
  /** The end of the connection: what the listener wrote before the request was whole may be lost with it. */
  closed: 16,
} as const;

export interface Plan {
  readonly kind: string;
  /** Of `Outcome`, added up. */
  readonly outcomes: number;
  readonly bodyBytes: number;
  readonly framing: 'length' | 'chunked' | 'close';
  /** Whether it leaves the origin's connection so that the next request over it may fail. */
  readonly disturbs: boolean;
  readonly random: Random;
}

interface Kind {
  readonly outcomes: number;
  readonly disturbs?: true;
  /** Whether a body until close would make it something else. */
  readonly onlyFramed?: true;
  /** Of the answer's body. Default: any. */
  readonly bytesMax?: number;
  readonly bytesMin?: number;
  /** Which requests it is for; others are answered well. */
  readonly only?: 'upload' | 'hasty' | 'body';
  play(exchange: FaultExchange, answer: Answer, random: Random): Promise<void>;
}

/** The right answer in parts. */
interface Answer {
  readonly plan: Plan;
  readonly id: string;
  readonly head: Buffer;
  /** Framed. */
  readonly body: Buffer;
}

const SMALL = 4_000;
const BYTES_MAX = 1_500_000;
const { whole, failed, broken, late, closed } = Outcome;

const MALFORMED: readonly string[] = [
  'HTTP/1.1 20 OK\r\n\r\n',
  'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5g\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nX-A: \0\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'SSH-2.0-OpenSSH_9.2\r\n',
];
const EARLY_HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';

const GOOD: Kind = {
  outcomes: whole,
  play: (exchange, { head, body }) => exchange.send(Buffer.concat([head, body])),
};

const FAULTS: Readonly<Record<string, Kind>> = {
  'close at start': { outcomes: failed, play: async (exchange) => exchange.close() },
  'reset at start': { outcomes: failed, play: async (exchange) => exchange.reset() },
  'close in head': {
    outcomes: failed,
    play: (exchange, answer, random) => cutHead(exchange, answer, random, 'close'),
  },
  'reset in head': {
    outcomes: failed,
    play: (exchange, answer, random) => cutHead(exchange, answer, random, 'reset'),
  },
  'close in body': {
    outcomes: failed + broken,
    only: 'body',
    bytesMin: 2,
    play: (exchange, answer, random) => cutBody(exchange, answer, random, 'close'),
  },
  // libuv takes a reset that comes with the last bytes for an end, which is one of a body until close.
  'reset in body': {
    outcomes: failed + broken,
    onlyFramed: true,
    only: 'body',
    bytesMin: 2,
    play: (exchange, answer, random) => cutBody(exchange, answer, random, 'reset'),
  },
  malformed: {
    outcomes: failed,
    play: (exchange, _, random) => exchange.send(MALFORMED[Math.floor(random() * MALFORMED.length)]!),
  },
  'large head': {
    outcomes: failed,
    play: (exchange) => exchange.send(`HTTP/1.1 200 OK\r\nX-A: ${'v'.repeat(100 * 1024)}\r\n\r\n`),
  },
  'flood of interim responses': {
    outcomes: failed,
    play: (exchange) => exchange.send(EARLY_HINTS.repeat(1_000)),
  },
  'surplus in the same write': {
    outcomes: failed,
    onlyFramed: true,
    bytesMax: SMALL,
    play: (exchange, { head, body }) =>
      exchange.send(Buffer.concat([head, body, Buffer.from(toPoison('poison'))])),
  },
  'bad chunk size behind a chunk': {
    outcomes: failed + broken,
    only: 'body',
    async play(exchange, { id }) {
      await exchange.send(`HTTP/1.1 200 OK\r\nX-Soak-Id: ${id}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      await turns(2);
      await exchange.send(`${id.length.toString(16)}\r\n${id}\r\n`);
      await turns(2);
      await exchange.send('0x5\r\n');
    },
  },
  'close behind the answer': {
    outcomes: whole,
    disturbs: true,
    async play(exchange, answer, random) {
      await exchange.send(Buffer.concat([answer.head, answer.body]));
      await turns(Math.floor(random() * 20));
      exchange.close();
    },
  },
  'reset behind the answer': {
    outcomes: whole,
    disturbs: true,
    bytesMax: SMALL,
    async play(exchange, answer, random) {
      await exchange.send(Buffer.concat([answer.head, answer.body]));
      await turns(Math.floor(random() * 20));
      exchange.reset();
    },
  },
  // Neither a whole answer nor within the next one: nobody could tell that from the right bytes. It may come within
  // the same read as the answer.
  'garbage behind the answer': {
    outcomes: whole + failed + broken,
    disturbs: true,
    async play(exchange, answer, random) {
      await exchange.send(Buffer.concat([answer.head, answer.body]));
      await turns(1 + Math.floor(random() * 20));
      if (!exchange.past) await exchange.send('poison\r\n\r\n');
    },
  },
  'interim responses': {
    outcomes: whole,
    play: (exchange, { head, body }) => exchange.send(Buffer.concat([Buffer.from(EARLY_HINTS), head, body])),
  },
  delay: {
    outcomes: whole,
    async play(exchange, answer, random) {
      await sleep(1 + random() * 60);
      await exchange.send(Buffer.concat([answer.head, answer.body]));
    },
  },
  pieces: {
    outcomes: whole,
    async play(exchange, { head, body }, random) {
      const bytes = Buffer.concat([head, body]);
      const cuts = Array.from({ length: 8 }, () => Math.floor(random() * bytes.length)).sort((a, b) => a - b);
      let from = 0;
      for (const to of [...cuts, bytes.length]) {
        await exchange.send(bytes.subarray(from, to));
        await turns(3);
        from = to;
      }
    },
  },
  'single bytes': {
    outcomes: whole,
    bytesMax: 100,
    async play(exchange, { head, body }) {
      for (const byte of Buffer.concat([head, body])) await exchange.send(Uint8Array.of(byte));
    },
  },
  hang: {
    outcomes: late,
    only: 'hasty',
    play: (exchange) => exchange.left(),
  },
  'hang in the body': {
    outcomes: late + broken,
    onlyFramed: true,
    only: 'hasty',
    bytesMin: 2,
    async play(exchange, { head, body }) {
      await exchange.send(Buffer.concat([head, body.subarray(0, body.length / 2)]));
      await exchange.left();
    },
  },
};
/** Played when the request's head has come. */
const EARLY: Readonly<Record<string, Kind>> = {
  early: { outcomes: whole + closed, only: 'upload', onlyFramed: true, play: GOOD.play },
  // The upload may find the connection reset before the answer was read.
  'early and a reset': {
    outcomes: whole + failed + broken + closed,
    disturbs: true,
    only: 'upload',
    bytesMax: SMALL,
    async play(exchange, answer) {
      await exchange.send(Buffer.concat([answer.head, answer.body]));
      exchange.reset();
    },
  },
  'early and a close': {
    outcomes: whole + failed + broken + closed,
    disturbs: true,
    only: 'upload',
    bytesMax: SMALL,
    async play(exchange, answer) {
      await exchange.send(Buffer.concat([answer.head, answer.body]));
      exchange.close();
    },
  },
  'a reset instead of reading': {
    outcomes: failed + closed,
    only: 'upload',
    play: async (exchange) => exchange.reset(),
  },
};
const KINDS: Readonly<Record<string, Kind>> = { good: GOOD, ...FAULTS, ...EARLY };
const FAULT_NAMES = [...Object.keys(FAULTS), ...Object.keys(EARLY)];
/** Share of the requests that meet a fault. */
const FAULT_SHARE = 0.3;

export interface Circumstances {
  readonly isHead: boolean;
  readonly hasBody: boolean;
  /** Whether the route's deadlines are so short that the origin may hang. */
  readonly isHasty: boolean;
}

/** The same for the same arguments. */
export function toPlan(seed: number, id: string, circumstances: Circumstances): Plan {
  const random = createRandom(toHash(`${seed}/${id}`));
  const wanted = random() < FAULT_SHARE ? FAULT_NAMES[Math.floor(random() * FAULT_NAMES.length)]! : 'good';
  const name = isFor(KINDS[wanted]!, circumstances) ? wanted : 'good';
  const kind = KINDS[name]!;
  const { bytesMin = 0, bytesMax = BYTES_MAX } = kind;
  const bodyBytes = Math.min(bytesMax, Math.max(bytesMin, toSize(random)));
  const way = random();
  const canClose = kind.onlyFramed !== true && !kind.disturbs;
  const framing = way < 0.5 ? 'length' : way < 0.95 || !canClose ? 'chunked' : 'close';
  // On a route with short deadlines a busy machine may be late with anything.
  const hastily = late | broken | (circumstances.hasBody ? closed : 0);
  const outcomes = circumstances.isHasty ? kind.outcomes | hastily : kind.outcomes;
  return { kind: name, outcomes, bodyBytes, framing, disturbs: kind.disturbs === true, random };
}

function isFor({ only }: Kind, { isHead, hasBody, isHasty }: Circumstances): boolean {
  if (only === 'upload') return hasBody;
  if (only === 'hasty') return isHasty && !isHead;
  return only !== 'body' || !isHead;
}

/** Most are small, one in a hundred does not fit any buffer. */
function toSize(random: Random): number {
  const magnitude = random();
  if (magnitude < 0.1) return 0;
  if (magnitude < 0.7) return Math.floor(random() * 2_000);
  if (magnitude < 0.99) return Math.floor(random() * 100_000);
  return Math.floor(random() * BYTES_MAX);
}

/** The body that belongs to an id. */
export function toBody(id: string, bytes: number): Buffer {
  return Buffer.alloc(bytes, `${id}|`);
}

/** Does to the request what the plan says. `digest` of a request without a body is empty. */
export async function playPlan(exchange: FaultExchange, id: string, plan: Plan): Promise<void> {
  const kind = KINDS[plan.kind]!;
  const isEarly = Object.hasOwn(EARLY, plan.kind);
  if (!isEarly && !(await exchange.whole())) return;
  const sum = isEarly ? 'early' : String(toSum(exchange.body));
  await kind.play(exchange, toAnswer(exchange.method === 'HEAD', id, plan, sum), plan.random);
  if (plan.framing === 'close') exchange.close();
}

function toAnswer(isHead: boolean, id: string, plan: Plan, sum: string): Answer {
  const { bodyBytes, framing } = plan;
  const lines = ['HTTP/1.1 200 OK', `X-Soak-Id: ${id}`, `X-Soak-Sum: ${sum}`];
  if (framing === 'length') lines.push(`Content-Length: ${bodyBytes}`);
  else lines.push(framing === 'chunked' ? 'Transfer-Encoding: chunked' : 'Connection: close');
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
  const bytes = toBody(id, bodyBytes);
  const body = isHead ? Buffer.alloc(0) : framing === 'chunked' ? toChunks(bytes, plan.random) : bytes;
  return { plan, id, head, body };
}

function toChunks(bytes: Buffer, random: Random): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + Math.floor(random() * 40_000));
    parts.push(Buffer.from(`${(end - at).toString(16)}\r\n`), bytes.subarray(at, end), Buffer.from('\r\n'));
    at = end;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

/** Of a body in pieces: tells whether bytes were lost, changed or swapped. */
export function toSum(pieces: readonly Uint8Array[]): number {
  let sum = 0;
  for (const piece of pieces) for (const byte of piece) sum = (Math.imul(sum, 31) + byte) | 0;
  return sum;
}

function toPoison(id: string): string {
  return `HTTP/1.1 200 OK\r\nX-Soak-Id: ${id}\r\nContent-Length: ${id.length}\r\n\r\n${id}`;
}

async function cutHead(
  exchange: FaultExchange,
  { head }: Answer,
  random: Random,
  how: 'close' | 'reset',
): Promise<void> {
  await exchange.send(head.subarray(0, 1 + Math.floor(random() * (head.length - 2))));
  exchange[how]();
}

async function cutBody(
  exchange: FaultExchange,
  { head, body, plan }: Answer,
  random: Random,
  how: 'close' | 'reset',
): Promise<void> {
  // A close ends a body without framing as it should.
  const isSound = plan.framing === 'close' && how === 'close';
  const bytes = isSound
    ? head.subarray(0, head.length - 1)
    : body.subarray(0, Math.floor(random() * body.length));
  await exchange.send(isSound ? bytes : Buffer.concat([head, bytes]));
  await turns(Math.floor(random() * 5));
  exchange[how]();
}

/** Lets the loop turn so many times. */
export async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
}

export function toHash(text: string): number {
  let hash = 2_166_136_261;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16_777_619);
  return hash >>> 0;
}

/** Mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
