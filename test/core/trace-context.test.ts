// Which traceparent values are sound, and what another span id changes of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTraceparent, SpanIds } from '../../src/core/trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const ZEROES = '0'.repeat(32);

const VALUES: readonly (readonly [value: string, isSound: boolean])[] = [
  [`00-${TRACE}-${SPAN}-01`, true],
  [`00-${TRACE}-${SPAN}-00`, true],
  [`00-${TRACE}-${SPAN}-ff`, true],
  // Later versions may add to it, after another dash.
  [`01-${TRACE}-${SPAN}-01`, true],
  [`01-${TRACE}-${SPAN}-01-`, true],
  [`cc-${TRACE}-${SPAN}-01-what-comes.then`, true],
  [`fe-${TRACE}-${SPAN}-01`, true],
  ['', false],
  ['00', false],
  [`00-${TRACE}-${SPAN}-01-`, false],
  [`00-${TRACE}-${SPAN}-01-more`, false],
  [`00-${TRACE}-${SPAN}-0`, false],
  [`00-${TRACE}-${SPAN}-011`, false],
  [`01-${TRACE}-${SPAN}-01.more`, false],
  [`ff-${TRACE}-${SPAN}-01`, false],
  [`0-${TRACE}-${SPAN}-001`, false],
  [`0g-${TRACE}-${SPAN}-01`, false],
  [`00-${ZEROES}-${SPAN}-01`, false],
  [`00-${TRACE}-${ZEROES.slice(16)}-01`, false],
  [`00-${TRACE.toUpperCase()}-${SPAN}-01`, false],
  [`00-${TRACE}-${SPAN.toUpperCase()}-01`, false],
  [`00-${TRACE}-${SPAN}-0A`, false],
  [`00_${TRACE}_${SPAN}_01`, false],
  [`00-${TRACE.slice(1)}-${SPAN}-001`, false],
  [` 00-${TRACE}-${SPAN}-01`, false],
  [`00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`, false],
];

for (const [value, isSound] of VALUES) {
  test(`${JSON.stringify(value)} is ${isSound ? 'sound' : 'not'}`, () => {
    assert.equal(isTraceparent(value), isSound);
  });
}

test('another span id is sixteen digits that were never there before, and the rest stays', () => {
  const ids = new SpanIds();
  const seen = new Set([SPAN]);
  // More than the memory for random bytes holds at a time.
  for (let count = 1; count <= 2_000; count++) {
    const renewed = ids.renew(`x 00-${TRACE}-${SPAN}-ff y`, 2, 57);
    const [, id] = /^x 00-0af7651916cd43dd8448eb211c80319c-([0-9a-f]{16})-ff y$/.exec(renewed)!;
    seen.add(id!);
    assert.equal(seen.size, count + 1);
  }
});

test('whatever the system’s generator yields, an id is neither all zero nor the one received', () => {
  const rounds = [Buffer.alloc(8), Buffer.from(SPAN, 'hex'), Buffer.from('00000000000000ab', 'hex')];
  let calls = 0;
  const ids = new SpanIds((memory) => {
    calls++;
    memory.fill(Buffer.concat(rounds));
  });
  const received = `00-${TRACE}-${SPAN}-01`;
  for (let count = 0; count < 1_000; count++) {
    assert.equal(ids.renew(received, 0, received.length), `00-${TRACE}-00000000000000ab-01`);
  }
  assert.ok(calls > 1 && calls < 10, `${calls} calls for 3,000 ids`);
});

test('what is sound stays sound with another span id', () => {
  const hex = (length: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
  const ids = new SpanIds();
  fc.assert(
    fc.property(hex(2), hex(32), hex(16), hex(2), fc.constantFrom('', '-', '-x'), (...parts) => {
      const [version, trace, span, flags, rest] = parts;
      const value = `${version}-${trace}-${span}-${flags}${rest}`;
      fc.pre(isTraceparent(value));
      const renewed = ids.renew(`${value}\r\n`, 0, value.length).slice(0, -2);
      assert.ok(isTraceparent(renewed));
      const [, renewedSpan] = /-([0-9a-f]{16})-/.exec(renewed)!;
      assert.notEqual(renewedSpan, span);
      const sampled = `0${Number.parseInt(flags, 16) & 1}`;
      const expected = version === '00' ? value : `00-${trace}-${span}-${sampled}`;
      assert.equal(renewed.slice(0, 36) + span + renewed.slice(52), expected);
    }),
  );
});
