// What is kept of an exchange, and the records that it ends in.
//
// Runs within one turn of the loop, so that nothing leaves the outbox while it is looked at.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createLedger } from '../../src/control/ledger.ts';
import { ShadowCell, ThreadCell } from '../../src/core/book.ts';
import { createClock } from '../../src/core/clock.ts';
import type { Mirror } from '../../src/core/model.ts';
import type { ExchangeObserver, Observation, ObservedExchange } from '../../src/core/observer.ts';
import { chunkRecordBytes, type Job, PrimaryAnswer, readBatch } from '../../src/mirror/job.ts';
import { Mirroring } from '../../src/mirror/mirroring.ts';
import { toSubject } from '../kit/subject.ts';
import { COMPARE, toMirror, toRoute, toShadow } from './rig.ts';

const WORKER = fileURLToPath(new URL('../../src/mirror/worker.ts', import.meta.url));
const INLINE_MAX = 16 * 1024;

type Entry =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'chunk'; readonly stream: number; readonly bytes: Buffer }
  | { readonly kind: 'forget'; readonly stream: number };

interface Rig {
  open(exchange?: Partial<ObservedExchange>): ExchangeObserver;
  /** Takes the records so far out of the outbox. */
  take(): Entry[];
  count(cell: keyof typeof ShadowCell): number;
  queuedBytes(): number;
}

function openRig(t: TestContext, edits: Partial<Mirror> = {}): Rig {
  const writers = { frontends: 1, lanes: 1 };
  const ledger = createLedger(writers);
  const clock = createClock();
  const mirroring = new Mirroring({
    frontend: 0,
    writers,
    processBook: ledger.process.buffer,
    logChannel: 'umbra-tap-test',
    findingsChannel: 'umbra-tap-test-findings',
    workerFile: WORKER,
    clock,
    isOverloaded: () => false,
    onDefect: () => {},
  });
  const [entry] = ledger.enter([toRoute('route', toMirror([toShadow('http://127.0.0.1:1')], edits))]);
  const observation: Observation = mirroring.observe(entry!)!;
  const [shadow] = ledger.row('route')!.shadows;
  t.after(() => mirroring.stop(0));
  return {
    open(exchange = {}) {
      const headers = ['host', 'a.example', 'x-a', '1'];
      const observed = {
        method: 'GET',
        path: '/p',
        target: '/p?q',
        headers,
        headText: HEAD_TEXT,
        contentLength: 0,
        marked: false,
        subject: toSubject(),
      };
      const tap = observation.open({ ...observed, ...exchange }, clock());
      assert.ok(tap !== null);
      return tap;
    },
    take() {
      const entries: Entry[] = [];
      readBatch(mirroring.lanes[0]!.outbox.take(), {
        onJob: (job) => entries.push({ kind: 'job', job }),
        onChunk: (_rule, stream, bytes) => entries.push({ kind: 'chunk', stream, bytes }),
        onForget: (_rule, stream) => entries.push({ kind: 'forget', stream }),
      });
      return entries;
    },
    count: (cell) => shadow!.book.sum(ShadowCell[cell]),
    queuedBytes() {
      mirroring.refresh();
      return ledger.process.sumThreads(ThreadCell.queued_bytes);
    },
  };
}

function onlyJob(entries: readonly Entry[]): Job {
  assert.equal(entries.length, 1);
  const [entry] = entries;
  assert.ok(entry?.kind === 'job');
  return entry.job;
}

const HEAD_TEXT = 'POST /p?q HTTP/1.1\r\nhost: a.example\r\nx-a: 1\r\n\r\n';
const LINES = 'Content-Type: text/plain\r\n';
const DETAIL = {
  ignoreHeaders: [],
  ignoreJsonFields: [],
  unordered: [],
  tolerances: [],
  maxBodyCaptureBytes: 1024 * 1024,
};
const COMPARES = { compare: COMPARE };

test('without comparing, the job leaves when the request is complete, and nothing follows', (t) => {
  const rig = openRig(t);
  const tap = rig.open({ method: 'POST', contentLength: 4 });
  tap.onRequestBody(Buffer.from('ab'));
  tap.onRequestBody(Buffer.from('cd'));
  assert.deepEqual(rig.take(), []);
  tap.onRequestEnd();
  const job = onlyJob(rig.take());
  assert.equal(job.headText, HEAD_TEXT);
  assert.equal(job.body.toString(), 'abcd');
  assert.equal(job.answer, PrimaryAnswer.none);
  assert.equal(job.answerBody.length, 0);
  tap.onAnswerHead(200, LINES);
  tap.onAnswerBody(Buffer.alloc(INLINE_MAX + 1));
  tap.onAnswerEnd(5);
  assert.deepEqual(rig.take(), []);
});

for (const detail of [DETAIL, null]) {
  test(`the header lines of an answer travel ${detail === null ? 'nowhere without' : 'with'} a detailed comparison`, (t) => {
    const rig = openRig(t, { compare: { ...COMPARE, detail } });
    for (const lines of [LINES, '']) {
      const tap = rig.open();
      tap.onRequestEnd();
      tap.onAnswerHead(200, lines);
      tap.onAnswerBody(Buffer.from('answer'));
      tap.onAnswerEnd(1);
      const job = onlyJob(rig.take());
      assert.equal(job.lines, detail === null ? '' : lines);
      assert.equal(job.answerBody.toString(), 'answer');
    }
  });
}

for (const bytes of [0, 1, INLINE_MAX]) {
  test(`comparing, an answer of ${bytes} bytes travels in its job`, (t) => {
    const rig = openRig(t, COMPARES);
    const tap = rig.open();
    tap.onRequestEnd();
    tap.onAnswerHead(203, LINES);
    tap.onAnswerBody(Buffer.alloc(bytes >> 1, 'x'));
    tap.onAnswerBody(Buffer.alloc(bytes - (bytes >> 1), 'y'));
    assert.deepEqual(rig.take(), []);
    tap.onAnswerEnd(12.5);
    const job = onlyJob(rig.take());
    assert.equal(job.answer, PrimaryAnswer.inline);
    assert.equal(job.status, 203);
    assert.equal(job.primaryLatencyMs, 12.5);
    assert.equal(job.answerBody.toString(), 'x'.repeat(bytes >> 1) + 'y'.repeat(bytes - (bytes >> 1)));
  });
}

/** Begins to answer with one byte more than travels in a job; returns the stream that it goes ahead in. */
function startStream(rig: Rig, tap: ExchangeObserver): number {
  tap.onAnswerHead(200, LINES);
  tap.onAnswerBody(Buffer.alloc(INLINE_MAX, 'x'));
  tap.onAnswerBody(Buffer.from('y'));
  const [first, second, ...none] = rig.take();
  assert.deepEqual(none, []);
  assert.ok(first?.kind === 'chunk' && second?.kind === 'chunk');
  assert.equal(first.bytes.length, INLINE_MAX);
  assert.equal(second.bytes.toString(), 'y');
  assert.equal(second.stream, first.stream);
  return first.stream;
}

test('comparing, a longer answer goes ahead in pieces, in order, and its job names them', (t) => {
  const rig = openRig(t, COMPARES);
  const tap = rig.open();
  tap.onRequestEnd();
  const stream = startStream(rig, tap);
  tap.onAnswerEnd(1);
  const job = onlyJob(rig.take());
  assert.equal(job.answer, PrimaryAnswer.streamed);
  assert.equal(job.stream, stream);
  assert.equal(job.answerBody.length, 0);
  // The same object serves the next exchange, which begins with nothing of this one.
  const next = rig.open();
  next.onRequestEnd();
  next.onAnswerHead(404, LINES);
  next.onAnswerBody(Buffer.from('short'));
  next.onAnswerEnd(1);
  const other = onlyJob(rig.take());
  assert.equal(other.answer, PrimaryAnswer.inline);
  assert.equal(other.status, 404);
  assert.equal(other.stream, 0);
  assert.equal(other.answerBody.toString(), 'short');
});

const ENDINGS: Record<string, (tap: ExchangeObserver) => void> = {
  'the primary fails': (tap) => tap.onAnswerFailed(),
  'the client leaves': (tap) => tap.onClientGone(),
};

for (const [what, end] of Object.entries(ENDINGS)) {
  test(`a stream is forgotten when ${what}, and the job says that the answer is incomplete`, (t) => {
    const rig = openRig(t, COMPARES);
    const tap = rig.open();
    tap.onRequestEnd();
    const stream = startStream(rig, tap);
    end(tap);
    const [forget, job, ...none] = rig.take();
    assert.deepEqual(forget, { kind: 'forget', stream });
    assert.ok(job?.kind === 'job');
    assert.equal(job.job.answer, PrimaryAnswer.incomplete);
    assert.deepEqual(none, []);
  });
}

test('a primary that gave no head has failed', (t) => {
  const rig = openRig(t, COMPARES);
  const tap = rig.open();
  tap.onRequestEnd();
  tap.onAnswerFailed();
  assert.equal(onlyJob(rig.take()).answer, PrimaryAnswer.failed);
});

test('a stream is forgotten when no job follows: the primary answered before the request was complete', (t) => {
  const rig = openRig(t, COMPARES);
  const tap = rig.open({ method: 'POST', contentLength: 10 });
  tap.onRequestBody(Buffer.from('12345'));
  const stream = startStream(rig, tap);
  tap.onAnswerEnd(1);
  assert.deepEqual(rig.take(), [{ kind: 'forget', stream }]);
  assert.equal(rig.count('skip_incomplete'), 1);
});

test('a stream is forgotten when no job follows: the body outgrew its bound, and later pieces are not sent', (t) => {
  const rig = openRig(t, { ...COMPARES, maxBodyBytes: 5 });
  const tap = rig.open({ method: 'POST', contentLength: -1 });
  tap.onRequestBody(Buffer.from('12345'));
  const stream = startStream(rig, tap);
  tap.onRequestBody(Buffer.from('6'));
  tap.onAnswerBody(Buffer.from('more'));
  tap.onRequestEnd();
  tap.onAnswerEnd(1);
  assert.deepEqual(rig.take(), [{ kind: 'forget', stream }]);
  assert.equal(rig.count('skip_body_too_large'), 1);
});

test('a stream is forgotten when no job follows: there is no room for the job', (t) => {
  const [body, answer] = [50_000, 40_000];
  const rig = openRig(t, { ...COMPARES, maxQueuedBytes: body + chunkRecordBytes(answer) });
  const tap = rig.open({ method: 'POST', contentLength: body });
  tap.onRequestBody(Buffer.alloc(body));
  tap.onRequestEnd();
  tap.onAnswerHead(200, LINES);
  tap.onAnswerBody(Buffer.alloc(answer));
  const [chunk] = rig.take();
  assert.ok(chunk?.kind === 'chunk' && chunk.bytes.length === answer);
  tap.onAnswerEnd(1);
  assert.deepEqual(rig.take(), [{ kind: 'forget', stream: chunk.stream }]);
  assert.equal(rig.count('drop_queue_full'), 1);
});

test('an answer that outruns the room is given up, and its job says so', (t) => {
  const rig = openRig(t, { ...COMPARES, maxQueuedBytes: 60_000 });
  const tap = rig.open();
  tap.onRequestEnd();
  tap.onAnswerHead(200, LINES);
  tap.onAnswerBody(Buffer.alloc(40_000));
  tap.onAnswerBody(Buffer.alloc(40_000));
  tap.onAnswerBody(Buffer.alloc(10));
  tap.onAnswerEnd(1);
  const [chunk, forget, job, ...none] = rig.take();
  assert.equal(chunk?.kind, 'chunk');
  assert.equal(forget?.kind, 'forget');
  assert.ok(job?.kind === 'job');
  assert.equal(job.job.answer, PrimaryAnswer.notCaptured);
  assert.deepEqual(none, []);
});

test('header lines that are kept for a comparison count for the queue, until their exchange has ended', (t) => {
  const rig = openRig(t, { compare: { ...COMPARE, detail: DETAIL }, maxQueuedBytes: 1_000 });
  const lines = `X-Long: ${'x'.repeat(590)}\r\n`;
  const ends = [(tap: ExchangeObserver) => tap.onAnswerEnd(1), ...Object.values(ENDINGS)];
  for (const [at, end] of ends.entries()) {
    // Its request is not complete, so that nothing of it is handed over.
    const one = rig.open({ method: 'POST', contentLength: -1 });
    one.onAnswerHead(200, lines);
    assert.equal(rig.queuedBytes(), lines.length);
    const two = rig.open();
    two.onRequestEnd();
    two.onAnswerHead(200, lines);
    assert.equal(rig.count('drop_queue_full'), at + 1);
    two.onAnswerEnd(1);
    end(one);
    assert.equal(rig.queuedBytes(), 0);
  }
  assert.deepEqual(rig.take(), []);
  const gone = rig.open({ method: 'POST', contentLength: -1 });
  gone.onRequestBody(Buffer.alloc(1_001));
  gone.onAnswerHead(200, lines);
  assert.equal(rig.queuedBytes(), 0);
  gone.onAnswerEnd(1);
  const whole = rig.open();
  whole.onRequestEnd();
  whole.onAnswerHead(200, lines);
  whole.onAnswerEnd(1);
  assert.equal(onlyJob(rig.take()).lines, lines);
});

test('header lines that nobody compares are not kept, and count for nothing', (t) => {
  const rig = openRig(t, { ...COMPARES, maxQueuedBytes: 1_000 });
  const tap = rig.open();
  tap.onRequestEnd();
  tap.onAnswerHead(200, 'x'.repeat(2_000));
  assert.equal(rig.queuedBytes(), 0);
  tap.onAnswerEnd(1);
  assert.equal(onlyJob(rig.take()).lines, '');
});

test('a request that is all here is copied though its primary failed before its end was told', (t) => {
  const rig = openRig(t);
  rig.open().onAnswerFailed();
  onlyJob(rig.take());
  const whole = rig.open({ method: 'POST', contentLength: 3 });
  whole.onRequestBody(Buffer.from('abc'));
  whole.onAnswerFailed();
  assert.equal(onlyJob(rig.take()).body.toString(), 'abc');
  const part = rig.open({ method: 'POST', contentLength: 3 });
  part.onRequestBody(Buffer.from('ab'));
  part.onAnswerFailed();
  const unknown = rig.open({ method: 'POST', contentLength: -1 });
  unknown.onAnswerFailed();
  assert.deepEqual(rig.take(), []);
  assert.equal(rig.count('skip_incomplete'), 2);
});

test('a request whose end was not told is incomplete when its client leaves or it is refused, whatever came', (t) => {
  const rig = openRig(t);
  rig.open().onClientGone();
  rig.open().onRefused();
  const tap = rig.open({ contentLength: 1 });
  tap.onRequestBody(Buffer.from('a'));
  tap.onClientGone();
  assert.deepEqual(rig.take(), []);
  assert.equal(rig.count('skip_incomplete'), 3);
});

test('what a tap holds counts for the queue, and is given back however the tap ends', (t) => {
  const rig = openRig(t, { maxQueuedBytes: 1_000, maxBodyBytes: 900 });
  const post = (): ExchangeObserver => rig.open({ method: 'POST', contentLength: -1 });
  const one = post();
  one.onRequestBody(Buffer.alloc(600));
  assert.equal(rig.queuedBytes(), 600);
  const two = post();
  two.onRequestBody(Buffer.alloc(401));
  assert.equal(rig.count('drop_queue_full'), 1);
  two.onRequestEnd();
  two.onAnswerEnd(1);
  one.onRequestBody(Buffer.alloc(301));
  assert.equal(rig.count('skip_body_too_large'), 1);
  one.onRequestEnd();
  one.onAnswerEnd(1);
  assert.equal(rig.queuedBytes(), 0);
  for (let round = 0; round < 10; round++) {
    const tap = post();
    tap.onRequestBody(Buffer.alloc(900));
    tap.onClientGone();
  }
  assert.equal(rig.count('skip_incomplete'), 10);
  assert.equal(rig.count('drop_queue_full'), 1);
});
