// `umbra verdict` as a pipeline runs it: against a real gateway with real traffic, by what it prints and how it ends.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runVerdict } from '../../src/command/verdict.ts';
import { toJunit } from '../../src/command/verdict-junit.ts';
import { toReport } from '../../src/command/verdict-report.ts';
import type { Verdict } from '../../src/control/verdict/verdict.ts';
import { type Gateway, openGateway } from '../kit/gateway.ts';
import { type Origin, openOrigin } from '../kit/origin.ts';
import { parseXml, type XmlElement } from './xml.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
/** Threads report every half second. */
const COUNTED_MS = 20_000;
const KEY = 'the-key-of-this-test';
const folder = mkdtempSync(join(tmpdir(), 'umbra-verdict-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** As a process of its own. */
async function verdict(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const child = spawn(process.execPath, ['src/main.ts', 'verdict', ...args], {
    cwd: ROOT,
    env: { ...process.env, UMBRA_ADMIN_KEY: '', ...env },
  });
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

/** The same within this process, which is much faster. */
async function runHere(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const texts = { out: '', err: '' };
  const toOutput = (name: 'out' | 'err') => ({
    write: (text: string) => {
      texts[name] += text;
    },
  });
  const code = await runVerdict(args, env, toOutput('out'), toOutput('err'));
  return { code, ...texts };
}

interface Scene {
  readonly gateway: Gateway;
  readonly primary: Origin;
  readonly shadow: Origin;
  /** Asks about this gateway. */
  readonly ask: (...args: string[]) => Promise<Outcome>;
  /** Sends so many requests, of which every `otherEvery`th is for /other. */
  readonly send: (count: number, otherEvery?: number) => Promise<void>;
  readonly admin: string;
  /** Waits until the verdict on `shop`, or on another route, counts so many comparisons: reports follow the books. */
  readonly counted: (compared: number, route?: string) => Promise<void>;
}

/** The route `shop` compares, `plain` only mirrors. Ends with balanced books and nothing left open. */
async function openScene(t: TestContext, routes = ''): Promise<Scene> {
  const [primary, shadow] = [await openOrigin(), await openOrigin()];
  let gateway: Gateway | null = null;
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  t.after(async () => {
    try {
      agent.destroy();
      if (gateway !== null) assert.equal(await gateway.stop(), 0);
      for (const origin of [primary, shadow]) await origin.waitForSockets(0);
    } finally {
      gateway?.signal('SIGKILL');
      await Promise.all([primary.close(), shadow.close()]);
    }
  });
  for (const origin of [primary, shadow]) origin.behave({ body: 'the answer' });
  gateway = await openGateway({
    admin: `key: ${KEY}`,
    config: `routes:
  - id: shop
    path: /
    path_prefix: true
    backends: [{ url: ${primary.url} }]
    mirror:
      backends: [{ url: ${shadow.url} }]
      timeout: { connect: 60s, send: 60s, read: 60s }
      compare: { verdict: { min_compared: 400, max_mismatch: 1% } }
  - id: plain
    path: /plain
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }] }
${routes}`,
  });
  const { port, adminPort } = gateway;
  const admin = `http://127.0.0.1:${adminPort}`;
  const one = (path: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port, path, agent }, (answer) => {
        answer.resume();
        answer.once('end', resolve);
      });
      outgoing.once('error', reject);
      outgoing.end();
    });
  const countedNow = async (route: string): Promise<number> =>
    ((await (await fetch(`${admin}/mirrors/${route}/verdict`)).json()) as Verdict).compared;
  return {
    counted: async (compared, route = 'shop') => {
      for (const deadline = performance.now() + COUNTED_MS; ; await sleep(20)) {
        const found = await countedNow(route);
        if (found === compared) return;
        assert.ok(performance.now() < deadline, `${route}: ${found} compared instead of ${compared}`);
      }
    },
    gateway,
    primary,
    shadow,
    admin,
    ask: (...args) => runHere(['--admin', admin, ...args]),
    send: async (count, otherEvery = Number.POSITIVE_INFINITY) => {
      let sent = 0;
      const client = async (): Promise<void> => {
        while (sent < count) await one(++sent % otherEvery === 0 ? '/other' : '/');
      };
      await Promise.all(Array.from({ length: 4 }, client));
    },
  };
}

test('a shadow that answers as the primary does passes, and the exit code is 0', async (t) => {
  const { gateway, admin, send, counted } = await openScene(t);
  await send(500);
  await gateway.settled({ shop: 500 });
  await counted(500);
  const { code, out, err } = await verdict(['--admin', admin]);
  assert.equal(code, 0, out + err);
  assert.equal(err, '');
  assert.match(
    out,
    /^shop {2}PASS {2}500 compared, 0 mismatches \(at most 0\.6 %\), errors 0 % \(primary 0 %\), p99 [+-]/,
  );
  assert.match(out, /\nverdict: pass\n$/);
  assert.match(
    out,
    /same request, shadow minus primary: median [+-][\d.]+ ms \([+-][\d.]+ ms to [+-][\d.]+ ms\)/,
  );
  // Routes that do not compare are not judged.
  assert.doesNotMatch(out, /plain/);
});

test('a shadow that is wrong in 3 % of the answers fails, and the exit code is 1', async (t) => {
  const { gateway, shadow, admin, ask, send, counted } = await openScene(t);
  shadow.behave({ body: 'something else' }, '/other');
  await send(1000, 33);
  await gateway.settled({ shop: 1000 });
  await counted(1000);
  const { code, out } = await verdict(['--admin', admin, '--route', 'shop']);
  assert.equal(code, 1, out);
  assert.match(out, /^shop {2}FAIL {2}1,000 compared, 30 mismatches \(more than 2\.1 %\)/);
  assert.match(out, /not met: 30 of 1,000 differ \(more than 2\.1 %\); 1 % is allowed/);
  assert.match(out, /\nverdict: fail\n$/);
  // The same data, for somebody who allows more.
  assert.equal((await ask('--max-mismatch', '5%')).code, 0);
});

test('too little data is neither, and the exit code is 2', async (t) => {
  const { gateway, admin, ask, send, counted } = await openScene(t);
  assert.equal((await verdict(['--admin', admin])).code, 2);
  await send(399);
  await gateway.settled({ shop: 399 });
  await counted(399);
  const { code, out } = await ask();
  assert.equal(code, 2);
  assert.match(out, /open: 399 compared, at least 400 are needed/);
  assert.match(out, /\nverdict: too little data\n$/);
  assert.equal((await ask('--min-compared', '399')).code, 0);
  assert.equal((await ask('--max-mismatch', '0.001', '--min-compared', '1')).code, 2);
});

test('with --wait the verdict comes as soon as there is enough traffic', async (t) => {
  const { gateway, ask, send } = await openScene(t);
  const asked = ask('--wait', '5m', '--json');
  let isRunning = true;
  const traffic = (async () => {
    while (isRunning) await send(50);
  })();
  const { code, out, err } = await asked;
  isRunning = false;
  await traffic;
  assert.equal(code, 0, out + err);
  const { result, verdicts } = JSON.parse(out) as { result: string; verdicts: Verdict[] };
  assert.equal(result, 'pass');
  assert.deepEqual(
    verdicts.map(({ route }) => route),
    ['shop'],
  );
  assert.ok(verdicts[0]!.compared >= 400);
  await gateway.settled();
});

test('with --wait a time without enough traffic ends with 2, and a gateway that is not there yet is waited for', async (t) => {
  const { ask } = await openScene(t);
  const startedAt = performance.now();
  assert.equal((await ask('--wait', '1500ms')).code, 2);
  assert.ok(performance.now() - startedAt >= 1500);

  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  const late = runHere(['--admin', `http://127.0.0.1:${port}`, '--wait', '60s', '--route', 'shop']);
  await once(probe, 'close');
  const [figures] = (JSON.parse((await ask('--json')).out) as { verdicts: Verdict[] }).verdicts;
  const server = createServer((_incoming, answer) =>
    answer.end(JSON.stringify({ ...figures, result: 'fail' })),
  );
  server.listen(port, '127.0.0.1');
  const { code, out, err } = await late;
  server.closeAllConnections();
  server.close();
  assert.equal(code, 1, out + err);
});

test('a shadow that is down most of the time fails, though its breaker spares it', async (t) => {
  const { gateway, shadow, ask, send, counted } = await openScene(t);
  await send(500);
  await gateway.settled({ shop: 500 });
  await counted(500);
  assert.equal((await ask()).code, 0);
  shadow.behave({ cut: { at: 'start', how: 'close' } });
  await send(500);
  await gateway.settled({ shop: 1000 });
  const { code, out } = await ask();
  assert.equal(code, 1, out);
  assert.match(
    out,
    /not met: errors in 500 of 1,000, \d+ of them not sent as the breaker was open, of the primary in 0 of \d+ \(more than 47/,
  );
  assert.match(out, /open: the breaker is (?:half )?open/);
});

test('a shadow that hangs in one of twenty requests does not pass while it hangs', async (t) => {
  const { gateway, shadow, ask, send, counted } = await openScene(t);
  shadow.behave({ hang: true }, '/other');
  await send(1000, 20);
  await counted(950);
  const { code, out } = await ask();
  assert.equal(code, 2, out);
  assert.match(out, /open: errors in 0 of 950, .*, and 50 of 1,000 \(5 %\) copies have not ended/);
  // All that hang break off: what was open are errors.
  await shadow.close();
  await gateway.settled({ shop: 1000 });
  assert.match((await ask()).out, /not met: errors in 50 of 1,000, /);
});

test('while the mirror is paused there is no pass', async (t) => {
  const { gateway, admin, ask, send, counted } = await openScene(t);
  await send(500);
  await gateway.settled({ shop: 500 });
  await counted(500);
  const pause = async (method: string): Promise<void> => {
    const answer = await fetch(`${admin}/mirrors/shop/pause`, { method, headers: { 'x-api-key': KEY } });
    assert.equal(answer.status, 200);
    await answer.arrayBuffer();
  };
  await pause('PUT');
  const paused = await ask();
  assert.equal(paused.code, 2);
  assert.match(paused.out, /open: the mirror is paused\n/);
  await pause('DELETE');
  assert.equal((await ask()).code, 0);
});

test('with --fresh a shadow that was mended passes, and only with the key', async (t) => {
  const { gateway, shadow, admin, ask, send, counted } = await openScene(t);
  shadow.behave({ status: 500, body: 'broken' });
  await send(500);
  await gateway.settled({ shop: 500 });
  await counted(500);
  const broken = await ask();
  assert.equal(broken.code, 1);
  assert.match(broken.out, /not met: errors in 500 of 500, of the primary in 0/);
  shadow.behave({ body: 'the answer' });

  for (const outcome of [await ask('--fresh'), await ask('--fresh', '--key', 'another-key')]) {
    assert.equal(outcome.code, 2);
    assert.equal(outcome.out, '');
    assert.match(
      outcome.err,
      /refused: the X-API-KEY header is missing or wrong; give the key by UMBRA_ADMIN_KEY or --key\n$/,
    );
  }
  assert.equal((await ask()).code, 1);

  const fresh = await runHere(['--admin', admin, '--fresh'], { UMBRA_ADMIN_KEY: KEY });
  assert.equal(fresh.code, 2, fresh.out + fresh.err);
  assert.match(fresh.out, /^shop {2}TOO LITTLE DATA {2}0 compared/);
  await send(500);
  await gateway.settled({ shop: 1000 });
  await counted(500);
  const mended = await ask();
  assert.equal(mended.code, 0, mended.out + mended.err);
  assert.match(mended.out, /^shop {2}PASS {2}500 compared/);
});

test('what cannot be judged is said in one line and ends with 2', async (t) => {
  const { gateway, admin, ask } = await openScene(t);
  for (const [args, message] of [
    [['--route', 'nothing'], /refused: there is no mirrored route "nothing"\n$/],
    [
      ['--route', 'plain'],
      /^umbra verdict: the route "plain" does not compare: its mirror needs compare\.enabled\n$/,
    ],
    [['--route', 'shop', '--route', '..%2F\u001b[2J'], /there is no mirrored route/],
    [['--junit', join(folder, 'missing', 'file.xml')], /cannot write .*missing/],
  ] as const) {
    const { code, err } = await ask(...args);
    assert.equal(code, 2, err);
    assert.match(err, message);
    assert.equal(err.trimEnd().split('\n').length, 1, err);
    assert.ok(!err.includes('\u001b'));
  }
  const proxy = await runHere(['--admin', `http://127.0.0.1:${gateway.port}`]);
  assert.equal(proxy.code, 2);
  assert.match(proxy.err, /does not answer as the admin listener of this version of umbra does\n$/);
  await gateway.settled();
  assert.equal((await runHere(['--admin', `${admin}/`])).code, 2);
});

test('a text that nobody reads, or that finds no room, is no pass and no failure', async (t) => {
  const { gateway, admin, send, counted } = await openScene(t);
  await send(500);
  await gateway.settled({ shop: 500 });
  await counted(500);
  const run = async (name: string, stdout: 'pipe' | number, stderr: 'pipe' | number): Promise<Outcome> => {
    const args = ['src/main.ts', 'verdict', '--admin', admin, '--junit', join(folder, name)];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', stdout, stderr] });
    // Whoever should read is gone before there is anything.
    child.stdout?.destroy();
    let err = '';
    child.stderr?.on('data', (chunk) => {
      err += chunk;
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, out: '', err };
  };
  const gone = await run('gone.xml', 'pipe', 'pipe');
  assert.equal(gone.code, 2, gone.err);
  assert.match(gone.err, /^umbra verdict: .*EPIPE.*\n$/);
  const full = openSync('/dev/full', 'w');
  const noRoom = await run('full.xml', full, 'pipe');
  assert.equal(noRoom.code, 2, noRoom.err);
  assert.match(noRoom.err, /^umbra verdict: .*ENOSPC.*\n$/);
  assert.equal((await run('both.xml', full, full)).code, 2);
  closeSync(full);
  for (const name of ['gone.xml', 'full.xml', 'both.xml']) {
    assert.ok(existsSync(join(folder, name)), name);
    assert.equal(parseXml(readFileSync(join(folder, name), 'utf8')).attributes.failures, '0');
  }
});

test('--wait ends in time, whatever answers', async (t) => {
  const sockets = new Set<{ destroy(): void }>();
  // Takes every request and answers none.
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  silent.on('connection', (socket) => sockets.add(socket));
  await once(silent, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const startedAt = performance.now();
  const { code, err } = await runHere(['--admin', url, '--wait', '200ms']);
  assert.equal(code, 2);
  assert.equal(err, `umbra verdict: cannot reach ${url}: no answer within 1 s\n`);
  assert.ok(performance.now() - startedAt < 8000);
});

test('when the last answer of a wait does not come, the one before counts', async (t) => {
  const { gateway, ask } = await openScene(t);
  const [figures] = (JSON.parse((await ask('--json')).out) as { verdicts: Verdict[] }).verdicts;
  let answers = 0;
  const server = createServer((_incoming, answer) => {
    if (answers++ === 0) answer.end(JSON.stringify(figures));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { code, out, err } = await runHere(['--admin', url, '--route', 'shop', '--wait', '100ms']);
  server.closeAllConnections();
  server.close();
  assert.equal(answers, 2);
  assert.deepEqual([code, err], [2, '']);
  assert.match(out, /^shop {2}TOO LITTLE DATA/);
  await gateway.settled();
});

test('what is no admin listener is asked about', async (t) => {
  const server = createServer((_incoming, answer) => answer.writeHead(404).end('not here')).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { code, err } = await runHere(['--admin', url]);
  server.closeAllConnections();
  assert.equal(code, 2);
  assert.equal(err, `umbra verdict: ${url} answered 404: is this umbra's admin listener?\n`);
  const blocked = await runHere(['--admin', 'http://127.0.0.1:6000', '--wait', '1m']);
  assert.equal(blocked.code, 2);
  assert.match(
    blocked.err,
    /cannot reach http:\/\/127\.0\.0\.1:6000: clients of HTTP must not use this port/,
  );
});

test('the headline has the bound that decided', async (t) => {
  const { gateway, ask } = await openScene(t);
  const [real] = (JSON.parse((await ask('--json')).out) as { verdicts: Verdict[] }).verdicts;
  const [[origin, figures]] = Object.entries(real!.shadows) as [[string, Verdict['shadows'][string]]];
  const failed = {
    ...figures,
    result: 'fail',
    compared: 30,
    mismatched: 15,
    // Of 95 %; what decided had 99.9 %.
    mismatch_lower: 0.33,
    checks: figures.checks.map((check) =>
      check.name === 'mismatch' ? { ...check, result: 'fail' as const, bound: 0.23 } : check,
    ),
  } as const;
  assert.match(
    toReport([{ ...real!, ...failed, shadows: { [origin]: failed } }], 'fail'),
    /^shop {2}FAIL {2}30 compared, 15 mismatches \(more than 23 %\)\n/,
  );
  const two = { ...real!, ...failed, compared: 60, shadows: { [origin]: failed, other: figures } };
  const [head, , first] = toReport([two], 'fail').split('\n');
  assert.equal(head, 'shop  FAIL  60 compared, 15 mismatches');
  assert.equal(first, `  ${origin}  FAIL  30 compared, 15 mismatches (more than 23 %)`);
  await gateway.settled();
});

test('a gateway that cannot be reached is no pass', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  taken.close();
  await once(taken, 'close');
  const file = join(folder, 'unreachable.xml');
  const { code, out, err } = await verdict(['--admin', `http://127.0.0.1:${port}`, '--junit', file]);
  assert.equal(code, 2);
  assert.equal(out, '');
  assert.equal(err, `umbra verdict: cannot reach http://127.0.0.1:${port}: the connection is refused\n`);
  const [suite] = parseXml(readFileSync(file, 'utf8')).children;
  assert.equal(suite!.attributes.errors, '1');
});

test('a mistake in the command line ends with 2 and the usage', async () => {
  for (const [args, message] of [
    [['--min-compared', '0'], /^umbra verdict: --min-compared must be a whole number from 1 on, found "0"\n/],
    [['--max-mismatch', '2'], /--max-mismatch must be a share from 0 to 1, or a percentage/],
    [['--max-error', '101%'], /--max-error must be/],
    [['--max-p99-ratio', 'x'], /--max-p99-ratio must be a number above 0/],
    [['--max-mismatch', '-1'], /^umbra verdict: --max-mismatch must be a share .*, found "-1"\n\n/],
    [['--min-compared', '-5'], /--min-compared must be a whole number from 1 on, found "-5"/],
    [['--wait', '-1s'], /--wait must be a duration .*, found "-1s"/],
    [
      ['--admin', 'http://localhost:91800'],
      /the port of --admin must be a number from 1 to 65535, found "http:\/\/localhost:91800"/,
    ],
    [['--admin', 'http://localhost:port/x'], /the port of --admin must be a number from 1/],
    [['--admin', 'http://[::1]:0'], /the port of --admin must be a number from 1/],
    [['--wait', 'long'], /--wait must be a duration of at most a day such as 10m, found "long"/],
    [['--wait', '25h'], /--wait must be/],
    [['--admin', 'localhost:9180'], /--admin must be a URL/],
    [['--admin', 'http://user:secret@localhost'], /--admin must be a URL/],
    [['--key', 'k\n'], /the key has characters that no key may have/],
    [['--frobnicate'], /frobnicate/],
    [['shop'], /shop/],
  ] as const) {
    const { code, out, err } = await runHere(args);
    assert.equal(code, 2, args.join(' '));
    assert.equal(out, '');
    assert.match(err, message);
    assert.match(err, /usage: umbra verdict/);
  }
  assert.equal((await verdict(['--frobnicate'])).code, 2);
  const { code, out } = await verdict(['--help']);
  assert.equal(code, 0);
  assert.match(out, /^usage: umbra verdict/);
});

function findCases(text: string): { readonly suite: XmlElement; readonly cases: readonly XmlElement[] } {
  const root = parseXml(text);
  assert.equal(root.name, 'testsuites');
  assert.equal(root.children.length, 1);
  const suite = root.children[0]!;
  assert.equal(suite.name, 'testsuite');
  return { suite, cases: suite.children };
}

test('JUnit XML has a test case for each check of each route', async (t) => {
  const id = 'Odd_one.2-x';
  const { gateway, primary, shadow, ask, send, counted } = await openScene(t);
  await gateway.reload(`routes:
  - id: ${JSON.stringify(id)}
    path: /other
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }], compare: { verdict: { min_compared: 10 } } }
  - id: shop
    path: /
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }], compare: { verdict: { min_compared: 300 } } }`);
  shadow.behave({ body: 'something else' }, '/other');
  await send(400, 10);
  await gateway.settled({ [id]: 40, shop: 360 });
  await counted(40, id);
  await counted(360);
  const file = join(folder, 'odd.xml');
  const { code, out, err } = await ask('--junit', file);
  assert.equal(code, 1, out + err);
  const { suite, cases } = findCases(readFileSync(file, 'utf8'));
  const { tests, failures, errors, skipped } = suite.attributes;
  assert.deepEqual(
    { tests, failures, errors, skipped },
    { tests: '12', failures: '1', errors: '1', skipped: '4' },
  );
  assert.deepEqual(
    cases.map(({ attributes, children }) => [
      attributes.classname,
      attributes.name,
      children.find(({ name }) => name !== 'system-out')?.name ?? '',
    ]),
    [
      [`umbra.${id}`, `${shadow.url} compared`, ''],
      [`umbra.${id}`, `${shadow.url} mismatch`, 'failure'],
      // 40 copies without an error leave 7 % possible.
      [`umbra.${id}`, `${shadow.url} error`, 'error'],
      [`umbra.${id}`, `${shadow.url} p99_ratio`, 'skipped'],
      [`umbra.${id}`, `${shadow.url} sample`, ''],
      [`umbra.${id}`, `${shadow.url} noise`, 'skipped'],
      ['umbra.shop', `${shadow.url} compared`, ''],
      ['umbra.shop', `${shadow.url} mismatch`, ''],
      ['umbra.shop', `${shadow.url} error`, ''],
      ['umbra.shop', `${shadow.url} p99_ratio`, 'skipped'],
      ['umbra.shop', `${shadow.url} sample`, ''],
      ['umbra.shop', `${shadow.url} noise`, 'skipped'],
    ],
  );
  // Warnings go with the sample.
  assert.match(cases[4]!.children[0]!.text, /digest/);
  assert.match(
    cases[1]!.children[0]!.attributes.message!,
    /^40 of 40 differ \(more than 92\.7 %\); 1 % is allowed$/,
  );
});

test('neither JUnit XML nor the report is broken by what no text should have', async (t) => {
  const { gateway, ask } = await openScene(t);
  const [real] = (JSON.parse((await ask('--json')).out) as { verdicts: Verdict[] }).verdicts;
  const nasty = '\u0000\u0001\u001b[2J\u009b\u202e\ud800\uffff\ufffe\t\r\n<!--]]>&amp;&"\'\u{1f600}';
  const hostile: Verdict = {
    ...real!,
    route: nasty,
    warnings: [nasty],
    noise: { comparisons: 1, fields: [nasty] },
  };
  const [origin, figures] = Object.entries(real!.shadows)[0]!;
  const checks = figures.checks.map((check) => ({ ...check, text: nasty }));
  const warnings = ['one', nasty];
  const verdicts = [{ ...hostile, checks, shadows: { [origin + nasty]: { ...figures, checks, warnings } } }];
  const { cases } = findCases(toJunit(verdicts, nasty, 0, 1.5));
  const shown = '\ufffd\ufffd\ufffd[2J\u009b\u202e\ufffd\ufffd\ufffd\t\r\n<!--]]>&amp;&"\'\u{1f600}';
  assert.deepEqual(
    cases.map(({ attributes }) => attributes.classname),
    [...checks.map(() => `umbra.${shown}`), 'umbra'],
  );
  assert.equal(cases.at(-1)!.children[0]!.attributes.message, shown);
  const notes = cases.map(({ children }) => children.filter(({ name }) => name === 'system-out'));
  // Of the check of the sample.
  assert.deepEqual(
    notes.map((each) => each.map(({ text }) => text)),
    [[], [], [], [], [`one\n${shown}`], [], []],
  );
  const report = toReport(verdicts, 'insufficient');
  assert.match(report, /\n {2}note: \\u0000\\u0001\\u001b\[2J\\u009b\\u202e/);
  assert.ok(!/[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(report));
  await gateway.settled();
});

test('the admin listener answers with statuses that say what is wrong', async (t) => {
  const { gateway, admin } = await openScene(t);
  const status = async (path: string, options: RequestInit = {}): Promise<number> => {
    const answer = await fetch(`${admin}${path}`, options);
    await answer.arrayBuffer();
    return answer.status;
  };
  const headers = { 'x-api-key': KEY };
  assert.equal(await status('/mirrors/shop/verdict'), 200);
  assert.equal(await status('/mirrors/shop/verdict?max_mismatch=0.1%25'), 200);
  assert.equal(await status('/mirrors/shop/verdict', { method: 'HEAD' }), 200);
  assert.equal(await status('/mirrors/shop/verdict?max_mismatch=much'), 400);
  assert.equal(await status('/mirrors/nothing/verdict'), 404);
  assert.equal(await status('/mirrors/plain/verdict'), 409);
  assert.equal(await status('/mirrors/shop/verdict', { method: 'DELETE' }), 401);
  assert.equal(await status('/mirrors/shop/verdict', { method: 'DELETE', headers }), 204);
  assert.equal(await status('/mirrors/nothing/verdict', { method: 'DELETE', headers }), 404);
  assert.equal(await status('/mirrors/shop/verdict', { method: 'POST', headers }), 405);
  await gateway.settled();
});
