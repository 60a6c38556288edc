// Comparisons and what copies do not tell, in umbra's own dialect: each key in the model, and the rules between keys.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DetailedDiff } from '../../src/core/model.ts';
import { listLines, listProblems, mirrorYaml, parseMirror, parseRoute } from './kit.ts';

const IN_DETAIL = 'detailed_diff: true';

function compareOf(keys: string) {
  return parseMirror(`compare: { ${keys} }`).compare!;
}

function detailOf(keys: string): DetailedDiff {
  return compareOf(`${IN_DETAIL}, ${keys}`).detail!;
}

/** Paths below `compare`, and the rule. */
function listMisfits(keys: string): readonly string[] {
  return listProblems(mirrorYaml(`compare: { ${keys} }`)).map(
    ({ path, rule }) => `${path.replace('routes[0].mirror.compare.', '')} ${rule}`,
  );
}

test('in detail: every rule is in the model, names of headers in lower case, each once', () => {
  const compare = compareOf(
    [
      IN_DETAIL,
      'ignore_headers: [Server, x-b, server]',
      'ignore_json_fields: [meta.timestamp, "items[].id", "*.id", meta.timestamp]',
      'unordered: [tags, "[]"]',
      'tolerance: { price: 0.01, "$.share": 2.5%, "rates.*": 0 }',
      'mask: [user.email, \'["a.b"][]\']',
      'max_body_capture: 64KiB',
      'max_mismatches: 7',
      'verdict: { min_compared: 10, max_mismatch: 0.1%, max_error: 0.02, max_p99_ratio: 1.5 }',
    ].join(', '),
  );
  assert.deepEqual(compare, {
    logMismatches: false,
    detail: {
      ignoreHeaders: ['server', 'x-b'],
      ignoreJsonFields: ['meta.timestamp', 'items[].id', '*.id'],
      unordered: ['tags', '[]'],
      tolerances: [
        { path: 'price', largest: 0.01, isRelative: false },
        { path: '$.share', largest: 0.025, isRelative: true },
        { path: 'rates.*', largest: 0, isRelative: false },
      ],
      maxBodyCaptureBytes: 65_536,
    },
    mask: ['user.email', '["a.b"][]'],
    maxMismatches: 7,
    thresholds: { minCompared: 10, maxMismatch: 0.001, maxError: 0.02, maxP99Ratio: 1.5 },
  });
});

test('a tolerance without a path is that of the whole body, as a number or as a percentage', () => {
  assert.deepEqual(detailOf('tolerance: 0.5').tolerances, [{ path: '$', largest: 0.5, isRelative: false }]);
  assert.deepEqual(detailOf('tolerance: 0.5%').tolerances, [{ path: '$', largest: 0.005, isRelative: true }]);
  assert.deepEqual(detailOf('tolerance: {}').tolerances, []);
});

test('without detailed_diff the keys for it are checked and have no effect, but masks stay', () => {
  const keys = 'ignore_headers: [a], ignore_json_fields: [b], unordered: [c], tolerance: 1, mask: [d]';
  assert.deepEqual([compareOf(keys).detail, compareOf(keys).mask], [null, ['d']]);
  assert.equal(parseMirror(`compare: { enabled: false, ${IN_DETAIL} }`).compare, null);
  assert.deepEqual(listMisfits('enabled: false, mask: [a..b]'), ['mask[0] format']);
});

test('the control is the last of those that get copies, in its own role', () => {
  const control =
    'control: { url: "https://twin", host_header: node, tls: { verify: false }, client: undici, headers: { set: { X-A: b }, remove: [Cookie] } }';
  assert.deepEqual(parseMirror(`compare: { ${IN_DETAIL}, ${control} }`).shadows.slice(1), [
    {
      origin: 'https://twin:443',
      authority: 'twin',
      tls: { verify: false, ca: null },
      client: 'undici',
      headers: { set: [['x-a', 'b']], remove: ['cookie'] },
      hostHeader: 'node',
      role: 'control',
    },
  ]);
  const off = parseMirror(`compare: { enabled: false, ${IN_DETAIL}, ${control} }`);
  assert.deepEqual(
    off.shadows.map(({ role }) => role),
    ['shadow'],
  );
});

test('a control needs the detailed comparison, an origin of its own, and room', () => {
  assert.deepEqual(listLines(mirrorYaml('compare: { control: { url: "http://twin" } }')), [
    'test.yaml:7:18: routes[0].mirror.compare.control: needs detailed_diff: true, because noise is told apart field by field',
  ]);
  assert.deepEqual(listMisfits(`${IN_DETAIL}, control: { url: "http://SHADOW:80" }`), [
    'control.url duplicate',
  ]);
  assert.deepEqual(listMisfits(`${IN_DETAIL}, control: { url: "http://primary" }`), []);
  const backends = Array.from({ length: 16 }, (_, n) => `{ url: "http://h${n}" }`);
  const full = (count: number): string =>
    `routes: [{ id: a, path: /, backends: [{ url: "http://p" }], mirror: { backends: [${backends.slice(0, count).join(', ')}], compare: { ${IN_DETAIL}, control: { url: "http://twin" } } } }]`;
  assert.deepEqual(listProblems(full(15)), []);
  assert.deepEqual(
    listProblems(full(16)).map(({ path, rule, found }) => [path, rule, found]),
    [['routes[0].mirror.compare.control', 'range', '17']],
  );
});

test('what is wrong within a control is one problem at its key', () => {
  const misfits = (control: string): readonly string[] => listMisfits(`${IN_DETAIL}, control: ${control}`);
  assert.deepEqual(misfits('{}'), ['control.url required']);
  assert.deepEqual(misfits('{ url: "http://twin/x" }'), ['control.url format']);
  assert.deepEqual(misfits('{ url: "http://twin", weight: 1 }'), ['control.weight unknown_key']);
  assert.deepEqual(misfits('{ url: "http://twin", tls: {} }'), ['control.tls conflict']);
  assert.deepEqual(misfits('{ url: "http://twin", headers: { remove: [host] } }'), [
    'control.headers.remove[0] conflict',
  ]);
  assert.deepEqual(listMisfits('detailed_diff: 1, control: { url: "http://twin" }'), ['detailed_diff type']);
});

test('a path that is none is told with its place in the file, and where in it', () => {
  assert.deepEqual(listLines(mirrorYaml('compare:\n    mask:\n      - a\n      - a..b')), [
    'test.yaml:10:15: routes[0].mirror.compare.mask[1]: must be a path of JSON keys such as meta.timestamp or items[].id: a key is missing (character 3), found "a..b"',
  ]);
  assert.deepEqual(listLines(mirrorYaml('compare: { tolerance: { "a[0]": 1 } }')).length, 1);
  for (const key of ['ignore_json_fields', 'unordered', 'mask']) {
    for (const path of ['$', '$.a', '[]', 'a[][].b', '*', '["a.b"]']) {
      assert.deepEqual(listMisfits(`${key}: ['${path}']`), [], path);
    }
    for (const path of ['.a', 'a.', 'a[0]', 'a[', 'a*', '$a.']) {
      assert.deepEqual(listMisfits(`${key}: ['${path}']`), [`${key}[0] format`], path);
    }
  }
});

test('what a copy does not tell: headers in lower case, names of parameters as they are, places in JSON', () => {
  const keys = 'headers: [Authorization, COOKIE, cookie], query: [token, Token], json: [user.email, "$"]';
  assert.deepEqual(parseMirror(`redact: { ${keys} }`).redact, {
    headers: ['authorization', 'cookie'],
    query: ['token', 'Token'],
    json: ['user.email', '$'],
  });
});

test('headers that frame, route or identify a copy cannot be redacted', () => {
  const names = [
    'Host',
    'content-length',
    'Transfer-Encoding',
    'connection',
    'te',
    'X-Umbra-Mirror',
    'content-type',
    'content-encoding',
    'Idempotency-Key',
  ];
  const problems = listProblems(mirrorYaml(`redact: { headers: [x, ${names.join(', ')}] }`));
  assert.deepEqual(
    problems.map(({ path, rule }) => `${path} ${rule}`),
    names.map((_, index) => `routes[0].mirror.redact.headers[${index + 1}] conflict`),
  );
  assert.deepEqual(
    listLines(mirrorYaml('redact: { json: [a..b], query: [""] }')).map((line) => line.split(': ')[1]),
    ['routes[0].mirror.redact.json[0]', 'routes[0].mirror.redact.query[0]'],
  );
});

test('which methods are copied, how long an answer may be, and whether writes get a key', () => {
  const { methods, maxAnswerBytes, idempotencyKey } = parseMirror(
    'methods: safe\nmax_answer: 4MiB\nidempotency_key: true',
  );
  assert.deepEqual([methods, maxAnswerBytes, idempotencyKey], ['safe', 4_194_304, true]);
});

test('the revision changes with everything that is compared, redacted or asked for', () => {
  const mirror = (extra: string): string =>
    parseRoute(`mirror:\n  backends: [{ url: "http://s" }]\n  ${extra}`).revision;
  const compare = (extra: string): string => mirror(`compare: { ${IN_DETAIL}${extra} }`);
  const revisions = [
    mirror(''),
    mirror('methods: safe'),
    mirror('max_answer: 1MiB'),
    mirror('idempotency_key: true'),
    mirror('redact: { headers: [a] }'),
    mirror('redact: { query: [a] }'),
    mirror('redact: { json: [a] }'),
    mirror('compare: {}'),
    compare(''),
    compare(', ignore_headers: [a]'),
    compare(', ignore_json_fields: [a]'),
    compare(', unordered: [a]'),
    compare(', tolerance: { a: 1 }'),
    compare(', tolerance: { a: 1% }'),
    compare(', tolerance: 1'),
    compare(', mask: [a]'),
    compare(', max_body_capture: 1'),
    compare(', max_mismatches: 1'),
    compare(', control: { url: "http://c" }'),
    compare(', verdict: { min_compared: 1 }'),
    compare(', verdict: { max_mismatch: 0 }'),
    compare(', verdict: { max_error: 0 }'),
    compare(', verdict: { max_p99_ratio: 2 }'),
  ];
  assert.equal(new Set(revisions).size, revisions.length);
  assert.equal(compare(', max_mismatches: 100, verdict: { max_mismatch: 0.01 }'), compare(''));
});
