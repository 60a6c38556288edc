// Rules that ignore a field: which fields have one, how it is written, and how it gets into a route of the Admin API.
//
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to the environment are among what is tested.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDocument } from 'yaml';
import { translateRoute } from '../../src/config/apisix/route.ts';
import { findObstacle, toIgnoreLine, toIgnoreRule, withIgnored } from '../../src/config/ignore-rule.ts';
import type { Tree } from '../../src/config/source.ts';
import { formatField } from '../../src/core/diff/json-path.ts';
import { parseMirror } from './kit.ts';

const seed = Date.now() | 0;
const RULE = { key: 'ignore_json_fields', value: 'a' } as const;
const HEADER = { key: 'ignore_headers', value: 'server' } as const;

function compareOf(route: Tree): unknown {
  return (route.plugins as Tree)['umbra-compare'];
}

test('headers and places in JSON have a rule', () => {
  assert.deepEqual(toIgnoreRule('header:x-request-id'), { key: 'ignore_headers', value: 'x-request-id' });
  assert.deepEqual(toIgnoreRule('body:items[].id'), { key: 'ignore_json_fields', value: 'items[].id' });
  assert.deepEqual(toIgnoreRule('body:["a.b"][]'), { key: 'ignore_json_fields', value: '["a.b"][]' });
});

test('statuses, whole bodies and what no rule may be called have none', () => {
  const fields = [
    'status',
    'body',
    'body:',
    'body:$',
    'header:',
    'header:a b',
    'x',
    '',
    'body:a[0]',
    'body:a..b',
  ];
  for (const field of [...fields, `body:${'a'.repeat(1025)}`, `header:${'a'.repeat(257)}`]) {
    assert.equal(toIgnoreRule(field), null, field);
  }
});

test('the line is YAML, with quotes where it needs them', () => {
  assert.equal(toIgnoreLine(HEADER), 'ignore_headers: [server]');
  assert.equal(toIgnoreLine({ ...RULE, value: 'meta.timestamp' }), 'ignore_json_fields: [meta.timestamp]');
  assert.equal(toIgnoreLine({ ...RULE, value: 'items[].id' }), 'ignore_json_fields: ["items[].id"]');
});

test(`whatever a shadow calls its fields, the line below compare ignores just that one (seed ${seed})`, () => {
  const key = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('*', '$', 'a.b', '${X}', '"', '\n', '__proto__', '# x', 'a: b', '- ', 'null', ' '),
  );
  const place = fc.array(fc.oneof(key, fc.nat({ max: 9 })), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(place, (steps) => {
      const rule = toIgnoreRule(`body:${formatField(steps)}`)!;
      const line = toIgnoreLine(rule);
      assert.ok(!line.includes('\n'), line);
      assert.deepEqual(parseDocument(line, { version: '1.2' }).errors, []);
      const { detail } = parseMirror(`compare:\n  detailed_diff: true\n  ${line}`).compare!;
      assert.deepEqual(detail?.ignoreJsonFields, [formatField(steps)]);
    }),
    { seed, numRuns: 500 },
  );
});

test('a rule has an effect only where fields are compared', () => {
  const plugin = (compare: unknown): Tree => ({ uri: '/', plugins: { 'umbra-compare': compare } });
  const cases: readonly (readonly [Tree, Tree | null, RegExp])[] = [
    [{ uri: '/' }, null, /^nothing is compared: the route has no plugin umbra-compare$/],
    [{ uri: '/', plugins: [] }, { upstream: {} }, /has no plugin/],
    [plugin({}), null, /^fields are not compared: .* no detailed_diff: true$/],
    [plugin([]), null, /no detailed_diff/],
    [plugin({ enabled: true }), null, /no detailed_diff/],
    [plugin({ enabled: false, detailed_diff: true }), null, /^nothing is compared: .* switched off$/],
    [plugin({ disable: true, detailed_diff: true }), null, /switched off/],
    [plugin({ _meta: { disable: true }, detailed_diff: true }), null, /switched off/],
    [plugin({}), plugin({ detailed_diff: true }), /no detailed_diff/],
    [{ uri: '/' }, plugin({ enabled: false }), /switched off/],
  ];
  for (const [route, service, expected] of cases) {
    assert.match(findObstacle(route, service) ?? '', expected, JSON.stringify(route));
    // As the route itself says, where it says anything.
    const mirrored = { ...route, plugins: { ...toMirrored(service), ...toMirrored(route) } };
    const { route: translated } = translateRoute('r', mirrored, () => undefined, {
      mirrorTimeouts: { connectMs: 1, sendMs: 1, readMs: 1 },
    });
    assert.equal(translated!.mirror!.compare?.detail ?? null, null, JSON.stringify(route));
  }
  for (const compare of [
    { detailed_diff: true },
    { detailed_diff: true, disable: true, _meta: { disable: false } },
  ]) {
    assert.equal(findObstacle(plugin(compare)), null);
    assert.equal(findObstacle({ uri: '/' }, plugin(compare)), null);
  }
});

function toMirrored(owner: Tree | null): object {
  return { 'proxy-mirror': { host: 'http://s' }, ...((owner?.plugins ?? {}) as object) };
}

test('what is there stays, and nothing is named twice', () => {
  const compare = { detailed_diff: true, ignore_headers: ['Server', 'x'], mask: ['m'] };
  const route = { uri: '/', plugins: { 'umbra-compare': compare } };
  assert.deepEqual(compareOf(withIgnored(route, HEADER)), compare);
  assert.deepEqual(compareOf(withIgnored(route, RULE)), { ...compare, ignore_json_fields: ['a'] });
  assert.deepEqual(withIgnored(withIgnored(route, RULE), RULE), withIgnored(route, RULE));
  assert.deepEqual(compareOf(withIgnored(route, { ...HEADER, value: 'y' })), {
    ...compare,
    ignore_headers: ['Server', 'x', 'y'],
  });
});

test("an empty table of Lua's is an empty list, and plugins that are none are begun", () => {
  const route = { uri: '/', plugins: { 'umbra-compare': { ignore_headers: {} } } };
  assert.deepEqual(compareOf(withIgnored(route, HEADER)), { ignore_headers: ['server'] });
  const listed = withIgnored({ uri: '/', plugins: [] }, HEADER, { plugins: {} });
  assert.deepEqual(Object.keys(listed.plugins as Tree), ['umbra-compare']);
});

test("what the service's plugin says is taken over, because the route's takes its place", () => {
  const service = { plugins: { 'umbra-compare': { detailed_diff: true, mask: ['m'] } } };
  assert.deepEqual(compareOf(withIgnored({ uri: '/', service_id: '1' }, RULE, service)), {
    detailed_diff: true,
    mask: ['m'],
    ignore_json_fields: ['a'],
  });
  const own = { uri: '/', plugins: { 'umbra-compare': { ignore_json_fields: ['b'] } } };
  assert.deepEqual(compareOf(withIgnored(own, RULE, service)), { ignore_json_fields: ['b', 'a'] });
});
