// The JSON that the dashboard expects is the JSON that the admin listener writes: held by the compiler, and
// for the live stream at a real event.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FieldsView } from '../../src/control/mirror-api/field-view.ts';
import type { HistorySample } from '../../src/control/mirror-api/history.ts';
import type { LatencyView } from '../../src/control/mirror-api/latency-view.ts';
import type { EntryView, GroupView, MismatchesView } from '../../src/control/mirror-api/mismatch-view.ts';
import type { MirrorReport } from '../../src/control/mirrors.ts';
import type { Verdict as WrittenVerdict } from '../../src/control/verdict/verdict.ts';
import { createEventParser } from '../../src/dashboard/event-stream.ts';
import type {
  Entry,
  Fields,
  Group,
  Latency,
  LiveRoute,
  MirrorObject,
  MirrorsEvent,
  Mismatches,
  Sample,
  Verdict,
} from '../../src/dashboard/shapes.ts';
import { openScene, toShop } from './scene.ts';

/** Each name stands for what is written on the left and read on the right; it does not compile when they part. */
interface Agreements {
  readonly mirror: Agrees<MirrorReport, MirrorObject>;
  readonly entry: Agrees<EntryView, Entry>;
  readonly group: Agrees<GroupView, Group>;
  readonly mismatches: Agrees<MismatchesView, Mismatches>;
  readonly fields: Agrees<FieldsView, Fields>;
  readonly latency: Agrees<LatencyView, Latency>;
  readonly history: Agrees<HistorySample, Sample>;
  readonly verdict: Agrees<WrittenVerdict, Verdict>;
}
type Agrees<Written extends Read, Read> = Written;

const LIVE_KEYS: Readonly<
  Record<keyof LiveRoute, 'string' | 'number' | 'boolean' | 'object' | 'number?' | 'string?'>
> = {
  matched: 'number',
  total_mirrored: 'number',
  total_success: 'number',
  total_errors: 'number',
  total_compared: 'number',
  total_mismatches: 'number',
  noisy: 'number',
  reduced: 'number',
  answered_5xx: 'number',
  primary_errors: 'number',
  latency_p50_ms: 'number?',
  latency_p95_ms: 'number?',
  latency_p99_ms: 'number?',
  primary_latency_p50_ms: 'number?',
  primary_latency_p95_ms: 'number?',
  primary_latency_p99_ms: 'number?',
  skipped: 'object',
  dropped: 'object',
  errors: 'object',
  uncompared: 'object',
  in_flight: 'number',
  breaker: 'string',
  paused: 'boolean',
  requests: 'number',
  enabled: 'boolean',
  percentage: 'number',
  comparison: 'string',
  shadows: 'object',
  control: 'string?',
};

test('a live route has every field that the page reads, of the type that it expects', async (t) => {
  const scene = await openScene(t, { config: toShop });
  const agreed: (keyof Agreements)[] = [
    'mirror',
    'entry',
    'group',
    'mismatches',
    'fields',
    'latency',
    'history',
    'verdict',
  ];
  assert.equal(agreed.length, 8);
  await scene.send(2);
  const response = await fetch(`${scene.url}events`);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const parse = createEventParser();
  let events = parse('');
  while (events.length === 0) events = parse((await reader.read()).value ?? assert.fail('the stream ended'));
  await reader.cancel();
  assert.equal(events[0]!.name, 'mirrors');
  const { at, full, routes, removed } = JSON.parse(events[0]!.data) as MirrorsEvent;
  assert.ok(Math.abs(Date.now() - at) < 60_000);
  assert.deepEqual([full, Object.keys(routes), removed], [true, ['shop'], []]);
  const route = routes.shop as unknown as Record<string, unknown>;
  for (const [key, type] of Object.entries(LIVE_KEYS)) {
    if (type.endsWith('?') && route[key] === null) continue;
    assert.equal(typeof route[key], type.replace('?', ''), key);
  }
});
