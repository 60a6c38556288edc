// Files: what cannot be loaded and says so once, certificates, the examples, and the file that the design shows.

import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkFiles, checkTogether } from '../../src/config/check.ts';
import { loadConfig } from '../../src/config/loader.ts';
import { ConfigError, formatProblem } from '../../src/config/problem.ts';
import { toSchemaText } from '../../src/config/umbra/schema.ts';
import { createCertificate } from '../kit/certificate.ts';
import { listFileProblems, listKeys, listProblems, mirrorYaml, parse } from './kit.ts';

const root = new URL('../../', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'umbra-config-'));
const certificate = createCertificate();
const stranger = createCertificate();

after(() => {
  rmSync(folder, { recursive: true });
  certificate.remove();
  stranger.remove();
});

function write(name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

function listFileLines(file: string): readonly string[] {
  return listFileProblems(file).map((problem) => formatProblem(problem).replace(`${folder}/`, ''));
}

test('a file that cannot be read as a config is one clear problem', () => {
  const mebibyte = Buffer.alloc(1024 * 1024, 'a: b # comment\n');
  assert.deepEqual(listFileLines(join(folder, 'none.yaml')), ['none.yaml:1:1: cannot be read: no such file']);
  assert.deepEqual(listFileLines(folder), [`${folder}:1:1: cannot be read: it is a directory`]);
  assert.deepEqual(listFileLines(write('empty.yaml', '')), ['empty.yaml:1:1: is empty: it has no settings']);
  assert.deepEqual(listFileLines(write('big.yaml', Buffer.concat(Array(10).fill(mebibyte)))), [
    'big.yaml:1:1: is larger than 8 MiB',
  ]);
  assert.deepEqual(listFileLines(write('latin.yaml', Buffer.from('a: \xe9', 'latin1'))), [
    'latin.yaml:1:1: is not UTF-8 text',
  ]);
  assert.deepEqual(listFileLines(join(folder, 'a\0b')).length, 1);
  assert.deepEqual(listFileLines(join(folder, 'x'.repeat(5000))).length, 1);
});

test('a file of exactly the largest size is read', () => {
  const bytes = 8 * 1024 * 1024;
  const file = write('largest.yaml', `routes: []\n#${'x'.repeat(bytes - 12)}`);
  assert.deepEqual(listFileLines(file), []);
  assert.equal(listFileLines(write('larger.yaml', `routes: []\n#${'x'.repeat(bytes - 11)}`)).length, 1);
});

test('the file that the design shows loads whole', () => {
  mkdirSync(join(folder, 'tls'));
  copyFileSync(certificate.certificateFile, join(folder, 'tls/cert.pem'));
  copyFileSync(certificate.keyFile, join(folder, 'tls/key.pem'));
  const file = join(folder, 'design.yaml');
  copyFileSync(join(root, 'test/config/design.yaml'), file);
  const config = loadConfig([file], {});
  assert.deepEqual(config.listeners, [
    { host: '0.0.0.0', port: 9080, tls: null },
    {
      host: '0.0.0.0',
      port: 9443,
      tls: { certificateFile: join(folder, 'tls/cert.pem'), keyFile: join(folder, 'tls/key.pem') },
    },
  ]);
  assert.equal((config.store as { path: string }).path, join(folder, 'data/routes.json'));
  const [route] = config.routes;
  assert.deepEqual(route!.hosts, ['api.example.com', '*.example.org']);
  const mirror = route!.mirror!;
  assert.equal(mirror.sampleByHeader, 'x-user-id');
  assert.deepEqual(mirror.conditions, {
    methods: ['GET', 'POST'],
    headers: [{ name: 'x-mirror', kind: 'present', value: '' }],
    pathRegex: '^/api/v2/.*',
    vars: null,
  });
  assert.deepEqual(mirror.shadows[0]!.headers, { set: [['x-env', 'shadow']], remove: ['authorization'] });
  assert.deepEqual(mirror.limit, { count: 100, windowMs: 60_000, policy: 'local', redis: null });
  assert.deepEqual(mirror.compare, {
    logMismatches: true,
    detail: {
      ignoreHeaders: ['date', 'x-request-id'],
      ignoreJsonFields: ['meta.timestamp', 'items[].id'],
      unordered: [],
      tolerances: [],
      maxBodyCaptureBytes: 1_048_576,
    },
    mask: [],
    maxMismatches: 100,
    thresholds: { minCompared: 1000, maxMismatch: 0.01, maxError: 0.01, maxP99Ratio: null },
  });
  assert.deepEqual([mirror.path, mirror.pathConcatMode], ['/shadow', 'replace']);
});

test('a certificate and its key must exist, parse and belong together', () => {
  const broken = write('broken.pem', '-----BEGIN NONSENSE-----');
  const listen = (cert: string, key: string): readonly string[] =>
    listProblems(`listen: { https: { address: "h:1", certificate: "${cert}", key: "${key}" } }`).map(
      ({ path, message }) => `${path} ${message}`,
    );
  const { certificateFile, keyFile } = certificate;
  assert.deepEqual(listen(certificateFile, keyFile), []);
  assert.deepEqual(listen(certificateFile, stranger.keyFile), [
    'listen.https.key is not the key of the certificate',
  ]);
  assert.deepEqual(listen(`${folder}/none.pem`, folder), [
    'listen.https.certificate cannot be read: no such file',
    'listen.https.key cannot be read: it is a directory',
  ]);
  assert.deepEqual(listen(broken, broken), [
    'listen.https.certificate is not a PEM certificate',
    'listen.https.key is not a PEM private key without a passphrase',
  ]);
  assert.deepEqual(listen(keyFile, keyFile), ['listen.https.certificate is not a PEM certificate']);
});

test('further authorities are read from a PEM file, and what is none is a problem', () => {
  const route = (ca: string): string =>
    `routes: [{ id: a, path: /, backends: [{ url: "https://h", tls: { ca: "${ca}" } }] }]`;
  assert.equal(parse(route(certificate.caFile)).routes[0]!.backends[0]!.tls!.ca, certificate.ca);
  for (const file of [certificate.keyFile, write('empty.pem', ''), join(folder, 'none.pem'), folder]) {
    assert.deepEqual(
      listProblems(route(file)).map((p) => p.path),
      ['routes[0].backends[0].tls.ca'],
      file,
    );
  }
});

test('a file without permission to read is a problem', { skip: process.getuid?.() === 0 }, () => {
  const file = write('closed.yaml', 'routes: []');
  chmodSync(file, 0);
  assert.deepEqual(listFileLines(file), ['closed.yaml:1:1: cannot be read: permission denied']);
});

test('every example in config/ loads as it is, and names the schema for editors', () => {
  const examples = {
    'config/umbra.yaml': 'umbra.schema.json',
    'config/examples/full.yaml': '../umbra.schema.json',
  };
  for (const name of ['apisix-standalone.yaml', 'apisix-route.json', 'apisix-config.yaml']) {
    assert.deepEqual(listFileProblems(join(root, 'config/examples', name)), [], name);
  }
  for (const [name, schema] of Object.entries(examples)) {
    assert.deepEqual(listFileProblems(join(root, name)), [], name);
    const [modeline] = readFileSync(join(root, name), 'utf8').split('\n', 1);
    assert.equal(modeline, `# yaml-language-server: $schema=${schema}`);
  }
});

test('the exported schema is in step with the one that validates', () => {
  assert.equal(readFileSync(join(root, 'config/umbra.schema.json'), 'utf8'), toSchemaText());
});

test('every key is in the full example and in the documentation', () => {
  const keys = listKeys();
  assert.ok(keys.size >= 75);
  const example = readFileSync(join(root, 'config/examples/full.yaml'), 'utf8');
  const docs = readFileSync(join(root, 'docs/configuration.md'), 'utf8');
  for (const key of keys) {
    assert.match(example, new RegExp(`\\b${key}:`), key);
    assert.match(docs, new RegExp(`[\`.]${key}[\`.]`), key);
  }
});

function listTogether(...files: string[]): readonly string[] {
  try {
    loadConfig(files, {});
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map((problem) => formatProblem(problem).replaceAll(`${folder}/`, ''));
  }
}

test('several files make one config, in whatever forms, and refer to each other', () => {
  const umbra = write(
    'own.yaml',
    'threads: { frontend: 3 }\nroutes: [{ id: a, path: /, backends: [{ url: "http://h" }] }]\n',
  );
  const routes = write('routes.yaml', 'routes: [{ id: b, uri: /b, upstream_id: u }]\n#END\n');
  const upstreams = write('upstreams.yaml', 'upstreams: [{ id: u, nodes: { up: 1 } }]\n#END\n');
  const attributes = write('config.yaml', 'plugin_attr: { proxy-mirror: { timeout: { send: 7s } } }\n');
  const config = loadConfig([umbra, routes, upstreams, attributes], {});
  assert.deepEqual(
    config.routes.map(({ id, backends }) => [id, backends[0]!.origin]),
    [
      ['a', 'http://h:80'],
      ['b', 'http://up:80'],
    ],
  );
  assert.equal(config.threads.frontend, 3);
  assert.equal(config.apisixMirrorTimeouts.sendMs, 7000);
  assert.deepEqual(listTogether(umbra, routes), [
    'routes.yaml:1:41: routes[0].upstream_id: leads nowhere: route b refers to upstream u, and there is none',
  ]);
});

test('what stands in two files and may stand in one is a problem that names both', () => {
  const one = write('one.yaml', `threads: { frontend: 3 }\nlimits: {}\n${mirrorYaml()}`);
  const two = write(
    'two.yaml',
    'threads: { mirror: 1 }\nroutes:\n  - { id: a, path: /x, backends: [{ url: "http://h" }] }\n',
  );
  const three = write('three.yaml', '\nid: a\nuri: /\nupstream: { nodes: {} }\n');
  assert.deepEqual(listTogether(one, two, three), [
    'two.yaml:1:1: threads: is given twice: it stands in one.yaml:1 too',
    'two.yaml:3:11: routes[0].id: is the id of another route too, in one.yaml:4, found "a"',
    'three.yaml:2:5: id: is the id of another route too, in one.yaml:4, found "a"',
  ]);
  const same = write('same.yaml', 'routes: [{ id: b, path: /a, backends: [{ url: "http://h" }] }]\n');
  assert.match(
    listTogether(one, same).join('\n'),
    /^same\.yaml:1:25: routes\[0\]\.path: matches exactly the requests of another route, in one\.yaml:5: /,
  );
  assert.deepEqual(listTogether(one, one), ['one.yaml:1:1: is given twice']);
  assert.deepEqual(listTogether(three, join(folder, 'below', '..', 'three.yaml')), [
    'three.yaml:1:1: is given twice',
  ]);
});

test('the files that a document names lie beside its file', () => {
  mkdirSync(join(folder, 'below'));
  copyFileSync(certificate.caFile, join(folder, 'below/ca.pem'));
  const route = 'routes: [{ id: b, path: /b, backends: [{ url: "https://h", tls: { ca: ca.pem } }] }]\n';
  const below = write('below/routes.yaml', route);
  const above = write('above.yaml', 'store: { type: file, path: routes.json }\n');
  const config = loadConfig([above, below], {});
  assert.equal(config.routes[0]!.backends[0]!.tls!.ca, certificate.ca);
  assert.equal((config.store as { path: string }).path, join(folder, 'routes.json'));
});

test('many documents do not have more values together than one may have', () => {
  const alias =
    'x: &x [1,1,1,1,1,1,1,1,1,1]\ny: &y [*x,*x,*x,*x,*x,*x,*x,*x,*x,*x]\nz: &z [*y,*y,*y,*y,*y,*y,*y,*y,*y,*y]\nroutes: [*z,*z,*z,*z,*z,*z,*z,*z,*z,*z]\n';
  const lines = listTogether(write('many.yaml', Array(200).fill(alias).join('---\n')));
  assert.deepEqual(lines, ['many.yaml:1:1: must have at most 1000000 values and 64 levels, aliases counted']);
});

test('check takes each file by itself, though references may lead to another; with --config all are one', () => {
  const routes = write('r.yaml', 'routes: [{ id: a, uri: /b, upstream_id: u }]\n#END\n');
  const upstreams = write(
    'u.yaml',
    'upstreams: [{ id: u, nodes: { up: 1 }, checks: { active: {} } }]\n#END\n',
  );
  const same = write('s.yaml', mirrorYaml());
  const run = (check: typeof checkFiles, ...files: string[]): [number, string] => {
    const lines: string[] = [];
    const exitCode = check(files, {}, (line) => lines.push(line.replaceAll(`${folder}/`, '')));
    return [exitCode, lines.join('')];
  };
  const notice =
    'u.yaml:1:40: upstreams[0].checks: has no effect: the health of nodes is not checked, a failed attempt goes on to another one\n';
  assert.deepEqual(run(checkFiles, routes, upstreams, same), [
    0,
    `r.yaml: ok, 1 route\n${notice}u.yaml: ok, 0 routes\ns.yaml: ok, 1 route\n`,
  ]);
  const wrong = write('w.yaml', 'upstreams: [{ id: u, nodes: { up: 1 }, scheme: grpc }]\n#END\n');
  for (const files of [
    [routes, wrong],
    [wrong, routes],
  ]) {
    const [code, out] = run(checkFiles, ...files);
    assert.equal(code, 1);
    assert.match(
      out,
      /^w\.yaml:1:48: upstreams\[0\]\.scheme: is not served yet: http and https are, found "grpc"$/m,
    );
  }
  assert.deepEqual(run(checkTogether, routes, upstreams), [0, `${notice}r.yaml, u.yaml: ok, 1 route\n`]);
  assert.deepEqual(run(checkTogether, same, routes, upstreams), [
    1,
    'r.yaml:1:16: routes[0].id: is the id of another route too, in s.yaml:2, found "a"\n',
  ]);
});

test('check prints every problem of every file, counts the routes of the good ones, and exits 1 if any is bad', () => {
  const good = write('good.yaml', mirrorYaml());
  const bad = write('bad.yaml', 'threads: { frontend: 0, mirror: 17 }');
  const run = (...files: string[]): [number, string] => {
    const lines: string[] = [];
    const exitCode = checkFiles(files, {}, (line) => lines.push(line.replace(`${folder}/`, '')));
    return [exitCode, lines.join('')];
  };
  assert.deepEqual(run(good), [0, 'good.yaml: ok, 1 route\n']);
  assert.deepEqual(run(bad, good, join(folder, 'none.yaml')), [
    1,
    `bad.yaml:1:22: threads.frontend: must be auto or a whole number from 1 to 64, found 0
bad.yaml:1:33: threads.mirror: must be auto or a whole number from 1 to 16, found 17
good.yaml: ok, 1 route
none.yaml:1:1: cannot be read: no such file
`,
  ]);
});
