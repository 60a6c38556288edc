// The catalog: what is refused changes nothing, what is taken is stored and in force, and files win over the store.

import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CatalogItem, Refusal } from '../../src/control/catalog.ts';
import { type CatalogOptions, createCatalog, type RouteCatalog } from '../../src/control/route-catalog.ts';
import { createFileStore } from '../../src/control/store/file.ts';
import {
  type Change,
  type JsonObject,
  type Store,
  StoreConflict,
  type StoredResources,
  StoreUnavailable,
} from '../../src/control/store/store.ts';
import type { Route } from '../../src/core/model.ts';
import { sampleRoute } from './sample.ts';
import { NO_HOOKS, openFolder } from './store-kit.ts';

const MIRROR_TIMEOUTS = { connectMs: 60_000, sendMs: 60_000, readMs: 60_000 };
const UPSTREAM = { type: 'roundrobin', nodes: { '127.0.0.1:1999': 1 } };
const HELLO = { uri: '/hello', upstream: UPSTREAM };

interface Rig {
  readonly catalog: RouteCatalog;
  readonly path: string;
  /** Every set of routes that was put in force, the one at the start first. */
  readonly applied: (readonly Route[])[];
  readonly warnings: string[];
  /** In force now. */
  ids(): string[];
  put(kind: 'routes' | 'upstreams' | 'services', id: string, value: JsonObject): Promise<CatalogItem | null>;
  remove(kind: 'routes' | 'upstreams' | 'services', id: string, force?: boolean): Promise<CatalogItem | null>;
}

interface RigOptions extends Partial<Pick<CatalogOptions, 'bounds' | 'apply'>> {
  readonly path?: string;
  readonly files?: readonly Route[];
  /** Stands between the catalog and the real store. */
  readonly wrap?: (store: Store, catalog: () => RouteCatalog) => Store;
}

async function openRig(context: TestContext, options: RigOptions = {}): Promise<Rig> {
  const { path = join(openFolder(context), 'routes.json'), files = [], wrap = (store) => store } = options;
  const applied: (readonly Route[])[] = [];
  const warnings: string[] = [];
  const catalog: RouteCatalog = createCatalog({
    files: { routes: files, mirrorTimeouts: MIRROR_TIMEOUTS },
    apply: async (routes) => {
      await options.apply?.(routes);
      applied.push(routes);
    },
    onWarning: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`),
    ...(options.bounds === undefined ? {} : { bounds: options.bounds }),
  });
  const store = createFileStore(path, NO_HOOKS);
  applied.push(await catalog.open(wrap(store, () => catalog)));
  return {
    catalog,
    path,
    applied,
    warnings,
    ids: () => applied.at(-1)!.map((route) => route.id),
    put: (kind, id, value) => catalog.change(kind, id, () => value),
    remove: (kind, id, force = false) => catalog.change(kind, id, () => null, { force }),
  };
}

async function refusalOf(change: Promise<unknown>): Promise<[number, unknown]> {
  const refusal = await change.then(
    () => assert.fail('it was taken'),
    (error: unknown) => error,
  );
  assert.ok(refusal instanceof Refusal, String(refusal));
  return [refusal.status, refusal.body.error_msg];
}

function text(path: string): string {
  return readFileSync(path, 'utf8');
}

test('a change is stored with id and times, in force, and survives a restart', async (context) => {
  const rig = await openRig(context);
  const before = Math.floor(Date.now() / 1000);
  const item = await rig.put('routes', '1', HELLO);
  const { id, create_time: created, update_time: updated, ...own } = item!.value;
  assert.deepEqual([id, own], ['1', HELLO]);
  assert.ok(created === updated && Number(created) >= before && Number(created) <= Date.now() / 1000);
  assert.deepEqual([item!.createdIndex, item!.modifiedIndex, item!.isReadOnly], [1, 1, false]);
  assert.deepEqual(rig.ids(), ['1']);
  assert.equal(rig.applied.length, 2);
  await rig.catalog.close();
  const again = await openRig(context, { path: rig.path });
  assert.deepEqual(again.applied, [rig.applied[1]]);
  assert.deepEqual(again.catalog.find('routes', '1'), item);
  assert.equal(again.catalog.status().lastChangeMs, Number(updated) * 1000);
});

test('the time of creation survives, and no client decides the times or the id', async (context) => {
  const rig = await openRig(context);
  const first = await rig.put('routes', '1', HELLO);
  const own = { ...HELLO, uri: '/b', id: '7', create_time: 1, update_time: 2 };
  const second = await rig.put('routes', '1', own);
  assert.equal(second!.value.create_time, first!.value.create_time);
  assert.equal(second!.value.id, '1');
  assert.ok(Number(second!.value.update_time) > 2);
  assert.deepEqual([second!.createdIndex, second!.modifiedIndex], [1, 2]);
});

test('a refused change leaves the store, the list and the front ends as they were', async (context) => {
  const rig = await openRig(context);
  await rig.put('routes', '1', HELLO);
  const stored = text(rig.path);
  const wrong = [
    { uri: 5, upstream: UPSTREAM },
    { ...HELLO, plugins: { 'proxy-mirror': { host: 'no origin' } } },
    { uri: '/a', upstream_id: '9' },
    { uri: '/a', service_id: 9 },
  ];
  for (const value of wrong) {
    const [status] = await refusalOf(rig.put('routes', '1', value));
    assert.equal(status, 400, JSON.stringify(value));
    assert.equal((await refusalOf(rig.put('routes', '2', value)))[0], 400);
  }
  assert.deepEqual(await refusalOf(rig.put('routes', '2', { uri: '/a', upstream_id: '9' })), [
    400,
    'failed to fetch upstream info by upstream id [9], response code: 404',
  ]);
  assert.deepEqual(await refusalOf(rig.put('services', '2', { upstream_id: 9 })), [
    400,
    'failed to fetch upstream info by upstream id [9], response code: 404',
  ]);
  const error = new Error('of the edit');
  await assert.rejects(
    rig.catalog.change('routes', '1', () => {
      throw error;
    }),
    error,
  );
  assert.equal(text(rig.path), stored);
  assert.equal(rig.applied.length, 2);
  assert.equal(rig.catalog.list('routes').length, 1);
  assert.equal(rig.catalog.status().writes, 1);
});

test('an upstream or service in use cannot be removed, unless by force', async (context) => {
  const rig = await openRig(context);
  await rig.put('upstreams', '1', UPSTREAM);
  await rig.put('services', 's', { upstream_id: 1 });
  assert.deepEqual(await refusalOf(rig.remove('upstreams', '1')), [
    400,
    'can not delete this upstream, service [s] is still using it now',
  ]);
  await rig.put('routes', 'r', { uri: '/r', upstream_id: '1' });
  await rig.put('routes', 'q', { uri: '/q', service_id: 's' });
  assert.deepEqual(await refusalOf(rig.remove('upstreams', '1')), [
    400,
    'can not delete this upstream, route [r] is still using it now',
  ]);
  assert.deepEqual(await refusalOf(rig.remove('services', 's')), [
    400,
    'can not delete this service directly, route [q] is still using it now',
  ]);
  // Its routes go on, and have nobody to ask.
  assert.equal(await rig.remove('upstreams', '1', true), null);
  assert.deepEqual(rig.ids(), ['r', 'q']);
  assert.deepEqual(
    rig.applied.at(-1)!.map((route) => route.backends),
    [[], []],
  );
  // A route without its service is not in force, and says so.
  await rig.remove('services', 's', true);
  assert.deepEqual(rig.ids(), ['r']);
  assert.deepEqual(rig.warnings, [
    'a stored route is not in force {"route":"q","reason":"there is no service [s]"}',
  ]);
  assert.equal(rig.catalog.status().idle.invalid, 1);
  // Both come back with what they miss.
  await rig.put('upstreams', '1', UPSTREAM);
  await rig.put('services', 's', { upstream_id: '1' });
  assert.deepEqual(rig.ids(), ['r', 'q']);
  assert.deepEqual(
    rig.applied.at(-1)!.map((route) => route.backends.length),
    [1, 1],
  );
  assert.equal(rig.catalog.status().idle.invalid, 0);
});

test('a changed upstream or service changes the routes that use it, and no others', async (context) => {
  const rig = await openRig(context);
  await rig.put('upstreams', 'u', UPSTREAM);
  await rig.put('services', 's', { upstream_id: 'u' });
  await rig.put('routes', 'direct', { uri: '/a', upstream_id: 'u' });
  await rig.put('routes', 'by-service', { uri: '/b', service_id: 's' });
  await rig.put('routes', 'other', { uri: '/c', upstream: UPSTREAM });
  const before = rig.applied.at(-1)!;
  await rig.put('upstreams', 'u', { type: 'roundrobin', nodes: { '127.0.0.1:2000': 1 } });
  const after = rig.applied.at(-1)!;
  assert.deepEqual(
    after.map((route) => route.backends[0]!.origin),
    ['http://127.0.0.1:2000', 'http://127.0.0.1:2000', 'http://127.0.0.1:1999'],
  );
  assert.deepEqual(
    after.map((route, index) => route.revision === before[index]!.revision),
    [false, false, true],
  );
  assert.equal(after[2], before[2]);
});

test('an upstream that its routes could not use any more is refused', async (context) => {
  const rig = await openRig(context);
  await rig.put('upstreams', 'u', UPSTREAM);
  await rig.put('routes', 'r', { uri: '/a', upstream_id: 'u' });
  // The schema takes any address, and the translation only what can be connected to.
  const wrong = { type: 'roundrobin', nodes: { '127.0.0.1:99999': 1 } };
  const [status, message] = await refusalOf(rig.put('upstreams', 'u', wrong));
  assert.equal(status, 400);
  assert.equal(rig.catalog.find('upstreams', 'u')!.modifiedIndex, 1, String(message));
  assert.equal(rig.applied.at(-1)![0]!.backends[0]!.origin, 'http://127.0.0.1:1999');
});

test('routes of files come first, are shown, and are changed in their file alone', async (context) => {
  const rig = await openRig(context, { files: [sampleRoute({ id: 'f1' }), sampleRoute({ id: 'f2' })] });
  await rig.put('routes', '1', HELLO);
  assert.deepEqual(rig.ids(), ['f1', 'f2', '1']);
  assert.deepEqual(
    rig.catalog.list('routes').map(({ id, isReadOnly }) => [id, isReadOnly]),
    [
      ['f1', true],
      ['f2', true],
      ['1', false],
    ],
  );
  const { value } = rig.catalog.find('routes', 'f1')!;
  assert.equal((value.labels as JsonObject).umbra_source, 'file');
  const [status, message] = await refusalOf(rig.put('routes', 'f1', HELLO));
  assert.equal(status, 405);
  assert.match(String(message), /route \[f1\] stands in a config file/);
  assert.equal((await refusalOf(rig.remove('routes', 'f1', true)))[0], 405);
  // Files have no upstreams of their own here, so their ids are free.
  await rig.put('upstreams', 'f1', UPSTREAM);
});

test('a stored route whose id a file takes gives way, is told once, and comes back', async (context) => {
  const rig = await openRig(context);
  await rig.put('routes', '1', HELLO);
  await rig.put('routes', '2', { ...HELLO, uri: '/two' });
  const replace = (ids: readonly string[]): Promise<void> =>
    rig.catalog.replaceFiles({
      routes: ids.map((id) => sampleRoute({ id })),
      mirrorTimeouts: MIRROR_TIMEOUTS,
    });
  await replace(['1']);
  await replace(['1', 'f']);
  assert.deepEqual(rig.ids(), ['1', 'f', '2']);
  assert.equal(rig.applied.at(-1)![0]!.paths[0]!.path, '/1');
  assert.deepEqual(rig.warnings, [
    'a stored route is not in force {"route":"1","reason":"a config file has a route with this id"}',
  ]);
  assert.deepEqual(
    rig.catalog.list('routes').map(({ id, isReadOnly }) => [id, isReadOnly]),
    [
      ['1', true],
      ['f', true],
      ['2', false],
    ],
  );
  const { inForce, idle } = rig.catalog.status();
  assert.deepEqual([inForce, idle.shadowed], [{ file: 2, admin_api: 1 }, 1]);
  await replace([]);
  assert.deepEqual(rig.ids(), ['1', '2']);
  assert.equal(rig.applied.at(-1)![0]!.paths[0]!.path, '/hello');
  await replace(['1']);
  assert.equal(rig.warnings.length, 2);
});

test('a switched-off route is in the list and not in force', async (context) => {
  const rig = await openRig(context);
  await rig.put('routes', '1', { ...HELLO, status: 0 });
  assert.deepEqual(rig.ids(), []);
  assert.equal(rig.catalog.status().idle.disabled, 1);
  await rig.put('routes', '1', HELLO);
  assert.deepEqual(rig.ids(), ['1']);
});

test('a stored route that is no longer right keeps nobody from starting, and can be repaired', async (context) => {
  const path = join(openFolder(context), 'routes.json');
  const store = createFileStore(path, NO_HOOKS);
  await store.open();
  const bad = { uri: '/bad', upstream: UPSTREAM, plugins: { 'proxy-mirror': { host: 'ftp://x' } } };
  for (const [id, value] of [
    ['good', HELLO],
    ['bad', bad],
    ['lost', { uri: '/l', service_id: 'gone' }],
    ['odd', { uri: '/o', upstream: UPSTREAM, labels: { '50%': 1 } }],
    ['by service', { uri: '/s', service_id: 'odd' }],
    ['by mirror', { uri: '/m', service_id: 'mirrored' }],
    ['by upstream', { uri: '/u', upstream_id: 'odd' }],
    ['by both', { uri: '/b', service_id: 'indirect' }],
    ['half', { uri: '/h', upstream_id: 'half' }],
  ] as const) {
    await store.write({ kind: 'routes', id, value, basis: null });
  }
  for (const [kind, id, value] of [
    ['services', 'odd', { upstream: UPSTREAM, hosts: 5 }],
    ['services', 'mirrored', { upstream: UPSTREAM, plugins: { 'proxy-mirror': { host: 5 } } }],
    ['services', 'indirect', { upstream_id: 'odd' }],
    ['upstreams', 'odd', { nodes: { 'a:1': 'x' } }],
    ['upstreams', 'half', { nodes: [{ host: 'a', port: 1, weight: 1.5 }] }],
  ] as const) {
    await store.write({ kind, id, value, basis: null });
  }
  await store.close();
  const rig = await openRig(context, { path });
  assert.deepEqual(rig.ids(), ['good']);
  assert.equal(rig.warnings.length, 8);
  assert.match(rig.warnings[3]!, /"route":"by service","reason":"service \[odd\]: .*hosts/);
  assert.match(rig.warnings[4]!, /"route":"by mirror","reason":"service \[mirrored\]: .*host/);
  for (const at of [5, 6]) assert.match(rig.warnings[at]!, /"reason":"upstream \[odd\]: .*nodes/);
  assert.match(rig.warnings[7]!, /"reason":"upstream \[half\]: .*nodes/);
  assert.match(rig.warnings[0]!, /"route":"bad","reason":".*proxy-mirror/);
  assert.match(rig.warnings[1]!, /"route":"lost","reason":"there is no service \[gone\]"/);
  assert.equal(rig.catalog.find('routes', 'bad')!.value, rig.catalog.list('routes')[1]!.value);
  await rig.put('routes', 'bad', { ...HELLO, uri: '/bad' });
  assert.deepEqual(rig.ids(), ['good', 'bad']);
  assert.equal(rig.catalog.status().idle.invalid, 7);
});

test('changes that are asked for at once are made one after the other, each on what the one before left', async (context) => {
  let running = 0;
  const rig = await openRig(context, {
    apply: async () => {
      running++;
      assert.equal(running, 1);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    },
  });
  const count = (item: CatalogItem | undefined): number =>
    Number((item?.value.labels as JsonObject | undefined)?.count ?? 0);
  const changes = Array.from({ length: 50 }, () =>
    rig.catalog.change('routes', '1', (item) => ({ ...HELLO, labels: { count: String(count(item) + 1) } })),
  );
  const items = await Promise.all(changes);
  assert.deepEqual(
    items.map((item) => count(item!)),
    Array.from({ length: 50 }, (_, index) => index + 1),
  );
  assert.equal(rig.applied.length, 51);
});

/** Lets somebody else change the resource just before the first `times` writes. */
function interfere(times: number): NonNullable<RigOptions['wrap']> {
  return (store, catalog) => {
    let left = times;
    return {
      open: () => store.open(),
      isWritable: () => store.isWritable(),
      health: () => store.health(),
      close: () => store.close(),
      async write(change: Change) {
        if (left-- <= 0) return store.write(change);
        const value = { ...HELLO, uri: `/foreign/${left}` };
        const stored = await store.write({ ...change, value });
        const news: StoredResources = new Map([[`routes/${change.id}`, stored!]]);
        // As a store that is told by its server: at once or later.
        if (left % 2 === 0) catalog().takeNews(news);
        else setImmediate(() => catalog().takeNews(news));
        throw new StoreConflict('somebody else was faster');
      },
    };
  };
}

test('when somebody else was faster the edit is made anew on what there is then', async (context) => {
  const rig = await openRig(context, { wrap: interfere(3) });
  const seen: unknown[] = [];
  const item = await rig.catalog.change('routes', '1', (before) => {
    seen.push(before?.value.uri);
    return { ...HELLO, uri: `/${seen.length}` };
  });
  assert.deepEqual(seen, [undefined, '/foreign/2', '/foreign/1', '/foreign/0']);
  assert.equal(item!.value.uri, '/4');
  assert.equal(rig.applied.at(-1)![0]!.paths[0]!.path, '/4');
});

test('somebody who is faster all the time gets the change refused', async (context) => {
  const rig = await openRig(context, { wrap: interfere(Number.POSITIVE_INFINITY) });
  const [status, message] = await refusalOf(rig.put('routes', '1', HELLO));
  assert.equal(status, 503);
  assert.match(String(message), /being changed by others all the time/);
});

test('news of the store are put in force, also when the change that saw them first is refused', async (context) => {
  const rig = await openRig(context);
  const stored = (id: string, index: number, uri: string) =>
    [
      `routes/${id}`,
      {
        kind: 'routes' as const,
        id,
        value: { ...HELLO, uri, id, create_time: 1, update_time: index },
        createdIndex: index,
        modifiedIndex: index,
      },
    ] as const;
  rig.catalog.takeNews(new Map([stored('b', 5, '/b'), stored('a', 4, '/a')]));
  await refusalOf(rig.put('routes', 'c', { uri: 5 }));
  await rig.put('upstreams', 'u', UPSTREAM);
  assert.deepEqual(rig.ids(), ['a', 'b']);
  rig.catalog.takeNews(new Map([stored('b', 5, '/b')]));
  await rig.put('upstreams', 'u2', UPSTREAM);
  assert.deepEqual(rig.ids(), ['b']);
  assert.equal(rig.applied.at(-1)![0], rig.applied.at(-2)![0]);
});

test('a store that cannot be written to is 503, and the next change is taken again', async (context) => {
  let isFull = true;
  const rig = await openRig(context, {
    wrap: (store) => ({
      open: () => store.open(),
      isWritable: () => store.isWritable(),
      health: () => store.health(),
      close: () => store.close(),
      write: (change) =>
        isFull ? Promise.reject(new StoreUnavailable('no space left on the device')) : store.write(change),
    }),
  });
  assert.deepEqual(await refusalOf(rig.put('routes', '1', HELLO)), [
    503,
    'routes cannot be changed now: no space left on the device',
  ]);
  assert.deepEqual([rig.ids(), rig.catalog.find('routes', '1')], [[], undefined]);
  assert.equal(rig.catalog.status().writeErrors, 1);
  isFull = false;
  await rig.put('routes', '1', HELLO);
  assert.deepEqual(rig.ids(), ['1']);
});

test('a file that is damaged fails the start and is not touched', async (context) => {
  const path = join(openFolder(context), 'routes.json');
  writeFileSync(path, '{"format":1,');
  chmodSync(path, 0o600);
  await assert.rejects(
    openRig(context, { path }),
    /routes\.json: routes cannot be read from it: it is damaged/,
  );
  assert.equal(text(path), '{"format":1,');
});

test('when the front ends fail to take a change the next one puts both in force', async (context) => {
  let isBroken = true;
  const rig = await openRig(context, {
    apply: async () => {
      if (isBroken) throw new Error('broken');
    },
  });
  await assert.rejects(rig.put('routes', '1', HELLO), /broken/);
  isBroken = false;
  await rig.put('routes', '2', { ...HELLO, uri: '/two' });
  assert.deepEqual(rig.ids(), ['1', '2']);
});

test('a store takes as many resources of a kind, and as many bytes, as its bounds say', async (context) => {
  const bytes = Buffer.byteLength(JSON.stringify({ ...HELLO, id: '1', create_time: 1e9, update_time: 1e9 }));
  const rig = await openRig(context, { bounds: { resources: 2, bytes: 2 * bytes } });
  await rig.put('routes', '1', HELLO);
  await rig.put('routes', '2', HELLO);
  const longer = { ...HELLO, uri: '/hello1' };
  assert.deepEqual(await refusalOf(rig.put('routes', '2', longer)), [
    507,
    `the store would have ${2 * bytes + 1} bytes of values, and takes ${2 * bytes} at most`,
  ]);
  assert.deepEqual(await refusalOf(rig.put('routes', '3', HELLO)), [
    507,
    'the store has 2 routes, and takes 2 at most',
  ]);
  await rig.remove('routes', '1');
  await rig.put('routes', '2', longer);
  assert.equal((await refusalOf(rig.put('routes', '3', HELLO)))[0], 507);
  await rig.remove('routes', '2');
  await rig.put('routes', '3', HELLO);
});

test('a generated id has twenty digits, is free, and grows', async (context) => {
  const rig = await openRig(context);
  const ids = Array.from({ length: 100 }, () => rig.catalog.newId('routes'));
  for (const id of ids) assert.match(id, /^\d{20}$/);
  assert.deepEqual(ids, [...new Set(ids)].sort());
});

test('with five thousand routes a change still takes milliseconds of the processor', async (context) => {
  const rig = await openRig(context);
  const resources: StoredResources = new Map(
    Array.from({ length: 5_000 }, (_, index) => {
      const id = `r${index}`;
      const value = { ...HELLO, uri: `/${id}`, id };
      const at = index + 1;
      return [`routes/${id}`, { kind: 'routes' as const, id, value, createdIndex: at, modifiedIndex: at }];
    }),
  );
  rig.catalog.takeNews(resources);
  await rig.put('upstreams', 'u', UPSTREAM);
  assert.equal(rig.ids().length, 5_000);
  const startedAt = process.cpuUsage();
  for (let index = 0; index < 20; index++) await rig.put('routes', `n${index}`, HELLO);
  const used = process.cpuUsage(startedAt);
  const eachMs = (used.user + used.system) / 1000 / 20;
  assert.equal(rig.ids().length, 5_020);
  // To translate all of them anew would take more than that each time.
  assert.ok(eachMs < 100, `${eachMs} ms`);
  const [before, after] = rig.applied.slice(-2);
  assert.ok(before!.every((route, index) => route === after![index]));
});

test('all routes together have as many pairs of host and path as their bound says', async (context) => {
  const rig = await openRig(context);
  const toUris = (count: number) => Array.from({ length: count }, (_, index) => `/${index}`);
  const hosts = Array.from({ length: 16 }, (_, index) => `h${index}.example`);
  const wide = { upstream: UPSTREAM, hosts, uris: toUris(250) };
  for (let id = 0; id < 50; id++) await rig.put('routes', String(id), wide);
  await assert.rejects(
    rig.put('routes', 'more', { ...HELLO, uri: '/more' }),
    (error: Refusal) => error.status === 507 && /at most 200000 pairs .* found 200001/.test(error.message),
  );
  assert.equal(rig.ids().length, 50);
  await rig.put('routes', '0', { ...wide, uris: toUris(249) });
  await rig.put('routes', 'more', { ...HELLO, uri: '/more' });
  assert.equal(rig.ids().length, 51);
});
