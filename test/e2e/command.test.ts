// The command line as an operator uses it: what it prints, and how it ends.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openGateway } from '../kit/gateway.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'umbra-command-'));
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

const ROUTE = 'routes: [{ id: a, path: /, backends: [{ url: "http://127.0.0.1:9" }] }]\n';
const TWO_MISTAKES = `routes:
  - id: a
    path: /
    backends: [{ url: "http://127.0.0.1:9" }]
    mirror:
      percentag: 5
      backends: [{ url: "http://127.0.0.1:8/path" }]
`;

test('check says ok with the number of routes, and ends with 0', async () => {
  const file = write('good.yaml', ROUTE);
  assert.deepEqual(await umbra('check', file), { code: 0, out: `${file}: ok, 1 route\n`, err: '' });
});

test('check prints every problem of every file with its place and the nearest known key, and ends with 1', async () => {
  const bad = write('bad.yaml', TWO_MISTAKES);
  const good = write('good.yaml', ROUTE);
  const { code, out } = await umbra('check', bad, good);
  assert.equal(code, 1);
  const lines = out.trimEnd().split('\n');
  assert.equal(lines.length, 3, out);
  assert.match(
    lines[0]!,
    new RegExp(`^${bad}:6:7: routes\\[0\\]\\.mirror.*percentag.*did you mean "percentage"`),
  );
  assert.match(
    lines[1]!,
    new RegExp(`^${bad}:7:\\d+: routes\\[0\\]\\.mirror\\.backends\\[0\\]\\.url: .*path`),
  );
  assert.equal(lines[2], `${good}: ok, 1 route`);
});

test('run refuses a bad config with every problem, before it listens anywhere', async () => {
  const file = write('bad.yaml', TWO_MISTAKES);
  const { code, out, err } = await umbra('run', '--config', file);
  assert.equal(code, 1);
  assert.equal(out, '');
  assert.equal(err.trimEnd().split('\n').length, 2, err);
});

test('run without its file says so in one line', async () => {
  const { code, err } = await umbra('run', '--config', join(folder, 'missing.yaml'));
  assert.equal(code, 1);
  assert.equal(err.trimEnd().split('\n').length, 1, err);
  assert.match(err, /missing\.yaml/);
});

test('a mistake in the command line ends with 2 and the usage', async () => {
  for (const args of [['frobnicate'], ['check'], ['run', 'file.yaml'], ['--frobnicate']]) {
    const { code, err } = await umbra(...args);
    assert.equal(code, 2, args.join(' '));
    assert.match(err, /usage: umbra/);
  }
});

test('help and version', async () => {
  assert.match((await umbra('--help')).out, /^usage: umbra/);
  assert.match((await umbra('--version')).out, /^umbra \d+\.\d+\.\d+\n$/);
});

for (const frontends of [1, 2]) {
  test(`a port in use is one line and exit 1, with ${frontends} front ends`, async () => {
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const threads = `threads: { frontend: ${frontends} }\nadmin: { listen: 127.0.0.1:0 }\n`;
    const file = write('taken.yaml', `listen: { http: 127.0.0.1:${port} }\n${threads}${ROUTE}`);
    const { code, out, err } = await umbra('run', '--config', file);
    assert.equal(code, 1);
    assert.equal(out, '');
    assert.equal(err, `umbra: cannot listen on 127.0.0.1:${port}: the port is in use\n`);
    taken.close();
  });

  test(`a port that another umbra shares among ${frontends} front ends is not shared with a second one`, async () => {
    const first = await openGateway({ config: ROUTE, frontends });
    const threads = `threads: { frontend: ${frontends} }\nadmin: { listen: 127.0.0.1:0 }\n`;
    const file = write('second.yaml', `listen: { http: 127.0.0.1:${first.port} }\n${threads}${ROUTE}`);
    const { code, err } = await umbra('run', '--config', file);
    assert.equal(code, 1);
    assert.equal(err, `umbra: cannot listen on 127.0.0.1:${first.port}: the port is in use\n`);
    assert.equal(await first.stop(), 0);
  });
}

test('the admin port in use is one line and exit 1, and nothing is left running', async () => {
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const file = write(
    'admin.yaml',
    `listen: { http: 127.0.0.1:0 }\nadmin: { listen: 127.0.0.1:${port} }\n${ROUTE}`,
  );
  const { code, err } = await umbra('run', '--config', file);
  assert.equal(code, 1);
  assert.equal(err.trimEnd().split('\n').length, 1, err);
  assert.match(err, new RegExp(`127\\.0\\.0\\.1:${port}`));
  taken.close();
});

test('the demo shows copies, latencies of both sides, what differs, and both verdicts', async () => {
  const { code, out, err } = await umbra('demo');
  assert.equal(code, 0, err);
  assert.match(out, /clients {2}600 of 600 answered well/);
  assert.match(out, /copies sent +600 of 600, 600 answered/);
  assert.match(out, /primary latency +p50 [\d.]+ ms/);
  assert.match(out, /shadow latency +p50 [\d.]+ ms/);
  assert.match(out, /mismatches +40 \(6\.7 %\)/);
  assert.match(out, /noise +body:served\.at, body:served\.trace, header:x-trace/);
  assert.match(out, / 20 × {2}body:accepted, status {3}as in POST \/orders\/\d+/);
  assert.match(out, / 20 × {2}body:price\.amount {3}as in GET \/products\/\d+/);
  const [first = '', second = ''] = out.split('its makers mend it');
  assert.match(first, /shop {2}FAIL {2}600 compared, 40 mismatches/);
  assert.match(second, /shop {2}PASS {2}600 compared, 0 mismatches \(at most 0\.5 %\)/);
});
