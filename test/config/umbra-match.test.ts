// What a route matches beyond path, hosts and methods, and how it tries again: the keys of umbra's own dialect → model.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listLines, listProblems, mirrorYaml, parse, parseMirror, parseRoute, routeYaml } from './kit.ts';

function urisYaml(uris: string, extra = ''): string {
  return `routes:\n  - { id: a, uris: ${uris}, backends: [{ url: "http://h" }]${extra} }\n`;
}

test('without these keys a route is for every client and request, and has no bound on its retries', () => {
  const route = parseRoute('retries: 1');
  assert.deepEqual(route.paths, [{ match: 'exact', path: '/a' }]);
  assert.deepEqual(route.remoteAddrs, []);
  assert.equal(route.vars, null);
  assert.equal(route.retryTimeoutMs, null);
  assert.equal(route.backends[0]!.priority, 0);
  assert.equal(parseMirror('percentage: 1').conditions.vars, null);
});

test('with them it has what they say', () => {
  const route = parseRoute(
    'retry_timeout: 1500ms\nremote_addrs: [10.0.0.0/8, "::1"]\nvars: [[arg_a, ">", 1], [http_b, "!", in, [x, "1"]]]',
  );
  assert.equal(route.retryTimeoutMs, 1500);
  assert.deepEqual(route.remoteAddrs, ['10.0.0.0/8', '::1']);
  assert.deepEqual(route.vars, [
    ['arg_a', '>', 1],
    ['http_b', '!', 'in', ['x', '1']],
  ]);
  assert.deepEqual(parseMirror('conditions: { vars: [[arg_a, "==", null]] }').conditions.vars, [
    ['arg_a', '==', null],
  ]);
  const [first, second] = parse(
    'routes: [{ id: a, path: /, backends: [{ url: "http://h", priority: -1 }, { url: "http://i", priority: 7 }] }]',
  ).routes[0]!.backends;
  assert.deepEqual([first!.priority, second!.priority], [-1, 7]);
});

test('uris are APISIX patterns', () => {
  assert.deepEqual(parse(urisYaml('[/a, /b*, /c/*, "*", /d/*/e, /f/*/g/*]')).routes[0]!.paths, [
    { match: 'exact', path: '/a' },
    { match: 'text_prefix', path: '/b' },
    { match: 'text_prefix', path: '/c/' },
    { match: 'text_prefix', path: '' },
    { match: 'wildcard', path: '/d/*/e' },
    { match: 'wildcard', path: '/f/*/g/*' },
  ]);
});

test('a route has either path or uris', () => {
  assert.deepEqual(listLines('routes: [{ id: a, backends: [{ url: "http://h" }] }]'), [
    'test.yaml:1:10: routes[0].path: is missing',
  ]);
  assert.deepEqual(listLines(urisYaml('[/a]', ', path: /b')), [
    'test.yaml:2:59: routes[0].path: cannot stand beside uris',
  ]);
  assert.deepEqual(listLines(urisYaml('[/a]', ', path_prefix: true')), [
    'test.yaml:2:59: routes[0].path_prefix: cannot stand beside uris',
  ]);
});

test('a problem is told at the entry that is wrong', () => {
  const table: readonly (readonly [string, string])[] = [
    [
      urisYaml('[/a, b]'),
      'test.yaml:2:25: routes[0].uris[1]: must start with /, or with * for any path, found "b"',
    ],
    [
      urisYaml('[/a*b]'),
      'test.yaml:2:21: routes[0].uris[0]: must have a * only at its end or as a whole segment, found "/a*b"',
    ],
    [
      urisYaml('[/a/*rest]'),
      'test.yaml:2:21: routes[0].uris[0]: must have a * only at its end or as a whole segment, found "/a/*rest"',
    ],
    [
      urisYaml('[/a, /a]'),
      'test.yaml:2:20: routes[0].uris: must not have the same entry twice, found a list',
    ],
    [
      `routes:\n${routeYaml('remote_addrs: [10.0.0.1, 10.0.0.0/33]')}`,
      'test.yaml:5:30: routes[0].remote_addrs[1]: must be an IPv4 or IPv6 address, alone or with the number of its leading bits, as in 10.0.0.0/8, found "10.0.0.0/33"',
    ],
    [
      `routes:\n${routeYaml('vars: [[arg_a, "==", 1], [arg_b, "=", 1]]')}`,
      'test.yaml:5:38: routes[0].vars[1][1]: must be one of the operators == ~= > >= < <= ~~ ~* in has ipmatch, found "="',
    ],
    [
      mirrorYaml('conditions: { vars: [[arg_a, "~~", "("]] }'),
      'test.yaml:7:42: routes[0].mirror.conditions.vars[0][2]: does not compile: Unterminated group',
    ],
  ];
  for (const [text, line] of table) assert.deepEqual(listLines(text), [line]);
});

test('routes that differ in one of these keys are no duplicates, and the order of lists makes no difference', () => {
  const write = (...extras: readonly string[]): string =>
    `routes:\n${extras.map((extra, n) => `  - { id: r${n}, backends: [{ url: "http://h" }], ${extra} }\n`).join('')}`;
  assert.deepEqual(
    listProblems(
      write(
        'path: /a',
        'uris: [/a, /b]',
        'uris: [/a, /c]',
        'uris: [/a*]',
        'path: /a, remote_addrs: [10.0.0.1]',
        'path: /a, remote_addrs: [10.0.0.2]',
        'path: /a, vars: [[arg_a, "==", 1]]',
        'path: /a, vars: [[arg_a, "==", "1"]]',
      ),
    ),
    [],
  );
  const paths = (...extras: readonly string[]): readonly string[] =>
    listProblems(write(...extras)).map(({ path, rule }) => `${path} ${rule}`);
  assert.deepEqual(paths('uris: [/a, /b]', 'uris: [/b, /a]'), ['routes[1].uris duplicate']);
  assert.deepEqual(paths('path: /a', 'uris: [/a]'), ['routes[1].uris duplicate']);
  assert.deepEqual(
    paths('path: /a, remote_addrs: [10.0.0.1, "::1"]', 'path: /a, remote_addrs: ["::1", 10.0.0.1]'),
    ['routes[1].path duplicate'],
  );
  assert.deepEqual(paths('path: /a, vars: [[arg_a, "==", 1]]', 'path: /a, vars: [[arg_a, "==", 1]]'), [
    'routes[1].path duplicate',
  ]);
});

test('every one of these keys changes the revision', () => {
  const { revision } = parseRoute('retries: 1');
  for (const extra of ['retry_timeout: 1s', 'remote_addrs: [10.0.0.1]', 'vars: [[arg_a, "==", 1]]']) {
    assert.notEqual(parseRoute(extra).revision, revision, extra);
  }
});
