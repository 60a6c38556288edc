// What a mirror thread keeps of a job: whose memory it pins, and when it gives the bytes back.
// Jobs are real ones, read from a batch.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpanIds } from '../../src/core/trace-context.ts';
import { CaptureBudget } from '../../src/mirror/answer.ts';
import { RuleComparer } from '../../src/mirror/comparer.ts';
import { type ExchangeRule, MirroredExchange } from '../../src/mirror/exchange.ts';
import { FindingsPoster } from '../../src/mirror/findings.ts';
import { type Job, PrimaryAnswer, readBatch } from '../../src/mirror/job.ts';
import { toHeadText } from './head.ts';
import { COMPARE, createOutbox, toMirror, toRoute, toShadow } from './rig.ts';

const SHADOW = toShadow('http://s:80');
const MIRROR = toMirror([SHADOW], { timeouts: { connectMs: 1, sendMs: 1, readMs: 500 } });

function createRule(mirror = MIRROR): ExchangeRule {
  const spanIds = new SpanIds();
  const releasedCells = new Float64Array(2);
  const route = toRoute('api', mirror);
  const findings = new FindingsPoster('umbra-exchange-test');
  const host = { log: () => true, findings, onLogSuppressed: () => {} };
  const { compare } = mirror;
  const comparer = compare === null ? null : new RuleComparer(host, route, mirror, compare, null);
  return { route, mirror, spanIds, comparer, budget: new CaptureBudget(), releasedCells, releasedAt: 1 };
}

/** The first job of a batch in which a job with a long body follows. */
function readJob(bodyBytes: number, neighbourBytes: number, answer: PrimaryAnswer = PrimaryAnswer.none): Job {
  const writer = createOutbox();
  const fields = {
    rule: 1,
    shadows: 1,
    answer,
    status: 200,
    stream: 0,
    primaryLatencyMs: 70,
    tappedMs: 1000,
    lines: '',
  };
  writer.writeJob(
    fields,
    toHeadText('GET /\r\nhost: h\r\nx-request-id: 7\r\n'),
    [Buffer.alloc(bodyBytes, 'x')],
    Buffer.alloc(0),
  );
  writer.writeJob(
    fields,
    toHeadText('GET /\r\nhost: h\r\n'),
    [Buffer.alloc(neighbourBytes)],
    Buffer.alloc(0),
  );
  const jobs: Job[] = [];
  readBatch(writer.take(), { onJob: (job) => jobs.push(job), onChunk: () => {}, onForget: () => {} });
  return jobs[0]!;
}

function bodyOf(exchange: MirroredExchange): Uint8Array | null {
  return exchange.toRequest(SHADOW).body;
}

test('a copy that waits keeps its own bytes in memory and not those of its batch', () => {
  const exchange = new MirroredExchange(createRule(), readJob(100, 50_000), 1, false);
  assert.ok(bodyOf(exchange)!.buffer.byteLength > 50_000);
  exchange.keep();
  assert.equal(bodyOf(exchange)!.buffer.byteLength, 100);
  assert.equal(Buffer.from(bodyOf(exchange)!).toString(), 'x'.repeat(100));
});

test('a short body in a long batch has memory of its own from the start, a long one is not copied', () => {
  const short = new MirroredExchange(createRule(), readJob(100, 300_000), 1, false);
  assert.equal(bodyOf(short)!.buffer.byteLength, 100);
  const long = new MirroredExchange(createRule(), readJob(300_000, 100), 1, false);
  long.keep();
  assert.ok(bodyOf(long)!.buffer.byteLength > 300_000);
});

test('bytes are released by the last decision and only once', () => {
  const rule = createRule();
  const job = readJob(10, 10);
  const exchange = new MirroredExchange(rule, job, 3, false);
  exchange.onDropped();
  exchange.onSent();
  assert.deepEqual([...rule.releasedCells], [0, 0]);
  exchange.onDropped();
  assert.deepEqual([...rule.releasedCells], [0, job.bytes]);
  assert.equal(exchange.requestId, '7');
  assert.equal(exchange.isDropped, false);
});

test('an exchange is dropped when the last of its copies is, and not before', () => {
  const exchange = new MirroredExchange(createRule(), readJob(10, 10), 2, false);
  exchange.onDropped();
  assert.equal(exchange.isDropped, false);
  exchange.onDropped();
  assert.equal(exchange.isDropped, true);
});

test('a copy waits from when its job set out: after the primary’s answer where the route compares', () => {
  assert.equal(new MirroredExchange(createRule(), readJob(1, 1), 1, false).waitUntilMs, 1500);
  const comparing = createRule(
    toMirror([SHADOW], { ...MIRROR, compare: { ...COMPARE, logMismatches: false } }),
  );
  const exchange = new MirroredExchange(comparing, readJob(1, 1, PrimaryAnswer.inline), 1, false);
  assert.equal(exchange.waitUntilMs, 1570);
  assert.notEqual(exchange.openReader(), null);
  const failed = new MirroredExchange(comparing, readJob(1, 1, PrimaryAnswer.failed), 1, false);
  assert.equal(failed.openReader(), null);
});
