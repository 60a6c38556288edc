// Deciding whether an exchange is mirrored: conditions, then the sample.

import assert from 'node:assert/strict';
import {
  CONDITION_ABSENT,
  CONDITION_EQUALS,
  CONDITION_PRESENT,
  type Mirror,
} from '../../../src/core/model.ts';
import type { ObservedExchange } from '../../../src/core/observer.ts';
import { isSampled } from '../../../src/core/sampling.ts';
import { Decision } from '../../../src/mirror/decision.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';
import { toMirror } from '../routes.ts';
import { REQUEST_HEADERS_8, toReadHeaders } from '../traffic.ts';

const BATCH = 1_000;
/** A power of two. */
const EXCHANGES = 64;
const KEY = 'x-user';
const KEY_AT = REQUEST_HEADERS_8.indexOf(KEY) + 1;

const CONDITIONS: Mirror['conditions'] = {
  methods: ['GET', 'HEAD'],
  headers: [
    { name: 'accept', kind: CONDITION_EQUALS, value: 'application/json' },
    { name: 'x-user', kind: CONDITION_PRESENT, value: '' },
    { name: 'x-no-mirror', kind: CONDITION_ABSENT, value: '' },
  ],
  vars: null,
  pathRegex: '^/v1/customers/[0-9]+/',
};

/** Of different customers; each has its key. */
function toExchanges(): ObservedExchange[] {
  return Array.from({ length: EXCHANGES }, (_, index) => {
    const headers = toReadHeaders(REQUEST_HEADERS_8.toSpliced(KEY_AT, 1, `customer-${417_000 + index}`));
    const path = `/v1/customers/${index}/orders`;
    const target = `${path}?limit=50`;
    const line = { method: 'GET', path, target, headers };
    const client = { received: headers.length, forwardedFor: '', address: '203.0.113.9', secure: false };
    const subject = { ...line, host: headers[1]!, ...client };
    return { ...line, headText: '', contentLength: 0, marked: false, subject };
  });
}

function openDecision(edits: Partial<Mirror>, isMirrored: (key: string) => boolean): OpenCase {
  const decision = new Decision(toMirror(edits));
  const exchanges = toExchanges();
  const expected = exchanges.map(({ headers }) => isMirrored(headers[KEY_AT]!));
  return repeat(
    () => {
      const decided = exchanges.map((exchange) => decision.decide(exchange) === null);
      assert.deepEqual(decided, expected);
    },
    (index) => {
      const at = index & (EXCHANGES - 1);
      return (decision.decide(exchanges[at]!) === null) === expected[at];
    },
  );
}

/** Half of them by chance: no single answer is wrong, but nothing else than the sample may have decided. */
function openRandom(): OpenCase {
  const decision = new Decision(toMirror({ percentage: 50 }));
  const exchanges = toExchanges();
  return repeat(
    () => {
      const decided = new Set(
        Array.from({ length: 1_000 }, (_, index) => decision.decide(exchanges[index % EXCHANGES]!)),
      );
      assert.deepEqual(decided, new Set([null, 'sampled_out']));
    },
    (index) => {
      const reason = decision.decide(exchanges[index & (EXCHANGES - 1)]!);
      return reason === null || reason === 'sampled_out';
    },
  );
}

export const decision: readonly MicroCase[] = [
  { name: 'no condition, 100 %', batch: BATCH, open: () => openDecision({}, () => true) },
  {
    name: 'method, 3 headers and path hold',
    batch: BATCH,
    open: () => openDecision({ conditions: CONDITIONS }, () => true),
  },
  {
    name: 'path does not hold',
    batch: BATCH,
    open: () => openDecision({ conditions: { ...CONDITIONS, vars: null, pathRegex: '^/v2/' } }, () => false),
  },
  { name: '50 % by chance', batch: BATCH, open: openRandom },
  {
    name: '50 % by key',
    batch: BATCH,
    open: () => openDecision({ percentage: 50, sampleByHeader: KEY }, (key) => isSampled(50, key)),
  },
];
