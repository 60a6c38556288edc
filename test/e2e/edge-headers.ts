// Edge cases: header fields, those that mean something to a gateway above all (RFC 9110 sections 5, 7 and 10).

import { forwarded, get, post, refused, silent, toBytes } from './edge-case.ts';

function hosted(...hosts: readonly string[]): string {
  return `GET /row HTTP/1.1\r\n${hosts.map((host) => `Host: ${host}\r\n`).join('')}X-A: b\r\n\r\n`;
}

function forwardedHost(name: string, host: string) {
  return forwarded(name, hosted(host), { host, fields: ['x-a: b'] });
}

/** A request of `count` header lines in all. */
function lines(count: number): string {
  return get(Array.from({ length: count - 1 }, (_, index) => `X-${index}: v`));
}

export const syntaxCases = [
  forwarded('names in any case, values in theirs', get(['X-UPPER: Value', 'x-lower: vALUE']), {
    fields: ['x-upper: Value', 'x-lower: vALUE'],
  }),
  forwarded('the same name twice', get(['X-A: 1', 'X-B: 2', 'x-a: 3']), {
    fields: ['x-a: 1', 'x-b: 2', 'x-a: 3'],
  }),
  forwarded('an empty value', get(['X-A:', 'X-B: ']), { fields: ['x-a: ', 'x-b: '] }),
  forwarded('white space around a value', get(['X-A:  a  b \t']), { fields: ['x-a: a  b'] }),
  forwarded('a tab in a value', get(['X-A: a\tb']), { fields: ['x-a: a\tb'] }),
  forwarded('a value of colons and quotes', get(['X-A: :"\\",;=:']), { fields: ['x-a: :"\\",;=:'] }),
  forwarded('every character of a token in a name', get(["X!#$%&'*+-.^_`|~09az: v"]), {
    fields: ["x!#$%&'*+-.^_`|~09az: v"],
  }),
  forwarded('UTF-8 in a value', get(['X-A: a\xc3\xa9b', 'X-B: <\xe2\x82\xac>']), {
    fields: ['x-a: a\xc3\xa9b', 'x-b: <\xe2\x82\xac>'],
  }),
  forwarded('UTF-8 of four bytes in a value', get(['X-A: a\xf0\x9f\x98\x80b']), {
    fields: ['x-a: a\xf0\x9f\x98\x80b'],
  }),
  // The listener takes everything beyond ASCII for white space at the ends of a value.
  forwarded('cut by the listener: UTF-8 at the end of a value', get(['X-A: caf\xc3\xa9']), {
    fields: ['x-a: caf'],
  }),
  refused('latin1 in a value', get(['X-A: a\xe9b'])),
  refused('bytes in a value that are no UTF-8', get(['X-A: a\xff\xfeb'])),
  refused('an overlong slash in a value', get(['X-A: a\xc0\xafb'])),
  refused('half a surrogate pair in a value', get(['X-A: a\xed\xa0\x80b'])),
  refused('U+FFFD in a value', get(['X-A: a\xef\xbf\xbdb'])),
  refused('DEL in a value', get(['X-A: a\x7fb'])),
  silent('a bracket in a name', get(['X(A: b'])),
  silent('an at sign in a name', get(['X@A: b'])),
  silent('a quote in a name', get(['X"A": b'])),
  silent('a folded line', get(['X-A: b', ' c'])),
  silent('a space before the colon', get(['X-A : b'])),
  silent('a tab before the colon', get(['X-A\t: b'])),
  silent('a space in a name', get(['X A: b'])),
  silent('no colon', get(['X-A'])),
  silent('NUL in a value', get(['X-A: a\0b'])),
  silent('SOH in a value', get(['X-A: a\x01b'])),
  silent('a vertical tab in a value', get(['X-A: a\x0bb'])),
  silent('a bare CR in a value', get(['X-A: a\rb'])),
  silent('a bare CR before a field', get(['X-A: a\rX-B: b'])),
  silent('a bare LF at the end of a field', get(['X-A: a\nX-B: b'])),
  silent('NUL in a name', get(['X\0A: b'])),
  silent('a byte beyond ASCII in a name', get(['X-\xe9: b'])),
];

export const hostCases = [
  forwardedHost('a host with a port', 'edge.example:8080'),
  forwardedHost('a host in capitals', 'EDGE.Example'),
  forwardedHost('an IPv4 host', '192.0.2.1:80'),
  forwardedHost('an IPv6 host', '[2001:db8::1]'),
  forwardedHost('an IPv6 host with a port', '[2001:db8::1]:8080'),
  forwardedHost('a host with an underscore', 'edge_1.example'),
  refused('no host', 'GET /row HTTP/1.1\r\nX-A: b\r\n\r\n'),
  silent('no field at all', 'GET /row HTTP/1.1\r\n\r\n'),
  refused('two hosts', hosted('a.example', 'b.example')),
  refused('the same host twice', hosted('a.example', 'a.example')),
  refused('an empty host', hosted('')),
  refused('an empty host and one', hosted('', 'a.example')),
  refused('a host with user information', hosted('user@a.example')),
  refused('a host with a path', hosted('a.example/x')),
  refused('a host with a scheme', hosted('http://a.example')),
  refused('a host with a query', hosted('a.example?x')),
  refused('a list of hosts', hosted('a.example, b.example')),
  refused('a host with a space', hosted('a b')),
  refused('a host with an empty port', hosted('a.example:')),
  refused('a host with a port that is no number', hosted('a.example:80x')),
  refused('a host with a port of six digits', hosted('a.example:123456')),
  refused('a host with a percent sign', hosted('a%2eexample')),
  refused('an IPv6 host without its end', hosted('[::1')),
  refused('an IPv6 host without brackets', hosted('::1')),
  refused('a host of 262 characters', hosted('a'.repeat(262))),
  refused('a host with UTF-8 inside', hosted('a\xc3\xa9b.example')),
];

export const sizeCases = [
  forwarded('96 header lines', lines(96), { fields: toNumbered(95) }),
  refused('97 header lines', lines(97), 431),
  refused('98 header lines', lines(98), 431),
  refused('99 header lines', lines(99), 431),
  refused('200 header lines', lines(200), 431),
  forwarded('31 KiB of header', get([`X-A: ${'a'.repeat(31 * 1024)}`]), {
    fields: [`x-a: ${'a'.repeat(31 * 1024)}`],
  }),
  refused('33 KiB of header', get([`X-A: ${'a'.repeat(33 * 1024)}`]), 431),
  refused('40 KiB of header without an end', `GET /row HTTP/1.1\r\nX-A: ${'a'.repeat(40 * 1024)}`, 431),
];

function toNumbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `x-${index}: v`);
}

export const hopCases = [
  forwarded('Connection: keep-alive', get(['Connection: keep-alive']), {}),
  forwarded('an empty Connection', get(['Connection:'])),
  forwarded(
    'Connection takes away what it names',
    get(['Connection: X-A, x-c', 'X-A: 1', 'X-B: 2', 'x-c: 3']),
    {
      fields: ['x-b: 2'],
    },
  ),
  forwarded('what Connection names may stand before it', get(['X-A: 1', 'Connection: x-a']), { fields: [] }),
  forwarded('two Connection lines', get(['Connection: x-a', 'X-A: 1', 'Connection: x-b', 'X-B: 2'])),
  forwarded('Connection that names an ordinary field', get(['Connection: if-match', 'If-Match: x'])),
  refused('Connection that names Host', get(['Connection: host'])),
  refused('Connection that names Content-Length', post(['Connection: content-length', 'Content-Length: 0'])),
  refused(
    'Connection that names Authorization',
    get(['Connection: Authorization', 'Authorization: Basic eA==']),
  ),
  refused('Connection that names Cookie', get(['Connection: close, cookie', 'Cookie: a=b'])),
  refused('Connection that names X-Forwarded-For', get(['Connection: X-Forwarded-For'])),
  refused('Connection that names X-Umbra-Mirror', get(['Connection: x-umbra-mirror'])),
  refused('Connection that is no list of tokens', get(['Connection: a b'])),
  forwarded('Upgrade', get(['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']), {
    fields: ['sec-websocket-version: 13'],
  }),
  forwarded('TE', get(['Connection: TE', 'TE: trailers'])),
  forwarded(
    'Keep-Alive and Proxy-Connection',
    get(['Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive']),
  ),
  forwarded('Trailer', get(['Trailer: X-T'])),
  forwarded('Expect: 100-continue', post(['Expect: 100-continue', 'Content-Length: 5'], 'hello'), {
    body: 'hello',
    continues: true,
  }),
  forwarded('any other Expect', get(['Expect: something'])),
  forwarded('Proxy-Authorization is end-to-end', get(['Proxy-Authorization: Basic eA==']), {
    fields: ['proxy-authorization: Basic eA=='],
  }),
  forwarded('an odd method with fields', toBytes('PROPFIND /row', ['Depth: 1']), {
    fields: ['depth: 1'],
    closes: true,
  }),
];
