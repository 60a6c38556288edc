// What a client gets of a primary that breaks off, lies or talks nonsense, and what becomes of the connections.
//
// Rows are data: what the primary sends, and what the client must then have, to the byte. Each runs over a new
// connection to the primary and over a kept one. Behind each the next request gets its own right answer.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type FaultExchange,
  type FaultOrigin,
  type FaultScript,
  openFaultOrigin,
} from '../kit/fault-origin.ts';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { MessageReader } from '../kit/message.ts';
import { openRaw, type RawClient, type RawRequest, request, toRequestBytes } from '../kit/raw.ts';
import { createWaiting } from '../kit/waiting.ts';
import { untilIdle } from './metric.ts';

/** Whether http:// primaries are served by umbra's own client; undici does otherwise with what is listed here. */
const HAS_OWN_CLIENT = true;
const NEEDS_OWN_CLIENT: ReadonlySet<string> = new Set<string>([
  'close before any byte',
  'reset before any byte',
  'interim responses in reads of one byte',
  'more bytes than content-length',
  'a line end behind the body',
  'a whole answer behind the answer',
  'bytes behind an empty body',
  'bytes behind the last chunk',
  'a whole answer behind the last chunk',
  'more bytes than content-length in a later read',
  'bytes behind the last chunk in a later read',
  '100 before the answer',
  '17 interim responses',
  'a flood of interim responses',
  'a flood of interim responses and an answer',
  '1,001 header lines',
  '2,000 header lines',
  'a reason of 100 KiB',
  'the coding (gzip, chunked)',
  'the coding (identity)',
  'the coding (chunked, chunked)',
  'the coding (xchunked)',
  'the coding (chunked, gzip)',
  'the coding (gzip)',
  'the coding ("chunked")',
  'the coding ()',
  'two codings',
  'two codings that differ',
  'chunks in an answer of HTTP/1.0',
  'HTTP/2.0',
  'HTTP/0.9',
  'NUL in the reason',
  'an empty line before the status line',
  'an extension of 100 KiB',
  'data that is longer than its size',
  'data that is shorter than its size',
  'data that ends without CR',
  'data that does not end',
  'an extension of 100 KiB, in a later read than the head',
  'data that is longer than its size, in a later read than the head',
  'data that is shorter than its size, in a later read than the head',
  'data that ends without CR, in a later read than the head',
  'data that does not end, in a later read than the head',
  'an extension of 100 KiB, in a later read than a sound chunk',
  'data that is longer than its size, in a later read than a sound chunk',
  'data that is shorter than its size, in a later read than a sound chunk',
  'data that ends without CR, in a later read than a sound chunk',
  'data that does not end, in a later read than a sound chunk',
  'a body until close that is reset',
  'HEAD without a length',
  '204 with a length',
  '204 with a coding',
  '304 with a length',
  '304 with a coding',
  'HEAD answered with a body',
  'HEAD answered with chunks',
  '204 with a body',
  '304 with a body',
]);

/** Sent as latin1, or done; one after the other, without waiting in between. */
type Step = string | ((exchange: FaultExchange, scene: Scene) => Promise<void> | void);

interface Row {
  readonly name: string;
  readonly asks: RawRequest;
  /** Once the request has come whole. */
  readonly steps: readonly Step[];
  readonly status: number;
  /** All that the client gets of the body. */
  readonly body: string;
  /** Whether the answer breaks off there; the client's connection is then closed. Otherwise it is kept. */
  readonly breaks: boolean;
  /** Whether the primary's connection serves the next request; otherwise it is closed. */
  readonly keeps: boolean;
  /** Requests that reach the primary when the connection was used before. */
  readonly repeated: number;
  /** The answer's header lines that begin with `x-`, or all that are asked for, in lower case. */
  readonly fields: readonly string[] | null;
}

/** What one row's steps may look at. */
interface Scene {
  readonly watch: Watch;
  /** Resolves when the gateway has read all that was sent before. */
  passLoop(): Promise<void>;
}

const CLOSE: Step = (exchange) => exchange.close();
const RESET: Step = (exchange) => exchange.reset();
/** What follows comes in a later read. */
const LOOP: Step = (_, scene) => scene.passLoop();
/** The client has all of the answer. */
const ANSWERED: Step = (_, { watch }) => watch.until(() => watch.ended);

/** The client has that many bytes of the body. */
function seen(bytes: number): Step {
  return (_, { watch }) => watch.until(() => watch.body.length >= bytes);
}

/** Every byte in a read of its own. */
function trickle(bytes: string): Step {
  return async (exchange, scene) => {
    for (const byte of bytes) {
      await exchange.send(byte);
      await scene.passLoop();
    }
  };
}

/** What a client has of the answer so far, complete or not. */
class Watch {
  status = 0;
  body = '';
  ended = false;
  private readonly waiting = createWaiting();

  constructor(client: RawClient, isHead: boolean) {
    const reader = new MessageReader('response', {
      onHead: ({ line }) => {
        this.status = Number(line.split(' ')[1]);
        this.body = '';
        return isHead || this.status === 204 || this.status === 304;
      },
      onBody: (chunk) => {
        this.body += chunk.toString('latin1');
      },
      onEnd: () => {
        this.ended = true;
      },
      onBad: () => undefined,
    });
    client.socket.on('data', (chunk: Buffer) => {
      reader.feed(chunk);
      this.waiting.check();
    });
  }

  until(met: () => boolean): Promise<void> {
    return this.waiting.until(
      met,
      () => `more than ${this.status} with ${JSON.stringify(this.body)}`,
      10_000,
    );
  }
}

type Expected = Partial<Omit<Row, 'name' | 'steps'>>;

const BAD_GATEWAY = 'Bad Gateway\n';
const PLAIN: RawRequest = {};
const HEAD: RawRequest = { method: 'HEAD' };

/** The answer passes whole. */
function passes(name: string, steps: readonly Step[], expected: Expected = {}): Row {
  const { asks = PLAIN, status = 200, body = 'hello', keeps = true, fields = null, repeated = 1 } = expected;
  return { name, asks, steps, status, body, breaks: false, keeps, repeated, fields };
}

/** 502, and nothing of the answer; the primary's connection is closed. */
function fails(name: string, steps: readonly Step[], expected: Expected = {}): Row {
  const { asks = PLAIN, repeated = 1 } = expected;
  const body = asks.method === 'HEAD' ? '' : BAD_GATEWAY;
  return { name, asks, steps, status: 502, body, breaks: false, keeps: false, repeated, fields: null };
}

/** The client gets the head and that much of the body, and then the end of the connection. */
function breaks(name: string, body: string, steps: readonly Step[]): Row {
  return {
    name,
    asks: PLAIN,
    steps,
    status: 200,
    body,
    breaks: true,
    keeps: false,
    repeated: 1,
    fields: null,
  };
}

function toHead(...fields: readonly string[]): string {
  return `${['HTTP/1.1 200 OK', ...fields].join('\r\n')}\r\n\r\n`;
}

const LENGTH = toHead('Content-Length: 5');
const CHUNKED = toHead('Transfer-Encoding: chunked');
const UNTIL_CLOSE = toHead('X-A: b');
const HELLO = `${LENGTH}hello`;
const CHUNK = '5\r\nhello\r\n';
const LAST = '0\r\n\r\n';
const EARLY_HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
/** Bytes that must never be taken for the answer to another request. */
const MARKER = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Poison: 1\r\n\r\npoison';

const ways = { close: CLOSE, reset: RESET } as const;

const cuts: readonly Row[] = Object.entries(ways).flatMap(([way, end]) => [
  // A request over a kept connection that ends without a byte is sent again, once, over a new one.
  fails(`${way} before any byte`, [end], { repeated: 2 }),
  fails(`${way} before any byte, to a POST`, [end], { asks: { method: 'POST', body: 'x' } }),
  fails(`${way} within the status line`, ['HTTP/1.1 20', end]),
  fails(`${way} within a header line`, ['HTTP/1.1 200 OK\r\nX-A: val', end]),
  fails(`${way} between header lines`, ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n', end]),
  fails(`${way} within the empty line`, ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r', end]),
  fails(`${way} behind an interim response`, [EARLY_HINTS, end]),
  fails(`${way} before the body of a HEAD's head`, ['HTTP/1.1 200 OK\r\n', end], { asks: HEAD }),
  breaks(`${way} before the body`, '', [
    LENGTH,
    (_, { watch }) => watch.until(() => watch.status === 200),
    end,
  ]),
  breaks(`${way} within the body`, 'he', [`${LENGTH}he`, seen(2), end]),
  breaks(`${way} before the last byte of the body`, 'hell', [`${LENGTH}hell`, seen(4), end]),
  fails(`${way} before the first chunk`, [CHUNKED, LOOP, end]),
  fails(`${way} within the first size line`, [CHUNKED, LOOP, '5', LOOP, end]),
  breaks(`${way} within a chunk`, 'he', [`${CHUNKED}5\r\nhe`, seen(2), end]),
  breaks(`${way} before a chunk's line end`, 'hello', [`${CHUNKED}5\r\nhello`, seen(5), end]),
  breaks(`${way} within a size line`, 'hello', [`${CHUNKED}${CHUNK}1`, seen(5), end]),
  breaks(`${way} before the last chunk`, 'hello', [`${CHUNKED}${CHUNK}`, seen(5), end]),
  breaks(`${way} within the last chunk`, 'hello', [`${CHUNKED}${CHUNK}0\r\n`, seen(5), end]),
  breaks(`${way} within a trailer`, 'hello', [`${CHUNKED}${CHUNK}0\r\nX-T: 1`, seen(5), end]),
]);

const paces: readonly Row[] = [
  passes('a head and a body in reads of one byte', [trickle(HELLO)]),
  passes('chunks in reads of one byte', [trickle(`${CHUNKED}2\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: 1\r\n\r\n`)]),
  passes('interim responses in reads of one byte', [trickle(`${CONTINUE}${EARLY_HINTS}${HELLO}`)]),
  passes('a body until close in reads of one byte', [trickle(`${UNTIL_CLOSE}hello`), CLOSE], {
    keeps: false,
  }),
  passes('a head alone and then the body', [LENGTH, LOOP, 'hello']),
  passes('a chunked head alone and then the body', [CHUNKED, LOOP, CHUNK + LAST]),
];

const surplus: readonly Row[] = [
  fails('more bytes than content-length', [`${HELLO}!`]),
  fails('a line end behind the body', [`${HELLO}\r\n`]),
  fails('a whole answer behind the answer', [HELLO + MARKER]),
  fails('bytes behind an empty body', [`${toHead('Content-Length: 0')}!`]),
  fails('bytes behind the last chunk', [`${CHUNKED}${CHUNK}${LAST}!`]),
  fails('a whole answer behind the last chunk', [CHUNKED + CHUNK + LAST + MARKER]),
  breaks('more bytes than content-length in a later read', 'hel', [`${LENGTH}hel`, seen(3), 'lo!']),
  breaks('bytes behind the last chunk in a later read', 'hello', [CHUNKED + CHUNK, seen(5), `${LAST}!`]),
  ...Object.entries({ 'a byte': '!', 'a line end': '\r\n', 'a whole answer': MARKER }).flatMap(
    ([name, bytes]) => [
      passes(`${name} after the answer`, [HELLO, ANSWERED, bytes], { keeps: false }),
      passes(`${name} after chunks`, [CHUNKED + CHUNK + LAST, ANSWERED, bytes], { keeps: false }),
    ],
  ),
];

const interims: readonly Row[] = [
  passes('100 before the answer', [CONTINUE + HELLO]),
  passes('103 before the answer', [EARLY_HINTS + HELLO]),
  passes('102 and 103 in reads of their own', [
    'HTTP/1.1 102 Processing\r\n\r\n',
    LOOP,
    EARLY_HINTS,
    LOOP,
    HELLO,
  ]),
  passes('16 interim responses', [EARLY_HINTS.repeat(16) + HELLO]),
  fails('17 interim responses', [EARLY_HINTS.repeat(17) + HELLO]),
  fails('a flood of interim responses', [EARLY_HINTS.repeat(1_000)]),
  fails('a flood of interim responses and an answer', [EARLY_HINTS.repeat(1_000) + HELLO]),
  fails('101 that nobody asked for', [
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
  ]),
  fails('101 that nobody asked for, and an answer', [`HTTP/1.1 101 Switching Protocols\r\n\r\n${HELLO}`]),
  fails('an interim response with a length', [
    `HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello${HELLO}`,
  ]),
];

const LINES_OF_15_KIB = Array.from({ length: 150 }, (_, index) => `x-${index}: ${'v'.repeat(96)}`);
const LINES_OF_60_KIB = Array.from({ length: 60 }, (_, index) => `x-${index}: ${'v'.repeat(1_016)}`);
const LINES_1000 = Array.from({ length: 1_000 }, (_, index) => `x-${index}: v`);
const sizes: readonly Row[] = [
  passes('headers of 15 KiB', [`${toHead(...LINES_OF_15_KIB, 'Content-Length: 5')}hello`], {
    fields: LINES_OF_15_KIB,
  }),
  passes(
    'headers of 15 KiB with chunks',
    [toHead(...LINES_OF_15_KIB, 'Transfer-Encoding: chunked') + CHUNK + LAST],
    { fields: LINES_OF_15_KIB },
  ),
  passes('headers of 60 KiB', [`${toHead(...LINES_OF_60_KIB, 'Content-Length: 5')}hello`], {
    fields: LINES_OF_60_KIB,
  }),
  passes(
    'headers of 60 KiB with chunks',
    [toHead(...LINES_OF_60_KIB, 'Transfer-Encoding: chunked') + CHUNK + LAST],
    { fields: LINES_OF_60_KIB },
  ),
  passes('1,000 header lines', [`${toHead(...LINES_1000.slice(1), 'Content-Length: 5')}hello`], {
    fields: LINES_1000.slice(1),
  }),
  fails('1,001 header lines', [`${toHead(...LINES_1000, 'Content-Length: 5')}hello`]),
  fails('2,000 header lines', [`${toHead(...LINES_1000, ...LINES_1000, 'Content-Length: 5')}hello`]),
  fails('a header of 100 KiB', [`${toHead(`X-A: ${'v'.repeat(100 * 1024)}`, 'Content-Length: 5')}hello`]),
  fails('a header of 100 KiB that does not end', [`HTTP/1.1 200 OK\r\nX-A: ${'v'.repeat(100 * 1024)}`]),
  fails('a reason of 100 KiB', [`HTTP/1.1 200 ${'O'.repeat(100 * 1024)}\r\nContent-Length: 5\r\n\r\nhello`]),
];

function hasLength(...fields: readonly string[]): Step[] {
  return [`${toHead(...fields)}hello`];
}
function hasCoding(...fields: readonly string[]): Step[] {
  return [toHead(...fields) + CHUNK + LAST];
}
const framings: readonly Row[] = [
  fails('two lengths that differ', hasLength('Content-Length: 5', 'Content-Length: 6')),
  fails('two lengths that are equal', hasLength('Content-Length: 5', 'Content-Length: 5')),
  fails('two lengths in one line', hasLength('Content-Length: 5, 5')),
  fails('a length and a coding', hasCoding('Content-Length: 15', 'Transfer-Encoding: chunked')),
  fails('a coding and a length', hasCoding('Transfer-Encoding: chunked', 'Content-Length: 15')),
  ...[
    'gzip, chunked',
    'identity',
    'chunked, chunked',
    'xchunked',
    'chunked, gzip',
    'gzip',
    '"chunked"',
    '',
  ].map((coding) => fails(`the coding (${coding})`, hasCoding(`Transfer-Encoding: ${coding}`))),
  fails('two codings', hasCoding('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')),
  fails('two codings that differ', hasCoding('Transfer-Encoding: gzip', 'Transfer-Encoding: chunked')),
  ...['+5', '-5', '0x5', '5 5', '5;', '5.0', '', 'five', '9'.repeat(20)].map((length) =>
    fails(`the length (${length})`, hasLength(`Content-Length: ${length}`)),
  ),
  fails('chunks in an answer of HTTP/1.0', [
    `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNK}${LAST}`,
  ]),
];

const syntax: readonly Row[] = Object.entries({
  'line ends without CR': 'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello',
  'a status line that ends without CR': 'HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello',
  'a header line that ends without CR': 'HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 5\r\n\r\nhello',
  'an empty line without CR': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello',
  'a line end without LF': 'HTTP/1.1 200 OK\r\nX-A: b\rContent-Length: 5\r\n\r\nhello',
  'CR in a value': toHead('X-A: b\rc', 'Content-Length: 5'),
  'NUL in a value': toHead('X-A: b\0c', 'Content-Length: 5'),
  'a control character in a value': toHead('X-A: b\x01c', 'Content-Length: 5'),
  'a folded line': toHead('X-A: b', ' c', 'Content-Length: 5'),
  'a folded length': toHead('Content-Length:', ' 5'),
  'a first line that is folded': toHead(' X-A: b', 'Content-Length: 5'),
  'a space before the colon': toHead('Content-Length : 5'),
  'a space within a name': toHead('X A: b', 'Content-Length: 5'),
  'an empty name': toHead(': b', 'Content-Length: 5'),
  'a line without a colon': toHead('X-A', 'Content-Length: 5'),
  'a name beyond ASCII': toHead('X-\xe4: b', 'Content-Length: 5'),
  'NUL in a name': toHead('X-\0A: b', 'Content-Length: 5'),
  'HTTP/2.0': 'HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.2': 'HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.10': 'HTTP/1.10 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/0.9': 'HTTP/0.9 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'http/1.1': 'http/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'no version': 'HTTP 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'a status of two digits': 'HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello',
  'a status of four digits': 'HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello',
  'a status that is no number': 'HTTP/1.1 2x0 OK\r\nContent-Length: 5\r\n\r\nhello',
  'the status 099': 'HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello',
  'two spaces before the status': 'HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'no space behind the status': 'HTTP/1.1 200OK\r\nContent-Length: 5\r\n\r\nhello',
  'NUL in the reason': 'HTTP/1.1 200 O\0K\r\nContent-Length: 5\r\n\r\nhello',
  'CR in the reason': 'HTTP/1.1 200 O\rK\r\nContent-Length: 5\r\n\r\nhello',
  'a space before the status line': ' HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'an empty line before the status line': '\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'a body alone': '<html>hello</html>\r\n\r\n',
  'another protocol': 'SSH-2.0-OpenSSH_9.2\r\n\r\n',
  'a request': 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'bytes of TLS': '\x15\x03\x01\x00\x02\x02\x46',
  'two NULs': '\0\0',
}).map(([name, bytes]) => fails(name, [bytes]));

const badChunks = {
  'an empty size': '\r\nhello\r\n',
  'the size 0x5': '0x5\r\nhello\r\n',
  'the size -1': '-1\r\nhello\r\n',
  'the size +5': '+5\r\nhello\r\n',
  'the size 5g': '5g\r\nhello\r\n',
  'a space before the size': ' 5\r\nhello\r\n',
  'a space behind the size': '5 \r\nhello\r\n',
  'a size of 20 digits': `${'f'.repeat(20)}\r\nhello\r\n`,
  'a size of 20 digits, most of them 0 but the first': `1${'0'.repeat(19)}\r\nhello\r\n`,
  'a size that ends without CR': '5\nhello\r\n',
  'a size that ends without LF': '5\rhello\r\n',
  'an extension of 100 KiB': `5;${'x'.repeat(100 * 1024)}\r\nhello\r\n`,
  'NUL in an extension': '5;a=\0\r\nhello\r\n',
  'LF in an extension': '5;a=\nb\r\nhello\r\n',
  'data that is longer than its size': '4\r\nhello\r\n',
  'data that is shorter than its size': '6\r\nhello\r\n0\r\n\r\n',
  'data that ends without CR': '5\r\nhello\n0\r\n\r\n',
  'data that does not end': '5\r\nhello0\r\n\r\n',
  'a trailer without a colon': '0\r\nX-T\r\n\r\n',
  'a folded trailer': '0\r\nX-T: 1\r\n 2\r\n\r\n',
  'NUL in a trailer': '0\r\nX-T: \0\r\n\r\n',
  'a trailer that ends without CR': '0\r\nX-T: 1\n\r\n',
  'trailers of 100 KiB': `0\r\n${`X-T: ${'v'.repeat(1_017)}\r\n`.repeat(100)}\r\n`,
} as const;
const chunks: readonly Row[] = [
  ...Object.entries(badChunks).map(([name, bytes]) => fails(name, [CHUNKED + bytes])),
  ...Object.entries(badChunks).map(([name, bytes]) =>
    fails(`${name}, in a later read than the head`, [CHUNKED, LOOP, bytes]),
  ),
  ...Object.entries(badChunks).map(([name, bytes]) =>
    breaks(`${name}, in a later read than a sound chunk`, 'world', [
      `${CHUNKED}5\r\nworld\r\n`,
      seen(5),
      bytes,
    ]),
  ),
  passes('sizes with zeros and extensions, and trailers', [
    `${CHUNKED}0003;a=b;c="d e"\r\nhel\r\n02\r\nlo\r\n000\r\nX-T: 1\r\nX-U: 2\r\n\r\n`,
  ]),
  passes('sizes in both cases', [`${CHUNKED}A\r\n0123456789\r\na\r\n0123456789\r\n${LAST}`], {
    body: '01234567890123456789',
  }),
  passes('no chunk but the last', [CHUNKED + LAST], { body: '' }),
];

const untilClose: readonly Row[] = [
  passes('a body until close', [`${UNTIL_CLOSE}hello`, CLOSE], { keeps: false }),
  passes('a body until close in two reads', [`${UNTIL_CLOSE}hel`, seen(3), 'lo', CLOSE], { keeps: false }),
  passes('an empty body until close', [UNTIL_CLOSE, CLOSE], { keeps: false, body: '' }),
  passes('a body until close of HTTP/1.0', ['HTTP/1.0 200 OK\r\n\r\nhello', CLOSE], { keeps: false }),
  passes('a body until close that looks like an answer', [UNTIL_CLOSE + MARKER, CLOSE], {
    keeps: false,
    body: MARKER,
  }),
  breaks('a body until close that is reset', 'hello', [`${UNTIL_CLOSE}hello`, seen(5), RESET]),
];

const kept: readonly Row[] = [
  passes('an answer', [HELLO]),
  passes('an answer in chunks', [CHUNKED + CHUNK + LAST]),
  passes('an answer of HTTP/1.0 that keeps', [
    'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello',
  ]),
  passes('an answer of HTTP/1.0', ['HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello'], { keeps: false }),
  passes('an answer that says close', [`${toHead('Connection: close', 'Content-Length: 5')}hello`], {
    keeps: false,
  }),
  passes(
    'chunks that say close',
    [toHead('Connection: close', 'Transfer-Encoding: chunked') + CHUNK + LAST],
    {
      keeps: false,
    },
  ),
  passes('an answer and then a close', [HELLO, ANSWERED, CLOSE], { keeps: false }),
  passes('an answer and then a reset', [HELLO, ANSWERED, RESET], { keeps: false }),
  passes('an answer and a close at once', [HELLO, CLOSE], { keeps: false }),
  passes('chunks and a close at once', [CHUNKED + CHUNK + LAST, CLOSE], { keeps: false }),
];

function toBodiless(status: number, ...fields: readonly string[]): string {
  return `${[`HTTP/1.1 ${status} Nothing`, ...fields].join('\r\n')}\r\n\r\n`;
}
const bodiless: readonly Row[] = [
  passes('HEAD with a length', [toHead('Content-Length: 12')], {
    asks: HEAD,
    body: '',
    fields: ['content-length: 12'],
  }),
  passes('HEAD without a length', [toHead('X-A: b')], { asks: HEAD, body: '', fields: ['x-a: b'] }),
  passes('HEAD with a coding', [CHUNKED], { asks: HEAD, body: '' }),
  passes('204', [toBodiless(204)], { status: 204, body: '' }),
  // RFC 9110 section 8.6 forbids it: the bytes may yet come.
  passes('204 with a length', [toBodiless(204, 'Content-Length: 5')], {
    status: 204,
    body: '',
    keeps: false,
  }),
  passes('204 with a coding', [toBodiless(204, 'Transfer-Encoding: chunked')], {
    status: 204,
    body: '',
    keeps: false,
  }),
  passes('204 with the length 0', [toBodiless(204, 'Content-Length: 0')], { status: 204, body: '' }),
  passes('304', [toBodiless(304, 'X-A: b')], { status: 304, body: '', fields: ['x-a: b'] }),
  passes('304 with a length', [toBodiless(304, 'Content-Length: 77')], {
    status: 304,
    body: '',
    fields: ['content-length: 77'],
  }),
  passes('304 with a coding', [toBodiless(304, 'Transfer-Encoding: chunked')], { status: 304, body: '' }),
  fails('HEAD answered with a body', [`${toHead(`Content-Length: ${MARKER.length}`)}${MARKER}`], {
    asks: HEAD,
  }),
  fails('HEAD answered with chunks', [CHUNKED + CHUNK + LAST], { asks: HEAD }),
  fails('204 with a body', [toBodiless(204, `Content-Length: ${MARKER.length}`) + MARKER]),
  fails('304 with a body', [toBodiless(304, `Content-Length: ${MARKER.length}`) + MARKER]),
  passes('HEAD answered with a body in a later read', [toHead('Content-Length: 74'), ANSWERED, MARKER], {
    asks: HEAD,
    body: '',
    keeps: false,
  }),
  passes('204 with a body in a later read', [toBodiless(204), ANSWERED, MARKER], {
    status: 204,
    body: '',
    keeps: false,
  }),
  passes('304 with a body in a later read', [toBodiless(304), ANSWERED, MARKER], {
    status: 304,
    body: '',
    keeps: false,
  }),
];

const groups: Readonly<Record<string, readonly Row[]>> = {
  'broken off': cuts,
  paced: paces,
  'with surplus bytes': surplus,
  'with interim responses': interims,
  'with a large head': sizes,
  'framed wrongly': framings,
  'with bad syntax': syntax,
  'in chunks': chunks,
  'until close': untilClose,
  complete: kept,
  'without a body': bodiless,
};

describe('a faulty primary', () => {
  let primary: FaultOrigin;
  let calm: FaultOrigin;
  let gone: FaultOrigin;
  let gateway: Gateway;
  let bystander: RawClient;

  before(async () => {
    primary = await openFaultOrigin();
    calm = await openFaultOrigin();
    gone = await openFaultOrigin();
    await gone.refuse();
    const toRoute = (id: string, origin: FaultOrigin, retries = 0): string =>
      `  - { id: ${id}, path: /${id}, path_prefix: true, retries: ${retries}, timeout: { read: 5s, send: 5s }, backends: [{ url: '${origin.url}' }] }`;
    const routes = [
      toRoute('row', primary),
      toRoute('twice', primary, 1),
      toRoute('gone', gone),
      toRoute('calm', calm),
    ];
    gateway = await openGateway({ config: `routes:\n${routes.join('\n')}` });
    bystander = await openRaw(gateway.port);
  });

  after(async () => {
    bystander?.close();
    await gateway?.stop({ balanced: false });
    await Promise.all([primary, calm, gone].map((origin) => origin?.refuse()));
  });

  /** On a connection of its own, which the listener ends when it was idle for long. */
  async function passLoop(): Promise<void> {
    if (bystander.closed) bystander = await openRaw(gateway.port);
    assert.equal((await request(bystander, { path: '/calm' })).status, 200);
  }

  /** No connection to the primary, and the gateway knows of it. */
  async function dropAll(): Promise<void> {
    primary.dropConnections('close');
    await primary.waitForSockets(0);
  }

  let asked = 0;
  /** A good request, answered by the primary with what nobody else is answered. Gives the connection it came by. */
  async function assertServed(client: RawClient, path = '/row/next'): Promise<number> {
    const own = `own ${++asked}`;
    const arrived = primary.arrived;
    primary.script = (exchange) => exchange.send(`${toHead(`Content-Length: ${own.length}`)}${own}`);
    const answer = await request(client, { path });
    assert.equal(answer.status, 200, 'the next request is served');
    assert.equal(answer.body.toString(), own, 'the next request gets its own answer');
    assert.equal(answer.field('x-poison'), null);
    assert.equal(primary.arrived, arrived + 1);
    return primary.last!.connection;
  }

  async function assertNewServed(): Promise<void> {
    const client = await openRaw(gateway.port);
    await assertServed(client);
    client.close();
  }

  async function assertRow(row: Row, isKept: boolean): Promise<void> {
    await dropAll();
    const client = await openRaw(gateway.port, { deadlineMs: 10_000 });
    const before = isKept ? await assertServed(client) : primary.connections + 1;
    const arrived = primary.arrived;
    const isHead = row.asks.method === 'HEAD';
    const watch = new Watch(client, isHead);
    let steps: Promise<void> = Promise.resolve();
    primary.script = async (exchange) => {
      if (await exchange.whole()) steps = runSteps(row.steps, exchange, { watch, passLoop });
    };
    client.answersHead = isHead;
    await client.send(toRequestBytes({ ...row.asks, path: '/row/fault' }));
    const [answer] = await client.read();
    await steps;
    assert.equal(watch.status, row.status, JSON.stringify(watch.body));
    assert.equal(watch.body, row.body);
    if (row.breaks) {
      await client.waitClosed();
      assert.equal(answer, undefined, 'the answer is not complete');
      assert.equal(client.bad, 'ends within a message');
    } else {
      assert.equal(client.bad, null);
      assert.deepEqual(answer?.interim, []);
      assert.notEqual(answer?.field('connection')?.toLowerCase(), 'close');
      if (row.fields !== null) assert.deepEqual(toKept(answer?.fields ?? [], row.fields), row.fields);
    }
    assert.equal(primary.arrived - arrived, isKept ? row.repeated : 1, 'requests that reached the primary');
    if (!row.keeps) await primary.waitForSockets(0);
    const next = row.breaks ? await openRaw(gateway.port) : client;
    const connection = await assertServed(next);
    if (row.keeps) assert.equal(connection, before, "the primary's connection is kept");
    else assert.notEqual(connection, before, "the primary's connection is not used again");
    assert.equal(next.responses.length, 0);
    next.close();
    client.close();
  }

  for (const [name, rows] of Object.entries(groups)) {
    describe(`answers ${name}`, () => {
      for (const row of rows) {
        const skip = !HAS_OWN_CLIENT && NEEDS_OWN_CLIENT.has(row.name);
        it(row.name, { skip }, () => assertRow(row, false));
        it(`${row.name}, over a kept connection`, { skip }, () => assertRow(row, true));
      }
    });
  }

  it('the list of rows that need the own client names rows', () => {
    const names = new Set(Object.values(groups).flatMap((rows) => rows.map((row) => row.name)));
    assert.equal(names.size, Object.values(groups).flat().length, 'names are unique');
    for (const name of NEEDS_OWN_CLIENT) assert.ok(names.has(name), name);
  });

  describe('refused connections', () => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT']) {
      it(`${method}: 502, and the client's connection is kept`, async () => {
        const client = await openRaw(gateway.port);
        for (let count = 0; count < 3; count++) {
          const body = method === 'POST' || method === 'PUT' ? { body: 'x' } : {};
          const answer = await request(client, { method, path: '/gone', ...body });
          assert.equal(answer.status, 502);
          assert.equal(answer.body.toString(), method === 'HEAD' ? '' : BAD_GATEWAY);
        }
        await assertServed(client);
        client.close();
      });
    }
  });

  describe('answers before the request is whole', () => {
    const PIECE = Buffer.alloc(16 * 1024, 'x');
    const CHUNK_PIECE = Buffer.concat([Buffer.from('4000\r\n'), PIECE, Buffer.from('\r\n')]);
    const PIECES = 64;
    const FORBIDDEN = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno';
    const FORBIDDEN_CHUNKS =
      'HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n';

    interface Early {
      readonly name: string;
      readonly fields: readonly string[];
      readonly piece: Buffer;
      readonly last: string;
    }
    const uploads: readonly Early[] = [
      { name: 'a length', fields: [`Content-Length: ${PIECES * PIECE.length}`], piece: PIECE, last: '' },
      { name: 'chunks', fields: ['Transfer-Encoding: chunked'], piece: CHUNK_PIECE, last: LAST },
    ];

    async function assertEarly(upload: Early, script: FaultScript, sendsOn: boolean): Promise<void> {
      await dropAll();
      const arrived = primary.arrived;
      primary.script = script;
      const client = await openRaw(gateway.port, { deadlineMs: 10_000 });
      const head = toRequestBytes({ method: 'POST', path: '/row/early', fields: upload.fields });
      await client.send(Buffer.concat([head, upload.piece]));
      const reading = client.read();
      for (let sent = 2; sendsOn && sent < PIECES; sent++) await client.send(upload.piece);
      await primary.waitForSockets(0);
      if (sendsOn) await client.send(Buffer.concat([upload.piece, Buffer.from(upload.last)]));
      const [answer] = await reading;
      assert.equal(client.bad, null);
      assert.equal(answer?.status, 403);
      assert.equal(answer.body.toString(), 'no');
      assert.equal(primary.arrived - arrived, 1);
      client.close();
      await assertNewServed();
    }

    for (const upload of uploads) {
      for (const [name, bytes] of Object.entries({ length: FORBIDDEN, chunks: FORBIDDEN_CHUNKS })) {
        it(`to ${upload.name}, with ${name}: the client has it, though it sends on`, () =>
          assertEarly(upload, (exchange) => exchange.send(bytes), true));

        it(`to ${upload.name}, with ${name}: the client has it, though it sends nothing more`, () =>
          assertEarly(upload, (exchange) => exchange.send(bytes), false));
      }

      it(`to ${upload.name}, and a reset at once: the client has it`, () =>
        assertEarly(
          upload,
          async (exchange) => {
            await exchange.taken(PIECE.length);
            await exchange.send(FORBIDDEN);
            exchange.reset();
          },
          false,
        ));

      it(`to ${upload.name}, and a close at once: the client has it`, () =>
        assertEarly(
          upload,
          async (exchange) => {
            await exchange.taken(PIECE.length);
            await exchange.send(FORBIDDEN);
            exchange.close();
          },
          false,
        ));

      it(`to ${upload.name}, broken off by a reset: the client sees it cut`, async () => {
        await dropAll();
        const client = await openRaw(gateway.port, { deadlineMs: 10_000 });
        const watch = new Watch(client, false);
        primary.script = async (exchange) => {
          await exchange.taken(PIECE.length);
          await exchange.send(`${LENGTH}he`);
          await watch.until(() => watch.body.length === 2);
          exchange.reset();
        };
        const head = toRequestBytes({ method: 'POST', path: '/row/early', fields: upload.fields });
        await client.send(Buffer.concat([head, upload.piece]));
        await client.waitClosed();
        assert.equal(client.responses.length, 0);
        assert.equal(client.bad, 'ends within a message');
        assert.equal(watch.body, 'he');
        await primary.waitForSockets(0);
        await assertNewServed();
      });

      it(`a reset instead of an answer to ${upload.name}: 502`, async () => {
        await dropAll();
        const arrived = primary.arrived;
        const client = await openRaw(gateway.port, { deadlineMs: 10_000 });
        primary.script = async (exchange) => {
          await exchange.taken(PIECE.length);
          exchange.reset();
        };
        const head = toRequestBytes({ method: 'POST', path: '/twice/early', fields: upload.fields });
        await client.send(Buffer.concat([head, upload.piece]));
        const [answer] = await client.read();
        assert.equal(answer?.status, 502);
        assert.equal(primary.arrived - arrived, 1, 'it is not sent again');
        client.close();
        await assertNewServed();
      });
    }
  });

  describe('a kept connection that the primary closes as the next request comes', () => {
    /** Answers the first request of each connection, and ends it at the second. */
    function answerOnce(end: Step): FaultScript {
      return async (exchange) => {
        if (!(await exchange.whole())) return;
        if (exchange.turn === 1) await exchange.send(exchange.method === 'HEAD' ? LENGTH : HELLO);
        else await runSteps([end], exchange, { watch: null as unknown as Watch, passLoop });
      };
    }

    for (const [way, end] of Object.entries(ways)) {
      for (const route of ['row', 'twice']) {
        const retries = route === 'row' ? 0 : 1;
        for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE']) {
          const skip = !HAS_OWN_CLIENT && retries === 0;
          it(`${way}, ${method} with retries: ${retries}: sent again over a new connection`, {
            skip,
          }, async () => {
            await dropAll();
            const client = await openRaw(gateway.port);
            const first = await assertServed(client);
            const { arrived, connections } = primary;
            primary.script = answerOnce(end);
            const answer = await request(client, { method, path: `/${route}/race` });
            assert.equal(answer.status, 200);
            assert.equal(primary.arrived - arrived, 2);
            assert.equal(primary.connections - connections, 1);
            assert.notEqual(primary.last?.connection, first);
            client.close();
          });
        }
        for (const method of ['POST', 'PATCH']) {
          for (const body of ['x', '']) {
            it(`${way}, ${method} of ${body.length} bytes with retries: ${retries}: not sent again`, async () => {
              await dropAll();
              const client = await openRaw(gateway.port);
              await assertServed(client);
              const { arrived, connections } = primary;
              primary.script = answerOnce(end);
              const answer = await request(client, { method, path: `/${route}/race`, body });
              assert.equal(answer.status, 502);
              assert.equal(primary.arrived - arrived, 1);
              assert.equal(primary.connections - connections, 0);
              await assertServed(client);
              client.close();
            });
          }
        }
      }
    }

    it('whenever it comes, every GET is answered, and no POST comes twice', {
      skip: !HAS_OWN_CLIENT,
    }, async () => {
      const client = await openRaw(gateway.port);
      for (let round = 0; round < 100; round++) {
        await dropAll();
        await assertServed(client);
        const { arrived } = primary;
        primary.script = (exchange) => exchange.send(HELLO);
        const isPost = round % 2 === 1;
        const asking = request(
          client,
          isPost ? { method: 'POST', path: '/row/race', body: 'x' } : { path: '/row/race' },
        );
        if (round % 4 < 2) primary.dropConnections('close');
        else
          await new Promise((resolve) => setImmediate(resolve)).then(() => primary.dropConnections('close'));
        const { status } = await asking;
        if (isPost) assert.ok(status === 200 || status === 502, `${status}`);
        else assert.equal(status, 200);
        assert.ok(primary.arrived - arrived <= (isPost ? 1 : 2));
      }
      client.close();
    });
  });

  it('a primary that restarts in mid traffic is served again at once', async () => {
    await dropAll();
    primary.script = async (exchange) => {
      if (await exchange.whole()) await exchange.send(HELLO);
    };
    let down = false;
    let stopping = false;
    const statuses = { up: new Set<number>(), down: new Set<number>() };
    const clients = await Promise.all(Array.from({ length: 8 }, () => openRaw(gateway.port)));
    const turns = clients.map(async (client, index) => {
      while (!stopping) {
        const wasDown = down;
        const method = index % 2 === 0 ? { method: 'POST', body: 'x' } : {};
        const { status } = await request(client, { path: '/row/restart', ...method });
        (wasDown || down ? statuses.down : statuses.up).add(status);
      }
    });
    for (let round = 0; round < 5; round++) {
      await primary.waitFor(primary.arrived + 100);
      down = true;
      await primary.refuse();
      await passLoop();
      await primary.open();
      await passLoop();
      // What was asked while it was down is answered behind this.
      for (const client of clients) await client.send('');
      await primary.waitFor(primary.arrived + 8);
      down = false;
    }
    await primary.waitFor(primary.arrived + 100);
    stopping = true;
    await Promise.all(turns);
    assert.deepEqual([...statuses.up], [200]);
    assert.deepEqual([...statuses.down].sort(), [200, 502]);
    for (const client of clients) client.close();
  });

  it('nothing is left', async () => {
    assert.deepEqual(primary.errors, []);
    assert.deepEqual(primary.bad, []);
    await untilIdle(gateway);
    assert.deepEqual(gateway.logs('defect'), []);
    await dropAll();
    assert.equal(await gateway.stop(), 0);
  });
});

async function runSteps(steps: readonly Step[], exchange: FaultExchange, scene: Scene): Promise<void> {
  for (const step of steps) {
    if (typeof step === 'string') await exchange.send(step);
    else await step(exchange, scene);
  }
}

/** The lines of the names that are expected, or all that begin with `x-`, with names in lower case. */
function toKept(fields: readonly string[], expected: readonly string[]): string[] {
  const names = new Set(expected.map((field) => field.slice(0, field.indexOf(':'))));
  return fields
    .map((field) => field.slice(0, field.indexOf(':')).toLowerCase() + field.slice(field.indexOf(':')))
    .filter((field) => field.startsWith('x-') || names.has(field.slice(0, field.indexOf(':'))));
}
