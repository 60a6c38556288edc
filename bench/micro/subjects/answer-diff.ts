// Comparing a shadow's answer with the primary's field by field: JSON bodies of 2 KiB.

import assert from 'node:assert/strict';
import type { AnswerContent } from '../../../src/core/diff/answer-diff.ts';
import { compileDiffRules } from '../../../src/core/diff/diff-rules.ts';
import { diffAnswers } from '../../../src/core/diff/differ.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';

/** Each takes tens of microseconds. */
const BATCH = 100;
const BODY_BYTES = 2_048;
const HEAD = [
  'Content-Type: application/json; charset=utf-8',
  'Cache-Control: no-store',
  'Vary: Accept-Encoding',
  'X-Request-Id: 8f3b1c2d4e5f6a7b',
];

interface Item {
  readonly id: number;
  readonly sku: string;
  readonly price: number;
  readonly tags: readonly string[];
}

interface Orders {
  readonly meta: { readonly timestamp: string; readonly page: number };
  readonly items: readonly Item[];
  readonly note: string;
}

function toOrders(note: string): Orders {
  const items = Array.from({ length: 22 }, (_, at) => ({
    id: 417_000 + at,
    sku: `SKU-${(at * 7_919).toString(36)}`,
    price: at * 3.25,
    tags: ['new', at % 2 === 0 ? 'even' : 'odd'],
  }));
  return { meta: { timestamp: '2024-05-01T12:00:00.000Z', page: 1 }, items, note };
}

/** Of exactly 2 KiB. */
const ORDERS = toOrders('x'.repeat(BODY_BYTES - JSON.stringify(toOrders('')).length));

function toAnswer(orders: unknown): AnswerContent {
  const body = Buffer.from(JSON.stringify(orders));
  // The text of a head is made anew for each answer.
  const lines = HEAD.map((line) => `${line}\r\n`).join('');
  return { status: 200, lines, body, bodyBytes: body.length, digest: '' };
}

function turnKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turnKeys);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, child]) => [key, turnKeys(child)]),
  );
}

const RULES = {
  ignoreHeaders: ['x-request-id'],
  ignoreJsonFields: ['meta.page', 'items[].etag'],
  unordered: ['items'],
  tolerances: [{ path: 'items[].price', largest: 0.01, isRelative: false }],
  maxBodyCaptureBytes: 1024 * 1024,
};
const PLAIN_RULES = { ...RULES, unordered: [] };

function openDiff(shadowOrders: unknown, detail: typeof RULES, fields: readonly string[]): OpenCase {
  const primary = toAnswer(ORDERS);
  const shadow = toAnswer(shadowOrders);
  const rules = compileDiffRules(detail, ['items[].secret']);
  return repeat(
    () => {
      assert.equal(primary.bodyBytes, BODY_BYTES);
      const { diffs, isCut, note } = diffAnswers(primary, shadow, rules);
      assert.deepEqual([diffs.map(({ field }) => field), isCut, note], [fields, false, null]);
    },
    () => diffAnswers(primary, shadow, rules).diffs.length === fields.length,
  );
}

const LATER = { ...ORDERS, meta: { ...ORDERS.meta, timestamp: '2024-05-01T12:00:00.001Z' } };

export const answerDiff: readonly MicroCase[] = [
  { name: 'the same bytes', batch: BATCH, open: () => openDiff(ORDERS, PLAIN_RULES, []) },
  { name: 'keys in another order', batch: BATCH, open: () => openDiff(turnKeys(ORDERS), PLAIN_RULES, []) },
  {
    name: 'another timestamp',
    batch: BATCH,
    open: () => openDiff(LATER, PLAIN_RULES, ['body:meta.timestamp']),
  },
  {
    name: 'an unordered array in another order',
    batch: BATCH,
    open: () => openDiff({ ...ORDERS, items: ORDERS.items.toReversed() }, RULES, []),
  },
];
