// Rules about header fields, as tables and as properties.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  classifyRequestHeader,
  findHeader,
  isAscii,
  isFieldValue,
  isHost,
  isResponseHopByHop,
  isToken,
  parseConnection,
  RequestHeader,
  removeHeaders,
  toHostName,
} from '../../src/core/headers.ts';

/** RFC 9110 section 5.6.2. */
const TOKEN_CHARS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const token = fc.string({ unit: fc.constantFrom(...TOKEN_CHARS), minLength: 1, maxLength: 20 });

test('a token is one or more of its characters, and no others', () => {
  for (let code = 0; code < 0x180; code++) {
    const char = String.fromCharCode(code);
    const expected = TOKEN_CHARS.includes(char);
    assert.equal(isToken(char), expected, `U+${code.toString(16)}`);
    assert.equal(isToken(`a${char}b`), expected, `U+${code.toString(16)}`);
  }
  assert.equal(isToken(''), false);
  fc.assert(fc.property(token, isToken));
});

test('a header’s name is classified, and is refused when it is not a token', () => {
  const table: Record<string, number> = {
    connection: RequestHeader.connection,
    'keep-alive': RequestHeader.hopByHop,
    'proxy-connection': RequestHeader.hopByHop,
    te: RequestHeader.hopByHop,
    trailer: RequestHeader.hopByHop,
    upgrade: RequestHeader.hopByHop,
    expect: RequestHeader.hopByHop,
    'transfer-encoding': RequestHeader.transferEncoding,
    'content-length': RequestHeader.contentLength,
    host: RequestHeader.host,
    'x-forwarded-for': RequestHeader.forwardedFor,
    'x-forwarded-proto': RequestHeader.forwardedProto,
    'x-forwarded-host': RequestHeader.forwardedHost,
    'x-request-id': RequestHeader.requestId,
    'x-umbra-mirror': RequestHeader.mirrorMark,
    accept: RequestHeader.endToEnd,
    authorization: RequestHeader.endToEnd,
    'x-anything': RequestHeader.endToEnd,
    constructor: RequestHeader.endToEnd,
    ['__proto__']: RequestHeader.endToEnd,
    '': -1,
    'a b': -1,
    'a:': -1,
    'caf\xe9': -1,
  };
  for (const [name, kind] of Object.entries(table)) assert.equal(classifyRequestHeader(name), kind, name);
  fc.assert(fc.property(fc.string(), (name) => classifyRequestHeader(name) >= 0 === isToken(name)));
});

test('a field value has no control character but tab, and no character that stands for lost bytes', () => {
  for (let code = 0; code < 0x100; code++) {
    const isControl = (code < 0x20 && code !== 9) || code === 0x7f;
    assert.equal(isFieldValue(`a${String.fromCharCode(code)}b`), !isControl, `U+${code.toString(16)}`);
  }
  assert.ok(isFieldValue(''));
  assert.ok(isFieldValue('✓ \u{1f600}'));
  assert.equal(isFieldValue('a\ufffdb'), false);
  assert.ok(isAscii('\x00\x7f'));
  assert.equal(isAscii('\x80'), false);
});

test('a host is a name or an address with an optional port', () => {
  const good = [
    'a',
    'A.b-c_d~e',
    '1.2.3.4:80',
    '[::1]',
    '[2001:db8::1]:65535',
    'a:1',
    'xn--bcher-kva.example.',
  ];
  const bad = [
    '',
    ':80',
    'a:',
    'a:b',
    'a:123456',
    'a b',
    'a/b',
    'a@b',
    'a,b',
    '[::1',
    '::1',
    '[]',
    '[g]',
    'é',
    'a:80:80',
  ];
  for (const host of good) assert.ok(isHost(host), host);
  for (const host of bad) assert.equal(isHost(host), false, host);
});

test('the name of a host is in lower case and without its port', () => {
  const table: Record<string, string> = {
    '': '',
    'A.Example': 'a.example',
    'a.example:8080': 'a.example',
    'a.example.': 'a.example',
    'A.example.:80': 'a.example',
    '.': '.',
    '[2001:DB8::1]:80': '[2001:db8::1]',
    '[::1]': '[::1]',
  };
  for (const [host, name] of Object.entries(table)) assert.equal(toHostName(host), name, host);
  const name = fc.stringMatching(/^[a-z0-9.-]{1,30}$/);
  fc.assert(
    fc.property(name, fc.integer({ min: 0, max: 65_535 }), (host, port) => {
      const name = host.length > 1 && host.endsWith('.') ? host.slice(0, -1) : host;
      assert.equal(toHostName(`${host.toUpperCase()}:${port}`), name);
    }),
  );
});

test('Connection nominates the names in it, and none that a request cannot do without', () => {
  const table: readonly (readonly [string, readonly string[] | null])[] = [
    ['', []],
    [' , ,', []],
    ['close', []],
    ['Keep-Alive, Upgrade, TE', []],
    ['Upgrade, HTTP2-Settings', ['http2-settings']],
    ['close\xa0', null],
    ['X-Hop', ['x-hop']],
    ['close , X-A,x-b ', ['x-a', 'x-b']],
    ['X-A, X-A', ['x-a', 'x-a']],
    ['Accept', ['accept']],
    ['Host', null],
    ['x-a, Content-Length', null],
    ['CONTENT-TYPE', null],
    ['Authorization', null],
    ['Cookie', null],
    ['X-Forwarded-For', null],
    ['x-request-id', null],
    ['X-Umbra-Mirror', null],
    ['a b', null],
    ['a;b', null],
    ['"close"', null],
  ];
  for (const [value, names] of table) assert.deepEqual(parseConnection(value), names, value);
  const list = fc.array(
    token.map((name) => `x-${name}`),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(list, (names) => {
      const value = names.join(' ,\t');
      assert.deepEqual(
        parseConnection(value),
        names.map((name) => name.toLowerCase()),
      );
    }),
  );
});

test('what stays on the response’s hop, and nothing else', () => {
  for (const name of ['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'date']) {
    assert.ok(isResponseHopByHop(name), name);
  }
  for (const name of ['content-length', 'set-cookie', 'server', 'etag', 'constructor']) {
    assert.equal(isResponseHopByHop(name), false, name);
  }
});

const NAMES = ['a', 'b', 'c', 'd'];
const name = fc.constantFrom(...NAMES);
const flat = fc.array(fc.tuple(name, fc.string()), { maxLength: 12 }).map((pairs) => pairs.flat());

test('removing headers takes every line of those names, and leaves the rest in their order', () => {
  fc.assert(
    fc.property(flat, fc.subarray(NAMES), (headers, names) => {
      const pairs: [string, string][] = [];
      for (let at = 0; at < headers.length; at += 2) pairs.push([headers[at]!, headers[at + 1]!]);
      const expected = pairs.filter(([each]) => !names.includes(each)).flat();
      const list = headers.slice();
      removeHeaders(list, names);
      assert.deepEqual(list, expected);
    }),
  );
});

test('finding a header gives its first line, and never takes a value for a name', () => {
  fc.assert(
    fc.property(flat, name, (headers, wanted) => {
      let first: string | null = null;
      for (let at = headers.length - 2; at >= 0; at -= 2)
        if (headers[at] === wanted) first = headers[at + 1]!;
      assert.equal(findHeader(headers, wanted), first);
    }),
  );
  assert.equal(findHeader(['x', 'a', 'y', 'b'], 'a'), null);
  assert.equal(findHeader([], 'a'), null);
});
