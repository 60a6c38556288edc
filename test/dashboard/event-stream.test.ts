// Server-sent events taken from text that comes in any pieces.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEventParser } from '../../src/dashboard/event-stream.ts';

const TEXT =
  ': here\n\nevent: mirrors\ndata: {"a":1}\n\ndata: one\r\ndata:two\r\n\r\nid: 7\nevent: nothing\n\ndata\n\nevent: cut\ndata: off';
const EVENTS = [
  { name: 'mirrors', data: '{"a":1}' },
  { name: 'message', data: 'one\ntwo' },
  { name: 'message', data: '' },
];

test('events come out the same however the text is cut', () => {
  for (let size = 1; size <= TEXT.length; size++) {
    const parse = createEventParser();
    const events = [];
    for (let at = 0; at < TEXT.length; at += size) events.push(...parse(TEXT.slice(at, at + size)));
    assert.deepEqual(events, EVENTS, `pieces of ${size}`);
  }
});

test('an event that does not end is refused', () => {
  const parse = createEventParser();
  const piece = 'x'.repeat(1024 * 1024);
  for (let mib = 0; mib < 64; mib++) assert.deepEqual(parse(piece), []);
  assert.throws(() => parse('x'), /too long/);
});

test('an event of many lines that does not end is refused as well', () => {
  const parse = createEventParser();
  const piece = `data: ${'x'.repeat(1024 * 1024)}\n`;
  assert.throws(() => {
    for (let mib = 0; mib < 80; mib++) parse(piece);
  }, /too long/);
});
