// Sets of addresses: what is an address, and what lies in a set, against a slow model by bits.

import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { AddressSet, findAddressProblem } from '../../src/core/address-set.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

test('an address is what the platform takes for one, without a zone', () => {
  const good = ['0.0.0.0', '255.255.255.255', '::', '::1', '1::', '2001:DB8::1', '1:2:3:4:5:6:7:8'];
  const mixed = ['::ffff:1.2.3.4', '64:ff9b::192.0.2.33', '1:2:3:4:5:6:1.2.3.4'];
  for (const text of [...good, ...mixed]) assert.equal(findAddressProblem(text), null, text);
  const bad = [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.-4',
    ' 1.2.3.4',
    '1.2.3.4 ',
    'a.example',
  ];
  const badV6 = [':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7::8', '12345::'];
  const badMixed = ['::1.2.3', '1.2.3.4::', '::1.2.3.4:5', 'fe80::1%eth0', '[::1]'];
  for (const text of [...bad, ...badV6, ...badMixed]) {
    assert.notEqual(findAddressProblem(text), null, text);
    assert.equal(new AddressSet(['0.0.0.0/0', '::/0']).has(text), false, text);
  }
});

test('the bits are 0 to 32 and 0 to 128', () => {
  for (const text of ['1.2.3.4/0', '1.2.3.4/32', '::/0', '::/128'])
    assert.equal(findAddressProblem(text), null, text);
  for (const text of [
    '1.2.3.4/33',
    '::/129',
    '::/1000',
    '1.2.3.4/',
    '1.2.3.4/-1',
    '1.2.3.4/08',
    '1.2.3.4/8/8',
    '/8',
  ]) {
    assert.notEqual(findAddressProblem(text), null, text);
  }
  assert.throws(() => new AddressSet(['nonsense']), RangeError);
});

test('random texts are judged as the platform judges them', () => {
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom(...'0123456789af:.'), maxLength: 24 }),
  );
  fc.assert(
    fc.property(text, (each) => {
      assert.equal(findAddressProblem(each) === null, isIP(each) !== 0);
    }),
    { seed, numRuns: 5_000 },
  );
});

test('a block takes what begins with its bits, and bits beyond them do not count', () => {
  const set = new AddressSet(['10.1.2.3/8', '192.0.2.7', '2001:db8::/32', '0.0.0.0/32']);
  for (const text of ['10.0.0.0', '10.255.255.255', '192.0.2.7', '2001:db8:ffff::1', '0.0.0.0'])
    assert.ok(set.has(text), text);
  for (const text of ['9.255.255.255', '11.0.0.0', '192.0.2.8', '2001:db9::', '::'])
    assert.ok(!set.has(text), text);
});

test('an IPv4 address and the IPv6 address that stands for it are one', () => {
  const set = new AddressSet(['192.0.2.0/24', '::ffff:198.51.100.1', '::ffff:cb00:7100/120']);
  for (const text of ['::ffff:192.0.2.9', '::ffff:c000:209', '198.51.100.1', '203.0.113.255'])
    assert.ok(set.has(text), text);
  assert.ok(!set.has('::192.0.2.9'));
  assert.ok(!new AddressSet(['::/1']).has('2001:db8::'.replace('2001', 'f001')));
  assert.ok(new AddressSet(['::/0']).has('1.2.3.4'));
});

test('random IPv4 blocks take what a comparison of bit texts takes', () => {
  const toBits = (value: number): string => value.toString(2).padStart(32, '0');
  const toText = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(word, fc.nat(32), word, (first, bits, other) => {
      const mixed = ((first ^ (bits === 32 ? 0 : other >>> bits)) >>> 0) as number;
      const set = new AddressSet([`${toText(first)}/${bits}`]);
      for (const asked of [other, mixed]) {
        const expected = toBits(asked).slice(0, bits) === toBits(first).slice(0, bits);
        assert.equal(set.has(toText(asked)), expected);
      }
    }),
    { seed, numRuns: 2_000 },
  );
});
