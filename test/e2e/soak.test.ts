// A short run of the soak (test/soak/soak.ts), always with the same seed.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { runSoak } from '../soak/soak.ts';

const SECONDS = 8;
const SEED = 20_260_101;

it('clients and origins that do everything wrong get what they should, and leave nothing behind', async () => {
  const { counts } = await runSoak({ seconds: SECONDS, seed: SEED });
  for (const what of [
    'whole',
    'failed',
    'broken',
    'aborted',
    'mirrored: copies answered',
    'compared: copies failed',
  ]) {
    assert.ok((counts[what] ?? 0) > 0, `${what}: ${JSON.stringify(counts)}`);
  }
});
