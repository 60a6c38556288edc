// The keys of the admin listener and of the store: what they mean, and who may be left without a key.

import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { listLines, listProblems, parse } from './kit.ts';

function problems(text: string): readonly string[] {
  return listProblems(text).map(({ path, rule }) => `${path} ${rule}`);
}

function store(keys: string): unknown {
  return parse(`store: { ${keys} }`).store;
}

function redis(url: string, keys = ''): unknown {
  const settings = parse(`store: { type: redis, url: "${url}"${keys} }`).store;
  return settings.type === 'redis' ? settings.redis : null;
}

const LOCAL = {
  nodes: [{ host: 'h', port: 6379 }],
  isCluster: false,
  username: null,
  password: null,
  database: 0,
  tls: false,
  timeoutMs: 1000,
};

test('every key of the admin listener reaches the model', () => {
  const text = `admin:
  listen: 127.0.0.1:1
  key: k
  viewer_key: v
  key_required: false
  key_file: keys/a
  allow: [127.0.0.0/8, "::1"]
  admin_api_version: default
  on_proxy_port: true
`;
  assert.deepEqual(parse(text).admin, {
    host: '127.0.0.1',
    port: 1,
    key: 'k',
    viewerKey: 'v',
    keyRequired: false,
    keyFile: resolve('keys/a'),
    allow: ['127.0.0.0/8', '::1'],
    apiVersion: 'default',
    onProxyPort: true,
  });
});

test('an empty key is none, and the generated one is kept beside the store', () => {
  const { admin } = parse('admin: { key: "", viewer_key: "" }\nstore: { type: file, path: there/r.json }');
  assert.deepEqual([admin.key, admin.viewerKey, admin.keyFile], [null, null, resolve('there/admin.key')]);
  const other = parse('store: { type: redis, url: "redis://h", path: here/cache.json }').admin;
  assert.equal(other.keyFile, resolve('here/admin.key'));
});

test('whoever can be reached from elsewhere needs a key that was chosen', () => {
  const off = 'admin: { listen: "0.0.0.0:1"';
  assert.deepEqual(problems(`${off} }`), ['admin.listen conflict']);
  assert.deepEqual(problems(`${off}, viewer_key: v }`), ['admin.listen conflict']);
  assert.deepEqual(problems(`${off}, key: k }`), []);
  assert.deepEqual(problems(`${off}, key: k, key_required: false }`), ['admin.key_required conflict']);
  assert.deepEqual(problems(`${off}, key: k, key_required: false, allow: [10.0.0.0/8] }`), []);
  assert.deepEqual(problems('admin: { on_proxy_port: true }'), ['admin.on_proxy_port conflict']);
  assert.deepEqual(problems('admin: { on_proxy_port: true, key: "" }'), ['admin.on_proxy_port conflict']);
  assert.deepEqual(problems('admin: { on_proxy_port: true, key: k }'), []);
  assert.deepEqual(problems('admin: { on_proxy_port: true, key: k, key_required: false }'), [
    'admin.key_required conflict',
  ]);
  assert.deepEqual(problems('admin: { key_required: false }'), []);
  // A key that is not right is one problem, not two.
  assert.deepEqual(problems('admin: { on_proxy_port: true, key: "a b" }'), ['admin.key format']);
});

test('bad keys of the admin listener are told at their place, and no key is shown', () => {
  assert.deepEqual(problems('admin: { key: same, viewer_key: same }'), ['admin.viewer_key conflict']);
  assert.deepEqual(problems('admin: { allow: [127.0.0.1, x, "1.2.3.4/33"] }'), [
    'admin.allow[1] format',
    'admin.allow[2] format',
  ]);
  assert.deepEqual(problems('admin: { allow: [] }'), ['admin.allow range']);
  assert.deepEqual(problems('admin: { admin_api_version: v2 }'), ['admin.admin_api_version choice']);
  for (const name of ['key', 'viewer_key']) {
    const lines = listLines(`admin: { ${name}: "sécret" }`);
    assert.equal(lines.length, 1);
    assert.doesNotMatch(lines[0]!, /cret/);
  }
  assert.doesNotMatch(listLines('admin: { key: same-key, viewer_key: same-key }').join(), /same-key/);
});

test('a store is a file, or a Redis server by its address', () => {
  assert.deepEqual(store('type: file'), { type: 'file', path: resolve('data/routes.json') });
  assert.deepEqual(store('type: file, path: /var/lib/r.json'), { type: 'file', path: '/var/lib/r.json' });
  assert.deepEqual(store('type: redis, url: "redis://h"'), {
    type: 'redis',
    redis: LOCAL,
    prefix: 'umbra',
    cachePath: resolve('data/routes.cache.json'),
  });
  assert.deepEqual(store('type: redis, url: "redis://h", prefix: "a:b", path: c.json, timeout: 50ms'), {
    type: 'redis',
    redis: { ...LOCAL, timeoutMs: 50 },
    prefix: 'a:b',
    cachePath: resolve('c.json'),
  });
});

test("a Redis server's address has user, password, port and database, percent-encoded", () => {
  const node = (host: string, port: number) => ({ ...LOCAL, nodes: [{ host, port }] });
  assert.deepEqual(redis('redis://H:7000/3'), { ...node('h', 7000), database: 3 });
  assert.deepEqual(redis('redis://h/'), LOCAL);
  assert.deepEqual(redis('rediss://u:p%40%2F%3A@10.0.0.1'), {
    ...node('10.0.0.1', 6379),
    username: 'u',
    password: 'p@/:',
    tls: true,
  });
  assert.deepEqual(redis('redis://:p@[::1]:1'), { ...node('::1', 1), password: 'p' });
  assert.deepEqual(redis('redis://u@h'), { ...LOCAL, username: 'u' });
});

test('what is no address of a Redis server is a problem that does not show it', () => {
  const wrong = [
    'http://h',
    'redis:h',
    'redis://',
    'redis://h:x',
    'redis://h:0',
    'redis://h:65536',
    'redis://h/a',
    'redis://h/1/2',
    'redis://h/-1',
    'redis://h/?db=1',
    'redis://h#x',
    'redis://u:%zz@h',
    'redis://a b',
    'redis:///1',
    'redis://h/12345678901',
  ];
  for (const url of wrong)
    assert.deepEqual(problems(`store: { type: redis, url: "${url}" }`), ['store.url format'], url);
  const line = listLines('store: { type: redis, url: "redis://:secret@h/x" }').join();
  assert.doesNotMatch(line, /secret/);
});

test('keys of the other kind of store are a problem', () => {
  assert.deepEqual(problems('store: { type: file, url: "redis://h" }'), ['store.url conflict']);
  assert.deepEqual(problems('store: { type: file, prefix: a, timeout: 1s }'), [
    'store.prefix conflict',
    'store.timeout conflict',
  ]);
  assert.deepEqual(problems('store: { type: redis }'), ['store.url required']);
  assert.deepEqual(problems('store: { type: redis, url: "redis://h", prefix: "a b" }'), [
    'store.prefix format',
  ]);
  assert.deepEqual(problems('store: { type: redis, url: "redis://h", timeout: 0ms }'), [
    'store.timeout range',
  ]);
});
