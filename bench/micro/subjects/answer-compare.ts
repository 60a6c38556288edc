// Comparing a shadow's answer with the primary's once both are there: by digest, and field by field.
//
// The whole way of one comparison, from the two answers to counters and findings; nothing is posted within it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { ShadowBook, ShadowCell } from '../../../src/core/book.ts';
import { compileDiffRules } from '../../../src/core/diff/diff-rules.ts';
import type { Compare } from '../../../src/core/model.ts';
import { SpanIds } from '../../../src/core/trace-context.ts';
import { Answer, CaptureBudget } from '../../../src/mirror/answer.ts';
import { ComparedShadow, RuleComparer } from '../../../src/mirror/comparer.ts';
import { MirroredExchange } from '../../../src/mirror/exchange.ts';
import { FindingsPoster } from '../../../src/mirror/findings.ts';
import { type Job, PrimaryAnswer } from '../../../src/mirror/job.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';
import { COMPARE, toMirror, toRoute } from '../routes.ts';

const BATCH = 1_000;
const DETAIL_BATCH = 100;
const DIGEST_BYTES = 32;
const HEAD =
  'GET /v1/customers/417/orders HTTP/1.1\r\nhost: orders.example\r\nx-request-id: 8f3b1c2d\r\n\r\n';
const LINES = 'content-type: application/json\r\ncache-control: no-store\r\netag: "8f3b1c2d"\r\n';

const DETAILED: Compare = {
  ...COMPARE,
  detail: {
    ignoreHeaders: ['etag'],
    ignoreJsonFields: ['meta.request_id'],
    unordered: [],
    tolerances: [],
    maxBodyCaptureBytes: 1024 * 1024,
  },
};

/** About 2 KiB: an order with twelve items. */
function toOrder(time: number, total: number): Buffer {
  const items = Array.from({ length: 12 }, (_, index) => ({
    sku: `sku-${index}-8f3b1c2d4e5f6a7b`,
    name: `An item that somebody has ordered, number ${index}`,
    quantity: index + 1,
    price: { amount: 1999 + index, currency: 'EUR' },
  }));
  const meta = { request_id: `r-${time}`, time, region: 'eu-west-1' };
  return Buffer.from(JSON.stringify({ id: 417, customer: 'c-8f3b1c2d', total, items, meta }));
}

interface Answers {
  readonly compare: Compare;
  readonly primary: Answer;
  readonly shadow: Answer;
  readonly isMatch: boolean;
}

/** Two digests are two strings, also when they say the same. */
function toDigests(shadowStatus: number, isSameBody: boolean): Answers {
  const bytes = randomBytes(DIGEST_BYTES);
  const other = isSameBody ? bytes : randomBytes(DIGEST_BYTES);
  const toAnswer = (status: number, digest: Buffer): Answer =>
    new Answer(status, '', null, 2048, digest.toString('base64'), 0);
  return {
    compare: COMPARE,
    primary: toAnswer(200, bytes),
    shadow: toAnswer(shadowStatus, other),
    isMatch: shadowStatus === 200 && isSameBody,
  };
}

function toOrders(shadowTime: number, shadowTotal: number): Answers {
  const toAnswer = (body: Buffer): Answer => new Answer(200, LINES, body, body.length, '', 0);
  return {
    compare: DETAILED,
    primary: toAnswer(toOrder(1, 100)),
    shadow: toAnswer(toOrder(shadowTime, shadowTotal)),
    isMatch: shadowTime === 1 && shadowTotal === 100,
  };
}

function openCompare({ compare, primary, shadow, isMatch }: Answers): OpenCase {
  const mirror = toMirror({ compare });
  const route = toRoute('orders', { mirror });
  const findings = new FindingsPoster('umbra-micro-findings');
  const host = { log: () => true, findings, onLogSuppressed: () => {} };
  const rules = compare.detail === null ? null : compileDiffRules(compare.detail, compare.mask);
  const comparer = new RuleComparer(host, route, mirror, compare, rules);
  const book = new ShadowBook(ShadowBook.allocate(1), 1);
  const compared = new ComparedShadow(comparer, 'http://shadow.example:9000', false, book.cells, book.row(0));
  const exchange = new MirroredExchange(
    {
      route,
      mirror,
      comparer,
      spanIds: new SpanIds(),
      budget: new CaptureBudget(),
      releasedCells: new Float64Array(1),
      releasedAt: 0,
    },
    toJob(),
    1,
    false,
  );
  const reading = { uncompared: null, status: primary.status, latencyMs: 3.5, answer: primary };
  const facts = { status: shadow.status, latencyMs: 4.25 };
  function compareOnce(): boolean {
    const diff = comparer.compareShadow(primary, shadow, null);
    assert(typeof diff !== 'string', diff as string);
    compared.onCompared(exchange, reading, facts, diff, null);
    return diff.diffs.length === 0;
  }
  return repeat(
    () => {
      assert.equal(compareOnce(), isMatch);
      assert.equal(book.sum(ShadowCell.compared), 1);
      assert.equal(book.sum(ShadowCell.mismatched), isMatch ? 0 : 1);
    },
    () => compareOnce() === isMatch,
  );
}

function toJob(): Job {
  return {
    rule: 1,
    shadows: 1,
    answer: PrimaryAnswer.inline,
    status: 200,
    stream: 0,
    primaryLatencyMs: 3.5,
    tappedMs: 1.8e9,
    bytes: 512,
    headText: HEAD,
    lines: LINES,
    body: Buffer.alloc(0),
    answerBody: Buffer.alloc(0),
  };
}

export const answerCompare: readonly MicroCase[] = [
  { name: 'equal', batch: BATCH, open: () => openCompare(toDigests(200, true)) },
  { name: 'different status', batch: BATCH, open: () => openCompare(toDigests(500, true)) },
  { name: 'different body', batch: BATCH, open: () => openCompare(toDigests(200, false)) },
  { name: 'in detail, 2 KiB of JSON, equal', batch: BATCH, open: () => openCompare(toOrders(1, 100)) },
  {
    name: 'in detail, 2 KiB of JSON, one field',
    batch: DETAIL_BATCH,
    open: () => openCompare(toOrders(2, 100)),
  },
  {
    name: 'in detail, 2 KiB of JSON, two fields',
    batch: DETAIL_BATCH,
    open: () => openCompare(toOrders(2, 101)),
  },
];
