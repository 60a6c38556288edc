// Addresses, host names and origins: what is taken, what it means, and what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isHostHeader, isHostPattern, isLoopback, toAddress, toOrigin } from '../../src/config/address.ts';

test('a listen address has a host and a port, and no host means every IPv4 address', () => {
  assert.deepEqual(toAddress('127.0.0.1:80').value, { host: '127.0.0.1', port: 80 });
  assert.deepEqual(toAddress(':9080').value, { host: '0.0.0.0', port: 9080 });
  assert.deepEqual(toAddress('[::]:9080').value, { host: '::', port: 9080 });
  assert.deepEqual(toAddress('LocalHost:0').value, { host: 'localhost', port: 0 });
  assert.deepEqual(toAddress('h:65535').value, { host: 'h', port: 65_535 });
});

test('a listen address without a port, or with a port or host that cannot be, is refused', () => {
  const wrong = [
    '',
    '9080',
    'h',
    'h:',
    'h:65536',
    'h:-1',
    'h:08',
    'h:1x',
    '::1:80',
    '[::1]',
    '[::g]:1',
    'a b:1',
    '1.2.3:4',
  ];
  for (const text of wrong) assert.notEqual(toAddress(text).wrong, null, text);
});

test('loopback is 127.0.0.0/8, ::1 and localhost', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) assert.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.example.com', 'localhost.example.com']) {
    assert.ok(!isLoopback(host), host);
  }
});

test('an origin is written out with its port, and its authority without the standard one', () => {
  const known: Record<string, readonly [string, string]> = {
    'http://Shadow': ['http://shadow:80', 'shadow'],
    'HTTP://shadow:80': ['http://shadow:80', 'shadow'],
    'http://shadow:9000': ['http://shadow:9000', 'shadow:9000'],
    'https://shadow': ['https://shadow:443', 'shadow'],
    'https://shadow:80': ['https://shadow:80', 'shadow:80'],
    'http://[0:0:0:0:0:0:0:1]:8080': ['http://[::1]:8080', '[::1]:8080'],
    'http://10.0.0.1:65535': ['http://10.0.0.1:65535', '10.0.0.1:65535'],
    'http://my_service': ['http://my_service:80', 'my_service'],
  };
  for (const [text, [origin, authority]] of Object.entries(known)) {
    const { value } = toOrigin(text);
    assert.deepEqual([value?.origin, value?.authority], [origin, authority], text);
  }
});

test('an origin with anything behind the port, or credentials, is refused with the reason', () => {
  const reasons: Record<string, RegExp> = {
    'http://h/': /without a path/,
    'http://h/x': /without a path/,
    'http://h\\x': /without a path/,
    'http://h?x': /without a query/,
    'http://h#x': /without a fragment/,
    'http://u@h': /without user name/,
    'http://u:p@h:80': /without user name/,
    'ftp://h': /http:\/\/ or https:\/\//,
    h: /http:\/\/ or https:\/\//,
    'http:h': /http:\/\/ or https:\/\//,
    'http://': /as its host/,
    'http://:80': /as its host/,
    'http://a b': /as its host/,
    'http://999.1.1.1': /as its host/,
    'http://[::1': /as its host/,
    'http://h:': /port from 1/,
    'http://h:0': /port from 1/,
    'http://h:65536': /port from 1/,
  };
  for (const [text, reason] of Object.entries(reasons))
    assert.match(toOrigin(text).wrong ?? '', reason, text);
});

test('a host pattern is a name, an address or *.suffix', () => {
  for (const text of ['a', 'a.b', '*.example.org', '*.a', '10.0.0.1', '[::1]', 'a-b.c_d'])
    assert.ok(isHostPattern(text), text);
  const wrong = [
    '',
    '*',
    '*.',
    'a.*.b',
    '*a.b',
    'a:80',
    '::1',
    'a..b',
    '.a',
    'a.',
    '*.10.0.0.1',
    '*.[::1]',
    'ä.b',
    '-a',
    'a'.repeat(64),
  ];
  for (const text of wrong) assert.ok(!isHostPattern(text), text);
});

test('a literal Host is a host with or without a port', () => {
  for (const text of ['a', 'a:80', '[::1]:80', '10.0.0.1']) assert.ok(isHostHeader(text), text);
  for (const text of ['', 'a:', 'a:0', 'a:65536', 'a/b', 'u@a', 'a b', ':80'])
    assert.ok(!isHostHeader(text), text);
});
