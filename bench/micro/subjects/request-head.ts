// Reading a client's request head: the guard and the header filter, and the look-up of a header's name.
//
// The listener's request is a stand-in, so its crossing from native code is not in these figures; the strings it
// hands over are new for every call, as the listener's are.

import assert from 'node:assert/strict';
import { HeaderNames, RequestHeader } from '../../../src/core/headers.ts';
import { type ClientRequest, RequestHead, RequestIds } from '../../../src/frontend/head.ts';
import { type MicroCase, type OpenCase, repeat } from '../case.ts';
import { FreshStrings, LIMITS, REQUEST_HEADERS_8, REQUEST_HEADERS_30 } from '../traffic.ts';

const HEADS_IN_BATCH = 100;
const NAMES_IN_BATCH = 1_000;
const TARGET = ['/v1/customers/417/orders', 'state=open&limit=50'] as const;
const ADDRESS = '203.0.113.9';
/** `connection` is for this hop, `x-forwarded-for` is written anew. */
const NOT_KEPT: ReadonlySet<string> = new Set(['connection', 'x-forwarded-for']);

/** The same head over and over, each time in strings of its own. */
class Requests implements ClientRequest {
  /** Which one is read. */
  index = 0;
  readonly #fields: number;
  readonly #strings: FreshStrings;

  constructor(headers: readonly string[]) {
    this.#fields = headers.length;
    this.#strings = new FreshStrings(
      Array.from({ length: HEADS_IN_BATCH }, () => ['GET', ...TARGET, ...headers]).flat(),
    );
  }

  refresh(): void {
    this.#strings.refresh();
  }

  getCaseSensitiveMethod(): string {
    return this.#at(0);
  }

  getUrl(): string {
    return this.#at(1);
  }

  getQuery(): string {
    return this.#at(2);
  }

  forEach(callback: (name: string, value: string) => void): void {
    for (let at = 3; at < this.#fields + 3; at += 2) callback(this.#at(at), this.#at(at + 1));
  }

  #at(place: number): string {
    return this.#strings.list[this.index * (this.#fields + 3) + place]!;
  }
}

function openRead(headers: readonly string[], addsForwarded: boolean): OpenCase {
  const requests = new Requests(headers);
  const head = new RequestHead(new RequestIds(0), new HeaderNames());
  const pairs = Array.from({ length: headers.length / 2 }, (_, at) => headers.slice(2 * at, 2 * at + 2));
  const kept = pairs.filter(([name]) => !NOT_KEPT.has(name!)).flat();
  function read(index: number): boolean {
    requests.index = index;
    if (head.read(requests, LIMITS, ADDRESS, true) !== null) return false;
    if (addsForwarded) head.addForwarded();
    return true;
  }
  const keptCount = kept.length + (addsForwarded ? countForwarded(headers) : 0);
  return repeat(
    () => {
      assert.ok(read(0));
      assert.equal(head.method, 'GET');
      assert.equal(head.path, TARGET[0]);
      assert.equal(head.target, TARGET.join('?'));
      assert.deepEqual(head.headers.slice(0, kept.length), kept);
      assert.equal(head.headers.includes(ADDRESS), addsForwarded && !headers.includes('x-forwarded-for'));
    },
    (index) => read(index) && head.headers.length === keptCount,
    () => requests.refresh(),
  );
}

/** Strings that addForwarded() adds: what is not there yet of proto, host and id; the address always. */
function countForwarded(headers: readonly string[]): number {
  const missing = ['x-forwarded-proto', 'x-forwarded-host', 'x-request-id'];
  return 2 * (1 + missing.filter((name) => !headers.includes(name)).length);
}

function openNames(names: readonly string[], kind: number): OpenCase {
  const known = new HeaderNames();
  const strings = new FreshStrings(
    Array.from({ length: NAMES_IN_BATCH }, (_, index) => names[index % names.length]!),
  );
  return repeat(
    () => {
      for (const name of names) assert.deepEqual(known.find(name), { name, kind });
    },
    (index) => known.find(strings.list[index]!).kind === kind,
    () => strings.refresh(),
  );
}

const LISTED = ['accept', 'user-agent', 'cookie', 'content-type', 'accept-encoding', 'authorization'];
const LEARNT = ['x-user', 'x-edge-country', 'cdn-loop', 'x-tenant', 'x-shard', 'x-edge-ray'];
/** Longer than what is remembered. */
const LONG = LEARNT.map((name) => `${name}-${'long'.repeat(16)}`);

export const requestHead: readonly MicroCase[] = [
  { name: 'read, 8 headers', batch: HEADS_IN_BATCH, open: () => openRead(REQUEST_HEADERS_8, false) },
  { name: 'read, 30 headers', batch: HEADS_IN_BATCH, open: () => openRead(REQUEST_HEADERS_30, false) },
  {
    name: 'read and add what is forwarded, 8 headers',
    batch: HEADS_IN_BATCH,
    open: () => openRead(REQUEST_HEADERS_8, true),
  },
  {
    name: 'look up a listed name',
    batch: NAMES_IN_BATCH,
    open: () => openNames(LISTED, RequestHeader.endToEnd),
  },
  {
    name: 'look up a learnt name',
    batch: NAMES_IN_BATCH,
    open: () => openNames(LEARNT, RequestHeader.endToEnd),
  },
  {
    name: 'look up a name too long to learn',
    batch: NAMES_IN_BATCH,
    open: () => openNames(LONG, RequestHeader.endToEnd),
  },
];
