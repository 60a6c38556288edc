// Random comparisons and redactions of the model, within what umbra's own dialect can say.
//
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to the environment are among what is tested.

import fc from 'fast-check';
import type { Compare, Redaction } from '../../src/core/model.ts';

const MIB = 1024 * 1024;

const names = fc.uniqueArray(fc.constantFrom('x-a', 'authorization', 'cookie', 'true', 'null', '~', '1e3'), {
  maxLength: 3,
});
const jsonPath = fc.constantFrom(
  'meta.timestamp',
  'items[].id',
  '$',
  '$.a',
  '[]',
  '*',
  '*.b[][]',
  '["a.b"]',
  'null',
  'a: b',
  '${X}',
  '["\\n\\u0000"][]',
  '# a',
  '__proto__',
);
const jsonPaths = fc.uniqueArray(jsonPath, { maxLength: 4 });
/** Of up to 100 %, with so many digits as a percentage may have. */
const share = fc.oneof(
  fc
    .constantFrom('0', '1', '99.999999999', '100', '0.000000001', '33.3', '0.07')
    .map((n) => Number(`${n}e-2`)),
  fc.bigInt({ min: 0n, max: 100_000_000_000n }).map((n) => Number(`${n}e-11`)),
);
const amount = fc.oneof(
  share.map((largest) => ({ largest, isRelative: true })),
  fc
    .double({ min: 0, noDefaultInfinity: true, noNaN: true })
    .filter((largest) => !Object.is(largest, -0))
    .map((largest) => ({ largest, isRelative: false })),
);

export const randomCompare: fc.Arbitrary<Compare> = fc.record({
  logMismatches: fc.boolean(),
  detail: fc.option(
    fc.record({
      ignoreHeaders: names,
      ignoreJsonFields: jsonPaths,
      unordered: jsonPaths,
      tolerances: fc
        .uniqueArray(fc.tuple(jsonPath, amount), { maxLength: 3, selector: ([path]) => path })
        .map((list) => list.map(([path, amount]) => ({ path, ...amount }))),
      maxBodyCaptureBytes: fc.oneof(fc.integer({ min: 1, max: 1024 * MIB }), fc.constantFrom(1024, MIB)),
    }),
  ),
  mask: jsonPaths,
  maxMismatches: fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.constant(100)),
  thresholds: fc.record({
    minCompared: fc.oneof(fc.integer({ min: 1, max: 1_000_000 }), fc.constant(1000)),
    maxMismatch: fc.oneof(share, fc.double({ min: 0, max: 1, noNaN: true })),
    maxError: fc.oneof(share, fc.double({ min: 0, max: 1, noNaN: true })),
    maxP99Ratio: fc.option(fc.double({ min: 0, minExcluded: true, noDefaultInfinity: true, noNaN: true })),
  }),
});

export const randomRedaction: fc.Arbitrary<Redaction> = fc.record({
  headers: names,
  query: fc.uniqueArray(
    fc.oneof(
      fc.constantFrom('token', 'a: b', '${X}', '5', 'null', '# a', '[]', '*'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }),
    ),
    { maxLength: 3 },
  ),
  json: jsonPaths,
});
