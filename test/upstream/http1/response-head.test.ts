// What a head says beyond the framing: which lines go on to the client, and how long the connection lasts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openParser, readText } from './outcome.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const LENGTH = 'Content-Length: 0\r\n\r\n';

test('the lines of this hop and those that Connection names are taken out, the others stay byte for byte', () => {
  const hop = ['Connection: close', 'Keep-Alive: timeout=5', 'Proxy-Connection: x', 'TE: y', 'Trailer: z'];
  for (const line of [...hop, 'Upgrade: h2c', 'DATE: now', 'Transfer-Encoding: chunked']) {
    const end = line.startsWith('Transfer') ? '\r\n' : LENGTH;
    for (const name of [line, line.toLowerCase(), line.toUpperCase()]) {
      assert.equal(
        openParser(`${OK}a:1\r\n${name}\r\nB:  2 \r\n${end}`).head.lines,
        'a:1\r\nB:  2 \r\n',
        name,
      );
    }
  }
  const named = `${OK}X-Hop: 1\r\nA: b\r\nConnection: x-HOP , close\r\nx-hop-2: 3\r\nconnection:,x-HOP-2,\r\nx-hop: 2\r\n${LENGTH}`;
  assert.equal(openParser(named).head.lines, 'A: b\r\n');
  assert.equal(openParser(`${OK}A: b\r\nConnection: a\r\n${LENGTH}`).head.lines, '');
  const parser = openParser(`HTTP/1.1 103 Early\r\nConnection: a\r\n\r\n${OK}A: b\r\n${LENGTH}`);
  assert.equal(parser.head.lines, 'A: b\r\n', 'not by an interim response');
  parser.open(false);
  readText(parser, `${OK}A: c\r\nConnection: a\r\n${LENGTH}`);
  parser.open(false);
  readText(parser, `${OK}A: d\r\n${LENGTH}`);
  assert.equal(parser.head.lines, 'A: d\r\n', 'not by the response before');
});

test('names that are nearly those of this hop stay', () => {
  const lines =
    'Connections: x\r\nConnectio: x\r\nContent-Lengt: 1\r\nContent_Length: 2\r\nDates: x\r\nUpgrad: 1\r\n';
  const { head } = openParser(OK + lines + LENGTH);
  assert.equal(head.lines, lines);
  assert.equal(head.isPersistent, true);
});

test('a thousand nominated names are taken out', () => {
  const names = Array.from({ length: 999 }, (_, index) => `n${index}`);
  const { head } = openParser(
    `${OK}Connection: ${names}\r\n${names.map((name) => `${name}: 1\r\n`).join('')}\r\n`,
  );
  assert.equal(head.lines, '');
});

test('what Connection says of the connection', () => {
  const options: readonly (readonly [string, boolean, boolean])[] = [
    // Value, HTTP/1.1, HTTP/1.0.
    ['', true, false],
    ['close', false, false],
    ['CLOSE', false, false],
    ['keep-alive', true, true],
    ['Keep-Alive', true, true],
    ['\tkeep-alive ', true, true],
    ['x, keep-alive', true, true],
    ['x ,\tclose', false, false],
    ['keep-alive, close', false, false],
    ['close,keep-alive', false, false],
    ['closed', true, false],
    ['keep-alive-not', true, false],
    ['upgrade', true, false],
  ];
  for (const [value, in11, in10] of options) {
    const end = `Connection: ${value}\r\n${LENGTH}`;
    assert.equal(openParser(`HTTP/1.1 200 OK\r\n${end}`).head.isPersistent, in11, `${value} in 1.1`);
    assert.equal(openParser(`HTTP/1.0 200 OK\r\n${end}`).head.isPersistent, in10, `${value} in 1.0`);
  }
  assert.equal(openParser(`${OK}${LENGTH}`).head.isPersistent, true);
  assert.equal(openParser(`HTTP/1.0 200 OK\r\n${LENGTH}`).head.isPersistent, false);
  assert.equal(
    openParser(`${OK}Connection: close\r\nConnection: keep-alive\r\n${LENGTH}`).head.isPersistent,
    false,
  );
});

test('Keep-Alive says how long a connection is kept', () => {
  const values: readonly (readonly [string, number])[] = [
    ['timeout=5', 5],
    ['timeout=5, max=100', 5],
    ['max=100,timeout=15', 15],
    ['max=100; TIMEOUT=0', 0],
    ['timeout=999999999', 999_999_999],
    ['timeout=', -1],
    ['timeout=x', -1],
    ['mytimeout=5', -1],
    ['', -1],
    ['timeout=5\r\nKeep-Alive: max=3', 5],
    ['timeout=5\r\nKeep-Alive: timeout=3', 3],
    ['timeout=3\r\nKeep-Alive: timeout=5', 3],
  ];
  for (const [value, seconds] of values) {
    assert.equal(openParser(`${OK}Keep-Alive: ${value}\r\n${LENGTH}`).head.keepAliveSeconds, seconds, value);
  }
  const parser = openParser(`${OK}Keep-Alive: timeout=5\r\n${LENGTH}`);
  parser.open(false);
  readText(parser, `${OK}${LENGTH}`);
  assert.equal(parser.head.keepAliveSeconds, -1);
});
