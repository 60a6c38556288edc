// What of APISIX's files is read, and what several of them are to each other when each is checked by itself.
//
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to the environment are among what is tested.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkFiles } from '../../../src/config/check.ts';
import { listLines, parse } from '../kit.ts';

const folder = mkdtempSync(join(tmpdir(), 'umbra-reading-'));
after(() => rmSync(folder, { recursive: true }));

/** What `umbra check` prints for files of these texts, which are called `0.yaml`, `1.yaml` and so on. */
function check(...texts: readonly string[]): readonly string[] {
  const files = texts.map((text, index) => {
    const file = join(folder, `${index}.yaml`);
    writeFileSync(file, text);
    return file;
  });
  const lines: string[] = [];
  checkFiles(files, {}, (line) => lines.push(line.trimEnd().replaceAll(`${folder}/`, '')));
  return lines;
}

const toService = (name: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`;
const toRoute = (name: string, service: string, more = ''): string =>
  `apiVersion: apisix.apache.org/v2\nkind: ApisixRoute\nmetadata: { name: ${name} }\nspec: { http: [{ name: r, match: { paths: [/a] }, backends: [{ serviceName: ${service}, servicePort: 80${more} }] }] }\n`;

test('each file by itself has its own upstreams, whatever another one calls by their id', () => {
  const toText = (scheme: string): string =>
    `routes: [{ id: a, uri: /a, upstream_id: 1 }]\nupstreams: [{ id: 1, scheme: ${scheme}, nodes: { "h:80": 1 } }]\n#END\n`;
  const bad = '.yaml:2:30: upstreams[0].scheme: is not served yet: http and https are, found "grpc"';
  assert.deepEqual(check(toText('grpc'), toText('http')), [`0${bad}`, '1.yaml: ok, 1 route']);
  assert.deepEqual(check(toText('http'), toText('grpc')), ['0.yaml: ok, 1 route', `1${bad}`]);
  const route = 'routes: [{ id: b, uri: /b, upstream_id: 1 }]\n#END\n';
  assert.deepEqual(check(route, toText('http')), ['0.yaml: ok, 1 route', '1.yaml: ok, 1 route']);
});

test('names of Kubernetes and ADC are told apart within each file alone', () => {
  const adc =
    'services:\n  - { name: s, upstream: { nodes: [{ host: h, port: 80, weight: 1 }] }, routes: [{ name: r, uris: [/] }] }\n';
  assert.deepEqual(check(adc, adc), ['0.yaml: ok, 1 route', '1.yaml: ok, 1 route']);
  const manifests = `${toService('s')}---\n${toRoute('r', 's')}`;
  assert.deepEqual(check(manifests, manifests), ['0.yaml: ok, 1 route', '1.yaml: ok, 1 route']);
  assert.deepEqual(check(toRoute('r', 's'), toService('s')), ['0.yaml: ok, 1 route', '1.yaml: ok, 0 routes']);
  assert.match(
    check(toRoute('r', 't'), toService('s')).join('\n'),
    /Service default\/t, which is in none of the files/,
  );
});

test('an upstream or a service that no route uses is told once, and is no problem', () => {
  const text = `routes: [{ id: a, uri: /a, upstream: { nodes: {} } }]
upstreams: [{ id: x, scheme: grpc, nodes: {} }]
services: [{ id: s, plugins: { proxy-mirror: { host: "grpc://a" } }, upstream_id: x, hosts: ["a:80"] }]
#END
`;
  const unused = (kind: string): string => `no route uses this ${kind}, and one that did would be refused:`;
  assert.deepEqual(check(text), [
    `0.yaml:2:30: upstreams[0].scheme: ${unused('upstream')} is not served yet: http and https are, found "grpc"`,
    `0.yaml:3:94: services[0].hosts[0]: ${unused('service')} must be a name, an IPv4 address, a bracketed IPv6 address or *.suffix, without a port, found "a:80"`,
    `0.yaml:3:54: services[0].plugins.proxy-mirror.host: ${unused('service')} is not served yet: http:// and https:// are, found "grpc://a"`,
    '0.yaml: ok, 1 route',
  ]);
});

test('${ is plain text in what is not read, and in all of what APISIX and Kubernetes write', () => {
  const ROUTE = 'id: a\nuri: /a\nupstream: { nodes: {} }\n';
  const script =
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\ndata:\n  run: echo ${HOME_DIR} ${#x} ${{MISSING}}\n';
  const list =
    'apiVersion: v1\nkind: List\nitems:\n  - { apiVersion: v1, kind: Secret, data: { a: "${{MISSING}}" } }\n';
  const config =
    'etcd: { password: "${{ETCD_PASSWORD}}" }\nnginx_config: { format: "$host ${x} ${{" }\nplugin_attr: { proxy-mirror: { timeout: { read: "${{READ:=5s}}" } } }\n';
  const consumers = 'routes: []\nconsumers: [{ username: "${{MISSING}}" }]\n#END\n';
  const annotated = toService('s').replace('name: s', 'name: s, annotations: { a: "${{MISSING}}" }');
  assert.deepEqual(listLines([ROUTE, script, list, config, annotated].join('---\n')), []);
  assert.deepEqual(listLines(consumers), []);
  assert.equal(parse(config).apisixMirrorTimeouts.readMs, 5000);
  assert.equal(
    parse(`${ROUTE}upstream_id: \${{U:=u}}\n---\nupstreams: [{ id: u, nodes: { "h:80": 1 } }]`).routes[0]!
      .backends.length,
    1,
  );
  assert.deepEqual(
    parse(`${ROUTE}vars: [[arg_a, "==", "\${x} $\${{A}} \${{A}}"]]`, { A: '1', x: '2' }).routes[0]!.vars,
    [['arg_a', '==', '${x} $1 1']],
  );
  assert.deepEqual(listLines(`${ROUTE}desc: "\${{MISSING}}"`), [
    'test.yaml:4:8: desc: the environment has no MISSING, and it has no default',
  ]);
  assert.match(listLines(toService('"${{MISSING}}"')).join('\n'), /no MISSING/);
});

test('references that never end cost no more than other text', () => {
  const open = '${{A:=  '.repeat(100_000);
  const startedAt = process.cpuUsage();
  assert.match(
    listLines(`id: a\nuri: /a\nupstream: { nodes: {} }\ndesc: "${open}"`).join('\n'),
    /desc: must be text/,
  );
  assert.match(listLines(`shutdown_timeout: "${'${A:-'.repeat(100_000)}"`).join('\n'), /must be \$\{NAME\}/);
  const spaces = `\${{A:=${' '.repeat(200_000)}`;
  assert.match(
    listLines(`id: a\nuri: /a\nupstream: { nodes: {} }\ndesc: "${spaces}"`).join('\n'),
    /desc: must be text/,
  );
  const { user, system } = process.cpuUsage(startedAt);
  assert.ok((user + system) / 1e6 < 20, `${user + system} µs`);
});

test('weights without a common multiple that is exact are a problem', () => {
  const primes: number[] = [];
  for (let number = 2; primes.length < 60; number++) {
    if (primes.every((prime) => number % prime !== 0)) primes.push(number);
  }
  const toUpstream = (weight: number, index: number): string =>
    `apiVersion: apisix.apache.org/v2\nkind: ApisixUpstream\nmetadata: { name: u${index} }\nspec: { externalNodes: [{ type: Domain, name: h${index}, weight: ${weight} }] }\n`;
  const names = primes.map((_, index) => `{ name: u${index}, weight: 1 }`).join(', ');
  const route = `apiVersion: apisix.apache.org/v2\nkind: ApisixRoute\nmetadata: { name: r }\nspec: { http: [{ name: r, match: { paths: [/a] }, upstreams: [${names}] }] }\n`;
  assert.deepEqual(listLines([route, ...primes.map(toUpstream)].join('---\n')), [
    'test.yaml:4:16: spec.http[0]: has weights whose shares cannot be kept: their common multiple is too large',
  ]);
});

test('keys that every object has are unknown like others, and so is a plugin of such a name', () => {
  const lines = listLines(
    'routes: [{ id: a, uri: /a, upstream: { nodes: {} } }]\ntoString: {}\nconstructor: null\n#END\n',
  );
  assert.deepEqual(
    lines.map((line) => line.replace(/, did you mean.*/, '')),
    [
      'test.yaml:2:1: toString: is not a known key, found "toString"',
      'test.yaml:3:1: constructor: is not a known key, found "constructor"',
    ],
  );
  const plugins =
    ', plugins: [{ name: __proto__, enable: true, config: { proxy-mirror: { host: "http://s" } } }]';
  const text = `${toService('s')}---\n${toRoute('r', 's').replace('servicePort: 80 }]', `servicePort: 80 }]${plugins}`)}`;
  assert.match(
    listLines(text).join('\n'),
    /is not a plugin that umbra has: proxy-mirror and umbra-compare are, found "__proto__"/,
  );
});

test('routes beside plugin_attr are a standalone file', () => {
  const config = parse('routes: []\nplugin_attr: { proxy-mirror: { timeout: { read: 7s } } }\n#END\n');
  assert.deepEqual([config.apisixMirrorTimeouts.readMs, config.notices], [7000, []]);
  assert.deepEqual(listLines('routes: [{ id: a }]\nplugin_attr: {}\n#END\n').length, 2);
});

test('thousands without ids or of one name are numbered', () => {
  const route = '  - { name: same, uri: /a, upstream: { nodes: {} } }\n';
  const { routes } = parse(`routes:\n${route.repeat(5000)}#END\n`);
  assert.deepEqual([routes[0]!.id, routes[1]!.id, routes[4999]!.id], ['same', 'route-1', 'route-4999']);
});
