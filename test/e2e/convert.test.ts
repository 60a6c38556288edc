// convert as an operator uses it: every form through the real command line, and a converted file that runs as the
// original does.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { openRaw, request } from '../kit/raw.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'umbra-convert-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function umbra(...args: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, ['src/main.ts', ...args], { cwd: ROOT });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function readExample(name: string): string {
  return readFileSync(join(ROOT, 'config/examples', name), 'utf8');
}

const MIRROR = '{ proxy-mirror: { host: "http://127.0.0.1:8081", sample_ratio: 0.5 } }';
const NODES = '{ nodes: { "httpbin.org:80": 1 }, type: roundrobin }';

/** One route each, for /get. */
const FORMS: Readonly<Record<string, string>> = {
  umbra: 'routes: [{ id: a, path: /get, backends: [{ url: "http://httpbin.org" }] }]\n',
  'route object': `{ "id": "a", "uri": "/get", "plugins": {}, "upstream": { "nodes": { "httpbin.org": 1 }, "type": "roundrobin" } }\n`,
  standalone: `routes: [{ id: 1, uri: /get, plugins: ${MIRROR}, upstream_id: 1 }]\nupstreams: [{ id: 1, nodes: { "httpbin.org:80": 1 } }]\n#END\n`,
  'standalone and config.yaml': `routes: [{ id: 1, uri: /get, plugins: ${MIRROR}, upstream: ${NODES} }]\n---\nplugin_attr: { proxy-mirror: { timeout: { connect: 2s, read: 2s, send: 2s } } }\n`,
  ADC: readExample('adc.yaml'),
  'Gateway API': readExample('kubernetes-gateway.yaml'),
  'custom resources': readExample('kubernetes-crd.yaml'),
};

test('every form converts to a file that check finds good', async () => {
  for (const [form, text] of Object.entries(FORMS)) {
    const file = write('form.yaml', text);
    const converted = await umbra('convert', file);
    assert.deepEqual([converted.code, converted.err], [0, ''], `${form}:\n${converted.err}`);
    assert.match(converted.out, /^# yaml-language-server: \$schema=config\/umbra\.schema\.json\n/, form);
    const own = write('own.yaml', converted.out);
    assert.deepEqual(await umbra('check', own), { code: 0, out: `${own}: ok, 1 route\n`, err: '' }, form);
    const again = await umbra('convert', own);
    const withoutComments = (lines: string): string => lines.replaceAll(/^ *#.*\n\n?/gm, '');
    assert.equal(withoutComments(again.out), withoutComments(converted.out), form);
  }
});

test('what is wrong goes to stderr, nothing to stdout, and the exit code is 1; without a file it is 2', async () => {
  const bad = write(
    'bad.yaml',
    `${FORMS['Gateway API']}`.replace('name: httpbin-external-domain\nspec', 'name: x\nspec'),
  );
  const { code, out, err } = await umbra('convert', bad);
  assert.deepEqual([code, out], [1, '']);
  assert.match(
    err,
    /bad\.yaml:44:17: spec\.rules\[0\]\.backendRefs\[0\]\.name: refers to Service aic\/httpbin-external-domain, which is in none of the files, for HTTPRoute aic\/traffic-mirror-route, found "httpbin-external-domain"\n$/,
  );
  const none = await umbra('convert');
  assert.equal(none.code, 2);
  assert.match(none.err, /convert needs at least one file/);
});

/** What reaches primary and shadow of a gateway with that config, for the same requests. */
async function observe(t: TestContext, config: string, origins: readonly Origin[]) {
  for (const origin of origins) origin.requests.length = 0;
  const gateway = await openGateway({ config });
  t.after(() => gateway.signal('SIGKILL'));
  const client = await openRaw(gateway.port);
  const statuses: number[] = [];
  for (const path of ['/get', '/get?a=1', '/gets', '/api', '/api/x%20y', '/apix']) {
    const fields = ['Host: shop.example.com', 'X-Env: blue'];
    statuses.push((await request(client, { path, fields })).status);
  }
  client.close();
  const reports = await gateway.settled();
  const counts = Object.entries(reports).map(([id, report]) => [id, report.matched, report.total_success]);
  assert.equal(await gateway.stop(), 0);
  // Copies come in any order.
  const seen = origins.map(({ requests }) =>
    requests
      .map(({ line, fields }) =>
        [line, ...fields.filter((field) => /^(?:host|x-(?!request-id))/i.test(field))].join('\n'),
      )
      .toSorted(),
  );
  return { statuses, seen, counts };
}

test('a converted file runs and mirrors as the original does', async (t) => {
  const primary = await openOrigin({ behaviour: { body: 'primary' } });
  const shadow = await openOrigin();
  t.after(() => Promise.all([primary.close(), shadow.close()]));
  const service = (name: string, { port }: Origin): string =>
    `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { type: ExternalName, externalName: 127.0.0.1, ports: [{ name: web, port: ${port} }] }\n---\n`;
  const original = `${service('primary', primary)}${service('shadow', shadow)}apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  hostnames: [shop.example.com]
  rules:
    - matches:
        - { path: { type: Exact, value: /get }, headers: [{ name: X-Env, value: blue }] }
        - { path: { type: PathPrefix, value: /api } }
      filters:
        - type: RequestMirror
          requestMirror: { backendRef: { name: shadow, port: ${shadow.port} } }
      backendRefs:
        - { name: primary, port: ${primary.port} }
`;
  const converted = await umbra('convert', write('original.yaml', original));
  assert.deepEqual([converted.code, converted.err], [0, '']);
  const before = await observe(t, `---\n${original}`, [primary, shadow]);
  const behind = await observe(t, converted.out, [primary, shadow]);
  assert.deepEqual(behind, before);
  assert.deepEqual(before.statuses, [200, 200, 404, 200, 200, 404]);
  assert.deepEqual(
    before.seen.map((list) => list.length),
    [4, 4],
  );
  assert.match(before.seen[1]![0]!, /^GET \/api HTTP\/1\.1\nhost: shop\.example\.com\n/i);
  assert.deepEqual(before.counts, [
    ['default_shop_0_0', 2, 2],
    ['default_shop_0_1', 2, 2],
  ]);
  await Promise.all([primary.waitForSockets(0), shadow.waitForSockets(0)]);
});
