// "Ignore this field": in force for routes of the Admin API, a line of YAML for those of files.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { PATHS_MAX } from '../../src/config/defaults.ts';
import type { Route } from '../../src/core/model.ts';
import { sampleValue } from './admin-api-kit.ts';
import { type MirrorApi, openMirrorApi } from './mirror-api-kit.ts';
import { sampleRoute } from './sample.ts';

interface Plugins {
  readonly 'proxy-mirror'?: object;
  readonly 'umbra-compare'?: {
    readonly ignore_json_fields?: readonly string[];
    readonly ignore_headers?: readonly string[];
  };
}

const MIRRORED = { 'proxy-mirror': { host: 'http://127.0.0.1:9' } };

async function open(t: TestContext, plugins: object = {}, files: readonly Route[] = []): Promise<MirrorApi> {
  const api = await openMirrorApi(t, files);
  await api.catalog.change('routes', 'api', () =>
    sampleValue('/api', { plugins: { ...MIRRORED, ...plugins } }),
  );
  return api;
}

const DETAILED = { 'umbra-compare': { detailed_diff: true, max_mismatches: 7 } };

function ignore({ ask }: MirrorApi, field: string, route = 'api') {
  return ask('POST', `/mirrors/${route}/ignored`, { body: JSON.stringify({ field }) });
}

function readPlugins({ catalog }: MirrorApi): Plugins {
  return catalog.find('routes', 'api')!.value.plugins as Plugins;
}

function readRule({ ledger }: MirrorApi) {
  return ledger.row('api')!.entry.route.mirror!.compare!;
}

test('a rule is stored in the plugin beside what it had, and in force when it is answered', async (t) => {
  const api = await open(t, DETAILED);
  const before = api.ledger.row('api')!.entry.route.revision;
  const first = await ignore(api, 'body:meta.timestamp');
  assert.deepEqual(
    [first.status, first.body],
    [200, { applied: true, rule: 'ignore_json_fields: [meta.timestamp]' }],
  );
  assert.deepEqual(readRule(api).detail!.ignoreJsonFields, ['meta.timestamp']);
  const second = await ignore(api, 'header:x-id');
  assert.deepEqual([second.status, second.body], [200, { applied: true, rule: 'ignore_headers: [x-id]' }]);
  assert.deepEqual(readPlugins(api), {
    ...MIRRORED,
    'umbra-compare': {
      ...DETAILED['umbra-compare'],
      ignore_json_fields: ['meta.timestamp'],
      ignore_headers: ['x-id'],
    },
  });
  const rule = readRule(api);
  assert.ok(rule.detail!.ignoreHeaders.includes('x-id'));
  assert.equal(rule.maxMismatches, 7);
  assert.notEqual(api.ledger.row('api')!.entry.route.revision, before);
  assert.deepEqual(api.notes, [
    ['field ignored', { route: 'api', field: 'body:meta.timestamp' }],
    ['field ignored', { route: 'api', field: 'header:x-id' }],
  ]);
});

test('rules that are asked for at the same time are all there, each once, beside other changes', async (t) => {
  const api = await open(t, DETAILED);
  const fields = Array.from({ length: 20 }, (_, index) => `body:k${index % 10}`);
  const answers = await Promise.all([
    ...fields.map((field) => ignore(api, field)),
    api.catalog.change('routes', 'api', (item) => ({ ...item!.value, methods: ['GET'] })),
  ]);
  assert.ok(answers.slice(0, 20).every((answer) => (answer as { readonly status: number }).status === 200));
  const { ignore_json_fields } = readPlugins(api)['umbra-compare']!;
  assert.deepEqual(
    [...ignore_json_fields!].sort(),
    [...new Set(fields)].map((field) => field.slice(5)).sort(),
  );
  assert.deepEqual(api.catalog.find('routes', 'api')!.value.methods, ['GET']);
});

test('a route of a file is 409, with the line that its file needs', async (t) => {
  const api = await open(t, DETAILED, [sampleRoute({ id: 'filed' })]);
  const answer = await ignore(api, 'body:items[].id', 'filed');
  assert.equal(answer.status, 409);
  const { applied, rule, error, place } = answer.body as Record<string, unknown>;
  assert.deepEqual([applied, rule], [false, 'ignore_json_fields: ["items[].id"]']);
  assert.match(String(error), /route "filed" stands in a config file/);
  assert.equal(place, 'routes → id "filed" → mirror → compare');
  assert.deepEqual(api.notes, []);
});

test('where no fields are compared a rule would do nothing: 409 says why, and nothing is written', async (t) => {
  const cases = [
    [{}, /has no plugin umbra-compare/],
    [{ 'umbra-compare': { enabled: false } }, /switched off/],
    [{ 'umbra-compare': { enabled: true } }, /detailed_diff/],
  ] as const;
  for (const [plugins, reason] of cases) {
    const api = await open(t, plugins);
    const before = JSON.stringify(api.catalog.find('routes', 'api'));
    const answer = await ignore(api, 'body:id');
    assert.equal(answer.status, 409);
    const { applied, rule, error, place } = answer.body as Record<string, unknown>;
    assert.deepEqual([applied, rule, place], [false, 'ignore_json_fields: [id]', undefined]);
    assert.match(String(error), reason);
    assert.equal(JSON.stringify(api.catalog.find('routes', 'api')), before);
    assert.deepEqual(api.notes, []);
    await api.close();
  }
});

test('what no rule can ignore, and what is no such request, is 400 and changes nothing', async (t) => {
  const api = await open(t, DETAILED);
  const before = JSON.stringify(readPlugins(api));
  for (const field of ['status', 'body', '', 'x', 'header:', 'header:a b', `body:${'x'.repeat(2000)}`]) {
    const answer = await ignore(api, field);
    assert.equal(answer.status, 400, field);
    assert.match((answer.body as { readonly error: string }).error, /no rule can ignore/);
  }
  for (const body of ['', '{', '[]', 'null', '"x"', '{}', '{"field":1}', '{"field":"body:x","more":1}']) {
    const answer = await api.ask('POST', '/mirrors/api/ignored', { body });
    assert.equal(answer.status, 400, body);
    assert.match((answer.body as { readonly error: string }).error, /JSON object with the text "field"/);
  }
  assert.equal((await api.ask('POST', '/mirrors/api/ignored')).status, 400);
  assert.equal(JSON.stringify(readPlugins(api)), before);
  assert.equal((await api.ask('POST', '/mirrors/api/ignored', { body: 'x'.repeat(65 * 1024) })).status, 413);
});

test('a change that the catalog refuses is answered with its status and reason', async (t) => {
  const api = await open(t, DETAILED);
  // The next rule is one too many.
  const many = Array.from({ length: PATHS_MAX }, (_, index) => `k${index}`);
  await api.catalog.change('routes', 'api', (item) => ({
    ...item!.value,
    plugins: { ...MIRRORED, 'umbra-compare': { detailed_diff: true, ignore_json_fields: many } },
  }));
  const answer = await ignore(api, 'body:one.too.many');
  assert.equal(answer.status, 400);
  const { applied, rule, error } = answer.body as Record<string, unknown>;
  assert.deepEqual([applied, rule], [false, 'ignore_json_fields: [one.too.many]']);
  assert.match(String(error), /umbra-compare/);
  assert.equal(readPlugins(api)['umbra-compare']!.ignore_json_fields!.length, PATHS_MAX);
});

test('the rule of a service is taken over into the route', async (t) => {
  const api = await openMirrorApi(t, []);
  await api.catalog.change('services', 's', () => ({ plugins: { ...MIRRORED, ...DETAILED } }));
  await api.catalog.change('routes', 'api', () => sampleValue('/api', { service_id: 's' }));
  assert.equal((await ignore(api, 'body:id')).status, 200);
  assert.deepEqual(readPlugins(api)['umbra-compare'], {
    ...DETAILED['umbra-compare'],
    ignore_json_fields: ['id'],
  });
  assert.equal(readRule(api).maxMismatches, 7);
});
