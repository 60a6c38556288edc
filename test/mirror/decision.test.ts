// Whether an exchange is mirrored, and the reason that is counted when it is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SkipReason } from '../../src/core/book.ts';
import {
  CONDITION_ABSENT,
  CONDITION_EQUALS,
  CONDITION_PRESENT,
  type HeaderCondition,
  METHODS_ALL,
  METHODS_SAFE,
  type Mirror,
} from '../../src/core/model.ts';
import type { ObservedExchange } from '../../src/core/observer.ts';
import { Decision } from '../../src/mirror/decision.ts';
import { toSubject } from '../kit/subject.ts';
import { toMirror, toShadow } from './rig.ts';

function decide(edits: Partial<Mirror>, exchange: Partial<ObservedExchange> = {}): SkipReason | null {
  const mirror = toMirror([toShadow('http://127.0.0.1:1')], edits);
  const headers = ['host', 'a.example'];
  const observed = {
    method: 'GET',
    path: '/a/b',
    target: '/a/b?c',
    headers,
    headText: '',
    contentLength: 0,
    marked: false,
    subject: toSubject(),
  };
  return new Decision(mirror).decide({ ...observed, ...exchange });
}

function conditions(edits: Partial<Mirror['conditions']>): Partial<Mirror> {
  return { conditions: { methods: [], headers: [], pathRegex: null, vars: null, ...edits } };
}

test('without conditions everything is mirrored', () => {
  assert.equal(decide({}), null);
  assert.equal(decide({}, { method: 'M-SEARCH', contentLength: -1 }), null);
});

test('a condition on the method takes the listed ones, as they are written', () => {
  const edits = conditions({ methods: ['GET', 'POST'] });
  assert.equal(decide(edits, { method: 'POST' }), null);
  for (const method of ['PUT', 'get', 'GETS']) assert.equal(decide(edits, { method }), 'condition', method);
});

test('safe methods alone are those that change nothing, exactly as they are written', () => {
  const safe = { methods: METHODS_SAFE } as const;
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE'])
    assert.equal(decide(safe, { method }), null, method);
  // Whatever else a method is called, some server may write at it.
  const others = [
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'CONNECT',
    'PROPFIND',
    'REPORT',
    'QUERY',
    'get',
    'GETS',
    'M',
  ];
  for (const method of others) {
    assert.equal(decide(safe, { method }), 'condition', method);
    assert.equal(decide({ methods: METHODS_ALL }, { method }), null, method);
  }
});

test('safe methods and a condition on methods must both let a request pass', () => {
  const edits = { methods: METHODS_SAFE, ...conditions({ methods: ['POST', 'GET'] }) } as const;
  assert.equal(decide(edits, { method: 'GET' }), null);
  assert.equal(decide(edits, { method: 'POST' }), 'condition');
  assert.equal(decide(edits, { method: 'HEAD' }), 'condition');
});

test('a condition on a header asks for presence, absence or a value without case', () => {
  const of = (kind: HeaderCondition['kind'], value = ''): Partial<Mirror> =>
    conditions({ headers: [{ name: 'x-a', kind, value }] });
  const table: readonly (readonly [Partial<Mirror>, readonly string[], SkipReason | null])[] = [
    [of(CONDITION_PRESENT), ['x-a', ''], null],
    [of(CONDITION_PRESENT), ['x-b', 'x-a'], 'condition'],
    [of(CONDITION_ABSENT), ['x-b', '1'], null],
    [of(CONDITION_ABSENT), ['x-a', ''], 'condition'],
    [of(CONDITION_EQUALS, 'blue'), ['x-a', 'BLUE'], null],
    [of(CONDITION_EQUALS, 'blue'), ['x-a', 'blues'], 'condition'],
    [of(CONDITION_EQUALS, 'blue'), ['x-b', 'blue'], 'condition'],
    // The first of several lines counts.
    [of(CONDITION_EQUALS, 'blue'), ['x-a', 'blue', 'x-a', 'red'], null],
    [of(CONDITION_EQUALS, 'blue'), ['x-a', 'red', 'x-a', 'blue'], 'condition'],
  ];
  for (const [edits, headers, reason] of table) {
    assert.equal(decide(edits, { headers }), reason, JSON.stringify([edits, headers]));
  }
});

test('a condition on the path looks at the raw path without query', () => {
  const edits = conditions({ pathRegex: '^/a/[^/]+$' });
  assert.equal(decide(edits), null);
  for (const path of ['/a/', '/a/b/c', '/%61/b', '/x?/a/b']) {
    assert.equal(decide(edits, { path, target: `${path}?/a/b` }), 'condition', path);
  }
});

test('all conditions must hold', () => {
  const header: HeaderCondition = { name: 'x-a', kind: CONDITION_PRESENT, value: '' };
  const edits = conditions({ methods: ['GET'], headers: [header], pathRegex: '^/a' });
  const holds = { headers: ['x-a', '1'] };
  assert.equal(decide(edits, holds), null);
  assert.equal(decide(edits, { ...holds, method: 'PUT' }), 'condition');
  assert.equal(decide(edits, { headers: [] }), 'condition');
  assert.equal(decide(edits, { ...holds, path: '/b' }), 'condition');
});

test('a condition on vars asks for arguments, headers and the client', () => {
  const edits = conditions({
    vars: [['OR', ['arg_debug', '==', '1'], ['remote_addr', 'ipmatch', '10.0.0.0/8']]],
  });
  assert.equal(decide(edits), 'condition');
  assert.equal(decide(edits, { subject: toSubject({ target: '/?debug=1' }) }), null);
  assert.equal(decide(edits, { subject: toSubject({ address: '10.1.1.1' }) }), null);
  assert.equal(decide(conditions({ vars: [] })), null);
  const all = conditions({ methods: ['PUT'], vars: [] });
  assert.equal(decide(all), 'condition');
});

test('vars see what the client sent, not what was added for the primary', () => {
  const edits = conditions({ vars: [['http_x_forwarded_proto', '==', null]] });
  const headers = ['x-forwarded-proto', 'http'];
  assert.equal(decide(edits, { subject: toSubject({ headers, received: 2 }) }), null);
  assert.equal(decide(edits, { subject: toSubject({ headers }) }), 'condition');
});

test('of several reasons the first counts: disabled, loop, condition, sample, length', () => {
  const all = { enabled: false, percentage: 0, maxBodyBytes: 1, ...conditions({ methods: ['PUT'] }) };
  const exchange = { marked: true, contentLength: 2 };
  assert.equal(decide(all, exchange), 'disabled');
  assert.equal(decide({ ...all, enabled: true }, exchange), 'loop');
  assert.equal(decide({ ...all, enabled: true }, { ...exchange, marked: false }), 'condition');
  const matching = { ...all, enabled: true, ...conditions({}) };
  assert.equal(decide(matching, { contentLength: 2 }), 'sampled_out');
  assert.equal(decide({ ...matching, percentage: 100 }, { contentLength: 2 }), 'body_too_large');
});

test('a declared length is allowed up to the bound', () => {
  for (const maxBodyBytes of [0, 1, 8 * 1024 * 1024]) {
    assert.equal(decide({ maxBodyBytes }, { contentLength: maxBodyBytes }), null);
    assert.equal(decide({ maxBodyBytes }, { contentLength: maxBodyBytes + 1 }), 'body_too_large');
    assert.equal(decide({ maxBodyBytes }, { contentLength: -1 }), null);
  }
});

test('sample_by decides by the header’s value alone', () => {
  const edits = { percentage: 50, sampleByHeader: 'x-user' };
  const chosen = Array.from({ length: 1_000 }, (_, user) =>
    decide(edits, { headers: ['x-user', `u${user}`] }),
  );
  for (let round = 0; round < 3; round++) {
    const again = chosen.map((_, user) =>
      decide(edits, { method: 'POST', path: `/${round}`, headers: ['a', 'b', 'x-user', `u${user}`] }),
    );
    assert.deepEqual(again, chosen);
  }
  const count = chosen.filter((reason) => reason === null).length;
  assert.ok(count > 450 && count < 550, `${count} of 1,000`);
});
