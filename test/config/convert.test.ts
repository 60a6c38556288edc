// What convert writes: it means what was read, is short, keeps secrets out, and says what it could not say.
//
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to the environment are among what is tested.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { convert, convertFiles } from '../../src/config/convert.ts';
import { loadConfig, parseConfig } from '../../src/config/loader.ts';
import { toRevised } from '../../src/config/revision.ts';
import type { Config, Route } from '../../src/core/model.ts';
import { parse } from './kit.ts';
import { randomRoutes } from './random-route.ts';

const seed = Date.now() | 0;
const examples = new URL('../../config/examples/', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'umbra-convert-'));
after(() => rmSync(folder, { recursive: true }));

const HEAD = '# yaml-language-server: $schema=config/umbra.schema.json\n';
const none = (): readonly string[] => [];

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** What the command prints, in a folder of its own. */
function run(
  files: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): { code: number; out: string; err: string } {
  const printed = { out: '', err: '' };
  const code = convertFiles(
    files,
    environment,
    { write: (text: string) => (printed.out += text) },
    { write: (text: string) => (printed.err += text) },
  );
  return { code, ...printed };
}

function convertText(text: string, environment: NodeJS.ProcessEnv = {}): string {
  const { code, out, err } = run([write('in.yaml', text)], environment);
  assert.deepEqual([code, err], [0, '']);
  return out;
}

/** Of a route, edited, alone in a config. */
function withRoute(edits: Partial<Route>): Config {
  const config = parse('routes: [{ id: a, path: /, backends: [{ url: "http://h" }] }]');
  const { revision: _, ...route } = config.routes[0]!;
  return { ...config, routes: [toRevised({ ...route, ...edits })] };
}

test(`what was written loads to the same routes, revisions included (seed ${seed})`, () => {
  const silent = parse('routes: []');
  fc.assert(
    fc.property(randomRoutes, (routes) => {
      const config = { ...silent, routes };
      const { text, environment } = convert(config, 'test.yaml', none);
      assert.deepEqual(parseConfig(text, 'test.yaml', environment), config, text);
    }),
    { seed, numRuns: 500 },
  );
});

test('every example is converted, and what comes of it means the same', () => {
  const names = readdirSync(examples).filter((name) => name.endsWith('.yaml'));
  assert.ok(names.length >= 5, names.join(' '));
  for (const name of names) {
    const config = loadConfig([join(examples, name)], {});
    const { text, environment } = convert(config, join(examples, name), none);
    const again = parseConfig(text, join(examples, name), environment);
    assert.deepEqual(again.routes, config.routes, name);
    assert.deepEqual(
      { ...again, notices: [], apisixMirrorTimeouts: null },
      { ...config, notices: [], apisixMirrorTimeouts: null },
    );
  }
});

test('what is converted twice is the same text', () => {
  const once = convertText(
    'routes: [{ id: a, path: /, backends: [{ url: "http://h" }], mirror: { backends: [{ url: "http://s" }] } }]',
  );
  assert.equal(convertText(once), once);
});

test('only what differs from the defaults is written, in the order of the documentation, quoted where it must be', () => {
  const text = `shutdown_timeout: 1m
routes:
  - mirror:
      breaker: { open_for: 10s, failures: 6 }
      limit: { time_window: 60, count: 5 }
      timeout: { read: 1500ms, connect: 2s }
      max_body: 1024KiB
      conditions: { path_regex: "^/a", headers: { X-A: "true", X-B: "5" } }
      backends: [{ url: "http://s:80", host_header: pass }]
      percentage: 12.5
      enabled: true
    timeout: { connect: 5000ms, send: 90s }
    backends: [{ weight: 2, url: "HTTP://H:9000" }, { url: "https://h", tls: { verify: false } }]
    vars: [[arg_a, "==", "1"], [arg_b, "==", "a, b"]]
    methods: [GET]
    hosts: ["*.a", b]
    path_prefix: true
    path: /$\${a}
    id: "5"
`;
  assert.equal(
    convertText(text),
    `${HEAD}
shutdown_timeout: 1m

routes:
  - id: "5"
    path: /$\${a}
    path_prefix: true
    hosts:
      - "*.a"
      - b
    methods:
      - GET
    vars:
      - [arg_a, ==, "1"]
      - [arg_b, ==, "a, b"]
    backends:
      - url: http://h:9000
        weight: 2
      - url: https://h
        tls:
          verify: false
    timeout:
      send: 90s
    mirror:
      percentage: 12.5
      backends:
        - url: http://s
      conditions:
        headers:
          x-a: true
          x-b: "5"
        path_regex: ^/a
      timeout:
        read: 1500ms
      limit:
        count: 5
      max_body: 1MiB
      breaker:
        failures: 6
`,
  );
});

test('settings of listeners, admin, store, threads and limits are kept', () => {
  const text = `listen: { http: ["127.0.0.1:1", "[::1]:2"] }
admin: { listen: "127.0.0.1:3", key: admin-secret, viewer_key: viewer-secret, key_file: own.key, allow: [10.0.0.0/8], admin_api_version: default, on_proxy_port: true }
threads: { frontend: 3, mirror: 2 }
store: { type: redis, url: "rediss://me:pass%20word@redis:7/2", prefix: p, timeout: 5s, path: cache.json }
shutdown_timeout: 5s
limits: { header_bytes: 2KiB, header_count: 9, target_length: 1KiB, body: 1MiB, in_flight: 1, connections_per_address: 2, upstream_connections: 3, upstream_queue: 0, upstream_queue_timeout: 1s, overload_delay: 1m }
routes: []
`;
  const file = write('settings.yaml', text);
  const config = loadConfig([file], {});
  const { text: written, environment } = convert(config, file, none);
  assert.deepEqual(parseConfig(written, file, environment), config);
  for (const secret of ['admin-secret', 'viewer-secret', 'pass', 'word'])
    assert.ok(!written.includes(secret), written);
  assert.deepEqual(environment, {
    UMBRA_ADMIN_KEY_1: 'admin-secret',
    UMBRA_VIEWER_KEY_1: 'viewer-secret',
    UMBRA_STORE_URL_1: 'rediss://me:pass%20word@redis:7/2',
  });
  const elsewhere = parseConfig(written, '/somewhere/else.yaml', environment);
  assert.deepEqual(elsewhere.store, config.store);
  assert.deepEqual(elsewhere.admin, config.admin);
});

test('a password is a reference to the environment, the same one for the same password, and says so', () => {
  const limit = (password: string): string =>
    `limit: { policy: redis, redis_host: redis, redis_password: ${password} }`;
  const route = (id: string, password: string): string =>
    `  - { id: ${id}, path: /${id}, backends: [{ url: "http://h" }], mirror: { backends: [{ url: "http://s", headers: { set: { authorization: Bearer hush, x-env: shadow } } }], ${limit(password)} } }\n`;
  const text = convertText(
    `routes:\n${route('a', 'hunter2')}${route('b', 'swordfish')}${route('c', 'hunter2')}`,
  );
  for (const secret of ['hunter2', 'swordfish', 'hush']) assert.ok(!text.includes(secret), text);
  assert.deepEqual(
    [...text.matchAll(/redis_password: (.*)/g)].map((match) => match[1]),
    ['${UMBRA_REDIS_PASSWORD_1}', '${UMBRA_REDIS_PASSWORD_2}', '${UMBRA_REDIS_PASSWORD_1}'],
  );
  assert.match(
    text,
    /# It was left out here: give it in the environment\.\n {10,}authorization: \$\{UMBRA_HEADER_1\}\n {10,}x-env: shadow\n/,
  );
  assert.match(text, /# It was left out here: give it in the environment\.\n +redis_password:/);
});

test('a route that has no words in umbra’s dialect is a comment', () => {
  const { text } = convert(withRoute({ id: 'gone', backends: [] }), 'test.yaml', none);
  assert.equal(
    text,
    `${HEAD}\n# Left out: route gone. It has no backend with a weight above 0: its requests were answered 503.\nroutes: []\n`,
  );
  const [route] = withRoute({}).routes;
  const twin = toRevised({ ...route!, id: 'twin' });
  const both = convert({ ...withRoute({}), routes: [route!, twin] }, 'test.yaml', none);
  assert.match(
    both.text,
    /\n {2}# Left out: route twin\. It matches exactly the requests of route a, which came first: it was never used\.\n$/,
  );
  assert.deepEqual(parse(both.text).routes, [route]);
});

test('what is bounded more tightly in umbra’s dialect is cut and named, or refused', () => {
  const { text } = convert(withRoute({ retries: 31 }), 'test.yaml', none);
  assert.match(text, /\n {4}# It was 31: 10 is the most here\.\n {4}retries: 10\n/);
  assert.throws(
    () =>
      convert(withRoute({ timeouts: { connectMs: 1, sendMs: 1, readMs: 86_400_001 } }), 'test.yaml', none),
    /^ConfigError: test\.yaml as umbra's own:\d+:\d+: routes\[0\]\.timeout\.read: must be a duration from 1ms to 24h/,
  );
});

test('authorities that a backend is trusted by are named as left out', () => {
  const [backend] = withRoute({}).routes[0]!.backends;
  const ca = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'.repeat(2);
  const secure = { ...backend!, origin: 'https://h:443', authority: 'h', tls: { verify: true, ca } };
  const { text } = convert(withRoute({ backends: [secure] }), 'test.yaml', none);
  assert.match(
    text,
    /\n {6}# Left out: tls\.ca, a file of 2 authorities; name the file again\.\n {6}- url: https:\/\/h\n$/,
  );
});

test('notices become comments: at their route, or at the head of the file', () => {
  const file = write(
    'notices.yaml',
    `services:
  - name: s
    upstream: { nodes: [{ host: h, port: 80, weight: 1 }] }
    routes:
      - { name: a, uris: [/a] }
      - { name: b, uris: [/b], enable_websocket: true }
plugin_metadata: { http-logger: {} }
`,
  );
  const { code, out, err } = run([file]);
  assert.deepEqual([code, err], [0, '']);
  const [head, routes] = out.split('\nroutes:\n');
  assert.match(
    head!,
    /^# yaml-language-server: .*\n#\n# .*notices\.yaml:7:\d+: plugin_metadata\.http-logger: has no effect here\n/,
  );
  const [first, second] = routes!.split('- id: b');
  assert.match(first!, /\n {2}# .*notices\.yaml:6:\d+: services\[0\]\.routes\[1\]\./);
  assert.ok(!second!.includes('notices.yaml'), out);
  assert.deepEqual(parse(out).routes, loadConfig([file], {}).routes);
});

test('several files of several forms become one', () => {
  const files = ['adc.yaml', 'kubernetes-mirror.yaml', 'full.yaml'].map((name) => join(examples, name));
  const { code, out, err } = run(files);
  assert.deepEqual([code, err], [0, '']);
  assert.deepEqual(
    parse(out, { UMBRA_VALUE_1: 'x' })
      .routes.map(({ id }) => id)
      .toSorted(),
    ['api', 'files', 'shop_api_0', 'traffic-mirror-route'],
  );
});

test('a file with problems is not converted: they are told, and nothing else is written', () => {
  const file = write('bad.yaml', 'services:\n  - name: s\n    routes: [{ name: r, uri: /a }]\n');
  const { code, out, err } = run([join(examples, 'adc.yaml'), file]);
  assert.deepEqual([code, out], [1, '']);
  assert.match(
    err,
    /^.*bad\.yaml:3:14: services\[0\]\.routes\[0\]\.uris: is missing\n.*bad\.yaml:3:25: .*uri: is not a known key/,
  );
});

test('deadlines of mirrors by the Admin API have no key, and are named as left out', () => {
  const { text } = convert(
    { ...parse('routes: []'), apisixMirrorTimeouts: { connectMs: 2000, sendMs: 60_000, readMs: 1500 } },
    'test.yaml',
    none,
  );
  assert.match(text, /# Left out: plugin_attr\.proxy-mirror\.timeout \(connect 2s, send 1m, read 1500ms\)/);
});
