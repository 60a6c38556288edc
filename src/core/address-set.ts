// Sets of IP addresses, as routes and the Admin API name them: single ones, or all that begin with the same bits.
//
// Owns the syntax `address` and `address/bits`, for IPv4 and IPv6. An IPv4 address and the IPv6 address that stands for it
// (`::ffff:1.2.3.4`) are the same one here. Asking costs as much as the set has different numbers of bits, however many
// addresses it has. Never throws for what it is asked.

const V4_BITS = 32;
const V6_BITS = 128;
/** IPv4 addresses are held as the IPv6 addresses that stand for them (RFC 4291 section 2.5.5.2). */
const MAPPED = 0xffffn << 32n;
const MAPPED_BITS = V6_BITS - V4_BITS;
/** No address is longer, even with an IPv4 tail. */
const TEXT_LENGTH_MAX = 45;

interface Block {
  readonly first: bigint;
  readonly bits: number;
}

/** What is wrong with the text of one member, without the text itself; null when nothing is. */
export function findAddressProblem(text: string): string | null {
  return toBlock(text) === null
    ? 'must be an IPv4 or IPv6 address, alone or with the number of its leading bits, as in 10.0.0.0/8'
    : null;
}

export class AddressSet {
  /** By number of bits: those bits of the members. */
  readonly #blocks = new Map<bigint, Set<bigint>>();

  /** For texts without problem. Bits beyond those that count are ignored. */
  constructor(texts: readonly string[]) {
    for (const text of texts) {
      const block = toBlock(text);
      if (block === null) throw new RangeError(`not an address: ${text}`);
      const shift = BigInt(V6_BITS - block.bits);
      const members = this.#blocks.get(shift);
      if (members === undefined) this.#blocks.set(shift, new Set([block.first >> shift]));
      else members.add(block.first >> shift);
    }
  }

  /** False for what is no address. */
  has(address: string): boolean {
    const value = parseAddress(address);
    if (value === null) return false;
    for (const [shift, members] of this.#blocks) {
      if (members.has(value >> shift)) return true;
    }
    return false;
  }
}

function toBlock(text: string): Block | null {
  const slash = text.indexOf('/');
  const first = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (first === null) return null;
  if (slash === -1) return { first, bits: V6_BITS };
  const digits = text.slice(slash + 1);
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(digits)) return null;
  const isV4 = !text.includes(':');
  const bits = Number(digits);
  if (bits > (isV4 ? V4_BITS : V6_BITS)) return null;
  return { first, bits: isV4 ? MAPPED_BITS + bits : bits };
}

/** An address as 128 bits; null when it is none. */
function parseAddress(text: string): bigint | null {
  if (text.length > TEXT_LENGTH_MAX) return null;
  if (text.includes(':')) return parseV6(text);
  const value = parseV4(text);
  return value === -1 ? null : MAPPED | BigInt(value);
}

/** -1 when it is none. */
function parseV4(text: string): number {
  const parts = text.split('.');
  if (parts.length !== 4) return -1;
  let value = 0;
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return -1;
    value = value * 256 + Number(part);
  }
  return value;
}

/** RFC 4291 section 2.2, without zone. */
function parseV6(text: string): bigint | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = toGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? toGroups(halves[1]!, true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  let value = 0n;
  for (const group of [...head, ...new Array<number>(missing).fill(0), ...tail]) {
    value = (value << 16n) | BigInt(group);
  }
  return value;
}

/** Groups of 16 bits; the last two may be written as an IPv4 address where the text ends the address. */
function toGroups(text: string, isLast: boolean): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (isLast && index === parts.length - 1 && part.includes('.')) {
      const value = parseV4(part);
      if (value === -1) return null;
      groups.push(Math.floor(value / 65_536), value % 65_536);
    } else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return null;
    }
  }
  return groups;
}
