// An example that fails to be made ends nothing, and what waits to be reported keeps no more than it counts for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { PathMatcher } from '../../src/core/diff/path-matcher.ts';
import { ExampleDraft, type ExampleRules, toBodySample } from '../../src/mirror/example.ts';
import { toHeadText } from './head.ts';
import { NO_REDACTION } from './rig.ts';

const HEAD = toHeadText('POST /\r\nhost: h\r\ncontent-type: application/json\r\n');

function toDraft(body: Uint8Array, masked: PathMatcher): ExampleDraft {
  const rules: ExampleRules = { redact: NO_REDACTION, masked };
  const parts = {
    ...{ timestampMs: 1, primaryStatus: 200, shadowStatus: 500, primaryLatencyMs: 1, shadowLatencyMs: 1 },
    ...{ diffs: [], isCut: false, bodyMethod: 'json', note: null },
  };
  return new ExampleDraft(rules, parts, HEAD, toBodySample(body));
}

test('a body on which masking fails is left out, and nothing is thrown', () => {
  // Stands for a defect: what is asked for each key of the body.
  const failing = {
    value: null,
    stepKey: () => {
      throw new TypeError('a bug');
    },
  } as unknown as PathMatcher;
  const mismatch = toDraft(Buffer.from('{"pin":"s3cret"}'), failing).toMismatch();
  assert.equal(mismatch.requestBody, null);
  assert.equal(mismatch.requestNote, 'the body was left out: masking it failed');
});

test('an example that waits keeps its own bytes, not its batch', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const open = (): { readonly draft: ExampleDraft; readonly batch: WeakRef<ArrayBuffer> } => {
    const batch = new Uint8Array(60_000);
    batch.set(Buffer.from('{"a":1}'));
    return { draft: toDraft(batch.subarray(0, 7), null), batch: new WeakRef(batch.buffer) };
  };
  const { draft, batch } = open();
  // What a reference was made to in this turn lives as long as the turn.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  assert.equal(batch.deref(), undefined);
  assert.equal(draft.toMismatch().requestBody, '{"a":1}');
});
