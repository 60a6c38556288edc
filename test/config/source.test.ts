// YAML text: the environment in scalars, aliases, and everything that makes a text no configuration.

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to the environment are what is tested.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listLines, listProblems, mirrorYaml, parse, parseMirror, routeYaml } from './kit.ts';

test('the environment is read in any value, as text where text is wanted and as a number where a number is', () => {
  const text = `admin: { key: "\${KEY}" }
threads:
  frontend: \${THREADS}
limits:
  body: \${BODY}
  in_flight: \${NOT_SET:-7}
routes:
${routeYaml('mirror:\n  enabled: ${ON}\n  percentage: ${SHARE}\n  backends:\n    - url: http://${NAME:-shadow}:${PORT}')}`;
  const environment = { KEY: '12345', THREADS: '3', BODY: '512', ON: 'false', SHARE: '.5', PORT: '9000' };
  const config = parse(text, environment);
  assert.equal(config.admin.key, '12345');
  assert.equal(config.threads.frontend, 3);
  assert.equal(config.limits.bodyBytes, 512);
  assert.equal(config.limits.inFlight, 7);
  const mirror = config.routes[0]!.mirror!;
  assert.equal(mirror.enabled, false);
  assert.equal(mirror.percentage, 0.5);
  assert.equal(mirror.shadows[0]!.origin, 'http://shadow:9000');
});

test('digits from the environment stay the text that they are where a text is wanted', () => {
  assert.equal(parse('admin:\n  key: ${KEY}\n', { KEY: '0123' }).admin.key, '0123');
});

test('a default stands in for a variable that is unset or empty, and $${ is a literal ${', () => {
  const key = (written: string, environment: Record<string, string>): string | null =>
    parse(`admin:\n  key: ${written}\n`, environment).admin.key;
  assert.equal(key('${A:-b}', {}), 'b');
  assert.equal(key('${A:-b}', { A: '' }), 'b');
  assert.equal(key('${A:-b}', { A: 'a' }), 'a');
  assert.equal(key('${A:-}', {}), null);
  assert.equal(key('${A}', { A: '' }), null);
  assert.equal(key('x$${A}', {}), 'x${A}');
  assert.equal(key('$${A}${A}', { A: 'a' }), '${A}a');
  assert.equal(key('$A', { A: 'a' }), '$A');
});

test('a variable that is not set and has no default is a problem at its place, and the only one there', () => {
  assert.deepEqual(listLines('shutdown_timeout: ${A}\nthreads:\n  frontend: "${A:-1}${B}"\n'), [
    'test.yaml:1:19: shutdown_timeout: the environment has no A, and it has no default',
    'test.yaml:3:21: threads.frontend: the environment has no B, and it has no default',
  ]);
  assert.deepEqual(
    listProblems(`routes:\n${routeYaml('host_header: a${B}${B}')}`).map((p) => p.column),
    [19, 23],
  );
});

test('a reference that is not one is a problem', () => {
  for (const written of ['${1}', '${}', '${A', '${A-b}', '${A:b}']) {
    const rules = listProblems(`shutdown_timeout: "${written}"`, { A: '1s' }).map((problem) => problem.rule);
    assert.deepEqual(rules, ['environment'], written);
  }
});

test('the environment cannot add keys or lines to the file', () => {
  const config = parse('store:\n  type: file\n  path: ${P}\n', { P: 'x\nadmin: { listen: 0.0.0.0:1 }' });
  assert.equal(config.admin.host, '127.0.0.1');
});

test('what the environment gives is shown as it is written, not as it reads', () => {
  assert.deepEqual(listLines('shutdown_timeout: ${A}', { A: 'secret' }), [
    'test.yaml:1:19: shutdown_timeout: must be a duration from 1ms to 24h, such as 500ms, 2s, 1m or 1h, found "${A}"',
  ]);
});

test('anchors, aliases and merge keys work, and own keys win over merged ones', () => {
  const text = `routes:
  - id: a
    path: /a
    backends: &primary [{ url: "http://h" }]
    mirror: &mirror { percentage: 5, max_in_flight: 7, backends: [{ url: "http://s" }] }
  - id: b
    path: /b
    backends: *primary
    mirror:
      percentage: 6
      <<: *mirror
`;
  const [first, second] = parse(text).routes;
  assert.equal(second!.backends[0]!.origin, 'http://h:80');
  assert.deepEqual(
    [first!.mirror!.percentage, second!.mirror!.percentage, second!.mirror!.maxInFlight],
    [5, 6, 7],
  );
});

test('a text that is not one YAML mapping is one problem', () => {
  const deep = (open: string): string => open.repeat(100_000);
  const files: Record<string, RegExp> = {
    '': /^test.yaml:1:1: is empty/,
    '# nothing\n': /^test.yaml:1:1: is empty/,
    '---\n...\n': /^test.yaml:1:1: is empty/,
    '~': /^test.yaml:1:1: is empty/,
    '""': /^test.yaml:1:1: is empty/,
    text: /^test.yaml:1:1: must be a mapping, found "text"$/,
    '- a': /^test.yaml:1:1: must be a mapping, found a list$/,
    '---\n# nothing\n---\n# nothing\n': /^test.yaml:1:1: is empty/,
    'threads: {}\n---\nthreads: {}\n': /^test.yaml:3:1: threads: is given twice: it stands in line 1 too$/,
    'routes: [\n': /^test.yaml:2:1: is not valid YAML/,
    'a: "b\n': /is not valid YAML: Missing closing "quote/,
    'routes: *none': /^test.yaml:1:9: is not valid YAML: no anchor/,
    '? [a]\n: b': /is not valid YAML: With stringKeys/,
    'routes: &a [*a]': /must have at most 1000000 values and 64 levels/,
    'routes: &a [*a, *a, *a]': /must have at most 1000000 values and 64 levels/,
    [deep('[')]: /is nested deeper than 64 levels$/,
    [deep('{a: ')]: /is nested deeper than 64 levels$/,
    [deep('- ')]: /is nested deeper than 64 levels$/,
  };
  for (const [file, expected] of Object.entries(files)) {
    const lines = listLines(file);
    assert.equal(lines.length, 1, `${file.slice(0, 40)}: ${lines.join('\n')}`);
    assert.match(lines[0]!, expected);
  }
});

test('aliases of aliases cannot make a small file large', () => {
  const names = [...'abcdefghijklmnop'];
  const lines = names.slice(1).map((name, at) => `${name}: &${name} [${`*${names[at]}, `.repeat(10)}]`);
  assert.match(listLines(`a: &a [x]\n${lines.join('\n')}`).join('\n'), /at most 1000000 values/);
});

test('mappings that merge themselves or each other come to an end', () => {
  assert.deepEqual(listLines('limits: &x\n  <<: [*x, *x]\n  in_flight: 1\n'), []);
  const levels = Array.from({ length: 40 }, (_, at) => `m${at + 1}: &m${at + 1} { <<: [*m${at}, *m${at}] }`);
  const text = `m0: &m0 { in_flight: 0 }\n${levels.join('\n')}\nlimits: *m40\n`;
  const problem = listProblems(text).find(({ path }) => path === 'limits.in_flight');
  assert.equal(problem?.line, 1);
});

test('keys that JavaScript gives a meaning are keys like any other', () => {
  const paths = listProblems('__proto__: { a: 1 }\nconstructor: 1\nlimits: { toString: 1 }').map(
    (p) => p.path,
  );
  assert.deepEqual(paths, ['__proto__', 'constructor', 'limits.toString']);
  const mirror = parseMirror('conditions: { headers: { __proto__: x, constructor: y } }');
  assert.deepEqual(
    mirror.conditions.headers.map(({ name, value }) => [name, value]),
    [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ],
  );
});

test('tags that mean nothing here are problems', () => {
  const rules = listProblems(mirrorYaml('max_in_flight: !count 5')).map((problem) => problem.rule);
  assert.deepEqual(rules, ['yaml', 'type']);
});

test('columns are right in files with a byte order mark or Windows line ends', () => {
  assert.deepEqual(
    listProblems('threads:\r\n  frontend: 0\r\n').map((p) => [p.line, p.column]),
    [[2, 13]],
  );
  assert.deepEqual(
    listProblems('\u{feff}x: 1').map((p) => [p.line, p.path]),
    [[1, 'x']],
  );
});
