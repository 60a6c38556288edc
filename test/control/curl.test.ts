// Kept requests as curl commands: what a shell makes of them, and what curl then sends, byte for byte.
//
// Runs real shells and, where there is one, the real curl against a recording origin.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { findBodyNote, toPrimaryCurl, toShadowCurl } from '../../src/control/mirror-api/curl.ts';
import { quoteBytes, quoteWord } from '../../src/control/mirror-api/shell.ts';
import type { Mismatch } from '../../src/core/findings.ts';
import type { Mirror, Route } from '../../src/core/model.ts';
import { openOrigin } from '../kit/origin.ts';
import type { RecordedRequest } from '../kit/recording.ts';
import { sampleMismatch } from './findings-sample.ts';
import { SHADOW, sampleRoute } from './sample.ts';

const HAS_CURL = spawnSync('curl', ['--version']).status === 0;

/** Prints how many words there are, and each of them, with a NUL behind each. */
const STUB = `say() { printf '%s\\000' "$#"; for word in "$@"; do printf '%s\\000' "$word"; done; }\n`;

/** What the shell makes of each line of words. */
function runShell(shell: string, lines: readonly string[]): Buffer[][] {
  const script = STUB + lines.map((line) => `say ${line}`).join('\n');
  const { stdout, stderr, status } = spawnSync(shell, ['-s'], { input: script, maxBuffer: 2 ** 28 });
  assert.equal(stderr.toString(), '');
  assert.equal(status, 0);
  let at = 0;
  const take = (): Buffer => {
    const end = stdout.indexOf(0, at);
    const word = stdout.subarray(at, end);
    at = end + 1;
    return word;
  };
  const parsed: Buffer[][] = [];
  while (at < stdout.length) parsed.push(Array.from({ length: Number(take().toString()) }, take));
  return parsed;
}

/** Names the first line that is another one, instead of all. */
function assertWords(
  lines: readonly string[],
  seen: readonly (readonly Buffer[])[],
  expected: typeof seen,
): void {
  assert.equal(seen.length, expected.length);
  for (const [index, words] of expected.entries()) assert.deepEqual(seen[index], words, lines[index]);
}

const withoutNul = (text: string): string => text.replaceAll('\0', '');
const nasty = fc.constantFrom(
  "'",
  '"',
  '\\',
  '$',
  '`',
  '!',
  '\n',
  '\r',
  '\t',
  ' ',
  '*',
  '~',
  '#',
  '&',
  '|',
  ';',
  '%',
  '$(id)',
  "$'\\x41'",
  '\u202e',
  '\u3164',
  '\u2028',
  '\x1b[2J',
  'é',
  '€',
  '😀',
  '\ud800',
  '-',
  '=',
  '@',
  '\x7f',
  '\x85',
);
const anyText = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.array(fc.oneof(nasty, fc.string({ maxLength: 3 })), { maxLength: 20 }).map((parts) => parts.join('')),
  )
  .map(withoutNul);
const anyBytes = fc
  .uint8Array({ min: 1, max: 255, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));

test('a shell makes of quoted words what they were, whatever they hold', (t) => {
  const seed = Date.now();
  t.diagnostic(`seed ${seed}`);
  const texts = fc.sample(fc.array(anyText, { maxLength: 5 }), { seed, numRuns: 3000 });
  const bytes = fc.sample(fc.array(anyBytes, { maxLength: 5 }), { seed, numRuns: 1000 });
  const lines = [
    ...texts.map((words) => words.map(quoteWord).join(' ')),
    ...bytes.map((words) => words.map(quoteBytes).join(' ')),
  ];
  const expected = [
    ...texts.map((words) => words.map((word) => Buffer.from(word.toWellFormed(), 'utf8'))),
    ...bytes.map((words) => words.map((word) => Buffer.from(word, 'latin1'))),
  ];
  assertWords(lines, runShell('bash', lines), expected);
  // Plain single quotes are for every shell.
  const portable = lines.flatMap((line, index) =>
    line.includes("$'") ? [] : [{ line, words: expected[index]! }],
  );
  assert.ok(portable.length > 100);
  const plain = portable.map(({ line }) => line);
  assertWords(
    plain,
    runShell('sh', plain),
    portable.map(({ words }) => words),
  );
});

test('nothing that a terminal or an eye could be deceived by stands in a command', () => {
  for (const text of [
    'a\nb',
    'a\rb',
    '\x1b]0;x\x07',
    'a\u202eb',
    'a\u200bb',
    'a\u2028b',
    'a\u00a0b',
    'a\x9bb',
    'a\u0301',
    // Letters and symbols that show nothing.
    'a\u3164b',
    'a\u115fb',
    'a\u1160b',
    'a\uffa0b',
    'a\u2800b',
    'a\u{1d159}b',
    'a\u17b4b',
    // The same, where something else needs numbers already.
    'a\n\u3164b',
  ]) {
    assert.match(quoteWord(text), /^[\x20-\x7e]*$/, JSON.stringify(text));
    assert.match(quoteBytes(Buffer.from(text, 'utf8').toString('latin1')), /^[\x20-\x7e]*$/);
  }
  assert.equal(quoteWord('plain/word-1.2:3,4@x'), 'plain/word-1.2:3,4@x');
  assert.equal(quoteWord(''), "''");
  assert.equal(quoteWord("it's"), "'it'\\''s'");
  assert.equal(quoteWord('=ls'), "'=ls'");
  assert.equal(quoteWord('Zürich 東京 😀'), "'Zürich 東京 😀'");
  assert.equal(quoteBytes('\xe9'), "$'\\351'");
  assert.equal(quoteWord('a\n!1'), "$'a\\012\\0411'");
  assert.equal(quoteWord('a\u3164'), "$'a\\343\\205\\244'");
});

interface Side {
  readonly route?: Partial<Route>;
  readonly mirror?: Partial<Mirror>;
  readonly mismatch?: Partial<Mismatch>;
}

function toCommands({ route, mirror = {}, mismatch }: Side): readonly [string, string] {
  const whole = { ...sampleRoute({ id: 'api', mirror }), ...route };
  const kept = sampleMismatch(mismatch);
  return [toPrimaryCurl(whole, kept)!, toShadowCurl(whole, SHADOW, kept)!];
}

test('a simple request is a simple command, for either side', () => {
  assert.deepEqual(toCommands({}), [
    "curl --path-as-is --header 'host: api.example.com' --header 'accept: */*' --header user-agent: 'http://primary:9000/api/users/123?full=1'",
    "curl --path-as-is --header 'host: api.example.com' --header 'accept: */*' --header 'x-umbra-mirror: api' --header user-agent: 'http://shadow:9000/api/users/123?full=1'",
  ]);
});

test("the shadow's command has the path, host and headers that the copy had, and no value that the configuration sets", () => {
  const [primary, shadow] = toCommands({
    mirror: {
      path: '/v2',
      pathConcatMode: 'prefix',
      shadows: [
        {
          ...sampleRoute({ id: 'x' }).mirror!.shadows[0]!,
          headers: { set: [['x-env', 'secret']], remove: ['accept'] },
          hostHeader: 'node',
        },
      ],
    },
  });
  assert.ok(primary.endsWith("'http://primary:9000/api/users/123?full=1'"));
  assert.ok(shadow.endsWith("'http://shadow:9000/v2/api/users/123?full=1'"));
  assert.match(shadow, /--header 'host: shadow:9000'/);
  assert.doesNotMatch(shadow, /secret|accept: \*/);
  assert.match(shadow, /--header 'x-env: \(set by the configuration\)'/);
  const [, replaced] = toCommands({ mirror: { path: '/only', pathConcatMode: 'replace' } });
  assert.ok(replaced.endsWith("'http://shadow:9000/only?full=1'"));
});

test('a command is for the backend that most of the traffic goes to, and there is none for what is not there', () => {
  const backend = sampleRoute({ id: 'x' }).backends[0]!;
  const backends = [
    { ...backend, origin: 'http://spare:1', priority: -1, weight: 100 },
    { ...backend, origin: 'http://off:1', weight: 0 },
    { ...backend, origin: 'http://light:1', weight: 1 },
    { ...backend, origin: 'https://heavy:1', weight: 9, tls: { verify: false, ca: null } },
  ];
  const [primary] = toCommands({ route: { backends } });
  assert.match(primary, /^curl --path-as-is --insecure .*'https:\/\/heavy:1\/api/);
  const route = sampleRoute({ id: 'api' });
  assert.equal(toPrimaryCurl({ ...route, backends: [] }, sampleMismatch()), null);
  assert.equal(toShadowCurl(route, 'http://gone:1', sampleMismatch()), null);
});

test('what no command line can hold is left out, and said', () => {
  const note = (more: Partial<Mismatch>) => findBodyNote(sampleMismatch(more));
  assert.equal(note({ requestBody: 'x' }), null);
  assert.equal(note({ requestNote: 'too long' }), 'too long');
  assert.match(note({ requestBody: 'a\0b' })!, /NUL/);
  assert.match(note({ requestBody: 'x'.repeat(120 * 1024 + 1) })!, /too long/);
  assert.equal(note({ requestBody: 'x'.repeat(120 * 1024) }), null);
  assert.match(note({ method: 'HEAD', requestBody: 'x' })!, /HEAD/);
  for (const requestBody of ['a\0b', 'x'.repeat(120 * 1024 + 1)]) {
    assert.doesNotMatch(toCommands({ mismatch: { method: 'POST', requestBody } })[0], /--data/);
  }
});

interface Sent {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: string | null;
}

/** Runs the commands of both sides with the real curl, and gives what came. */
async function runCurl(t: TestContext, requests: readonly Sent[]): Promise<readonly RecordedRequest[]> {
  const origin = await openOrigin();
  t.after(() => origin.close());
  const route = sampleRoute({ id: 'api', shadows: [origin.url] });
  const [backend] = route.backends;
  const local = { ...route, backends: [{ ...backend!, origin: origin.url }] };
  const commands = requests.flatMap(({ method, target, headers, body }) => {
    const mismatch = sampleMismatch({ method, target, requestHeaders: headers, requestBody: body });
    return [toPrimaryCurl(local, mismatch)!, toShadowCurl(local, origin.url, mismatch)!];
  });
  const script = commands.map(
    (command) => `${command} --silent --output /dev/null --max-time 20 || echo failed`,
  );
  const shell = spawnShell(script.join('\n'));
  assert.equal(await shell, '');
  await origin.waitFor(commands.length);
  assert.deepEqual(origin.bad, []);
  return origin.requests;
}

async function spawnShell(script: string): Promise<string> {
  const { http_proxy: _proxy, ...env } = process.env;
  const child = spawn('bash', ['-s'], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...env, no_proxy: '*' } });
  child.stdin.end(script);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  return text;
}

function assertSent(seen: RecordedRequest, wanted: Sent, isShadow: boolean): void {
  const about = JSON.stringify(wanted);
  assert.equal(seen.line, `${wanted.method} ${wanted.target} HTTP/1.1`, about);
  const lines = seen.fields
    .map((line) => line.replace(/^([^:]+): ?/, (_, name: string) => `${name.toLowerCase()}: `))
    .filter((line) => !/^(content-length|host): /.test(line));
  const expected: string[] = [];
  for (let at = 0; at < wanted.headers.length; at += 2) {
    if (wanted.headers[at] !== 'host') expected.push(`${wanted.headers[at]}: ${wanted.headers[at + 1]}`);
  }
  if (isShadow) expected.push('x-umbra-mirror: api');
  assert.deepEqual(lines.sort(), expected.sort(), about);
  const hostAt = wanted.headers.indexOf('host');
  if (hostAt !== -1) assert.equal(seen.field('host'), wanted.headers[hostAt + 1], about);
  assert.equal(
    seen.body.toString('utf8'),
    wanted.method === 'HEAD' ? '' : (wanted.body?.toWellFormed() ?? ''),
    about,
  );
}

const NASTY_REQUESTS: readonly Sent[] = [
  { method: 'GET', target: '/a/../b/./c//d?x=[1]&y={a,b}', headers: ['host', 'h'], body: null },
  { method: 'GET', target: '//other.example/x', headers: ['accept-encoding', 'gzip, br'], body: null },
  { method: 'GET', target: '/a|b^c`d"e<f>\\g#h', headers: ['x-empty', ''], body: null },
  { method: 'OPTIONS', target: '*', headers: [], body: null },
  { method: 'HEAD', target: '/head', headers: ['accept', 'a/b'], body: 'not sent' },
  {
    method: 'POST',
    target: '/p',
    headers: ['content-type', 'application/json'],
    body: '{"a":"it\'s $HOME `id` \\n"}',
  },
  { method: 'POST', target: '/at', headers: [], body: '@/etc/hostname' },
  { method: 'PUT', target: '/lines', headers: ['user-agent', "o'hara \xe9"], body: 'a\r\nb\n\n\tc\x1b[0m €' },
  { method: 'GET', target: '/get-with-body', headers: ['cookie', '(masked)'], body: 'x=1&y=2' },
  { method: 'POST', target: '/empty', headers: ['content-type', 'text/plain'], body: '' },
  { method: 'DELETE', target: '/d', headers: ['x-a', '1', 'x-a', '2'], body: null },
  { method: 'POST', target: '/long', headers: [], body: 'ü'.repeat(60 * 1024) },
];

test('curl sends what was kept, on both sides', { skip: !HAS_CURL && 'there is no curl' }, async (t) => {
  const seen = await runCurl(t, NASTY_REQUESTS);
  for (const [index, wanted] of NASTY_REQUESTS.entries()) {
    assertSent(seen[index * 2]!, wanted, false);
    assertSent(seen[index * 2 + 1]!, wanted, true);
  }
});

test('curl sends what was kept, whatever bytes it has', {
  skip: !HAS_CURL && 'there is no curl',
}, async (t) => {
  const seed = Date.now();
  t.diagnostic(`seed ${seed}`);
  const visible = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    maxLength: 30,
  });
  // As header values are when they have passed the guard: no control bytes, no blanks at the ends.
  const value = fc
    .array(fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff })), {
      maxLength: 30,
    })
    .map((codes) => String.fromCharCode(...codes).replace(/^[ ]+|[ ]+$/g, ''));
  const requests = fc.sample(
    fc.record({
      method: fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'QUERY'),
      target: visible.map((text) => `/${text}`),
      headers: fc
        .uniqueArray(fc.constantFrom('user-agent', 'accept', 'x-one', 'content-type', 'authorization'), {
          maxLength: 4,
        })
        .chain((names) =>
          fc
            .tuple(...names.map(() => value))
            .map((values) => names.flatMap((name, at) => [name, values[at]!])),
        ),
      body: fc.option(anyText),
    }),
    { seed, numRuns: 40 },
  );
  const seen = await runCurl(t, requests);
  for (const [index, wanted] of requests.entries()) {
    assertSent(seen[index * 2]!, wanted, false);
    assertSent(seen[index * 2 + 1]!, wanted, true);
  }
});
