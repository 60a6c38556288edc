// Addresses as text, against the URL parser's spelling; connections of one address against their limit.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ClientAddresses, toAddressText } from '../../src/frontend/addresses.ts';

const SEED = Date.now() & 0x7fff_ffff;

function toBytes(...groups: readonly number[]): Uint8Array {
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

function toBuffer(...bytes: readonly number[]): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

describe('text of an address', () => {
  const cases: readonly (readonly [Uint8Array, string])[] = [
    [Uint8Array.of(192, 0, 2, 1), '192.0.2.1'],
    [Uint8Array.of(0, 0, 0, 0), '0.0.0.0'],
    // RFC 5952 sections 4.1 to 4.3.
    [toBytes(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), '2001:db8::1'],
    [toBytes(0x2001, 0xdb8, 0, 0, 0, 0, 2, 1), '2001:db8::2:1'],
    [toBytes(0x2001, 0xdb8, 0, 1, 1, 1, 1, 1), '2001:db8:0:1:1:1:1:1'],
    [toBytes(0x2001, 0, 0, 1, 0, 0, 0, 1), '2001:0:0:1::1'],
    [toBytes(0x2001, 0xdb8, 0, 0, 1, 0, 0, 1), '2001:db8::1:0:0:1'],
    [
      toBytes(0x2001, 0xdb8, 0xaaaa, 0xbbbb, 0xcccc, 0xdddd, 0xeeee, 0xaaaa),
      '2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa',
    ],
    [toBytes(0, 0, 0, 0, 0, 0, 0, 0), '::'],
    [toBytes(0, 0, 0, 0, 0, 0, 0, 1), '::1'],
    [toBytes(1, 0, 0, 0, 0, 0, 0, 0), '1::'],
    [toBytes(0, 0, 0, 0, 0, 0xffff, 0xc000, 0x201), '192.0.2.1'],
    [toBytes(0, 0, 0, 0, 0, 0xfffe, 0xc000, 0x201), '::fffe:c000:201'],
    [new Uint8Array(0), ''],
    [new Uint8Array(5), ''],
  ];
  for (const [bytes, text] of cases) {
    it(`${Buffer.from(bytes).toString('hex') || 'nothing'} is "${text}"`, () =>
      assert.equal(toAddressText(bytes), text));
  }

  it(`is spelled as the URL parser spells it (seed ${SEED})`, () => {
    const group = fc.oneof(fc.constant(0), fc.constant(0), fc.nat(0xffff));
    const groups = fc.array(group, { minLength: 8, maxLength: 8 });
    const property = fc.property(groups, (given) => {
      if (given.slice(0, 5).every((each) => each === 0) && given[5] === 0xffff) return;
      const url = new URL(`http://[${given.map((each) => each.toString(16)).join(':')}]/`);
      assert.equal(`[${toAddressText(toBytes(...given))}]`, url.hostname);
    });
    fc.assert(property, { seed: SEED, numRuns: 5_000 });
  });
});

describe('connections of an address', () => {
  const ports = (): readonly number[] => [];

  it('as many as the limit are let in, for each address on its own', () => {
    const addresses = new ClientAddresses(2, ports);
    for (const last of [1, 2]) {
      assert.equal(addresses.enter(toBuffer(192, 0, 2, last)), true);
      assert.equal(addresses.enter(toBuffer(192, 0, 2, last)), true);
      assert.equal(addresses.enter(toBuffer(192, 0, 2, last)), false);
    }
    assert.equal(addresses.connections, 6);
  });

  it('an IPv4 client counts the same behind an IPv6 socket', () => {
    const addresses = new ClientAddresses(1, ports);
    assert.equal(addresses.enter(toBuffer(192, 0, 2, 1)), true);
    const mapped = toBytes(0, 0, 0, 0, 0, 0xffff, 0xc000, 0x201);
    assert.equal(addresses.enter(mapped.buffer as ArrayBuffer), false);
  });

  it('everything is forgotten when nobody is left', () => {
    const addresses = new ClientAddresses(1, ports);
    assert.equal(addresses.enter(toBuffer(192, 0, 2, 1)), true);
    addresses.leave();
    assert.equal(addresses.connections, 0);
    assert.equal(addresses.enter(toBuffer(192, 0, 2, 1)), true);
  });

  it('texts stay right beyond as many addresses as are kept', () => {
    const addresses = new ClientAddresses(1, ports);
    for (let round = 0; round < 2; round++) {
      for (let number = 0; number < 25_000; number++) {
        const [high, low] = [number >> 8, number & 0xff];
        assert.equal(addresses.toText(toBuffer(198, high, low, 255)), `198.${high}.${low}.255`);
      }
    }
  });
});
