// The guard over a stand-in for the listener's request: what it lets through, what it refuses, and what it keeps.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HeaderNames } from '../../src/core/headers.ts';
import type { Limits } from '../../src/core/model.ts';
import { type ClientRequest, RequestHead, RequestIds } from '../../src/frontend/head.ts';

const SEED = Date.now() & 0x7fff_ffff;

const LIMITS: Limits = {
  headerBytes: 32_768,
  headerCount: 20,
  targetBytes: 200,
  bodyBytes: 1_000,
  inFlight: 1,
  connectionsPerAddress: 1,
  upstreamConnections: 1,
  upstreamQueue: 1,
  upstreamQueueMs: 1,
  overloadDelayMs: 1,
};

interface Given {
  readonly method?: string;
  readonly url?: string;
  readonly query?: string;
  readonly fields?: readonly (readonly [string, string])[];
  readonly secure?: boolean;
}

function toRequest({ method = 'GET', url = '/', query, fields = [] }: Given): ClientRequest {
  let isRead = false;
  return {
    getCaseSensitiveMethod: () => {
      assert.equal(isRead, false, 'the method is asked for first: others change it in place');
      return method;
    },
    getUrl: () => {
      isRead = true;
      return url;
    },
    getQuery: () => query,
    forEach: (callback) => {
      callback('host', 'a.example');
      for (const [name, value] of fields) callback(name, value);
    },
  };
}

function read(given: Given, head = new RequestHead(new RequestIds(0), new HeaderNames())) {
  return { failure: head.read(toRequest(given), LIMITS, '192.0.2.1', given.secure ?? false), head };
}

function toPairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index]!, flat[2 * index + 1]!]);
}

const token = fc.string({ unit: fc.constantFrom(...'abcxyz019-_.!~'), minLength: 1, maxLength: 12 });
const name = token.map((text) => `x-${text}`);
const value = fc.string({ unit: 'grapheme', maxLength: 30 });
const printable = fc.string({ unit: fc.constantFrom(...'abc =;,"/\t'), maxLength: 30 });

describe('the guard', () => {
  it(`takes exactly one length of digits, or one coding that is chunked, never both (seed ${SEED})`, () => {
    const field = fc.oneof(
      fc.tuple(
        fc.constant('content-length'),
        fc.constantFrom(
          '0',
          '5',
          '05',
          '999',
          '',
          '+5',
          '-5',
          '0x5',
          '5, 5',
          '5 ',
          '5.0',
          '1e1',
          '9'.repeat(17),
        ),
      ),
      fc.tuple(
        fc.constant('transfer-encoding'),
        fc.constantFrom(
          'chunked',
          'Chunked',
          '',
          'identity',
          'xchunked',
          'chunked, identity',
          'gzip, chunked',
        ),
      ),
      fc.tuple(name, printable),
    );
    const property = fc.property(fc.array(field, { maxLength: 5 }), (fields) => {
      const { failure, head } = read({ fields });
      const framing = fields.filter(([each]) => each === 'content-length' || each === 'transfer-encoding');
      const [first] = framing;
      const isSound =
        framing.length === 0 ||
        (framing.length === 1 &&
          (first![0] === 'content-length' ? /^\d{1,16}$/ : /^chunked$/).test(first![1]));
      assert.equal(failure === null, isSound, JSON.stringify(fields));
      if (failure !== null) return;
      assert.equal(head.chunked, first?.[0] === 'transfer-encoding');
      assert.equal(head.contentLength, head.chunked ? -1 : Number(first?.[1] ?? 0));
      assert.equal(head.last, head.chunked);
    });
    fc.assert(property, { seed: SEED, numRuns: 5_000 });
  });

  it(`keeps the bytes of every value that it lets through (seed ${SEED})`, () => {
    const property = fc.property(
      fc.array(fc.tuple(name, fc.oneof(value, printable)), { maxLength: 10 }),
      (fields) => {
        const { failure, head } = read({ fields });
        const isSound = fields.every(([, each]) => !/[^\t\x20-\x7e\x80-\uffff]|\ufffd/.test(each));
        assert.equal(failure, isSound ? null : 'bad_request');
        if (failure !== null) return;
        const kept = toPairs(head.headers).slice(1);
        const sent = fields.map(([each, text]) => [each, Buffer.from(text, 'utf8').toString('latin1')]);
        assert.deepEqual(kept, sent);
      },
    );
    fc.assert(property, { seed: SEED, numRuns: 3_000 });
  });

  it(`what Connection names goes, wherever it stands, and nothing else does (seed ${SEED})`, () => {
    const fields = fc.uniqueArray(name, { minLength: 1, maxLength: 8 });
    const property = fc.property(
      fields,
      fc.array(fc.nat(7), { maxLength: 4 }),
      fc.nat(8),
      (names, picks, at) => {
        const nominated = picks.map((pick) => names[pick % names.length]!);
        const given = names.map((each): [string, string] => [each, 'v']);
        const connection = nominated.map((each) => each.toUpperCase()).join(' , ');
        given.splice(at % (given.length + 1), 0, ['connection', connection]);
        const { failure, head } = read({ fields: given });
        assert.equal(failure, null);
        head.addForwarded();
        const kept = toPairs(head.headers).map(([each]) => each);
        const added = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-request-id'];
        assert.deepEqual(kept, ['host', ...names.filter((each) => !nominated.includes(each)), ...added]);
      },
    );
    fc.assert(property, { seed: SEED, numRuns: 1_000 });
  });

  it(`a request is judged alike by a new object and by one that has served others (seed ${SEED})`, () => {
    const field = fc.oneof(
      fc.tuple(
        fc.constantFrom('content-length', 'transfer-encoding', 'host', 'connection', 'expect'),
        printable,
      ),
      fc.tuple(
        fc.constantFrom(
          'x-forwarded-for',
          'x-forwarded-proto',
          'x-forwarded-host',
          'x-request-id',
          'x-umbra-mirror',
        ),
        token,
      ),
      fc.tuple(name, value),
    );
    const given = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'bad method'),
      url: fc.constantFrom('/', '/a#', `/${'a'.repeat(300)}`),
      fields: fc.array(field, { maxLength: 25 }),
    });
    const used = new RequestHead(new RequestIds(1), new HeaderNames());
    const property = fc.property(given, (each) => {
      const [old, fresh] = [read({ ...each, secure: true }, used), read({ ...each, secure: true })];
      assert.equal(old.failure, fresh.failure);
      if (old.failure !== null) return;
      for (const { head } of [old, fresh]) head.addForwarded();
      const [a, b] = [old.head, fresh.head];
      const withoutIds = (head: RequestHead): [string, string][] =>
        toPairs(head.headers).filter(([each, id]) => each !== 'x-request-id' || id !== head.requestId);
      assert.deepEqual(withoutIds(a), withoutIds(b));
      const facts = ({ method, target, host, contentLength, chunked, last, closes, marked }: RequestHead) => [
        method,
        target,
        host,
        contentLength,
        chunked,
        last,
        closes,
        marked,
      ];
      assert.deepEqual(facts(a), facts(b));
    });
    fc.assert(property, { seed: SEED, numRuns: 3_000 });
  });

  it('each limit lets its own value through and refuses one more', () => {
    const fields = (count: number) =>
      Array.from({ length: count }, (_, at): [string, string] => [`x-${at}`, 'v']);
    assert.equal(read({ fields: fields(LIMITS.headerCount - 1) }).failure, null);
    assert.equal(read({ fields: fields(LIMITS.headerCount) }).failure, 'headers_too_large');
    const long = (bytes: number): string => `/${'a'.repeat(bytes - 1)}`;
    assert.equal(read({ url: long(LIMITS.targetBytes) }).failure, null);
    assert.equal(read({ url: long(LIMITS.targetBytes + 1) }).failure, 'target_too_long');
    assert.equal(read({ url: long(LIMITS.targetBytes - 2), query: 'q' }).failure, null);
    assert.equal(read({ url: long(LIMITS.targetBytes - 1), query: 'q' }).failure, 'target_too_long');
    const length = (bytes: number): Given => ({ fields: [['content-length', String(bytes)]] });
    assert.equal(read(length(LIMITS.bodyBytes)).failure, null);
    assert.equal(read(length(LIMITS.bodyBytes + 1)).failure, 'body_too_large');
  });

  it('an empty query is not no query', () => {
    assert.equal(read({ url: '/a' }).head.target, '/a');
    assert.equal(read({ url: '/a', query: '' }).head.target, '/a?');
    assert.equal(read({ url: '/a', query: 'b=c' }).head.path, '/a');
  });

  it('a method that may bring a body, without a length, ends its connection', () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'])
      assert.equal(read({ method }).head.last, true, method);
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE'])
      assert.equal(read({ method }).head.last, false, method);
    assert.equal(read({ method: 'POST', fields: [['content-length', '0']] }).head.last, false);
  });

  it('a mark of a copy is seen and passed on', () => {
    const { head } = read({ fields: [['x-umbra-mirror', 'other']] });
    assert.equal(head.marked, true);
    assert.deepEqual(toPairs(head.headers)[1], ['x-umbra-mirror', 'other']);
  });

  it('ids are tokens, and different ones', () => {
    const [first, second] = [new RequestIds(0), new RequestIds(1)];
    const ids = Array.from({ length: 1_000 }, () => [first.next(), second.next()]).flat();
    assert.equal(new Set(ids).size, 2_000);
    for (const id of ids) assert.match(id, /^[a-z0-9]+-[a-z0-9]+$/);
  });
});
