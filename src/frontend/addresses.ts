// What is known of clients' addresses: their text, and how many connections each has.
//
// The listener tells of every new connection with its address, but of an end it does not tell whose. So an address's
// count can be too high by as many ends as were not told apart, and it is only refused when it is over its limit
// even without those; meanwhile the system's own table of connections is read to tell them apart.

import { readFile } from 'node:fs/promises';

/** Texts kept; clients beyond that are spelled out anew. */
const TEXTS_MAX = 10_000;
const RECOUNT_MS = 1_000;

/** RFC 5952 text of an address of 4 or 16 bytes; IPv4 in IPv6 as plain IPv4; empty for anything else. */
export function toAddressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return '';
  const isMapped =
    bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
  if (isMapped) return bytes.subarray(12).join('.');
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push((bytes[at]! << 8) | bytes[at + 1]!);
  // The longest run of two or more zero groups, the first of equals, is written as "::".
  let [start, length] = [-1, 1];
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === 0) to++;
    if (to - from > length) [start, length] = [from, to - from];
  }
  const hex = groups.map((group) => group.toString(16));
  if (start === -1) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}

export class ClientAddresses {
  readonly #limit: number;
  readonly #ports: () => readonly number[];
  readonly #threads: number;
  readonly #texts = new Map<number, string>();
  #counts = new Map<string, number>();
  #connections = 0;
  /** The address that all connections have had since there was none; null when they differ. */
  #sole: string | null = null;
  /** Ends since the last reading that were not told apart. */
  #unknownEnds = 0;
  #recounting = false;
  #recountedAt = Number.NEGATIVE_INFINITY;

  /**
   * `limit` connections from one address to this thread; `ports` are this process's own listening ports, shared by
   * so many `threads`.
   */
  constructor(limit: number, ports: () => readonly number[], threads = 1) {
    this.#limit = limit;
    this.#ports = ports;
    this.#threads = threads;
  }

  get connections(): number {
    return this.#connections;
  }

  /**
   * The address of every open connection, behind a load balancer for instance; null when they differ. Spares asking
   * the system for each request.
   */
  get sole(): string | null {
    return this.#sole;
  }

  toText(address: ArrayBuffer): string {
    const bytes = new Uint8Array(address);
    if (bytes.length !== 4) return toAddressText(bytes);
    const key = (bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!;
    let text = this.#texts.get(key);
    if (text === undefined) {
      text = toAddressText(bytes);
      if (this.#texts.size >= TEXTS_MAX) this.#texts.clear();
      this.#texts.set(key, text);
    }
    return text;
  }

  /** Counts a new connection; false when its address has too many, whoever has left. */
  enter(address: ArrayBuffer): boolean {
    const text = this.toText(address);
    if (this.#connections === 0) this.#sole = text;
    else if (text !== this.#sole) this.#sole = null;
    this.#connections++;
    const count = (this.#counts.get(text) ?? 0) + 1;
    this.#counts.set(text, count);
    if (count <= this.#limit) return true;
    if (this.#unknownEnds > 0) this.#recount();
    return count - this.#unknownEnds <= this.#limit;
  }

  leave(): void {
    this.#connections--;
    this.#unknownEnds++;
    if (this.#connections > 0 && this.#counts.size > 1) return;
    // Nobody is left, or only one who can have left.
    this.#unknownEnds = 0;
    const [only] = this.#counts.keys();
    this.#counts.clear();
    if (only !== undefined && this.#connections > 0) this.#counts.set(only, this.#connections);
  }

  /** Replaces the counts by the system's, in the background, at most once a second. */
  #recount(): void {
    const now = performance.now();
    if (this.#recounting || now - this.#recountedAt < RECOUNT_MS) return;
    this.#recounting = true;
    const endsBefore = this.#unknownEnds;
    void readConnections(new Set(this.#ports())).then((counts) => {
      this.#recounting = false;
      this.#recountedAt = performance.now();
      if (counts === null) return;
      // The system spreads connections over the threads evenly.
      for (const [text, count] of counts) counts.set(text, Math.ceil(count / this.#threads));
      this.#counts = counts;
      this.#unknownEnds -= endsBefore;
    });
  }
}

const ESTABLISHED = '01';

/** Established connections to the ports by client address, as Linux tells them; null where it does not. */
async function readConnections(ports: ReadonlySet<number>): Promise<Map<string, number> | null> {
  const counts = new Map<string, number>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let table: string;
    try {
      table = await readFile(file, 'latin1');
    } catch {
      if (file.endsWith('6')) continue;
      return null;
    }
    for (const line of table.split('\n').slice(1)) {
      const [, local, remote, state] = line.trim().split(/\s+/);
      if (state !== ESTABLISHED || !local || !remote) continue;
      if (!ports.has(Number.parseInt(local.slice(local.indexOf(':') + 1), 16))) continue;
      const text = toAddressText(parseKernelAddress(remote.slice(0, remote.indexOf(':'))));
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
  }
  return counts;
}

/** proc(5): words of four bytes, each in the machine's own order, which is little endian wherever umbra runs. */
function parseKernelAddress(hex: string): Uint8Array {
  const bytes = Buffer.from(hex, 'hex');
  return bytes.swap32();
}
