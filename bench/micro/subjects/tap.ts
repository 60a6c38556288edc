// All that mirroring adds to one exchange on its front end: decision, tap, and the record in the outbox.
//
// The lane is a stand-in without a thread: waking one is not in these figures. What the outbox took is read out of
// it between the samples.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { RouteBook, ShadowBook, ShadowCell } from '../../../src/core/book.ts';
import type { Mirror } from '../../../src/core/model.ts';
import type { ObservedExchange } from '../../../src/core/observer.ts';
import { ShadowAccount } from '../../../src/mirror/account.ts';
import { AnswerMemory } from '../../../src/mirror/answer-memory.ts';
import { type Job, PrimaryAnswer } from '../../../src/mirror/job.ts';
import type { Lane } from '../../../src/mirror/lane.ts';
import { MirrorRoute } from '../../../src/mirror/mirror-route.ts';
import { Outbox } from '../../../src/mirror/outbox.ts';
import { allocateRing, RingReader, RingWriter } from '../../../src/mirror/ring.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';
import { COMPARE, toMirror, toRoute } from '../routes.ts';
import { REQUEST_HEADERS_8, REQUEST_HEADERS_30, toHeadText, toReadHeaders } from '../traffic.ts';

const KIB = 1024;
const NOW_MS = 1.8e9;
const LATENCY_MS = 3.5;

/** Where a mirrored route writes to, in this thread alone. */
class StandIn {
  records = 0;
  readonly #memory = allocateRing();
  readonly #reader = new RingReader(this.#memory);
  readonly outbox = new Outbox(new RingWriter(this.#memory));

  constructor() {
    this.outbox.direct();
  }

  /** The jobs since the last time. */
  take(): Job[] {
    assert.ok(this.outbox.isDirect, 'more was written than fits');
    const jobs: Job[] = [];
    const unexpected = (): never => assert.fail('only jobs were written');
    this.#reader.read({ onJob: (job) => jobs.push(job), onChunk: unexpected, onForget: unexpected });
    return jobs;
  }

  /** What a mirrored route uses of a lane. */
  toLane(): Lane {
    const lane = {
      incarnation: 0,
      isOverloaded: false,
      outbox: this.outbox,
      onRecord: () => {
        this.records++;
      },
    } satisfies Pick<Lane, 'incarnation' | 'isOverloaded' | 'outbox' | 'onRecord'>;
    return lane as unknown as Lane;
  }
}

function openRoute(edits: Partial<Mirror>, lane: Lane): MirrorRoute {
  // Nobody gives bytes back here, so their bound is out of reach.
  const mirror = toMirror({ ...edits, maxQueuedBytes: Number.MAX_SAFE_INTEGER });
  const route = toRoute('orders', { mirror });
  const memory = ShadowBook.allocate(2);
  const book = new ShadowBook(memory, 2);
  return new MirrorRoute({
    key: 1,
    answerMemory: new AnswerMemory(),
    entry: {
      route,
      memory: {
        book: RouteBook.allocate(1),
        shadows: [memory],
        limit: null,
        cursor: new SharedArrayBuffer(4),
      },
    },
    mirror,
    accounts: [new ShadowAccount('shadow', book, [1])],
    writer: 0,
    lanes: [lane],
    isOverloaded: () => false,
    isStopped: () => false,
    nextStream: () => assert.fail('no answer here is streamed'),
    onRetired: () => {},
  });
}

function toExchange(flat: readonly string[], contentLength: number): ObservedExchange {
  const forwarded = ['x-forwarded-for', '203.0.113.9', 'x-request-id', 'm8xk2c1a-4f'];
  const method = contentLength === 0 ? 'GET' : 'POST';
  const target = '/v1/customers/417/orders?limit=50';
  const headers = toReadHeaders([...flat, ...forwarded]);
  return {
    method,
    path: '/v1/customers/417/orders',
    target,
    headers,
    headText: toHeadText(method, target, headers),
    contentLength,
    marked: false,
    subject: {
      method,
      target,
      path: '/v1/customers/417/orders',
      host: headers[1]!,
      headers,
      received: headers.length,
      forwardedFor: '',
      address: '203.0.113.9',
      secure: false,
    },
  };
}

interface Story {
  readonly headers: readonly string[];
  readonly bodyBytes: number;
  readonly answerBytes: number;
  readonly compares: boolean;
}

function openMirrored({ headers, bodyBytes, answerBytes, compares }: Story): OpenCase {
  const standIn = new StandIn();
  const route = openRoute({ compare: compares ? COMPARE : null }, standIn.toLane());
  const exchange = toExchange(headers, bodyBytes);
  const body = randomBytes(bodyBytes);
  const answer = randomBytes(answerBytes);
  function tell(): void {
    const observer = route.open(exchange, NOW_MS)!;
    if (bodyBytes > 0) observer.onRequestBody(body);
    observer.onRequestEnd();
    observer.onAnswerHead(200, 'content-type: application/json\r\n');
    observer.onAnswerBody(answer);
    observer.onAnswerEnd(LATENCY_MS);
  }
  return repeat(
    () => {
      tell();
      const [job, ...others] = standIn.take();
      assert.deepEqual(others, []);
      assert.equal(job!.headText, exchange.headText);
      assert.equal(job!.answer, compares ? PrimaryAnswer.inline : PrimaryAnswer.none);
      assert.deepEqual(job!.body, body);
      assert.deepEqual(job!.answerBody, compares ? answer : Buffer.alloc(0));
    },
    () => {
      const before = standIn.records;
      tell();
      return standIn.records === before + 1 && standIn.outbox.isDirect;
    },
    () => standIn.take(),
  );
}

function openSkipped(): OpenCase {
  const route = openRoute({ percentage: 0 }, new StandIn().toLane());
  const exchange = toExchange(REQUEST_HEADERS_8, 0);
  const { book } = route.accounts[0]!;
  return repeat(
    () => {
      assert.equal(route.open(exchange, NOW_MS), null);
      assert.equal(book.sum(ShadowCell.matched), 1);
      assert.equal(book.sum(ShadowCell.skip_sampled_out), 1);
    },
    () => route.open(exchange, NOW_MS) === null,
  );
}

const PLAIN: Story = { headers: REQUEST_HEADERS_8, bodyBytes: 0, answerBytes: KIB, compares: false };

/** So many calls that their records fit the ring. */
export const tap: readonly MicroCase[] = [
  { name: 'skipped: sampled out', batch: 1_000, open: openSkipped },
  { name: 'GET, 8 headers', batch: 1_000, open: () => openMirrored(PLAIN) },
  {
    name: 'GET, 30 headers',
    batch: 400,
    open: () => openMirrored({ ...PLAIN, headers: REQUEST_HEADERS_30 }),
  },
  { name: 'POST of 16 KiB', batch: 50, open: () => openMirrored({ ...PLAIN, bodyBytes: 16 * KIB }) },
  {
    name: 'GET, compared, answer of 1 KiB',
    batch: 400,
    open: () => openMirrored({ ...PLAIN, compares: true }),
  },
];
