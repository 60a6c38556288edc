// Clients' addresses as text, and how many connections one of them may have.

import assert from 'node:assert/strict';
import { SocketAddress } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClientAddresses, toAddressText } from '../../src/frontend/addresses.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`# seed ${seed}`);

function toBytes(groups: readonly number[]): Uint8Array {
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

test('RFC 5952 texts', () => {
  for (const [groups, text] of [
    [[0, 0, 0, 0, 0, 0, 0, 0], '::'],
    [[0, 0, 0, 0, 0, 0, 0, 1], '::1'],
    [[0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], '2001:db8::1'],
    [[0x2001, 0xdb8, 0, 1, 1, 1, 1, 1], '2001:db8:0:1:1:1:1:1'],
    [[0x2001, 0, 0, 1, 0, 0, 0, 1], '2001:0:0:1::1'],
    [[0x2001, 0xdb8, 0, 0, 1, 0, 0, 1], '2001:db8::1:0:0:1'],
    [[0xfe80, 0, 0, 0, 0, 0, 0, 0], 'fe80::'],
    [[0, 0, 0, 0, 0, 0xffff, 0x7f00, 1], '127.0.0.1'],
  ] as const) {
    assert.equal(toAddressText(toBytes(groups)), text);
  }
  assert.equal(toAddressText(Uint8Array.from([10, 0, 255, 1])), '10.0.255.1');
  assert.equal(toAddressText(new Uint8Array(0)), '');
});

test('a random address is the same address when it is read back', () => {
  const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const text = toAddressText(toBytes(groups));
      if (!text.includes(':')) return;
      const full = groups.map((value) => value.toString(16)).join(':');
      const [read, expected] = [text, full].map(
        (address) => new SocketAddress({ address, family: 'ipv6' }).address,
      );
      assert.equal(read, expected);
    }),
    { seed, numRuns: 2_000 },
  );
});

test('an address may have as many connections as the limit says, and not one more', () => {
  const addresses = new ClientAddresses(2, () => []);
  const one = Uint8Array.from([10, 0, 0, 1]).buffer;
  const other = Uint8Array.from([10, 0, 0, 2]).buffer;
  assert.deepEqual([addresses.enter(one), addresses.enter(one), addresses.enter(one)], [true, true, false]);
  assert.equal(addresses.enter(other), true);
  assert.equal(addresses.connections, 4);
  for (let left = 0; left < 4; left++) addresses.leave();
  assert.equal(addresses.enter(one), true);
});

test('connections that have ended do not count, as long as it can be told', () => {
  const addresses = new ClientAddresses(2, () => []);
  const one = Uint8Array.from([10, 0, 0, 1]).buffer;
  const other = Uint8Array.from([10, 0, 0, 2]).buffer;
  addresses.enter(one);
  for (let round = 0; round < 100; round++) {
    assert.equal(addresses.enter(one), true, `alone, ${round}`);
    addresses.leave();
  }
  addresses.enter(other);
  for (let round = 0; round < 100; round++) {
    assert.equal(addresses.enter(one), true, `beside another, ${round}`);
    addresses.leave();
  }
});

test('the sole address is known only while nobody else is or was connected meanwhile', () => {
  const addresses = new ClientAddresses(10, () => []);
  const first = new Uint8Array([10, 0, 0, 1]).buffer;
  const second = new Uint8Array([10, 0, 0, 2]).buffer;
  addresses.enter(first);
  addresses.enter(first);
  assert.equal(addresses.sole, '10.0.0.1');
  addresses.enter(second);
  assert.equal(addresses.sole, null);
  addresses.leave();
  addresses.enter(first);
  assert.equal(addresses.sole, null, 'nobody knows who has left');
  for (let left = 3; left > 0; left--) addresses.leave();
  addresses.enter(second);
  assert.equal(addresses.sole, '10.0.0.2');
});
