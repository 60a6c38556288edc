// The JSON that a service might answer with: a list of orders below a head with a time stamp, of exactly so many bytes.
//
// Benchmarks of the comparison are measured with it: some sixteen fields to the KiB, three deep, numbers and lists among them.

const STAMP = '2026-01-01T00:00:00.000Z';

export interface JsonBody {
  readonly bytes: Buffer;
  /** Where the time stamp's characters begin; they may be written over in place. */
  readonly stampAt: number;
}

/** Needs 200 bytes at least. */
export function createJsonBody(length: number): JsonBody {
  const orders: unknown[] = [];
  const toText = (note: string): string =>
    JSON.stringify({ meta: { timestamp: STAMP, version: 3, region: 'eu-central' }, orders, note });
  while (toText('').length <= length) orders.push(toOrder(orders.length));
  orders.pop();
  const text = toText('x'.repeat(length - toText('').length));
  if (text.length !== length) throw new RangeError(`no body of ${length} bytes`);
  return { bytes: Buffer.from(text), stampAt: text.indexOf(STAMP) };
}

/** Puts another time there, of the same length. */
export function stamp({ bytes, stampAt }: JsonBody, time: Date): void {
  bytes.write(time.toISOString(), stampAt, 'latin1');
}

function toOrder(index: number): unknown {
  return {
    id: 417_000 + index,
    state: index % 3 === 0 ? 'open' : 'shipped',
    total: { amount: 19.5 + index, currency: 'EUR' },
    items: [
      { sku: `A-${100 + index}`, count: 1 + (index % 4) },
      { sku: `B-${200 + index}`, count: 2 },
    ],
    is_gift: index % 2 === 0,
    coupon: null,
  };
}
