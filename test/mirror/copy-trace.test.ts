// A copy's own span and its idempotency key; and that without a rule nothing else of a head is another's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpanIds } from '../../src/core/trace-context.ts';
import { toCopyHead, toShadowHead } from '../../src/mirror/copy.ts';
import { toHeadText } from './head.ts';
import { toMirror, toShadow } from './rig.ts';

const SPAN_IDS = new SpanIds();
const SHADOW = toShadow('http://s:80');
const TRACE = '00-0af7651916cd43dd8448eb211c80319c';
const RECEIVED = `${TRACE}-b7ad6b7169203331-01`;
const RENEWED = /^00-0af7651916cd43dd8448eb211c80319c-([0-9a-f]{16})-01$/;
const KEYED = toMirror([], { idempotencyKey: true });
const KEY = /^"umbra-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"$/;

function toText(...lines: readonly string[]): string {
  return toHeadText(['GET /a?b', ...lines, ''].join('\r\n'));
}

test('each shadow has a span of its own in the same trace, and the state of the trace as it was', () => {
  const rest = ['host: h', 'tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE', 'tracestate: x=1'];
  const text = toText('a: 1', `traceparent: ${RECEIVED}`, ...rest);
  const spans = new Set(['b7ad6b7169203331']);
  for (let count = 1; count <= 10; count++) {
    const lines = toShadowHead(text, SHADOW, SPAN_IDS).split('\r\n');
    const [, span] = RENEWED.exec(lines[2]!.replace('traceparent: ', ''))!;
    assert.deepEqual(lines.toSpliced(2, 1, `traceparent: ${RECEIVED}`), text.split('\r\n'));
    assert.equal(spans.add(span!).size, count + 1);
  }
});

test('of a version that is not known yet version 00 is made', () => {
  const value = RECEIVED.replace(/^00/, '7f').concat('-added-later');
  const copy = toShadowHead(toText(`traceparent: ${value}`), SHADOW, SPAN_IDS);
  assert.match(copy, /\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01\r\n/);
  assert.doesNotMatch(copy, /b7ad6b7169203331/);
});

test('a traceparent that is not sound, or not the only one, is passed on, and none is made', () => {
  const heads = [
    toText('host: h'),
    toText('host: h', 'tracestate: a=b'),
    toText('traceparent: '),
    toText(`traceparent: ${TRACE}-0000000000000000-01`),
    toText(`traceparent: ${RECEIVED}-more`),
    toText(`traceparent: ${RECEIVED}`, 'host: h', `traceparent: ${RECEIVED}`),
    toText(`x-traceparent: ${RECEIVED}`, `traceparent-x: ${RECEIVED}`),
  ];
  for (const head of heads) assert.equal(toShadowHead(head, SHADOW, SPAN_IDS), head);
});

test('a shadow’s own edits of the traceparent count, not the span', () => {
  const text = toText(`traceparent: ${RECEIVED}`, 'host: h');
  const edit = (headers: typeof SHADOW.headers): string =>
    toShadowHead(text, { ...SHADOW, headers }, SPAN_IDS);
  assert.equal(edit({ set: [['traceparent', 'mine']], remove: [] }), toText('traceparent: mine', 'host: h'));
  assert.equal(edit({ set: [], remove: ['traceparent'] }), toText('host: h'));
});

function findKey(head: string): string | null {
  return /\r\nidempotency-key: ([^\r]*)\r\n/.exec(head)?.[1] ?? null;
}

test('a copy that writes gets a key of its exchange when it is asked for', () => {
  const keys = new Set<string>();
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    const head = toHeadText(`${method} /\r\nhost: h\r\n`);
    const copy = toCopyHead(head, KEYED, 'api', 0);
    const key = findKey(copy)!;
    assert.match(key, KEY);
    keys.add(key);
    assert.equal(
      copy,
      toHeadText(`${method} /\r\nhost: h\r\nx-umbra-mirror: api\r\nidempotency-key: ${key}\r\n`),
    );
    assert.equal(findKey(toCopyHead(head, toMirror([]), 'api', 0)), null);
  }
  assert.equal(keys.size, 4);
});

test('a client’s own key stays, be it empty, and what does not write gets none', () => {
  for (const own of ['"mine"', 'mine', '']) {
    const head = toHeadText(`POST /\r\nidempotency-key: ${own}\r\nhost: h\r\n`);
    const copy = toCopyHead(head, KEYED, 'api', 0);
    assert.equal(copy, toHeadText(`POST /\r\nidempotency-key: ${own}\r\nhost: h\r\nx-umbra-mirror: api\r\n`));
  }
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'post']) {
    assert.equal(
      findKey(toCopyHead(toHeadText(`${method} /\r\nhost: h\r\n`), KEYED, 'api', 0)),
      null,
      method,
    );
  }
});

const token = fc.string({ unit: fc.constantFrom(...'abcxyz-09'), minLength: 1, maxLength: 12 });
const value = fc.string({ unit: fc.constantFrom(...' :,/aZ9\t"é\xff'), maxLength: 60 });
const target = fc.string({ unit: fc.constantFrom(...'/a%?&=.~;+'), maxLength: 40 }).map((rest) => `/${rest}`);
const lines = fc.array(fc.tuple(token, value), { maxLength: 20 });
const method = fc.constantFrom('GET', 'POST', 'DELETE', 'REPORT');

test('without a rule a copy is its primary’s request, the mark and the span apart', () => {
  fc.assert(
    fc.property(method, target, lines, lines, fc.boolean(), (verb, at, before, after, isTraced) => {
      const toLines = (pairs: readonly (readonly [string, string])[]): string =>
        pairs.map((pair) => `${pair.join(': ')}\r\n`).join('');
      const toHead = (trace: string): string =>
        `${verb} ${at} HTTP/1.1\r\n${toLines(before)}${trace}${toLines(after)}`;
      const trace = isTraced ? `traceparent: ${RECEIVED}\r\n` : '';
      const copy = toShadowHead(toCopyHead(`${toHead(trace)}\r\n`, toMirror([]), 'api', 0), SHADOW, SPAN_IDS);
      const span = /\r\ntraceparent: 00-[0-9a-f]{32}-([0-9a-f]{16})/.exec(copy)?.[1];
      assert.equal(span !== undefined, isTraced);
      assert.notEqual(span, 'b7ad6b7169203331');
      const expected = toHead(isTraced ? `traceparent: ${TRACE}-${span}-01\r\n` : '');
      assert.equal(copy, `${expected}x-umbra-mirror: api\r\n\r\n`);
    }),
  );
});
