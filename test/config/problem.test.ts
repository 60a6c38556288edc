// Problems as an operator reads them: all at once, each at its place, typos named, secrets kept.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findNearest, formatProblem } from '../../src/config/problem.ts';
import { listLines, listProblems, mirrorYaml, routeYaml } from './kit.ts';

const TWENTY_MISTAKES = `listen:
  http: [0.0.0.0:9080, 0.0.0.0:9080]
  htps: {}
admin:
  listen: 0.0.0.0:9180
threads: { frontend: 0 }
shutdown_timeout: 0s
shutdown_timeout: 5s
routes:
  - id: a
    path: api
    hosts: ["*"]
    methods: [get]
    backends:
      - { url: http://h/x, weight: 70000 }
    mirror:
      percantage: 5
      percentage: 101
      backends:
        - url: http://shadow
          headers: { set: { Host: x } }
        - url: "http://SHADOW:80"
      conditions: { path_regex: "(" }
      limit: { policy: redis-cluster, redis_cluster_name: c, redis_cluster_nodes: ["a:1", "b:0"] }
      max_body: \${UMBRA_NOT_SET}
  - id: a
    path: /b
`;

test('a file with twenty mistakes has exactly twenty problems, each at its line and column', () => {
  assert.deepEqual(
    listProblems(TWENTY_MISTAKES).map(
      (problem) => `${problem.line}:${problem.column} ${problem.path} ${problem.rule}`,
    ),
    [
      '2:24 listen.http[1] duplicate',
      '3:3 listen.htps unknown_key',
      '5:11 admin.listen conflict',
      '6:22 threads.frontend range',
      '7:19 shutdown_timeout range',
      '8:1 shutdown_timeout duplicate',
      '11:11 routes[0].path format',
      '12:13 routes[0].hosts[0] format',
      '13:15 routes[0].methods[0] format',
      '15:16 routes[0].backends[0].url format',
      '15:36 routes[0].backends[0].weight range',
      '17:7 routes[0].mirror.percantage unknown_key',
      '18:19 routes[0].mirror.percentage range',
      '21:29 routes[0].mirror.backends[0].headers.set.Host conflict',
      '22:16 routes[0].mirror.backends[1].url duplicate',
      '23:33 routes[0].mirror.conditions.path_regex format',
      '24:91 routes[0].mirror.limit.redis_cluster_nodes[1] format',
      '25:17 routes[0].mirror.max_body environment',
      '26:5 routes[1].backends required',
      '26:9 routes[1].id duplicate',
    ],
  );
});

test('a problem is one line of file, place, path, what is wrong, what was found and what was probably meant', () => {
  assert.deepEqual(listLines(mirrorYaml('percantage: 5\npercentage: 101')), [
    'test.yaml:7:7: routes[0].mirror.percantage: is not a known key, found "percantage", did you mean "percentage"?',
    'test.yaml:8:19: routes[0].mirror.percentage: must be a number from 0 to 100, found 101',
  ]);
  const [problem] = listProblems('');
  assert.equal(formatProblem(problem!), 'test.yaml:1:1: is empty: it has no settings');
});

test('a missing key is told at its parent', () => {
  assert.deepEqual(listLines('routes:\n  - id: a\n    path: /\n'), [
    'test.yaml:2:5: routes[0].backends: is missing',
  ]);
  assert.deepEqual(listLines('listen:\n  https: { address: "h:1", key: k }\n'), [
    'test.yaml:2:10: listen.https.certificate: is missing',
  ]);
});

test('unknown keys are problems at every level', () => {
  const files = [
    'x: 1',
    'listen: { http: "h:1", x: 1 }',
    'listen: { https: [{ address: "h:1", certificate: c, key: k, x: 1 }] }',
    'admin: { x: 1 }',
    'threads: { x: 1 }',
    'store: { type: file, x: 1 }',
    'limits: { x: 1 }',
    `routes:\n${routeYaml('x: 1')}`,
    `routes:\n${routeYaml('timeout: { x: 1 }')}`,
    'routes: [{ id: a, path: /, backends: [{ url: "http://h", x: 1 }] }]',
    'routes: [{ id: a, path: /, backends: [{ url: "https://h", tls: { x: 1 } }] }]',
    mirrorYaml('x: 1'),
    mirrorYaml('conditions: { x: 1 }'),
    mirrorYaml('limit: { x: 1 }'),
    mirrorYaml('breaker: { x: 1 }'),
    mirrorYaml('compare: { x: 1 }'),
    mirrorYaml('timeout: { x: 1 }'),
    `routes:\n${routeYaml('mirror: { backends: [{ url: "http://s", x: 1 }] }')}`,
    `routes:\n${routeYaml('mirror: { backends: [{ url: "http://s", headers: { x: 1 } }] }')}`,
  ];
  for (const file of files) {
    const rules = listProblems(file).filter((problem) => !problem.path.match(/\.(certificate|key)$/));
    assert.deepEqual(
      rules.map((problem) => problem.rule),
      ['unknown_key'],
      file,
    );
  }
});

test('a list or a mapping in one of two forms is told by the form that it has', () => {
  assert.deepEqual(listLines('listen: { http: 5 }'), [
    'test.yaml:1:17: listen.http: must be an address such as 0.0.0.0:9080, or a list of 1 to 64 of them, found 5',
  ]);
  assert.deepEqual(listLines('listen: { http: ["h:1", 5] }'), [
    'test.yaml:1:25: listen.http[1]: must be text of 1 to 256 characters (put it in quotes), found 5',
  ]);
  assert.deepEqual(
    listProblems('listen: { https: { adress: "h:1" } }').map((problem) => problem.path),
    ['listen.https.address', 'listen.https.certificate', 'listen.https.key', 'listen.https.adress'],
  );
});

test('the nearest known word is suggested, and none that is far', () => {
  const known = ['url', 'weight', 'path_prefix', 'hosts', 'id'];
  const near = {
    ulr: 'url',
    weigth: 'weight',
    pathPrefix: 'path_prefix',
    host: 'hosts',
    Id: 'id',
    idd: 'id',
  };
  for (const [word, expected] of Object.entries(near)) assert.equal(findNearest(word, known), expected, word);
  for (const word of ['', 'x', 'timeout', 'a'.repeat(100_000)]) assert.equal(findNearest(word, known), null);
});

test('a secret is never printed, whatever is wrong with it', () => {
  const secret = 'hunter2';
  const files = [
    `admin: { key: ["${secret}"] }`,
    `admin: { key: "${secret} ä" }`,
    `admin: { kye: ${secret} }`,
    mirrorYaml(`limit: { policy: redis, redis_password: ["${secret}"] }`),
    mirrorYaml(`limit: { redis_password: "${secret.repeat(200)}" }`),
    mirrorYaml(`limit: { redis_pasword: ${secret} }`),
    `store: { type: redis, url: "http://:${secret}@h" }`,
    `store: { type: file, url: "redis://:${secret}@h" }`,
    `routes: [{ id: a, path: /, backends: [{ url: "http://u:${secret}@h" }] }]`,
    `routes: [{ id: a, path: /, backends: [{ url: "http://h:\${PASSWORD}" }] }]`,
    `routes:\n${routeYaml(`mirror: { backends: [{ url: "http://s", headers: { set: { a: "${secret}\\n" } } }] }`)}`,
    mirrorYaml(`conditions: { headers: { authorization: "${secret}\\n" } }`),
    `admin:\n  key: !${secret}\n`,
    `admin:\n  key: *${secret}\n`,
    `admin:\n  key: "x" ${secret}\n`,
    `admin:\n  key: |${secret}\n`,
    `admin: { key: a } ${secret}: }`,
  ];
  for (const file of files) {
    const lines = listLines(file, { PASSWORD: secret });
    assert.ok(lines.length > 0, file);
    assert.ok(!lines.join('\n').includes(secret), lines.join('\n'));
  }
});

test('what an alias repeats is told once', () => {
  const file = `routes:
  - { id: a, path: /a, backends: &b [{ url: "http://h/x" }] }
  - { id: b, path: /b, backends: *b }
`;
  assert.equal(listLines(file).length, 1);
});

test('a bad value does not hide what is wrong beside it, and causes no second problem', () => {
  assert.deepEqual(
    listProblems('admin: { listen: "0.0.0.0:1", key: 5 }').map((p) => p.path),
    ['admin.key'],
  );
  assert.deepEqual(
    listProblems(mirrorYaml('limit: { policy: redis, redis_host: 5 }')).map((p) => p.path),
    ['routes[0].mirror.limit.redis_host'],
  );
  const file = `routes:
  - { id: a, path: /a, path_prefix: 5, backends: [{ url: "http://h" }] }
  - { id: b, path: /a, backends: [{ url: "http://h" }] }
`;
  assert.deepEqual(
    listProblems(file).map((p) => p.path),
    ['routes[0].path_prefix'],
  );
});
