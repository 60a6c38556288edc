// Responses and their outcomes after llhttp's published tests: github.com/nodejs/llhttp, test/response/*.md (read at
// versions of 9.x). Taken are the byte sequences and what llhttp makes of them without its lenient flags; the names
// are ours. `verdict` is of llhttp at the end of the connection, and of node:http's client where llhttp asks it.

import type { Verdict } from './outcome.ts';

export interface Vector {
  readonly name: string;
  readonly bytes: string;
  /** To a HEAD request. */
  readonly isHead?: boolean;
  readonly verdict: Verdict;
  readonly status?: number;
  readonly statusText?: string;
  /** So far as it came. */
  readonly body?: string;
  /** Ours, where it is not the same. */
  readonly ours?: Verdict;
  readonly differs?: string;
}

const AFTER = 'bytes after the response: it is not passed on at all';
const CODING = 'we know chunked and nothing else';
const PROTOCOL = 'only HTTP/1.0 and HTTP/1.1 are answers to our request';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`;
const NEXT = 'HTTP/1.1 200 OK';

const connection: readonly Vector[] = [
  {
    name: 'proxy-connection and a length',
    bytes:
      `${OK}Content-Type: text/html; charset=UTF-8\r\nContent-Length: 11\r\nProxy-Connection: close\r\n` +
      'Date: Thu, 31 Dec 2009 20:55:48 +0000\r\n\r\nhello world',
    verdict: 'complete',
    status: 200,
    body: 'hello world',
  },
  {
    name: '1.0, kept, to the end of the connection',
    bytes: 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nHTTP/1.0 200 OK',
    verdict: 'complete',
    body: 'HTTP/1.0 200 OK',
  },
  {
    name: '1.0, kept, 204 and then another',
    bytes: 'HTTP/1.0 204 No content\r\nConnection: keep-alive\r\n\r\nHTTP/1.0 200 OK',
    verdict: 'complete',
    status: 204,
    ours: 'refused',
    differs: AFTER,
  },
  {
    name: '1.1 to the end of the connection',
    bytes: `${OK}\r\n${NEXT}`,
    verdict: 'complete',
    status: 200,
    body: NEXT,
  },
  {
    name: '204 and then another',
    bytes: `HTTP/1.1 204 No content\r\n\r\n${NEXT}`,
    verdict: 'complete',
    status: 204,
    ours: 'refused',
    differs: AFTER,
  },
  {
    name: '204 that closes, and then another: an error, but after the response',
    bytes: `HTTP/1.1 204 No content\r\nConnection: close\r\n\r\n${NEXT}`,
    verdict: 'complete',
    status: 204,
    ours: 'refused',
    differs: AFTER,
  },
  {
    name: 'a length that closes, and more bytes than that: an error, but after the response',
    bytes:
      'HTTP/1.1 200 No content\r\nContent-Length: 5\r\nConnection: close\r\n\r\n' +
      '2ad731e3-4dcd-4f70-b871-0ad284b29ffc',
    verdict: 'complete',
    status: 200,
    body: '2ad73',
    ours: 'refused',
    differs: AFTER,
  },
  {
    name: 'a switch of protocols with a length',
    bytes:
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nbodyproto',
    verdict: 'refused',
  },
  {
    name: 'a switch of protocols with chunks',
    bytes:
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n' +
      '2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\nproto',
    verdict: 'refused',
  },
  {
    name: '200 with upgrade, to the end of the connection',
    bytes: `${OK}Connection: upgrade\r\nUpgrade: h2c\r\n\r\nbody`,
    verdict: 'complete',
    body: 'body',
  },
  {
    name: '200 with upgrade and a length',
    bytes: `${OK}Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nbody`,
    verdict: 'complete',
    body: 'body',
  },
  {
    name: '200 with upgrade and chunks',
    bytes: `${OK}Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n`,
    verdict: 'complete',
    body: 'body',
  },
];

const length: readonly Vector[] = [
  {
    name: 'closing, to the end of the connection',
    bytes: `${OK}Server: Apache\r\nX-Powered-By: Servlet/2.5 JSP/2.1\r\nConnection: close\r\n\r\n<a>\n  <b/>\n</a>`,
    verdict: 'complete',
    body: '<a>\n  <b/>\n</a>',
  },
  {
    name: 'a name that begins like content-length',
    bytes: `${OK}Content-Length-X: 0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n`,
    verdict: 'complete',
    body: 'OK',
  },
  {
    name: 'two to HEAD, each with a length',
    bytes: `${OK}Content-Length: 123\r\n\r\n${OK}Content-Length: 456\r\n\r\n`,
    isHead: true,
    verdict: 'complete',
    status: 200,
    ours: 'refused',
    differs: AFTER,
  },
  {
    name: 'tabs around a length',
    bytes: `${OK}Content-Length:\t42\t\r\n\r\n`,
    verdict: 'incomplete',
    status: 200,
  },
  { name: 'nothing but a head', bytes: `${OK}\r\n`, verdict: 'complete', status: 200, body: '' },
  { name: 'a body of three', bytes: `${OK}Content-Length: 3\r\n\r\nabc`, verdict: 'complete', body: 'abc' },
  {
    name: 'three in a row, line ends between them',
    bytes:
      `${OK}Content-Length: 3\r\n\r\nAAA\r\nHTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nBBBB\r\n` +
      'HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nCCCC',
    verdict: 'complete',
    status: 200,
    body: 'AAA',
    ours: 'refused',
    differs: AFTER,
  },
];

const invalid: readonly Vector[] = [
  ['a letter missing in HTTP', 'HTP/1.1 200 OK\r\n\r\n'],
  ['a zero before the major version', 'HTTP/01.1 200 OK\r\n\r\n'],
  ['two digits of major version', 'HTTP/11.1 200 OK\r\n\r\n'],
  ['two digits of minor version', 'HTTP/1.01 200 OK\r\n\r\n'],
  ['a tab after the version', 'HTTP/1.1\t200 OK\r\n\r\n'],
  ['a CR before it and a tab after the version', '\rHTTP/1.1\t200 OK\r\n\r\n'],
  ['lines parted by a CR', `${OK}Foo: 1\rBar: 2\r\n\r\n`],
  ['version 5.6', 'HTTP/5.6 200 OK\r\n\r\n'],
  ['a space before the first name', `${OK} Host: foo\r\n`],
  ['two spaces after the version', 'HTTP/1.1  200 OK\r\n\r\n'],
  ['a status of one digit', 'HTTP/1.1 2 OK\r\n\r\n'],
  ['LF alone, no body', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['LF alone, a body', 'HTTP/1.1 200 OK\nFoo: abc\nBar: def\n\nBODY\n'],
  ['LF alone, closing', 'HTTP/1.1 200 OK\nContent-Type: text/html\nConnection: close\n\nthese headers'],
  ['HTTPER', 'HTTPER/1.1 200 OK\r\n\r\n'],
  [
    'a space within a name',
    `${OK}Server: Microsoft-IIS/6.0\r\nen-US Content-Type: text/xml\r\nContent-Length: 16\r\n\r\n<xml>hello</xml>`,
  ],
].map(([name = '', bytes = '']): Vector => ({ name, bytes, verdict: 'refused' }));

const samples: readonly Vector[] = [
  {
    name: 'a tab and a space before a value',
    bytes: `${OK}Header1: Value1\r\nHeader2:\t Value2\r\nContent-Length: 0\r\n\r\n`,
    verdict: 'complete',
    body: '',
  },
  { name: 'RTSP', bytes: 'RTSP/1.1 200 OK\r\n\r\n', verdict: 'complete', ours: 'refused', differs: PROTOCOL },
  { name: 'ICE', bytes: 'ICE/1.1 200 OK\r\n\r\n', verdict: 'complete', ours: 'refused', differs: PROTOCOL },
  {
    name: 'version 0.9',
    bytes: 'HTTP/0.9 200 OK\r\n\r\n',
    verdict: 'complete',
    ours: 'refused',
    differs: PROTOCOL,
  },
  {
    name: 'a dollar in a name, spaces around a length, a body that is too short',
    bytes:
      'HTTP/1.1 301 Moved Permanently\r\nLocation: http://www.google.com/\r\nX-$PrototypeBI-Version: 1.6.0.3\r\n' +
      'Content-Length:  219  \r\n\r\n<HTML>\n</HTML>',
    verdict: 'incomplete',
    status: 301,
    body: '<HTML>\n</HTML>',
  },
  {
    name: 'one chunk with a line feed',
    bytes:
      'HTTP/1.1 301 MovedPermanently\r\np3p: policyref="http://a/p3p.xml",CP="CAO DSP "\r\n' +
      'Vary: Accept-Encoding,User-Agent\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n',
    verdict: 'complete',
    status: 301,
    body: '\n',
  },
  { name: '404 and nothing more', bytes: 'HTTP/1.1 404 Not Found\r\n\r\n', verdict: 'complete', status: 404 },
  {
    name: 'no reason phrase and no space',
    bytes: 'HTTP/1.1 301\r\n\r\n',
    verdict: 'complete',
    status: 301,
    statusText: '',
  },
  {
    name: 'no reason phrase after the space',
    bytes: 'HTTP/1.1 200 \r\n\r\n',
    verdict: 'complete',
    statusText: '',
  },
  {
    name: 'two spaces before the reason phrase',
    bytes: 'HTTP/1.1 200  OK\r\n\r\n',
    verdict: 'complete',
    statusText: ' OK',
  },
  {
    name: 'an underscore in a name',
    bytes: `${OK}Content-Length: 0\r\nDCLK_imp: v7;x;114750856;0-0;0;17820020;0/0;~okv=;dcmt=text/xml;;~cs=o\r\n\r\n`,
    verdict: 'complete',
    body: '',
  },
  {
    name: '1.0, kept, a value of one space',
    bytes:
      'HTTP/1.0 301 Moved Permanently\r\nCache-Control: public\r\nPragma: \r\nLocation: http://www.bonjourmadame.fr/\r\n' +
      'Content-Length: 0\r\nConnection: keep-alive\r\n\r\n',
    verdict: 'complete',
    status: 301,
    body: '',
  },
  {
    name: 'names that are nearly known',
    bytes:
      `${OK}.et-Cookie: a=1; path=/\r\n_eep-Alive: timeout=45\r\n_onnection: Keep-Alive\r\n` +
      'Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n',
    verdict: 'complete',
    body: '',
  },
  {
    name: 'a reason phrase beyond ASCII',
    bytes: 'HTTP/1.1 500 Ori\xc3\xabntatieprobleem\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    verdict: 'complete',
    status: 500,
    statusText: 'Ori\xc3\xabntatieprobleem',
  },
  {
    name: 'neither length nor coding',
    bytes: `${OK}Content-Type: text/plain\r\n\r\nhello world`,
    verdict: 'complete',
    body: 'hello world',
  },
  {
    name: 'a line end first',
    bytes: `\r\n${OK}Header1: Value1\r\nContent-Length: 0\r\n\r\n`,
    verdict: 'complete',
    ours: 'refused',
    differs: 'line ends before a status line are not skipped',
  },
];

const coding: readonly Vector[] = [
  {
    name: 'spaces after a size',
    bytes: `${CHUNKED}25  \r\nThis is the data in the first chunk\r\n\r\n1C\r\nand this is the second one\r\n\r\n0  \r\n\r\n`,
    verdict: 'refused',
  },
  {
    name: 'chunked before another coding',
    bytes: `${OK}Accept: */*\r\nTransfer-Encoding: chunked, deflate\r\n\r\nWorld`,
    verdict: 'complete',
    body: 'World',
    ours: 'refused',
    differs: CODING,
  },
  {
    name: 'two fields of coding, chunked first',
    bytes: `${OK}Accept: */*\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\nWorld`,
    verdict: 'complete',
    body: 'World',
    ours: 'refused',
    differs: CODING,
  },
  {
    name: 'chunkedchunked',
    bytes: `${OK}Accept: */*\r\nTransfer-Encoding: chunkedchunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n`,
    verdict: 'complete',
    body: '2\r\nOK\r\n0\r\n\r\n',
    ours: 'refused',
    differs: CODING,
  },
  {
    name: 'an empty coding and a length',
    bytes: `${OK}Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello`,
    verdict: 'refused',
  },
  {
    name: 'extensions',
    bytes: `${CHUNKED}5;ilovew3;somuchlove=aretheseparametersfor\r\nhello\r\n6;blahblah;blah\r\n world\r\n0\r\n\r\n`,
    verdict: 'complete',
    body: 'hello world',
  },
  {
    name: 'an extension without semicolon',
    bytes: `${CHUNKED}2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n`,
    verdict: 'refused',
  },
  {
    name: 'a semicolon without extension',
    bytes: `${CHUNKED}2;\r\naa\r\n0\r\n\r\n`,
    verdict: 'refused',
    ours: 'complete',
    differs:
      'the text of an extension is not looked into: nothing of it is used, and no byte of it can end its line',
  },
  {
    name: 'quoted extensions, and the last line end missing',
    bytes:
      `${CHUNKED}5;ilovew3="I love; extensions";somuchlove="aretheseparametersfor";blah;foo=bar\r\nhello\r\n` +
      '6;blahblah;blah\r\n world\r\n0\r\n',
    verdict: 'incomplete',
    body: 'hello world',
  },
  {
    name: 'a quote that does not end',
    bytes: `${CHUNKED}5;ilovew3="abc";somuchlove="def; ghi\r\nhello\r\n6;blahblah;blah\r\n world\r\n0\r\n`,
    verdict: 'refused',
    ours: 'incomplete',
    differs:
      'the text of an extension is not looked into: nothing of it is used, and no byte of it can end its line',
  },
  {
    name: 'a folded coding',
    bytes: `${OK}Transfer-Encoding: chunked\r\n  abc\r\n\r\n5\r\nWorld\r\n0\r\n\r\n`,
    verdict: 'refused',
  },
  {
    name: 'one chunk of ten',
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n`,
    verdict: 'complete',
    body: '0123456789',
  },
];

export const VECTORS: readonly Vector[] = [...connection, ...length, ...invalid, ...samples, ...coding];
