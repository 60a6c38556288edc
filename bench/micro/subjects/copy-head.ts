// Making a copy's head of its primary's: the loop mark, the shadow's span, and what is not to be told.

import assert from 'node:assert/strict';
import type { Mirror, Redaction, Shadow } from '../../../src/core/model.ts';
import { parseHeadText } from '../../../src/core/request-head.ts';
import { SpanIds } from '../../../src/core/trace-context.ts';
import { CopyRequest, toCopyHead, toShadowHead } from '../../../src/mirror/copy.ts';
import { type Job, PrimaryAnswer } from '../../../src/mirror/job.ts';
import { compileRedaction, redactJob } from '../../../src/mirror/redaction.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';
import { toMirror } from '../routes.ts';
import { FreshStrings, REQUEST_HEADERS_8, REQUEST_HEADERS_30, toHeadText } from '../traffic.ts';

const BATCH = 1_000;
const TARGET = '/v1/customers/417/orders?state=open&token=6f1ed002ab55&limit=50';
const TRACED_AT = REQUEST_HEADERS_8.indexOf('traceparent');

function withoutTrace(headers: readonly string[]): string[] {
  return headers.toSpliced(TRACED_AT, 2);
}

/** Heads as they come out of a batch, each a string of its own. */
function toHeads(headers: readonly string[]): FreshStrings {
  return new FreshStrings(Array.from({ length: BATCH }, () => toHeadText('POST', TARGET, headers)));
}

function openCopy(headers: readonly string[], edits: Partial<Mirror> = {}): OpenCase {
  const heads = toHeads(headers);
  const mirror = toMirror(edits);
  const shadow: Shadow = mirror.shadows[0]!;
  const spanIds = new SpanIds();
  const copy = (index: number): CopyRequest =>
    new CopyRequest(toShadowHead(toCopyHead(heads.list[index]!, mirror, 'api', 0), shadow, spanIds), null);
  const isTraced = headers.includes('traceparent');
  return repeat(
    () => {
      const made = parseHeadText(copy(0).headText);
      assert.equal(made.target, TARGET);
      const own = ['x-umbra-mirror', 'api'];
      const expected = [...headers, ...own];
      const key = made.headers.indexOf('idempotency-key');
      assert.equal(key !== -1, mirror.idempotencyKey);
      if (key !== -1) expected.push('idempotency-key', made.headers[key + 1]!);
      if (isTraced) {
        assert.notEqual(made.headers[TRACED_AT + 1], expected[TRACED_AT + 1]);
        expected[TRACED_AT + 1] = made.headers[TRACED_AT + 1]!;
      }
      assert.deepEqual(made.headers, expected);
    },
    (index) => copy(index).method === 'POST',
    () => heads.refresh(),
  );
}

/** As a mirror thread reads it from its batch. */
function toJob(headText: string, body: Buffer): Job {
  return {
    rule: 1,
    shadows: 1,
    answer: PrimaryAnswer.none,
    status: 0,
    stream: 0,
    primaryLatencyMs: 0,
    tappedMs: 0,
    bytes: 0,
    headText,
    lines: '',
    body,
    answerBody: NOTHING,
  };
}

function openRedaction(redact: Redaction, body: Buffer, batch: number): OpenCase {
  const heads = toHeads(REQUEST_HEADERS_8);
  const rules = compileRedaction(redact);
  const redactAt = (index: number): Job | null => redactJob(toJob(heads.list[index]!, body), rules);
  const isRuled = redact.query.length > 0;
  return repeat(
    () => {
      const job = redactAt(0)!;
      assert.equal(job.headText.includes('authorization: redacted\r\n'), isRuled);
      assert.equal(job.headText.includes('&token=redacted&'), isRuled);
      assert.equal(job.body.equals(body), redact.json.length === 0);
    },
    (index) => redactAt(index % batch) !== null,
    () => heads.refresh(),
  );
}

const NOTHING = Buffer.alloc(0);
const NO_REDACTION: Redaction = { headers: [], query: [], json: [] };
const HEAD_REDACTION: Redaction = { headers: ['authorization', 'cookie'], query: ['token'], json: [] };
const BODY_REDACTION: Redaction = {
  ...NO_REDACTION,
  json: ['customer.name', 'customer.card', 'items[].note'],
};
/** 2 KiB. */
const BODY = Buffer.from(
  JSON.stringify({
    customer: { id: 417, name: 'Ann Example', card: '4111 1111 1111 1111' },
    items: Array.from({ length: 24 }, (_, index) => ({
      sku: `sku-${index}-6f1ed002ab55`,
      count: index,
      price: 19.5,
      note: 'leave it at the door',
    })),
  }),
);
const BODIES_IN_BATCH = 100;

export const copyHead: readonly MicroCase[] = [
  { name: 'no rule, 7 headers', batch: BATCH, open: () => openCopy(withoutTrace(REQUEST_HEADERS_8)) },
  { name: 'no rule, 29 headers', batch: BATCH, open: () => openCopy(withoutTrace(REQUEST_HEADERS_30)) },
  { name: 'a span of its own, 8 headers', batch: BATCH, open: () => openCopy(REQUEST_HEADERS_8) },
  {
    name: 'an idempotency key, 7 headers',
    batch: BATCH,
    open: () => openCopy(withoutTrace(REQUEST_HEADERS_8), { idempotencyKey: true }),
  },
  { name: 'nothing to redact', batch: BATCH, open: () => openRedaction(NO_REDACTION, BODY, BATCH) },
  {
    name: 'redact two headers and a parameter, 8 headers',
    batch: BATCH,
    open: () => openRedaction(HEAD_REDACTION, NOTHING, BATCH),
  },
  {
    name: 'redact 26 fields of a JSON body, 2 KiB',
    batch: BODIES_IN_BATCH,
    open: () => openRedaction(BODY_REDACTION, BODY, BODIES_IN_BATCH),
  },
];
